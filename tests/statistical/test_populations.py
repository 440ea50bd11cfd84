"""Intervals of the county example over populations whose county means are drawn anew; the size of tests by `power`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mixedeffects as me
from mixedeffects.inference.intervals import confint_profile
from mixedeffects.population import balanced, by_level, population, predictor, random_effects, response
from statistical.monte_carlo import band

pytestmark = pytest.mark.slow


def test_profile_intervals_cover_the_two_standard_deviations() -> None:
    """200 populations of 26 counties, 1,000 people each: standard deviations of 2 between and within counties."""
    covered = {"sd_Intercept|county": 0, "sigma": 0, "Intercept": 0}
    truth = {"sd_Intercept|county": 2.0, "sigma": 2.0, "Intercept": 50.0}
    for rng in np.random.default_rng(2023).spawn(200):
        data = me.datasets.county_population(rng).sample_x(1000, rng).sample_y()
        found = confint_profile(me.lmer("income ~ (1 | county)", data), 0.95, list(truth))
        for name, lower, upper in zip(found.names, found.lower, found.upper, strict=True):
            covered[name] += bool(lower <= truth[name] <= upper)
    for name, count in covered.items():
        assert abs(count / 200 - 0.95) < band(0.95, 200), name


@pytest.mark.parametrize("shift", [0.0, 0.4, 0.8, 1.2])
def test_power_follows_the_noncentral_f(shift: float) -> None:
    effects = shift * np.array([0.0, 0.5, 1.5])
    pop = population(
        cluster=predictor(balanced, each=4),
        arm=predictor(balanced, levels=["a", "b", "c"], each=32),
        y=response(lambda arm: by_level(arm, effects), random=random_effects("cluster", sd=1.0), error_scale=0.7),
    )
    nsim = 1000
    found = me.power(pop, "y ~ arm + (1 | cluster)", test="arm", n=96, nsim=nsim, rng=17)
    ncp = 8 * np.sum((effects - effects.mean()) ** 2) / (1.0 + 0.49 / 4)
    expected = stats.ncf.sf(stats.f.isf(0.05, 2, 21), 2, 21, ncp) if shift else 0.05
    assert abs(found.power[0] - expected) < band(expected, nsim)
