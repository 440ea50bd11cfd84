"""What `glmer` returns: the record of a fit with the accessors of a statistician. Short methods, no numerics."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.fit.glmm_values import Kind, glmm_residuals, means
from mixedeffects.fit.kinds import scale_parameter, two_categories
from mixedeffects.fit.report import messages, report
from mixedeffects.fit.residuals import pad
from mixedeffects.fit.update import updated_glmm
from mixedeffects.inference import anova as _anova
from mixedeffects.inference.response_scale import ratio_of_link
from mixedeffects.results import tidiers
from mixedeffects.results.calls import clear_calls
from mixedeffects.results.estimates import EstimateMethods
from mixedeffects.results.glmm_diagnostics import GlmmDiagnostics
from mixedeffects.results.glmm_inference import GlmmInference
from mixedeffects.results.glmm_prediction import GlmmPrediction
from mixedeffects.tables import Coefficients, Summary, glmm_family, glmm_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.families import Family
    from mixedeffects.formula import Formula
    from mixedeffects.results.glmm_pictures import GlmmPictures


@clear_calls
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class GlmmResult(EstimateMethods, GlmmPrediction, GlmmInference, GlmmDiagnostics):
    """A fitted generalized linear mixed model, as `glmer` returns it. Frozen: nothing on it mutates or refits it."""

    @property
    def family(self) -> Family[Any]:
        """Response distribution with its link."""
        return self.distribution

    def _residual_sd(self) -> float | None:
        return self.sigma if self.distribution.scaled else None

    @property
    def fitted(self) -> NDArray[np.float64]:
        """Means mu = g^-1(X beta + Z b + offset) over the rows used, (nobs,)."""
        return means(self)

    def residuals(
        self, kind: Kind = "response", *, marginal: bool = False, pad: bool = False, rng: Any = None
    ) -> NDArray[np.float64]:
        """Residuals over the rows used.

        Parameters
        ----------
        kind : {"response", "pearson", "scaled", "working", "deviance", "quantile"}
            response: y - mu; pearson: (y - mu) sqrt(w / V(mu)); scaled: divided by sigma too; working: (y - mu) / mu';
            deviance: signed root of the unit deviance; quantile: randomized where the response is discrete.
        marginal : bool
            Put the random effects to 0.
        pad : bool
            Give all rows of the data, NaN where a row was not used.
        rng : None, int, Generator or SeedSequence
            Source of the draws of quantile residuals.

        Returns
        -------
        ndarray (nobs,), or (rows of the data,) with `pad`

        Raises
        ------
        DataError
            For another kind.
        """
        values = glmm_residuals(self, kind, marginal=marginal, rng=rng)
        return _pad(self, values) if pad else values

    @property
    def plot(self) -> GlmmPictures:
        """Pictures: ``fit.plot.residuals()`` and others, drawn by matplotlib, each with its frame as `data`."""
        from mixedeffects.results.glmm_pictures import GlmmPictures

        return GlmmPictures(self)

    def tidy(
        self,
        effects: str | Sequence[str] = ("fixed", "ran_pars"),
        *,
        conf_int: bool = False,
        level: float = 0.95,
        method: str = "wald",
        exponentiate: bool = False,
    ) -> Any:
        """Return estimates a row each, as broom.mixed does.

        Parameters
        ----------
        effects : str or sequence of {"fixed", "ran_pars", "ran_vals", "ran_coefs"}
            Fixed effects; standard deviations, correlations and the dispersion (`sigma` where it is a scale of the
            variance); conditional modes; coefficients by level.
        conf_int : bool
            Add confidence limits.
        level : float
            Their level.
        method : {"wald", "profile", "bootstrap"}
            Their method; Wald limits are for fixed effects and conditional modes.
        exponentiate : bool
            Fixed effects and their limits as ratios, exp(estimate): odds ratios (logit), ratios of means (log), ratios
            of hazards (cloglog). Standard errors are those of the coefficients times the ratio, the delta
            method; statistics and p-values stay those of the coefficients. Other rows stay as they are.

        Returns
        -------
        data frame
            effect, group, (level,) term, estimate, std_error, statistic, df (infinite), p_value, (lower, upper); in the
            library of the data. Coefficients dropped for rank deficiency have no row.

        Raises
        ------
        DataError
            For an option that is not known, or exponentials with another link.

        Examples
        --------
        >>> import mixedeffects as me
        >>> herds = me.datasets.load("cbpp")
        >>> fit = me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", herds, "binomial")
        >>> fit.tidy("fixed", exponentiate=True)["estimate"].round(3).tolist()
        [0.247, 0.371, 0.323, 0.206]
        """
        ratio = ratio_of_link(self.family) if exponentiate else None
        return tidiers.tidy(self, effects, conf_int=conf_int, level=level, method=method, ddf="normal", ratio=ratio)

    def glance(self) -> Any:
        """Return one row of statistics of the fit, as broom.mixed does.

        Returns
        -------
        data frame
            Columns nobs, sigma, loglik, aic, bic, deviance (-2 loglik), df_resid, and where there is a dispersion that
            is no scale of the variance (negative binomial, beta) dispersion; in the library of the data.
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
            With .fitted and .eta (linear predictor), .resid (deviance residuals), .hat (`leverage`), .cooksd
            (`cooks_distance`), .fixed (linear predictor at random effects of 0), .mu (mean), .offset, .sqrtXwt (root
            of the expected working weight w mu'^2 / V), .sqrtrwt (root of w / V), .weights (trials, or prior weights),
            and .wtres (Pearson residuals).

        Raises
        ------
        DataError
            If `data` has another number of rows than the data fitted, or is no data frame.
        """
        return tidiers.augment_glmm(self, data)

    def update(self, formula: str | Formula | None = None, **changes: Any) -> GlmmResult:
        """Fit a changed model to the same rows.

        Parameters
        ----------
        formula : str or Formula, optional
            A new formula; its variables must be in the data of this fit's formula.
        **changes
            `family`, `link`, `nagq`, `control`, `weights`, `offset`, `contrasts` or `functions`, as `glmer` takes them.
            Another family has its default link.

        Returns
        -------
        GlmmResult

        Raises
        ------
        DataError
            If the formula needs a column that this fit did not use.

        Warns
        -----
        SingularFitWarning, ConvergenceWarning
            As `glmer` does.
        """
        fit = glmm_result_of(updated_glmm(self, formula, changes))
        report(fit)
        return fit

    def summary(self) -> Summary:
        """Return the printed summary, laid out as lme4's."""
        scaled = glmm_residuals(self, "scaled")
        sd = np.sqrt(np.diag(self.solution.vcov))
        table = _anova.coef_table(self, "normal").columns
        scale = scale_parameter(self)
        own = scale[1] if scale is not None and scale[0] == "dispersion" else None
        family, dispersion = glmm_family(self.family.name, self.family.link.name, own)
        return Summary(
            title=glmm_title(self.nagq),
            family=family,
            dispersion=dispersion,
            modelled=_modelled(self.model),
            formula=self.formula,
            criterion=self._information(),
            residual_quantiles=tuple(float(q) for q in np.quantile(scaled, [0.0, 0.25, 0.5, 0.75, 1.0])),
            varcorr=self.varcorr,
            nobs=self.nobs,
            groups=tuple(self.ngroups.items()),
            coefficients=Coefficients(
                names=self.model.names,
                estimate=self.fixef.to_numpy(),
                std_error=self.std_errors.to_numpy(),
                statistic=self.fixef.to_numpy() / self.std_errors.to_numpy(),
                correlation=self.solution.vcov / np.outer(sd, sd),
                p_value=np.asarray(table["p_value"], dtype=np.float64),
                test="z",
            ),
            data_name=self.model.data_name,
            weights=self.model.weights_name,
            offset=self.model.offset_name,
            boundary=tuple(f"{b.term}: {b.direction}" for b in self.optimum.boundary),
            messages=messages(self),
            stars=True,
        )

    def __str__(self) -> str:
        return self.summary().text

    def __repr__(self) -> str:
        return f"<GlmmResult {self.formula!r}, {self.family!r}, deviance {self.criterion:.4f}, {self.nobs} rows>"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def _modelled(model: Design) -> str | None:
    """Which of two categories of a binomial response has its probability modelled; None for numbers."""
    categories = two_categories(model)
    if categories is None:
        return None
    failure, success = categories
    return f"probability of {success!r} (against {failure!r})"


_pad = pad


def glmm_result_of(fit: GlmmFit) -> GlmmResult:
    """Give a fit its public face."""
    return GlmmResult(**{field.name: getattr(fit, field.name) for field in fields(GlmmFit)})
