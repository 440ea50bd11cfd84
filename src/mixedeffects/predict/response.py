"""The same model fitted to another response of the caller's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError, MixedEffectsError
from mixedeffects.families import Binomial
from mixedeffects.fit.lmm import refit
from mixedeffects.fit.refitter import Refitter
from mixedeffects.formula.expressions import columns as expression_columns
from mixedeffects.frame import Factor, encode
from mixedeffects.frame.source import read_array
from mixedeffects.inference.bootstrap import replicates
from mixedeffects.inference.parameters import parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.fit import LmmFit
    from mixedeffects.fit.glmm import GlmmFit
    from mixedeffects.frame import Column
    from mixedeffects.frame.raw import RawColumn


def checked_response(fit: LmmFit, y: Any) -> NDArray[np.float64]:
    """Return a response over the rows that a fit used, (n,).

    Parameters
    ----------
    fit : LmmFit
        The fit.
    y : array-like (n,) or (rows of the data,)
        A list, an array or a Series of any library; of all rows of the data those that the fit used are taken.

    Raises
    ------
    DataError
        For another length, values that are not finite numbers, or a constant.
    """
    model = fit.model
    column = _read(fit, y)
    if column.kind not in ("number", "boolean"):
        raise DataError("the response must be numeric; y holds something else")
    values = np.array(column.values, dtype=np.float64)
    if column.missing is not None:
        values[column.missing] = np.nan
    if len(values) != model.nobs:
        values = values[model.rows]
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise DataError(
            f"y has {len(wrong)} value{'s' if len(wrong) > 1 else ''} that {'are' if len(wrong) > 1 else 'is'} not "
            f"finite, the first of them {values[wrong[0]]} in row {wrong[0]} of those used; each row needs a number"
        )
    if values.min() == values.max():
        raise DataError(f"the response y is constant: {values[0]:g} in all {len(values)} rows")
    return values


def _read(fit: LmmFit, y: Any) -> RawColumn:
    """The values as a column, one for each row used or for each row of the data."""
    model = fit.model
    if isinstance(y, str):
        raise DataError(f"y={y!r}: the response is given by its values, an array or a Series, not by a name")
    column = read_array("y", y)
    if len(column) not in (model.nobs, model.n_rows_given):
        whole = "" if model.n_rows_given == model.nobs else f", or {model.n_rows_given} as the data"
        raise DataError(f"y has {len(column)} values; it must have {model.nobs}, one for each row used{whole}")
    return column


def checked_successes(fit: GlmmFit, y: Any) -> tuple[NDArray[np.float64], Factor | None]:
    """Return a response over the rows that a fit used, (n,), and as a factor if it consists of two categories.

    Parameters
    ----------
    fit : GlmmFit
        The fit.
    y : array-like (n,) or (rows of the data,)
        Numbers or booleans; for a binomial response of one trial also two categories, of which the first is a failure.
        Where the response of the fit has categories, theirs tell which.

    Raises
    ------
    DataError
        As `checked_response`; and for other than two categories, or several trials.
    """
    model = fit.model
    column = _read(fit, y)
    if not isinstance(fit.distribution, Binomial) or column.kind in ("number", "boolean", "time"):
        return checked_response(fit, y), None
    if (model.row_weights != 1.0).any():
        raise DataError("y has categories, but the rows have several trials; give the proportions of successes")
    factor = encode(column)
    used = np.ones(model.nobs, dtype=bool)
    if len(column) != model.nobs:
        used = np.zeros(len(column), dtype=bool)
        used[model.rows] = True
    if (factor.codes[used] < 0).any():
        row = int(np.argmax(factor.codes[used] < 0))
        raise DataError(f"y has no value in row {row} of those used; each row needs one")
    factor = factor.take(used)
    old = model.columns.get(model.formula.response.strip("`"))
    levels = factor.labels
    if isinstance(old, Factor) and set(levels) <= set(old.labels):
        levels = old.labels
    if len(levels) != 2:
        number = "1 category" if len(levels) == 1 else f"{len(levels)} categories"
        raise DataError(f"y has {number}; a binomial response has two, the first of which is a failure")
    values = (factor.labels[factor.codes] == levels[1]).astype(np.float64)
    if values.min() == values.max():
        raise DataError(f"the response y is constant: {levels[int(values[0])]} in all {len(values)} rows")
    return values, Factor(name=factor.name, codes=values.astype(np.int32), levels=levels)


def refitted(fit: LmmFit, y: Any) -> LmmFit:
    """Fit the model of a fit to another response.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    y : array-like
        As for `checked_response`.

    Returns
    -------
    LmmFit
        Its design holds the new response, also under the response's name if that is a plain column.
    """
    values = checked_response(fit, y)
    again = refit(fit, values)
    return replace(again, model=_with_columns(again.model, values))


def refit_estimates(fit: LmmFit, y: Any, workers: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Estimates of a linear model from many responses.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    y : array-like (nobs, m)
        Each column is a response over the rows that the fit used.
    workers : int
        Threads.

    Returns
    -------
    names : tuple of str (k,)
        The parameters.
    values : ndarray (m, k)
        NaN where a refit did not converge.

    Raises
    ------
    DataError
        For another shape, values that are not finite, or a number of workers that is none.
    MixedEffectsError
        If theta was given.
    """
    try:
        values = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("y must hold numbers, one response in each column") from None
    if values.ndim != 2 or len(values) != fit.nobs:
        raise DataError(
            f"y has shape {values.shape}; it must have ({fit.nobs}, m), each column a response on the rows used"
        )
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        raise DataError(
            f"y has {values[tuple(wrong[0])]} in row {wrong[0][0]}, column {wrong[0][1]}; give finite numbers"
        )
    if isinstance(workers, bool) or not isinstance(workers, int | np.integer) or workers < 1:
        raise DataError(f"workers={workers!r}: give the number of threads, 1 or more")
    if fit.control.fixed_theta is not None:
        raise MixedEffectsError("theta was given, not estimated: there is nothing to refit")
    names = tuple(one.name for one in parameters(fit))
    if not values.shape[1]:
        return names, np.empty((0, len(names)))
    # Columns of a matrix have gaps in memory; the core reads rows without.
    return names, replicates(fit, Refitter(fit), list(np.ascontiguousarray(values.T)), int(workers))[0]


def refitted_glmm(fit: GlmmFit, y: Any) -> GlmmFit:
    """Fit the model of a generalized fit to another response.

    Parameters
    ----------
    fit : GlmmFit
        The fit.
    y : array-like
        As for `checked_successes`, or (n, 2) successes and failures where the response was ``cbind``: numbers of
        trials are then theirs. The offset belongs to the linear predictor and stays.
    """
    from mixedeffects.fit.glmm import fit_glmm

    model, counts = fit.model, _counts(fit, y)
    if counts is not None:
        trials = counts.sum(axis=1)
        model, y = replace(model, weights=trials), counts[:, 0] / trials
    values, categories = checked_successes(fit, y)
    design = _with_columns(replace(model, y=values), values if categories is None else categories)
    return fit_glmm(design, fit.distribution, nagq=fit.nagq, control=fit.control)


def _counts(fit: GlmmFit, y: Any) -> NDArray[np.float64] | None:
    """Successes and failures over the rows used, (n, 2), if that is what y is; None for one column."""
    if np.ndim(y) != 2:
        return None
    model = fit.model
    if not model.formula.response.startswith("cbind("):
        raise DataError(
            f"y has shape {np.shape(y)}; two columns are for fits of cbind(successes, failures), and the response here "
            f"is {model.formula.response}"
        )
    try:
        counts = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("y must hold numbers: successes and failures") from None
    if counts.shape[1] != 2 or len(counts) not in (model.nobs, model.n_rows_given):
        raise DataError(f"y has shape {counts.shape}; it must have ({model.nobs}, 2), successes and failures")
    counts = counts if len(counts) == model.nobs else counts[model.rows]
    wrong = np.flatnonzero(
        ~((counts >= 0.0).all(axis=1) & (counts.sum(axis=1) > 0.0) & np.isfinite(counts).all(axis=1))
    )
    if len(wrong):
        raise DataError(
            f"y has the counts {counts[wrong[0]].tolist()} in row {wrong[0]} of those used; they must be 0 or "
            "more, not both 0"
        )
    return counts


def _with_columns(model: Design, y: Column) -> Design:
    """The design with the new response among its columns, or without the columns that made the old one.

    An update of the formula computes the response from the columns: it must not find the old one.
    """
    name = model.formula.response.strip("`")
    if name in model.columns:
        return replace(model, columns={**model.columns, name: y})
    others = replace(model.formula, response="1").variables()
    old = set(expression_columns(model.formula.response)).difference(others)
    return replace(model, columns={key: column for key, column in model.columns.items() if key not in old})
