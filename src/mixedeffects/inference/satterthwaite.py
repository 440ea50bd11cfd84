"""Satterthwaite's degrees of freedom, in (theta, sigma)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.inference.information import information

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

_RANK = 1e-10  # of the largest eigenvalue of L vcov L'


def df_one(fit: LmmFit, L: NDArray[np.float64]) -> float:
    """Degrees of freedom of the t statistic of one contrast.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    L : ndarray (p,)
        Over the estimated coefficients.

    Notes
    -----
    2 v^2 / (g'Ag) with v = L'vcov L, g its derivative in (theta, sigma) and A their covariance [1]_.

    References
    ----------
    .. [1] Kuznetsova, Brockhoff & Christensen (2017), lmerTest, Journal of Statistical Software 82(13).
    """
    info = information(fit)
    variance = float(L @ info.vcov @ L)
    g = np.einsum("i,eij,j->e", L, info.vcov_derivatives, L)
    return float(2.0 * variance**2 / (g @ info.covariance @ g))


def f_test(fit: LmmFit, L: NDArray[np.float64], difference: NDArray[np.float64]) -> tuple[float, float, float]:
    """F statistic, numerator and denominator degrees of freedom of several contrasts.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    L : ndarray (q, p)
        Over the estimated coefficients.
    difference : ndarray (q,)
        L beta less its value under the hypothesis.

    Notes
    -----
    In the eigenvectors of L vcov L' the statistic is the mean of squares of independent t statistics with nu_i degrees
    of freedom; the denominator matches its mean: 2 E / (E - q), E the sum of nu_i / (nu_i - 2) over nu_i > 2.
    """
    info = information(fit)
    values, vectors = np.linalg.eigh(L @ info.vcov @ L.T)
    kept = values > _RANK * max(values.max(), 0.0)
    q = int(kept.sum())
    directions = vectors[:, kept].T
    t2 = (directions @ difference) ** 2 / values[kept]
    nu = np.array([df_one(fit, direction @ L) for direction in directions])
    return float(t2.sum() / q), float(q), _denominator(nu, q)


def _denominator(nu: NDArray[np.float64], q: int) -> float:
    if q == 1:
        return float(nu[0])
    if np.ptp(nu) < 1e-8:
        return float(nu.mean())
    if not (nu > 2.0).all():
        return 2.0
    E = float((nu / (nu - 2.0)).sum())
    return 2.0 * E / (E - q)
