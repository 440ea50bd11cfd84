"""Parametric bootstrap of a likelihood ratio."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from support.fits import quiet_fit
from support.reference import load_data

import mixedeffects as me
from mixedeffects.fit import fit_lmm, refit
from mixedeffects.fit.refitter import Refitter
from mixedeffects.inference.bootstrap_lrt import bootstrap_lrt
from mixedeffects.inference.rlrt import exact_rlrt

SLOPES = "Reaction ~ Days + (Days | Subject)"
INTERCEPTS = "Reaction ~ Days + (1 | Subject)"


def test_random_slopes_by_reml() -> None:
    small, large = (quiet_fit(formula, "sleepstudy") for formula in (INTERCEPTS, SLOPES))
    result = bootstrap_lrt(small, large, n=400, rng=1)
    assert result.statistic == pytest.approx(42.8368134364302, rel=1e-9)
    assert result.p_value == 1 / 401
    assert (result.df, result.n_failed, result.notes) == (2, 0, ())
    # a mixture of chi-squares with 1 and 2 degrees of freedom, roughly
    tail = (result.null_sample > stats.chi2.isf(0.05, 2)).mean()
    assert tail < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_draws_are_refits_of_both_models_to_new_random_effects(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    call = Refitter.__call__
    monkeypatch.setattr(Refitter, "__call__", lambda self, y: (seen.append(y.copy()), call(self, y))[1])
    small, large = (quiet_fit(formula, "sleepstudy", reml=False) for formula in (INTERCEPTS, SLOPES))
    result = bootstrap_lrt(small, large, n=300, rng=2)
    responses = seen[::2]
    np.testing.assert_array_equal(responses, seen[1::2])
    for y, drawn in zip(responses[:5], result.null_sample[:5], strict=True):
        again = refit(small, y).criterion - refit(large, y).criterion
        assert drawn == pytest.approx(max(0.0, again), abs=2e-7)
    subject = small.varcorr.covariance["Subject"].to_numpy()[0, 0]
    variance = np.var(np.array(responses), axis=0, ddof=1).mean()
    # 300 draws of a sum of two variances, averaged over correlated rows: its standard deviation is about 3 %
    assert variance == pytest.approx(subject + small.sigma**2, rel=0.12)


def test_a_variance_by_bootstrap_agrees_with_the_exact_test() -> None:
    large = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    small = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff", control=me.Control(fixed_theta=[0.0]))
    result, exact = bootstrap_lrt(small, large, n=3000, rng=3), exact_rlrt(large, n=100_000, rng=4)
    assert result.statistic == pytest.approx(exact.statistic, rel=1e-9)
    assert result.df == 1
    for level in (0.5, 0.1, 0.02):
        cut = np.quantile(exact.null_sample, 1 - level)
        exceed = (result.null_sample > cut).mean()
        assert abs(exceed - (exact.null_sample > cut).mean()) < 4 * np.sqrt(level * (1 - level) / 3000)


def test_fixed_effects_need_maximum_likelihood() -> None:
    small, large = (quiet_fit(f"Reaction ~ {x} + (1 | Subject)", "sleepstudy") for x in ("1", "Days"))
    result = bootstrap_lrt(small, large, n=50, rng=1)
    ml = [fit.update(reml=False).criterion for fit in (small, large)]
    assert result.statistic == pytest.approx(ml[0] - ml[1], rel=1e-9)
    assert result.notes == ("REML fits were refitted by maximum likelihood for this comparison",)
    assert stats.kstest(result.null_sample, stats.chi2(1).cdf).pvalue > 1e-4


def test_weights_and_offset_are_part_of_the_simulated_model() -> None:
    data = load_data("sleepstudy")
    options = {"weights": 1.0 + np.arange(180) % 4, "offset": 5.0 * data["Days"].to_numpy(), "reml": False}
    small, large = (me.lmer(f"Reaction ~ {x} + (1 | Subject)", data, **options) for x in ("1", "Days"))
    result = bootstrap_lrt(small, large, n=400, rng=8)
    assert stats.kstest(result.null_sample, stats.chi2(1).cdf).pvalue > 1e-4


def test_draws_depend_on_the_seed_only() -> None:
    small, large = (quiet_fit(formula, "sleepstudy") for formula in (INTERCEPTS, SLOPES))
    first, again, other = (bootstrap_lrt(small, large, n=20, rng=seed).null_sample for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_refits_that_fail_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = (quiet_fit(formula, "sleepstudy") for formula in (INTERCEPTS, SLOPES))
    call, calls = Refitter.__call__, iter(range(10_000))

    def failing(self: Refitter, y: np.ndarray) -> object:
        return replace(call(self, y), converged=next(calls) % 8 != 0)

    monkeypatch.setattr(Refitter, "__call__", failing)
    result = bootstrap_lrt(small, large, n=40, rng=1)
    assert result.n_failed == 10
    assert len(result.null_sample) == 30
    assert result.p_value == 1 / 31
    assert result.notes[-1].startswith("10 of 40 simulated responses were left out")
    monkeypatch.setattr(Refitter, "__call__", lambda self, y: replace(call(self, y), converged=False))
    with pytest.raises(me.ConvergenceError, match="none of 5 refits"):
        bootstrap_lrt(small, large, n=5, rng=1)


class TestRefusals:
    def test_order(self) -> None:
        small, large = (quiet_fit(formula, "sleepstudy") for formula in (INTERCEPTS, SLOPES))
        with pytest.raises(me.DataError, match="fit1 must be the larger model: it has 4 parameters, fit0 has 6"):
            bootstrap_lrt(large, small)

    def test_other_response(self) -> None:
        small = quiet_fit("log(Reaction) ~ Days + (1 | Subject)", "sleepstudy")
        with pytest.raises(me.DataError, match="different responses"):
            bootstrap_lrt(small, quiet_fit(SLOPES, "sleepstudy"))

    def test_fixed_part_that_is_not_nested(self) -> None:
        small = quiet_fit("Reaction ~ I(Days**2) + (1 | Subject)", "sleepstudy")
        with pytest.raises(me.DataError, match="not nested"):
            bootstrap_lrt(small, quiet_fit(SLOPES, "sleepstudy"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mixedeffects.errors.SingularFitWarning")
def test_size_for_a_vector_of_random_effects() -> None:
    """Random intercepts only: 5 % of the bootstrap tests for a slope reject."""
    n_sets, groups = 300, 8
    g, x = (a.ravel() for a in np.indices((groups, 5)))
    rng = np.random.default_rng(31)
    formulas = ("y ~ x + (1 | g)", "y ~ x + (x | g)")
    data = {"y": rng.normal(size=g.size) + 2 * rng.normal(size=groups)[g], "g": g, "x": x + 0.0}
    small, large = (me.lmer(formula, data) for formula in formulas)
    rejected = 0
    for _ in range(n_sets):
        y = rng.normal(size=g.size) + 2 * rng.normal(size=groups)[g]
        fits = [fit_lmm(replace(fit.model, y=y), reml=True, control=fit.control) for fit in (small, large)]
        rejected += bootstrap_lrt(*fits, n=199, rng=rng).p_value <= 0.05
    assert abs(rejected / n_sets - 0.05) < 4 * np.sqrt(0.05 * 0.95 / n_sets)
