"""Estimated marginal means and their contrasts against emmeans."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.fits import quiet_fit
from support.oats import oats, oats_fit, r_tables
from support.reference import call, case_ids, load_case, vector

import mixedeffects as me
from mixedeffects.errors import DataError
from mixedeffects.inference.emmeans import emmeans
from mixedeffects.inference.multiplicity import adjusted_p, critical_values

DDF = {"satterthwaite": "satterthwaite", "kenward-roger": "kenward-roger", "asymptotic": "normal"}
DF = {"satterthwaite": 1e-4, "kenward-roger": 1e-5, "normal": 0.0}
ADJUST = ("tukey", "bonferroni", "holm", "sidak", "none")
CASES = [case_id for case_id in case_ids("emmeans") if load_case(case_id, "emmeans")["family"] == "gaussian"]


@cache
def emmeans_fit(case_id):
    case = load_case(case_id, "emmeans")
    formula, frame, keywords = call(case)
    if "nitrof" in formula:
        # Levels as R writes them.
        frame["nitrof"] = pd.Categorical([f"{value:g}" for value in frame["nitro"]])
    if case_id == "emm_oats_unbal":
        frame = frame.drop(index=[row - 1 for row in (2, 5, 9, 14, 33, 34, 51, 60, 71)])
    return me.lmer(formula, frame, **keywords)


def results(case_id):
    case = load_case(case_id, "emmeans")
    for wanted in case["results"]:
        specs, *by = wanted["specs"].removeprefix("~").split("|")
        ddf = DDF[wanted["mode"]]
        means = emmeans(emmeans_fit(case_id), specs.strip(), by[0].strip() if by else None, case["at"] or None, ddf)
        yield ddf, means, wanted


def compare(table, wanted, ddf, *, estimate="estimate"):
    """Estimates and limits in standard errors; degrees of freedom; p-values."""
    wanted = wanted.get("columns", wanted)
    se = vector(wanted["SE"])
    lower, upper = ("asymp.LCL", "asymp.UCL") if ddf == "normal" else ("lower.CL", "upper.CL")
    pairs = {"estimate": estimate, "std_error": "SE", "lower": lower, "upper": upper}
    for ours, theirs in pairs.items():
        np.testing.assert_allclose(table[ours] / se, vector(wanted[theirs]) / se, atol=1e-5, err_msg=ours)
    if ddf == "normal":
        assert np.isinf(table["df"]).all()
    else:
        np.testing.assert_allclose(table["df"], vector(wanted["df"]), rtol=DF[ddf])


@pytest.mark.parametrize("case_id", CASES)
def test_means(case_id):
    for ddf, means, wanted in results(case_id):
        for name in (*means.specs, *means.by):
            assert list(map(str, means.columns[name])) == [
                f"{float(level)}" if name == "age" else str(level) for level in wanted["emmeans"]["columns"][name]
            ]
        compare(means.columns, wanted["emmeans"], ddf, estimate="emmean")


@pytest.mark.parametrize("case_id", CASES)
def test_pairwise_differences(case_id):
    for ddf, means, wanted in results(case_id):
        for adjust in ("tukey", "none"):
            table = means.contrasts("pairwise", adjust=adjust).columns
            expected = wanted[f"pairs_{adjust}"]["columns"]
            assert table["contrast"] == expected["contrast"]
            compare(table, expected, ddf)
            np.testing.assert_allclose(table["p_value"], vector(expected["p.value"]), atol=1e-6)
        for adjust in ("holm", "bonferroni"):
            table = means.contrasts(adjust=adjust).columns
            np.testing.assert_allclose(table["p_value"], vector(wanted[f"pairs_{adjust}_p"]), atol=1e-6)


def test_cake_recipe():
    means = emmeans(emmeans_fit("emm_cake"), "recipe", ddf="kenward-roger")
    assert means.columns["recipe"] == ["A", "B", "C"]
    assert means.columns["estimate"][0] == pytest.approx(33.12, abs=5e-3)
    assert means.columns["std_error"][0] == pytest.approx(1.737, abs=5e-4)
    assert means.columns["df"][0] == pytest.approx(42.0)
    assert means.notes == (
        "averaged over the levels of temperature",
        "degrees of freedom: kenward-roger",
        "confidence level 0.95",
    )


@pytest.mark.parametrize("case", r_tables()["means"], ids=lambda case: f"{case['formula']} {case['specs']}")
def test_empty_cells_and_offsets(case):
    fit = oats_fit(case["formula"], hole=case.get("hole", False), offset=case.get("offset"))
    at = {name: np.atleast_1d(values).tolist() for name, values in case.get("at", {}).items()} or None
    means = emmeans(fit, case["specs"], case.get("by"), at)
    assert means.columns[case["specs"]] == case["table"][case["specs"]]
    compare(means.columns, case["table"], "satterthwaite", estimate="emmean")


@pytest.mark.parametrize("adjust", ADJUST)
def test_families_with_differences_that_are_not_estimable(adjust):
    """They count: the family is what was asked for, within each level of n."""
    wanted = r_tables()["pairs"][adjust]
    table = emmeans(oats_fit("yield ~ n*V + (1|Block/V)", hole=True), "V", "n").contrasts(adjust=adjust).columns
    assert table["contrast"] == wanted["contrast"]
    assert table["n"] == wanted["n"]
    compare(table, wanted, "satterthwaite")
    np.testing.assert_allclose(table["statistic"], vector(wanted["t.ratio"]), atol=1e-5)
    # Beside a contrast that is not estimable, emmeans rounds the degrees of freedom of Tukey's p-values to integers.
    tolerance = 1e-4 if adjust == "tukey" else 1e-6
    np.testing.assert_allclose(table["p_value"], vector(wanted["p.value"]), atol=tolerance)


@pytest.mark.parametrize(
    "weights",
    [
        {"first": (1, -0.5, -0.5), "second": (0, 1, -1)},
        {"first": {"A": 1, "B": -0.5, "C": -0.5}, "second": {"C": -1, "B": 1}},
    ],
)
def test_contrasts_of_ones_own(weights):
    wanted = r_tables()["custom"]
    means = emmeans(oats_fit("yield ~ n*V + (1|Block/V)"), "V")
    table = means.contrasts(weights, adjust="sidak").columns
    assert table["contrast"] == ["first", "second"]
    compare(table, wanted, "satterthwaite")
    np.testing.assert_allclose(table["p_value"], vector(wanted["p.value"]), atol=1e-6)
    plain = means.contrasts(weights).columns
    np.testing.assert_allclose(plain["p_value"], 2 * stats.t.sf(np.abs(plain["statistic"]), plain["df"]))


def test_means_of_two_factors_are_those_of_the_cells():
    frame = oats()
    fit = me.lmer("yield ~ n*V + (1|Block)", frame)
    means = emmeans(fit, ["V", "n"])
    cells = [(V, n) for n in "abcd" for V in "ABC"]
    assert list(zip(means.columns["V"], means.columns["n"], strict=True)) == cells
    beta = dict(zip(fit.model.names, fit.solution.beta, strict=True))
    predicted = [
        beta["Intercept"]
        + beta.get(f"n[T.{n}]", 0.0)
        + beta.get(f"V[T.{V}]", 0.0)
        + beta.get(f"n[T.{n}]:V[T.{V}]", 0.0)
        for V, n in cells
    ]
    np.testing.assert_allclose(means.columns["estimate"], predicted)
    table = means.contrasts({"corner": {("C", "d"): 1, ("A", "a"): -1}})
    assert table.columns["estimate"][0] == pytest.approx(predicted[-1] - predicted[0])
    assert means.contrasts(adjust="none").columns["contrast"][0] == "A a - B a"


def test_covariates_stand_at_their_mean():
    frame = oats()
    fit = me.lmer("yield ~ np.log(w + 1)*n + I(x**2) + (1|Block)", frame)
    means = emmeans(fit, "n")
    here = frame.assign(w=frame["w"].mean(), x=frame["x"].mean()).drop_duplicates("n").sort_values("n")
    beta = fit.fixef
    base = beta["Intercept"] + beta["np.log(w + 1)"] * np.log(here["w"] + 1) + beta["I(x ** 2)"] * here["x"] ** 2
    slope = [beta.get(f"np.log(w + 1):n[T.{n}]", 0.0) for n in here["n"]]
    predicted = base + [beta.get(f"n[T.{n}]", 0.0) for n in here["n"]] + slope * np.log(here["w"] + 1)
    np.testing.assert_allclose(means.columns["estimate"], predicted)
    assert means.notes[0] == f"at w = {frame['w'].mean():.15g}, x = {frame['x'].mean():.15g}"


def test_levels_are_what_the_formula_makes_of_a_column():
    frame = oats()
    frame["early"] = frame["Block"].isin(["I", "II", "III"])
    fit = me.lmer("yield ~ C(nitro)*early + (1|Block)", frame)
    means = emmeans(fit, "nitro", "early")
    assert means.columns["nitro"] == [0.0, 0.2, 0.4, 0.6] * 2
    assert means.columns["early"] == [False] * 4 + [True] * 4
    assert means.contrasts(adjust="none").columns["contrast"][0] == "nitro0 - nitro0.2"
    some = emmeans(fit, "nitro", at={"nitro": (0.2, 0.6), "early": True})
    np.testing.assert_allclose(some.columns["estimate"], means.columns["estimate"][[5, 7]])


def test_at_takes_some_levels_in_the_order_given():
    fit = oats_fit("yield ~ n*V + (1|Block/V)")
    whole, some = emmeans(fit, "V", "n"), emmeans(fit, "V", at={"n": "c", "V": ["C", "A"]})
    assert some.columns["V"] == ["C", "A"]
    np.testing.assert_allclose(some.columns["estimate"], whole.columns["estimate"][[8, 6]])


def test_levels_with_operators_stand_in_brackets():
    frame = oats().replace({"V": {"A": "a-1", "B": "b"}})
    means = emmeans(me.lmer("yield ~ V + (1|Block)", frame), "V")
    assert means.contrasts(adjust="none").columns["contrast"] == ["C - (a-1)", "C - b", "(a-1) - b"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_in_the_library_of_the_data(library):
    frame = oats()[["yield", "V", "Block"]].astype({"V": object, "Block": str})
    if library == "polars":
        frame = pytest.importorskip("polars").DataFrame(frame.to_dict("list"))
    means = emmeans(me.lmer("yield ~ V + (1|Block)", frame), "V")
    out = means.to_frame()
    assert type(out) is type(frame)
    assert list(out.columns) == ["V", "estimate", "std_error", "df", "lower", "upper"]
    assert list(means.contrasts().to_frame().columns) == [
        *("contrast", "estimate", "std_error", "df", "lower", "upper", "statistic", "p_value")
    ]


def test_levels_of_confidence():
    means = emmeans(emmeans_fit("emm_machines"), "Machine", level=0.8)
    half = stats.t.isf(0.1, means.columns["df"]) * means.columns["std_error"]
    np.testing.assert_allclose(means.columns["upper"] - means.columns["estimate"], half)
    wide, narrow = means.contrasts(level=0.99).columns, means.contrasts().columns
    assert (wide["lower"] < narrow["lower"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"specs": "Worker"}, "'Worker' is no predictor of the fixed part; those are 'Machine'"),
        ({"specs": "Machine", "by": "Machine"}, "named twice"),
        ({"specs": []}, "specs is empty"),
        ({"specs": "Machine", "at": {"Machine": "D"}}, "'D' is no level of 'Machine'; those are 'A', 'B', 'C'"),
        ({"specs": "Machine", "at": {"Worker": 1}}, "at: 'Worker' is no predictor"),
        ({"specs": "Machine", "at": {"Machine": []}}, "has no values"),
        ({"specs": "Machine", "level": 95}, "between 0 and 1"),
        ({"specs": "Machine", "ddf": "kr"}, "choose one of"),
    ],
)
def test_what_cannot_be_averaged(arguments, message):
    with pytest.raises(DataError, match=message):
        emmeans(emmeans_fit("emm_machines"), **arguments)


@pytest.mark.parametrize("value", ["a", [1, np.inf], [[1, 2]]])
def test_values_of_covariates_are_numbers(value):
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    with pytest.raises(DataError, match="'Days' must be finite numbers"):
        emmeans(fit, "Days", at={"Days": value})


@pytest.mark.parametrize(
    ("method", "adjust", "message"),
    [
        ("dunnett", None, "choose 'pairwise'"),
        ("pairwise", "fdr", "choose one of 'tukey'"),
        ({"a": (1, -1, 0)}, "tukey", "all pairwise differences"),
        ({"a": (1, -1)}, None, "needs 3 finite weights"),
        ({"a": (0, 0, 0)}, None, "not all zero"),
        ({"a": "ABC"}, None, "needs 3 finite weights"),
        ({"a": {"D": 1}}, None, "'D' is no level"),
        ({}, None, "mapping of weights"),
    ],
)
def test_what_is_no_contrast(method, adjust, message):
    with pytest.raises(DataError, match=message):
        emmeans(emmeans_fit("emm_machines"), "Machine").contrasts(method, adjust)


def test_one_mean_has_no_differences():
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    means = emmeans(fit, "Days")
    assert means.columns["Days"] == [4.5]
    with pytest.raises(DataError, match="one mean of Days only"):
        means.contrasts()


def test_a_mean_that_is_known_for_certain():
    fit = quiet_fit("Reaction ~ 0 + Days + (1 | Subject)", "sleepstudy")
    row = emmeans(fit, "Days", at={"Days": [0, 1]}).columns
    assert (row["estimate"][0], row["std_error"][0], row["lower"][0], row["upper"][0]) == (0.0, 0.0, 0.0, 0.0)
    assert row["std_error"][1] > 0.0


def test_a_grid_that_is_too_large():
    fit = quiet_fit("Reaction ~ Days + Subject + (1 | Subject)", "sleepstudy")
    with pytest.raises(DataError, match=r"at=\{\.\.\.\}"):
        emmeans(fit, "Subject", at={"Days": np.arange(1_000_000)})


# Adjustments


@pytest.mark.parametrize("adjust", ADJUST)
def test_p_values_and_intervals_agree(adjust):
    """An interval at level 1 - p ends at zero, except with Holm's stepwise procedure."""
    t = np.array([-2.1, 0.4, 3.3])
    df = np.array([12.3, 7.0, np.inf])
    p = adjusted_p(t, df, adjust, 3)
    for i in range(3) if adjust != "holm" else [2]:
        if p[i] < 1.0:
            assert critical_values(df, 1.0 - p[i], adjust, 3)[i] == pytest.approx(abs(t[i]), rel=1e-6)


@pytest.mark.parametrize("adjust", ADJUST)
def test_adjustments_only_raise_p_values(adjust):
    t = np.array([0.0, 1.0, -1.0, 2.5, 40.0, np.nan])
    df = np.full(6, 9.0)
    plain, p = adjusted_p(t, df, "none", 4), adjusted_p(t, df, adjust, 4)
    assert ((p >= plain - 1e-12) & (p <= 1.0))[:5].all()
    assert np.isnan(p[5])
    assert p[0] == 1.0


def test_one_contrast_needs_no_adjustment():
    for adjust in ADJUST:
        assert adjusted_p(np.array([2.0]), np.array([5.0]), adjust, 2) == pytest.approx(2 * stats.t.sf(2.0, 5.0))


def test_holm_by_hand():
    t = stats.norm.isf(np.array([0.01, 0.04, 0.03, 0.5]) / 2)
    p = adjusted_p(t, np.full(4, np.inf), "holm", 4)
    np.testing.assert_allclose(p, [0.04, 0.09, 0.09, 0.5])


def test_every_difference_comes_once():
    table = emmeans(emmeans_fit("emm_cake"), "temperature").contrasts(adjust="none")
    levels = emmeans_fit("emm_cake").model.columns["temperature"].labels
    assert table.columns["contrast"] == [
        f"temperature{a} - temperature{b}" for a, b in itertools.combinations(levels, 2)
    ]
