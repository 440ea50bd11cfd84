"""The one owner of derivatives at the optimum, computed on demand and kept with the fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from mixedeffects.errors import MixedEffectsError
from mixedeffects.fit.effects import working_theta

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

_FLAT = 1e-8  # of the largest eigenvalue: below it a direction carries no information


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Sums over the levels in the working columns, with their derivatives along the entries of S.

    Attributes
    ----------
    traces : ndarray (d,)
        tr(V^-1 V_e), V the variance relative to sigma^2 and V_e its derivative in the entry e of S.
    trace_products : ndarray (d, d)
        tr(V^-1 V_e V^-1 V_f).
    P : ndarray (d, p, p)
        X'V^-1 V_e V^-1 X.
    Q : ndarray (d, d, p, p)
        Symmetric part of X'V^-1 V_e V^-1 V_f V^-1 X.
    XVX : ndarray (p, p)
        X'V^-1 X.
    S : ndarray (d,)
        The entries of S.
    """

    traces: NDArray[np.float64]
    trace_products: NDArray[np.float64]
    P: NDArray[np.float64]
    Q: NDArray[np.float64]
    XVX: NDArray[np.float64]
    S: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Information:
    """Information about (theta of the working columns, sigma), and what the variance of beta owes them.

    Attributes
    ----------
    hessian : ndarray (d + 1, d + 1)
        Exact Hessian of the deviance, or of the REML criterion, with beta profiled out and sigma not.
    covariance : ndarray (d + 1, d + 1)
        Asymptotic covariance of the parameters, twice the inverse over the directions with information.
    vcov : ndarray (p, p)
        sigma^2 (X'V^-1X)^-1.
    vcov_derivatives : ndarray (d + 1, p, p)
        Derivatives of `vcov` in the parameters.
    """

    hessian: NDArray[np.float64]
    covariance: NDArray[np.float64]
    vcov: NDArray[np.float64]
    vcov_derivatives: NDArray[np.float64]


_moments: WeakKeyDictionary[LmmFit, Moments] = WeakKeyDictionary()
_information: WeakKeyDictionary[LmmFit, Information] = WeakKeyDictionary()


def moments(fit: LmmFit) -> Moments:
    """Moments of the effects at the estimate; computed once for a fit.

    Notes
    -----
    One sweep with derivatives per entry of S, in the space of random effects: nothing has n rows.
    """
    if fit not in _moments:
        _moments[fit] = _compute_moments(fit)
    return _moments[fit]


def _compute_moments(fit: LmmFit) -> Moments:
    objective = fit.objective
    theta = working_theta(fit)
    raw: dict[str, Any] | None = objective.core.effect_moments(theta)
    if raw is None:
        raise MixedEffectsError("the derivatives at the estimate cannot be computed: a factorisation failed")
    entries = objective.layout.entries()
    d, p = len(entries), objective.products.p

    def along(blocks: list[NDArray[np.float64]], e: int) -> Any:
        """The sum over the symmetric direction of entry e."""
        block, row, column = entries[e]
        part = blocks[block][row, column]
        return part if row == column else part + blocks[block][column, row]

    products, Q = np.empty((d, d)), np.empty((d, d, p, p))
    for e in range(d):
        for f in range(d):
            products[e, f] = -along(raw["dH"][f], e)
            change = np.asarray(along(raw["dUU"][f], e)).reshape(p, p)
            Q[e, f] = -0.25 * (change + change.T)
    S = [L @ L.T for L in objective.layout.factors(theta)]
    return Moments(
        traces=np.array([along(raw["H"], e) for e in range(d)]),
        trace_products=0.5 * (products + products.T),
        P=np.array([along(raw["UU"], e) for e in range(d)]).reshape(d, p, p),
        Q=Q,
        XVX=raw["XVX"],
        S=objective.layout.theta(S),
    )


def information(fit: LmmFit) -> Information:
    """Information at the estimate; computed once for a fit.

    Raises
    ------
    MixedEffectsError
        If the exact Hessian cannot be computed, or theta was given and not estimated.

    Notes
    -----
    D(theta, sigma) = log|V| [+ log|X'V^-1X|] + m log(2 pi sigma^2) + rss(theta) / sigma^2 with m = n [- p], whose
    Hessian at the minimum follows from that of the profiled criterion f: D_tt = f'' + r r' / (m sigma^4),
    D_ts = -2 r / sigma^3, D_ss = 4 m / sigma^2, where r is the derivative of rss.
    """
    if fit not in _information:
        _information[fit] = _compute_information(fit)
    return _information[fit]


def _compute_information(fit: LmmFit) -> Information:
    if fit.control.fixed_theta is not None:
        raise MixedEffectsError("theta was given, not estimated: there is no information about it to use")
    objective, solution = fit.objective, fit.solution
    theta = working_theta(fit)
    exact = objective.core.hessian(theta, None)
    if exact is None:
        raise MixedEffectsError("the exact Hessian at the estimate cannot be computed: a factorisation failed")
    s2, m = solution.sigma**2, objective.degrees
    r = _rss_derivative(fit, theta)
    d = len(theta)
    hessian = np.empty((d + 1, d + 1))
    hessian[:d, :d] = exact + np.outer(r, r) / (m * s2**2)
    hessian[:d, d] = hessian[d, :d] = -2.0 * r / solution.sigma**3
    hessian[d, d] = 4.0 * m / s2
    derivatives = np.empty((d + 1, *solution.vcov.shape))
    effect = moments(fit)
    C = np.linalg.inv(effect.XVX) if len(effect.XVX) else effect.XVX
    back = np.linalg.solve(objective.basis.R, C) if len(C) else C  # from the working X to X
    layout = objective.layout
    for e, direction in enumerate(_theta_directions(fit, theta)):
        weights = layout.theta([np.tril(E) for E in direction])
        derivatives[e] = s2 * back @ np.tensordot(weights, effect.P, 1) @ back.T
    derivatives[d] = 2.0 * solution.vcov / solution.sigma
    return Information(
        hessian=hessian,
        covariance=2.0 * _inverse(hessian),
        vcov=solution.vcov,
        vcov_derivatives=derivatives,
    )


def _theta_directions(fit: LmmFit, theta: NDArray[np.float64]) -> list[list[NDArray[np.float64]]]:
    """For each entry of theta the derivative of every term's S = Lambda Lambda'."""
    factors = fit.objective.layout.factors(theta)
    out = []
    for t, L in enumerate(factors):
        for column in range(len(L)):
            for row in range(column, len(L)):
                change = [np.zeros_like(other) for other in factors]
                change[t][row] += L[:, column]
                change[t][:, row] += L[:, column]
                out.append(change)
    return out


def _rss_derivative(fit: LmmFit, theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Derivative of rss in theta, -s'E_e s with s = Z'Py, in the working columns."""
    raw = fit.objective.core.evaluate(theta, None, True)
    layout = fit.objective.layout
    ss = []
    for t, block in enumerate(layout.block_of):
        s = raw["s"][block][:, layout.columns_of(t)]
        ss.append(s.T @ s)
    changes = _theta_directions(fit, theta)
    return np.array([-sum(float((E * M).sum()) for E, M in zip(change, ss, strict=True)) for change in changes])


def _inverse(hessian: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse over the directions with information; those without carry no parameter (a zero column of Lambda)."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-300))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    kept = values > _FLAT * values.max()
    half = vectors[:, kept] / np.sqrt(values[kept]) / scale[:, None]
    return np.asarray(half @ half.T, dtype=np.float64)
