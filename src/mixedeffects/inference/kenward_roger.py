"""Kenward and Roger's adjusted covariance, degrees of freedom and scaled F, from moments of the random effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from mixedeffects.errors import MixedEffectsError
from mixedeffects.inference.information import moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

_LIMIT = 1e-8  # from where 0 / 0 is replaced by its limit
_SINGULAR = 1e-10  # ratio of eigenvalues of the scaled information


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Adjustment:
    """What the method needs at a fit.

    Attributes
    ----------
    vcov : ndarray (p, p)
        Phi = sigma^2 (X'V^-1X)^-1.
    adjusted : ndarray (p, p)
        Phi_A, for small samples.
    W : ndarray (d + 1, d + 1)
        Asymptotic covariance of the entries of sigma^2 S and of sigma^2.
    PhiPPhi : ndarray (d + 1, p, p)
        Phi P_i Phi.
    """

    vcov: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    W: NDArray[np.float64]
    PhiPPhi: NDArray[np.float64]


_adjustments: WeakKeyDictionary[LmmFit, Adjustment] = WeakKeyDictionary()


def adjustment(fit: LmmFit) -> Adjustment:
    """Kenward-Roger adjustment of a REML fit; computed once.

    Raises
    ------
    MixedEffectsError
        For a fit by maximum likelihood, for a theta that was given, or if the information is singular.

    Notes
    -----
    V = sum_i s_i G_i, with s the entries of sigma^2 S and sigma^2 itself. P_i = -X'V^-1 G_i V^-1 X,
    Q_ij = X'V^-1 G_i V^-1 G_j V^-1 X, W the inverse of the expected information, and
    Phi_A = Phi + 2 Phi [sum_ij W_ij (Q_ij - P_i Phi P_j)] Phi [1]_. The term of second derivatives of V is zero.

    References
    ----------
    .. [1] Kenward & Roger (1997), Small sample inference for fixed effects from restricted maximum likelihood,
       Biometrics 53, 983-997. Halekoh & Hojsgaard (2014), Journal of Statistical Software 59(9).
    """
    if fit not in _adjustments:
        _adjustments[fit] = _compute(fit)
    return _adjustments[fit]


def _compute(fit: LmmFit) -> Adjustment:
    if not fit.reml:
        raise MixedEffectsError(
            "Kenward-Roger is defined for REML fits only, and this fit is by maximum likelihood; use reml=True"
        )
    if fit.control.fixed_theta is not None:
        raise MixedEffectsError("theta was given, not estimated: there is nothing for Kenward-Roger to adjust for")
    # In units of sigma^2 and of the working X; the derivative in sigma^2 is G_0 = W^-1 = V - Z S Z'.
    m = moments(fit)
    d = len(m.S)
    n = fit.nobs
    K = np.empty((d + 1, d + 1))
    K[:d, :d] = m.trace_products
    K[d, :d] = K[:d, d] = m.traces - m.trace_products @ m.S
    K[d, d] = n - 2.0 * m.S @ m.traces + m.S @ m.trace_products @ m.S
    P = np.concatenate([m.P, (m.XVX - np.tensordot(m.S, m.P, 1))[None]])
    Q = np.empty((d + 1, d + 1, *m.XVX.shape))
    SQ = np.tensordot(m.S, m.Q, 1)
    Q[:d, :d] = m.Q
    Q[d, :d] = Q[:d, d] = m.P - SQ
    Q[d, d] = m.XVX - 2.0 * np.tensordot(m.S, m.P, 1) + np.tensordot(m.S, SQ, 1)
    Phi = np.linalg.inv(m.XVX)
    PhiP = np.einsum("ab,ibc->iac", Phi, P)
    double = np.einsum("iab,jba->ij", PhiP, PhiP)
    information = 0.5 * (K - 2.0 * np.einsum("ab,ijba->ij", Phi, Q) + double)
    W = _inverse(information)
    PPhiP = np.einsum("iab,jbc->ijac", P, PhiP)
    U = np.einsum("ij,ijab->ab", W, Q - 0.5 * (PPhiP + PPhiP.swapaxes(0, 1)))
    back = fit.solution.sigma * np.linalg.inv(fit.objective.basis.R)
    adjusted = Phi + 2.0 * Phi @ U @ Phi
    PhiPPhi = np.einsum("iab,bc->iac", PhiP, Phi)
    return Adjustment(
        vcov=fit.solution.vcov,
        adjusted=np.asarray(back @ adjusted @ back.T),
        W=W,
        PhiPPhi=np.einsum("ab,ibc,dc->iad", back, PhiPPhi, back),
    )


def _inverse(information: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = 1.0 / np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, vectors = np.linalg.eigh(information * np.outer(scale, scale))
    if not values[0] > _SINGULAR * values[-1]:
        raise MixedEffectsError(
            "Kenward-Roger is undefined here: the information about the variance parameters is singular "
            f"(eigenvalues from {values[0]:.2g} to {values[-1]:.2g}). Drop the terms without variance, or use "
            'ddf="satterthwaite"'
        )
    half = vectors / np.sqrt(values) * scale[:, None]
    return np.asarray(half @ half.T, dtype=np.float64)


def f_test(fit: LmmFit, L: NDArray[np.float64], difference: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Scaled F statistic, its degrees of freedom, and the scale.

    Parameters
    ----------
    fit : LmmFit
        A REML fit.
    L : ndarray (q, p)
        Of full row rank, over the estimated coefficients.
    difference : ndarray (q,)
        L beta less its value under the hypothesis.

    Returns
    -------
    statistic, df_num, df_den, scale : float
        `statistic` is already multiplied by the scale lambda.
    """
    kr = adjustment(fit)
    q = len(L)
    Theta = L.T @ np.linalg.solve(L @ kr.vcov @ L.T, L)
    TP = np.einsum("ab,ibc->iac", Theta, kr.PhiPPhi)
    traces = np.einsum("iaa->i", TP)
    A1 = float(traces @ kr.W @ traces)
    A2 = float(np.einsum("ij,iab,jba->", kr.W, TP, TP))
    B = (A1 + 6.0 * A2) / (2.0 * q)
    g = ((q + 1.0) * A1 - (q + 4.0) * A2) / ((q + 2.0) * A2)
    c = 3.0 * q + 2.0 * (1.0 - g)
    c1, c2, c3 = g / c, (q - g) / c, (q + 2.0 - g) / c
    # In reciprocals: E is infinite at 2 degrees of freedom, and V at 4, where the limits are finite.
    inverse_E, gap = 1.0 - A2 / q, 1.0 - c2 * B
    ratio = 1.0 if max(abs(inverse_E), abs(gap)) < _LIMIT else inverse_E / gap
    over, under = ratio**2 * (1.0 + c1 * B), 1.0 - c3 * B  # q rho = over / under
    df = 4.0 + (q + 2.0) * under / (over - under)
    scale = 1.0 if abs(df - 2.0) < _LIMIT else df * inverse_E / (df - 2.0)
    wald = float(difference @ np.linalg.solve(L @ kr.adjusted @ L.T, difference)) / q
    return scale * wald, float(q), float(df), float(scale)
