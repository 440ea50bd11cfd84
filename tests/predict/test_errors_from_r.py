"""Standard errors of predictions from lme4's factors: tests/reference/prediction/make.R."""

from __future__ import annotations

import json
import re
import warnings
from functools import cache

import numpy as np
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me

STORED = json.loads((reference.ROOT / "prediction" / "prediction.json").read_text(encoding="utf-8"))
CASES = {case["id"]: case for case in STORED["cases"]}
DATASETS = {
    "Reaction": "sleepstudy",
    "rt": "sim_cross",
    "strength": "Pastes",
    "score": "Machines",
    "diameter": "Penicillin",
    "Yield": "Dyestuff2",
}
OPTIONS = {"weights_offset": {"weights": "w", "offset": "off"}, "crossed_weighted": {"weights": "w"}}
LEFT_OUT = [1, 2, 5, 6, 7, 11, 18, 19, 26]  # rows of the Machines data


@cache
def fitted(case_id):
    case = CASES[case_id]
    formula = re.sub(r"\s+", " ", case["formula"])
    frame = reference.load_data(DATASETS[formula.split(" ~ ")[0]])
    if case_id == "machines":
        frame = frame.drop(index=LEFT_OUT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.lmer(formula, frame, reml=case["REML"], **OPTIONS.get(case_id, {}))


@pytest.mark.parametrize("case_id", list(CASES))
def test_new_rows(case_id):
    case, fit = CASES[case_id], fitted(case_id)
    np.testing.assert_allclose(fit.sigma, case["sigma"], rtol=1e-6)
    found = fit.predict(case["rows"], se=True)
    estimate, error = reference.vector(case["estimate"]), reference.vector(case["std_error"])
    np.testing.assert_allclose(found["estimate"], estimate, rtol=0, atol=1e-6 * np.abs(estimate).max())
    np.testing.assert_allclose(found["std_error"], error, rtol=2e-6)
    observation = fit.predict(case["rows"], interval="prediction")["std_error"]
    weights = np.array(case["rows"]["w"]) if case_id in OPTIONS else 1.0
    np.testing.assert_allclose(observation, np.sqrt(error**2 + case["sigma"] ** 2 / weights), rtol=2e-6)


@pytest.mark.parametrize("case_id", list(CASES))
def test_rows_of_the_fit(case_id):
    found = fitted(case_id).predict(se=True)["std_error"]
    np.testing.assert_allclose(found, reference.vector(CASES[case_id]["fitted_error"]), rtol=2e-6)


def test_an_unknown_level():
    stored = STORED["unknown"]
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    rows = {"Days": stored["Days"], "Subject": ["new", "newer"]}
    confidence = fit.predict(rows, interval="confidence", new_levels="population")
    np.testing.assert_allclose(confidence["std_error"], stored["std_error"], rtol=2e-6)
    whole = np.sqrt(np.array(stored["std_error"]) ** 2 + stored["sigma"] ** 2)
    for found in (
        fit.predict(rows, interval="prediction", new_levels="population"),
        fit.predict({"Days": stored["Days"]}, interval="prediction", random="population"),
    ):
        np.testing.assert_allclose(found["std_error"], whole, rtol=2e-6)
