"""Comparison of nested models, and its refusals."""

from __future__ import annotations

import numpy as np
import pytest
from support.cases import case_fit
from support.fits import quiet_fit
from support.reference import case_ids, load_case, load_data, vector

import mixedeffects as me
from mixedeffects.inference.lrt import HEADS, anova_models

CASES = [
    (case_id, reduced["formula"], kind)
    for case_id in case_ids("tests")
    for reduced in load_case(case_id, "tests")["reduced"]
    for kind in ("anova_refit_ml", "anova_reml")
    if reduced.get(kind)
]
COLUMNS = {
    "npar": "npar",
    "aic": "AIC",
    "bic": "BIC",
    "loglik": "logLik",
    "deviance": "deviance",
    "chisq": "Chisq",
    "df": "Df",
    "p_value": "Pr(>Chisq)",
}


@pytest.mark.parametrize(("case_id", "formula", "kind"), CASES)
def test_table_is_that_of_lme4(case_id: str, formula: str, kind: str) -> None:
    case = load_case(case_id, "tests")
    wanted = next(r for r in case["reduced"] if r["formula"] == formula)[kind]["columns"]
    full, small = case_fit(case_id, "tests"), case_fit(case_id, "tests", formula)
    table = anova_models(full, small, refit=kind == "anova_refit_ml")
    assert tuple(table.columns) == HEADS
    assert list(table.columns["model"]) == ["fit1", "fit0"]  # the smaller one first
    assert table.columns["formula"][0] == small.formula
    for ours, theirs in COLUMNS.items():
        np.testing.assert_allclose(table.columns[ours], vector(wanted[theirs]), rtol=1e-8, atol=1e-8, err_msg=ours)


def test_three_models_are_compared_with_the_one_below() -> None:
    fits = [
        quiet_fit(formula, "sleepstudy", reml=False)
        for formula in (
            "Reaction ~ Days + (Days | Subject)",
            "Reaction ~ 1 + (1 | Subject)",
            "Reaction ~ Days + (1 | Subject)",
        )
    ]
    table = anova_models(*fits)
    assert list(table.columns["model"]) == ["fit1", "fit2", "fit0"]
    assert list(table.columns["df"][1:]) == [1.0, 2.0]
    expected = [fits[1].criterion - fits[2].criterion, fits[2].criterion - fits[0].criterion]
    np.testing.assert_allclose(table.columns["chisq"][1:], expected, rtol=1e-12)


def test_notes_say_what_was_refitted_and_that_a_variance_is_on_its_boundary() -> None:
    full = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    small = quiet_fit("Reaction ~ Days + (1 | Subject)", "sleepstudy", reml=False)
    table = anova_models(small, full)
    assert table.notes[0] == "fit1 was fitted by REML and refitted by maximum likelihood for this comparison"
    assert "boundary" in table.notes[1]
    mean = quiet_fit("Reaction ~ 1 + (1 | Subject)", "sleepstudy", reml=False)
    assert anova_models(mean, small).notes == ()


def test_refit_leaves_the_fits_alone() -> None:
    full = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    before = full.criterion
    anova_models(full, quiet_fit("Reaction ~ Days + (1 | Subject)", "sleepstudy"))
    assert full.reml
    assert full.criterion == before


def test_models_that_are_not_nested_have_no_test() -> None:
    data = load_data("sleepstudy")
    data["x"] = np.arange(len(data)) % 7 + 0.0
    left = me.lmer("Reaction ~ x + (1 | Subject)", data, reml=False)
    right = me.lmer("Reaction ~ Days + (Days | Subject)", data, reml=False)
    table = anova_models(left, right)
    assert np.isnan(table.columns["chisq"]).all()
    assert np.isfinite(table.columns["aic"]).all()
    assert "not nested" in table.notes[0]


def test_random_parts_that_are_not_nested_are_noted() -> None:
    left = quiet_fit("diameter ~ 1 + (1 | plate)", "Penicillin", reml=False)
    right = quiet_fit("diameter ~ 1 + (1 | sample)", "Penicillin", reml=False)
    table = anova_models(left, right)
    assert table.columns["df"][1] == 0.0
    assert np.isnan(table.columns["p_value"][1])
    assert "both have 3 parameters, so that neither is nested in the other" in table.notes[0]
    slopes = quiet_fit("Reaction ~ Days + (0 + Days | Subject)", "sleepstudy", reml=False)
    crossed = quiet_fit("Reaction ~ Days + (1 | Subject) + (1 | Days)", "sleepstudy", reml=False)
    assert "not all parts" in anova_models(slopes, crossed).notes[0]


def test_an_offset_is_a_fixed_coefficient_under_the_hypothesis() -> None:
    data = load_data("sleepstudy")
    data["known"] = 10.0 * data["Days"]
    small = me.lmer("Reaction ~ 1 + offset(known) + (1 | Subject)", data, reml=False)
    large = me.lmer("Reaction ~ Days + (1 | Subject)", data, reml=False)
    table = anova_models(small, large)
    assert table.columns["chisq"][1] == pytest.approx(small.criterion - large.criterion, rel=1e-10)
    assert np.isnan(anova_models(me.lmer("Reaction ~ 1 + (1 | Subject)", data, reml=False), small).columns["chisq"][1])


class TestRefusals:
    formula = "Reaction ~ Days + (1 | Subject)"

    def test_one_fit(self) -> None:
        with pytest.raises(me.DataError, match="two fits or more, not 1"):
            anova_models(quiet_fit(self.formula, "sleepstudy"))

    def test_other_rows(self) -> None:
        data = load_data("sleepstudy")
        with pytest.raises(me.DataError, match="fit0 and fit1 use different rows: 180 and 179"):
            anova_models(quiet_fit(self.formula, "sleepstudy"), me.lmer(self.formula, data.iloc[1:]))

    @pytest.mark.filterwarnings("ignore::mixedeffects.errors.DroppedRowsWarning")
    def test_as_many_but_other_rows_of_the_data(self) -> None:
        data = load_data("sleepstudy")
        data.loc[3, "Days"] = np.nan
        data["Late"] = load_data("sleepstudy")["Days"]
        data.loc[4, "Late"] = np.nan
        fits = [me.lmer(f"Reaction ~ {x} + (1 | Subject)", data) for x in ("Days", "Late")]
        with pytest.raises(me.DataError, match="different rows of the data"):
            anova_models(*fits)

    def test_other_response(self) -> None:
        other = quiet_fit("log(Reaction) ~ Days + (1 | Subject)", "sleepstudy")
        with pytest.raises(me.DataError, match=r"different responses \('Reaction' and 'log\(Reaction\)'\)"):
            anova_models(quiet_fit(self.formula, "sleepstudy"), other)

    def test_other_weights(self) -> None:
        data = load_data("sleepstudy")
        plain = me.lmer(self.formula, data)
        weighted = me.lmer("Reaction ~ 1 + (1 | Subject)", data, weights=1.0 + np.arange(180) % 2)
        with pytest.raises(me.DataError, match="different prior weights"):
            anova_models(plain, weighted)
        ones = me.lmer("Reaction ~ 1 + (1 | Subject)", data, weights=np.ones(180))
        assert anova_models(plain, ones).columns["df"][1] == 1.0

    def test_reml_with_other_fixed_part(self) -> None:
        fits = [quiet_fit(f"Reaction ~ {x} + (1 | Subject)", "sleepstudy") for x in ("1", "Days")]
        with pytest.raises(me.DataError, match="different fixed parts"):
            anova_models(*fits, refit=False)

    def test_reml_with_ml(self) -> None:
        fits = [quiet_fit(self.formula, "sleepstudy", reml=reml) for reml in (True, False)]
        with pytest.raises(me.DataError, match="fit0 by REML cannot be compared"):
            anova_models(*fits, refit=False)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_table_comes_in_the_library_of_the_data(library: str) -> None:
    module = pytest.importorskip(library)
    frame = load_data("sleepstudy")
    data = module.from_pandas(frame) if library == "polars" else module.Table.from_pandas(frame)
    fits = [me.lmer(f"Reaction ~ {x} + (1 | Subject)", data) for x in ("1", "Days")]
    table = anova_models(*fits).to_frame()
    assert type(table).__module__.startswith(library)
    assert tuple(getattr(table, "column_names", table.columns)) == HEADS
