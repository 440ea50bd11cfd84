"""QR factorisation of a few columns within every level of a factor, all levels at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ALIASED = 1e-10  # of its length is what a column must have left: a date in seconds varies by 1e-8 of it within a week
_DEPENDS = 1e-8  # share of an aliased column that a kept one must explain to be entangled with it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelQR:
    """W^(1/2) Z_j = Q_j R_j for the rows Z_j (n_j, k) of each level j.

    Attributes
    ----------
    codes : ndarray of int (n,)
        The level of each row.
    root : ndarray (n,) or None
        Square roots of the weights.
    Q : ndarray (n, k)
        Rows of the Q_j in the order of the data; the columns are orthonormal within a level, and zero where aliased.
    R : ndarray (J, k, k)
        Upper triangular. The row of an aliased column is zero.
    kept : ndarray of bool (J, k)
        False for a column that the kept ones before it determine within the level.
    n : ndarray of int (J,)
        Rows of each level.
    """

    codes: NDArray[np.int32]
    root: NDArray[np.float64] | None
    Q: NDArray[np.float64]
    R: NDArray[np.float64]
    kept: NDArray[np.bool_]
    n: NDArray[np.int64]

    @property
    def rank(self) -> NDArray[np.int64]:
        """Number of columns kept in each level, (J,)."""
        return np.asarray(self.kept.sum(axis=1), dtype=np.int64)

    def weighted(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the rows, (n,), times the square roots of the weights."""
        return np.asarray(values if self.root is None else self.root * values, dtype=np.float64)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the rows of each level, (J,)."""
        return np.asarray(np.bincount(self.codes, weights=values, minlength=len(self.n)), dtype=np.float64)

    def split(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return Q_j'W^(1/2) v_j for each level, (J, k), and what is left of W^(1/2) v, (n,), for values v (n,)."""
        return _split(self.weighted(values), self.Q, self.codes, len(self.n))

    def solve(self, projected: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coefficients R_j^-1 h_j, (J, k, ...), of h (J, k, ...); zero for aliased columns."""
        flat = projected if projected.ndim == 3 else projected[:, :, None]
        found = np.linalg.solve(self._filled(), np.where(self.kept[:, :, None], flat, 0.0))
        return np.asarray(found.reshape(projected.shape), dtype=np.float64)

    def inverse(self) -> NDArray[np.float64]:
        """R_j^-1, (J, k, k), with zero rows and columns for aliased columns."""
        found = np.linalg.inv(self._filled())
        return np.asarray(np.where(self.kept[:, :, None] & self.kept[:, None, :], found, 0.0))

    def unscaled_covariance(self) -> NDArray[np.float64]:
        """(Z_j'W Z_j)^-1 over the kept columns, (J, k, k); zero for aliased ones."""
        half = self.inverse()
        return np.asarray(half @ half.transpose(0, 2, 1))

    def estimable(self) -> NDArray[np.bool_]:
        """Which coefficients the level determines, whatever the others are, (J, k).

        A kept coefficient that an aliased column depends on has the value that belongs to the smaller model, in which
        the aliased coefficient is zero: an intercept from one row at x = 5, for example.
        """
        if self.kept.all():
            return self.kept
        lengths = np.sqrt((self.R**2).sum(axis=1))
        shares = -np.linalg.inv(self._filled()) * lengths[:, :, None]
        entangled = np.abs(shares) > _DEPENDS * lengths[:, None, :]
        entangled &= self.kept[:, :, None] & ~self.kept[:, None, :]
        return np.asarray(self.kept & ~entangled.any(axis=2))

    def _filled(self) -> NDArray[np.float64]:
        """R with ones on the diagonal where a column is aliased, so that it can be inverted."""
        if self.kept.all():
            return self.R
        filled = self.R.copy()
        levels, columns = np.nonzero(~self.kept)
        filled[levels, columns, columns] = 1.0
        return filled


def level_qr(
    columns: Sequence[NDArray[np.float64]],
    codes: NDArray[np.int32],
    n_levels: int,
    weights: NDArray[np.float64] | None = None,
) -> LevelQR:
    """Factor the columns within every level.

    Parameters
    ----------
    columns : sequence of ndarray, k times (n,)
        The columns.
    codes : ndarray of int (n,)
        The level of each row, 0 to J - 1.
    n_levels : int
        J; every level occurs.
    weights : ndarray (n,), optional
        Positive weights of the rows.

    Returns
    -------
    LevelQR

    Notes
    -----
    Gram-Schmidt from left to right, each column orthogonalised twice, which is as accurate as Householder's method; a
    column is aliased if less than 1e-10 of its length within the level is left. Sums run over all levels at
    once: the time is of order n k^2, however the rows are spread over the levels.
    """
    k = len(columns)
    root = None if weights is None else np.sqrt(weights)
    Q = np.zeros((len(codes), k), order="F")
    R = np.zeros((n_levels, k, k))
    kept = np.zeros((n_levels, k), dtype=bool)
    for j, column in enumerate(columns):
        values = np.asarray(column if root is None else root * column, dtype=np.float64)
        length = np.sqrt(np.bincount(codes, weights=values**2, minlength=n_levels))
        R[:, :j, j], rest = _split(values, Q[:, :j], codes, n_levels)
        remaining = np.sqrt(np.bincount(codes, weights=rest**2, minlength=n_levels))
        kept[:, j] = remaining > ALIASED * length
        R[:, j, j] = np.where(kept[:, j], remaining, 0.0)
        scale = np.divide(1.0, remaining, out=np.zeros(n_levels), where=kept[:, j])
        Q[:, j] = rest * scale[codes]
    return LevelQR(codes=codes, root=root, Q=Q, R=R, kept=kept, n=np.bincount(codes, minlength=n_levels))


def _split(
    values: NDArray[np.float64], Q: NDArray[np.float64], codes: NDArray[np.int32], n_levels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients on the columns of Q within each level, (J, k), and the rest, (n,)."""
    k = Q.shape[1]
    found = np.zeros((n_levels, k))
    rest = values
    for _ in range(2):  # twice is enough against cancellation
        step = np.empty((n_levels, k))
        for c in range(k):
            step[:, c] = np.bincount(codes, weights=Q[:, c] * rest, minlength=n_levels)
        if k:
            rest = rest - np.einsum("nk,nk->n", Q, step[codes])
        found += step
    return found, rest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelRegressions:
    """Least squares within every level.

    Attributes
    ----------
    coef : ndarray (J, k)
        Coefficients in units of y per unit of the column; NaN for aliased ones, the others are those without them.
    unscaled : ndarray (J, k, k)
        (Z_j'W Z_j)^-1 over the columns kept.
    rss : ndarray (J,)
        Weighted residual sums of squares.
    n, rank : ndarray of int (J,)
        Rows, and columns kept.
    """

    coef: NDArray[np.float64]
    unscaled: NDArray[np.float64]
    rss: NDArray[np.float64]
    n: NDArray[np.int64]
    rank: NDArray[np.int64]

    @property
    def df_resid(self) -> NDArray[np.int64]:
        """Rows less estimated coefficients, (J,)."""
        return self.n - self.rank

    @property
    def sigma(self) -> NDArray[np.float64]:
        """Residual standard deviation of each level, (J,); NaN without degrees of freedom."""
        df = self.df_resid
        mean = np.divide(self.rss, df, out=np.full(len(df), np.nan), where=df > 0)
        return np.asarray(np.sqrt(mean), dtype=np.float64)

    @property
    def pooled_df(self) -> int:
        """Residual degrees of freedom of all levels."""
        return int(self.df_resid.sum())

    @property
    def pooled_sd(self) -> float:
        """Root of the total rss over the total residual degrees of freedom; NaN without any."""
        df = self.pooled_df
        return float(np.sqrt(self.rss[self.df_resid > 0].sum() / df)) if df else float("nan")

    def std_errors(self, *, pool: bool = True) -> NDArray[np.float64]:
        """Standard errors, (J, k), from the pooled standard deviation or from that of the level."""
        sd = np.full(len(self.n), self.pooled_sd) if pool else self.sigma
        roots = np.sqrt(np.diagonal(self.unscaled, axis1=1, axis2=2))
        return np.where(np.isnan(self.coef), np.nan, sd[:, None] * roots)


def level_regressions(
    y: NDArray[np.float64],
    columns: Sequence[NDArray[np.float64]],
    codes: NDArray[np.int32],
    n_levels: int,
    weights: NDArray[np.float64] | None = None,
) -> LevelRegressions:
    """Regress y on the columns by (weighted) least squares, separately in every level.

    Parameters
    ----------
    y : ndarray (n,)
        Response, the offset subtracted.
    columns, codes, n_levels, weights
        As `level_qr` takes them.
    """
    qr = level_qr(columns, codes, n_levels, weights)
    projected, rest = qr.split(y)
    return LevelRegressions(
        coef=np.where(qr.kept, qr.solve(projected), np.nan),
        unscaled=qr.unscaled_covariance(),
        rss=qr.sums(rest**2),
        n=qr.n,
        rank=qr.rank,
    )
