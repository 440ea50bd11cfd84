"""Comparisons of generalized fits: the bootstrap of their likelihood ratio, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats
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


@pytest.fixture(scope="module")
def counts():
    frame = reference.load_data("grouseticks")
    return frame.assign(seen=(frame["TICKS"] > 0).astype(float), level=frame["TICKS"] + 0.5)


TICKS = "TICKS ~ YEAR + (1 | BROOD)"


def test_families_are_shown_where_they_differ(counts):
    poisson, other = me.glmer(TICKS, counts, "poisson"), me.glmer(TICKS, counts, "negative_binomial")
    table = me.anova(poisson, other)
    assert table["family"].tolist() == ["poisson (log)", "negative_binomial (log)"]
    assert "fit0: TICKS ~ YEAR + (1 | BROOD), poisson (log)" in str(table).splitlines()
    assert "family" not in me.anova(poisson, me.glmer("TICKS ~ 1 + (1 | BROOD)", counts, "poisson"))


def test_a_poisson_model_is_tested_as_the_limit_of_a_negative_binomial_one(counts):
    poisson, other = me.glmer(TICKS, counts, "poisson"), me.glmer(TICKS, counts, "negative_binomial")
    table = me.anova(other, poisson)
    chisq = 2.0 * (other.loglik - poisson.loglik)
    assert table["chisq"].iloc[1] == pytest.approx(chisq, rel=1e-12)
    assert table["p_value"].iloc[1] == pytest.approx(stats.chi2.sf(chisq, 1), rel=1e-8)
    assert any("limit of the negative binomial one, a boundary" in note for note in table.notes)


@pytest.mark.filterwarnings("ignore::mixedeffects.SingularFitWarning")
def test_other_families_and_links_have_no_test(counts):
    binomial = me.glmer("seen ~ YEAR + (1 | BROOD)", counts, "binomial")
    poisson = me.glmer("seen ~ 1 + (1 | BROOD)", counts, "poisson")
    probit = me.glmer("seen ~ YEAR + (1 | BROOD)", counts, "binomial", link="probit")
    for other in (poisson, probit):
        table = me.anova(binomial, other)
        assert table[["chisq", "p_value"]].isna().all(axis=None)
        assert np.isfinite(table["aic"]).all()
        assert any("is no special case of" in note and "there is no test" in note for note in table.notes)


def test_models_with_as_many_parameters_say_that_neither_is_nested(counts):
    table = me.anova(me.glmer(TICKS, counts, "poisson"), me.glmer("TICKS ~ YEAR + (1 | LOCATION)", counts, "poisson"))
    assert table["df"].iloc[1] == 0.0
    assert table[["chisq", "p_value"]].isna().all(axis=None)
    assert any("both have 4 parameters, so that neither is nested in the other" in note for note in table.notes)


def test_counts_are_not_compared_with_continuous_responses(counts):
    poisson = me.glmer(TICKS, counts, "poisson")
    with pytest.raises(me.DataError, match=r"poisson \(log\) and gaussian \(identity\): probabilities of counts"):
        me.anova(poisson, me.glmer(TICKS, counts, "gaussian"))
