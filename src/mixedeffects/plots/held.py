"""Predictors beside the one on the axis: what a curve holds them at, and the linear predictor along it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.design.encoding import replay
from mixedeffects.design.random import varies_within
from mixedeffects.errors import DataError
from mixedeffects.formula import term_columns
from mixedeffects.formula.expressions import columns as expression_columns
from mixedeffects.frame import Factor
from mixedeffects.inference.reference_grid import chosen_values, factor_columns, grid_column
from mixedeffects.plots.columns import block_factor, column, positions
from mixedeffects.predict.extras import argument_offset, formula_offset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit
    from mixedeffects.frame import Column

At = Mapping[str, Any] | str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """Values at which a curve holds predictors; what is in neither is as observed at the first row of its level.

    Attributes
    ----------
    columns : dict of str to ndarray or Factor
        Predictors, with one value each.
    offset : float or None
        The offset that was an argument of the fit; None for that of the row.
    """

    columns: dict[str, Column]
    offset: float | None

    def text(self) -> str:
        """The values as a caption has them: ``z = 0.13, sex = F``."""
        parts = []
        for name, one in self.columns.items():
            value = one.labels[one.codes[0]] if isinstance(one, Factor) else one[0]
            parts.append(f"{name} = {_shown(value)}")
        if self.offset is not None:
            parts.append(f"offset = {_shown(self.offset)}")
        return ", ".join(parts)


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float | np.floating) else str(value)


def other_predictors(fit: LmmFit, x: str, blocks: Sequence[int]) -> dict[str, NDArray[np.float64]]:
    """What curves over x depend on besides, (n,) each: columns of the fixed part, of the terms of blocks, of offsets.

    The offset that was an argument of the fit has the name of its column, or ``"offset"``.
    """
    model, layout = fit.model, fit.objective.layout
    terms = [model.terms[t].source.expr for b in blocks for t in layout.terms_of[b]]
    names = [name for expr in (model.formula.fixed, *terms) for name in term_columns(expr)]
    names += [name for expr in model.formula.offsets for name in expression_columns(expr)]
    out = {name: positions(column(fit, name)) for name in dict.fromkeys(names) if name != x}
    offset = argument_offset(model)
    if offset is not None:
        out[_offset_name(fit)] = offset
    return out


def _offset_name(fit: LmmFit) -> str:
    return fit.model.offset_name or "offset"


def varying(fit: LmmFit, block: int, others: Mapping[str, NDArray[np.float64]]) -> list[str]:
    """Which of them vary within a level of a block's factor."""
    codes = block_factor(fit, block).codes
    return [name for name, values in others.items() if varies_within(codes, values)]


def held_values(fit: LmmFit, x: str, others: Mapping[str, Any], within: Sequence[str], at: At) -> Held | None:
    """The values to hold, or None if everything is as observed.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    x : str
        The predictor on the axis.
    others : mapping
        As `other_predictors` gives them.
    within : sequence of str
        Those that vary within levels: they are held, at their mean or first level by default.
    at : mapping of str to value, ``"observed"``, or None
        Other values, also of predictors that do not vary within levels.

    Raises
    ------
    DataError
        For a name that is no other predictor, or a value that it does not have.
    """
    if isinstance(at, str) or not isinstance(at, Mapping | None):
        if at == "observed":
            return None
        raise DataError(f"at={at!r}: give values by predictor, such as at={{'z': 0}}, or 'observed'")
    given = dict(at or {})
    for name in given:
        if name not in others:
            known = ", ".join(map(repr, others)) or "none"
            raise DataError(f"at: {name!r} is no predictor of the lines beside {x!r}; those are {known}")
    names = [name for name in others if name in given or name in within]
    if not names:
        return None
    argument, offset = argument_offset(fit.model), None
    if argument is not None and _offset_name(fit) in names:
        names.remove(_offset_name(fit))
        value = given.get(_offset_name(fit), float(argument.mean()))
        offset = float(chosen_values("offset", argument, value)[0])
    categories = factor_columns(fit.model)
    return Held(columns={name: _one(fit, name, given, name in categories) for name in names}, offset=offset)


def _one(fit: LmmFit, name: str, given: Mapping[str, Any], category: bool) -> Column:
    values = column(fit, name)
    if name in given:
        chosen = chosen_values(name, values, given[name])
        if len(chosen) != 1:
            raise DataError(f"at: {name!r} must have one value, not {len(chosen)}")
    elif isinstance(values, Factor):
        chosen = values.values[:1]
    elif category or values.dtype.kind == "b":
        chosen = np.unique(values)[:1]
    else:
        chosen = np.array([np.mean(values, dtype=np.float64)])
    return grid_column(name, values, chosen, np.zeros(1, dtype=np.intp))


def axis_grid(fit: LmmFit, x: str, rows: NDArray[np.intp], points: int) -> Column:
    """Values of a predictor along its axis: its levels, or evenly over the range at some rows."""
    values = column(fit, x)
    if isinstance(values, Factor):
        return grid_column(x, values, values.values, np.arange(values.n_levels))
    if x in factor_columns(fit.model) or values.dtype.kind == "b":
        return np.unique(values[rows])
    return np.linspace(float(values[rows].min()), float(values[rows].max()), points)


def along(
    fit: LmmFit, x: str, grid: Column, first: NDArray[np.intp], held: Held | None, blocks: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Own and common linear predictors of some levels over values of x, (levels, values) each.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    x : str
        The predictor on the axis.
    grid : ndarray or Factor
        Its values.
    first : ndarray of int (levels,)
        A row of each level, from which everything is taken that is not held.
    held : Held or None
        What is.
    blocks : sequence of int
        The blocks whose effects belong to the own line.
    """
    model, layout = fit.model, fit.objective.layout
    m, n = len(positions(grid)), len(first)
    rows = np.repeat(first, m)
    columns = {name: taken(values, rows) for name, values in model.columns.items()}
    columns[x] = taken(grid, np.tile(np.arange(m), n))
    for name, one in ({} if held is None else held.columns).items():
        columns[name] = taken(one, np.zeros(m * n, dtype=np.intp))
    common = replay(model.encoding, columns, m * n)[:, model.kept] @ fit.solution.beta
    inside, argument = formula_offset(model, columns, m * n), argument_offset(model)
    if inside is not None:
        common = common + inside
    if argument is not None:
        common = common + (argument[rows] if held is None or held.offset is None else held.offset)
    own = common.copy()
    for t in (t for b in blocks for t in layout.terms_of[b]):
        term = model.terms[t]
        Z = replay(term.encoding, columns, m * n)[:, list(term.positions)]
        own += np.einsum("nk,nk->n", Z, fit.solution.b[t][term.factor.codes[rows]])
    return own.reshape(n, m), common.reshape(n, m)


def taken(values: Column, rows: NDArray[np.intp]) -> Column:
    """A column at some rows, which may occur several times, (m,)."""
    if not isinstance(values, Factor):
        return values[rows]
    return Factor(name=values.name, codes=values.codes[rows], levels=values.levels, ordered=values.ordered)
