"""Columns of a constant and main effects, computed without formulaic, whose machinery costs more than their numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from formulaic.parser.types import Factor as Expression

from mixedeffects.design.coding import coded_columns, default_contrasts, levels_to_code
from mixedeffects.errors import MixedEffectsError
from mixedeffects.formula import evaluate
from mixedeffects.formula.functions import NUMPY_ARITY
from mixedeffects.frame import Factor
from mixedeffects.frame.model_frame import numeric_operand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from formulaic.transforms.contrasts import Contrasts
    from numpy.typing import NDArray

    from mixedeffects.frame import Column

_CALLED = re.compile(r"([\w.]+)\s*\(")
_ELEMENTWISE = frozenset(NUMPY_ARITY) | {"I", ""}


class MainEffect(NamedTuple):
    """A term with the names and values of its columns."""

    label: str
    names: tuple[str, ...]
    values: tuple[NDArray[np.float64] | float, ...]


def main_effects(
    terms: Iterable[Any], columns: Mapping[str, Column], contrasts: Mapping[str, Contrasts]
) -> list[MainEffect] | None:
    """Compute the columns of a constant, numeric and categorical columns, and elementwise functions of numeric ones.

    Parameters
    ----------
    terms : iterable of formulaic Term
        As parsed.
    columns : mapping of str to ndarray or Factor
        The data.
    contrasts : mapping of str to Contrasts
        By column.

    Returns
    -------
    list of MainEffect or None
        In order; None for a sum with anything else in it, which is formulaic's to compute: without a constant, for
        one, a category would get all its levels.
    """
    found = []
    for position, term in enumerate(terms):
        effect = _main_effect(term, columns, contrasts)
        if effect is None or (effect.label == "1") != (position == 0):
            return None
        found.append(effect)
    coded = {effect.label for effect in found if isinstance(columns.get(effect.label), Factor)}
    return found if found and coded.issuperset(contrasts) else None


def _main_effect(term: Any, columns: Mapping[str, Column], contrasts: Mapping[str, Contrasts]) -> MainEffect | None:
    if len(term.factors) != 1:
        return None
    (expression,) = term.factors
    name = expression.expr
    if expression.eval_method is Expression.EvalMethod.LITERAL:
        return MainEffect("1", ("Intercept",), (1.0,)) if name == "1" else None
    if expression.eval_method is not Expression.EvalMethod.LOOKUP:
        values = _elementwise(name, columns)
        return None if values is None else MainEffect(name, (name,), (values,))
    column = columns.get(name)
    if isinstance(column, Factor):
        return _coded(name, column, contrasts[name] if name in contrasts else default_contrasts(column))
    if column is None or column.dtype.kind not in "iuf":
        return None
    return MainEffect(name, (name,), (column,))


def _coded(name: str, factor: Factor, contrasts: Contrasts) -> MainEffect:
    levels = levels_to_code(name, factor, contrasts)
    made = coded_columns(factor.codes, levels, contrasts, reduced_rank=True)
    form, by_field = made.__formulaic_metadata__.format, made.__wrapped__
    return MainEffect(name, tuple(form.format(name=name, field=field) for field in by_field), tuple(by_field.values()))


def _elementwise(expr: str, columns: Mapping[str, Column]) -> NDArray[np.float64] | None:
    """Values of an expression of numeric columns; None where formulaic is to compute it, or to say what is wrong."""
    if "`" in expr or not _ELEMENTWISE.issuperset(name.removeprefix("np.") for name in _CALLED.findall(expr)):
        return None
    numbers = {
        name: numeric_operand(column)
        for name, column in columns.items()
        if not isinstance(column, Factor) and column.dtype.kind in "iuf"
    }
    try:
        values = evaluate(expr, numbers)
    except MixedEffectsError:
        return None
    of_rows = values.ndim == 1 and values.dtype.kind == "f"
    return values if of_rows else None
