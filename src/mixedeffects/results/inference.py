"""The inference methods of a fit: one call each to the inference layer, with the tables made readable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mixedeffects.errors import DataError
from mixedeffects.inference import anova as _anova
from mixedeffects.inference import deletions, intervals, kenward_roger, variance
from mixedeffects.inference import profile as _profile
from mixedeffects.results.resampling import BootstrapMethods, refuse_options
from mixedeffects.results.views import MarginalMeansView, ProfileView, RobustView
from mixedeffects.tables.frames import framed, interval_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixedeffects.inference.dispatch import FTest, TTest
    from mixedeffects.inference.interval_estimates import Intervals
    from mixedeffects.tables.frames import IntervalFrame


class InferenceMethods(BootstrapMethods):
    """What a fit offers for tests and intervals."""

    __slots__ = ()

    def coef_table(self, ddf: str = "satterthwaite") -> Any:
        """Fixed effects with t tests.

        Parameters
        ----------
        ddf : {"satterthwaite", "kenward-roger", "residual", "normal"}
            Method for the degrees of freedom; residual is n - p.

        Returns
        -------
        data frame
            term, estimate, std_error, df, statistic, p_value; NaN for aliased coefficients.
        """
        return framed(_anova.coef_table(self, ddf))

    def test(self, L: Any, rhs: Any = 0.0, ddf: str = "satterthwaite") -> TTest | FTest:
        """Test linear hypotheses about the fixed effects.

        Parameters
        ----------
        L : array-like, str, or sequence of str
            Coefficients over all fixed effects, one row per hypothesis, or text such as ``"Days = 10"``.
        rhs : float or array-like
            Values under the hypotheses, for arrays.
        ddf : str
            As in `coef_table`.

        Returns
        -------
        TTest for one hypothesis, FTest for several

        Examples
        --------
        >>> import mixedeffects as me
        >>> fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
        >>> found = fit.test("Days = 10")
        >>> round(found.statistic, 3), round(found.df, 3), round(found.p_value, 3)
        (0.302, 17.0, 0.766)
        """
        return _anova.linear_test(self, L, rhs, ddf)

    def anova(self, type: int = 3, ddf: str = "satterthwaite") -> Any:
        """F tests of the fixed terms, one row each.

        Parameters
        ----------
        type : {1, 2, 3}
            Sequential, marginal (obeying marginality), or of estimable functions that do not depend on the coding.
        ddf : str
            As in `coef_table`.

        Returns
        -------
        data frame
            term, sum_sq, mean_sq, df_num, df_den, statistic, p_value.

        Examples
        --------
        >>> import mixedeffects as me
        >>> fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
        >>> table = fit.anova()
        >>> table["term"].tolist(), round(float(table["statistic"][0]), 2)
        (['Days'], 45.85)
        """
        return framed(_anova.anova_table(self, type, ddf))

    def drop1(self, test: str = "satterthwaite") -> Any:
        """Single-term deletions of the fixed part, obeying marginality.

        Parameters
        ----------
        test : {"satterthwaite", "kenward-roger", "residual", "normal", "lrt"}
            F tests by a method for the degrees of freedom, or likelihood ratio tests by maximum likelihood.
        """
        return framed(deletions.drop1_lrt(self) if test == "lrt" else _anova.drop1_f(self, test))

    def ranova(self) -> Any:
        """Likelihood ratio tests of the random terms: npar, loglik, aic, lrt, df, p_chisq (naive), p_mixture.

        The naive p-value takes no account of the boundary; the mixture halves the weight of the larger chi-square.
        """
        return framed(deletions.ranova(self))

    def confint(
        self,
        method: str = "profile",
        level: float = 0.95,
        params: str | Sequence[str] | None = None,
        **options: Any,
    ) -> IntervalFrame:
        """Confidence intervals.

        Parameters
        ----------
        method : {"profile", "wald", "bootstrap"}
            Profile likelihood, normal approximation (coefficients only), or parametric bootstrap.
        level : float
            Confidence level.
        params : str or sequence of str, optional
            Names; ``"theta_"`` for the variance parameters, ``"beta_"`` for the coefficients.
        **options
            For the bootstrap: ``n=``, ``rng=`` and so on as `bootstrap` takes them, and ``kind=`` for the kind of
            interval (percentile, basic, normal, bca).

        Returns
        -------
        DataFrame
            Index parameter, columns lower and upper.

        Examples
        --------
        >>> import mixedeffects as me
        >>> fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
        >>> fit.confint().round(2).loc["sd_Intercept|Subject"].tolist()
        [14.38, 37.72]
        """
        if method == "bootstrap":
            return self._bootstrap_limits(level, params, options)
        refuse_options(method, options)
        if method == "profile":
            return _limits(intervals.confint_profile(self, level, params))
        if method == "wald":
            return _limits(intervals.confint_wald(self, level, params))
        raise DataError(f"method={method!r} is not known; choose 'profile', 'wald' or 'bootstrap'")

    def profile(self, params: str | Sequence[str] | None = None) -> ProfileView:
        """Profile the deviance in each parameter; a fit by REML is refitted by maximum likelihood first."""
        return ProfileView(_profile.profile(self, params))

    def emmeans(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        ddf: str = "satterthwaite",
        level: float = 0.95,
        *,
        scale: str = "model",
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
        ddf : str
            As in `coef_table`.
        level : float
            Confidence level.
        scale : {"model", "response"}
            Of a response such as ``log(y)``: means of it, or what they are of y. That are the medians of y, and
            contrasts of a logarithm are their ratios. For log, log2, log10, log1p and sqrt around the whole response;
            limits and standard errors (by the delta method) as R's emmeans has them with ``type = "response"``.

        Returns
        -------
        MarginalMeansView
            ``to_frame()``, and ``contrasts("pairwise", adjust="tukey")``.

        Raises
        ------
        DataError
            For a name that is no predictor, or ``scale="response"`` of a response that is not transformed like that.

        Examples
        --------
        >>> import mixedeffects as me
        >>> fit = me.lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", me.datasets.load("cake"))
        >>> fit.emmeans("recipe").to_frame()["estimate"].round(2).tolist()
        [33.12, 31.64, 31.6]
        """
        from mixedeffects.inference.emmeans import emmeans
        from mixedeffects.inference.response_scale import scale_of_response

        if scale not in ("model", "response"):
            raise DataError(f"scale={scale!r} is not known; choose 'model' or 'response'")
        to = scale_of_response(self.model) if scale == "response" else None
        return MarginalMeansView(emmeans(self, specs, by=by, at=at, ddf=ddf, level=level, scale=to))

    def vcov_kr(self) -> pd.DataFrame:
        """Kenward and Roger's adjusted covariance of the estimated fixed effects, (p, p)."""
        names = list(self.model.kept_names)
        return pd.DataFrame(np.array(kenward_roger.adjustment(self).adjusted), index=names, columns=names)

    def vcov_robust(self, cluster: Any = None, kind: Literal["CR0", "CR1", "CR2"] = "CR2") -> RobustView:
        """Cluster-robust (sandwich) covariance of the fixed effects.

        Parameters
        ----------
        cluster : str or array-like (n,), optional
            A grouping factor, or labels of the rows used or of all rows of the data; by default the coarsest factor,
            in which the others are nested.
        kind : {"CR2", "CR0", "CR1"}
            CR2 is corrected for bias, with Satterthwaite's degrees of freedom.

        Returns
        -------
        RobustView
            vcov, std_errors, df, and ``coef_table()``.
        """
        from mixedeffects.inference.robust import vcov_robust

        return RobustView(vcov_robust(self, cluster=cluster, kind=kind))

    def icc(self) -> variance.IntraclassCorrelation:
        """Intraclass correlations: per group, adjusted and unadjusted.

        An interval for one of them is that of a bootstrap:
        ``fit.bootstrap(1000, statistic=lambda f: f.icc().adjusted, rng=1).confint()``.
        """
        return variance.icc(self)

    def r2(self) -> dict[str, float]:
        """Nakagawa's marginal and conditional R squared."""
        return variance.r2(self)

    def variance_partition(self) -> Any:
        """The variance of the response, divided among fixed effects, random terms and residual."""
        return framed(variance.variance_partition(self))


def _limits(found: Intervals) -> IntervalFrame:
    return interval_frame(found.names, found.lower, found.upper, found.heads, [found.message])
