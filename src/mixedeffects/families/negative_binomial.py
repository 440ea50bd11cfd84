"""Counts with variance mu + mu^2 / size (nb2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mixedeffects.families.base import Family
from mixedeffects.families.checks import check_count
from mixedeffects.families.link import POSITIVE, Interval, Jet, Link, PositiveLink
from mixedeffects.families.links import Identity, Log, Sqrt
from mixedeffects.families.results import Cumulative, Derivatives
from mixedeffects.families.special import Vector, digamma_gap, half_deviance, log1p_excess, saturated_binomial

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIZES = (0.05, 100.0)  # sizes to start from


class NegativeBinomial(Family[PositiveLink]):
    """Counts y with mean mu and variance mu + mu^2 / phi: R's `dnbinom(y, size = phi, mu = mu)`.

    Parameters
    ----------
    link : {"log", "sqrt", "identity"} or Link
        Link of the mean.

    Raises
    ------
    DataError
        For another link.

    Notes
    -----
    With s = phi: log f(y) = w [log gamma(y + s) - log gamma(s) - log(y!) + y log mu + s log s - (y + s) log(mu + s)].
    A larger phi means *less* dispersion; the limit is Poisson. It is computed as a binomial probability of y successes
    and s failures, so that sizes of 1e10 do no harm. The shares below are P = mu / (mu + s) and S = s / (mu + s).
    """

    name: ClassVar[str] = "negative_binomial"
    allowed_links: ClassVar[tuple[Link, ...]] = (Log(), Sqrt(), Identity())
    mean_domain: ClassVar[Interval] = POSITIVE
    has_dispersion: ClassVar[bool] = True
    discrete: ClassVar[bool] = True

    def __init__(self, link: str | Link = "log") -> None:
        super().__init__(link)

    def _loglik(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Vector:
        size = np.exp(t)
        saturated = saturated_binomial(y, size) - np.log1p(y / size)
        return w * (saturated - nb2_half_deviance(y, self.link.log_mean(eta).value, t))

    def _derivatives(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Derivatives:
        size = np.exp(t)
        a, mean = self.link.log_mean(eta), self.link.derivatives(eta)
        mu = mean.value
        P, S = _shares(mu / size)
        d1, d2, d3 = (w * d for d in _eta_derivatives(y, a, mean, size))
        expected = w * size * P * a.d1**2
        x = (y - mu) / (size + mu)
        gaps = digamma_gap(size) - digamma_gap(y + size)
        return Derivatives(
            d1=d1,
            d2=d2,
            d3=d3,
            expected=expected,
            expected_d1=w * size * P * a.d1 * (S * a.d1**2 + 2.0 * a.d2),
            dt=w * size * (gaps + log1p_excess(x, (y + size) / (size + mu))),
            dt_d1=d1 * P,
            dt_d2=P * (d2 + d1 * S * a.d1),
            expected_dt=expected * P,
        )

    def _variance(self, mu: Vector, t: Vector) -> Vector:
        return np.asarray(mu * (1.0 + mu * np.exp(-t)))

    def _deviance(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Vector:
        return 2.0 * w * nb2_half_deviance(y, np.log(mu), t)

    def _cdf(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Cumulative:
        return nb2_cdf(y, mu, np.exp(t))

    def _simulate(self, mu: Vector, w: Vector, t: Vector, rng: np.random.Generator) -> NDArray[Any]:
        size = np.exp(t)
        return np.asarray(rng.poisson(rng.gamma(size, mu / size)))

    def _check(self, y: Vector, w: Vector, name: str) -> None:
        check_count(y, "negative binomial", name)

    def _start(self, y: Vector, w: Vector) -> Vector:
        return np.where(y > 0.0, y, 1.0 / 6.0)

    def _dispersion_start(self, y: Vector, mu: Vector, w: Vector) -> float:
        # var(y) - mu = mu^2 / size
        surplus = float(np.sum(w * ((y - mu) ** 2 - mu)))
        size = float(np.sum(w * mu**2)) / surplus if surplus > 0.0 else np.inf
        return float(np.log(np.clip(size, *_SIZES)))


def _shares(odds: Vector) -> tuple[Vector, Vector]:
    """Return mu / (mu + size) and its complement from mu / size, which may be 0 or infinite."""
    return 1.0 / (1.0 + 1.0 / odds), 1.0 / (1.0 + odds)


def _eta_derivatives(y: Vector, a: Jet, mean: Jet, size: Vector) -> tuple[Vector, Vector, Vector]:
    """Derivatives in eta of y log mu - (y + s) log(mu + s), from those of log mu and of mu.

    Where mu is small beside s, the chain through log(mu + s) cancels nothing; where it is large, the chain through log
    mu, whose terms all carry the small share S.
    """
    P, S = _shares(mean.value / size)
    r = y * S - size * P
    n = y + size
    total = mean.value + size
    c1, c2, c3 = mean.d1 / total, mean.d2 / total, mean.d3 / total
    small2 = y * a.d2 - n * (c2 - c1**2)
    small3 = y * a.d3 - n * (c3 - 3.0 * c1 * c2 + 2.0 * c1**3)
    Q = n * P * S
    large2 = r * a.d2 - Q * a.d1**2
    large3 = r * a.d3 - 3.0 * Q * a.d1 * a.d2 - Q * (S - P) * a.d1**3
    small = P < 0.5
    return r * a.d1, np.where(small, small2, large2), np.where(small, small3, large3)


def nb2_half_deviance(y: Vector, log_mu: Vector, log_size: Vector) -> Vector:
    """Return half the unit deviance of counts under a negative binomial distribution of that mean and size.

    Parameters
    ----------
    y, log_mu, log_size : ndarray (n,)
        Counts; logarithms of means and sizes.

    Notes
    -----
    y log(y / mu) - (y + s) log((y + s) / (mu + s)), as two half deviances that are never negative: y successes and s
    failures against n P and n S, n = y + s.
    """
    size = np.exp(log_size)
    n = y + size
    log_n = np.log(n)
    log_P, log_S = -np.logaddexp(0.0, log_size - log_mu), -np.logaddexp(0.0, log_mu - log_size)
    odds = np.exp(log_mu) / size
    P, S = _shares(np.where(np.isfinite(odds), odds, np.exp(log_mu - log_size)))
    return half_deviance(y, n * P, log_n + log_P) + half_deviance(size, n * S, log_n + log_S)


def nb2_cdf(y: Vector, mu: Vector, size: Vector) -> Cumulative:
    """Return P(Y < y) and P(Y <= y) of a negative binomial distribution.

    Parameters
    ----------
    y, mu, size : ndarray (n,)
        Counts, means, sizes.
    """
    from scipy import special

    P, S = _shares(mu / size)

    def upto(k: Vector) -> Vector:
        # 1 - I_P(k + 1, size) and I_S(size, k + 1) are equal; the smaller share is the precise one.
        count, own_size, p, s = np.broadcast_arrays(k + 1.0, size, P, S)
        by_p = p < 0.5
        out = np.empty(by_p.shape)
        out[by_p] = special.betaincc(count[by_p], own_size[by_p], p[by_p])
        out[~by_p] = special.betainc(own_size[~by_p], count[~by_p], s[~by_p])
        return out

    lower = np.where(y > 0.0, upto(np.maximum(y - 1.0, 0.0)), 0.0)
    return Cumulative(lower, upto(y))
