"""The variance between areas in the Fay-Herriot model: its estimating functions and the search for their root.

theta_hat_i = x_i'beta + v_i + e_i, v_i ~ N(0, A), e_i ~ N(0, D_i) with D_i known. Everything here is for a batch of
responses with one X and one D, so that the bootstrap is the same code as the fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GRID = 80  # values of A that are looked at before the search, besides 0
_LOWEST = 1e-3  # the lowest of them, in units of the smallest sampling variance
_STEPS = 100
_ENTRIES = 1 << 19  # of an array (responses, areas) that is handled at a time
_CLOSE = 1e-13  # relative change of A that ends the search


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaModel:
    """What is known about m areas with direct estimates.

    Attributes
    ----------
    X : ndarray (m, p)
        Covariates.
    D : ndarray (m,)
        Sampling variances.
    method : {"reml", "ml", "fh"}
        How A is estimated.
    """

    X: NDArray[np.float64]
    D: NDArray[np.float64]
    method: str


class Moments(NamedTuple):
    """At one A for each of B responses, or one for all: V = A + D, P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1.

    `value` is minus twice the (restricted) log-likelihood; `score` the function of A whose root is sought, positive
    below it, and `slope` its derivative.
    """

    beta: NDArray[np.float64]
    value: NDArray[np.float64]
    score: NDArray[np.float64]
    slope: NDArray[np.float64]


def moments(model: AreaModel, A: NDArray[np.float64], y: NDArray[np.float64]) -> Moments:
    """Evaluate the criterion and the estimating function.

    Parameters
    ----------
    model : AreaModel
        The areas.
    A : ndarray (B,) or (1,)
        Variances.
    y : ndarray (B, m)
        Responses.

    Returns
    -------
    Moments
        beta (B, p), the others (B,).

    Notes
    -----
    REML: -tr(P)/2 + y'PPy/2; ML: -tr(V^-1)/2 + y'PPy/2, the derivatives of the log-likelihoods. Fay and Herriot's
    moment equation: y'Py - (m - p), which decreases in A.
    """
    m, p = model.X.shape
    V = A[:, None] + model.D
    w = 1.0 / V
    half = np.sqrt(w)
    # With U an orthonormal basis of V^-1/2 X, P = V^-1/2 (I - UU') V^-1/2: no inverse that would square a condition.
    U, T = np.linalg.qr(half[:, :, None] * model.X)
    scaled = half * y
    inner = _coordinates(U, scaled)
    Py = half * (scaled - _combined(U, inner))
    again = half * Py
    PPy = half * (again - _combined(U, _coordinates(U, again)))
    beta = np.linalg.solve(np.broadcast_to(T, (len(y), p, p)), inner[:, :, None])[:, :, 0]
    yPy = np.einsum("bm,bm->b", Py, y)
    yPPy, yPPPy = np.sum(Py**2, axis=1), np.einsum("bm,bm->b", Py, PPy)
    if model.method == "fh":
        return Moments(beta, np.full(len(y), np.nan), yPy - (m - p), -yPPy)
    log_det, trace, trace2 = np.log(V).sum(axis=1), w.sum(axis=1), (w**2).sum(axis=1)
    degrees = m
    if model.method == "reml":
        weighted = w[:, :, None] * U
        second = np.swapaxes(U, 1, 2) @ weighted
        log_det = log_det + 2.0 * np.log(np.abs(np.einsum("bpp->bp", T))).sum(axis=1)
        trace = trace - np.einsum("bpp->b", second)
        trace2 = trace2 - 2.0 * np.sum(weighted**2, axis=(1, 2)) + np.sum(second**2, axis=(1, 2))
        degrees = m - p
    value = degrees * np.log(2.0 * np.pi) + log_det + yPy
    return Moments(beta, value, 0.5 * (yPPy - trace), 0.5 * trace2 - yPPPy)


def _coordinates(U: NDArray[np.float64], r: NDArray[np.float64]) -> NDArray[np.float64]:
    """U'r for each response, (B, p); one U for all, or one each."""
    out: NDArray[np.float64] = r @ U[0] if len(U) == 1 else np.einsum("bmp,bm->bp", U, r)
    return out


def _combined(U: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    """U c for each response, (B, m)."""
    out: NDArray[np.float64] = c @ U[0].T if len(U) == 1 else np.einsum("bmp,bp->bm", U, c)
    return out


def estimate(model: AreaModel, y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate the variance between areas for each response.

    Parameters
    ----------
    model : AreaModel
        The areas.
    y : ndarray (B, m)
        Responses.

    Returns
    -------
    ndarray (B,)
        A >= 0; 0 exactly where the (restricted) likelihood is largest there, or where y'Py <= m - p at 0.

    Notes
    -----
    A likelihood may have several maxima: the best of a grid from 0 to a bound that no root can exceed starts Newton's
    iterations, which are kept between the neighbouring grid points by bisection. All roots are below the A with
    (m - p) A^2 = s (A + max D), s the residual sum of squares, because tr(P) >= (m - p) / (A + max D) and
    y'PPy <= s / A^2.
    """
    # The estimates of A do not depend on the basis of X; an orthonormal one costs no digits. Nor do they depend on the
    # order of the areas; the largest weights come first, as the orthogonalization of weighted rows needs it.
    order = np.argsort(model.D, kind="stable")
    model = AreaModel(X=np.linalg.qr(model.X)[0][order], D=model.D[order], method=model.method)
    y = y[:, order]
    size = max(1, _ENTRIES // max(len(model.D), 1))
    return np.concatenate([_estimate(model, y[i : i + size]) for i in range(0, len(y), size)])


def _estimate(model: AreaModel, y: NDArray[np.float64]) -> NDArray[np.float64]:
    residual = y - (y @ model.X) @ model.X.T
    s, degrees = float(np.max(np.sum(residual**2, axis=1))), len(model.D) - model.X.shape[1]
    top = (s + np.sqrt(s**2 + 4.0 * degrees * s * model.D.max())) / (2.0 * degrees)
    low = _LOWEST * model.D.min()
    grid = np.concatenate([[0.0], np.geomspace(low, max(1.001 * top, 2.0 * low), _GRID)])
    at = [moments(model, grid[k : k + 1], residual) for k in range(len(grid))]
    scores = np.column_stack([found.score for found in at])
    if model.method == "fh":
        best = np.sum(scores > 0.0, axis=1) - 1  # the last that is below the root, or -1
        up = best >= 0
    else:
        best = np.argmin(np.column_stack([found.value for found in at]), axis=1)
        up = scores[np.arange(len(y)), best] > 0.0
    boundary = ~up & (best <= 0)
    lower = grid[np.where(up, best, np.maximum(best - 1, 0))]
    upper = grid[np.minimum(np.where(up, best + 1, best), len(grid) - 1)]
    out = np.zeros(len(y))
    inside = np.flatnonzero(~boundary)
    if len(inside):
        out[inside] = _root(model, residual[inside], lower[inside], upper[inside])
    return out


def _root(
    model: AreaModel, y: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find where the scores change sign, from above 0 to below, between the limits: (B,)."""
    lower, upper = lower.copy(), upper.copy()
    A = 0.5 * (lower + upper)
    active = np.arange(len(y))
    for _ in range(_STEPS):
        here = A[active]
        found = moments(model, here, y[active])
        below = found.score > 0.0
        lower[active[below]], upper[active[~below]] = here[below], here[~below]
        with np.errstate(divide="ignore", invalid="ignore"):
            new = here - found.score / found.slope
        lo, hi = lower[active], upper[active]
        outside = ~((new >= lo) & (new <= hi)) | (found.slope >= 0.0)
        new = np.where(outside, 0.5 * (lo + hi), new)
        A[active] = new
        active = active[np.abs(new - here) > _CLOSE * (here + model.D.min())]
        if not len(active):
            break
    return A
