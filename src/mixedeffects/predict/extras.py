"""Weights and offsets of new rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.families import Binomial
from mixedeffects.families.checks import WHOLE
from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.formula import evaluate
from mixedeffects.frame.model_frame import numeric_operand
from mixedeffects.frame.source import read_array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.fit import LmmFit
    from mixedeffects.frame import Column
    from mixedeffects.frame.source import Source

_ASKED = "give a column name, one value for every row, or a number"


def weighted(fit: LmmFit) -> bool:
    """Whether the distribution of a new observation depends on its weight.

    The variance of a linear mixed model does, and where the weights of a generalized one divide the dispersion or are
    numbers of trials; elsewhere a weight says how often a row counts.
    """
    return not isinstance(fit, GlmmFit) or fit.distribution.scaled or isinstance(fit.distribution, Binomial)


def refuse_weights(fit: LmmFit) -> None:
    """Raise DataError for weights of new rows that would have no effect."""
    if not weighted(fit):
        assert isinstance(fit, GlmmFit)
        raise DataError(
            f"weights=: a weight of a {fit.distribution.name} response says how often a row counts in the fit; a new "
            "observation has none. Leave it out"
        )


def new_weights(fit: LmmFit, source: Source, n: int, weights: Any) -> NDArray[np.float64] | None:
    """Prior weights of new observations, or their numbers of trials.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    source : Source
        The new data.
    n : int
        Number of rows.
    weights : str, array-like (n,), number or None
        What the caller gave; None takes the column that the fit named.

    Returns
    -------
    ndarray (n,) or None
        NaN where missing; None for a fit without weights.

    Raises
    ------
    DataError
        If the fit's weights were an array or part of the response, and for weights that are not positive, or no whole
        numbers of trials.
    """
    model = fit.model
    trials = isinstance(fit, GlmmFit) and isinstance(fit.distribution, Binomial)
    if weights is None:
        if model.weights is None:
            return None
        if model.weights_name is None:
            raise DataError(
                f"the numbers of trials of the fit are those of {model.formula.response!r}, or values: a new "
                f"observation needs its own. Use weights=, the number of trials: {_ASKED}"
                if trials
                else "the fit has prior weights that were given as values: the variance of a new observation needs its "
                f"weight. Use weights=: {_ASKED}"
            )
        weights = model.weights_name
    values = _numbers("weights", weights, source, n)
    wrong = np.flatnonzero(~(np.isnan(values) | (np.isfinite(values) & (values > 0.0))))
    if len(wrong):
        raise DataError(
            f"weights: {values[wrong[0]]:g} in row {wrong[0]} of the new data; the weight of a new observation is a "
            "finite number above 0"
        )
    if trials:
        broken = np.flatnonzero(np.abs(values - np.rint(values)) > WHOLE)
        if len(broken):
            raise DataError(
                f"weights: {values[broken[0]]:g} in row {broken[0]} of the new data; those of a binomial response are "
                "its numbers of trials, which must be whole numbers"
            )
    return values


def new_offset(model: Design, source: Source, n: int, offset: Any) -> NDArray[np.float64] | None:
    """The offset of new rows that was an argument of the fit; those inside the formula are not part of it.

    Parameters
    ----------
    model : Design
        The design of the fit.
    source, n
        As for `new_weights`.
    offset : str, array-like (n,), number or None
        What the caller gave; None takes the column that the fit named.

    Returns
    -------
    ndarray (n,) or None
        NaN where missing; None for a fit without such an offset.

    Raises
    ------
    DataError
        If the fit's offset was an array, or the fit has none and one is given.
    """
    given = model.offset_name is not None or argument_offset(model) is not None
    if not given:
        if offset is not None:
            raise DataError("offset=: the fit has no argument offset; leave it out (offset() in the formula is kept)")
        return None
    if offset is None:
        if model.offset_name is None:
            raise DataError(
                "the fit has an offset that was given as values: new rows need theirs. Use offset=: " + _ASKED
            )
        offset = model.offset_name
    return _numbers("offset", offset, source, n)


def formula_offset(model: Design, columns: Mapping[str, Column], n: int) -> NDArray[np.float64] | None:
    """Sum of the offsets inside the formula over complete rows, (n,); None if there are none."""
    if not model.formula.offsets:
        return None
    operands = {name: numeric_operand(column) for name, column in columns.items()}
    total = np.zeros(n)
    for expr in model.formula.offsets:
        with np.errstate(all="ignore"):
            total = total + np.asarray(evaluate(expr, operands, model.encoding.functions), dtype=np.float64)
    return total


def argument_offset(model: Design) -> NDArray[np.float64] | None:
    """The offset of the rows of a fit without what stands in the formula, (n,); None if that is all of it."""
    if model.offset is None:
        return None
    inside = formula_offset(model, model.columns, model.nobs)
    if inside is None:
        return model.offset
    return None if np.array_equal(inside, model.offset) else model.offset - inside


def _numbers(argument: str, value: Any, source: Source, n: int) -> NDArray[np.float64]:
    """A column, values or one number, as floats with NaN where missing."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return np.full(n, float(value))
    column = source.read([value])[value] if isinstance(value, str) else read_array(argument, value)
    if column.kind not in ("number", "boolean"):
        raise DataError(f"{argument} must be numbers; {column.name!r} holds something else")
    if len(column) != n:
        raise DataError(f"{argument} has {len(column)} values, but the new data have {n} rows; {_ASKED}")
    values = np.array(column.values, dtype=np.float64)
    if column.missing is not None:
        values[column.missing] = np.nan
    return values
