"""Intraclass correlations, R squared and the partition of the variance."""

from __future__ import annotations

import numpy as np
import pytest
from support.cases import case_fit
from support.fits import quiet_fit
from support.reference import case_ids, load_case, load_data

import mixedeffects as me
from mixedeffects.inference.variance import components, icc, r2, variance_model, variance_partition

GAUSSIAN = [i for i in case_ids("diagnostics") if load_case(i, "diagnostics").get("family") == "gaussian"]
# The R package leaves the random part out of its R squared where a fit is singular, and gives no ICC.
REGULAR = [i for i in GAUSSIAN if load_case(i, "diagnostics").get("icc_adjusted") is not None]


@pytest.mark.parametrize("case_id", REGULAR)
def test_numbers_are_those_of_the_performance_package(case_id: str) -> None:
    case, fit = load_case(case_id, "diagnostics"), case_fit(case_id, "diagnostics")
    found, explained = icc(fit), r2(fit)
    assert found.adjusted == pytest.approx(case["icc_adjusted"], abs=1e-7)
    assert found.unadjusted == pytest.approx(case["icc_unadjusted"], abs=1e-7)
    assert explained["marginal"] == pytest.approx(case["r2_marginal"], abs=1e-7)
    assert explained["conditional"] == pytest.approx(case["r2_conditional"], abs=1e-7)
    groups = case["icc_by_group"]["columns"]
    assert found.by_group == pytest.approx(dict(zip(groups["Group"], groups["ICC"], strict=True)), abs=1e-7)


@pytest.mark.parametrize("case_id", GAUSSIAN)
def test_components_are_those_of_the_insight_package(case_id: str) -> None:
    wanted = load_case(case_id, "diagnostics")["variance_components"]
    parts = components(case_fit(case_id, "diagnostics"))
    scale = parts.total
    assert parts.fixed == pytest.approx(wanted["var.fixed"], abs=1e-6 * scale)
    assert parts.residual == pytest.approx(wanted["var.residual"], abs=1e-6 * scale)
    if "var.random" in wanted:
        assert parts.total_random == pytest.approx(wanted["var.random"], abs=1e-6 * scale)


def test_one_random_intercept_is_the_correlation_of_two_units_of_a_group() -> None:
    fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    V = fit.design.V()
    first, second = np.flatnonzero(fit.design.terms[0].factor.codes == 0)[:2]
    correlation = V[first, second] / np.sqrt(V[first, first] * V[second, second])
    assert icc(fit).adjusted == pytest.approx(correlation, rel=1e-12)
    assert icc(fit).by_group == {"Batch": pytest.approx(correlation, rel=1e-12)}


def test_random_slopes_use_the_mean_variance_of_the_rows() -> None:
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    mean = np.diag(fit.design.V()).mean()
    assert icc(fit).adjusted == pytest.approx(1 - fit.sigma**2 / mean, rel=1e-12)


def test_a_variance_of_zero_is_an_answer() -> None:
    fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2")
    assert icc(fit).adjusted == 0.0
    assert r2(fit) == {"marginal": pytest.approx(0.0, abs=1e-12), "conditional": pytest.approx(0.0, abs=1e-12)}


def test_group_without_intercept_has_no_share_of_its_own() -> None:
    fit = quiet_fit("Reaction ~ Days + (0 + Days | Subject)", "sleepstudy")
    assert np.isnan(icc(fit).by_group["Subject"])
    assert 0 < icc(fit).adjusted < 1
    both = icc(quiet_fit("Reaction ~ Days + (Days || Subject)", "sleepstudy"))
    assert 0 < both.by_group["Subject"] < both.adjusted


def test_at_other_parameters() -> None:
    """What a bootstrap calls: the moments of the rows once, then any theta, sigma and beta."""
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    model = variance_model(fit)
    assert model.icc(fit.theta, fit.sigma, fit.solution.beta).adjusted == icc(fit).adjusted
    other = model.components(np.array([2.0, 0.0, 0.0]), 3.0, np.array([7.0, 0.0]))
    assert (other.fixed, other.random, other.residual) == (0.0, (36.0,), 9.0)
    assert model.icc(np.array([2.0, 0.0, 0.0]), 3.0, np.array([7.0, 0.0])).adjusted == pytest.approx(0.8)
    assert model.icc(np.array([2.0, 0.0, 0.0]), 3.0, np.array([0.0, 1.0])).unadjusted < 0.8


def test_shifted_predictor_costs_no_digits() -> None:
    data = load_data("sleepstudy")
    data["late"] = data["Days"] + 1e6
    plain, shifted = (r2(me.lmer(f"Reaction ~ {x} + (1 | Subject)", data)) for x in ("Days", "late"))
    assert shifted["marginal"] == pytest.approx(plain["marginal"], rel=1e-8)


def test_partition_adds_up() -> None:
    fit = quiet_fit("yield ~ nitro * Variety + (1 | Block/Variety)", "Oats")
    table = variance_partition(fit)
    assert list(table.columns["component"]) == ["fixed", "(1 | Variety:Block)", "(1 | Block)", "residual"]
    assert sum(table.columns["share"]) == pytest.approx(1.0, rel=1e-12)
    assert table.columns["share"][0] == pytest.approx(r2(fit)["marginal"], rel=1e-12)
    assert table.to_frame().shape == (4, 3)


def test_the_print_of_intraclass_correlations_says_whose_shares_they_are() -> None:
    fit = quiet_fit("strength ~ 1 + (1 | batch/cask)", "Pastes")
    found = icc(fit)
    lines = repr(found).splitlines()
    assert lines[1].split()[:2] == ["adjusted", f"{found.adjusted:.4f}"]
    assert lines[3].split()[:2] == ["cask:batch", f"{found.by_group['cask:batch']:.4f}"]
    assert lines[4].split()[:2] == ["batch", f"{found.by_group['batch']:.4f}"]
    assert "along nested factors" in lines[5]
    assert max(map(len, lines)) <= 90
    # The correlation of two rows of one cask, from the covariance matrix of the response.
    V = fit.design.V()
    first = np.flatnonzero(fit.model.terms[0].factor.codes == 0)[:2]
    assert V[first[0], first[1]] / V[first[0], first[0]] == pytest.approx(sum(found.by_group.values()), rel=1e-12)
    one = repr(icc(quiet_fit("Reaction ~ 1 + (1 | Subject)", "sleepstudy")))
    assert "nested" not in one
    assert len(one.splitlines()) == 4
