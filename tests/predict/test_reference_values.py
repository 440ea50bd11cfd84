"""Predictions against lme4's, for every reference case."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference
from support.fits import quiet_fit, reference_fit

from mixedeffects.formula import term_columns

CASES = [case for case in reference.case_ids() if "predict" in reference.load_case(case)]


def new_rows(case_id):
    """The fit, the new rows, and lme4's predictions there."""
    case, fit, _ = reference_fit(case_id)
    stored = case["predict"]
    frame = {name: list(values) for name, values in stored["newdata"].items()}
    conditional, population = reference.vector(stored["cond"]), reference.vector(stored["pop"])
    if case_id.startswith("ns_"):
        frame |= stored_columns(case, frame)
    if case.get("offset"):  # lme4 leaves the offset that was an argument out of predictions at new rows
        conditional, population = (part + np.array(frame[case["offset"]]) for part in (conditional, population))
    return fit, frame, stored, conditional, population


def stored_columns(case, frame):
    """Columns of X for new rows, from rows of the data that have the same predictors."""
    X, data = reference.matrix(case["X"]), reference.load_data(case["dataset"])
    rows = [
        np.flatnonzero((data["Time"] == time) & (data["Diet"].astype(str) == str(diet)))[0]
        for time, diet in zip(frame["Time"], frame["Diet"], strict=True)
    ]
    return {f"column{j}": X[rows, j] for j in range(X.shape[1])}


def test_all_cases_are_here():
    assert len(CASES) == 79


@pytest.mark.parametrize("case_id", CASES)
def test_predictions_at_new_rows(case_id):
    fit, frame, stored, conditional, population = new_rows(case_id)
    scale = np.abs(conditional).max()
    new_levels = {"new_levels": "population"} if stored["new_level_vars"] else {}
    np.testing.assert_allclose(fit.predict(frame, **new_levels), conditional, rtol=0, atol=1e-7 * scale)
    needed = {*term_columns(fit.model.formula.fixed), fit.model.offset_name}
    frame = {name: column for name, column in frame.items() if name in needed} or {"rows": range(len(population))}
    np.testing.assert_allclose(fit.predict(frame, random="population"), population, rtol=0, atol=1e-7 * scale)


@pytest.mark.parametrize("case_id", [case for case in CASES if not case.startswith(("chem", "inst"))])
def test_predictions_at_the_fitted_rows(case_id):
    fit = reference_fit(case_id).fit
    np.testing.assert_array_equal(fit.predict(), fit.fitted)
    at = fit.rows[:: max(1, fit.nobs // 50)]
    case = reference.load_case(case_id)
    data = reference.load_data(case["dataset"])
    if case_id.startswith("ns_"):
        data[[f"column{j}" for j in range(len(fit.model.names))]] = reference.matrix(case["X"])
    places = np.searchsorted(fit.rows, at)
    np.testing.assert_allclose(fit.predict(data.iloc[at]), fit.fitted[places], rtol=1e-11)


def test_a_subset_of_the_random_effects():
    """lme4 gives 253.664 and 264.131 for re.form = ~(1 | Subject), and 273.330 with the slope."""
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    new = {"Days": [0, 1], "Subject": [308, 308]}
    np.testing.assert_allclose(fit.predict(new), [253.6637, 273.3299], atol=5e-5)
    np.testing.assert_allclose(fit.predict(new, random="(1 | Subject)"), [253.6637, 264.1310], atol=5e-5)
