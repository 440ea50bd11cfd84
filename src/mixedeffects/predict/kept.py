"""Which random effects a prediction uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.design.encoding import encode_columns
from mixedeffects.errors import DataError
from mixedeffects.formula import bare, nested_hint, parse, term_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design, RandomBlock
    from mixedeffects.fit import LmmFit
    from mixedeffects.formula import RandomTerm

    Kept = tuple[NDArray[np.bool_], ...]


def kept_columns(fit: LmmFit, random: Any) -> Kept:
    """Mark the columns of every random-effects term that `random` asks for.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    random : str or sequence of str
        ``"conditional"`` for all, ``"population"`` for none, names of grouping factors, or the terms to keep as a
        formula has them: ``"(1 | Subject) + (1 | Item)"``, whose columns are found by name.

    Returns
    -------
    tuple of ndarray of bool, (k,) each
        One for each term of the model.

    Raises
    ------
    DataError
        For a grouping factor or a column that the fit does not have.
    FormulaError
        For a formula that cannot be read.
    """
    terms = fit.model.terms
    if isinstance(random, str):
        if random in ("conditional", "population"):
            return tuple(np.full(term.n_columns, random == "conditional") for term in terms)
        if "|" not in random:
            raise DataError(
                f"random={random!r} is not known; choose 'conditional' (all random effects) or 'population' (none), a "
                f"list of grouping factors such as [{next(iter(fit.model.factors))!r}], or terms such as "
                f"'(1 | {next(iter(fit.model.factors))})'"
            )
        return _of_formula(fit.model, random)
    if hasattr(random, "tolist"):
        random = random.tolist()
    if not isinstance(random, Sequence | set | frozenset) or not all(isinstance(name, str) for name in random):
        raise DataError(
            f"random={random!r}: give 'conditional', 'population', a list of names of grouping factors, or terms as "
            "text such as '(1 | g)'"
        )
    named = [bare(name) for name in random]
    groups = [_blocks_of(fit.model, tuple(name.split(":")), name) for name in named]
    kept = {id(block) for blocks in groups for block in blocks}
    return tuple(np.full(term.n_columns, id(term) in kept) for term in terms)


def _blocks_of(model: Design, group: tuple[str, ...], name: str) -> list[RandomBlock]:
    """The terms on a factor; the parts of an interaction may be named in any order."""
    found = [block for block in model.terms if block.group == name]
    found = found or [block for block in model.terms if sorted(block.source.group) == sorted(group)]
    if not found:
        raise DataError(
            f"random= names the grouping factor {name!r}, which the fit does not have; it has "
            f"{', '.join(map(repr, model.factors))}{nested_hint(name, model.factors)}"
        )
    return found


def _of_formula(model: Design, text: str) -> Kept:
    parsed = parse(f"{model.formula.response} ~ {text.strip().removeprefix('~')}", functions=_functions(model))
    if parsed.fixed not in ("1", "0") or parsed.offsets:
        raise DataError(
            f"random={text!r} holds more than random-effects terms; the fixed part of a prediction is always that of "
            "the fit: name terms such as (1 | group) only"
        )
    kept = {id(block): np.zeros(block.n_columns, dtype=bool) for block in model.terms}
    for term in parsed.random:
        blocks = _blocks_of(model, term.group, term.group_name)
        for name in _names(model, term, blocks):
            holding = [block for block in blocks if name in block.names]
            if not holding:
                has = ", ".join(repr(own) for block in blocks for own in block.names)
                raise DataError(
                    f"random= asks for the column {name!r} of {term}, which the fit does not have; for "
                    f"{term.group_name!r} it has {has}"
                )
            for block in holding:
                kept[id(block)] |= np.array(block.names) == name
    return tuple(kept[id(block)] for block in model.terms)


def _names(model: Design, term: RandomTerm, blocks: list[RandomBlock]) -> tuple[str, ...]:
    """Names of the columns that an expression has in the data of the fit."""
    for block in blocks:
        if block.source.expr == term.expr:
            return block.encoding.names
    for name in term_columns(term.expr):
        if name not in model.columns:
            raise DataError(f"random= asks for {term}, but the fit uses no column {name!r}")
    return encode_columns(term.expr, model.columns, model.nobs, functions=_functions(model))[1].names


def _functions(model: Design) -> dict[str, Callable[..., Any]]:
    """The caller's functions; an encoding of plain columns keeps none."""
    encodings = [model.encoding, *(term.encoding for term in model.terms)]
    return {name: function for encoding in encodings for name, function in encoding.functions.items()}
