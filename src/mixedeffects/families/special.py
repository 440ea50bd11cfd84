"""Logarithms, gamma functions and their differences without cancellation.

SciPy's special functions are imported at the first call: they are slow to import.

Notes
-----
Densities are written as in Loader [1]_: a saturated part of moderate size less half a deviance. In a sum such as
y log(mu) - mu - log(y!) large terms cancel, which costs a count of a million eight digits.

References
----------
.. [1] Loader (2000), Fast and accurate computation of binomial probabilities.
.. [2] NIST Digital Library of Mathematical Functions, section 5.11: expansions of log gamma, psi and its derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))
_LARGE = 15.0  # from here on the first term left out of every expansion below is under 1e-14 of the value
_NEAR = 0.1  # |v| below which atanh(v) - v is summed from its series

# Coefficients in 1/x^2, the constant first; the leading power of 1/x is taken out.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
_TRIGAMMA = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
_TETRAGAMMA = (1 / 2, -1 / 6, 1 / 6, -3 / 10, 5 / 6, -691 / 210, 35 / 2)


def as_vector(values: Any) -> Vector:
    """Return values as float64."""
    return np.asarray(values, dtype=np.float64)


def _series(z: Vector, coefficients: tuple[float, ...]) -> Vector:
    total = np.full_like(z, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * z + coefficient
    return total


def _split(x: Vector) -> tuple[NDArray[np.bool_], Vector, Vector]:
    """Where x is large; x there and x elsewhere, each with a harmless number in the other's place."""
    large = x >= _LARGE
    return large, np.where(large, x, _LARGE), np.where(large, 1.0, x)


def stirling_error(x: Vector) -> Vector:
    """Return log gamma(x) - [(x - 1/2) log x - x + log(2 pi) / 2], which falls to 0 as 1 / (12 x)."""
    from scipy import special

    large, far, near = _split(x)
    direct = special.gammaln(near) - (near - 0.5) * np.log(near) + near - HALF_LOG_2PI
    return np.where(large, _series(far**-2.0, _STIRLING) / far, direct)


def half_log_less_error(x: Vector, log_x: Vector) -> Vector:
    """Return log(x) / 2 - `stirling_error` (x), which is about log x for a small x.

    Parameters
    ----------
    x, log_x : ndarray
        Positive numbers, which may underflow to 0, and their logarithms, which do not.
    """
    from scipy import special

    small = x < 1.0
    near = np.where(small, x, 0.0)
    # log gamma(x) = log gamma(1 + x) - log x
    below = log_x + near * np.where(small & (x > 0.0), log_x, 0.0) - near - special.gammaln(1.0 + near) + HALF_LOG_2PI
    return np.where(small, below, 0.5 * log_x - stirling_error(np.where(small, 1.0, x)))


def scaled_digamma_gap(x: Vector) -> Vector:
    """Return x (log x - psi(x)), which falls from 1 at x = 0 to 1/2 far out."""
    from scipy import special

    small = x < 1.0
    near = np.where(small, x, 0.0)
    # psi(x) = psi(1 + x) - 1 / x
    below = special.xlogy(near, near) + 1.0 - near * special.psi(1.0 + near)
    rest = np.where(small, 1.0, x)
    return np.where(small, below, rest * digamma_gap(rest))


def digamma_gap(x: Vector) -> Vector:
    """Return log x - psi(x), which is positive and falls to 0 as 1 / (2 x)."""
    from scipy import special

    large, far, near = _split(x)
    expansion = 0.5 / far + _series(far**-2.0, _DIGAMMA) / far**2
    return np.where(large, expansion, np.log(near) - special.psi(near))


def trigamma_gap(x: Vector) -> Vector:
    """Return psi'(x) - 1 / x, which is positive and falls to 0 as 1 / (2 x^2)."""
    from scipy import special

    large, far, near = _split(x)
    expansion = (0.5 + _series(far**-2.0, _TRIGAMMA) / far) / far**2
    # psi'(x) is the Hurwitz zeta function at 2.
    return np.where(large, expansion, special.zeta(2.0, near) - 1.0 / near)


def tetragamma_gap(x: Vector) -> Vector:
    """Return -psi''(x) - 1 / x^2, which is positive and falls to 0 as 1 / x^3."""
    from scipy import special

    large, far, near = _split(x)
    expansion = (1.0 + _series(far**-2.0, _TETRAGAMMA) / far) / far**3
    return np.where(large, expansion, 2.0 * special.zeta(3.0, near) - near**-2.0)


def trigamma(x: Vector) -> Vector:
    """Return psi'(x)."""
    return trigamma_gap(x) + 1.0 / x


def tetragamma(x: Vector) -> Vector:
    """Return psi''(x), which is negative."""
    return -tetragamma_gap(x) - x**-2.0


def tetragamma_step(x: Vector, step: Vector) -> Vector:
    """Return psi''(x + step) - psi''(x), also where x is so large that the two agree in all digits."""
    end = x + step
    return step * (x + end) / (x * end) ** 2 - (tetragamma_gap(end) - tetragamma_gap(x))


def _atanh_excess(v: Vector) -> Vector:
    """Return atanh(v) - v for |v| < 0.1: v^3 / 3 + v^5 / 5 + ..."""
    z = v * v
    return v * z * _series(z, (1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11, 1 / 13, 1 / 15, 1 / 17))


def log1p_excess(x: Vector, ratio: Vector) -> Vector:
    """Return log(1 + x) - x, which is never positive.

    Parameters
    ----------
    x : ndarray
        Over -1.
    ratio : ndarray
        1 + x, as precise as it is known: x near -1 no longer says it.
    """
    v = x / (2.0 + x)
    near = np.abs(v) < _NEAR
    series = 2.0 * _atanh_excess(np.where(near, v, 0.0)) - x * v
    return np.where(near, series, np.log(np.where(near, 1.0, ratio)) - x)


def half_deviance(count: Vector, mean: Vector, log_mean: Vector) -> Vector:
    """Return count log(count / mean) - count + mean, which is never negative: half a Poisson deviance.

    Parameters
    ----------
    count : ndarray
        At least 0.
    mean : ndarray
        Positive; it may underflow to 0 or overflow.
    log_mean : ndarray
        Its logarithm, which is used where the mean is far from the count.
    """
    v = (count - mean) / (count + mean)
    near = np.abs(v) < _NEAR
    series = v * (count - mean) + 2.0 * count * _atanh_excess(np.where(near, v, 0.0))
    positive = np.where(count > 0.0, count, 1.0)
    far = np.where(count > 0.0, count * (np.log(positive) - log_mean) - count, 0.0) + mean
    return np.where(near, series, far)


def saturated_binomial(yes: Vector, no: Vector) -> Vector:
    """Return the log-probability of so many successes and failures at the best probability, yes / (yes + no).

    Parameters
    ----------
    yes, no : ndarray
        At least 0. They need not be whole numbers.
    """
    yes, no = np.broadcast_arrays(yes, no)
    inner = (yes > 0.0) & (no > 0.0)
    out = np.zeros(inner.shape)
    if inner.any():  # in none of the rows where each is one trial
        yes, no = yes[inner], no[inner]
        n = yes + no
        value = 0.5 * np.log(n / yes / no) - HALF_LOG_2PI
        out[inner] = value + stirling_error(n) - stirling_error(yes) - stirling_error(no)
    return out


def saturated_poisson(count: Vector) -> Vector:
    """Return the log-probability of a count at the best mean, the count itself."""
    positive = np.where(count > 0.0, count, 1.0)
    value = -0.5 * np.log(positive) - HALF_LOG_2PI - stirling_error(positive)
    return np.where(count > 0.0, value, 0.0)
