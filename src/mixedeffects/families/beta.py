"""Proportions strictly between 0 and 1."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mixedeffects.families.base import Family
from mixedeffects.families.checks import refuse
from mixedeffects.families.link import UNIT, Interval, Link, UnitLink
from mixedeffects.families.links import Cloglog, Logit, Probit
from mixedeffects.families.results import Cumulative, Derivatives
from mixedeffects.families.special import (
    HALF_LOG_2PI,
    Vector,
    digamma_gap,
    half_deviance,
    half_log_less_error,
    scaled_digamma_gap,
    tetragamma,
    trigamma,
)

_PRECISIONS = (0.1, 1e4)  # precisions to start from
_BISECTIONS = 60


class Beta(Family[UnitLink]):
    """Responses in (0, 1) with mean mu and variance mu (1 - mu) / (1 + phi): shapes mu phi and (1 - mu) phi.

    Parameters
    ----------
    link : {"logit", "probit", "cloglog"} or Link
        Link of the mean.

    Raises
    ------
    DataError
        For another link.

    Notes
    -----
    With a = mu phi and b = (1 - mu) phi: log f(y) = w [log gamma(phi) - log gamma(a) - log gamma(b) + (a - 1) log y +
    (b - 1) log(1 - y)], as in Ferrari and Cribari-Neto [1]_ and glmmTMB. Derivatives use gamma(a) = gamma(1 + a) / a,
    so that log a and log b move with log mu and log(1 - mu), and what is left stays bounded in the tails.

    The unit deviance of row i is 2 w (max_m log f(y; m) - log f(y; mu)) at the same phi, as in [1]_; the best mean m
    is near y, not at it.

    References
    ----------
    .. [1] Ferrari & Cribari-Neto (2004), Beta regression for modelling rates and proportions, Journal of Applied
       Statistics 31(7).
    """

    name: ClassVar[str] = "beta"
    allowed_links: ClassVar[tuple[Link, ...]] = (Logit(), Probit(), Cloglog())
    mean_domain: ClassVar[Interval] = UNIT
    has_dispersion: ClassVar[bool] = True

    def __init__(self, link: str | Link = "logit") -> None:
        super().__init__(link)

    def _loglik(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Vector:
        return w * _log_density(y, self.link.log_mean(eta).value, self.link.log_complement(eta).value, t)

    def _derivatives(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Derivatives:
        phi = np.exp(t)
        mean, la, lb = self.link.derivatives(eta), self.link.log_mean(eta), self.link.log_complement(eta)
        a, b = phi * np.exp(la.value), phi * np.exp(lb.value)
        m1, m2, m3 = mean.d1 * phi, mean.d2 * phi, mean.d3 * phi  # derivatives of a, and of -b
        first = _logit_gap(y, a, b)
        tri_a, tri_b, tetra_a, tetra_b = trigamma(1.0 + a), trigamma(1.0 + b), tetragamma(1.0 + a), tetragamma(1.0 + b)
        second, third = -(tri_a + tri_b), -(tetra_a - tetra_b)
        slope = first - a * tri_a + b * tri_b
        bend = 2.0 * second - a * tetra_a - b * tetra_b
        return Derivatives(
            d1=w * (la.d1 + lb.d1 + m1 * first),
            d2=w * (la.d2 + lb.d2 + m2 * first + m1**2 * second),
            d3=w * (la.d3 + lb.d3 + m3 * first + 3.0 * m1 * m2 * second + m1**3 * third),
            expected=w * (la.d1**2 + lb.d1**2 - m1**2 * second),
            expected_d1=w * (2.0 * (la.d1 * la.d2 + lb.d1 * lb.d2 - m1 * m2 * second) - m1**3 * third),
            dt=w * _precision_derivative(y, la.value, lb.value, t),
            dt_d1=w * m1 * slope,
            dt_d2=w * (m2 * slope + m1**2 * bend),
            expected_dt=-w * m1**2 * bend,
        )

    def _variance(self, mu: Vector, t: Vector) -> Vector:
        return mu * (1.0 - mu) / (1.0 + np.exp(t))

    def _deviance(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Vector:
        logit = Logit()
        best = _best_logit(y, np.exp(t))
        top = _log_density(y, logit.log_mean(best).value, logit.log_complement(best).value, t)
        return np.maximum(2.0 * w * (top - _log_density(y, np.log(mu), np.log1p(-mu), t)), 0.0)

    def _cdf(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Cumulative:
        from scipy import special

        value = special.betainc(mu * np.exp(t), (1.0 - mu) * np.exp(t), y)
        return Cumulative(value, value)

    def _simulate(self, mu: Vector, w: Vector, t: Vector, rng: np.random.Generator) -> Vector:
        return rng.beta(mu * np.exp(t), (1.0 - mu) * np.exp(t))

    def _check(self, y: Vector, w: Vector, name: str) -> None:
        must = "responses of this family must lie strictly between 0 and 1"
        refuse(~((y > 0.0) & (y < 1.0)), y, f"the beta response {name!r}", must)

    def _start(self, y: Vector, w: Vector) -> Vector:
        return y.copy()

    def _dispersion_start(self, y: Vector, mu: Vector, w: Vector) -> float:
        # var(y) (1 + phi) = mu (1 - mu)
        spread = float(np.sum(w * (y - mu) ** 2))
        phi = float(np.sum(w * mu * (1.0 - mu))) / spread - 1.0 if spread > 0.0 else np.inf
        return float(np.log(np.clip(phi, *_PRECISIONS)))


def _half_deviances(y: Vector, log_p: Vector, log_q: Vector, t: Vector) -> Vector:
    """Return phi [p log(p / y) + q log(q / (1 - y))], as two terms that are never negative."""
    phi = np.exp(t)
    of_p = half_deviance(phi * np.exp(log_p), phi * y, t + np.log(y))
    return of_p + half_deviance(phi * np.exp(log_q), phi * (1.0 - y), t + np.log1p(-y))


def _log_density(y: Vector, log_p: Vector, log_q: Vector, t: Vector) -> Vector:
    phi = np.exp(t)
    of_a = half_log_less_error(phi * np.exp(log_p), t + log_p)
    of_b = half_log_less_error(phi * np.exp(log_q), t + log_q)
    saturated = of_a + of_b - half_log_less_error(phi, t) - HALF_LOG_2PI - np.log(y) - np.log1p(-y)
    return saturated - _half_deviances(y, log_p, log_q, t)


def _logit_gap(y: Vector, a: Vector, b: Vector) -> Vector:
    """logit(y) - psi(1 + a) + psi(1 + b)."""
    logs = np.log(y) - np.log1p(-y) - np.log((1.0 + a) / (1.0 + b))
    return logs + (digamma_gap(1.0 + a) - digamma_gap(1.0 + b))


def _precision_derivative(y: Vector, log_p: Vector, log_q: Vector, t: Vector) -> Vector:
    """Derivative in t = log(phi): what is left of phi (psi(phi) - p psi(a) - q psi(b) + ...) without its logarithms."""
    phi = np.exp(t)
    of_a, of_b = scaled_digamma_gap(phi * np.exp(log_p)), scaled_digamma_gap(phi * np.exp(log_q))
    return of_a + of_b - scaled_digamma_gap(phi) - _half_deviances(y, log_p, log_q, t)


def _best_logit(y: Vector, phi: Vector) -> Vector:
    """Logit of the mean m with psi(m phi) - psi((1 - m) phi) = logit(y), by bisection.

    The left side exceeds logit(m) in size and has its sign, so the root lies between 0 and logit(y).
    """
    from scipy import special

    target = np.log(y) - np.log1p(-y)
    low, high = np.minimum(target, 0.0), np.maximum(target, 0.0)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        a, b = phi * special.expit(middle), phi * special.expit(-middle)
        below = special.psi(a) - special.psi(b) < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(0.5 * (low + high))
