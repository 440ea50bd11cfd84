"""The inference methods of a generalized fit: one call each to the inference layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.errors import DataError
from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.inference import anova as _anova
from mixedeffects.inference import deletions, intervals
from mixedeffects.inference import profile as _profile
from mixedeffects.results.resampling import BootstrapMethods, refuse_options
from mixedeffects.results.views import MarginalMeansView, ProfileView
from mixedeffects.tables.frames import framed, interval_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixedeffects.inference.dispatch import FTest, TTest
    from mixedeffects.tables.frames import IntervalFrame


class GlmmInference(BootstrapMethods, GlmmFit):
    """What a generalized fit offers for tests and intervals."""

    __slots__ = ()

    def coef_table(self, ddf: str = "normal") -> Any:
        """Fixed effects with z tests: term, estimate, std_error, df (infinite), statistic, p_value.

        Parameters
        ----------
        ddf : {"normal"}
            Tests are asymptotic: there are no other degrees of freedom than infinite ones.

        Raises
        ------
        DataError
            For another `ddf`.
        """
        _require_normal(ddf)
        return framed(_anova.coef_table(self, "normal"))

    def test(self, L: Any, rhs: Any = 0.0, ddf: str = "normal") -> TTest | FTest:
        """Wald tests of linear hypotheses about the fixed effects.

        Parameters
        ----------
        L : array-like, str, or sequence of str
            Coefficients over all fixed effects, one row per hypothesis, or text such as ``"x = 0"``.
        rhs : float or array-like
            Values under the hypotheses, for arrays.
        ddf : {"normal"}
            Tests are asymptotic: there are no other degrees of freedom than infinite ones.

        Returns
        -------
        TTest with infinite df for one hypothesis, FTest with infinite df_den for several
        """
        _require_normal(ddf)
        return _anova.linear_test(self, L, rhs, "normal")

    def anova(self, type: int = 3, ddf: str = "normal") -> Any:
        """Wald tests of the fixed terms, one row each.

        Parameters
        ----------
        type : {1, 2, 3}
            Sequential, marginal (obeying marginality), or of estimable functions that do not depend on the coding.
        ddf : {"normal"}
            Tests are asymptotic: there are no other degrees of freedom than infinite ones.

        Returns
        -------
        data frame
            term, statistic (chi-square), df, p_value.
        """
        _require_normal(ddf)
        return framed(_anova.anova_chi2(self, type))

    def drop1(self, test: str = "lrt") -> Any:
        """Likelihood ratio tests of the fixed terms that no other one contains, each by a fit without it.

        Parameters
        ----------
        test : {"lrt"}
            There is no other test of deletions; Wald tests of the terms are those of `anova`.

        Returns
        -------
        data frame
            term, npar, loglik, aic, lrt, df, p_value; first the whole model.

        Raises
        ------
        DataError
            For another `test`.
        """
        if test != "lrt":
            raise DataError(f"test={test!r} is not available for a generalized fit; choose 'lrt' (or see anova)")
        return framed(deletions.drop1_lrt(self))

    def ranova(self) -> Any:
        """Likelihood ratio tests of the random terms: npar, loglik, aic, lrt, df, p_chisq (naive), p_mixture.

        The naive p-value takes no account of the boundary; the mixture halves the weight of the larger chi-square.
        """
        return framed(deletions.ranova(self))

    def emmeans(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        scale: str = "link",
        level: float = 0.95,
        ddf: str = "normal",
    ) -> MarginalMeansView:
        """Estimate marginal means over a grid of the predictors, averaged over those not named.

        Parameters
        ----------
        specs : str or sequence of str
            Predictors whose means are wanted.
        by : str or sequence of str, optional
            Predictors within whose combinations the means are compared.
        at : mapping, optional
            Values of predictors, in place of all levels of a factor and of the mean of a covariate.
        scale : {"link", "response"}
            Linear predictors, or means: their averages through the inverse link, with ratios (log link) or odds ratios
            (logit) as contrasts. They are those of a group whose random effects are 0.
        level : float
            Confidence level.
        ddf : {"normal"}
            Tests are asymptotic: there are no other degrees of freedom than infinite ones.

        Returns
        -------
        MarginalMeansView
            ``to_frame()``, and ``contrasts("pairwise", adjust="tukey")``.
        """
        from mixedeffects.inference.emmeans import emmeans
        from mixedeffects.inference.response_scale import scale_of_family

        _require_normal(ddf)
        if scale not in ("link", "response"):
            raise DataError(f"scale={scale!r} is not known; choose 'link' or 'response'")
        to = scale_of_family(self.distribution) if scale == "response" else None
        return MarginalMeansView(emmeans(self, specs, by=by, at=at, ddf="normal", level=level, scale=to))

    def confint(
        self, method: str = "profile", level: float = 0.95, params: str | Sequence[str] | None = None, **options: Any
    ) -> IntervalFrame:
        """Confidence intervals.

        Parameters
        ----------
        method : {"profile", "wald", "bootstrap"}
            Profile likelihood, normal approximation (coefficients only), or parametric bootstrap. Coefficients of a fit
            with ``nagq=0`` have no profile.
        level : float
            Confidence level.
        params : str or sequence of str, optional
            Names; ``"theta_"`` for the variance parameters, ``"beta_"`` for the coefficients. By default all, with
            Wald the coefficients.
        **options
            For the bootstrap: ``n=``, ``rng=`` and so on as `bootstrap` takes them, and ``kind=`` for the kind of
            interval (percentile, basic, normal, bca).

        Returns
        -------
        DataFrame
            Index parameter, columns lower and upper.

        Raises
        ------
        DataError
            For an option that is not known, or profiles that there are not.
        ConvergenceError
            If a limit is not found, or the deviance has a minimum that is lower than the fit.
        """
        if method == "bootstrap":
            return self._bootstrap_limits(level, params, options)
        refuse_options(method, options)
        if method == "profile":
            found = intervals.confint_profile(self, level, params)
        elif method == "wald":
            found = intervals.confint_wald(self, level, "beta_" if params is None else params)
        else:
            raise DataError(f"method={method!r} is not known; choose 'profile', 'wald' or 'bootstrap'")
        return interval_frame(found.names, found.lower, found.upper, found.heads, [found.message])

    def profile(self, params: str | Sequence[str] | None = None) -> ProfileView:
        """Profile the deviance in each parameter: standard deviations, correlations, dispersion, coefficients.

        Parameters
        ----------
        params : str or sequence of str, optional
            As in `confint`; all by default.

        Returns
        -------
        ProfileView
            ``to_frame()`` (param, value, zeta), ``confint(level)``, ``plot()``.

        Raises
        ------
        DataError
            For an unknown parameter, or coefficients of a fit with nagq=0.
        ConvergenceError
            If a minimum is not found, or one that is lower than the fit.
        """
        return ProfileView(_profile.profile(self, params))


def _require_normal(ddf: str) -> None:
    if ddf != "normal":
        raise DataError(
            f"ddf={ddf!r} is not available for a generalized fit, whose tests are asymptotic; choose 'normal' or leave "
            "ddf out"
        )
