"""Comparisons of generalized fits: the bootstrap of their likelihood ratio, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from support import reference
from support.glmm import measured

import mixedeffects as me

NULL = "cbind(incidence, size - incidence) ~ 1 + (1 | herd)"


def test_the_bootstrap_draws_from_the_small_model_and_refits_both():
    full = measured("herds")
    null = full.update(NULL)
    found = me.bootstrap_lrt(null, full, 30, rng=5)
    assert found.statistic == pytest.approx(null.criterion - full.criterion, rel=1e-10)
    assert (found.df, found.n_failed, len(found.null_sample)) == (3, 0, 30)
    rng = np.random.default_rng(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        for value in found.null_sample[:4]:
            y = null.simulate(1, rng=rng)[:, 0]
            by_hand = null.refit(y).criterion - full.refit(y).criterion
            assert value == pytest.approx(by_hand, abs=1e-6)
    assert found.p_value == pytest.approx((1 + (found.null_sample > found.statistic).sum()) / 31)


def test_a_variance_is_tested_against_none():
    full = measured("herds")
    none = full.update(control=me.Control(fixed_theta=[0.0]))
    found = me.bootstrap_lrt(none, full, 40, rng=1)
    assert found.df == 1
    assert found.p_value == pytest.approx(1 / 41)  # the herds differ: chi-square 14 on a boundary
    assert (found.null_sample == 0.0).mean() > 0.2
    assert none.loglik == pytest.approx(full.ranova()["loglik"].iloc[1], rel=1e-9)


def test_models_of_other_kinds_are_not_compared():
    linear = me.lmer("y ~ trt + (1 | subject)", reference.load_data("epil"), reml=False)
    with pytest.raises(me.DataError, match="models of other kinds"):
        me.bootstrap_lrt(linear, measured("epil"), 10)


@pytest.mark.parametrize(
    "call", [me.exact_rlrt, me.exact_lrt, me.hausman_test, me.ridge_equivalent, me.compare_pooling, me.within_between]
)
def test_what_is_for_linear_models_refuses_generalized_ones(call):
    with pytest.raises(me.DataError, match=r"is for linear mixed models; this is one of Poisson\(link='log'\)"):
        call(measured("epil"))
