"""Null distribution of likelihood ratios for one variance being zero, from the eigenvalues of its design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST = 10_000  # order of the symmetric matrix whose eigenvalues are needed
_EQUAL = 1e-10  # eigenvalues this close, relative to the largest, are taken for one
_ENTRIES = 1 << 22  # of an array of draws that is in use at a time
_LOG_RATIOS = np.linspace(-14.0, 14.0, 281)  # logs of lambda times the largest eigenvalue


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """Distinct eigenvalues with how often each occurs.

    Attributes
    ----------
    values : ndarray (K,)
        Positive.
    counts : ndarray of float (K,)
        Whole numbers.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.float64]


def spectrum(diagonal: NDArray[np.float64], half: NDArray[np.float64] | None = None) -> Spectrum:
    """Eigenvalues of D - U U' for a diagonal D.

    Parameters
    ----------
    diagonal : ndarray (J,)
        Of D = Z'WZ for a term of one column.
    half : ndarray (J, p), optional
        U = Z'W X (X'WX)^-1/2; without it the eigenvalues of D.

    Raises
    ------
    DataError
        If more than 10,000 rows of the matrix are left after levels with equal entries of D were put together, or the
        matrix is zero.

    Notes
    -----
    Among m levels with the same d, all directions orthogonal to the columns of their U have the eigenvalue d; only
    the others, at most p, enter the matrix whose eigenvalues have to be computed.
    """
    scale = float(diagonal.max())
    if half is None:
        return _distinct(diagonal, np.ones(len(diagonal)), scale)
    order = np.argsort(diagonal)
    starts = np.flatnonzero(np.diff(diagonal[order], prepend=-np.inf) > _EQUAL * scale)
    values, counts, kept, roots = [], [], [], []
    for members in np.split(order, starts[1:]):
        root = half[members]
        if len(members) > root.shape[1]:
            values.append(diagonal[members[0]])
            counts.append(len(members) - root.shape[1])
            root = np.asarray(np.linalg.qr(root, mode="r"))
        roots.append(root)
        kept.append(np.full(len(root), diagonal[members[0]]))
    small, low = np.concatenate(kept), np.vstack(roots)
    if len(small) > _LARGEST:
        raise DataError(
            f"the exact null distribution needs the eigenvalues of a matrix of order {len(small)}; at most {_LARGEST} "
            "is possible. Use bootstrap_lrt, which refits the model to simulated responses"
        )
    found = np.linalg.eigvalsh(np.diag(small) - low @ low.T)
    return _distinct(np.concatenate([values, found]), np.concatenate([counts, np.ones(len(found))]), scale)


def _distinct(values: NDArray[np.float64], counts: NDArray[np.float64], scale: float) -> Spectrum:
    order = np.argsort(values)
    values, counts = values[order], counts[order]
    positive = values > _EQUAL * scale
    values, counts = values[positive], counts[positive]
    if len(values) == 0:
        raise DataError("the fixed effects determine all random effects of the term; leave one of them out")
    starts = np.flatnonzero(np.diff(values, prepend=-np.inf) > _EQUAL * scale)
    return Spectrum(values=values[starts], counts=np.add.reduceat(counts, starts))


def null_sample(
    projected: Spectrum,
    determinant: Spectrum,
    *,
    degrees: int,
    multiplier: int,
    n_restrictions: int,
    n: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw from the null distribution of the likelihood ratio statistic.

    Parameters
    ----------
    projected : Spectrum
        mu, of Z'(W - WX(X'WX)^-1X'W)Z.
    determinant : Spectrum
        xi: the same for REML, of Z'WZ for ML.
    degrees : int
        n - p, rows less fixed effects.
    multiplier : int
        n - p (REML) or n (ML).
    n_restrictions : int
        Fixed effects that are zero under the hypothesis; only for ML.
    n : int
        Number of draws.
    rng : Generator
        Source of the draws.

    Returns
    -------
    ndarray (n,)
        Not negative; exactly 0 where the variance is estimated as 0.

    Notes
    -----
    m log(1 + sum u^2 / sum w^2) + sup over lambda >= 0 of m log(1 + N / D) - sum log(1 + lambda xi), with
    N = sum w_s^2 lambda mu_s / (1 + lambda mu_s), D = sum of all w^2 - N, and independent standard normal u (one per
    restriction) and w (n - p) [1]_. The supremum is that of a fine grid in log lambda with a parabola through the best
    point and its neighbours.

    References
    ----------
    .. [1] Crainiceanu & Ruppert (2004), Likelihood ratio tests in linear mixed models with one variance component,
       Journal of the Royal Statistical Society B 66(1), 165-185, theorem 1 and equation (10).
    """
    ratios = np.exp(_LOG_RATIOS) / projected.values[-1]
    shrinkage = ratios * projected.values[:, None]
    shrinkage /= 1.0 + shrinkage
    penalty = determinant.counts @ np.log1p(ratios * determinant.values[:, None])
    rest = degrees - int(projected.counts.sum())
    step = max(1, _ENTRIES // max(len(projected.values), len(ratios)))
    out = np.empty(n)
    for start in range(0, n, step):
        size = min(step, n - start)
        squares = rng.chisquare(projected.counts, size=(size, len(projected.counts)))
        total = squares.sum(axis=1)
        if rest:
            total += rng.chisquare(rest, size=size)
        curve = -multiplier * np.log1p(-(squares @ shrinkage) / total[:, None]) - penalty
        out[start : start + size] = _suprema(curve)
        if n_restrictions:
            out[start : start + size] += multiplier * np.log1p(rng.chisquare(n_restrictions, size=size) / total)
    return out


def _suprema(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest value of each row, or 0, with a parabola through the best point and its neighbours."""
    rows = np.arange(len(curve))
    best = curve.argmax(axis=1)
    inner = np.clip(best, 1, curve.shape[1] - 2)
    left, middle, right = (curve[rows, inner + shift] for shift in (-1, 0, 1))
    bend = left - 2.0 * middle + right
    peaked = (best == inner) & (bend < 0.0)
    gain = np.where(peaked, (left - right) ** 2 / np.where(peaked, -8.0 * bend, 1.0), 0.0)
    highest = curve[rows, best]
    return np.where(highest > 0.0, highest + gain, 0.0)
