"""Residuals of a fit, over the rows used or over all rows of the data."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.fit.effects import linear_predictor, marginal_variances
from mixedeffects.fit.functionals import free_share, leverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit.record import LmmFit

Kind = Literal["response", "pearson", "scaled", "working", "deviance", "quantile", "studentized"]


@singledispatch
def residuals(fit: LmmFit, kind: Kind = "response", *, marginal: bool = False) -> NDArray[np.float64]:
    """Residuals over the rows used, (n,).

    Parameters
    ----------
    fit : LmmFit
        The fit; `fit/glmm.py` registers what generalized ones have.
    kind : {"response", "pearson", "scaled", "working", "deviance", "quantile", "studentized"}
        For a Gaussian model with identity link: response and working are y - mu; pearson and deviance are
        sqrt(w) (y - mu); scaled is that divided by sigma, and so is quantile, the normal quantile of the distribution
        function at y, which needs no random numbers here as the response is continuous.
        Studentized residuals are divided by their standard deviation, sigma sqrt(1 - h) with h the leverage; NaN where
        that is 0.
    marginal : bool
        Leave the random effects out of mu; quantile residuals are then those of the marginal law, (y - mu) divided by
        the root of v = z'Sigma z + sigma^2 / w, and studentized ones are divided by that of v - x'var(beta)x.

    Returns
    -------
    ndarray (n,)
        In units of y for weight 1; scaled and quantile without units.

    Raises
    ------
    DataError
        For another kind.
    """
    if kind not in get_args(Kind):
        raise DataError(f"kind={kind!r} is no kind of residual; choose one of {', '.join(map(repr, get_args(Kind)))}")
    out = fit.model.y - linear_predictor(fit, random=not marginal)
    if kind in ("response", "working"):
        return out
    if marginal and kind in ("quantile", "studentized"):
        own = marginal_variances(fit)
        if kind == "studentized":
            X = fit.model.X
            own *= free_share(np.einsum("np,pq,nq->n", X, fit.solution.vcov, X, optimize=True) / own)
        return out / np.sqrt(own)
    if fit.model.weights is not None:
        out *= np.sqrt(fit.model.weights)
    if kind == "studentized":
        out /= np.sqrt(free_share(leverage(fit)))
    return out / fit.solution.sigma if kind in ("scaled", "quantile", "studentized") else out


def pad(fit: LmmFit, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of the rows used, put in their places among all rows of the data; NaN elsewhere."""
    model = fit.model
    out = np.full(model.n_rows_given, np.nan)
    out[model.rows] = values
    return out
