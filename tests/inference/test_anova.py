"""Tables of tests of the fixed effects against lmerTest and pbkrtest, and hypotheses of the caller's."""

from __future__ import annotations

import numpy as np
import pytest
from support.cases import case_fit
from support.fits import quiet_fit
from support.oats import ANOVA_COLUMNS, oats, oats_fit
from support.reference import case_ids, load_case, vector

import mixedeffects as me
from mixedeffects.errors import DataError
from mixedeffects.inference.anova import anova_table, coef_table, drop1_f, linear_test
from mixedeffects.inference.dispatch import FTest, TTest

CASES = case_ids("tests")
KEYS = {"satterthwaite": "satterthwaite", "kenward-roger": "kenward_roger"}
COEF_COLUMNS = {"estimate": "Estimate", "std_error": "Std. Error", "df": "df", "statistic": "t value"}
# lmerTest differentiates numerically; F and t are as good as the optimum, its type 3 contrasts have seven digits.
DF = {"satterthwaite": 1e-4, "kenward-roger": 1e-5}


@pytest.mark.parametrize("ddf", KEYS)
@pytest.mark.parametrize("case_id", CASES)
def test_coefficients(case_id, ddf):
    wanted = load_case(case_id, "tests")[KEYS[ddf]]["coef"]["columns"]
    table = coef_table(case_fit(case_id, "tests"), ddf).columns
    scale = vector(wanted["Std. Error"])
    np.testing.assert_allclose(table["estimate"] / scale, vector(wanted["Estimate"]) / scale, atol=1e-5)
    np.testing.assert_allclose(table["std_error"], scale, rtol=1e-5)
    np.testing.assert_allclose(table["df"], vector(wanted["df"]), rtol=DF[ddf])
    np.testing.assert_allclose(table["statistic"], vector(wanted["t value"]), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(table["p_value"], vector(wanted["Pr(>|t|)"]), rtol=1e-4)


@pytest.mark.parametrize("type", ["I", "II", "III"])
@pytest.mark.parametrize("ddf", KEYS)
@pytest.mark.parametrize("case_id", CASES)
def test_terms(case_id, ddf, type):
    wanted = load_case(case_id, "tests")[KEYS[ddf]][f"anova_{type}"]
    fit = case_fit(case_id, "tests")
    table = anova_table(fit, len(type), ddf).columns
    assert table["term"] == [row.replace("factor(", "C(").replace("^", " ** ") for row in wanted["rows"]]
    r = {name: vector(wanted["columns"][theirs]) for name, theirs in ANOVA_COLUMNS.items()}
    several = r["df_num"] > 1
    np.testing.assert_array_equal(table["df_num"], r["df_num"])
    np.testing.assert_allclose(table["statistic"], r["statistic"], rtol=1e-5)
    np.testing.assert_allclose(table["df_den"][~several], r["df_den"][~several], rtol=DF[ddf])
    np.testing.assert_allclose(table["df_den"][several], r["df_den"][several], rtol=10 * DF[ddf])
    np.testing.assert_allclose(table["p_value"], r["p_value"], rtol=1e-4)
    np.testing.assert_allclose(table["mean_sq"], table["statistic"] * fit.sigma**2, rtol=1e-12)
    np.testing.assert_allclose(table["sum_sq"], table["mean_sq"] * table["df_num"], rtol=1e-12)
    if ddf == "satterthwaite":
        np.testing.assert_allclose(table["sum_sq"], r["sum_sq"], rtol=1e-5)


@pytest.mark.parametrize("case_id", CASES)
def test_deletions(case_id):
    wanted = load_case(case_id, "tests")["drop1_F_satterthwaite"]
    table = drop1_f(case_fit(case_id, "tests")).columns
    assert table["term"] == [row.replace("factor(", "C(").replace("^", " ** ") for row in wanted["rows"]]
    for name, theirs in ANOVA_COLUMNS.items():
        tolerance = {"df_den": 1e-3, "p_value": 1e-4}.get(name, 1e-5)
        np.testing.assert_allclose(table[name], vector(wanted["columns"][theirs]), rtol=tolerance, err_msg=name)


def test_cake_has_one_row_for_each_term():
    table = anova_table(case_fit("t_cake", "tests"))
    assert table.columns["term"] == ["recipe", "temperature", "recipe:temperature"]
    assert table.columns["statistic"][0] == pytest.approx(0.2488, abs=1e-4)
    assert (table.columns["df_num"][0], table.columns["df_den"][0]) == (2.0, pytest.approx(42.0))
    assert table.notes == ("type 3 analysis of variance", "degrees of freedom: satterthwaite")


@pytest.mark.parametrize(("ddf", "df"), [("residual", 178.0), ("normal", np.inf)])
def test_simple_degrees_of_freedom(ddf, df):
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    coefficients = coef_table(fit, ddf).columns
    terms = anova_table(fit, 3, ddf).columns
    assert coefficients["df"].tolist() == [df, df]
    assert terms["df_den"].tolist() == [df]
    assert terms["p_value"][0] == pytest.approx(coefficients["p_value"][1], rel=1e-9)
    assert terms["statistic"][0] == pytest.approx(coefficients["statistic"][1] ** 2, rel=1e-12)


def test_aliased_coefficients_and_terms_have_no_numbers():
    fit = oats_fit("yield ~ x + z + n + (1|Block/V)")
    coefficients = coef_table(fit).columns
    gone = coefficients["term"].index("z")
    for name in COEF_COLUMNS:
        assert np.flatnonzero(np.isnan(coefficients[name])).tolist() == [gone]
    terms = anova_table(fit).columns
    assert terms["df_num"].tolist() == [1.0, 0.0, 3.0]
    assert np.flatnonzero(np.isnan(terms["p_value"])).tolist() == [1]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_come_in_the_library_of_the_data(library):
    frame = oats()[["yield", "n", "Block"]].astype({"n": object, "Block": str})
    if library == "polars":
        frame = pytest.importorskip("polars").DataFrame(frame.to_dict("list"))
    elif library == "pyarrow":
        frame = pytest.importorskip("pyarrow").table(frame.to_dict("list"))
    fit = me.lmer("yield ~ n + (1|Block)", frame)
    assert type(anova_table(fit).to_frame()) is type(frame)
    assert type(coef_table(fit).to_frame()) is type(frame)


def test_another_method_is_refused():
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    for call in (coef_table, drop1_f):
        with pytest.raises(DataError, match="choose one of 'satterthwaite'"):
            call(fit, "satterthwait")


# Hypotheses of the caller's


@pytest.fixture
def sleep():
    return quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")


@pytest.mark.parametrize("L", ["Days = 10", ["Days = 10"], [0, 1], [[0, 1]]])
def test_one_hypothesis_is_a_t_test(sleep, L):
    rhs = 0.0 if "Days" in str(L) else 10.0
    found = linear_test(sleep, L, rhs)
    assert isinstance(found, TTest)
    assert found.estimate == pytest.approx(10.467286, rel=1e-6)
    assert found.statistic == pytest.approx((10.467286 - 10) / 1.545789, rel=1e-4)
    assert found.df == pytest.approx(17.0, rel=1e-6)


def test_several_hypotheses_are_an_f_test(sleep):
    found = linear_test(sleep, ["Days = 10", "Intercept = 250"])
    assert isinstance(found, FTest)
    same = linear_test(sleep, np.eye(2), [250.0, 10.0])
    difference = sleep.solution.beta - [250.0, 10.0]
    assert found.statistic == pytest.approx(difference @ np.linalg.solve(sleep.solution.vcov, difference) / 2)
    assert (same.statistic, same.df_den) == (pytest.approx(found.statistic), pytest.approx(found.df_den))
    # A row that others determine changes nothing.
    more = linear_test(sleep, ["Days = 10", "Intercept = 250", "Intercept + Days = 260"])
    assert (more.statistic, more.df_num) == (pytest.approx(found.statistic), 2.0)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "residual", "normal"])
def test_a_term_is_the_test_of_its_coefficients(ddf):
    fit = case_fit("t_machines_unbal", "tests")
    found = linear_test(fit, ["Machine[T.B] = 0", "Machine[T.C] = 0"], ddf=ddf)
    table = anova_table(fit, 3, ddf).columns
    assert found.statistic == pytest.approx(table["statistic"][0], rel=1e-9)
    assert found.df_den == pytest.approx(table["df_den"][0], rel=1e-6)


def test_hypotheses_of_aliased_coefficients():
    fit = oats_fit("yield ~ x + z + n + (1|Block/V)")
    found = linear_test(fit, "x + 2*z = 0")
    assert found.estimate == pytest.approx(float(fit.fixef["x"]))
    with pytest.raises(DataError, match=r"'x = 0' is not estimable.*rank deficiency \(z\)"):
        linear_test(fit, "x = 0")
    with pytest.raises(DataError, match="hypothesis 2 of 2"):
        linear_test(fit, ["x + 2*z", "z = 0"])


@pytest.mark.parametrize(
    ("L", "rhs", "message"),
    [
        ([1, 2, 3], 0, r"L has shape \(3,\); it must be \(2,\) or \(q, 2\), a column for each of Intercept, Days"),
        ([[[0, 1]]], 0, "L has shape"),
        ([], 0, "L has shape"),
        ([0, np.nan], 0, "must be finite"),
        ([0, 1], np.inf, "must be finite"),
        ([0, 1], [1, 2], r"rhs has shape \(2,\)"),
        ("Days = 10", 3, "write the value after ="),
        ([0, "Days"], 0, "arrays of numbers or text"),
        ([0, 0], 0, "tests nothing"),
        (["Days = 10", "Days = 11"], 0, "contradict"),
    ],
)
def test_what_is_no_hypothesis(sleep, L, rhs, message):
    with pytest.raises(DataError, match=message):
        linear_test(sleep, L, rhs)
