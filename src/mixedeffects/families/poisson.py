"""Counts with variance mu."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mixedeffects.families.base import Family
from mixedeffects.families.checks import check_count
from mixedeffects.families.link import POSITIVE, Interval, Link, PositiveLink
from mixedeffects.families.links import Identity, Log, Sqrt
from mixedeffects.families.results import Cumulative, Derivatives
from mixedeffects.families.special import Vector, half_deviance, saturated_poisson

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Poisson(Family[PositiveLink]):
    """Counts y with mean and variance mu.

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
    log f(y) = w [y log mu - mu - log(y!)], V(mu) = mu.
    """

    name: ClassVar[str] = "poisson"
    allowed_links: ClassVar[tuple[Link, ...]] = (Log(), Sqrt(), Identity())
    canonical_link: ClassVar[Link | None] = Log()
    mean_domain: ClassVar[Interval] = POSITIVE
    discrete: ClassVar[bool] = True

    def __init__(self, link: str | Link = "log") -> None:
        super().__init__(link)

    def saturated(self, y: Vector, w: Vector) -> Vector:
        """Return the log-densities at the best means, the counts themselves, (n,)."""
        return w * saturated_poisson(y)

    def _loglik(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Vector:
        lost = half_deviance(y, self.link.inverse(eta), self.link.log_mean(eta).value)
        return self.saturated(y, w) - w * lost

    def _derivatives(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Derivatives:
        a, mean = self.link.log_mean(eta), self.link.derivatives(eta)
        return Derivatives(
            d1=w * (y * a.d1 - mean.d1),
            d2=w * (y * a.d2 - mean.d2),
            d3=w * (y * a.d3 - mean.d3),
            expected=w * mean.d1 * a.d1,
            expected_d1=w * (mean.d2 * a.d1 + mean.d1 * a.d2),
        )

    def _variance(self, mu: Vector, t: Vector) -> Vector:
        return mu.copy()

    def _deviance(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Vector:
        return 2.0 * w * half_deviance(y, mu, np.log(mu))

    def _cdf(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Cumulative:
        from scipy import special

        lower = np.where(y > 0.0, special.gammaincc(np.maximum(y, 1.0), mu), 0.0)
        return Cumulative(lower, special.gammaincc(y + 1.0, mu))

    def _simulate(self, mu: Vector, w: Vector, t: Vector, rng: np.random.Generator) -> NDArray[Any]:
        return rng.poisson(mu)

    def _check(self, y: Vector, w: Vector, name: str) -> None:
        check_count(y, "poisson", name)

    def _start(self, y: Vector, w: Vector) -> Vector:
        return y + 0.1
