"""The measures of a generalized fit: one call each to the layers below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.diagnostics.glmm_influence import glmm_influence
from mixedeffects.diagnostics.influence import conditional_cooks
from mixedeffects.diagnostics.response_checks import check_dispersion, check_zero_inflation
from mixedeffects.fit.functionals import leverage
from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.inference import latent_variance
from mixedeffects.results.diagnostics import InfluenceView
from mixedeffects.tables.frames import framed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mixedeffects.diagnostics.glmm_influence import GlmmMethod
    from mixedeffects.diagnostics.response_checks import Alternative, DispersionCheck, ZeroInflationCheck
    from mixedeffects.inference.latent_variance import Mean, Method
    from mixedeffects.inference.variance import IntraclassCorrelation


class GlmmDiagnostics(GlmmFit):
    """What a generalized fit offers for measures of variance, and for looking at single rows and groups."""

    __slots__ = ()

    def icc(self, method: Method | None = None, mean: Mean = "null") -> IntraclassCorrelation:
        """Intraclass correlations on the scale of the link: per group, adjusted and unadjusted.

        Parameters
        ----------
        method : {"theoretical", "lognormal", "delta", "trigamma"}, optional
            The variance that the response distribution stands for: that of the latent error (binomial with logit,
            pi^2/3; probit, 1; cloglog, pi^2/6; the default there); ln(1 + V(mu)/mu^2) (log links, the default there);
            V(mu) g'(mu)^2 (any link); psi'(mu^2/V(mu)) (log links of Poisson, negative binomial and gamma).
        mean : {"null", "median", "response"}
            The mean mu: expected under the model without predictors, which is fitted for it; that model's mean at
            random effects of 0; or the mean of the response. Without effect for ``"theoretical"``.

        Returns
        -------
        IntraclassCorrelation
            adjusted, unadjusted, by_group. A random intercept with one level per row is overdispersion: it belongs to
            the residual variance.

        Raises
        ------
        DataError
            For a method that does not go with family and link.
        MixedEffectsError
            Under cauchit, whose latent error has no variance, unless a method is named.

        References
        ----------
        .. [1] Nakagawa, Johnson & Schielzeth (2017), Journal of the Royal Society Interface 14, 20170213,
           doi:10.1098/rsif.2017.0213.
        """
        return latent_variance.latent_variance(self, method, mean).components.icc()

    def r2(self, method: Method | None = None, mean: Mean = "null") -> dict[str, float]:
        """Nakagawa's marginal and conditional R squared on the scale of the link.

        Parameters
        ----------
        method : {"theoretical", "lognormal", "delta", "trigamma"}, optional
            The variance that the response distribution stands for, as for `icc`.
        mean : {"null", "median", "response"}
            The mean at which it is taken, as for `icc`.

        Returns
        -------
        dict
            ``marginal``: fixed / total; ``conditional``: (fixed + random) / total, with total = fixed + random +
            distribution.

        Raises
        ------
        DataError, MixedEffectsError
            As for `icc`.
        """
        return latent_variance.latent_variance(self, method, mean).components.r2()

    def variance_partition(self, method: Method | None = None, mean: Mean = "null") -> Any:
        """Divide the variance on the scale of the link among fixed effects, random terms and distribution.

        Parameters
        ----------
        method : {"theoretical", "lognormal", "delta", "trigamma"}, optional
            The variance that the response distribution stands for, as for `icc`.
        mean : {"null", "median", "response"}
            The mean at which it is taken, as for `icc`.

        Returns
        -------
        data frame
            component, variance, share.
        """
        return framed(latent_variance.variance_partition(self, method, mean))

    def leverage(self) -> NDArray[np.float64]:
        """Hat values of the linear mixed model that stands for this one at its conditional modes.

        Returns
        -------
        ndarray (nobs,)
            Between 0 and 1, without units. Their sum is the effective number of parameters.

        Notes
        -----
        h_i = W_i var(x_i'beta_hat + z_i'(b_hat - b)) at the estimated covariances and dispersion, W_i the working
        weight at the modes: with a canonical link the derivative of the fitted mean in the response. Without random
        effects they are R's ``hatvalues`` of a generalized linear model with a canonical link. lme4's
        ``hatvalues`` of a `glmer` fit mix two kinds of weights, exceed 1 and warn that they may not make sense.
        """
        return leverage(self)

    def cooks_distance(self) -> NDArray[np.float64]:
        """Cook's distance of each row from its Pearson residual and leverage.

        Returns
        -------
        ndarray (nobs,)
            r^2 h / ((1 - h)^2 p) with r the scaled Pearson residual and h the leverage. NaN where h is 1. `influence`
            tells how far the fixed effects move.
        """
        return conditional_cooks(self)

    def influence(self, by: Any = None, method: GlmmMethod | None = None) -> InfluenceView:
        """Influence of groups or of single rows on the fixed effects.

        Parameters
        ----------
        by : str or array-like (nobs,), optional
            A grouping factor or another column of the formula, or labels of the rows used; by default single rows.
        method : {"refit", "one-step"}, optional
            Fit the model without each set, started at the estimated theta (the default for groups); or take one step at
            the conditional modes, with covariances, dispersion and working weights held (the default for rows).

        Returns
        -------
        InfluenceView
            cooks_distance, dfbetas, mdffits, covratio by deleted level or row; `to_frame()` has all.

        Raises
        ------
        DataError
            For a `by` that the fit does not know, or another method.
        MixedEffectsError
            If the model has no fixed effects.

        Notes
        -----
        Formulas are not read again. NaN where the rows left have one level of a factor, or cannot estimate a
        coefficient. With ``"refit"`` the covariances are those of the joint Hessian, with ``"one-step"`` those given
        the variance estimates.
        """
        return InfluenceView(glmm_influence(self, by, method), self.model.data_kind)

    def check_dispersion(
        self, n: int = 250, *, rng: Any = None, alternative: Alternative = "two-sided"
    ) -> DispersionCheck:
        """Compare the variance of counts with that of their distribution: over- or underdispersion.

        Parameters
        ----------
        n : int
            Number of simulations.
        rng : None, int, Generator or SeedSequence
            Source of the draws.
        alternative : {"two-sided", "greater", "less"}
            Which simulations count as far out.

        Returns
        -------
        DispersionCheck
            chi2, df, ratio and p_value of the Pearson residuals; relative and p_simulated by simulation;
            ``to_frame()``.

        Raises
        ------
        DataError
            For a family whose dispersion is a free scale, or for zeros and ones.

        Notes
        -----
        Simulations have new random effects, and residuals at their own coefficients and modes with theta held.
        """
        return check_dispersion(self, n, rng=rng, alternative=alternative)

    def check_zero_inflation(
        self, n: int = 250, *, rng: Any = None, alternative: Alternative = "two-sided"
    ) -> ZeroInflationCheck:
        """Compare the number of zeros with that of the model.

        Parameters
        ----------
        n : int
            Number of simulations.
        rng : None, int, Generator or SeedSequence
            Source of the draws.
        alternative : {"two-sided", "greater", "less"}
            Which simulations count as far out.

        Returns
        -------
        ZeroInflationCheck
            observed, expected (the sum of the probabilities of zero at the conditional means), ratio, relative and
            p_simulated; ``to_frame()``.

        Raises
        ------
        DataError
            For a family that has no zeros, or for zeros and ones.
        MixedEffectsError
            If the model expects no zeros at all.
        """
        return check_zero_inflation(self, n, rng=rng, alternative=alternative)
