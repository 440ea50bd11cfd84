"""Contrasts by name, and differences of means on the scale of the response: against R's regrid, and their gradient."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from support.reference import case_ids, load_case, load_data

import mixedeffects as me

DDF = {"asymptotic": "normal", "satterthwaite": "satterthwaite", "kenward-roger": "kenward-roger"}
CASES = case_ids("regrid")
# Standard errors of glmer come from a Hessian by differences in R.
TOLERANCE = {"cbpp_logit": 2e-3, "epil_log": 2e-3}


@cache
def fit_of(case_id):
    case = load_case(case_id, "regrid")
    frame = load_data(case["dataset"])
    if "nitrof" in case["formula"]:
        frame["nitrof"] = pd.Categorical([f"{value:g}" for value in frame["nitro"]])
    if case["family"] is None:
        return me.lmer(case["formula"], frame)
    return me.glmer(case["formula"], frame, case["family"])


def contrasts_of(case_id, mode, scale="response"):
    case = load_case(case_id, "regrid")
    options = {"ddf": DDF[mode]} if case["family"] is None else {}
    if scale is not None:
        options["scale"] = scale
    return fit_of(case_id).emmeans(case["specs"], by=case["by"], **options).contrasts


def numbers(values):
    return np.array([np.inf if value == "Inf" else value for value in values], dtype=float)


@pytest.mark.parametrize("case_id", CASES)
def test_differences_are_those_of_regrid(case_id):
    for wanted in load_case(case_id, "regrid")["results"]:
        contrasts = contrasts_of(case_id, wanted["mode"])
        for method, name in [("pairwise", "pairwise"), ("revpairwise", "revpairwise"), ("trt.vs.ctrl", "control")]:
            found, expected = contrasts(method, "none", differences=True), wanted[name]
            assert [label.replace("nitrof", "") for label in found["contrast"]] == [
                label.replace("nitrof", "") for label in expected["contrast"]
            ]
            scale = numbers(expected["SE"])
            tolerance = TOLERANCE.get(case_id, 1e-6)
            np.testing.assert_allclose(found["estimate"] / scale, numbers(expected["estimate"]) / scale, atol=tolerance)
            np.testing.assert_allclose(found["std_error"], scale, rtol=tolerance)
            if wanted["mode"] == "asymptotic":
                for end, limit in [("lower", "asymp.LCL"), ("upper", "asymp.UCL")]:
                    np.testing.assert_allclose(found[end] / scale, numbers(expected[limit]) / scale, atol=3 * tolerance)


@pytest.mark.parametrize("case_id", CASES)
def test_other_ways_round_on_the_scale_of_the_model(case_id):
    for wanted in load_case(case_id, "regrid")["results"]:
        contrasts = contrasts_of(case_id, wanted["mode"], scale=None)
        for method, name in [("revpairwise", "model_revpairwise"), ("trt.vs.ctrl", "model_control")]:
            found, expected = contrasts(method, "none"), wanted[name]
            scale, tolerance = numbers(expected["SE"]), TOLERANCE.get(case_id, 1e-6)
            np.testing.assert_allclose(found["estimate"] / scale, numbers(expected["estimate"]) / scale, atol=tolerance)
            np.testing.assert_allclose(found["std_error"], scale, rtol=tolerance)
            np.testing.assert_allclose(found["df"], numbers(expected["df"]), rtol=1e-5)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_differences_have_the_degrees_of_freedom_of_their_gradient(ddf):
    fit = fit_of("machines_log")
    means = fit.emmeans("Machine", ddf=ddf, scale="response")
    found = means.contrasts("pairwise", "none", differences=True)
    L = np.array([[1.0, 0, 0], [1, 1, 0], [1, 0, 1]])
    median = np.exp(L @ fit.fixef.to_numpy())
    for row, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        one = fit.test(median[i] * L[i] - median[j] * L[j], ddf=ddf)
        np.testing.assert_allclose(found["std_error"].iloc[row], one.std_error, rtol=1e-10)
        np.testing.assert_allclose(found["df"].iloc[row], one.df, rtol=1e-10)
        np.testing.assert_allclose(found["estimate"].iloc[row], median[i] - median[j], rtol=1e-12)


def test_a_falling_link_has_differences_of_means():
    fit = me.glmer("angle ~ recipe + (1 | recipe:replicate)", load_data("cake"), "gamma", link="inverse")
    means = fit.emmeans("recipe", scale="response")
    found = means.contrasts("trt.vs.ctrl", differences=True)
    mu = means.to_frame()["estimate"].to_numpy()
    np.testing.assert_allclose(found["estimate"], mu[1:] - mu[0], rtol=1e-12)
    gradient = -(mu[1] ** 2) * np.array([1.0, 1, 0]) + mu[0] ** 2 * np.array([1.0, 0, 0])
    np.testing.assert_allclose(found["std_error"].iloc[0] ** 2, gradient @ fit.vcov.to_numpy() @ gradient, rtol=1e-10)


def test_notes_say_what_is_compared():
    found = contrasts_of("machines_log", "satterthwaite")("trt.vs.ctrl", differences=True)
    assert "contrasts are of medians of score; standard errors and limits by the delta method" in repr(found)
    assert "p-values not adjusted" in repr(found)
    assert "contrasts are of means;" in repr(contrasts_of("cbpp_logit", "asymptotic")(differences=True))


def test_a_control_and_several_by_levels():
    means = fit_of("machines_log").emmeans("Machine", scale="response")
    one = means.contrasts({"others": {"A": -1, "B": 0.5, "C": 0.5}}, differences=True)
    mean = means.to_frame()["estimate"].to_numpy()
    np.testing.assert_allclose(one["estimate"], [mean[1:].mean() - mean[0]], rtol=1e-12)
    assert means.contrasts("trt.vs.ctrl")["contrast"].tolist() == ["B / A", "C / A"]


def test_what_cannot_be_compared():
    fit = fit_of("machines_log")
    with pytest.raises(me.DataError, match="differences=True is for means on the scale of the response"):
        fit.emmeans("Machine").contrasts(differences=True)
    with pytest.raises(me.DataError, match="adjust='tukey' is for all pairwise"):
        fit.emmeans("Machine").contrasts("trt.vs.ctrl", "tukey")
    with pytest.raises(me.DataError, match=r"'pairwise', 'revpairwise', 'trt\.vs\.ctrl'"):
        fit.emmeans("Machine").contrasts("dunnett")
