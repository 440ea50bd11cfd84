"""Data for which a dispersion has no estimate within its range: counts that vary no more than Poisson, exact fits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.families import Poisson
from mixedeffects.optimize.laplace import has_parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixedeffects.criterion.agq import AgqCriterion
    from mixedeffects.criterion.laplace import LaplaceCriterion
    from mixedeffects.families import Family
    from mixedeffects.optimize import Optimum
    from mixedeffects.optimize.laplace import LaplaceMinimum

_LITTLE = 1e-2  # of the variance beyond mu, in units of mu, where the Poisson model is worth a look
_AS_WELL = 1e-6  # what its criterion may be above that of the fit
_EXACT = 1e-12  # relative variance of a response that is fitted exactly
_TOLERANCE = 1e-9  # on the decrement in the other parameters

_LIMITS = {"negative_binomial": "infinity", "negative_binomial1": "0"}


def at_dispersion_limit(
    criterion: LaplaceCriterion | AgqCriterion,
    minimum: LaplaceMinimum,
    with_family: Callable[[Family[Any]], LaplaceCriterion | AgqCriterion],
) -> Optimum:
    """The certificate of a fit, with what is to be said of a dispersion that ran to the end of its range.

    Parameters
    ----------
    criterion : LaplaceCriterion or AgqCriterion
        That of the fit.
    minimum : LaplaceMinimum
        Where its search ended.
    with_family : callable
        Gives the same criterion for another family.

    Notes
    -----
    A negative binomial tends to the Poisson distribution with the same means. It is at the limit if its variance is
    next to that of a Poisson variable and the Poisson criterion, at the same theta and beta, is not higher. Such a fit
    is judged as a minimum in the other parameters, since those are the Poisson model's.
    """
    family, t = criterion.family, criterion.split(minimum.x)[2]
    optimum = minimum.optimum
    if family.name in ("beta", "gamma"):
        relative = np.exp(-t if family.name == "beta" else t)
        return optimum if optimum.converged or relative > _EXACT else _exact(optimum)
    if family.name not in _LIMITS:
        return optimum
    mu = family.link.inverse(minimum.point.raw["eta"])
    if float((family.variance(mu, t) / mu - 1.0).mean()) > _LITTLE:
        return optimum
    limit = with_family(Poisson(family.link))(minimum.x[:-1], minimum.point)
    if not limit.value <= minimum.point.value + _AS_WELL:
        return optimum
    words = (
        f"the dispersion has no estimate within its range: as it tends to {_LIMITS[family.name]} the model becomes the "
        "Poisson model, which fits as well. The other estimates are those of family='poisson'"
    )
    converged = optimum.converged or _minimum_in_the_others(criterion, minimum)
    message = words if converged else f"{words}; {optimum.message}"
    return replace(optimum, converged=converged, message=message, no_estimate=words)


def _exact(optimum: Optimum) -> Optimum:
    words = (
        "the dispersion has no estimate within its range: the model fits the response exactly. There is no random "
        "error left to estimate; look for the response among the predictors"
    )
    return replace(optimum, converged=False, message=words, no_estimate=words)


def _minimum_in_the_others(criterion: LaplaceCriterion | AgqCriterion, minimum: LaplaceMinimum) -> bool:
    """Whether the point is a minimum in all parameters but the dispersion."""
    free = has_parameter(criterion, minimum.x)
    free[-1] = False
    gradient, hessian = minimum.point.gradient[free], minimum.hessian[np.ix_(free, free)]
    if any(b.derivative < 0.0 for b in minimum.optimum.boundary):
        return False
    if not len(gradient):
        return True
    scale = np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-300))
    if np.linalg.eigvalsh(hessian / np.outer(scale, scale))[0] <= _TOLERANCE:
        return False
    return bool(0.5 * gradient @ np.linalg.solve(hessian, gradient) <= _TOLERANCE)
