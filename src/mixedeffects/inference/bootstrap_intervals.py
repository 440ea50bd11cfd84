"""Intervals from bootstrap replicates: percentile, basic, normal, and bias-corrected accelerated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.control import Control
from mixedeffects.design.rank import estimable
from mixedeffects.errors import DataError
from mixedeffects.fit.kinds import fit_as
from mixedeffects.inference.distributions import normal_cdf, normal_ppf
from mixedeffects.inference.interval_estimates import normal_quantile
from mixedeffects.inference.parameters import estimates, parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.fit import LmmFit
    from mixedeffects.inference.bootstrap import Bootstrap

_KINDS = ("percentile", "basic", "normal", "bca")
_MOST_DELETIONS = 2000


def limits(
    replicates: Bootstrap, chosen: Sequence[int], level: float, kind: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper limits of some of the parameters.

    Parameters
    ----------
    replicates : Bootstrap
        The replicates.
    chosen : sequence of int
        Columns.
    level : float
        Confidence level.
    kind : {"percentile", "basic", "normal", "bca"}
        Kind of interval.

    Raises
    ------
    DataError
        For another kind, or fewer than two replicates.
    """
    if kind not in _KINDS:
        raise DataError(f"kind={kind!r} is no kind of bootstrap interval; choose one of {', '.join(map(repr, _KINDS))}")
    if len(replicates.values) < 2:
        raise DataError(f"{len(replicates.values)} replicates are too few for an interval")
    z = normal_quantile(level)
    tail = 0.5 * (1.0 - level)
    values, estimate = replicates.values[:, list(chosen)], replicates.estimate[list(chosen)]
    if kind == "normal":
        bias, sd = np.nanmean(values, axis=0) - estimate, np.nanstd(values, axis=0, ddof=1)
        return estimate - bias - z * sd, estimate - bias + z * sd
    if kind == "bca":
        return _bca(replicates, list(chosen), z)
    low, high = _quantiles(values, np.full(len(chosen), tail)), _quantiles(values, np.full(len(chosen), 1.0 - tail))
    return (2.0 * estimate - high, 2.0 * estimate - low) if kind == "basic" else (low, high)


def _quantiles(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """A quantile for each column, missing values left out."""
    out = np.full(values.shape[1], np.nan)
    for j, column in enumerate(values.T):
        present = column[np.isfinite(column)]
        if len(present) and np.isfinite(at[j]):
            out[j] = np.quantile(present, at[j], method="weibull")
    return out


def _bca(replicates: Bootstrap, chosen: list[int], z: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Efron's (1987) intervals; the acceleration from deleting the levels of the coarsest factor one at a time."""
    values, estimate = replicates.values[:, chosen], replicates.estimate[chosen]
    below = (values < estimate).mean(axis=0) + 0.5 * (values == estimate).mean(axis=0)
    z0 = normal_ppf(np.clip(below, 0.5 / len(values), 1.0 - 0.5 / len(values)))
    a = _acceleration(replicates.fit, replicates.names)[chosen]

    def level_of(quantile: float) -> NDArray[np.float64]:
        shifted = z0 + quantile
        return normal_cdf(z0 + shifted / (1.0 - a * shifted))

    return _quantiles(values, level_of(-z)), _quantiles(values, level_of(z))


def _acceleration(fit: LmmFit, names: tuple[str, ...]) -> NDArray[np.float64]:
    every = parameters(fit)
    if names != tuple(p.name for p in every):
        raise DataError(
            'kind="bca" needs the acceleration, which is known for the parameters only, not for a statistic'
        )
    factor = min(fit.model.factors.values(), key=lambda f: f.n_levels)
    if factor.n_levels > _MOST_DELETIONS:
        raise DataError(
            f'kind="bca" deletes each level of {factor.name!r} in turn, {factor.n_levels} in all, more than '
            f'{_MOST_DELETIONS}; use kind="percentile"'
        )
    deleted = []
    for level in range(factor.n_levels):
        smaller = _without(fit.model, factor.codes != level)
        if not estimable(smaller.X).all():
            raise DataError(
                f'kind="bca" deletes each level of {factor.name!r} in turn; without {str(factor.labels[level])!r} not '
                'all coefficients can be estimated; use kind="percentile"'
            )
        again = fit_as(fit, smaller, reml=fit.reml, control=Control(tolerance=fit.control.tolerance))
        deleted.append(estimates(again, every))
    gaps = np.array(deleted)
    gaps = np.nanmean(gaps, axis=0) - gaps
    with np.errstate(invalid="ignore", divide="ignore"):
        a = np.nansum(gaps**3, axis=0) / (6.0 * np.nansum(gaps**2, axis=0) ** 1.5)
    return np.asarray(np.nan_to_num(a), dtype=np.float64)


def _without(design: Design, keep: NDArray[np.bool_]) -> Design:
    """The design over some of its rows; levels that no longer occur are left out."""
    factors = {id(term.factor): term.factor.take(keep) for term in design.terms}
    terms = tuple(
        replace(term, factor=factors[id(term.factor)], columns=tuple(column[keep] for column in term.columns))
        for term in design.terms
    )
    return replace(
        design,
        y=design.y[keep],
        X=np.asfortranarray(design.X[keep]),
        weights=None if design.weights is None else design.weights[keep],
        offset=None if design.offset is None else design.offset[keep],
        terms=terms,
    )
