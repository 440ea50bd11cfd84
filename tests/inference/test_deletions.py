"""Single-term deletions of random-effects terms and of fixed terms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from support.cases import case_fit
from support.fits import quiet_fit
from support.reference import case_ids, load_case, load_data, vector

import mixedeffects as me
from mixedeffects.inference.deletions import drop1_lrt, mixture_p_value, ranova

CASES = case_ids("tests")
RANOVA = {"npar": "npar", "loglik": "logLik", "aic": "AIC", "lrt": "LRT", "df": "Df", "p_chisq": "Pr(>Chisq)"}
DROP1 = {"df": "npar", "aic": "AIC", "lrt": "LRT", "p_value": "Pr(Chi)"}


@pytest.mark.parametrize("case_id", CASES)
def test_ranova_is_that_of_lmertest(case_id: str) -> None:
    wanted = load_case(case_id, "tests")["ranova"]
    table = ranova(case_fit(case_id, "tests"))
    assert list(table.columns["term"]) == wanted["rows"]
    for ours, theirs in RANOVA.items():
        expected = vector(wanted["columns"][theirs])
        np.testing.assert_allclose(table.columns[ours], expected, rtol=1e-8, atol=1e-8, err_msg=ours)


@pytest.mark.parametrize("case_id", CASES)
def test_drop1_is_that_of_lme4(case_id: str) -> None:
    wanted = load_case(case_id, "tests")["drop1_lrt_ml"]
    table = drop1_lrt(case_fit(case_id, "tests"))
    spelled = [row.replace("factor(", "C(").replace("^", " ** ") for row in wanted["rows"]]
    assert list(table.columns["term"]) == (["<none>"] if spelled == ["1"] else spelled)
    for ours, theirs in DROP1.items():
        expected = vector(wanted["columns"][theirs])
        np.testing.assert_allclose(table.columns[ours], expected, rtol=1e-8, atol=1e-8, err_msg=ours)
    assert table.notes == ("the model was refitted by maximum likelihood",)


class TestRanova:
    def test_mixture_halves_a_single_variance(self) -> None:
        table = ranova(quiet_fit("Reaction ~ Days + (Days || Subject)", "sleepstudy"))
        assert list(table.columns["df"][1:]) == [1.0, 1.0]
        np.testing.assert_allclose(2 * np.array(table.columns["p_mixture"][1:]), table.columns["p_chisq"][1:])

    def test_mixture_of_a_slope_is_that_of_one_and_two(self) -> None:
        table = ranova(quiet_fit("distance ~ age * Sex + (age | Subject)", "Orthodont"))
        lrt = table.columns["lrt"][1]
        expected = 0.5 * (stats.chi2.sf(lrt, 1) + stats.chi2.sf(lrt, 2))
        assert table.columns["p_mixture"][1] == pytest.approx(expected, rel=1e-12)
        assert table.columns["p_mixture"][1] < table.columns["p_chisq"][1]

    def test_variance_of_zero(self) -> None:
        table = ranova(quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2"))
        assert table.columns["lrt"][1] == 0.0
        assert table.columns["p_mixture"][1] == 1.0

    @pytest.mark.parametrize("reml", [True, False])
    def test_last_term_is_removed(self, reml: bool) -> None:
        table = ranova(quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff", reml=reml))
        y = load_data("Dyestuff")["Yield"].to_numpy()
        n, p = len(y), int(reml)
        rss = ((y - y.mean()) ** 2).sum()
        deviance = (n - p) * (1 + np.log(2 * np.pi * rss / (n - p))) + (np.log(n) if reml else 0.0)
        assert table.columns["npar"][1] == 2
        assert table.columns["loglik"][1] == pytest.approx(-deviance / 2, rel=1e-12)

    def test_factor_without_intercept_leaves_an_intercept(self) -> None:
        table = ranova(quiet_fit("score ~ Machine + (0 + Machine | Worker)", "Machines"))
        assert list(table.columns["term"]) == ["<none>", "Machine in (0 + Machine | Worker)"]
        small = quiet_fit("score ~ Machine + (1 | Worker)", "Machines")
        assert table.columns["loglik"][1] == pytest.approx(small.loglik, rel=1e-12)

    def test_slope_alone_is_removed(self) -> None:
        table = ranova(quiet_fit("Reaction ~ Days + (0 + Days | Subject)", "sleepstudy"))
        assert table.columns["npar"][1] == 3
        ols = quiet_fit("Reaction ~ Days + (1 | Subject)", "sleepstudy", control=me.Control(fixed_theta=[0.0]))
        assert table.columns["loglik"][1] == pytest.approx(ols.loglik, rel=1e-12)

    def test_one_variable_at_a_time(self) -> None:
        table = ranova(quiet_fit("Reaction ~ Days + (Days + I(Days**2) | Subject)", "sleepstudy"))
        terms = [f"{x} in (Days + I(Days**2) | Subject)" for x in ("Days", "I(Days ** 2)")]
        assert [term.replace(" ** ", "**") for term in table.columns["term"][1:]] == [
            term.replace(" ** ", "**") for term in terms
        ]
        assert list(table.columns["npar"]) == [9, 6, 6]
        for row, kept in ((1, "I(Days**2)"), (2, "Days")):
            small = quiet_fit(f"Reaction ~ Days + ({kept} | Subject)", "sleepstudy")
            assert table.columns["loglik"][row] == pytest.approx(small.loglik, rel=1e-10)

    def test_columns_of_a_double_bar_are_removed_one_by_one(self) -> None:
        table = ranova(quiet_fit("score ~ Machine + (Machine || Worker)", "Machines"))
        assert list(table.columns["term"][1:]) == [
            "(1 | Worker)",
            "Machine[T.B] in (0 + Machine[T.B] | Worker)",
            "Machine[T.C] in (0 + Machine[T.C] | Worker)",
        ]
        assert list(table.columns["df"][1:]) == [1.0, 1.0, 1.0]

    def test_fixed_theta_is_refused(self) -> None:
        fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff", control=me.Control(fixed_theta=[1.0]))
        with pytest.raises(me.DataError, match="fixed theta"):
            ranova(fit)


def test_mixture_bounds() -> None:
    for df in (1, 2, 5):
        assert mixture_p_value(0.0, df) == 1.0
        smaller = stats.chi2.sf(3.0, df - 1) if df > 1 else 0.0
        assert smaller < mixture_p_value(3.0, df) < stats.chi2.sf(3.0, df)


class TestDrop1:
    def test_margins_stay(self) -> None:
        data = load_data("Machines")
        data["x"], data["z"] = np.arange(54) % 5 + 0.0, np.arange(54) % 4 + 0.0
        table = drop1_lrt(me.lmer("score ~ Machine * x + z + (1 | Worker)", data))
        assert list(table.columns["term"]) == ["<none>", "z", "Machine:x"]

    def test_fit_by_maximum_likelihood_needs_no_note(self) -> None:
        assert drop1_lrt(quiet_fit("Reaction ~ Days + (1 | Subject)", "sleepstudy", reml=False)).notes == ()

    def test_last_column_can_go(self) -> None:
        table = drop1_lrt(quiet_fit("Reaction ~ 0 + Days + (1 | Subject)", "sleepstudy", reml=False))
        assert list(table.columns["npar"]) == [3, 2]
        assert table.columns["lrt"][1] > 0

    def test_coding_that_would_change_is_refused(self) -> None:
        fit = quiet_fit("angle ~ 0 + recipe + temperature + (1 | recipe:replicate)", "cake")
        with pytest.raises(me.DataError, match="without 'recipe' the term 'temperature' would be coded anew"):
            drop1_lrt(fit)

    @pytest.mark.filterwarnings("ignore::mixedeffects.errors.RankDeficiencyWarning")
    def test_aliased_column_takes_the_place_of_the_one_left_out(self) -> None:
        data = load_data("sleepstudy")
        data["twice"] = 2 * data["Days"]
        data["z"] = np.arange(180) % 7 + 0.0
        table = drop1_lrt(me.lmer("Reaction ~ Days + twice + z + (1 | Subject)", data, reml=False))
        assert list(table.columns["term"]) == ["<none>", "Days", "twice", "z"]
        assert list(table.columns["df"][1:]) == [0.0, 0.0, 1.0]
        np.testing.assert_allclose(table.columns["lrt"][1:3], 0.0, atol=1e-8)
        assert np.isnan(table.columns["p_value"][1:3]).all()
