"""Counts with variance mu (1 + phi) (nb1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mixedeffects.families.base import Family
from mixedeffects.families.checks import check_count
from mixedeffects.families.link import POSITIVE, Interval, Link, PositiveLink
from mixedeffects.families.links import Identity, Log, Sqrt
from mixedeffects.families.nb1_information import size_information
from mixedeffects.families.negative_binomial import nb2_cdf, nb2_half_deviance
from mixedeffects.families.results import Cumulative, Derivatives
from mixedeffects.families.special import (
    Vector,
    digamma_gap,
    log1p_excess,
    saturated_binomial,
    tetragamma_step,
    trigamma_gap,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DISPERSIONS = (0.05, 100.0)  # dispersions to start from
_LOG_MEAN = 600.0  # beyond it mean and size overflow, and the log-density is under -1e260 in any case


class NegativeBinomial1(Family[PositiveLink]):
    """Counts y with mean mu and variance mu (1 + phi): glmmTMB's `nbinom1`, `dnbinom(y, size = mu / phi, mu = mu)`.

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
    With k = mu / phi: log f(y) = w [log gamma(y + k) - log gamma(k) - log(y!) + y log(phi) - (y + k) log(1 + phi)]. The
    limit phi -> 0 is Poisson. eta acts through k only. For y >= 1 gamma(k) is written as gamma(1 + k) / k: log k moves
    with log mu, and what is left stays bounded as k -> 0.

    `deviance` is glmmTMB's: that of the negative binomial distribution of size mu / phi. The best mean for a count is
    not the count itself here, so it is no difference of log-likelihoods.
    """

    name: ClassVar[str] = "negative_binomial1"
    allowed_links: ClassVar[tuple[Link, ...]] = (Log(), Sqrt(), Identity())
    mean_domain: ClassVar[Interval] = POSITIVE
    has_dispersion: ClassVar[bool] = True
    discrete: ClassVar[bool] = True

    def __init__(self, link: str | Link = "log") -> None:
        super().__init__(link)

    def _loglik(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Vector:
        log_mu = np.minimum(self.link.log_mean(eta).value, _LOG_MEAN)
        size = np.exp(log_mu - t)
        # log(size / (size + y)): for a size that underflows log(size) is known all the same
        log_share = np.where(y > 0.0, log_mu - t - np.log(size + y), 0.0)
        return w * (saturated_binomial(y, size) + log_share - nb2_half_deviance(y, log_mu, log_mu - t))

    def _derivatives(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Derivatives:
        phi = np.exp(t)
        a, mean = self.link.log_mean(eta), self.link.derivatives(eta)
        k, k1, k2, k3 = (v / phi for v in (mean.value, mean.d1, mean.d2, mean.d3))
        some = y > 0.0
        D1, D2, D3, slope = _size_derivatives(y, mean.value, k, phi)
        information, by_k, by_phi = size_information(k, phi)
        return Derivatives(
            d1=w * (some * a.d1 + D1 * k1),
            d2=w * (some * a.d2 + D2 * k1**2 + D1 * k2),
            d3=w * (some * a.d3 + D3 * k1**3 + 3.0 * D2 * k1 * k2 + D1 * k3),
            expected=w * k1**2 * information,
            expected_d1=w * (2.0 * k1 * k2 * information + k1**3 * by_k),
            dt=w * _dispersion_derivative(y, mean.value, k, phi),
            dt_d1=w * k1 * slope,
            dt_d2=w * (k2 * slope - k1**2 * (2.0 * D2 + k * D3)),
            expected_dt=w * k1**2 * (phi * by_phi - k * by_k - 2.0 * information),
        )

    def _variance(self, mu: Vector, t: Vector) -> Vector:
        return np.asarray(mu * (1.0 + np.exp(t)))

    def _deviance(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Vector:
        log_mu = np.log(mu)
        return 2.0 * w * nb2_half_deviance(y, log_mu, log_mu - t)

    def _cdf(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Cumulative:
        return nb2_cdf(y, mu, mu * np.exp(-t))

    def _simulate(self, mu: Vector, w: Vector, t: Vector, rng: np.random.Generator) -> NDArray[Any]:
        phi = np.exp(t)
        return np.asarray(rng.poisson(rng.gamma(mu / phi, phi)))

    def _check(self, y: Vector, w: Vector, name: str) -> None:
        check_count(y, "negative binomial", name)

    def _start(self, y: Vector, w: Vector) -> Vector:
        return np.where(y > 0.0, y, 1.0 / 6.0)

    def _dispersion_start(self, y: Vector, mu: Vector, w: Vector) -> float:
        phi = float(np.sum(w * (y - mu) ** 2 / mu) / np.sum(w)) - 1.0
        return float(np.log(np.clip(phi, *_DISPERSIONS)))


def _size_derivatives(y: Vector, mu: Vector, k: Vector, phi: Vector) -> tuple[Vector, Vector, Vector, Vector]:
    """Three derivatives in k of log gamma(y + k) - log gamma(1 + k) - k log(1 + phi), for y = 0 of its last term alone.

    The fourth value is -k D2 - D1 - phi / (1 + phi), of which hardly anything is left for a small phi. With D1 =
    log(1 + x) + ..., the terms of first order go into one fraction.
    """
    some = y > 0.0
    step = np.where(some, y - 1.0, 0.0)
    end = np.where(some, y, 1.0) + k
    # psi(y + k) - psi(1 + k) - log(1 + phi), its three logarithms in one: log(1 + x)
    base = (1.0 + k) * (1.0 + phi)
    x = np.where(some, (step - phi * (1.0 + k)) / base, -phi / (1.0 + phi))
    ratio = np.where(some, end / base, 1.0 / (1.0 + phi))
    log_ratio = np.where(np.abs(x) < 0.5, np.log1p(np.maximum(x, -0.5)), np.log(ratio))
    gaps = digamma_gap(1.0 + k) - digamma_gap(end)
    tri_gaps = trigamma_gap(end) - trigamma_gap(1.0 + k)
    D2 = -step / ((1.0 + k) * end) + tri_gaps
    slope = step * (mu - y) / (base * end) - k * tri_gaps - (log1p_excess(x, ratio) + gaps)
    return log_ratio + gaps, D2, tetragamma_step(1.0 + k, step), slope


def _dispersion_derivative(y: Vector, mu: Vector, k: Vector, phi: Vector) -> Vector:
    """Derivative in t: k moves as -k, and phi itself; what the two have in common cancels on paper."""
    some = y > 0.0
    x = phi * (y - mu) / (mu * (1.0 + phi))
    x = np.where(some, x, -phi / (1.0 + phi))
    ratio = np.where(some, (mu + phi * y) / (mu * (1.0 + phi)), 1.0 / (1.0 + phi))
    gaps = np.where(some, digamma_gap(k) - digamma_gap(k + y), 0.0)
    return -k * (gaps + log1p_excess(x, ratio))
