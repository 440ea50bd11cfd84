"""Positive responses with a constant coefficient of variation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mixedeffects.families.base import Family
from mixedeffects.families.checks import check_positive
from mixedeffects.families.link import POSITIVE, Interval, Link, PositiveLink
from mixedeffects.families.links import Identity, Inverse, Log
from mixedeffects.families.results import Cumulative, Derivatives
from mixedeffects.families.special import HALF_LOG_2PI, Vector, digamma_gap, log1p_excess, stirling_error


class Gamma(Family[PositiveLink]):
    """Positive responses with mean mu and variance phi mu^2 / w: shape w / phi, scale mu phi / w.

    Parameters
    ----------
    link : {"inverse", "log", "identity"} or Link
        Link of the mean.

    Raises
    ------
    DataError
        For another link.

    Notes
    -----
    With k = w / phi and r = y / mu: log f(y) = k log k - log gamma(k) + k (log r - r) - log y, V(mu) = mu^2. Its
    derivatives in eta are -k times those of log mu + y / mu.
    """

    name: ClassVar[str] = "gamma"
    allowed_links: ClassVar[tuple[Link, ...]] = (Inverse(), Log(), Identity())
    canonical_link: ClassVar[Link | None] = Inverse()
    mean_domain: ClassVar[Interval] = POSITIVE
    has_dispersion: ClassVar[bool] = True
    scaled: ClassVar[bool] = True

    def __init__(self, link: str | Link = "inverse") -> None:
        super().__init__(link)

    def _ratio_excess(self, y: Vector, eta: Vector) -> Vector:
        return _excess(y, self.link.inverse(eta), self.link.log_mean(eta).value)

    def _loglik(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Vector:
        shape = w * np.exp(-t)
        saturated = 0.5 * np.log(shape) - HALF_LOG_2PI - stirling_error(shape) - np.log(y)
        return saturated + shape * self._ratio_excess(y, eta)

    def _derivatives(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Derivatives:
        a, reciprocal = self.link.log_mean(eta), self.link.power(eta, -1.0)
        shape = w * np.exp(-t)
        d1 = -shape * (a.d1 + y * reciprocal.d1)
        d2 = -shape * (a.d2 + y * reciprocal.d2)
        expected = shape * a.d1**2
        return Derivatives(
            d1=d1,
            d2=d2,
            d3=-shape * (a.d3 + y * reciprocal.d3),
            expected=expected,
            expected_d1=2.0 * shape * a.d1 * a.d2,
            dt=-shape * (digamma_gap(shape) + self._ratio_excess(y, eta)),
            dt_d1=-d1,
            dt_d2=-d2,
            expected_dt=-expected,
        )

    def _variance(self, mu: Vector, t: Vector) -> Vector:
        return mu**2

    def _deviance(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Vector:
        return -2.0 * w * _excess(y, mu, np.log(mu))

    def _cdf(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Cumulative:
        from scipy import special

        shape = w * np.exp(-t)
        value = special.gammainc(shape, shape * (y / mu))
        return Cumulative(value, value)

    def _simulate(self, mu: Vector, w: Vector, t: Vector, rng: np.random.Generator) -> Vector:
        shape = w * np.exp(-t)
        return rng.gamma(shape, mu / shape)

    def _check(self, y: Vector, w: Vector, name: str) -> None:
        check_positive(y, "gamma", name)

    def _start(self, y: Vector, w: Vector) -> Vector:
        return y.copy()

    def _dispersion_start(self, y: Vector, mu: Vector, w: Vector) -> float:
        return float(np.log(np.clip(np.mean(w * (y / mu - 1.0) ** 2), 1e-8, 1e3)))


def _excess(y: Vector, mean: Vector, log_mean: Vector) -> Vector:
    """Log r - (r - 1) with r = y / mean, which is never positive."""
    ratio = y / mean
    normal = (ratio > 1e-300) & (ratio < 1e300)
    inside = np.where(normal, mean, y)
    # Where the ratio under- or overflows its logarithm does not.
    outside = np.log(y) - log_mean - (ratio - 1.0)
    return np.where(normal, log1p_excess((y - inside) / inside, y / inside), outside)
