"""The smooth curve through a scatter."""

from __future__ import annotations

import numpy as np
import pytest

from mixedeffects.plots.smoother import smooth


@pytest.mark.parametrize("n", [3, 40, 5_000])
def test_a_line_is_reproduced(n):
    x = np.random.default_rng(1).normal(size=n)
    y = 3.0 - 2.0 * x
    np.testing.assert_allclose(smooth(x, y), y, atol=1e-9 * np.abs(y).max())


def test_each_value_is_that_of_a_weighted_line():
    rng = np.random.default_rng(2)
    x, y = rng.uniform(size=(2, 50))
    curve = smooth(x, y)
    at = x.min()  # one of the places where a line is fitted
    distance = np.abs(x - at)
    h = np.sort(distance)[int(np.ceil(2 / 3 * 50)) - 1]
    weights = np.clip(1 - (distance / h) ** 3, 0, None) ** 3
    slope, intercept = np.polyfit(x, y, 1, w=np.sqrt(weights))
    assert curve[x == at][0] == pytest.approx(intercept + slope * at, rel=1e-7)


@pytest.mark.parametrize("n", [1, 2, 30, 10_000])
def test_equal_x_give_the_mean(n):
    y = np.random.default_rng(3).normal(size=n)
    np.testing.assert_allclose(smooth(np.full(n, 7.0), y), y.mean(), rtol=1e-10)


def test_few_values_of_x():
    x = np.repeat([1.0, 2.0, 10.0], [2, 500, 2])  # ties fill the whole span
    y = np.random.default_rng(4).normal(size=len(x))
    curve = smooth(x, y)
    assert np.isfinite(curve).all()
    assert curve[x == 2.0][0] == pytest.approx(y[x == 2.0].mean(), rel=1e-9)


def test_many_points_follow_the_curve_and_their_order_is_irrelevant():
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 2 * np.pi, size=50_000)
    y = np.sin(x) + 0.1 * rng.normal(size=len(x))
    curve = smooth(x, y, span=0.1)
    assert np.abs(curve - np.sin(x)).max() < 0.06
    order = rng.permutation(len(x))
    np.testing.assert_allclose(smooth(x[order], y[order], span=0.1), curve[order], atol=1e-12)
