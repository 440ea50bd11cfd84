"""The prediction methods of a fit: one call each to the predict layer, with the results framed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedeffects.errors import DataError
from mixedeffects.fit import LmmFit
from mixedeffects.fit.report import report_all
from mixedeffects.frame import to_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.predict.prediction import Prediction


def framed_prediction(found: Prediction, data: Any) -> Any:
    """An array of estimates, or a frame with their errors, which has the index of the data where they have one."""
    if found.std_error is None:
        return found.estimate
    frame = to_frame(found.columns(), found.kind)
    if isinstance(data, pd.DataFrame):
        frame.index = data.index
    return frame


class PredictionMethods(LmmFit):
    """What a fit offers for predictions, simulations and other responses."""

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
    ) -> Any:
        """Predict the response: X beta + Z b + offset.

        A response such as ``log(y)`` is predicted as it is, on the scale of the logarithm: estimate and limits, not the
        standard error, go back through ``np.exp``, to the median of y.

        Parameters
        ----------
        data : data frame or dict of columns, optional
            New rows, without the response; by default the rows that the fit used, and the result is `fitted`.
        random : {"conditional", "population"}, list of str, or str
            Which random effects are predicted: all, none, those of some grouping factors, or the terms of a formula
            such as ``"(1 | Subject)"``, whose columns are found by name.
        new_levels : {"error", "population"}
            What to do about levels that the fit does not know: refuse them, or predict 0 for their effects and count
            their variance among the errors.
        kind : {"response", "link"}
            The same for a linear mixed model.
        interval : {None, "confidence", "prediction"}
            For the mean given the kept random effects, or for a new observation, whose other random effects are new.
        level : float
            Level of the interval.
        se : bool
            Give standard errors without an interval.
        weights, offset : str, array-like or number, optional
            Those of new rows: a column, values or one number. Needed where the fit had them as values; by default the
            columns that the fit named. Weights are for ``interval="prediction"``.
        uncertainty : {"conditional", "kackar-harville", "bootstrap"}
            Errors given the estimated variances; with the first-order term for their estimation; or from `n` refits to
            responses drawn from the fit.
        n : int
            Replicates of the bootstrap.
        rng : None, int, Generator or SeedSequence
            Source of the bootstrap's draws.

        Returns
        -------
        ndarray (rows,), in units of y
            NaN where a predictor or a grouping factor is missing.
        data frame
            With `se` or an interval, in the library of the data: estimate, std_error, lower, upper. The standard error
            is that of what the interval is about.

        Raises
        ------
        DataError
            For unknown levels, a column that is missing or of another kind, infinite values, or an argument that is
            not allowed.
        MixedEffectsError
            If the uncertainty asked for does not exist for this fit.

        Warns
        -----
        DroppedRowsWarning
            For rows with missing values.
        RankDeficiencyWarning
            For rows that the data of a rank-deficient fit do not determine.

        Notes
        -----
        Variance of the prediction error: sigma^2 [z'Kz + t'(X'V^-1X)^-1 t], K = (Z'WZ + S^-1)^-1, t = x - X'WZ K z
        [1]_; limits are estimate +- normal quantile times standard error. The page Prediction has the rest.

        References
        ----------
        .. [1] Henderson (1975), Biometrics 31, 423-447, doi:10.2307/2529430.

        Examples
        --------
        >>> import mixedeffects as me
        >>> fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
        >>> fit.predict({"Days": [0, 10], "Subject": ["308", "308"]}).round(2).tolist()
        [253.66, 450.33]
        >>> fit.predict({"Days": [0, 10]}, random="population").round(2).tolist()
        [251.41, 356.08]
        """
        from mixedeffects.predict.prediction import predict

        found = predict(
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
            New random effects for every level in every simulation, or those that the fit predicts.
        data : data frame or dict of columns, optional
            New rows; by default those that the fit used.
        new_levels : {"error", "population"}
            With ``random="conditional"``, whether levels that the fit does not know get new effects.
        weights, offset : str, array-like or number, optional
            Those of new rows, as for `predict`.

        Returns
        -------
        ndarray (rows, n)
            In units of y; NaN in rows with a missing value.

        Raises
        ------
        DataError
            As for `predict`.

        Examples
        --------
        >>> import mixedeffects as me
        >>> fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
        >>> fit.simulate(3, rng=1).shape
        (180, 3)
        """
        from mixedeffects.predict.simulation import simulate

        return simulate(
            self,
            n,
            rng=rng,
            random=random,
            data=data,
            new_levels=new_levels,
            weights=weights,
            offset=offset,
        )

    def refit(self, y: Any) -> Any:
        """Fit the same design to another response.

        Parameters
        ----------
        y : array-like (nobs,) or (rows of the data,)
            A list, an array or a Series; an offset is part of it, as of the response of `lmer`. With two dimensions,
            (rows, m), each column is a response.

        Returns
        -------
        LmmResult, or a list of m of them

        Raises
        ------
        DataError
            For another length, values that are not finite, or a constant.

        Warns
        -----
        SingularFitWarning, ConvergenceWarning
            As `lmer` does; once for several responses, with the number of fits.
        """
        from mixedeffects.predict.response import refitted
        from mixedeffects.results.lmm import result_of

        try:
            shape = np.shape(y)
        except ValueError:
            raise DataError(
                "y has rows of different lengths; give one response (rows,), or several (rows, m)"
            ) from None
        if len(shape) > 2:
            raise DataError(f"y has shape {shape}; give one response (rows,), or several as columns (rows, m)")
        fits = [refitted(self, column) for column in (np.asarray(y).T if len(shape) == 2 else [y])]
        report_all(fits)
        results = [result_of(fit) for fit in fits]
        return results if len(shape) == 2 else results[0]

    def refit_estimates(self, y: Any, *, workers: int = 1) -> Any:
        """Fit the same design to many responses in the compiled core, for the estimates alone.

        Parameters
        ----------
        y : array-like (nobs, m)
            Each column is a response.
        workers : int
            Threads; the estimates do not depend on them.

        Returns
        -------
        data frame
            One row per response: standard deviations and correlations of random effects, sigma and the coefficients,
            under the names that `confint` gives them; missing where a fit did not converge. In the library of the data.

        Raises
        ------
        DataError
            For another shape, or values that are not finite.
        MixedEffectsError
            If theta was given, not estimated.

        Notes
        -----
        The same minimum as that of `refit`, without its certificate, standard errors and predictions.
        """
        from mixedeffects.predict.response import refit_estimates

        names, values = refit_estimates(self, y, workers)
        return to_frame(dict(zip(names, values.T, strict=True)), self.model.data_kind)
