"""Predictions of a generalized fit: means, their limits, and intervals for new responses of the family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from mixedeffects.errors import DataError
from mixedeffects.fit import functionals
from mixedeffects.predict.arguments import checked_choice, checked_flag
from mixedeffects.predict.averaged import averaged_means, averaged_slopes
from mixedeffects.predict.mixtures import NormalMixture, SampleMixture
from mixedeffects.predict.normal_nodes import normal_predictor
from mixedeffects.predict.prediction import Prediction, asked_rows, checked_request, errors_of
from mixedeffects.predict.resampled import error_draws
from mixedeffects.predict.terms import drawn_variance, kept_terms, linear_predictor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mixedeffects.fit.glmm import GlmmFit
    from mixedeffects.predict.mixtures import Mixture
    from mixedeffects.predict.prediction import Request
    from mixedeffects.predict.rows import Rows

    Vector = NDArray[np.float64]


def predict_generalized(
    fit: GlmmFit,
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
) -> Prediction:
    """Predict means g^-1(eta), or the linear predictors eta = x'beta + z'b + offset.

    Parameters
    ----------
    fit : GlmmFit
        The fit.
    data, random, new_levels, interval, level, se, weights, offset, n, rng
        As for `predict` of a linear mixed model; the weights of a binomial response are its numbers of trials.
    kind : {"response", "link"}
        Means or linear predictors.
    uncertainty : {"conditional", "bootstrap"}
        Given the estimated variances and dispersion, or from refits.
    population_averaged : bool
        Average the mean over the random effects that are not predicted.

    Returns
    -------
    Prediction

    Raises
    ------
    DataError
        For an argument that is not allowed, data that do not fit the model, or a new response without a distribution.
    MixedEffectsError
        If a factorisation fails.

    Notes
    -----
    eta is taken as normal around its estimate with the variance of the linear mixed model at the modes, where the
    covariance of beta is that of the joint Hessian: v = z'Kz + t'cov(beta)t. A new response is a mixture of the
    family's distributions over N(eta, v + z_new' Sigma z_new), and its limits are quantiles of the mixture.
    """
    averaged = checked_flag("population_averaged", population_averaged)
    checked_choice("kind", kind, ("response", "link"))
    checked_choice("uncertainty", uncertainty, ("conditional", "bootstrap"))
    asked = checked_request(
        fit, random=random, interval=interval, level=level, se=se, uncertainty=uncertainty, n=n, rng=rng
    )._replace(averaged=averaged)
    if kind == "link" and (averaged or asked.observation):
        what = "population_averaged=True is" if averaged else "interval='prediction' is"
        raise DataError(f"{what} about responses, which have another scale than kind='link'; use kind='response'")
    rows = asked_rows(fit, data, asked, new_levels, weights=weights, offset=offset)
    columns = _observed(fit, rows, asked) if asked.observation else _means(fit, rows, asked, link=kind == "link")
    whole = {name: None if values is None else rows.spread(values) for name, values in columns.items()}
    estimate = whole.pop("estimate")
    assert estimate is not None
    return Prediction(estimate=estimate, **{"std_error": None, "lower": None, "upper": None, **whole}, kind=rows.kind)


def _means(fit: GlmmFit, rows: Rows, asked: Request, *, link: bool) -> dict[str, Vector]:
    """Estimates, with standard errors and limits of eta taken to the scale that is asked for."""
    eta = linear_predictor(fit, rows, asked.kept)
    if not asked.errors:
        return {"estimate": eta if link else _estimates(fit, rows, asked, eta)}
    nothing = np.zeros(rows.n)
    extra = nothing if asked.averaged else drawn_variance(fit, rows, asked.kept, left_out=False)
    std_error, low, high = errors_of(fit, rows, extra, asked)
    columns = {"estimate": eta, "std_error": std_error}
    if asked.interval is not None:
        columns |= {"lower": eta - high, "upper": eta - low}
    if link:
        return columns
    if not asked.averaged:
        return dict(fit.distribution.link.through(columns))
    sd = _spread(fit, rows, asked)
    found = {"estimate": _estimates(fit, rows, asked, eta)}
    found["std_error"] = np.abs(averaged_slopes(fit.distribution, eta, sd)) * std_error
    if asked.interval is not None:
        ends = [averaged_means(fit.distribution, columns[name], sd) for name in ("lower", "upper")]
        found |= {"lower": np.minimum(*ends), "upper": np.maximum(*ends)}
    return found


def _spread(fit: GlmmFit, rows: Rows, asked: Request) -> Vector:
    """Standard deviation of the random effects of each row that are not predicted."""
    return np.sqrt(drawn_variance(fit, rows, asked.kept, left_out=True))


def _estimates(fit: GlmmFit, rows: Rows, asked: Request, eta: Vector) -> Vector:
    """Means at the predicted random effects, or averaged over the others."""
    if asked.averaged:
        return averaged_means(fit.distribution, eta, _spread(fit, rows, asked))
    return np.asarray(fit.distribution.link.inverse(eta), dtype=np.float64)


def _observed(fit: GlmmFit, rows: Rows, asked: Request) -> dict[str, Vector]:
    """Estimates, and error and limits of a new response."""
    eta = linear_predictor(fit, rows, asked.kept)
    estimate = _estimates(fit, rows, asked, eta)
    out = {"estimate": estimate}
    out |= {name: np.full(rows.n, np.nan) for name in ("std_error", "lower", "upper")}
    for part, mixture, guesses in _mixtures(fit, rows, asked, eta):
        out["std_error"][part] = np.sqrt(mixture.mean_square(estimate[part]))
        limits = [mixture.quantile(p, guess) for p, guess in zip(asked.tails, guesses, strict=True)]
        out["lower"][part], out["upper"][part] = limits
    return out


def _mixtures(
    fit: GlmmFit, rows: Rows, asked: Request, eta: Vector
) -> Iterator[tuple[NDArray[np.intp], Mixture, list[Vector]]]:
    """The distributions of new responses of some rows at a time, with means near their limits.

    Rows whose variance is not finite have none.
    """
    family, terms = fit.distribution, kept_terms(fit, rows, asked.kept)
    extra = drawn_variance(fit, rows, asked.kept, left_out=True)
    given: dict[str, Any] = {"family": family, "log_dispersion": fit.log_dispersion}
    weights = np.ones(rows.n) if rows.weights is None else rows.weights

    def guesses(low: Vector, high: Vector) -> list[Vector]:
        ends = [np.where(family.valid(end), family.link.inverse(end), np.nan) for end in (low, high)]
        return [np.fmin(*ends), np.fmax(*ends)]

    if asked.uncertainty == "bootstrap":
        for part, errors, _ in error_draws(fit, rows.X, terms, extra, n=asked.n, rng=asked.rng):
            draws = (eta[part] - errors).T
            _refuse_impossible(fit, draws)
            own = np.arange(rows.n)[part]
            mixture = SampleMixture(weights=weights[own], draws=draws, **given)
            yield own, mixture, guesses(*np.quantile(draws, asked.tails, axis=1))
        return
    variance = functionals.row_functionals(fit, rows.X, terms).variance + extra
    own = np.flatnonzero(np.isfinite(variance))
    predictor = normal_predictor(family, eta[own], np.sqrt(variance[own]))
    step = ndtri(asked.tails)[:, None] * predictor.sd
    yield own, NormalMixture(weights=weights[own], predictor=predictor, **given), guesses(*(eta[own] + step))


def _refuse_impossible(fit: GlmmFit, draws: Vector) -> None:
    wrong = np.argwhere(~fit.distribution.valid(draws))
    if len(wrong):
        raise DataError(
            f"a refit and the random effects drawn with it lead to the linear predictor {draws[tuple(wrong[0])]:.4g} "
            f"in row {wrong[0][0]}, which the link {fit.distribution.link.name!r} does not take to a mean of "
            f"{fit.distribution.name}: a new response has no distribution there. Fit with a link that allows all "
            "values, such as log"
        )
