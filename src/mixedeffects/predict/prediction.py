"""Predictions of a fit at its own or at new rows, with standard errors and intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from mixedeffects.errors import DataError
from mixedeffects.fit import functionals
from mixedeffects.predict.arguments import checked_choice, checked_flag, checked_level
from mixedeffects.predict.extras import refuse_weights, weighted
from mixedeffects.predict.kackar_harville import estimation_variance
from mixedeffects.predict.kept import kept_columns
from mixedeffects.predict.resampled import prediction_errors
from mixedeffects.predict.rows import Needs, fitted_rows, new_rows
from mixedeffects.predict.terms import drawn_variance, kept_terms, linear_predictor, used_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit
    from mixedeffects.predict.kept import Kept
    from mixedeffects.predict.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Predictions, one for each row of the data; NaN where a value is missing.

    Attributes
    ----------
    estimate : ndarray (n,)
        The linear predictor, in units of y; of a generalized fit the linear predictor or the mean.
    std_error : ndarray (n,) or None
        Root mean square error of what the interval is about: of the mean, or of a new observation.
    lower, upper : ndarray (n,) or None
        Limits of the interval.
    kind : str
        The library of the data.
    """

    estimate: NDArray[np.float64]
    std_error: NDArray[np.float64] | None
    lower: NDArray[np.float64] | None
    upper: NDArray[np.float64] | None
    kind: str

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """What was asked for, by name."""
        named = (
            ("estimate", self.estimate),
            ("std_error", self.std_error),
            ("lower", self.lower),
            ("upper", self.upper),
        )
        return {name: values for name, values in named if values is not None}


class Request(NamedTuple):
    """What is asked for: the arguments of `predict`, checked.

    Attributes
    ----------
    kept : tuple of ndarray of bool
        The columns of random effects that are predicted.
    interval : str or None
        None, ``"confidence"`` or ``"prediction"``.
    level : float
        Of the interval.
    errors : bool
        Whether standard errors are wanted.
    uncertainty : str
        How they are computed.
    n : int
        Replicates of a bootstrap.
    rng : None, int, Generator or SeedSequence
        Source of its draws.
    averaged : bool
        Whether the mean is over the random effects that are not predicted.
    """

    kept: Kept
    interval: str | None
    level: float
    errors: bool
    uncertainty: str
    n: int
    rng: Any
    averaged: bool = False

    @property
    def observation(self) -> bool:
        """Whether the errors are those of a new observation."""
        return self.interval == "prediction"

    @property
    def tails(self) -> NDArray[np.float64]:
        """Probabilities of both limits, (2,)."""
        return np.array([0.5 - 0.5 * self.level, 0.5 + 0.5 * self.level])


def predict(
    fit: LmmFit,
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
) -> Prediction:
    """Predict x'beta + z'b.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    data : data frame or dict of columns, optional
        New rows; by default those that the fit used.
    random : str or sequence of str
        Which random effects are predicted, as for `kept_columns`.
    new_levels : {"error", "population"}
        What to do about levels that the fit does not know.
    kind : {"response", "link"}
        The same for a linear mixed model.
    interval : {None, "confidence", "prediction"}
        For the mean given the kept random effects, or for a new observation.
    level : float
        Level of the interval.
    se : bool
        Whether to compute standard errors without an interval.
    weights, offset : str, array-like (n,) or number, optional
        Of the new rows, where the fit did not name a column.
    uncertainty : {"conditional", "kackar-harville", "bootstrap"}
        Given the estimated variances; with the first-order term for their estimation; from refits.
    n : int
        Replicates of the bootstrap.
    rng : None, int, Generator or SeedSequence
        Source of the bootstrap's draws.

    Returns
    -------
    Prediction

    Raises
    ------
    DataError
        For an argument that is not allowed, or data that do not fit the model.
    MixedEffectsError
        If the uncertainty asked for does not exist for this fit.

    Notes
    -----
    The variance of the prediction error is sigma^2 [z'Kz + t'(X'V^-1X)^-1 t] + z_new' Sigma
    z_new, with K = (Z'WZ + S^-1)^-1, t = x - X'WZ K z [1]_, and z_new the columns of effects that are not predicted; a
    new observation adds sigma^2 / w.

    References
    ----------
    .. [1] Henderson (1975), Best linear unbiased estimation and prediction under a selection model, Biometrics 31,
       423-447, doi:10.2307/2529430.
    """
    checked_choice("kind", kind, ("response", "link"))
    asked = checked_request(
        fit, random=random, interval=interval, level=level, se=se, uncertainty=uncertainty, n=n, rng=rng
    )
    return _predicted(fit, asked_rows(fit, data, asked, new_levels, weights=weights, offset=offset), asked)


def checked_request(
    fit: LmmFit, *, random: Any, interval: Any, level: Any, se: Any, uncertainty: Any, n: Any, rng: Any
) -> Request:
    """Check what is asked for, before any data are read.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    random, interval, level, se, uncertainty, n, rng
        As `predict` takes them.

    Raises
    ------
    DataError
        For an argument that is not allowed.
    """
    asked = Request(
        kept=kept_columns(fit, random),
        interval=checked_choice("interval", interval, (None, "confidence", "prediction")),
        level=checked_level(level),
        errors=checked_flag("se", se) or interval is not None,
        uncertainty=checked_choice("uncertainty", uncertainty, ("conditional", "kackar-harville", "bootstrap")),
        n=n,
        rng=rng,
    )
    if asked.uncertainty != "conditional" and not asked.errors:
        raise DataError(f"uncertainty={uncertainty!r} is about errors: ask for them with se=True or interval=")
    return asked


def asked_rows(fit: LmmFit, data: Any, asked: Request, new_levels: Any, *, weights: Any, offset: Any) -> Rows:
    """Read the rows to predict: those of the fit for `data` None.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    data, new_levels, weights, offset
        As `predict` takes them.
    asked : Request
        What is asked for.

    Raises
    ------
    DataError
        For data that do not fit the model, or weights and offsets that are not wanted.
    """
    checked_choice("new_levels", new_levels, ("error", "population"))
    if weights is not None:
        if not asked.observation:
            raise DataError('weights= is about new observations: it is for interval="prediction" only')
        refuse_weights(fit)
    if data is None:
        if weights is not None or offset is not None:
            raise DataError("weights= and offset= are for new data; the rows of the fit have their own")
        return fitted_rows(fit)
    whole = asked.observation or asked.averaged
    needs = Needs(
        columns=tuple(whole or bool(mask.any()) for mask in asked.kept),
        groups=used_groups(fit, asked.kept),
        weights=asked.observation and weighted(fit),
        allow_new=new_levels == "population",
    )
    return new_rows(fit, data, needs, weights=weights, offset=offset)


def _predicted(fit: LmmFit, rows: Rows, asked: Request) -> Prediction:
    estimate = linear_predictor(fit, rows, asked.kept)
    if not asked.errors:
        return Prediction(estimate=rows.spread(estimate), std_error=None, lower=None, upper=None, kind=rows.kind)
    s2 = fit.solution.sigma**2
    extra = drawn_variance(fit, rows, asked.kept, left_out=asked.observation)
    if asked.observation:
        extra += s2 if rows.weights is None else s2 / rows.weights
    std_error, low, high = errors_of(fit, rows, extra, asked)
    limits = (None, None) if asked.interval is None else (rows.spread(estimate - high), rows.spread(estimate - low))
    return Prediction(
        estimate=rows.spread(estimate),
        std_error=rows.spread(std_error),
        lower=limits[0],
        upper=limits[1],
        kind=rows.kind,
    )


def errors_of(
    fit: LmmFit, rows: Rows, extra: NDArray[np.float64], asked: Request
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Standard errors of linear predictors, and the quantiles of prediction less truth, (n,) each.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    rows : Rows
        The rows.
    extra : ndarray (n,)
        Variance of what is not predicted.
    asked : Request
        The level, and how errors are computed.
    """
    terms = kept_terms(fit, rows, asked.kept)
    if asked.uncertainty == "bootstrap":
        errors = prediction_errors(fit, rows.X, terms, extra, asked.tails, n=asked.n, rng=asked.rng)
        return errors.root_mean_square, errors.quantiles[0], errors.quantiles[1]
    variance = fit.solution.sigma**2 * functionals.row_functionals(fit, rows.X, terms).variance + extra
    if asked.uncertainty == "kackar-harville":
        variance += estimation_variance(fit, rows.X, terms)
    std_error = np.sqrt(variance)
    low, high = ndtri(asked.tails)[:, None] * std_error
    return std_error, low, high
