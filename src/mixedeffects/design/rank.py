"""Which columns of X can be estimated: R's rule.

Columns are taken from left to right; one whose part orthogonal to the kept columns before it is shorter than 1e-7
of its own length is aliased and dropped (the limited pivoting of LINPACK's dqrdc2 as R's lm uses it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-7
_CLEAR = 1e-4  # a ratio this far above the tolerance can be trusted from X'X, which sees about 1e-7
_CHUNK_VALUES = 1 << 19


def estimable(X: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the columns to keep.

    Parameters
    ----------
    X : ndarray, (n, p)
        All columns.

    Returns
    -------
    ndarray of bool, (p,)
        False for a column that the kept ones before it determine.
    """
    n, p = X.shape
    if p == 0:
        return np.zeros(0, dtype=bool)
    if n * p > _CHUNK_VALUES and _clearly_full_rank(X):
        return np.ones(p, dtype=bool)
    R = triangular_factor(X)
    if len(R) == p:
        # What is orthogonal to the columns before it is the last entry of each column of R.
        lengths = np.sqrt(np.einsum("ij,ij->j", R, R))
        if (np.abs(np.diag(R)) > _CLEAR * lengths).all():
            return np.ones(p, dtype=bool)
    return _keep(R)


def _clearly_full_rank(X: NDArray[np.float64]) -> bool:
    """Whether X'X alone proves full rank by a margin far beyond its rounding error."""
    gram = X.T @ X
    length = np.sqrt(np.diag(gram))
    if not (np.isfinite(gram).all() and (length > 0).all()):
        return False
    try:
        pivots = np.diag(np.linalg.cholesky(gram / np.outer(length, length)))
    except np.linalg.LinAlgError:
        return False
    return bool((pivots > _CLEAR).all())


def triangular_factor(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """R of the QR factorisation of X, from chunks of rows whose factors are merged; at most (p, p)."""
    n, p = X.shape
    step = max(4 * p, _CHUNK_VALUES // p)
    factor: NDArray[np.float64] = np.asarray(np.linalg.qr(X[:step], mode="r"))
    for start in range(step, n, step):
        factor = np.asarray(np.linalg.qr(np.vstack([factor, X[start : start + step]]), mode="r"))
    return factor


def _keep(R: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Apply the rule to the columns of R, whose lengths and angles are those of X."""
    p = R.shape[1]
    kept = np.zeros(p, dtype=bool)
    basis = np.zeros((R.shape[0], min(R.shape)))
    rank = 0
    for j in range(p):
        length = float(np.linalg.norm(R[:, j]))
        if length == 0.0 or rank == R.shape[0]:
            continue
        rest = R[:, j] / length
        for _ in range(2):  # twice is enough against cancellation
            rest = rest - basis[:, :rank] @ (basis[:, :rank].T @ rest)
        remaining = float(np.linalg.norm(rest))
        if remaining < TOLERANCE:
            continue
        basis[:, rank] = rest / remaining
        kept[j] = True
        rank += 1
    return kept
