"""The logarithm and the powers: identity, log, inverse, sqrt, 1/mu^2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mixedeffects.families.link import POSITIVE, REAL, Interval, Jet, PositiveLink, UnitLink, quiet
from mixedeffects.families.special import Vector, as_vector

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _monomial(x: Vector, coefficient: float, exponent: float) -> Vector:
    """Return coefficient x^exponent; 0 and constants also where x is 0."""
    if coefficient == 0.0 or exponent == 0.0:
        return np.full_like(x, coefficient)
    return np.asarray(coefficient * x**exponent)


class PowerLink(PositiveLink):
    """A link whose inverse is a power: mu = eta^exponent.

    Attributes
    ----------
    exponent : float
        Of the inverse link.
    """

    exponent: ClassVar[float]

    @quiet
    def link(self, mu: Any) -> Vector:
        """Return mu^(1 / exponent)."""
        return _monomial(as_vector(mu), 1.0, 1.0 / self.exponent)

    def derivatives(self, eta: Any) -> Jet:
        """Return eta^exponent with its derivatives."""
        return self.power(eta, 1.0)

    @quiet
    def power(self, eta: Any, p: float) -> Jet:
        """Return mu^p, again a power of eta, with its derivatives."""
        x, e = as_vector(eta), self.exponent * p
        return Jet(
            _monomial(x, 1.0, e),
            _monomial(x, e, e - 1.0),
            _monomial(x, e * (e - 1.0), e - 2.0),
            _monomial(x, e * (e - 1.0) * (e - 2.0), e - 3.0),
        )

    @quiet
    def log_mean(self, eta: Any) -> Jet:
        """Return exponent log(eta) with its derivatives; eta must be positive."""
        x, e = as_vector(eta), self.exponent
        return Jet(e * np.log(x), e / x, -e / x**2, 2.0 * e / x**3)


class Identity(PowerLink):
    """eta = mu."""

    name: ClassVar[str] = "identity"
    range: ClassVar[Interval] = REAL
    exponent: ClassVar[float] = 1.0


class Inverse(PowerLink):
    """eta = 1 / mu; eta is not 0."""

    name: ClassVar[str] = "inverse"
    range: ClassVar[Interval] = REAL
    exponent: ClassVar[float] = -1.0
    pole: ClassVar[bool] = True

    def valid(self, eta: Any) -> NDArray[np.bool_]:
        """Which linear predictors are finite and not 0."""
        x = as_vector(eta)
        return np.asarray(np.isfinite(x) & (x != 0.0))


class Sqrt(PowerLink):
    """eta = sqrt(mu); eta is positive."""

    name: ClassVar[str] = "sqrt"
    range: ClassVar[Interval] = POSITIVE
    exponent: ClassVar[float] = 2.0

    def valid(self, eta: Any) -> NDArray[np.bool_]:
        """Which linear predictors are finite and positive."""
        x = as_vector(eta)
        return np.asarray(np.isfinite(x) & (x > 0.0))


class InverseSquared(PowerLink):
    """eta = 1 / mu^2; eta is positive."""

    name: ClassVar[str] = "1/mu^2"
    range: ClassVar[Interval] = POSITIVE
    exponent: ClassVar[float] = -0.5
    pole: ClassVar[bool] = True

    def valid(self, eta: Any) -> NDArray[np.bool_]:
        """Which linear predictors are finite and positive."""
        x = as_vector(eta)
        return np.asarray(np.isfinite(x) & (x > 0.0))


class Log(PositiveLink, UnitLink):
    """eta = log(mu). As a link of probabilities it allows negative eta only."""

    name: ClassVar[str] = "log"
    range: ClassVar[Interval] = POSITIVE

    @quiet
    def link(self, mu: Any) -> Vector:
        """Return log(mu)."""
        return np.asarray(np.log(as_vector(mu)))

    @quiet
    def derivatives(self, eta: Any) -> Jet:
        """Return exp(eta), which is its own derivative."""
        mu = np.exp(as_vector(eta))
        return Jet(mu, mu, mu, mu)

    @quiet
    def power(self, eta: Any, p: float) -> Jet:
        """Return exp(p eta) with its derivatives."""
        value = np.exp(p * as_vector(eta))
        return Jet(value, p * value, p**2 * value, p**3 * value)

    def log_mean(self, eta: Any) -> Jet:
        """Return eta with its derivatives 1, 0 and 0."""
        x = as_vector(eta)
        zero = np.zeros_like(x)
        return Jet(x, np.ones_like(x), zero, zero)

    @quiet
    def log_complement(self, eta: Any) -> Jet:
        """Return log(1 - exp(eta)), eta < 0, with its derivatives in terms of the odds mu / (1 - mu)."""
        x = as_vector(eta)
        near = x > -np.log(2.0)
        value = np.where(near, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))
        odds = 1.0 / np.expm1(-x)
        step = odds * (1.0 + odds)
        return Jet(value, -odds, -step, -step * (1.0 + 2.0 * odds))
