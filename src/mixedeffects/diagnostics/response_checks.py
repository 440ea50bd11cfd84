"""Checks of a fitted response distribution: its variance, and its number of zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mixedeffects.errors import DataError, MixedEffectsError
from mixedeffects.families import Binomial
from mixedeffects.fit.glmm_values import glmm_residuals, means
from mixedeffects.fit.kinds import drawn_at_theta
from mixedeffects.frame import to_frame
from mixedeffects.inference.distributions import chi2_upper
from mixedeffects.inference.monte_carlo import checked_draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit.glmm import GlmmFit

Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DispersionCheck:
    """Whether responses vary as much as their distribution says.

    Attributes
    ----------
    chi2 : float
        Sum of squared Pearson residuals at the conditional modes.
    df : int
        Rows less estimated parameters.
    ratio : float
        chi2 / df.
    p_value : float
        Upper tail of the chi-square with df degrees of freedom.
    relative : float
        chi2 over its mean in the simulations: above 1 for more variance than the model has.
    p_simulated : float
        Share of the simulations that are as far out, as `alternative` says.
    simulated : ndarray (n,)
        chi2 of the simulations.
    alternative : {"two-sided", "greater", "less"}
        Of `p_simulated`.
    kind : str
        The library of the data that were fitted.
    """

    chi2: float
    df: int
    ratio: float
    p_value: float
    relative: float
    p_simulated: float
    simulated: NDArray[np.float64]
    alternative: str
    kind: str

    def to_frame(self) -> Any:
        """Return one row: chi2, df, ratio, p_value, relative, p_simulated, n."""
        names = ("chi2", "df", "ratio", "p_value", "relative", "p_simulated")
        row = {name: [getattr(self, name)] for name in names}
        return to_frame({**row, "n": [len(self.simulated)]}, self.kind)

    def __repr__(self) -> str:
        return "\n".join(
            [
                "Dispersion of the Pearson residuals",
                f"  chi-square {self.chi2:.4g} on {self.df} df, ratio {self.ratio:.4g}, p = {self.p_value:.3g}",
                f"  {self.relative:.4g} times the mean of {len(self.simulated)} simulations, p = "
                f"{self.p_simulated:.3g} ({self.alternative})",
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZeroInflationCheck:
    """Whether there are as many zeros as the model has.

    Attributes
    ----------
    observed : float
        Responses of zero.
    expected : float
        Sum of the probabilities of zero at the conditional means.
    ratio : float
        observed / expected: above 1 for more zeros than the model has.
    relative : float
        The ratio over its mean in the simulations.
    p_simulated : float
        Share of the simulations that are as far out, as `alternative` says.
    simulated : ndarray (n,)
        Ratios of the simulations.
    alternative : {"two-sided", "greater", "less"}
        Of `p_simulated`.
    kind : str
        The library of the data that were fitted.
    """

    observed: float
    expected: float
    ratio: float
    relative: float
    p_simulated: float
    simulated: NDArray[np.float64]
    alternative: str
    kind: str

    def to_frame(self) -> Any:
        """Return one row: observed, expected, ratio, relative, p_simulated, n."""
        names = ("observed", "expected", "ratio", "relative", "p_simulated")
        row = {name: [getattr(self, name)] for name in names}
        return to_frame({**row, "n": [len(self.simulated)]}, self.kind)

    def __repr__(self) -> str:
        return "\n".join(
            [
                "Zeros of the response",
                f"  observed {self.observed:g}, expected {self.expected:.4g}, ratio {self.ratio:.4g}",
                f"  {self.relative:.4g} times the mean of {len(self.simulated)} simulations, p = "
                f"{self.p_simulated:.3g} ({self.alternative})",
            ]
        )


def check_dispersion(
    fit: GlmmFit, n: int = 250, *, rng: Any = None, alternative: Alternative = "two-sided"
) -> DispersionCheck:
    """Compare the variance of the responses with that of their distribution.

    Parameters
    ----------
    fit : GlmmFit
        Of counts: binomial with more than one trial in some row, Poisson, negative binomial.
    n : int
        Number of simulations.
    rng : None, int, Generator or SeedSequence
        Source of the draws.
    alternative : {"two-sided", "greater", "less"}
        Which simulations count as far out.

    Raises
    ------
    DataError
        For a family whose dispersion is a free scale, for zeros and ones, or for another `alternative` or n.

    Notes
    -----
    The Pearson chi-square over its degrees of freedom is the usual quick look [1]_; it tends to be below 1, as the
    conditional modes follow the responses. The simulations do not have that fault: each is a response drawn with new
    random effects, whose residuals are taken at its own coefficients and modes, with theta and dispersion held.
    p_simulated is a parametric bootstrap of chi2 in which theta is not estimated again. DHARMa's test compares the
    variance of raw residuals instead, without modes of its own for each simulation.

    References
    ----------
    .. [1] McCullagh & Nelder (1989), Generalized Linear Models, section 4.5; for mixed models Bolker et al. (2009),
       Trends in Ecology and Evolution 24(3), 127-135, doi:10.1016/j.tree.2008.10.008.
    """
    _check_counts(fit, "dispersion", alternative)

    def chi2(one: GlmmFit) -> float:
        return float((glmm_residuals(one, "pearson") ** 2).sum())

    own, simulated = chi2(fit), _simulated(fit, chi2, n, rng)
    return DispersionCheck(
        chi2=own,
        df=fit.df_resid,
        ratio=own / fit.df_resid,
        p_value=float(chi2_upper(own, fit.df_resid)),
        relative=own / float(simulated.mean()),
        p_simulated=_p_value(own, simulated, alternative),
        simulated=simulated,
        alternative=alternative,
        kind=fit.model.data_kind,
    )


def check_zero_inflation(
    fit: GlmmFit, n: int = 250, *, rng: Any = None, alternative: Alternative = "two-sided"
) -> ZeroInflationCheck:
    """Compare the number of zeros with that of the model.

    Parameters
    ----------
    fit : GlmmFit
        Of counts: binomial with more than one trial in some row, Poisson, negative binomial.
    n : int
        Number of simulations.
    rng : None, int, Generator or SeedSequence
        Source of the draws.
    alternative : {"two-sided", "greater", "less"}
        Which simulations count as far out.

    Raises
    ------
    DataError
        For a family that has no zeros, for zeros and ones, or for another `alternative` or n.
    MixedEffectsError
        If the model expects no zeros at all.

    Notes
    -----
    The expected number is the sum of P(Y_i = 0 | mu_i) at the conditional means, as ``check_zeroinflation`` of
    performance has it; its ratio is the inverse. The simulations are as in `check_dispersion`: the ratio of each is
    that at its own means.
    """
    _check_counts(fit, "zeros", alternative)
    repeats = np.ones(fit.nobs) if isinstance(fit.distribution, Binomial) else fit.model.row_weights

    def zeros(one: GlmmFit) -> tuple[float, float]:
        mu = means(one)
        p = one.distribution.cdf(np.zeros(one.nobs), mu, one.model.row_weights, one.log_dispersion).upper
        return float(repeats[one.model.y == 0.0].sum()), float(repeats @ p)

    def ratio(one: GlmmFit) -> float:
        observed, expected = zeros(one)
        return observed / expected if expected > 0.0 else 1.0

    observed, expected = zeros(fit)
    if not expected > 0.0:
        raise MixedEffectsError(
            "the fitted means are so large that the model expects no zeros: there is nothing to check"
        )
    own, simulated = observed / expected, _simulated(fit, ratio, n, rng)
    return ZeroInflationCheck(
        observed=observed,
        expected=expected,
        ratio=own,
        relative=own / float(simulated.mean()) if simulated.any() else float("nan"),
        p_simulated=_p_value(own, simulated, alternative),
        simulated=simulated,
        alternative=alternative,
        kind=fit.model.data_kind,
    )


def _check_counts(fit: GlmmFit, what: str, alternative: str) -> None:
    family = fit.distribution
    if alternative not in get_args(Alternative):
        known = ", ".join(map(repr, get_args(Alternative)))
        raise DataError(f"alternative={alternative!r} is not known; choose one of {known}")
    if not family.discrete:
        why = "its dispersion is estimated" if what == "dispersion" else "it has no zeros among its counts"
        raise DataError(f"there is no check of the {what} for {family!r}: {why}. The check is for counts")
    if isinstance(family, Binomial) and (fit.model.row_weights <= 1.0).all():
        raise DataError(
            f"there is no check of the {what} for responses of one trial: their mean says all of their distribution. "
            "Look at quantile residuals, fit.plot.qq()"
        )


def _simulated(fit: GlmmFit, statistic: Any, n: int, rng: Any) -> NDArray[np.float64]:
    return np.array([statistic(one) for one in drawn_at_theta(fit, checked_draws(n), rng)])


def _p_value(own: float, simulated: NDArray[np.float64], alternative: str) -> float:
    """(1 + draws as far out) / (1 + draws), ties counted; twice the smaller tail for two sides."""
    above = (1 + np.count_nonzero(simulated >= own)) / (1 + len(simulated))
    below = (1 + np.count_nonzero(simulated <= own)) / (1 + len(simulated))
    both = {"greater": above, "less": below, "two-sided": min(1.0, 2.0 * min(above, below))}
    return float(both[alternative])
