"""Exponentials of coefficients, and means of transformed responses on the scale of the data."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference

import mixedeffects as me

# R 4.2, broom.mixed 0.2.9: tidy(f, effects="fixed", conf.int=TRUE, exponentiate=TRUE).
# cbpp by glmer with tolPwrss = 1e-12.
ODDS = {
    "estimate": [0.2469592233, 0.3707171595, 0.3234650697, 0.2059101032],
    "std_error": [0.0574114467, 0.1136772594, 0.1056558432, 0.0880137649],
    "statistic": [-6.015880233, -3.236078408, -3.455402143, -3.697182460],
    "p_value": [1.789118176e-09, 1.211840917e-03, 5.494726100e-04, 2.180056553e-04],
    "lower": [0.15658261665, 0.20324926596, 0.17052693585, 0.08909266029],
    "upper": [0.3894995453, 0.6761707686, 0.6135667120, 0.4758974582],
}
# sleepstudy, log(Reaction) ~ grp + (1 | Subject) by lmerTest; grp as in the fixture below.
MEDIANS = {
    "estimate": [269.152345764, 1.146048337, 1.254813981],
    "std_error": [8.60780605959, 0.02024109668, 0.02538984848],
    "df": [19.11724719, 160.00000002, 160.00000003],
    "statistic": [174.955391671, 7.718409637, 11.218140487],
    "p_value": [4.199019575e-32, 1.198634073e-12, 6.500537282e-22],
    "lower": [251.732743754, 1.106763278, 1.205660165],
    "upper": [287.777363206, 1.186727837, 1.305971760],
}

# R 4.2, emmeans: emmeans(f, "grp", type="response", lmer.df="satterthwaite") and pairs().
MEANS = {
    "log": (
        [269.1523458, 308.4615982, 337.7361266],
        [8.60780606, 10.23413311, 11.69102616],
        [19.11724719, 22.10520119, 26.08619719],
        [251.7327438, 287.9564968, 314.5435134],
        [287.7773632, 330.4268480, 362.6388284],
    ),
    "sqrt": (
        [270.3929265, 310.8137693, 340.7879399],
        [8.950511720, 9.981405812, 10.934882510],
        [19.28883059, 22.53173278, 26.86834049],
        [252.0020822, 290.4856035, 318.7157277],
        [289.4314187, 331.8293673, 363.5990699],
    ),
    "log1p": (
        [269.1616430, 308.4771533, 337.7553007],
        [8.609604407, 10.231782949, 11.685358817],
        [19.11837976, 22.10801103, 26.09134106],
        [251.7364352, 287.9744589, 314.5712988],
        [287.7882512, 330.4345108, 362.6425562],
    ),
}
MEANS["log10"] = MEANS["log2"] = MEANS["log"]
RATIOS = {
    "estimate": [0.8725635454, 0.7969308718, 0.9133213002],
    "std_error": [0.01541090591, 0.01612506267, 0.02016344353],
    "lower": [0.8368566817, 0.7596819767, 0.8668443350],
    "upper": [0.9097939437, 0.8360061629, 0.9622901872],
    "statistic": [-7.718409637, -11.218140487, -4.106867879],
}
DIFFERENCES = {
    "sqrt": ([-1.1862824602, -2.0168138187, -0.8305313585], [0.1557626835, 0.1784485719, 0.1947033544]),
    "log1p": ([-0.13586381374, -0.22625756236, -0.09039374863], [0.01760366352, 0.02016753014, 0.02200457939]),
}


@pytest.fixture(scope="module")
def nights():
    frame = reference.load_data("sleepstudy")
    return frame.assign(grp=np.select([frame["Days"] < 5, frame["Days"] < 8], ["a", "b"], "c"))


@pytest.fixture(scope="module")
def herds():
    return reference.load_data("cbpp")


def test_odds_ratios_are_those_of_broom_mixed(herds):
    fit = me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", herds, "binomial")
    table = fit.tidy("fixed", conf_int=True, exponentiate=True)
    for name, expected in ODDS.items():
        np.testing.assert_allclose(table[name], expected, rtol=4e-4 if name == "p_value" else 3e-5, err_msg=name)
    assert "odds ratios" in str(table)


@pytest.mark.parametrize("method", ["wald", "profile"])
def test_exponentials_take_the_limits_and_leave_the_tests_and_the_other_rows(herds, method):
    fit = me.glmer("incidence ~ period + (1 | herd)", herds, "poisson")
    plain = fit.tidy(conf_int=True, method=method)
    ratios = fit.tidy(conf_int=True, method=method, exponentiate=True)
    fixed = plain["effect"] == "fixed"
    for name in ("estimate", "lower", "upper"):
        np.testing.assert_allclose(ratios.loc[fixed, name], np.exp(plain.loc[fixed, name].astype(float)), rtol=1e-13)
        assert ratios.loc[~fixed, name].equals(plain.loc[~fixed, name])
    np.testing.assert_allclose(
        ratios.loc[fixed, "std_error"], np.exp(plain.loc[fixed, "estimate"]) * plain.loc[fixed, "std_error"], rtol=1e-13
    )
    for name in ("statistic", "p_value"):
        assert ratios[name].equals(plain[name])
    assert "ratios of means" in str(ratios)


@pytest.mark.parametrize(("link", "what"), [("logit", "odds"), ("log", "means"), ("cloglog", "hazards")])
def test_the_note_says_what_the_exponentials_are(herds, link, what):
    fit = me.glmer("cbind(incidence, size - incidence) ~ 1 + (1 | herd)", herds, "binomial", link=link)
    assert what in fit.tidy(exponentiate=True).notes[0]


def test_exponentials_of_other_links_are_refused(herds):
    fit = me.glmer("cbind(incidence, size - incidence) ~ 1 + (1 | herd)", herds, "binomial", link="probit")
    with pytest.raises(me.DataError, match=r"no sense with the link probit.*logit, log, cloglog"):
        fit.tidy(exponentiate=True)


def test_exponentials_without_fixed_effects_are_refused(herds):
    fit = me.glmer("incidence ~ period + (1 | herd)", herds, "poisson")
    with pytest.raises(me.DataError, match="leaves out; add 'fixed'"):
        fit.tidy("ran_pars", exponentiate=True)


@pytest.mark.parametrize("function", ["log", "np.log", "log2", "log10"])
def test_ratios_of_medians_do_not_depend_on_the_base_and_are_those_of_broom_mixed(nights, function):
    fit = me.lmer(f"{function}(Reaction) ~ grp + (1 | Subject)", nights)
    table = fit.tidy("fixed", conf_int=True, exponentiate=True, ddf="satterthwaite")
    for name, expected in MEDIANS.items():
        np.testing.assert_allclose(table[name], expected, rtol=1e-4 if name == "p_value" else 1e-5, err_msg=name)
    assert "ratios of medians" in table.notes[0]


@pytest.mark.parametrize("response", ["Reaction", "sqrt(Reaction)", "log1p(Reaction)", "2 * log(Reaction)"])
def test_exponentials_where_the_response_is_no_logarithm_are_refused(nights, response):
    fit = me.lmer(f"{response} ~ grp + (1 | Subject)", nights)
    with pytest.raises(me.DataError, match="needs a response that is a logarithm"):
        fit.tidy(exponentiate=True)


def test_a_log_of_the_callers_is_not_taken_for_the_logarithm(nights):
    fit = me.lmer("log(Reaction) ~ grp + (1 | Subject)", nights, functions={"log": lambda x: x / 100.0})
    with pytest.raises(me.DataError, match="needs a response that is a logarithm"):
        fit.tidy(exponentiate=True)


@pytest.mark.parametrize("function", MEANS)
def test_medians_of_a_transformed_response_are_those_of_emmeans(nights, function):
    means = me.lmer(f"{function}(Reaction) ~ grp + (1 | Subject)", nights).emmeans("grp", scale="response")
    table = means.to_frame()
    for name, expected in zip(("estimate", "std_error", "df", "lower", "upper"), MEANS[function], strict=True):
        np.testing.assert_allclose(table[name], expected, rtol=1e-5, err_msg=name)
    assert f"medians of Reaction: means of {function}(Reaction) taken back" in str(means)


@pytest.mark.parametrize("function", ["log", "log2", "log10"])
def test_contrasts_of_logarithms_are_the_ratios_of_emmeans(nights, function):
    fit = me.lmer(f"{function}(Reaction) ~ grp + (1 | Subject)", nights)
    table = fit.emmeans("grp", scale="response").contrasts()
    assert table["contrast"].tolist() == ["a / b", "a / c", "b / c"]
    for name, expected in RATIOS.items():
        np.testing.assert_allclose(table[name], expected, rtol=1e-5, err_msg=name)
    assert f"ratios of medians; tests are on the scale of {function}(Reaction)" in table.notes


@pytest.mark.parametrize("function", DIFFERENCES)
def test_other_contrasts_stay_on_the_scale_of_the_model(nights, function):
    fit = me.lmer(f"{function}(Reaction) ~ grp + (1 | Subject)", nights)
    table = fit.emmeans("grp", scale="response").contrasts()
    assert table["contrast"].tolist() == ["a - b", "a - c", "b - c"]
    for name, expected in zip(("estimate", "std_error"), DIFFERENCES[function], strict=True):
        np.testing.assert_allclose(table[name], expected, rtol=1e-5, err_msg=name)
    assert f"contrasts are on the scale of {function}(Reaction)" in table.notes


def test_the_scale_of_the_model_is_the_default(nights):
    fit = me.lmer("log(Reaction) ~ grp + (1 | Subject)", nights)
    np.testing.assert_array_equal(
        fit.emmeans("grp").to_frame()["estimate"], fit.emmeans("grp", scale="model").to_frame()["estimate"]
    )
    np.testing.assert_allclose(
        np.exp(fit.emmeans("grp")["estimate"]), fit.emmeans("grp", scale="response")["estimate"], rtol=1e-13
    )


@pytest.mark.parametrize("response", ["Reaction", "Reaction / 1000", "exp(Reaction / 1000)", "log(Reaction) - 5"])
def test_responses_that_cannot_be_taken_back_are_refused(nights, response):
    fit = me.lmer(f"{response} ~ grp + (1 | Subject)", nights)
    with pytest.raises(me.DataError, match=r"transformed by log, log2, log10, log1p, sqrt as a whole"):
        fit.emmeans("grp", scale="response")
    with pytest.raises(me.DataError, match="choose 'model' or 'response'"):
        fit.emmeans("grp", scale="link")


def test_a_root_below_zero_comes_back_as_zero():
    from mixedeffects.inference.response_scale import Inverse, _square

    found = Inverse(_square, np.sqrt).through(
        {"estimate": np.array([0.5]), "lower": np.array([-0.3]), "upper": np.array([1.3])}
    )
    assert (found["estimate"][0], found["lower"][0]) == (0.25, 0.0)
    assert found["upper"][0] == pytest.approx(1.69)
