"""Gamma functions and logarithms without cancellation."""

from __future__ import annotations

from fractions import Fraction
from math import lgamma, log, pi

import numpy as np
import pytest
from scipy import special as sc

from mixedeffects.families import special

X = np.array([1e-8, 1e-3, 0.3, 1.0, 1.46, 4.0, 14.999999, 15.0, 20.0, 300.0])


@pytest.mark.parametrize(
    ("function", "direct"),
    [
        (special.stirling_error, lambda x: sc.gammaln(x) - (x - 0.5) * np.log(x) + x - 0.5 * log(2 * pi)),
        (special.digamma_gap, lambda x: np.log(x) - sc.psi(x)),
        (special.trigamma_gap, lambda x: sc.polygamma(1, x) - 1 / x),
        (special.tetragamma_gap, lambda x: -sc.polygamma(2, x) - x**-2.0),
        (special.trigamma, lambda x: sc.polygamma(1, x)),
        (special.tetragamma, lambda x: sc.polygamma(2, x)),
        (special.scaled_digamma_gap, lambda x: x * (np.log(x) - sc.psi(x))),
        (lambda x: special.half_log_less_error(x, np.log(x)), lambda x: np.log(x) / 2 - special.stirling_error(x)),
    ],
    ids=lambda f: getattr(f, "__name__", None),
)
def test_against_the_definition(function, direct):
    expected = direct(X)
    # the definition subtracts terms of size x log x
    np.testing.assert_allclose(function(X), expected, rtol=1e-12, atol=1e-15 * (1 + X.max() * np.log(X.max())))


def test_expansions_far_out():
    x = np.array([1e3, 1e8, 1e150])
    np.testing.assert_allclose(special.stirling_error(x), 1 / (12 * x) - 1 / (360 * x**2) / x, rtol=1e-14)
    np.testing.assert_allclose(
        special.digamma_gap(x), 1 / (2 * x) + 1 / (12 * x) / x - 1 / 120 / x**2 / x / x, rtol=1e-14
    )
    np.testing.assert_allclose(special.trigamma_gap(x), (0.5 + 1 / (6 * x) - 1 / 30 / x**2 / x) / x**2, rtol=1e-14)
    y = x[:2]
    np.testing.assert_allclose(special.tetragamma_gap(y), (1 + 1 / (2 * y) - 1 / (6 * y**3)) / y**3, rtol=1e-14)


@pytest.mark.parametrize("x", [0.5, 3.0, 14.5, 15.0, 17.0, 40.0])
def test_recurrences(x):
    """From x to x + 1, where gamma(x + 1) = x gamma(x); at 14.5 from the direct formula to the expansion."""
    exact, z = Fraction(x), np.array([x, x + 1.0])
    v = 1 / (2 * exact + 1)
    steps = {
        # (2 x + 1) (atanh(v) - v), summed
        special.stirling_error: sum(v ** (2 * j) / (2 * j + 1) for j in range(1, 60)),
        # 1 / x - log(1 + 1 / x)
        special.digamma_gap: 1 / exact - 2 * sum(v ** (2 * j + 1) / (2 * j + 1) for j in range(60)),
        special.trigamma_gap: 1 / (exact**2 * (exact + 1)),
        special.tetragamma_gap: 2 / exact**3 - 1 / exact**2 + 1 / (exact + 1) ** 2,
    }
    for function, step in steps.items():
        here, there = function(z)
        rounding = (
            3e-16 * (x * log(x + 1) + 1 if function is special.stirling_error else 1 / x) if x < 15 else 3e-16 * here
        )
        assert here - there == pytest.approx(float(step), rel=1e-13, abs=rounding + 1e-300), function.__name__


def test_limits_at_zero():
    zero = np.zeros(1)
    assert special.scaled_digamma_gap(zero) == 1.0
    # 5 + log(2 pi) / 2 at a number whose logarithm is known to be -800: it underflows
    assert special.half_log_less_error(zero, np.array([-800.0])) == pytest.approx(-800.0 + 0.5 * log(2 * pi), rel=1e-15)


@pytest.mark.parametrize("x", [0.4, 3.0, 1e6, 1e12])
@pytest.mark.parametrize("step", [0, 1, 2, 25])
def test_steps_of_the_tetragamma_function(x, step):
    """Over whole steps it is a finite sum, in exact arithmetic."""
    expected = float(sum(2 / (Fraction(x) + j) ** 3 for j in range(step)))
    assert special.tetragamma_step(np.array([x]), np.array([float(step)]))[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("x", [-0.999, -0.5, -0.2, -0.1, -1e-3, -1e-9, 0.0, 1e-12, 1e-4, 0.15, 0.3, 2.0, 1e8])
def test_logarithm_less_its_argument(x):
    got = special.log1p_excess(np.array([x]), np.array([1 + x]))[0]
    series = -(x**2) / 2 + x**3 / 3 - x**4 / 4 + x**5 / 5 - x**6 / 6
    assert got == pytest.approx(series if abs(x) < 1e-2 else np.log1p(x) - x, rel=1e-12)


@pytest.mark.parametrize(
    ("count", "mean"), [(0.0, 3.0), (2.0, 2.0), (7.0, 7.001), (1e6, 1e6 + 1), (5.0, 1e-300), (3.0, 1e5)]
)
def test_half_deviance(count, mean):
    got = special.half_deviance(np.array([count]), np.array([mean]), np.log([mean]))[0]
    x = (count - mean) / mean
    if abs(x) < 1e-2:
        expected = mean * (x**2 / 2 - x**3 / 6 + x**4 / 12 - x**5 / 20)
    else:
        expected = sc.xlogy(count, count / mean) - count + mean
    assert got == pytest.approx(expected, rel=1e-12)


def test_half_deviance_where_the_mean_leaves_the_range_of_numbers():
    got = special.half_deviance(np.array([3.0]), np.array([0.0]), np.array([-1000.0]))[0]
    assert got == pytest.approx(3 * log(3) + 3000 - 3, rel=1e-15)


@pytest.mark.parametrize(("yes", "no"), [(1.0, 1.0), (3.0, 9.0), (0.5, 2.25), (1e5, 3e5)])
def test_saturated_probabilities(yes, no):
    n = yes + no
    binomial = lgamma(n + 1) - lgamma(yes + 1) - lgamma(no + 1) + yes * log(yes / n) + no * log(no / n)
    assert special.saturated_binomial(np.array([yes]), np.array([no]))[0] == pytest.approx(binomial, rel=1e-9)
    poisson = yes * log(yes) - yes - lgamma(yes + 1)
    assert special.saturated_poisson(np.array([yes]))[0] == pytest.approx(poisson, rel=1e-9)


def test_saturated_probabilities_are_one_at_the_ends():
    assert special.saturated_binomial(np.array([0.0, 4.0]), np.array([4.0, 0.0])).tolist() == [0.0, 0.0]
    assert special.saturated_poisson(np.zeros(1)).tolist() == [0.0]
