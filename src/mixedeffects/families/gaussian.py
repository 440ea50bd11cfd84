"""The normal distribution."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mixedeffects.families.base import Family
from mixedeffects.families.link import REAL, Interval, Link
from mixedeffects.families.links import Identity, Inverse, Log
from mixedeffects.families.results import Cumulative, Derivatives
from mixedeffects.families.special import HALF_LOG_2PI, Vector

_EXACT = 1e-8  # of the mean square response: the smallest variance to start from


class Gaussian(Family[Link]):
    """Normal responses with mean mu and variance phi / w.

    Parameters
    ----------
    link : {"identity", "log", "inverse"} or Link
        Link of the mean.

    Raises
    ------
    DataError
        For another link.

    Notes
    -----
    log f(y) = (log(w / (2 pi phi)) - w (y - mu)^2 / phi) / 2, V(mu) = 1.
    """

    name: ClassVar[str] = "gaussian"
    allowed_links: ClassVar[tuple[Link, ...]] = (Identity(), Log(), Inverse())
    canonical_link: ClassVar[Link | None] = Identity()
    mean_domain: ClassVar[Interval] = REAL
    has_dispersion: ClassVar[bool] = True
    scaled: ClassVar[bool] = True

    def __init__(self, link: str | Link = "identity") -> None:
        super().__init__(link)

    def _loglik(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Vector:
        precision = w * np.exp(-t)
        return 0.5 * (np.log(w) - t - precision * (y - self.link.inverse(eta)) ** 2) - HALF_LOG_2PI

    def _derivatives(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Derivatives:
        mean = self.link.derivatives(eta)
        precision = w * np.exp(-t)
        r = y - mean.value
        d1 = precision * r * mean.d1
        d2 = precision * (r * mean.d2 - mean.d1**2)
        expected = precision * mean.d1**2
        return Derivatives(
            d1=d1,
            d2=d2,
            d3=precision * (r * mean.d3 - 3.0 * mean.d1 * mean.d2),
            expected=expected,
            expected_d1=2.0 * precision * mean.d1 * mean.d2,
            dt=0.5 * (precision * r**2 - 1.0),
            dt_d1=-d1,
            dt_d2=-d2,
            expected_dt=-expected,
        )

    def _variance(self, mu: Vector, t: Vector) -> Vector:
        return np.ones_like(mu)

    def _deviance(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Vector:
        return w * (y - mu) ** 2

    def _cdf(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Cumulative:
        from scipy import special

        value = special.ndtr((y - mu) * np.sqrt(w) * np.exp(-0.5 * t))
        return Cumulative(value, value)

    def _simulate(self, mu: Vector, w: Vector, t: Vector, rng: np.random.Generator) -> Vector:
        return rng.normal(mu, np.exp(0.5 * t) / np.sqrt(w))

    def _check(self, y: Vector, w: Vector, name: str) -> None:
        """Any finite number is possible."""

    def _start(self, y: Vector, w: Vector) -> Vector:
        # A logarithm needs positive means, a reciprocal means that are not 0: a typical size stands in for others.
        possible = self.valid(self.link.link(y))
        size = float(np.mean(np.abs(y)))
        return np.where(possible, y, size if size > 0.0 else 1.0)

    def _dispersion_start(self, y: Vector, mu: Vector, w: Vector) -> float:
        floor = _EXACT * float(np.mean(y**2))
        return float(np.log(max(float(np.mean(w * (y - mu) ** 2)), floor) or 1.0))
