"""Direct estimators of area means: each from the area's own sample."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import mixedeffects as me
from mixedeffects.errors import DataError, DroppedRowsWarning

from .frames import column, label, listed, read, to_frame
from .known import sizes, sizes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DirectEstimates:
    """Means of the areas and their sampling variances, (m,) each."""

    n: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


def direct(y: str, data: Any, *, area: str, weights: str | Any | None = None, population_sizes: Any = None) -> Any:
    """Estimate the mean of each area from its own sample alone.

    Parameters
    ----------
    y : str
        The response: a column, or an expression such as ``"log(income)"``.
    data : data frame or dict of columns
        One row for each unit of the sample: pandas, polars, pyarrow or a dict; never changed.
    area : str
        The column of the areas.
    weights : str or array-like (n,), optional
        Sampling weights, reciprocals of the inclusion probabilities; a column or an array.
    population_sizes : mapping or data frame, optional
        Numbers of units of the areas' populations: area -> size, or a frame with the column `area` and one other.

    Returns
    -------
    data frame
        area (as text), n, mean, variance, sd (its root), cv (in percent of the mean's absolute value); in the library
        of the data, by area. The variance of an area with one unit is NaN, except with weights and sizes
        or where it is the whole population.

    Raises
    ------
    DataError
        If a column is missing or not numeric, a size is missing, not positive or smaller than the sample, or a weight
        is below 1 where sizes are given.

    Warns
    -----
    DroppedRowsWarning
        If rows have missing values or a weight of zero, and which areas have no other rows.

    Notes
    -----
    Without weights: the sample mean, variance (1 - n / N) s^2 / n, where n / N is 0 without sizes. With weights w and
    sizes N: the Horvitz-Thompson mean sum(w y) / N, with variance sum(w (w - 1) y^2) / N^2, which takes the units as
    drawn independently [1]_. With weights alone: the ratio mean sum(w y) / sum(w), with the linearized variance
    n / (n - 1) sum(w^2 (y - mean)^2) / sum(w)^2 of sampling with replacement [2]_.

    References
    ----------
    .. [1] Saerndal, Swensson & Wretman (1992), Model Assisted Survey Sampling, section 2.8.
    .. [2] The same, section 5.7 and result 2.9.1.

    Examples
    --------
    >>> import mixedeffects as me
    >>> table = me.sae.direct("Reaction", me.datasets.load("sleepstudy"), area="Subject")
    >>> round(float(table["mean"][0]), 2)
    342.13
    """
    arrays = me.design(f"{y} ~ 0 + (1 | {quoted(area)})", data, weights=weights, allow_constant=True)
    factor = arrays.terms[0].factor
    areas = [str(name) for name in factor.labels]
    lost = _lost_areas(data, area, arrays)
    if lost:
        text = f"no row of {listed(lost)} has {y} and all else that is needed: not in the table"
        warnings.warn(text, DroppedRowsWarning, stacklevel=2)
    found = estimates(arrays.y, factor.codes, len(areas), arrays.weights, None)
    known = sizes(population_sizes, area, None)
    if known is not None:
        _check_weights(arrays)
        N = sizes_of(areas, found.n, known)
        found = estimates(arrays.y, factor.codes, len(areas), arrays.weights, N)
    return to_frame(
        {
            "area": areas,
            "n": found.n.astype(np.int64),
            "mean": found.mean,
            "variance": found.variance,
            "sd": np.sqrt(found.variance),
            "cv": percent_cv(found.mean, found.variance),
        },
        arrays.data_kind,
    )


def _lost_areas(data: Any, area: str, arrays: me.Design) -> list[str]:
    """Areas none of whose rows could be used."""
    if arrays.nobs == arrays.n_rows_given:
        return []
    series = column(read(data, "data"), area, "data")
    names = [label(value) for value in series.to_list()]
    used = {names[row] for row in arrays.rows.tolist()}
    missing = series.is_null().to_list()
    return list(
        dict.fromkeys(n for n, null in zip(names, missing, strict=True) if n not in used | {"nan"} and not null)
    )


def _check_weights(arrays: me.Design) -> None:
    """Refuse weights that are no reciprocals of probabilities; the Horvitz-Thompson variance would be negative."""
    if arrays.weights is None:
        return
    small = np.flatnonzero(arrays.weights < 1.0)
    if len(small):
        raise DataError(
            f"{len(small)} weights are below 1, the first {arrays.weights[small[0]]:g} in row {arrays.rows[small[0]]}; "
            "with population_sizes a weight is the reciprocal of an inclusion probability and at least 1. Give such "
            "weights, or leave population_sizes out: the ratio mean needs the weights only up to a factor"
        )


def estimates(
    y: NDArray[np.float64],
    codes: NDArray[np.int32],
    m: int,
    weights: NDArray[np.float64] | None,
    sizes: NDArray[np.float64] | None,
) -> DirectEstimates:
    """Compute means and variances of m areas.

    Parameters
    ----------
    y, weights : ndarray (n,)
        Response and sampling weights.
    codes : ndarray of int (n,)
        Positions of the areas.
    m : int
        Number of areas.
    sizes : ndarray (m,) or None
        Sizes of the populations.
    """

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(codes, values, minlength=m).astype(np.float64, copy=False)

    n = np.bincount(codes, minlength=m).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        if weights is not None and sizes is not None:
            variance = total(weights * (weights - 1.0) * y**2) / sizes**2
            return DirectEstimates(n=n, mean=total(weights * y) / sizes, variance=variance)
        w = np.ones(len(y)) if weights is None else weights
        mean = total(w * y) / total(w)
        squares = total((w * (y - mean[codes])) ** 2) / total(w) ** 2
        variance = np.where(n > 1, n / (n - 1.0) * squares, np.nan)
    if sizes is not None:
        variance = np.where(n == sizes, 0.0, (1.0 - n / sizes) * variance)
    return DirectEstimates(n=n, mean=mean, variance=variance)


def percent_cv(estimate: NDArray[np.float64], mse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root of the mean squared error in percent of the estimate's absolute value, (m,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return 100.0 * np.sqrt(mse) / np.abs(estimate)


def quoted(name: str) -> str:
    """A column's name as a formula has it."""
    if not isinstance(name, str) or not name or "`" in name:
        raise DataError(f"area={name!r}: give the name of the column that holds the areas")
    return f"`{name}`"
