"""The measures of a generalized fit: one call each to the layers below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.inference import latent_variance
from mixedeffects.tables.frames import framed

if TYPE_CHECKING:
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
        method, mean
            As for `icc`.

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
        method, mean
            As for `icc`.

        Returns
        -------
        data frame
            component, variance, share.
        """
        return framed(latent_variance.variance_partition(self, method, mean))
