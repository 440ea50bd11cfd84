"""`Control(information="expected")`: lme4's own Laplace approximation where the link is not canonical."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from support import reference
from support.glmm import glmm_fit

import mixedeffects as me

# Gamma and inverse Gaussian responses are left out: lme4 does not maximize over their dispersion.
LME4 = ["cbpp_probit", "cbpp_cloglog_q1", "contraception_probit", "arabidopsis_nb", "simcount_nb", "cbpp_probit_q0"]
HERDS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
EXPECTED = me.Control(information="expected")


@pytest.fixture(scope="module")
def fit() -> me.GlmmResult:
    return glmm_fit("cbpp_probit", information="expected")[1]


@pytest.mark.parametrize("case_id", LME4)
def test_it_gives_the_values_of_lme4(case_id):
    case, fit, caught = glmm_fit(case_id, information="expected")
    theirs = -2.0 * case["logLik"]
    assert fit.optimum.converged
    assert not caught
    assert -1e-5 < fit.criterion - theirs < 1e-9 * theirs
    errors = reference.vector(case["se"])
    assert (np.abs(fit.fixef - reference.vector(case["fixef"])) < 1e-4 * errors).all()
    for group, stored in case["varcorr"].items():
        np.testing.assert_allclose(np.sqrt(np.diag(fit.varcorr.covariance[group])), stored["sd"], rtol=1e-4)
    for group, stored in case["ranef"].items():
        modes, variances = np.array(stored["values"]), fit.ranef.condvar[group].ravel()
        np.testing.assert_allclose(fit.ranef[group].to_numpy()[: len(modes)], modes, rtol=0, atol=1e-4 * modes.std())
        if stored.get("condVar"):
            theirs = np.ravel(stored["condVar"])
            np.testing.assert_allclose(variances[: len(theirs)], theirs, rtol=1e-4)


@pytest.mark.parametrize("case_id", LME4)
def test_standard_errors_are_those_of_lme4(case_id):
    case, fit, _ = glmm_fit(case_id, information="expected")
    stored = case["vcov_hess"] if fit.nagq else case["vcov"]
    np.testing.assert_allclose(fit.std_errors, np.sqrt(np.diag(reference.matrix(stored))), rtol=5e-4)


def test_the_observed_information_comes_closer_to_the_integral(fit):
    """The figures of docs/for_lme4_users.md."""
    exact = me.glmer(HERDS, reference.load_data("cbpp"), link="probit", nagq=25)
    found = [one.loglik for one in (fit, glmm_fit("cbpp_probit")[1], exact)]
    assert found == pytest.approx([-92.6212, -92.5833, -92.5673], abs=5e-5)
    assert exact.loglik == pytest.approx(reference.load_case("ml_cbpp_probit", "exact_ml")["logLik"], abs=1e-7)


@pytest.mark.parametrize("nagq", [0, 1])
def test_it_changes_nothing_under_a_canonical_link(nagq):
    herds = reference.load_data("cbpp")
    observed, expected = (me.glmer(HERDS, herds, nagq=nagq, control=c) for c in (None, EXPECTED))
    assert expected.criterion == pytest.approx(observed.criterion, rel=1e-13)
    np.testing.assert_allclose(expected.std_errors, observed.std_errors, rtol=1e-6)


def test_what_a_fit_leads_to_keeps_it(fit):
    again = pickle.loads(pickle.dumps(fit))
    assert (again.control, again.criterion) == (fit.control, fit.criterion)
    np.testing.assert_allclose(again.ranef.condvar["herd"], fit.ranef.condvar["herd"], rtol=1e-13)
    assert again.likelihood.expected
    assert fit.refit(fit.model.y).criterion == pytest.approx(fit.criterion, rel=1e-12)
    herds = reference.load_data("cbpp")
    small = "cbind(incidence, size - incidence) ~ 1 + (1 | herd)"
    wanted = me.glmer(small, herds, link="probit", control=EXPECTED).loglik
    assert fit.drop1()["loglik"][1] == pytest.approx(wanted, rel=1e-10)
    y = fit.simulate(3, rng=np.random.SeedSequence(5).spawn(1)[0])
    by_hand = [fit.refit(one).fixef.to_numpy() for one in y.T]
    np.testing.assert_allclose(fit.bootstrap(3, rng=5).values[:, 1:], by_hand, rtol=0, atol=1e-5)


def test_likelihoods_with_other_information_are_not_compared(fit):
    with pytest.raises(me.DataError, match=r"nagq=1 and generalized, nagq=1, expected information"):
        me.anova(glmm_fit("cbpp_probit")[1], fit)


def test_it_is_refused_where_it_means_nothing():
    sleep, herds = reference.load_data("sleepstudy"), reference.load_data("cbpp")
    with pytest.raises(me.DataError, match=r"information='expected' is for glmer: .* leave the option out"):
        me.lmer("Reaction ~ Days + (1 | Subject)", sleep, control=EXPECTED)
    with pytest.raises(me.DataError, match=r"nagq > 1 has no variant with the expected information.* or nagq=1"):
        me.glmer(HERDS, herds, link="probit", nagq=5, control=EXPECTED)
    with pytest.raises(me.DataError, match="information must be 'observed' or 'expected', not 'fisher'"):
        me.Control(information="fisher")
