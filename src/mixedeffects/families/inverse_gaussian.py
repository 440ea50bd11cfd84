"""Positive responses with variance proportional to mu^3."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mixedeffects.families.base import Family
from mixedeffects.families.checks import check_positive
from mixedeffects.families.link import POSITIVE, Interval, Link, PositiveLink
from mixedeffects.families.links import Identity, Inverse, InverseSquared, Log
from mixedeffects.families.results import Cumulative, Derivatives
from mixedeffects.families.special import HALF_LOG_2PI, Vector


class InverseGaussian(Family[PositiveLink]):
    """Positive responses with mean mu and variance phi mu^3 / w: lambda = w / phi.

    Parameters
    ----------
    link : {"1/mu^2", "log", "inverse", "identity"} or Link
        Link of the mean.

    Raises
    ------
    DataError
        For another link.

    Notes
    -----
    log f(y) = (log(lambda / (2 pi y^3)) - lambda (y - mu)^2 / (mu^2 y)) / 2, V(mu) = mu^3. Its derivatives in eta are
    -lambda / 2 times those of y / mu^2 - 2 / mu.
    """

    name: ClassVar[str] = "inverse_gaussian"
    allowed_links: ClassVar[tuple[Link, ...]] = (InverseSquared(), Log(), Inverse(), Identity())
    canonical_link: ClassVar[Link | None] = InverseSquared()
    mean_domain: ClassVar[Interval] = POSITIVE
    has_dispersion: ClassVar[bool] = True
    scaled: ClassVar[bool] = True

    def __init__(self, link: str | Link = "1/mu^2") -> None:
        super().__init__(link)

    def _loglik(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Vector:
        saturated = 0.5 * (np.log(w) - t) - HALF_LOG_2PI - 1.5 * np.log(y)
        return saturated - 0.5 * np.exp(-t) * _deviance(y, self.link.inverse(eta), w)

    def _derivatives(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Derivatives:
        mean = self.link.inverse(eta)
        a, r, rr = self.link.log_mean(eta), self.link.power(eta, -1.0), self.link.power(eta, -2.0)
        shape = w * np.exp(-t)
        d1 = shape * (r.d1 - 0.5 * y * rr.d1)
        d2 = shape * (r.d2 - 0.5 * y * rr.d2)
        expected = shape * a.d1**2 * r.value
        return Derivatives(
            d1=d1,
            d2=d2,
            d3=shape * (r.d3 - 0.5 * y * rr.d3),
            expected=expected,
            expected_d1=shape * (2.0 * a.d1 * a.d2 * r.value + a.d1**2 * r.d1),
            dt=0.5 * (np.exp(-t) * _deviance(y, mean, w) - 1.0),
            dt_d1=-d1,
            dt_d2=-d2,
            expected_dt=-expected,
        )

    def _variance(self, mu: Vector, t: Vector) -> Vector:
        return mu**3

    def _deviance(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Vector:
        return _deviance(y, mu, w)

    def _cdf(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Cumulative:
        from scipy import special

        shape = w * np.exp(-t)
        root, ratio = np.sqrt(shape / y), y / mu
        # The second term is exp(2 lambda / mu), which may overflow, times a tail that is as small.
        tail = np.exp(2.0 * shape / mu + special.log_ndtr(-root * (ratio + 1.0)))
        value = np.minimum(special.ndtr(root * (ratio - 1.0)) + tail, 1.0)
        return Cumulative(value, value)

    def _simulate(self, mu: Vector, w: Vector, t: Vector, rng: np.random.Generator) -> Vector:
        return rng.wald(mu, w * np.exp(-t))

    def _check(self, y: Vector, w: Vector, name: str) -> None:
        check_positive(y, "inverse gaussian", name)

    def _start(self, y: Vector, w: Vector) -> Vector:
        return y.copy()

    def _dispersion_start(self, y: Vector, mu: Vector, w: Vector) -> float:
        # phi has the unit of 1 / y.
        floor = 1e-8 / float(np.mean(mu))
        return float(np.log(max(float(np.mean(w * (y - mu) ** 2 / mu**3)), floor)))


def _deviance(y: Vector, mu: Vector, w: Vector) -> Vector:
    x = np.where(np.isinf(mu), -1.0, (y - mu) / mu)
    return np.asarray(w * x**2 / y)
