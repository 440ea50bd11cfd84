"""The covariance of all estimates of a generalized fit, from the exact joint Hessian."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


_FLAT = 1e-10  # of the largest eigenvalue of the scaled Hessian: a direction about which the data say nothing
_PART = 1e-5  # cosine between a function and a flat direction, beyond rounding


def covariance_of_maps(
    hessian: NDArray[np.float64], free: NDArray[np.bool_], maps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Covariance of linear functions A x of the estimates, 2 A H^-1 A', (q, q).

    Parameters
    ----------
    hessian : ndarray (m, m)
        Of minus twice the log-likelihood.
    free : ndarray (m,) of bool
        The parameters; the others are held, and have no error.
    maps : ndarray (q, m)
        The functions A, one each row.

    Returns
    -------
    ndarray (q, q)
        NaN in the rows and columns of functions that change along a direction in which the criterion does not: the data
        do not determine them, and their variance is not finite.
    """
    H, A = hessian[np.ix_(free, free)], maps[:, free]
    scale = np.sqrt(np.maximum(np.abs(np.diag(H)), 1e-300))
    values, vectors = np.linalg.eigh(H / np.outer(scale, scale))
    kept = values > _FLAT * values.max(initial=0.0)
    scaled = A / scale
    half = scaled @ vectors[:, kept] / np.sqrt(values[kept])
    out = np.asarray(2.0 * half @ half.T, dtype=np.float64)
    along = np.abs(scaled @ vectors[:, ~kept])
    moved = (along > _PART * np.linalg.norm(scaled, axis=1)[:, None]).any(axis=1)
    out[moved], out[:, moved] = np.nan, np.nan
    return out
