"""Proportions of successes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mixedeffects.families.base import Family
from mixedeffects.families.checks import WHOLE, refuse
from mixedeffects.families.link import UNIT, Interval, Link, UnitLink
from mixedeffects.families.links import Cauchit, Cloglog, Log, Logit, Probit
from mixedeffects.families.results import Cumulative, Derivatives
from mixedeffects.families.special import Vector, half_deviance, saturated_binomial

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Binomial(Family[UnitLink]):
    """Proportions y of successes in w trials with probability mu.

    Parameters
    ----------
    link : {"logit", "probit", "cloglog", "cauchit", "log"} or Link
        Link of the probability.

    Raises
    ------
    DataError
        For another link.

    Notes
    -----
    log f(y) = log choose(w, w y) + w y log mu + w (1 - y) log(1 - mu), V(mu) = mu (1 - mu). It is computed from
    log mu and log(1 - mu), which links give to all digits in both tails. With a and b their derivatives in eta the
    expected information is -w a b, since a = mu' / mu and b = -mu' / (1 - mu).
    """

    name: ClassVar[str] = "binomial"
    allowed_links: ClassVar[tuple[Link, ...]] = (Logit(), Probit(), Cloglog(), Cauchit(), Log())
    canonical_link: ClassVar[Link | None] = Logit()
    mean_domain: ClassVar[Interval] = UNIT
    discrete: ClassVar[bool] = True

    def __init__(self, link: str | Link = "logit") -> None:
        super().__init__(link)

    def saturated(self, y: Vector, w: Vector) -> Vector:
        """Return the log-densities at the best means, the proportions themselves, (n,)."""
        yes = _successes(y, w)
        return saturated_binomial(yes, w - yes)

    def _loglik(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Vector:
        log_p, log_q = self.link.log_mean(eta).value, self.link.log_complement(eta).value
        return self.saturated(y, w) - _half_deviance(y, w, log_p, log_q)

    def _derivatives(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Derivatives:
        a, b = self.link.log_mean(eta), self.link.log_complement(eta)
        yes = _successes(y, w)
        no = w - yes
        return Derivatives(
            d1=yes * a.d1 + no * b.d1,
            d2=yes * a.d2 + no * b.d2,
            d3=yes * a.d3 + no * b.d3,
            expected=-w * a.d1 * b.d1,
            expected_d1=-w * (a.d2 * b.d1 + a.d1 * b.d2),
        )

    def _variance(self, mu: Vector, t: Vector) -> Vector:
        return mu * (1.0 - mu)

    def _deviance(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Vector:
        return 2.0 * _half_deviance(y, w, np.log(mu), np.log1p(-mu))

    def _cdf(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Cumulative:
        from scipy import special

        yes = np.rint(_successes(y, w))
        no = w - yes
        lower = np.where(yes > 0.0, special.betainc(no + 1.0, np.maximum(yes, 1.0), 1.0 - mu), 0.0)
        upper = np.where(no > 0.0, special.betainc(np.maximum(no, 1.0), yes + 1.0, 1.0 - mu), 1.0)
        return Cumulative(lower, upper)

    def _simulate(self, mu: Vector, w: Vector, t: Vector, rng: np.random.Generator) -> NDArray[Any]:
        return rng.binomial(np.rint(w).astype(np.int64), mu) / w

    def _check(self, y: Vector, w: Vector, name: str) -> None:
        subject = f"the binomial response {name!r}"
        must = (
            "it must be a proportion of successes between 0 and 1 (weights= gives the numbers of trials), or "
            "cbind(successes, failures); counts have family='poisson' or 'negative_binomial', measurements are fitted "
            "by me.lmer"
        )
        refuse((y < 0.0) | (y > 1.0), y, subject, must)
        must = "the weights of a binomial response are its numbers of trials, which must be whole numbers"
        refuse(np.abs(w - np.rint(w)) > WHOLE, w, "a weight", must)
        successes = w * y
        must = "proportion times trials (weights=) must be a whole number of successes"
        refuse(np.abs(successes - np.rint(successes)) > WHOLE, successes, f"{subject} times its trials", must)

    def _start(self, y: Vector, w: Vector) -> Vector:
        return (w * y + 0.5) / (w + 1.0)


def _successes(y: Vector, w: Vector) -> Vector:
    """Return w y, exactly whole where it differs from a whole number by rounding only."""
    successes = w * y
    whole = np.rint(successes)
    return np.where(np.abs(successes - whole) <= 1e-14 * np.abs(w) + 1e-300, whole, successes)


def _half_deviance(y: Vector, w: Vector, log_p: Vector, log_q: Vector) -> Vector:
    yes = _successes(y, w)
    no = w - yes
    log_w = np.log(w)
    return half_deviance(yes, w * np.exp(log_p), log_w + log_p) + half_deviance(no, w * np.exp(log_q), log_w + log_q)
