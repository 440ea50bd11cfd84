"""The canonical relative covariance factor: lower triangular, diagonal >= 0, zeros under and right of a zero pivot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ZERO = 1e-10  # of a row's length: what is left of it counts as rounding


def lower_factor(F: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Cholesky factor of F F' without forming it.

    Parameters
    ----------
    F : ndarray (k, r)
        Any factor of the covariance matrix; r <= k columns, of which none may be redundant beyond rounding.

    Returns
    -------
    ndarray (k, k)
        Lower triangular with non-negative diagonal; a column whose pivot is zero is zero.
    """
    k = len(F)
    rest = F[:, np.abs(F).max(axis=0, initial=0.0) > 0.0].copy()
    L = np.zeros((k, k))
    lengths = np.sqrt((rest**2).sum(axis=1))
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
