"""Fits without some rows: by subtraction and a warm start, against `lmer` on the data without these rows."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from support import reference

import mixedeffects as me
from mixedeffects.fit.deletions import delete, sets_of_codes, without_rows
from mixedeffects.fit.effects import linear_predictor

MODELS = {
    "slopes": ("sleepstudy", "Reaction ~ Days + (Days | Subject)", "Subject", {}),
    "two terms": ("sleepstudy", "Reaction ~ Days + (Days || Subject)", "Subject", {}),
    "zero variance": ("Dyestuff2", "Yield ~ 1 + (1 | Batch)", "Batch", {}),
    "crossed": ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "sample", {}),
    "crossed, singular": ("sim_cross", "rt ~ a*B + (1 + a + B | subj) + (1 + B | item)", "item", {}),
    "weights and offset": (
        "sim_cross",
        "rt ~ A + B + (1 | subj) + (1 | item)",
        "subj",
        {"weights": "w", "offset": "off"},
    ),
    "nested": ("Pastes", "strength ~ 1 + (1 | batch/cask)", "batch", {}),
    "three stages": ("Oats", "yield ~ nitro + (1 | Block/Variety)", "Block", {}),
    "ml": ("sleepstudy", "Reaction ~ Days + (Days | Subject)", "Subject", {"reml": False}),
    "no fixed effects": ("sleepstudy", "Reaction ~ 0 + (Days | Subject)", "Subject", {}),
}


def by_hand(formula, frame, **options) -> me.LmmResult:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.lmer(formula, frame, **options)


@pytest.fixture(scope="module", params=MODELS)
def deleted(request):
    dataset, formula, by, options = MODELS[request.param]
    frame = reference.load_data(dataset)
    fit = by_hand(formula, frame, **options)
    factor = fit.model.factors[by]
    without = [by_hand(formula, frame[frame[by].astype(str) != level], **options) for level in factor.labels]
    return fit, sets_of_codes(factor.codes, factor.n_levels), without


def test_groups_refitted_are_lmer_on_the_data_without_them(deleted):
    fit, sets, without = deleted
    found = delete(fit, sets)
    errors = np.array([w.std_errors for w in without])
    np.testing.assert_allclose(found.criterion, [w.criterion for w in without], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.sigma, [w.sigma for w in without], rtol=2e-6)
    np.testing.assert_allclose(np.sqrt(np.einsum("mpp->mp", found.vcov)), errors, rtol=2e-6)
    gap = np.abs(found.beta - np.array([w.fixef for w in without]).reshape(found.beta.shape))
    assert (gap <= 1e-6 * errors).all()
    np.testing.assert_allclose(found.theta, [w.theta for w in without], rtol=1e-5, atol=5e-6)
    assert (found.n_refused, found.n_unconverged) == (0, 0)


def test_held_variances_are_lmer_at_that_theta(deleted):
    fit, sets, without = deleted
    found = delete(fit, sets, refit=False)
    held = [w.update(control=me.Control(fixed_theta=fit.theta)) for w in without]
    np.testing.assert_allclose(found.sigma, [h.sigma for h in held], rtol=1e-10)
    np.testing.assert_allclose(found.criterion, [h.criterion for h in held], rtol=1e-11)
    errors = np.array([h.std_errors for h in held])
    np.testing.assert_allclose(np.sqrt(np.einsum("mpp->mp", found.vcov)), errors, rtol=1e-9)
    gap = np.abs(found.beta - np.array([h.fixef for h in held]).reshape(found.beta.shape))
    assert (gap <= 1e-9 * errors).all()


def test_single_rows_of_a_weighted_model(weighted):
    frame = reference.load_data("sim_cross")
    rows = [0, 17, 200]
    codes = np.full(weighted.nobs, 3)
    codes[rows] = [0, 1, 2]
    found = delete(weighted, sets_of_codes(codes, 4))
    for i, row in enumerate(rows):
        hand = by_hand("rt ~ A + B + (B | subj)", frame.drop(index=row), weights="w", offset="off")
        assert found.criterion[i] == pytest.approx(hand.criterion, abs=1e-9)
        np.testing.assert_allclose(found.beta[i], hand.fixef, rtol=1e-6)
        np.testing.assert_allclose(found.sigma[i], hand.sigma, rtol=1e-6)
    assert np.isnan(found.criterion[3]), "three rows are no data for this model"
    assert found.n_refused == 1


def test_a_coefficient_that_only_one_group_could_tell_is_nan_without_it():
    frame = reference.load_data("sleepstudy")
    frame["special"] = np.where(frame["Subject"].astype(str) == "309", frame["Days"] % 2, 0.0)
    formula = "Reaction ~ Days + special + (1 | Subject)"
    fit = by_hand(formula, frame)
    factor = fit.model.factors["Subject"]
    found = delete(fit, sets_of_codes(factor.codes, factor.n_levels))
    at = list(factor.labels).index("309")
    hand = by_hand(formula, frame[frame["Subject"].astype(str) != "309"])
    np.testing.assert_array_equal(np.isnan(found.beta[at]), [False, False, True])
    np.testing.assert_allclose(found.beta[at, :2], hand.fixef[:2], rtol=1e-8)
    np.testing.assert_allclose(found.sigma[at], hand.sigma, rtol=1e-6)
    assert found.criterion[at] == pytest.approx(hand.criterion, abs=1e-8)
    assert np.isfinite(np.delete(found.beta, at, axis=0)).all()


def test_no_model_is_left_where_lmer_would_refuse_it():
    frame = reference.load_data("Dyestuff")
    two = frame[frame["Batch"].isin(["A", "B"])]
    fit = by_hand("Yield ~ 1 + (1 | Batch)", two)
    factor = fit.model.factors["Batch"]
    found = delete(fit, sets_of_codes(factor.codes, 2))
    assert np.isnan(found.beta).all()
    assert found.n_refused == 2


def test_a_design_without_rows_is_a_design_like_any_other(weighted):
    gone = np.array([0, 5, 6], dtype=np.int64)
    left = without_rows(weighted.model, gone)
    assert left.nobs == weighted.nobs - 3
    np.testing.assert_array_equal(left.rows, np.delete(np.arange(weighted.nobs), gone))
    assert left.n_rows_given == weighted.nobs
    assert len({id(term.factor) for term in left.terms}) == len({id(term.factor) for term in weighted.model.terms})


def test_a_fixed_theta_stays_fixed(sleep):
    fit = sleep.update(control=me.Control(fixed_theta=[1.0, 0.0, 0.2]))
    factor = fit.model.factors["Subject"]
    found = delete(fit, sets_of_codes(factor.codes, factor.n_levels))
    np.testing.assert_array_equal(found.theta, np.tile(fit.theta, (18, 1)))


def test_deleting_nothing_changes_nothing(sleep):
    sets = sets_of_codes(np.zeros(0, dtype=np.int64), 1)
    found = delete(sleep, sets)
    np.testing.assert_allclose(found.beta[0], sleep.fixef, rtol=1e-10)
    assert found.sigma[0] == pytest.approx(sleep.sigma, rel=1e-6)
    assert linear_predictor(sleep).shape == (180,)


def test_a_deletion_may_leave_the_boundary():
    rng = np.random.default_rng(325)
    g = np.repeat(np.arange(8), 6)
    frame = pd.DataFrame({"g": g, "y": np.round(rng.normal(size=48) + 0.4 * rng.normal(size=8)[g], 1)})
    fit = by_hand("y ~ 1 + (1 | g)", frame)
    assert fit.is_singular
    found = delete(fit, sets_of_codes(g, 8))
    hand = [by_hand("y ~ 1 + (1 | g)", frame[frame["g"] != level]) for level in range(8)]
    assert found.theta[1, 0] == pytest.approx(0.27114, abs=1e-5)  # lme4's value
    np.testing.assert_allclose(found.criterion, [h.criterion for h in hand], rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.theta, [h.theta for h in hand], rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(found.sigma, [h.sigma for h in hand], rtol=1e-6)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x + (x || g)", "y ~ x + (1 | g) + (1 | h)"])
def test_small_noisy_data_are_refitted_as_by_hand_or_better(formula):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        levels = int(rng.integers(5, 9))
        g, x = rng.integers(0, levels, 40), rng.normal(size=40)
        frame = pd.DataFrame({"g": g, "x": x, "h": rng.integers(0, 4, 40)})
        frame["y"] = x + rng.normal(size=40) + 0.3 * rng.normal(size=levels)[g]
        fit = by_hand(formula, frame)
        factor = fit.model.factors["g"]
        found = delete(fit, sets_of_codes(factor.codes, factor.n_levels))
        for i, level in enumerate(factor.labels):
            hand = by_hand(formula, frame[frame["g"] != int(level)])
            assert found.criterion[i] <= hand.criterion + 1e-7, (seed, level)


def test_an_outlier_does_not_cost_the_digits_of_what_is_left():
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(12), 10), rng.normal(size=120)
    y = x + rng.normal(size=120)
    clean = pd.DataFrame({"y": y, "x": x, "g": g})
    spoilt = clean.assign(y=np.where(np.arange(120) == 5, 999_999_999.0, y))
    fit = by_hand("y ~ x + (1 | g)", spoilt)
    found = delete(fit, sets_of_codes(g, 12))
    hand = by_hand("y ~ x + (1 | g)", clean[clean["g"] != 0])
    assert found.sigma[0] == pytest.approx(hand.sigma, rel=1e-6)
    np.testing.assert_allclose(found.beta[0], hand.fixef, rtol=1e-6)
    rows = fit.influence()
    held = by_hand("y ~ x + (1 | g)", clean.drop(index=5), control=me.Control(fixed_theta=fit.theta))
    assert rows.sigma[5] == pytest.approx(held.sigma, rel=1e-9)
    np.testing.assert_allclose(rows.fixef.loc[5], held.fixef, rtol=1e-9)


def test_coefficients_that_change_their_meaning_are_nan():
    rng = np.random.default_rng(5)
    g, k = rng.integers(0, 9, 90), rng.choice(list("abc"), 90)
    y = np.where(k == "a", 5, np.where(k == "b", 1, 2)) + rng.normal(size=90)
    found = by_hand("y ~ k + (1 | g)", pd.DataFrame({"y": y, "g": g, "k": k})).influence("k")
    wanted = [[True, True, True], [False, True, False], [False, False, True]]
    np.testing.assert_array_equal(found.fixef.isna().to_numpy(), wanted)
    assert "nan" not in repr(found).splitlines()[1:2]
