"""Exact tests of one variance against RLRsim, and their refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from support.fits import quiet_fit
from support.reference import case_ids, load_case, load_data

import mixedeffects as me
from mixedeffects.fit import fit_lmm
from mixedeffects.fit.refitter import Refitter
from mixedeffects.inference.rlrt import ExactTest, exact_lrt, exact_rlrt

TESTED = {
    "rlrt_sleep_slope": "(0 + Days | Subject)",
    "rlrt_pastes_batch": "batch",
    "rlrt_penicillin_sample": "(1 | sample)",
}
N = 40_000


def run(case: dict) -> ExactTest:
    fit = quiet_fit(case.get("formula") or case["mA"], case["dataset"], reml=case["REML"])
    if case["REML"]:
        return exact_rlrt(fit, TESTED.get(case["id"]), n=N, rng=1)
    fit0 = quiet_fit(case["formula0"] + " + (1 | Subject)", "sleepstudy") if "sleep" in case["id"] else None
    return exact_lrt(fit, fit0, n=N, rng=1)


@pytest.mark.parametrize("case_id", case_ids("rlrt"))
def test_statistic_and_p_value_are_those_of_rlrsim(case_id: str) -> None:
    case = load_case(case_id, "rlrt")
    result = run(case)
    assert result.statistic == pytest.approx(case["statistic"], rel=1e-6, abs=1e-6)
    ours = np.sqrt(max(case["p_value"] * (1 - case["p_value"]), 1 / N) / N)
    assert abs(result.p_value - case["p_value"]) < 4 * np.hypot(ours, case["mc_se"])
    assert result.p_value == (1 + np.count_nonzero(result.null_sample > result.statistic)) / (1 + N)


def test_other_terms_are_named_in_a_note() -> None:
    result = exact_rlrt(quiet_fit("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"), "plate", n=100, rng=0)
    assert result.term == "(1 | plate)"
    assert result.notes == ("the null distribution is that of the model without (1 | sample) (Greven et al. 2008)",)


def test_second_term_on_a_factor_by_its_key() -> None:
    fit = quiet_fit("Reaction ~ Days + (Days || Subject)", "sleepstudy")
    by_key = exact_rlrt(fit, "Subject.1", n=500, rng=4)
    by_text = exact_rlrt(fit, "(0+Days|Subject)", n=500, rng=4)
    assert by_key.term == "(0 + Days | Subject)"
    np.testing.assert_array_equal(by_key.null_sample, by_text.null_sample)


def test_other_kind_of_fit_is_refitted_and_noted() -> None:
    fits = [quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff", reml=reml) for reml in (True, False)]
    a, b = (exact_rlrt(fit, n=500, rng=1) for fit in fits)
    assert b.statistic == pytest.approx(a.statistic, rel=1e-9)
    assert (a.notes, b.notes) == ((), ("the model was refitted by REML",))
    a, b = (exact_lrt(fit, n=500, rng=1) for fit in fits)
    assert a.statistic == pytest.approx(b.statistic, rel=1e-9)
    assert (a.notes, b.notes) == (("the model was refitted by maximum likelihood",), ())


def test_restrictions_by_name_or_by_fit() -> None:
    data = load_data("sleepstudy")
    weights = 1.0 + np.arange(180) % 3
    fit = me.lmer("Reaction ~ Days + (1 | Subject)", data, reml=False, weights=weights)
    fit0 = me.lmer("Reaction ~ 1 + (1 | Subject)", data, reml=False, weights=weights)
    a, b = exact_lrt(fit, fit0, n=200, rng=1), exact_lrt(fit, drop=["Days"], n=200, rng=1)
    y, w = data["Reaction"].to_numpy(), weights
    rss = (w * (y - np.average(y, weights=w)) ** 2).sum()
    null = 180 * (1 + np.log(2 * np.pi * rss / 180)) - np.log(w).sum()
    assert a.statistic == pytest.approx(null - fit.criterion, rel=1e-10)
    assert b.statistic == pytest.approx(a.statistic, rel=1e-12)
    np.testing.assert_array_equal(a.null_sample, b.null_sample)


@pytest.mark.filterwarnings("ignore::mixedeffects.errors.SingularFitWarning")
def test_weights_enter_the_null_distribution() -> None:
    data = load_data("Dyestuff")
    plain = exact_rlrt(me.lmer("Yield ~ 1 + (1 | Batch)", data), n=2000, rng=1)
    equal = exact_rlrt(me.lmer("Yield ~ 1 + (1 | Batch)", data, weights=np.full(30, 5.0)), n=2000, rng=1)
    np.testing.assert_allclose(plain.null_sample, equal.null_sample, atol=1e-9)
    uneven = np.where(data["Batch"] == "A", 50.0, 1.0)
    other = exact_rlrt(me.lmer("Yield ~ 1 + (1 | Batch)", data, weights=uneven), n=2000, rng=1)
    assert np.abs(np.sort(plain.null_sample) - np.sort(other.null_sample)).max() > 0.1


def test_draws_depend_on_the_seed_only() -> None:
    fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    first, again, other = (exact_rlrt(fit, n=300, rng=seed).null_sample for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not first.flags.writeable


class TestRefusals:
    def test_correlated_columns(self) -> None:
        with pytest.raises(me.DataError, match=r"\(Days \| Subject\) has 2 correlated columns.*bootstrap_lrt"):
            exact_rlrt(quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy"))

    def test_several_terms_and_none_named(self) -> None:
        fit = quiet_fit("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin")
        with pytest.raises(me.DataError, match=r"say which one to test: 'plate' for \(1 \| plate\)"):
            exact_rlrt(fit)
        with pytest.raises(me.DataError, match="single random-effects term; this one has 2"):
            exact_lrt(fit)

    def test_unknown_term(self) -> None:
        with pytest.raises(me.DataError, match="no random-effects term 'batch'; its terms are 'Batch'"):
            exact_rlrt(quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff"), "batch")

    def test_fixed_theta(self) -> None:
        fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff", control=me.Control(fixed_theta=[1.0]))
        with pytest.raises(me.DataError, match="fixed theta"):
            exact_rlrt(fit)

    @pytest.mark.parametrize("n", [0, -1, 2.5, True])
    def test_number_of_draws(self, n: object) -> None:
        with pytest.raises(me.DataError, match="positive whole number"):
            exact_rlrt(quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff"), n=n)

    def test_null_model(self) -> None:
        fit = quiet_fit("Reaction ~ Days + (1 | Subject)", "sleepstudy", reml=False)
        with pytest.raises(me.DataError, match="no coefficient 'days' to drop; it has Intercept, Days"):
            exact_lrt(fit, drop="days")
        with pytest.raises(me.DataError, match="either fit0 or drop"):
            exact_lrt(fit, fit, drop="Days")
        with pytest.raises(me.DataError, match="is not nested"):
            exact_lrt(fit, quiet_fit("Reaction ~ I(Days**2) + (1 | Subject)", "sleepstudy"))
        with pytest.raises(me.DataError, match="same response"):
            exact_lrt(fit, quiet_fit("log(Reaction) ~ 1 + (1 | Subject)", "sleepstudy"))


@pytest.mark.slow
def test_size_is_exact_where_the_naive_chi_square_is_not() -> None:
    """Responses without any group effect, 5 groups of 4: the exact test rejects 5 % of them, the naive far fewer."""
    n, n_sets = 20, 20_000
    data = {"y": np.random.default_rng(0).normal(size=n), "g": np.repeat(np.arange(5), 4), "x": np.arange(n) % 4 + 0.0}
    fit = me.lmer("y ~ x + (1 | g)", data, control=me.Control(fixed_theta=[0.0]))
    fit = fit.update(control=me.Control())
    critical = np.quantile(exact_rlrt(fit, n=400_000, rng=7).null_sample, 0.95)
    X = fit.design.X
    log_det = np.linalg.slogdet(X.T @ X)[1]
    refitter, rng = Refitter(fit), np.random.default_rng(11)
    statistics = np.empty(n_sets)
    for i in range(n_sets):
        y = rng.normal(size=n)
        rss = ((y - X @ np.linalg.lstsq(X, y)[0]) ** 2).sum()
        null = (n - 2) * (1 + np.log(2 * np.pi * rss / (n - 2))) + log_det
        statistics[i] = null - refitter(y).criterion
    band = 4 * np.sqrt(0.05 * 0.95 / n_sets)
    assert abs((statistics > critical).mean() - 0.05) < band
    assert (statistics > stats.chi2.isf(0.05, 1)).mean() < 0.05 - 4 * band
    assert (statistics > stats.chi2.isf(0.10, 1)).mean() < 0.05 - band  # the mixture, too, in a sample this small


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mixedeffects.errors.SingularFitWarning")
def test_size_with_a_nuisance_variance() -> None:
    """Two crossed factors, one without effect: the distribution without the other term is close to the right one."""
    n_sets, levels = 2000, 8
    rng = np.random.default_rng(21)
    g, h = (a.ravel() for a in np.indices((6, levels)))
    start = me.lmer("y ~ 1 + (1 | g) + (1 | h)", {"y": rng.normal(size=g.size), "g": g, "h": h})
    rejected = 0
    for _ in range(n_sets):
        y = rng.normal(size=g.size) + rng.normal(size=levels)[h]
        fit = fit_lmm(replace(start.model, y=y), reml=True, control=start.control)
        rejected += exact_rlrt(fit, "g", n=400, rng=rng).p_value < 0.05
    assert abs(rejected / n_sets - 0.05) < 4 * np.sqrt(0.05 * 0.95 / n_sets)
