"""No pooling beside common columns: every level its own coefficients, the rest of the fixed part shared by all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.diagnostics.level_qr import ALIASED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.diagnostics.level_qr import LevelQR

_NOTHING = 1e-10  # of the scale of a coefficient: a rounding error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelModel:
    """Least squares with k columns of their own in each of J levels and q common columns.

    Attributes
    ----------
    own, own_error : ndarray (J, k)
        Coefficients of the levels and their standard errors; NaN where a level does not determine them.
    common, common_error : ndarray (r,)
        Coefficients of the common columns that can be told from the levels' own, and their standard errors.
    kept : ndarray of bool (q,)
        Which common columns these are.
    own_share : ndarray (J, k, q)
        A common column that is not kept is Z_j own_share[j, :, c] + C_kept common_share[:, c]; zero for kept columns.
    common_share : ndarray (r, q)
        See `own_share`; a unit vector for a kept column.
    sigma : float
        Residual standard deviation; NaN without degrees of freedom.
    df_resid : int
        Residual degrees of freedom.
    """

    own: NDArray[np.float64]
    own_error: NDArray[np.float64]
    common: NDArray[np.float64]
    common_error: NDArray[np.float64]
    kept: NDArray[np.bool_]
    own_share: NDArray[np.float64]
    common_share: NDArray[np.float64]
    sigma: float
    df_resid: int


def level_model(y: NDArray[np.float64], C: NDArray[np.float64], qr: LevelQR) -> LevelModel:
    """Fit it by (weighted) least squares.

    Parameters
    ----------
    y : ndarray (n,)
        Response, the offset subtracted.
    C : ndarray (n, q)
        Common columns.
    qr : LevelQR
        Factorisation of the levels' own columns.

    Returns
    -------
    LevelModel

    Notes
    -----
    What the levels' columns explain is taken out of y and C (Frisch, Waugh and Lovell); the common coefficients come
    from the rest, the levels' own by substitution. A common column is left out if less than 1e-10 of its
    length remains beside the levels' columns and the common ones before it.
    """
    J, k = qr.kept.shape
    split = [qr.split(column) for column in C.T]
    inside = np.array([part for part, _ in split]).reshape(-1, J, k).transpose(1, 2, 0)
    rest = np.array([part for _, part in split]).reshape(-1, len(y)).T
    kept, basis, R = _pivoted(rest, np.sqrt([np.sum(qr.weighted(column) ** 2) for column in C.T]))
    y_inside, y_rest = qr.split(y)
    projected = basis.T @ y_rest
    y_rest = y_rest - basis @ projected
    common = np.asarray(np.linalg.solve(R[:, kept], projected), dtype=np.float64)
    shares = np.asarray(np.linalg.solve(R[:, kept], R), dtype=np.float64)
    own_share = qr.solve(inside - inside[:, :, kept] @ shares)
    own_share = np.where(np.abs(own_share) > _NOTHING * _scale(qr, C), own_share, 0.0)
    own_share[:, :, kept] = 0.0
    df = len(y) - int(qr.rank.sum()) - int(kept.sum())
    sigma = float(np.sqrt(y_rest @ y_rest / df)) if df > 0 else float("nan")
    inverse = np.linalg.inv(R[:, kept])
    along = qr.solve(inside[:, :, kept] @ inverse)
    variance = np.diagonal(qr.unscaled_covariance(), axis1=1, axis2=2) + (along**2).sum(axis=2)
    known = qr.estimable()
    return LevelModel(
        own=np.where(known, qr.solve(y_inside - inside[:, :, kept] @ common), np.nan),
        own_error=np.where(known, sigma * np.sqrt(variance), np.nan),
        common=common,
        common_error=sigma * np.sqrt((inverse**2).sum(axis=1)),
        kept=kept,
        own_share=own_share,
        common_share=shares,
        sigma=sigma,
        df_resid=df,
    )


def _scale(qr: LevelQR, C: NDArray[np.float64]) -> NDArray[np.float64]:
    """Size of the coefficients of common columns in terms of the levels' own, (J, k, q)."""
    own = np.sqrt((qr.R**2).sum(axis=1))
    common = np.sqrt(np.array([qr.sums(qr.weighted(column) ** 2) for column in C.T]).reshape(-1, len(own))).T
    own = np.where(own > 0.0, own, np.inf)
    return np.asarray(common[:, None, :] / own[:, :, None])


def _pivoted(
    rest: NDArray[np.float64], lengths: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Columns kept, (q,), an orthonormal basis of them, (n, r), and all columns in it, (r, q)."""
    q = rest.shape[1]
    kept = np.zeros(q, dtype=bool)
    basis: list[NDArray[np.float64]] = []
    for c in range(q):
        values = rest[:, c]
        for _ in range(2):  # twice is enough against cancellation
            for direction in basis:
                values = values - direction * (direction @ values)
        remaining = float(np.linalg.norm(values))
        if remaining > ALIASED * lengths[c]:
            kept[c] = True
            basis.append(values / remaining)
    Q = np.array(basis).reshape(len(basis), len(rest)).T
    R = Q.T @ rest
    R[:, kept] = np.triu(R[:, kept])
    return kept, Q, R
