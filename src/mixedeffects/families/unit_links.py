"""Links of probabilities: logit, probit, cloglog, cauchit."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mixedeffects.families.link import UNIT, Interval, Jet, UnitLink, quiet
from mixedeffects.families.special import Vector, as_vector

_PROBIT_TAIL = -5.0  # below it Mills' ratio is a continued fraction
_PROBIT_TERMS = 80  # enough for 16 digits from there on
# z / (e^z - 1) = 1 - z/2 + sum of B_2k z^2k / (2k)!, for small z
_BERNOULLI = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000)


def _reflected(jet: Jet) -> Jet:
    """The derivatives of f(-eta) from those of f at -eta."""
    return Jet(jet.value, -jet.d1, jet.d2, -jet.d3)


class Logit(UnitLink):
    """eta = log(mu / (1 - mu))."""

    name: ClassVar[str] = "logit"
    range: ClassVar[Interval] = UNIT

    @quiet
    def link(self, mu: Any) -> Vector:
        """Return log(mu) - log(1 - mu)."""
        mu = as_vector(mu)
        return np.asarray(np.log(mu) - np.log1p(-mu))

    @quiet
    def derivatives(self, eta: Any) -> Jet:
        """Return p = 1 / (1 + exp(-eta)) with derivatives pq, pq (q - p) and pq (1 - 6 pq), q = 1 - p."""
        x = as_vector(eta)
        p, q = 1.0 / (1.0 + np.exp(-x)), 1.0 / (1.0 + np.exp(x))
        return Jet(p, p * q, p * q * (q - p), p * q * (1.0 - 6.0 * p * q))

    @quiet
    def log_mean(self, eta: Any) -> Jet:
        """Return -log(1 + exp(-eta)) with derivatives q, -pq and -pq (q - p)."""
        x = as_vector(eta)
        p, q = 1.0 / (1.0 + np.exp(-x)), 1.0 / (1.0 + np.exp(x))
        return Jet(-np.logaddexp(0.0, -x), q, -p * q, -p * q * (q - p))

    def log_complement(self, eta: Any) -> Jet:
        """Return -log(1 + exp(eta)): the reflection of log mu."""
        return _reflected(self.log_mean(-as_vector(eta)))


class Probit(UnitLink):
    """eta = the standard normal quantile of mu."""

    name: ClassVar[str] = "probit"
    range: ClassVar[Interval] = UNIT

    def link(self, mu: Any) -> Vector:
        """Return the standard normal quantile."""
        from scipy import special

        return np.asarray(special.ndtri(as_vector(mu)))

    @quiet
    def derivatives(self, eta: Any) -> Jet:
        """Return the normal distribution function; its derivatives are the density times 1, -eta and eta^2 - 1."""
        from scipy import special

        x = as_vector(eta)
        density = np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi)
        return Jet(special.ndtr(x), density, -x * density, (x**2 - 1.0) * density)

    @quiet
    def log_mean(self, eta: Any) -> Jet:
        """Return the log of the normal distribution function with its derivatives.

        Notes
        -----
        The first derivative is h = phi / Phi, the second -h (eta + h). For eta = -x far to the left h is a little more
        than x and eta + h would cancel. There h = x + c1 with Laplace's continued fraction c_k = k / (x + c_{k+1}),
        and the derivatives are -h c1 and h c1^2 c2 (c3 - c2), in which nothing large cancels.
        """
        from scipy import special

        eta = as_vector(eta)
        left = eta < _PROBIT_TAIL
        x = np.where(left, 0.0, eta)
        h = np.sqrt(2.0 / np.pi) / special.erfcx(-x / np.sqrt(2.0))
        d2, d3 = -h * (x + h), h * ((x + h) * (x + 2.0 * h) - 1.0)
        c1, c2, c3 = _mills_fractions(np.where(left, -eta, -_PROBIT_TAIL))
        h_left = np.where(left, -eta, 0.0) + c1
        return Jet(
            special.log_ndtr(eta),
            np.where(left, h_left, h),
            np.where(left, -h_left * c1, d2),
            np.where(left, h_left * c1**2 * c2 * (c3 - c2), d3),
        )

    def log_complement(self, eta: Any) -> Jet:
        """Return the log of the upper tail: the reflection of log mu."""
        return _reflected(self.log_mean(-as_vector(eta)))


def _mills_fractions(x: Vector) -> tuple[Vector, Vector, Vector]:
    """Return c1, c2, c3 of Laplace's continued fraction c_k = k / (x + c_{k+1}) for Mills' ratio 1 / (x + c1)."""
    c = np.zeros_like(x)
    for k in range(_PROBIT_TERMS, 3, -1):
        c = k / (x + c)
    c3 = 3.0 / (x + c)
    c2 = 2.0 / (x + c3)
    return 1.0 / (x + c2), c2, c3


class Cloglog(UnitLink):
    """eta = log(-log(1 - mu)), the complementary log-log link."""

    name: ClassVar[str] = "cloglog"
    range: ClassVar[Interval] = UNIT

    @quiet
    def link(self, mu: Any) -> Vector:
        """Return log(-log(1 - mu))."""
        return np.asarray(np.log(-np.log1p(-as_vector(mu))))

    @quiet
    def derivatives(self, eta: Any) -> Jet:
        """Return 1 - exp(-z), z = exp(eta), with derivatives z exp(-z) times 1, 1 - z and 1 - 3 z + z^2."""
        z = np.exp(np.minimum(as_vector(eta), 300.0))  # the derivatives are 0 long before; z^2 must not overflow
        slope = z * np.exp(-z)
        return Jet(-np.expm1(-z), slope, slope * (1.0 - z), slope * (1.0 - 3.0 * z + z**2))

    @quiet
    def log_mean(self, eta: Any) -> Jet:
        """Return log(1 - exp(-z)), z = exp(eta), with its derivatives.

        Notes
        -----
        The first derivative is g = z / (exp(z) - 1); with h = 1 - z - g the others are g h and g (h^2 - z - g h). For
        small z, h is -z/2 and its leading 1 cancels: it is summed from the series of g.
        """
        x = np.minimum(as_vector(eta), 300.0)
        z = np.exp(x)
        small = z < 0.25
        s = np.where(small, z, 0.0)
        series = np.zeros_like(s)
        for coefficient in _BERNOULLI[::-1]:
            series = series * s**2 + coefficient
        series = 0.5 * s + series * s**2  # 1 - z - g = -(z/2 + z^2/12 - ...)
        g = np.where(small, 1.0 - s + series, z / np.expm1(z))
        h = np.where(small, -series, 1.0 - z - g)
        # log(1 - e^-z) = eta + log((1 - e^-z) / z) on the left: also where z underflows
        near = np.where(small, x + np.log1p(-_exponential_gap(s)), np.log(-np.expm1(-z)))
        value = np.where(z > np.log(2.0), np.log1p(-np.exp(-z)), near)
        return Jet(value, g, g * h, g * (h**2 - z - g * h))

    @quiet
    def log_complement(self, eta: Any) -> Jet:
        """Return -exp(eta), which is its own derivative."""
        value = -np.exp(as_vector(eta))
        return Jet(value, value, value, value)


def _exponential_gap(z: Vector) -> Vector:
    """Return 1 - (1 - exp(-z)) / z for 0 <= z < 0.25: z/2 - z^2/6 + z^3/24 - ..."""
    total = np.zeros_like(z)
    for k in range(14, 1, -1):
        total = (1.0 - total) * z / k
    return total


class Cauchit(UnitLink):
    """eta = the standard Cauchy quantile of mu."""

    name: ClassVar[str] = "cauchit"
    range: ClassVar[Interval] = UNIT

    @quiet
    def link(self, mu: Any) -> Vector:
        """Return tan(pi (mu - 1/2)), from the nearer tail."""
        mu = as_vector(mu)
        tail = 1.0 / np.tan(np.pi * np.where(mu < 0.5, mu, 1.0 - mu))
        return np.where((mu < 0.0) | (mu > 1.0), np.nan, np.where(mu < 0.5, -tail, tail))

    @quiet
    def derivatives(self, eta: Any) -> Jet:
        """Return the Cauchy distribution function with its derivatives in s = 1 / (1 + eta^2)."""
        x = as_vector(eta)
        s = 1.0 / (1.0 + x**2)
        # atan2 keeps all digits in the left tail, where 1/2 + atan(eta) / pi would cancel.
        p = np.arctan2(1.0, -x) / np.pi
        return Jet(p, s / np.pi, -2.0 * x * s**2 / np.pi, (6.0 * s**2 - 8.0 * s**3) / np.pi)

    @quiet
    def log_mean(self, eta: Any) -> Jet:
        """Return the log of the Cauchy distribution function with its derivatives."""
        mean = self.derivatives(eta)
        r1, r2, r3 = mean.d1 / mean.value, mean.d2 / mean.value, mean.d3 / mean.value
        return Jet(np.log(mean.value), r1, r2 - r1**2, r3 - 3.0 * r1 * r2 + 2.0 * r1**3)

    def log_complement(self, eta: Any) -> Jet:
        """Return the log of the upper tail: the reflection of log mu."""
        return _reflected(self.log_mean(-as_vector(eta)))
