"""Means, residuals and a drawn response of a generalized linear mixed model, over the rows used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.fit.draws import FamilyModel, response_model
from mixedeffects.fit.effects import linear_predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit.glmm import GlmmFit

Kind = Literal["response", "pearson", "scaled", "working", "deviance", "quantile"]


def means(fit: GlmmFit, *, random: bool = True) -> NDArray[np.float64]:
    """Means mu = g^-1(eta) given the random effects, (n,), or at random effects of 0."""
    return np.asarray(fit.distribution.link.inverse(linear_predictor(fit, random=random)), dtype=np.float64)


def glmm_residuals(fit: GlmmFit, kind: Kind, *, marginal: bool = False, rng: Any = None) -> NDArray[np.float64]:
    """Residuals over the rows used, (n,).

    Parameters
    ----------
    fit : GlmmFit
        The fit.
    kind : {"response", "pearson", "scaled", "working", "deviance", "quantile"}
        response: y - mu; pearson: (y - mu) sqrt(w / V(mu)); scaled: that divided by sigma; working: (y - mu) / mu';
        deviance: the root of the unit deviance with the sign of y - mu; quantile: the normal quantile of the
        distribution function at y, drawn between its limits where the response is discrete [1]_.
    marginal : bool
        Put the random effects to 0.
    rng : None, int, Generator or SeedSequence
        Source of the draws of quantile residuals.

    Raises
    ------
    DataError
        For another kind.

    References
    ----------
    .. [1] Dunn & Smyth (1996), Randomized quantile residuals, Journal of Computational and Graphical Statistics 5,
       236-244, doi:10.2307/1390802.
    """
    if kind not in get_args(Kind):
        raise DataError(f"kind={kind!r} is no kind of residual; choose one of {', '.join(map(repr, get_args(Kind)))}")
    family, y, w, t = fit.distribution, fit.model.y, fit.model.row_weights, fit.log_dispersion
    eta = linear_predictor(fit, random=not marginal)
    mu = np.asarray(family.link.inverse(eta), dtype=np.float64)
    if kind == "response":
        return y - mu
    if kind == "working":
        return np.asarray((y - mu) / family.link.derivatives(eta).d1, dtype=np.float64)
    if kind == "deviance":
        return np.asarray(np.sign(y - mu) * np.sqrt(family.deviance(y, mu, w, t)), dtype=np.float64)
    if kind == "quantile":
        return _quantile(fit, mu, rng)
    # A mean that is rounded to the end of its range has no variance, and a response there no residual.
    exact = y == mu
    out = (y - mu) * np.sqrt(w / np.where(exact, 1.0, family.variance(mu, t)))
    return np.asarray(out / fit.sigma if kind == "scaled" else out, dtype=np.float64)


def _quantile(fit: GlmmFit, mu: NDArray[np.float64], rng: Any) -> NDArray[np.float64]:
    from scipy.special import ndtri

    limits = fit.distribution.cdf(fit.model.y, mu, fit.model.row_weights, fit.log_dispersion)
    u = np.random.default_rng(rng).uniform(size=len(mu))
    p = limits.lower + u * (limits.upper - limits.lower)
    tiny = np.finfo(float).tiny
    return np.asarray(ndtri(np.clip(p, tiny, 1.0 - 2.0**-53)), dtype=np.float64)


def simulate(fit: GlmmFit, rng: Any) -> NDArray[np.float64]:
    """Draw one response with new random effects, (n,).

    Raises
    ------
    DataError
        If they lead out of the means that the family has.
    """
    model = response_model(fit)
    assert isinstance(model, FamilyModel)
    draws = model.draw(np.random.default_rng(rng), 1)
    model.refuse_impossible(draws)
    y: NDArray[np.float64] = draws.y[0]
    return y
