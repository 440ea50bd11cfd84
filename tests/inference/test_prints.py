"""Results of tests print in one line, however many draws they hold."""

from __future__ import annotations

import pytest
from support import reference

import mixedeffects as me


@pytest.fixture(scope="module")
def fits():
    frame = reference.load_data("sleepstudy")
    return tuple(me.lmer(f"Reaction ~ Days + ({slope} | Subject)", frame, reml=False) for slope in ("1", "1 + Days"))


def test_one_contrast_is_a_t_test_in_words(fits):
    found = fits[1].update(reml=True).test("Days = 10")
    assert repr(found) == "t test: estimate 10.467 (standard error 1.546), t = 0.3023 on 17 df, p = 0.766"


def test_several_contrasts_are_an_f_test_in_words(fits):
    found = fits[1].update(reml=True).test(["Days = 10", "Intercept = 250"])
    assert repr(found) == "F test of 2 contrasts: F = 0.0769 on 2 and 17 df, p = 0.926"


def test_without_degrees_of_freedom_it_is_normal_and_chi_square():
    fit = me.glmer("incidence ~ period + (1 | herd)", reference.load_data("cbpp"), "poisson")
    one, several = fit.test("period[T.2] = 0"), fit.test(["period[T.2] = 0", "period[T.3] = 0"])
    assert repr(one).startswith(f"z test: estimate {one.estimate:.5g} ")
    assert f"z = {one.statistic:.4g}, p" in repr(one)
    assert f"chi-square = {2 * several.statistic:.4g} on 2 df, p" in repr(several)


def test_draws_are_counted_not_shown(fits):
    found = me.bootstrap_lrt(*fits, 20, rng=1)
    exact = me.exact_rlrt(fits[0].update(reml=True), n=500, rng=1)
    assert repr(found).splitlines()[0] == (
        f"likelihood ratio test: {found.statistic:.4g} on 2 df, p = {found.p_value:.3g} (20 bootstrap responses)"
    )
    assert repr(exact).splitlines()[0].startswith("exact RLRT of (1 | Subject): 107.2, p = 0.002 (500 draws")
    for result in (found, exact):
        assert len(repr(result)) < 300


def test_an_evaluation_does_not_show_its_arrays(fits):
    assert repr(fits[1].evaluate([1.0, 0.0, 0.2])).startswith("<evaluation at theta = [1, 0, 0.2]: value ")
