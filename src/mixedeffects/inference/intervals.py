"""Confidence intervals of the parameters: by profile likelihood, and Wald's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.inference.interval_estimates import Intervals, normal_quantile
from mixedeffects.inference.parameters import estimates, parameters, select
from mixedeffects.inference.profile import maximum_likelihood, profile_limits

if TYPE_CHECKING:
    from mixedeffects.fit import LmmFit


def confint_profile(fit: LmmFit, level: float = 0.95, params: str | Sequence[str] | None = None) -> Intervals:
    """Profile likelihood intervals of standard deviations, correlations, sigma and coefficients.

    Parameters
    ----------
    fit : LmmFit
        A fit; one by REML is refitted by maximum likelihood, and `message` says so.
    level : float
        Confidence level.
    params : str or sequence of str, optional
        Names of parameters, ``"theta_"`` for all but the coefficients, ``"beta_"`` for the coefficients; all by
        default.

    Returns
    -------
    Intervals
        Where the signed root zeta is within the normal quantiles, exact to about 1e-8 of the width. A limit is 0 (of a
        standard deviation), -1 or 1 (of a correlation) where zeta stays within them up to there. NaN for a correlation
        that involves a standard deviation estimated as 0, infinite where the profile levels off. The estimates are
        those by maximum likelihood.

    Raises
    ------
    DataError
        For a level outside (0, 1), an unknown parameter, a fit at a fixed theta, or coefficients of a generalized fit
        with nagq=0.
    ConvergenceError
        If a limit is not found, or the deviance has a minimum that is lower than the fit.

    See Also
    --------
    mixedeffects.inference.profile.profile : the whole curves.
    """
    quantile = normal_quantile(level)
    chosen = select(parameters(fit), params)
    ml, message = maximum_likelihood(fit)
    estimate, limits, unlimited = profile_limits(ml, chosen, quantile)
    return Intervals(
        names=tuple(p.name for p in chosen),
        estimate=estimate,
        lower=limits[:, 0],
        upper=limits[:, 1],
        level=float(level),
        method="profile",
        message="; ".join(filter(None, (message, unlimited))),
    )


def confint_wald(fit: LmmFit, level: float = 0.95, params: str | Sequence[str] | None = None) -> Intervals:
    """Wald intervals of the coefficients: estimate plus and minus the normal quantile times the standard error.

    Parameters
    ----------
    fit : LmmFit
        A fit, by REML or maximum likelihood; it is taken as it is.
    level : float
        Confidence level.
    params : str or sequence of str, optional
        As for `confint_profile`.

    Returns
    -------
    Intervals
        NaN for standard deviations, correlations and sigma, whose estimates are far from normal.

    Raises
    ------
    DataError
        For a level outside (0, 1), or an unknown parameter.
    """
    quantile = normal_quantile(level)
    chosen = select(parameters(fit), params)
    estimate = estimates(fit, chosen)
    errors = np.sqrt(np.diag(fit.solution.vcov))
    half = np.array([quantile * errors[p.row] if p.kind == "coefficient" else np.nan for p in chosen], dtype=np.float64)
    return Intervals(
        names=tuple(p.name for p in chosen),
        estimate=estimate,
        lower=estimate - half,
        upper=estimate + half,
        level=float(level),
        method="wald",
    )
