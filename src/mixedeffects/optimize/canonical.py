"""The canonical relative covariance factor: lower triangular, diagonal >= 0, zeros under and right of a zero pivot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ZERO = 1e-10  # of a row's size: what is left of it counts as rounding


def lower_factor(F: NDArray[np.float64], size: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return the Cholesky factor of F F' without forming it.

    Parameters
    ----------
    F : ndarray (k, r)
        Any factor of the covariance matrix; r <= k columns, of which none may be redundant beyond rounding.
    size : ndarray (k,), optional
        For each row the size of what was added up to get it, in whose rounding a variance of zero hides; by default
        the length of the row.

    Returns
    -------
    ndarray (k, k)
        Lower triangular with non-negative diagonal; a column whose pivot is zero is zero.
    """
    k = len(F)
    if _is_canonical(F):
        return F.copy()
    rest = F[:, np.abs(F).max(axis=0, initial=0.0) > 0.0].copy()
    L = np.zeros((k, k))
    lengths = np.sqrt((rest**2).sum(axis=1))
    if size is not None:
        rest[lengths <= _ZERO * size] = 0.0
        lengths = np.maximum(lengths, size)
    for i in range(k):
        row = rest[i]
        length = float(np.sqrt((row**2).sum()))
        if rest.shape[1] == 0 or length <= _ZERO * lengths[i]:
            continue
        # Householder reflection that turns the row into (length, 0, ..., 0).
        v = row.copy()
        v[0] += length if v[0] >= 0 else -length
        reflected = rest - np.outer(rest @ v, v) * (2.0 / (v @ v))
        column = reflected[:, 0] if reflected[i, 0] >= 0 else -reflected[:, 0]
        L[i:, i] = column[i:]
        rest = reflected[:, 1:]
    return L


def transformed(A: NDArray[np.float64], L: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the canonical factor of A L L' A', (k, k), for a regular A and an L that may have zero columns."""
    lengths = np.sqrt((L**2).sum(axis=1))
    return lower_factor(A @ L[:, np.abs(L).max(axis=0) > 0.0], np.abs(A) @ lengths)


def _is_canonical(F: NDArray[np.float64]) -> bool:
    """Whether a factor is in canonical form already, so that rounding need not touch it."""
    rows = F.tolist()  # factors are small: plain numbers cost less than array operations
    if len(rows) != F.shape[1] or any(any(row[i + 1 :]) for i, row in enumerate(rows)):
        return False
    pivots = [row[i] for i, row in enumerate(rows)]
    return all(pivot >= 0.0 and (pivot > 0.0 or not F[:, j].any()) for j, pivot in enumerate(pivots))
