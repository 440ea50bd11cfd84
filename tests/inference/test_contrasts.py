"""Contrast matrices of the three types, estimability, and hypotheses as text."""

from __future__ import annotations

import numpy as np
import pytest
from support.oats import ANOVA_COLUMNS, oats, oats_fit, r_tables
from support.reference import vector

import mixedeffects as me
from mixedeffects.errors import DataError, FormulaError
from mixedeffects.inference.anova import anova_table, drop1_f
from mixedeffects.inference.contrasts import marginal_terms, term_contrasts
from mixedeffects.inference.dispatch import f_test
from mixedeffects.inference.fixed_terms import estimability, fixed_terms
from mixedeffects.inference.hypotheses import linear_hypotheses

TYPES = {"I": 1, "II": 2, "III": 3}
# lmerTest rounds its contrasts to seven digits; F below 0.01 is compared absolutely.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}
TOLERANCES = {name: TOLERANCE for name in ANOVA_COLUMNS} | {
    "sum_sq": {"rtol": 1e-5, "atol": 3e-4},
    "mean_sq": {"rtol": 1e-5, "atol": 3e-4},
    "df_den": {"rtol": 1e-4},
}


@pytest.mark.parametrize("table", [*TYPES, "drop1"])
@pytest.mark.parametrize("case", r_tables()["anova"], ids=lambda case: case["formula"])
def test_tables_of_lmertest(case, table):
    fit = oats_fit(case["formula"], hole=case.get("hole", False), contrasts=case.get("contrasts"))
    ours = drop1_f(fit) if table == "drop1" else anova_table(fit, TYPES[table])
    wanted = case["tables"][table]
    # lmerTest moves a term whose coefficients are all aliased to the end.
    place = [wanted["rows"].index(term) for term in ours.columns["term"]]
    assert sorted(place) == list(range(len(wanted["rows"])))
    for name, theirs in ANOVA_COLUMNS.items():
        expected = vector(wanted[theirs])[place]
        if name == "df_num":
            expected = np.nan_to_num(expected)
        np.testing.assert_allclose(ours.columns[name], expected, err_msg=name, **TOLERANCES[name])


def test_type_3_averages_over_the_cells():
    model = oats_fit("yield ~ n*V + (1|Block/V)").model
    L = term_contrasts(model, 3)
    row = dict(zip(model.kept_names, L["V"][0], strict=True))
    assert row["V[T.B]"] == pytest.approx(1.0)
    assert [row[f"n[T.{level}]:V[T.B]"] for level in "bcd"] == pytest.approx([0.25] * 3)
    assert sum(value != 0.0 for value in row.values()) == 4, "what is zero is exactly so"
    np.testing.assert_allclose(L["n:V"], np.eye(12)[6:])


def test_type_3_with_an_empty_cell():
    model = oats_fit("yield ~ n*V + (1|Block/V)", hole=True).model
    row = dict(zip(model.kept_names, term_contrasts(model, 3)["n"][0], strict=True))
    # As lmerTest's show_tests prints them.
    assert row["n[T.b]:V[T.B]"] == pytest.approx(2 / 9)
    assert row["n[T.b]:V[T.C]"] == pytest.approx(7 / 18)
    assert row["n[T.c]:V[T.C]"] == pytest.approx(1 / 18)


def test_type_1_is_sequential():
    """L beta = 0 for a term is what it adds to the terms before it, in ordinary least squares."""
    model = oats_fit("yield ~ x*n + V + (1|Block/V)").model
    X, y = model.X, model.y
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    inverse = np.linalg.inv(X.T @ X)
    before = 1
    for term, L in term_contrasts(model, 1).items():
        after = before + len(L)
        gain = _rss(X[:, :before], y) - _rss(X[:, :after], y)
        estimate = L @ beta
        assert estimate @ np.linalg.solve(L @ inverse @ L.T, estimate) == pytest.approx(gain, rel=1e-8), term
        before = after


def _rss(X, y):
    return float(((y - X @ np.linalg.lstsq(X, y, rcond=None)[0]) ** 2).sum())


@pytest.mark.parametrize("hole", [False, True])
@pytest.mark.parametrize("formula", ["yield ~ n*V + (1|Block/V)", "yield ~ n*V*x + (1|Block/V)"])
@pytest.mark.parametrize("contrasts", [{"n": "sum", "V": "helmert"}, {"n": "poly", "V": "sum"}])
def test_type_3_does_not_depend_on_the_coding(formula, contrasts, hole):
    """Also with cells in which the slope of x cannot be estimated."""
    plain = anova_table(oats_fit(formula, hole=hole)).columns
    coded = anova_table(oats_fit(formula, hole=hole, contrasts=contrasts)).columns
    for name in ("df_num", "statistic"):
        np.testing.assert_allclose(coded[name], plain[name], rtol=1e-5, atol=1e-7)


def test_type_3_does_not_depend_on_units_or_a_shift_of_rows():
    formula = "yield ~ n*V*w + (1|Block/V)"
    plain = anova_table(oats_fit(formula)).columns
    other = oats().sample(frac=1.0, random_state=1)
    other["w"] *= 1e6
    scaled = anova_table(me.lmer(formula, other)).columns
    np.testing.assert_allclose(scaled["statistic"], plain["statistic"], rtol=1e-5)
    np.testing.assert_allclose(scaled["df_den"], plain["df_den"], rtol=1e-5)


def test_contrasts_span_what_they_did_with_columns_of_several():
    """A basis of a covariate is one term of several columns, also within levels."""
    fit = oats_fit("yield ~ poly(w, 2)*n + (1|Block)")
    table = anova_table(fit).columns
    assert table["term"] == ["poly(w, 2)", "n", "poly(w, 2):n"]
    np.testing.assert_array_equal(table["df_num"], [2.0, 3.0, 6.0])
    mean_slopes = np.zeros((2, 12))
    for j in range(2):
        mean_slopes[j, fit.model.names.index(f"poly(w, 2)[{j + 1}]")] = 1.0
        for level in "bcd":
            mean_slopes[j, fit.model.names.index(f"poly(w, 2)[{j + 1}]:n[T.{level}]")] = 0.25
    wanted = f_test(fit, mean_slopes)
    assert table["statistic"][0] == pytest.approx(wanted.statistic, rel=1e-9)
    assert table["df_den"][0] == pytest.approx(wanted.df_den, rel=1e-6)


def test_terms_and_what_contains_what():
    terms = {term.label: term for term in fixed_terms(oats_fit("yield ~ x*C(nitro) + I(x**2) + (1|Block)").model)}
    assert terms["C(nitro)"].categorical == ("C(nitro)",)
    assert terms["x:C(nitro)"].contains(terms["x"])
    assert not terms["x:C(nitro)"].contains(terms["C(nitro)"])
    assert terms["x:C(nitro)"].extends(terms["C(nitro)"])
    assert not terms["I(x ** 2)"].extends(terms["x"])


def test_odd_names():
    frame = oats().rename(columns={"x": "my x", "n": "class", "V": "a.b"})
    fit = me.lmer("yield ~ `my x`*C(`class`) + `a.b` + (1|Block)", frame)
    plain = anova_table(oats_fit("yield ~ x*C(n) + V + (1|Block)"))
    table = anova_table(fit)
    assert table.columns["term"] == ["my x", "C(`class`)", "a.b", "my x:C(`class`)"]
    np.testing.assert_allclose(table.columns["statistic"], plain.columns["statistic"], rtol=1e-6)


def test_only_numeric_terms():
    fit = oats_fit("yield ~ x + w + (1|Block)")
    L = term_contrasts(fit.model, 3)
    np.testing.assert_allclose(L["x"], [[0.0, 1.0, 0.0]])
    np.testing.assert_allclose(L["w"], [[0.0, 0.0, 1.0]])
    assert term_contrasts(oats_fit("yield ~ 1 + (1|Block)").model) == {}


def test_a_deletion_that_aliased_columns_would_undo():
    L = marginal_terms(oats_fit("yield ~ x + z + n + (1|Block)").model)
    assert {term: len(rows) for term, rows in L.items()} == {"x": 0, "z": 0, "n": 3}


@pytest.mark.parametrize("type", [0, 4, "III", True])
def test_another_type_is_refused(type):
    with pytest.raises(DataError, match="choose 1, 2 or 3"):
        term_contrasts(oats_fit("yield ~ n + (1|Block)").model, type)


def test_estimability_knows_the_aliased_columns():
    fit = oats_fit("yield ~ x + z + n + (1|Block)")
    model = fit.model
    known = estimability(model)
    np.testing.assert_allclose(known.alias[:, 0], [1.0, 2.0, 0.0, 0.0, 0.0])
    j = {name: i for i, name in enumerate(model.names)}
    rows = np.zeros((3, len(model.names)))
    rows[0, j["x"]] = 1.0  # depends on which of x and z was dropped
    rows[1, [j["x"], j["z"]]] = 1.0, 2.0  # what a unit of x changes, z with it
    rows[2, [j["Intercept"], j["x"], j["z"]]] = 1.0, 3.0, 7.0  # the prediction at x = 3
    reduced, estimable = known.reduce(rows)
    assert estimable.tolist() == [False, True, True]
    assert reduced[2, :2].tolist() == [1.0, 3.0]


# Text

NAMES = (
    "Intercept",
    "Days",
    "my col",
    "a.b[T.y]",
    "recipe[T.B]",
    "recipe[T.C]",
    "C(nitro)[T.0.2]:Variety[T.Golden Rain]",
    "I(x ** 2)",
    "poly(x, 2)[1]",
    "Days:my col",
    "a - b",
    "x",
    "p-q[T.b]",
    "p-q[T.c]",
    "log(exp(x) + (x - 1))",
    "u",
    "v",
    "u-v",
)


@pytest.mark.parametrize(
    ("text", "coefficients", "value"),
    [
        ("Days = 10", {"Days": 1}, 10),
        ("Days == 10", {"Days": 1}, 10),
        ("Days", {"Days": 1}, 0),
        ("2*Days + Intercept = 250", {"Days": 2, "Intercept": 1}, 250),
        ("recipe[T.B] = recipe[T.C]", {"recipe[T.B]": 1, "recipe[T.C]": -1}, 0),
        ("recipe[T.B]-recipe[T.C]=0", {"recipe[T.B]": 1, "recipe[T.C]": -1}, 0),
        ("(recipe[T.B] + recipe[T.C]) / 2 = -1.5e1", {"recipe[T.B]": 0.5, "recipe[T.C]": 0.5}, -15),
        ("-Days - -3 = +1", {"Days": -1}, -2),
        ("C(nitro)[T.0.2]:Variety[T.Golden Rain]*3=1", {"C(nitro)[T.0.2]:Variety[T.Golden Rain]": 3}, 1),
        ("my col = Days", {"my col": 1, "Days": -1}, 0),
        ("`my col` = `Days`", {"my col": 1, "Days": -1}, 0),
        ("Days:my col = 1", {"Days:my col": 1}, 1),
        ("I(x ** 2) + x = 0", {"I(x ** 2)": 1, "x": 1}, 0),
        ("poly(x, 2)[1] = 2*(3 + a.b[T.y])", {"poly(x, 2)[1]": 1, "a.b[T.y]": -2}, 6),
        ("`a - b` = 0", {"a - b": 1}, 0),
        ("`p-q`[T.b] - `p-q`[T.c] = 0", {"p-q[T.b]": 1, "p-q[T.c]": -1}, 0),
        ("`p-q[T.b]` = 0", {"p-q[T.b]": 1}, 0),
        ("Days:`my col` - `my col` = 2", {"Days:my col": 1, "my col": -1}, 2),
        ("log(exp(x) + (x - 1)) = 1", {"log(exp(x) + (x - 1))": 1}, 1),
        ("`u`-`v` = 1", {"u": 1, "v": -1}, 1),
        ("`u-v` = 1", {"u-v": 1}, 1),
        ("(Intercept) = .5", {"Intercept": 1}, 0.5),
        ("Days + 1 = Days*2", {"Days": -1}, -1),
    ],
)
def test_hypotheses_as_text(text, coefficients, value):
    L, rhs = linear_hypotheses(text, NAMES)
    assert {name: weight for name, weight in zip(NAMES, L[0], strict=True) if weight} == coefficients
    assert rhs.tolist() == [value]


def test_several_hypotheses():
    L, rhs = linear_hypotheses(["Days = 10", "x = 1"], NAMES)
    assert L.shape == (2, len(NAMES))
    assert rhs.tolist() == [10.0, 1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Dais = 10", "'Dais' is no coefficient; did you mean 'Days'"),
        ("recipe[T.D] = 0", r"'recipe\[T.D\]' is no coefficient; did you mean 'recipe"),
        ("Days.x = 0", "'Days.x' is no coefficient"),
        ("`Days = 0", "no coefficient"),
        ("p-q[T.b] = 0", "'p' is no coefficient"),
        ("Days:x = 0", "'Days:x' is no coefficient"),
        ("a - b = 0", "'a' is no coefficient"),
        ("Days * x = 0", "must be linear"),
        ("1 / Days = 0", "must be linear"),
        ("Days / 0 = 1", "division by zero"),
        ("Days > 1", "one-sided"),
        ("Days = 1 = 2", "one = only"),
        ("Days 2", "expected an operator"),
        ("Days =", "ends where"),
        ("", "ends where"),
        ("(Days = 1", "not closed"),
        ("2 = 3", "no coefficient is left"),
        ("Days - Days = 0", "no coefficient is left"),
        ("(" * 60 + "Days" + ")" * 60, "nested too deeply"),
        ("__import__('os').system('true')", "no coefficient"),
        ("lambda: 0", "no coefficient"),
    ],
)
def test_text_that_is_no_hypothesis(text, message):
    with pytest.raises(FormulaError, match=message):
        linear_hypotheses(text, NAMES)


def test_the_place_of_a_mistake_is_shown():
    with pytest.raises(FormulaError) as caught:
        linear_hypotheses("2*Days + Dais = 3", NAMES)
    line, caret = str(caught.value).splitlines()[-2:]
    assert line[caret.index("^") :].startswith("Dais")
