"""The prediction methods of a generalized fit: one call each to the predict layer, with the results framed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.fit.report import report
from mixedeffects.results.prediction import framed_prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mixedeffects.results.glmm import GlmmResult


class GlmmPrediction(GlmmFit):
    """What a generalized fit offers for predictions, simulations and other responses."""

    __slots__ = ()

    def predict(
        self,
        data: Any = None,
        *,
        random: Any = "conditional",
        new_levels: str = "error",
        kind: str = "response",
        interval: str | None = None,
        level: float = 0.95,
        se: bool = False,
        weights: Any = None,
        offset: Any = None,
        uncertainty: str = "conditional",
        n: int = 1000,
        rng: Any = None,
        population_averaged: bool = False,
    ) -> Any:
        """Predict the mean of the response, or the linear predictor.

        Parameters
        ----------
        data : data frame or dict of columns, optional
            New rows, without the response; by default the rows that the fit used.
        random : {"conditional", "population"}, list of str, or str
            Which random effects are predicted: all, none, those of some grouping factors, or the terms of a formula
            such as ``"(1 | herd)"``, whose columns are found by name.
        new_levels : {"error", "population"}
            What to do about levels that the fit does not know: refuse them, or predict 0 for their effects and count
            their variance among the errors.
        kind : {"response", "link"}
            The mean g^-1(eta) in units of y (a proportion of successes for a binomial response), or eta = X beta +
            Z b + offset on the scale of the link.
        interval : {None, "confidence", "prediction"}
            For the mean given the kept random effects: limits of eta, taken through the inverse link. Or for a new
            response of the family, whose other random effects are new: quantiles of its distribution, which for counts
            are counts (for a binomial response proportions of its trials).
        level : float
            Level of the interval.
        se : bool
            Give standard errors without an interval; those of a mean are ``|mu'(eta)|`` times those of eta.
        weights : str, array-like or number, optional
            For ``interval="prediction"``: the number of trials of new rows under a binomial response, which a fit of
            ``cbind(successes, failures)`` needs, or the divisor of the dispersion (gamma, inverse_gaussian, gaussian).
            A column, values or one number; by default the column that the fit named. Other families take none.
        offset : str, array-like or number, optional
            That of new rows, on the scale of the link, where the fit had it as values; by default the column that the
            fit named.
        uncertainty : {"conditional", "bootstrap"}
            Errors given the estimated variances, or from `n` refits to responses drawn from the fit.
        n : int
            Replicates of the bootstrap.
        rng : None, int, Generator or SeedSequence
            Source of the bootstrap's draws.
        population_averaged : bool
            Average the mean over the random effects that are not predicted, those that `random` leaves out and those
            of new levels: E g^-1(eta + z'b), b ~ N(0, Sigma). Otherwise they are 0, and the mean is that of a group in
            the middle, not the mean over groups.

        Returns
        -------
        ndarray (rows,)
            NaN where a predictor or a grouping factor is missing.
        data frame
            With `se` or an interval, in the library of the data: estimate, std_error, lower, upper. The standard error
            is that of what the interval is about: of a new response the root mean square of its distance from the
            estimate, NaN under the links inverse and 1/mu^2, where it does not exist.

        Raises
        ------
        DataError
            For unknown levels, a column that is missing or of another kind, infinite values, numbers of trials that
            are not given, an argument that is not allowed, or a link that does not take all linear predictors to a
            mean, if those in question lie outside with a probability above 0.0001.

        Warns
        -----
        DroppedRowsWarning
            For rows with missing values.
        RankDeficiencyWarning
            For rows that the data of a rank-deficient fit do not determine.

        Notes
        -----
        eta is taken as normal around its estimate. Its variance is z'Kz + t'C t, K = (Z'WZ + Sigma^-1)^-1, t = x -
        X'WZ K z, with the working weights W at the conditional modes and the covariance C of the fixed effects from the
        joint Hessian, plus z'Sigma z of effects that are not predicted. P(Y <= y) of a new response is the mean of the
        family's distribution function over eta, by quadrature; its limits are the smallest values at which it reaches
        the level. Variances and dispersion are taken at their estimates. The page Prediction has the rest.

        Examples
        --------
        >>> import mixedeffects as me
        >>> data = me.datasets.load("cbpp")
        >>> fit = me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data)
        >>> fit.predict({"period": ["1"], "herd": ["1"]}).round(4).tolist()
        [0.3082]
        >>> fit.predict({"period": ["1"]}, random="population").round(4).tolist()
        [0.198]
        >>> fit.predict({"period": ["1"]}, random="population", population_averaged=True).round(4).tolist()
        [0.2161]
        """
        from mixedeffects.predict.generalized import predict_generalized

        found = predict_generalized(
            self,
            data,
            random=random,
            new_levels=new_levels,
            kind=kind,
            interval=interval,
            level=level,
            se=se,
            weights=weights,
            offset=offset,
            uncertainty=uncertainty,
            n=n,
            rng=rng,
            population_averaged=population_averaged,
        )
        return framed_prediction(found, data)

    def simulate(
        self,
        n: int = 1,
        *,
        rng: Any = None,
        random: str = "new",
        data: Any = None,
        new_levels: str = "error",
        weights: Any = None,
        offset: Any = None,
    ) -> NDArray[np.float64]:
        """Draw responses from the fitted model.

        Parameters
        ----------
        n : int
            Number of simulations.
        rng : None, int, Generator or SeedSequence
            Source of the draws.
        random : {"new", "conditional"}
            New random effects for every level in every simulation, or the conditional modes.
        data : data frame or dict of columns, optional
            New rows; by default those that the fit used. Rows of one new level share its effects.
        new_levels : {"error", "population"}
            With ``random="conditional"``, whether levels that the fit does not know get new effects.
        weights, offset : str, array-like or number, optional
            Those of new rows, as for `predict`: numbers of trials for a binomial response.

        Returns
        -------
        ndarray (rows, n)
            In units of y, proportions of successes for a binomial response; NaN in rows with a missing value.

        Raises
        ------
        DataError
            As for `predict`; and if drawn effects lead out of the means that the family has.

        Examples
        --------
        >>> import mixedeffects as me
        >>> data = me.datasets.load("cbpp")
        >>> fit = me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data)
        >>> (10 * fit.simulate(4, rng=1, data={"period": ["1"], "herd": ["new"]}, weights=10)).round().tolist()
        [[5.0, 5.0, 3.0, 1.0]]
        """
        from mixedeffects.predict.simulation import simulate

        return simulate(
            self, n, rng=rng, random=random, data=data, new_levels=new_levels, weights=weights, offset=offset
        )

    def refit(self, y: Any) -> GlmmResult:
        """Fit the same design, family and approximation to another response.

        Parameters
        ----------
        y : array-like (nobs,) or (rows of the data,)
            A list, an array or a Series; proportions of successes for a binomial response, as `simulate` gives them.
            Where the response of the fit was ``cbind(successes, failures)`` also these two columns, (nobs, 2), whose
            sums are the numbers of trials.
            With one trial a row also booleans or two categories, as `glmer` takes them: the first is a failure, and
            where the response of the fit has these categories, theirs count.

        Raises
        ------
        DataError
            For another length, or values that the family does not have.

        Warns
        -----
        SingularFitWarning, ConvergenceWarning
            As `glmer` does.
        """
        from mixedeffects.predict.response import refitted_glmm
        from mixedeffects.results.glmm import glmm_result_of

        again = refitted_glmm(self, y)
        report(again)
        return glmm_result_of(again)
