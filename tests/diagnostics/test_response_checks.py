"""Checks of dispersion and zeros: performance's figures, sums written out, and which families have them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats
from support import reference
from support.glmm import measured

import mixedeffects as me
from mixedeffects.errors import DataError, MixedEffectsError

R = reference.load_case("checks", "glmm_measures")
BINARY = "use ~ age + (1 | district)"


@pytest.mark.parametrize("name", ["epil", "ticks", "herds"])
def test_the_pearson_chi_square_is_that_of_performance(name):
    found, wanted = measured(name).check_dispersion(5, rng=1), R[name]
    assert found.chi2 == pytest.approx(wanted["chi2"], rel=2e-5)
    assert found.df == wanted["df"]
    assert found.ratio == pytest.approx(wanted["ratio"], rel=2e-5)
    assert found.p_value == pytest.approx(wanted["p_value"], rel=1e-3)


@pytest.mark.parametrize("name", ["epil", "ticks"])
def test_zeros_of_a_poisson_model(name):
    fit = measured(name)
    found = fit.check_zero_inflation(5, rng=1)
    assert found.observed == R[name]["zeros"]
    assert round(found.expected) == R[name]["expected"]  # performance rounds
    assert found.expected == pytest.approx(np.exp(-fit.fitted).sum(), rel=1e-10)
    assert found.ratio == pytest.approx(found.observed / found.expected)


def test_zeros_of_a_negative_binomial_and_of_a_binomial_model():
    found = measured("ticks_nb2").check_zero_inflation(5, rng=1)
    assert found.expected == pytest.approx(R["ticks_nb2"]["expected"], rel=1e-5)
    herds = measured("herds")
    expected = ((1.0 - herds.fitted) ** herds.model.weights).sum()
    assert herds.check_zero_inflation(5, rng=1).expected == pytest.approx(expected, rel=1e-10)


def test_a_weight_repeats_a_row_of_counts():
    frame = reference.load_data("epil").assign(w=2.0)
    found = me.glmer("y ~ lbase + (1 | subject)", frame, "poisson", weights="w").check_zero_inflation(5, rng=1)
    assert found.observed == 2.0 * (frame["y"] == 0).sum()


def test_p_values_count_the_simulations_and_repeat():
    fit = measured("herds")
    two, up, down = (fit.check_dispersion(40, rng=3, alternative=a) for a in ("two-sided", "greater", "less"))
    np.testing.assert_array_equal(two.simulated, up.simulated)
    above = (1 + (two.simulated >= two.chi2).sum()) / 41
    below = (1 + (two.simulated <= two.chi2).sum()) / 41
    assert (up.p_simulated, down.p_simulated) == pytest.approx((above, below))
    assert two.p_simulated == pytest.approx(min(1.0, 2.0 * min(above, below)))
    assert two.relative == pytest.approx(two.chi2 / two.simulated.mean())
    assert two.p_value == pytest.approx(stats.chi2.sf(two.chi2, two.df))


def test_too_much_variance_and_too_many_zeros_are_seen():
    fit = measured("ticks")
    assert fit.check_dispersion(60, rng=1, alternative="greater").p_simulated == pytest.approx(1 / 61)
    assert fit.check_zero_inflation(60, rng=1, alternative="greater").p_simulated == pytest.approx(1 / 61)
    better = measured("ticks_nb2")
    assert better.check_dispersion(60, rng=1).p_simulated > 0.1
    assert better.check_zero_inflation(60, rng=1).p_simulated > 0.1


def test_print_and_frame():
    frame = pl.from_pandas(reference.load_data("epil"))
    fit = me.glmer("y ~ lbase + (1 | subject)", frame, "poisson")
    one, other = fit.check_dispersion(39, rng=1), fit.check_zero_inflation(39, rng=1)
    assert "ratio" in repr(one)
    assert "39 simulations" in repr(one)
    assert "observed 23" in repr(other)
    table = one.to_frame()
    assert isinstance(table, pl.DataFrame)
    assert table.columns == ["chi2", "df", "ratio", "p_value", "relative", "p_simulated", "n"]
    assert other.to_frame().columns == ["observed", "expected", "ratio", "relative", "p_simulated", "n"]
    with pytest.raises(AttributeError):
        one.chi2 = 1.0


def test_families_without_such_a_check_are_refused():
    frame = reference.load_data("Contraception")
    binary = me.glmer(BINARY, frame)
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(10), 8)
    y = rng.gamma(4.0, np.exp(0.5 * rng.normal(size=10))[g] / 4.0)
    gamma = me.glmer("y ~ 1 + (1 | g)", {"y": y, "g": g}, "gamma", link="log")
    for check in ("check_dispersion", "check_zero_inflation"):
        with pytest.raises(DataError, match="of one trial"):
            getattr(binary, check)()
        with pytest.raises(DataError, match="for counts"):
            getattr(gamma, check)()
        with pytest.raises(DataError, match="alternative='up'"):
            getattr(measured("herds"), check)(alternative="up")
        with pytest.raises(DataError, match="positive whole number"):
            getattr(measured("herds"), check)(0)


def test_means_too_large_for_zeros_leave_nothing_to_check():
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(10), 8)
    y = rng.poisson(np.exp(8.0 + 0.1 * rng.normal(size=10))[g])
    fit = me.glmer("y ~ 1 + (1 | g)", {"y": y, "g": g}, "poisson")
    with pytest.raises(MixedEffectsError, match="expects no zeros"):
        fit.check_zero_inflation(5)
