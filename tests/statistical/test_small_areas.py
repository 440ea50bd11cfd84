"""Small areas: estimates against the truth in 3,200 simulated counties, and mean squared errors on average.

An EBLUP's mean squared error over that of the direct estimate is the shrinkage factor, but for what estimating the
parameters adds, which is next to nothing with so many counties.
"""

from __future__ import annotations

import numpy as np
import pytest

import mixedeffects as me

pytestmark = pytest.mark.slow

COUNTIES, REPLICATES = 3200, 10
BETWEEN, WITHIN = 16.0, 225.0  # variances of county means and of incomes within a county


@pytest.fixture(scope="module")
def survey():
    """Squared errors and their estimates, (replicates, counties), in a survey with 1 to 40 respondents a county."""
    rng = np.random.default_rng(2301)
    n = rng.integers(1, 41, COUNTIES)
    degree = rng.beta(4.0, 8.0, COUNTIES)
    county = np.repeat(np.arange(COUNTIES), n)
    means = {"county": np.arange(COUNTIES), "degree": degree}
    direct, eblup, estimated = [], [], []
    for _ in range(REPLICATES):
        truth = 38.0 + 40.0 * degree + rng.normal(scale=np.sqrt(BETWEEN), size=COUNTIES)
        income = truth[county] + rng.normal(scale=np.sqrt(WITHIN), size=len(county))
        data = {"county": county, "degree": degree[county], "income": income}
        found = me.sae.unit_level("income ~ degree", data, area="county", population_means=means)
        direct.append((found.direct - truth) ** 2)
        eblup.append((found.eblup - truth) ** 2)
        estimated.append(found.mse)
    return n, np.array(direct), np.array(eblup), np.array(estimated)


def test_the_gain_is_the_shrinkage_factor(survey):
    n, direct, eblup, _ = survey
    D = WITHIN / n
    gamma = BETWEEN / (BETWEEN + D)
    assert np.mean(direct) == pytest.approx(np.mean(D), rel=0.05)
    # the mean of all counties, each with the weight of its direct estimate's variance
    assert np.mean(eblup) / np.mean(direct) == pytest.approx(np.average(gamma, weights=D), rel=0.05)
    # each with the same weight: squared errors in units of the direct estimate's variance
    assert np.mean(eblup / D) / np.mean(direct / D) == pytest.approx(np.mean(gamma), rel=0.05)
    for few, many in ((1, 3), (4, 10), (11, 40)):
        group = (n >= few) & (n <= many)
        assert np.mean(eblup[:, group] / D[group]) == pytest.approx(np.mean(gamma[group]), rel=0.05)


def test_estimated_mean_squared_errors_are_right_on_average(survey):
    n, _, eblup, estimated = survey
    assert np.mean(estimated) == pytest.approx(np.mean(eblup), rel=0.05)
    few = n <= 3
    assert np.mean(estimated[:, few]) == pytest.approx(np.mean(eblup[:, few]), rel=0.05)


def test_intervals_cover(survey):
    _, _, eblup, estimated = survey
    assert np.mean(eblup < 1.96**2 * estimated) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("method", ["reml", "ml", "fh"])
def test_the_analytic_formula_is_unbiased_with_few_areas(method):
    """30 areas with sampling variances from half to twice the variance between areas; terms of 1/m matter."""
    rng = np.random.default_rng(77)
    x, D = rng.normal(size=30), np.tile([0.5, 0.8, 1.0, 1.3, 2.0], 6)
    squares, estimated, leading = [], [], []
    for _ in range(700):
        truth = 1.0 + x + rng.normal(size=30)
        y = truth + rng.normal(size=30) * np.sqrt(D)
        found = me.sae.area_level("y ~ x", {"y": y, "x": x, "D": D}, variance="D", method=method)
        squares.append((found.eblup - truth) ** 2)
        estimated.append(found.mse)
        leading.append(found.parts["g1"])
    assert np.mean(estimated) == pytest.approx(np.mean(squares), rel=0.05)
    assert np.mean(leading) < 0.9 * np.mean(squares)  # without the other terms the errors would be understated


@pytest.mark.filterwarnings("ignore::mixedeffects.SingularFitWarning")
@pytest.mark.parametrize("method", ["reml", "ml"])
def test_the_formula_for_units_is_unbiased_with_few_areas_of_finite_populations(method):
    """25 areas of 2 to 9 units, a third of their populations."""
    rng = np.random.default_rng(5)
    n = np.tile([2, 3, 4, 6, 9], 5)
    g, N = np.repeat(np.arange(25), n), 3.0 * n
    x, x_bar = rng.normal(size=len(g)), 0.5 * rng.normal(size=25)
    x_rest = (N * x_bar - np.bincount(g, x)) / (N - n)
    means = {"g": np.arange(25), "x": x_bar, "N": N}
    squares, estimated, leading = [], [], []
    for _ in range(400):
        v = rng.normal(size=25)
        y = 1.0 + x + v[g] + 2.0 * rng.normal(size=len(g))
        rest = 1.0 + x_rest + v + 2.0 * rng.normal(size=25) / np.sqrt(N - n)
        truth = (np.bincount(g, y) + (N - n) * rest) / N
        found = me.sae.unit_level(
            "y ~ x", {"y": y, "x": x, "g": g}, area="g", population_means=means, population_sizes="N", method=method
        )
        squares.append((found.eblup - truth) ** 2)
        estimated.append(found.mse)
        leading.append(found.parts["g1"] + found.parts["g4"])
    assert np.mean(estimated) == pytest.approx(np.mean(squares), rel=0.05)
    assert np.mean(leading) < 0.9 * np.mean(squares)
