"""What `lmer` returns: the record of a fit with the accessors of a statistician. Short methods, no numerics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.fit import LmmFit, effects
from mixedeffects.fit.report import messages, report
from mixedeffects.fit.residuals import Kind, pad, residuals
from mixedeffects.fit.update import updated
from mixedeffects.inference.anova import coef_table
from mixedeffects.inference.response_scale import ratio_of_response
from mixedeffects.results import tidiers
from mixedeffects.results.calls import clear_calls
from mixedeffects.results.diagnostics import DiagnosticMethods
from mixedeffects.results.estimates import EstimateMethods
from mixedeffects.results.inference import InferenceMethods
from mixedeffects.results.prediction import PredictionMethods
from mixedeffects.tables import (
    Coefficients,
    Summary,
    lmm_title,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.criterion import Evaluation
    from mixedeffects.formula import Formula
    from mixedeffects.results.pictures import Pictures


_TITLES = {
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger",
    "residual": "the residual",
    "normal": "the normal",
}


# Without slots: a frozen class with them answers `fit.sigma = 1` with a TypeError about super().
@clear_calls
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LmmResult(EstimateMethods, InferenceMethods, PredictionMethods, DiagnosticMethods):
    """A fitted linear mixed model, as `lmer` returns it. Frozen: nothing on it mutates or refits it.

    Attributes
    ----------
    model : Design
        The data of the model as arrays.
    profiled : GaussianCriterion or Later
        What `objective` is.
    solution : Solution
        The estimates, at the minimum.
    optimum : Optimum
        The certificate of the minimum.
    control : Control
        The options of the fit.
    """

    @property
    def sigma(self) -> float:
        """Residual standard deviation sqrt(rss / (n - p)) (REML) or sqrt(rss / n), in units of y, for weight 1."""
        return self.solution.sigma

    @property
    def dispersion(self) -> float:
        """Residual variance sigma^2, in squared units of y, for weight 1."""
        return self.solution.sigma**2

    @property
    def family(self) -> str:
        """The conditional distribution of the response."""
        return "gaussian"

    @property
    def fitted(self) -> NDArray[np.float64]:
        """Fitted values X beta + Z b + offset over the rows used, (nobs,), in units of y."""
        return effects.linear_predictor(self)

    def residuals(self, kind: Kind = "response", *, marginal: bool = False, pad: bool = False) -> NDArray[np.float64]:
        """Residuals over the rows used.

        Parameters
        ----------
        kind : {"response", "pearson", "scaled", "working", "deviance", "quantile", "studentized"}
            response and working: y - mu; pearson and deviance: sqrt(w) (y - mu); scaled and quantile: divided by
            sigma too; studentized: divided by sigma sqrt(1 - leverage), as lme4's `rstudent`.
        marginal : bool
            Leave the random effects out of mu; quantile and studentized residuals are then divided by their own
            marginal standard deviations.
        pad : bool
            Give all rows of the data, NaN where a row was not used.

        Returns
        -------
        ndarray (nobs,), or (rows of the data,) with `pad`

        Raises
        ------
        DataError
            For another kind.
        """
        values = residuals(self, kind, marginal=marginal)
        return _pad(self, values) if pad else values

    @property
    def plot(self) -> Pictures:
        """Pictures: ``fit.plot.residuals()`` and others, drawn by matplotlib, each with its frame as `data`."""
        from mixedeffects.results.pictures import Pictures

        return Pictures(self)

    def evaluate(self, theta: Sequence[float] | NDArray[np.float64] | None = None) -> Evaluation:
        """Evaluate the profiled criterion at any theta; nothing on the fit changes.

        Parameters
        ----------
        theta : array-like (d,), optional
            Any real values; the estimate by default.

        Returns
        -------
        Evaluation
            value; gradient (d,) and hessian (d, d), exact; beta (p,), vcov (p, p), sigma; b and u, (J, k) per term.

        Raises
        ------
        DataError
            If theta has the wrong length or is not finite, or a factorisation fails there.

        Notes
        -----
        log|V| + [REML: log|X'V^-1 X|] + m (1 + log(2 pi rss / m)), V = W^-1 + Z Lambda Lambda' Z', and m = n - p (REML)
        or n: minus twice the (restricted) log-likelihood, maximized over beta and sigma [1]_. The Hessian is computed
        when it is asked for.

        References
        ----------
        .. [1] Bates, Maechler, Bolker & Walker (2015), Journal of Statistical Software 67(1), section 3,
           doi:10.18637/jss.v067.i01.

        Examples
        --------
        >>> import mixedeffects as me
        >>> fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
        >>> round(fit.evaluate([1.0, 0.0, 0.2]).value, 3), round(fit.evaluate().value, 3)
        (1744.244, 1743.628)
        """
        return self.objective.evaluate(self.solution.theta if theta is None else theta)

    def update(self, formula: str | Formula | None = None, **changes: Any) -> LmmResult:
        """Fit a changed model to the same rows.

        Parameters
        ----------
        formula : str or Formula, optional
            A new formula; its variables must be in the data of this fit's formula.
        **changes
            `reml`, `control`, `weights`, `offset`, `contrasts` or `functions`, as `lmer` takes them.

        Returns
        -------
        LmmResult

        Raises
        ------
        DataError
            If the formula needs a column that this fit did not use.

        Warns
        -----
        SingularFitWarning, ConvergenceWarning
            As `lmer` does.
        """
        fit = result_of(updated(self, formula, changes))
        report(fit)
        return fit

    def summary(self, ddf: str | None = None) -> Summary:
        """Return the printed summary, laid out as lme4's.

        Parameters
        ----------
        ddf : {None, "satterthwaite", "kenward-roger", "residual", "normal"}
            Method for the degrees of freedom of t tests; by default there are none, as in lme4.

        Returns
        -------
        Summary
            `text` is what ``print(fit)`` prints.

        Raises
        ------
        DataError
            For another method.
        MixedEffectsError
            If the method is undefined for this fit.
        """
        scaled = residuals(self, "scaled")
        return Summary(
            title=lmm_title(reml=self.reml, ddf=_TITLES.get(ddf or "")),
            formula=self.formula,
            criterion=self.criterion if self.reml else self._information(),
            residual_quantiles=tuple(float(q) for q in np.quantile(scaled, [0.0, 0.25, 0.5, 0.75, 1.0])),
            varcorr=self.varcorr,
            nobs=self.nobs,
            groups=tuple(self.ngroups.items()),
            coefficients=self._coefficients(ddf),
            data_name=self.model.data_name,
            weights=self.model.weights_name,
            offset=self.model.offset_name,
            boundary=tuple(f"{b.term}: {b.direction}" for b in self.optimum.boundary),
            messages=messages(self),
        )

    def tidy(
        self,
        effects: str | Sequence[str] = ("fixed", "ran_pars"),
        *,
        conf_int: bool = False,
        level: float = 0.95,
        method: str = "wald",
        ddf: str | None = None,
        exponentiate: bool = False,
    ) -> Any:
        """Return estimates a row each, as broom.mixed does.

        Parameters
        ----------
        effects : str or sequence of {"fixed", "ran_pars", "ran_vals", "ran_coefs"}
            Fixed effects; standard deviations and correlations; conditional modes; coefficients by level.
        conf_int : bool
            Add confidence limits.
        level : float
            Their level.
        method : {"wald", "profile", "bootstrap"}
            Their method, as in `confint`; Wald limits are for fixed effects (with t quantiles where `ddf` is given)
            and conditional modes.
        ddf : str, optional
            Add df and p_value of t tests, as in `coef_table`.
        exponentiate : bool
            Of a response log(y), log2(y) or log10(y): fixed effects and their limits as ratios of medians of y,
            base^estimate. Standard errors are those of the coefficients times the ratio (and log(base)), the delta
            method; statistics and p-values stay those of the coefficients.

        Returns
        -------
        data frame
            effect, group, (level,) term, estimate, std_error, (df,) statistic, (p_value, lower, upper); in the library
            of the data. Coefficients dropped for rank deficiency have no row.

        Raises
        ------
        DataError
            For an option that is not known, or exponentials where the response is no logarithm.
        """
        ratio = ratio_of_response(self.model) if exponentiate else None
        return tidiers.tidy(self, effects, conf_int=conf_int, level=level, method=method, ddf=ddf, ratio=ratio)

    def glance(self) -> Any:
        """Return one row of statistics of the fit, as broom.mixed does.

        Returns
        -------
        data frame
            Columns nobs, sigma, loglik, aic, bic, reml_criterion or deviance, df_resid; in the library of the data.
        """
        return tidiers.glance(self)

    def augment(self, data: Any = None) -> Any:
        """Return the data with fitted values, residuals and leverages, over the rows used, as broom.mixed does.

        Parameters
        ----------
        data : data frame, optional
            The data that were fitted, whose columns come first; by default the columns that the formula uses.

        Returns
        -------
        data frame
            With .fitted, .resid, .hat (leverage), .cooksd (`cooks_distance`), .fixed (population-level fit), .mu
            (equal to .fitted here), .offset, .sqrtXwt and .sqrtrwt (roots of the weights), .weights, and .wtres
            (Pearson residuals).

        Raises
        ------
        DataError
            If `data` has another number of rows than the data fitted, or is no data frame.
        """
        return tidiers.augment(self, data)

    def __str__(self) -> str:
        return self.summary().text

    def __repr__(self) -> str:
        how = "REML" if self.reml else "ML"
        return f"<LmmResult {self.formula!r}, {how} criterion {self.criterion:.4f}, {self.nobs} rows>"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def _coefficients(self, ddf: str | None) -> Coefficients:
        sd = np.sqrt(np.diag(self.solution.vcov))
        estimate, std_error = self.fixef.to_numpy(), self.std_errors.to_numpy()
        df = p_value = None
        if ddf is not None:
            table = coef_table(self, ddf).columns
            std_error, df, p_value = (np.asarray(table[name]) for name in ("std_error", "df", "p_value"))
        return Coefficients(
            names=self.model.names,
            estimate=estimate,
            std_error=std_error,
            statistic=estimate / std_error,
            correlation=self.solution.vcov / np.outer(sd, sd),
            df=df,
            p_value=p_value,
        )


_pad = pad


def result_of(fit: LmmFit) -> LmmResult:
    """Give a fit its public face."""
    return LmmResult(
        model=fit.model, profiled=fit.profiled, solution=fit.solution, optimum=fit.optimum, control=fit.control
    )
