"""Calls with the arguments of the other kind of fit, of R, or of nothing: one error that says what to write."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest
from support import reference

import mixedeffects as me
from mixedeffects.results import calls


@pytest.fixture(scope="module")
def linear():
    return me.lmer("Reaction ~ Days + (Days | Subject)", reference.load_data("sleepstudy"))


@pytest.fixture(scope="module")
def generalized():
    return me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", reference.load_data("cbpp"))


FITS = {
    "me.lmer('y ~ (1 | g)', {}, family='poisson')": "me.glmer(formula, data, family=...)",
    "me.lmer('y ~ (1 | g)', {}, nagq=1)": "me.glmer(formula, data, family=...)",
    "me.lmer('y ~ (1 | g)', {}, REML=False)": "write reml=",
    "me.lmer('y ~ (1 | g)', {}, False)": "lmer() takes 2 arguments (formula, data) without a name, not 3",
    "me.lmer('y ~ (1 | g)')": "lmer() needs data=",
    "me.glmer('y ~ (1 | g)', {}, reml=True)": "fitted by maximum likelihood: leave reml out",
    "me.glmer('y ~ (1 | g)', {}, nAGQ=3)": "write nagq=",
    "me.lmer('y ~ (1 | g)', {}, weihgts='w')": "did you mean weights=?",
    "me.lmer('y ~ x', {}, groups='clinic')": "write the grouping factor in the formula, as in + (1 | clinic)",
    "me.lmer('y ~ x', {}, groups=[1, 2])": "as in + (1 | school)",
    "me.lmer('y ~ x', {}, re_formula='~yr')": "as in + (yr | school)",
    "me.lmer('y ~ x', {}, vc_formula={})": "as in + (1 | school) + (1 | school:class)",
    "me.lmer('y ~ x', {}, cov_type='cluster')": "fit.vcov_robust(cluster, kind='CR2')",
    "me.lmer('y ~ x', {}, pweights='w')": "sampling weights are not there; weights= are prior weights",
    "me.glmer('y ~ x', {}, freq_weights='w')": "sampling weights are not there; weights= are prior weights",
    "me.lmer('y ~ x', {}, var_weights='w')": "write weights=",
    "me.lmer('y ~ x', {}, **{'na.action': 'na.omit'})": "write missing='drop' or missing='raise'",
    "me.lmer('y ~ x', {}, na_action='na.omit')": "write missing='drop' or missing='raise'",
    "me.glmer('y ~ x', {}, 'poisson', exposure='days')": "write + offset(log(days)) in the formula",
    "me.glmer('y ~ x', {}, 'poisson', exposure=[1.0])": "write + offset(log(exposure)) in the formula",
    "linear.coef_table(cluster='Subject')": "fit.vcov_robust('Subject')",
    "linear.summary(cluster='Subject')": "fit.vcov_robust('Subject')",
    "linear.test('Days', cluster=[1, 2])": "fit.vcov_robust('school')",
    "me.anova(linear, linear, test='F')": "anova() has no argument 'test'; its arguments are refit=",
    "generalized.summary(ddf='satterthwaite')": "tests of a generalized fit are asymptotic",
    "generalized.summary('satterthwaite')": "summary() takes no argument without a name, not 1",
    "generalized.tidy(ddf='kenward-roger')": "tests of a generalized fit are asymptotic",
    "generalized.coef_table('satterthwaite')": "whose tests are asymptotic",
    "generalized.emmeans('period', type='response')": "write scale='response'",
    "linear.emmeans('Days', type='response')": "write scale='response'",
    "linear.predict(scale='response')": "a response such as log(y) goes back through np.exp",
    "linear.emmeans('Days', adjust='tukey')": ".contrasts(adjust=...)",
    "linear.emmeans('Days').contrasts(type='response')": "write emmeans(..., scale='response')",
    "linear.coef_table(exponentiate=True)": "write tidy('fixed', exponentiate=True)",
    "generalized.confint(exponentiate=True)": "write tidy('fixed', conf_int=True, exponentiate=True)",
    "linear.confint('wald', n=3)": "'n' is an option of the bootstrap only",
    "linear.vcov_robust().coef_table('satterthwaite')": "coef_table() takes no argument without a name, not 1",
    "linear.icc(method='trigamma')": "only a fit by glmer has it",
    "linear.residuals(type='pearson')": "write kind=",
    "linear.predict(newdata={})": "write data=",
    "linear.simulate(seed=1)": "write rng=",
    "linear.emmeans('Days', 'x', by='y')": "emmeans() was given an argument twice",
    "linear.plot.residuals(type='pearson')": "residuals() has no argument 'type'; write kind=",
    "linear.plot.qq(1, 2, 3, 4)": "qq() takes",
    "generalized.plot.caterpillar(grp='herd')": "did you mean group=?",
}


@pytest.mark.parametrize("call", FITS)
def test_an_argument_that_there_is_not_is_one_error_that_says_what_to_write(linear, generalized, call):
    with pytest.raises(me.DataError, match=re.escape(FITS[call])):
        eval(call, {"me": me, "linear": linear, "generalized": generalized})


def test_every_public_method_of_a_fit_answers_like_that(linear, generalized):
    for fit in (linear, generalized):
        methods = [name for name in dir(fit) if not name.startswith("_") and inspect.ismethod(getattr(fit, name))]
        assert len(methods) > 25
        for name in methods:
            with pytest.raises(me.DataError, match="no_such_argument"):
                getattr(fit, name)(no_such_argument=1)


def test_a_method_of_the_other_kind_of_fit_is_told(linear, generalized):
    with pytest.raises(me.MixedEffectsError, match="vcov_kr is for a fit by lmer; this is a fit by glmer"):
        generalized.vcov_kr()
    with pytest.raises(AttributeError, match="check_dispersion is for a fit by glmer; this is a fit by lmer"):
        linear.check_dispersion()
    assert not hasattr(linear, "check_dispersion")
    with pytest.raises(AttributeError, match="has no attribute 'no_such_method'"):
        linear.no_such_method()


ATTRIBUTES = {
    "params": "fit.fixef",
    "fe_params": "fit.fixef",
    "bse": "fit.std_errors",
    "pvalues": "fit.coef_table()['p_value']",
    "tvalues": "fit.coef_table()['statistic']",
    "llf": "fit.loglik",
    "resid": "fit.residuals()",
    "random_effects": "fit.ranef",
    "conf_int": "fit.confint()",
    "t_test": "fit.test(...)",
    "fittedvalues": "fit.fitted",
    "cov_params": "fit.vcov",
    "summary2": "fit.summary()",
    "scale": "fit.sigma ** 2",
    "rsquared": "fit.r2()",
    "get_prediction": "fit.predict(...",
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_of_other_programs_is_told_what_it_is_here(linear, generalized, name):
    for fit in (linear, generalized):
        with pytest.raises(AttributeError, match=re.escape(f"{name!r}; here: {ATTRIBUTES[name]}")):
            getattr(fit, name)
        assert not hasattr(fit, name)


def test_the_answers_to_such_attributes_work(linear, generalized):
    for fit in (linear, generalized):
        answers = [text for part in calls._HERE.values() for text in re.findall(r"fit\.\w+(?:\(\))?(?:\[.*?\])?", part)]
        assert len(answers) > 30
        for text in answers:
            if "vcov_robust" not in text or fit is linear:
                assert eval(text, {"fit": fit}) is not None


def test_functions_of_other_programs_are_told_what_they_are_here():
    for name in ("mixedlm", "MixedLM"):
        with pytest.raises(AttributeError, match=rf"no attribute '{name}'; here: me\.lmer\('y ~ x"):
            getattr(me, name)
        assert not hasattr(me, name)
    with pytest.raises(AttributeError, match=r"has no attribute 'nothing'$"):
        _ = me.nothing
    copied = copy.deepcopy(me.lmer("Reaction ~ Days + (1 | Subject)", reference.load_data("sleepstudy")))
    assert not hasattr(copied, "params")


def test_type_errors_of_a_function_of_the_callers_stay_what_they_are(linear):
    with pytest.raises(TypeError, match="unsupported operand"):
        linear.bootstrap(2, statistic=lambda fit: fit.sigma + "a", rng=1)


def test_signatures_and_docstrings_are_those_of_the_methods(linear):
    assert list(inspect.signature(me.lmer).parameters)[:2] == ["formula", "data"]
    assert list(inspect.signature(linear.summary).parameters) == ["ddf"]
    assert linear.summary.__doc__.startswith("Return the printed summary")
    assert pickle.loads(pickle.dumps(linear)).criterion == linear.criterion
