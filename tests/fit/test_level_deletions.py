"""All levels refitted at once: against refits one by one, and `lmer` on the data without a level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me
from mixedeffects.fit import deletions, level_deletions
from mixedeffects.fit.deletions import RowSets, delete, sets_of_codes
from mixedeffects.fit.effects import working_theta

N_GROUPS = 400
FORMULAS = ["y ~ x + (1 | g)", "y ~ x + (x | g)", "y ~ x + (x || g)", "y ~ 1 + (0 + x | g)"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    g = np.concatenate([np.arange(N_GROUPS), rng.integers(0, N_GROUPS, 5 * N_GROUPS)])
    x = rng.normal(size=len(g))
    b = rng.normal(size=(N_GROUPS, 2)) @ np.array([[1.0, 0.3], [0.0, 0.5]])
    y = 1.0 + 0.5 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "g": g, "w": rng.uniform(0.5, 2.0, len(g)), "o": rng.normal(size=len(g))})


def levels(fit) -> RowSets:
    factor = fit.model.terms[0].factor
    return sets_of_codes(factor.codes, factor.n_levels)


def subset(sets: RowSets, chosen: range) -> RowSets:
    rows = [sets.rows(i) for i in chosen]
    return RowSets(order=np.concatenate(rows), start=np.cumsum([0, *map(len, rows)]).astype(np.int64))


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("formula", FORMULAS)
def test_all_at_once_is_one_by_one(frame, formula, reml):
    fit = me.lmer(formula, frame, reml=reml, weights="w", offset="o")
    sets = levels(fit)
    together = deletions._all_levels(fit, sets)
    assert together is not None
    chosen = range(0, N_GROUPS, 7)
    alone = deletions._from_products(fit, subset(sets, chosen), refit=True)
    ok = together["converged"][chosen]
    assert ok.mean() > 0.95
    np.testing.assert_allclose(together["value"][chosen][ok], alone["value"][ok], rtol=1e-12)
    np.testing.assert_allclose(together["rss"][chosen][ok], alone["rss"][ok], rtol=1e-6)
    np.testing.assert_allclose(together["XVX"][chosen][ok], alone["XVX"][ok], rtol=1e-6)
    errors = np.sqrt(1.0 / np.einsum("mpp->mp", alone["XVX"][ok]))
    assert (np.abs(together["beta"][chosen][ok] - alone["beta"][ok]) < 1e-6 * errors * fit.sigma).all()
    np.testing.assert_allclose(together["theta"][chosen][ok], alone["theta"][ok], rtol=1e-5, atol=1e-6)


def test_levels_are_those_of_lmer_without_them(frame):
    fit = me.lmer("y ~ x + (x | g)", frame)
    found = fit.influence("g")
    far = found.cooks_distance.idxmax()  # the one that moves furthest, and three others
    for level in (far, "0", "17", "399"):
        hand = me.lmer("y ~ x + (x | g)", frame[frame["g"] != int(level)])
        np.testing.assert_allclose(found.fixef.loc[level], hand.fixef, rtol=1e-7)
        np.testing.assert_allclose(found.std_errors.loc[level], hand.std_errors, rtol=1e-6)
        np.testing.assert_allclose(found.sigma[level], hand.sigma, rtol=1e-6)


def test_a_level_far_from_all_others_is_refitted_by_itself(frame):
    odd = frame.copy()
    odd.loc[odd["g"] == 5, "y"] += 200.0
    fit = me.lmer("y ~ x + (x | g)", odd)
    sets = levels(fit)
    together = deletions._all_levels(fit, sets)
    assert together is None or not together["converged"][5]
    found = delete(fit, sets)
    hand = me.lmer("y ~ x + (x | g)", odd[odd["g"] != 5])
    np.testing.assert_allclose(found.beta[5], hand.fixef, rtol=1e-7)
    assert found.criterion[5] == pytest.approx(hand.criterion, abs=1e-7)


def test_it_is_for_one_factor_and_its_levels_only(frame):
    fit = me.lmer("y ~ x + (1 | g)", frame)
    sets = levels(fit)
    assert deletions._all_levels(fit, sets) is not None
    assert deletions._all_levels(fit, subset(sets, range(N_GROUPS - 1))) is None
    shuffled = RowSets(order=sets.order[::-1].copy(), start=sets.start)
    assert deletions._all_levels(fit, shuffled) is None
    h = np.arange(len(frame)) % 13
    frame = frame.assign(h=h, y=frame["y"] + np.cos(h))
    assert not level_deletions.applies(me.lmer("y ~ x + (1 | g) + (1 | h)", frame))
    bare = me.lmer("y ~ 0 + (x | g)", frame)
    assert not level_deletions.applies(bare)
    assert np.isfinite(delete(bare, levels(bare)).criterion).all()


def test_slopes_of_the_polynomials_are_their_derivatives(frame):
    fit = me.lmer("y ~ x + (x | g)", frame)
    theta = working_theta(fit)
    sums = level_deletions._sums(fit, theta, np.full(3, 0.02))
    at = theta + np.array([[0.004, -0.01, 0.007]])
    for i, slope in enumerate(sums.slopes(at)):
        e = np.zeros(3)
        e[i] = 1e-5
        ahead, back = (sums.part(sums.basis(at + sign * e)) for sign in (1.0, -1.0))
        difference = (ahead.log_det - back.log_det) / 2e-5
        np.testing.assert_allclose(sums.part(slope).log_det, difference, rtol=1e-5)
        difference = (ahead.products - back.products) / 2e-5
        np.testing.assert_allclose(sums.part(slope).products, difference, rtol=1e-4, atol=1e-4)


def test_the_sums_are_those_of_the_core_where_they_were_not_fitted(frame):
    fit = me.lmer("y ~ x + (x | g)", frame)
    theta = working_theta(fit)
    sums = level_deletions._sums(fit, theta, np.full(3, 0.02))
    at = theta + np.array([0.011, 0.003, -0.009])
    direct = level_deletions._sample(fit, at)
    part = sums.part(sums.basis(at[None]))
    assert part.log_det[0] == pytest.approx(direct[0], abs=1e-9)
    np.testing.assert_allclose(part.products.ravel(), direct[1:], rtol=0, atol=1e-11 * np.abs(direct[1:]).max())
