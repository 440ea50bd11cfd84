"""From no pooling to partial pooling."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me
from mixedeffects.plots.shrinkage import shrinkage_data


def wide(columns):
    return pd.DataFrame(columns).pivot_table(
        index="level", columns="term", values=["own_estimate", "mixed_model"], sort=False, dropna=False
    )


def test_own_estimate_is_least_squares_per_level(sleep):
    found = wide(shrinkage_data(sleep))
    data = me.datasets.load("sleepstudy")
    for level, rows in data.groupby("Subject", observed=True):
        slope, intercept = np.polyfit(rows["Days"], rows["Reaction"], 1)
        own = found.loc[str(level), "own_estimate"]
        np.testing.assert_allclose([own["Intercept"], own["Days"]], [intercept, slope], rtol=1e-9)
    coef = sleep.coef["Subject"]
    np.testing.assert_allclose(found["mixed_model"][["Intercept", "Days"]], coef, rtol=1e-10)


def test_with_weights_offset_and_other_predictors(weighted):
    found = wide(shrinkage_data(weighted))
    model, beta = weighted.model, dict(zip(weighted.model.kept_names, weighted.solution.beta, strict=True))
    names = ["Intercept", "a"]
    others = [name for name in model.kept_names if name not in names]
    rest = model.y - model.offset - sum(beta[name] * model.X[:, model.kept_names.index(name)] for name in others)
    factor = model.factors["subj"]
    root = np.sqrt(model.weights)
    for j in (0, 7):
        rows = factor.codes == j
        X = np.column_stack([np.ones(rows.sum()), model.columns["a"][rows]]) * root[rows, None]
        own = np.linalg.lstsq(X, root[rows] * rest[rows], rcond=None)[0]
        np.testing.assert_allclose(found.loc[factor.labels[j], "own_estimate"][names], own, rtol=1e-8)


def test_the_mixed_model_is_a_matrix_weighted_mean(sleep):
    columns = shrinkage_data(sleep)
    own, pooled, centre = (columns[c].reshape(-1, 2) for c in ("own_estimate", "mixed_model", "fixed_effect"))
    Sigma, s2 = sleep.varcorr.covariance["Subject"].to_numpy(), sleep.sigma**2
    X = np.column_stack([np.ones(10), np.arange(10)])
    A = X.T @ X / s2
    W = np.linalg.solve(A + np.linalg.inv(Sigma), A)
    np.testing.assert_allclose(pooled - centre, (own - centre) @ W.T, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("fit", ["sleep", "weighted", "gaps", "oats"])
def test_deviations_are_those_of_compare_pooling(fit, request):
    """The columns have other names than those of no and complete pooling, which are other estimates."""
    fit = request.getfixturevalue(fit)
    group = next(iter(fit.model.factors))
    pooling = me.compare_pooling(fit, group=group)
    columns = shrinkage_data(fit)
    assert not {"no_pooling", "partial_pooling", "complete_pooling"} & set(columns)
    k = len(set(columns["term"]))
    own, mixed, fixed = (columns[c].reshape(-1, k) for c in ("own_estimate", "mixed_model", "fixed_effect"))
    known = ~np.isnan(own).any(axis=1)
    scale = np.abs(own[known]).max()
    wanted = (pooling.own - pooling.center).to_numpy()[:, :k]
    np.testing.assert_allclose((own - fixed)[known], wanted[known], atol=1e-9 * scale)
    modes = (pooling.partial_pooling[pooling.center.columns] - pooling.center).to_numpy()[:, :k]
    np.testing.assert_allclose(mixed - fixed, modes, atol=1e-9 * scale)


def test_nested_factors(oats):
    frame = pd.DataFrame(shrinkage_data(oats)).set_index("level")
    found = frame.loc["Victory:I", ["own_estimate", "fixed_effect", "mixed_model"]].astype(float)
    np.testing.assert_allclose(found, [102.3534, 82.4, 96.8599], atol=1e-3)


def test_one_column(batches, draw):
    columns = shrinkage_data(batches)
    means = me.datasets.load("Dyestuff").groupby("Batch", observed=True)["Yield"].mean()
    np.testing.assert_allclose(columns["own_estimate"], means, rtol=1e-12)
    ax = draw(batches).shrinkage()
    assert ax.get_xlabel() == "Intercept (Yield)"
    order = np.argsort(columns["mixed_model"])
    assert [text.get_text() for text in ax.get_yticklabels()] == columns["level"][order].tolist()
    names = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert names == ["own estimate", "mixed model", "fixed effects"]


def test_marks_stand_at_the_frame(sleep, draw):
    ax = draw(sleep).shrinkage()
    own, pooled, centre = (line.get_xydata() for line in ax.lines)
    np.testing.assert_array_equal(own, ax.data["own_estimate"].to_numpy().reshape(-1, 2))
    np.testing.assert_array_equal(pooled, ax.data["mixed_model"].to_numpy().reshape(-1, 2))
    np.testing.assert_allclose(centre, [sleep.fixef.to_numpy()])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Intercept", "Days")
    assert draw(sleep).shrinkage(terms="Days").get_xlabel() == "Days"
    assert draw(sleep).shrinkage(terms=["Days", "Intercept"]).get_xlabel() == "Days"


def test_levels_that_cannot_be_estimated_alone(gaps, draw):
    columns = pd.DataFrame(shrinkage_data(gaps))
    assert columns[columns["own_estimate"].isna()]["level"].unique().tolist() == ["372"]
    assert columns["mixed_model"].notna().all()
    ax = draw(gaps).shrinkage()
    assert ax.get_title(loc="right") == "1 of 18 levels cannot be estimated by themselves"
    assert len(ax.lines[0].get_xdata()) == 17
    assert len(ax.lines[1].get_xdata()) == 18


def test_a_column_without_a_fixed_effect_is_pulled_to_0():
    data = me.datasets.load("sleepstudy")
    columns = pd.DataFrame(shrinkage_data(me.lmer("Reaction ~ 1 + (Days | Subject)", data)))
    assert (columns[columns["term"] == "Days"]["fixed_effect"] == 0).all()


def test_a_singular_fit_pulls_everything_in(no_variance):
    columns = shrinkage_data(no_variance)
    np.testing.assert_allclose(columns["mixed_model"], columns["fixed_effect"])
    assert np.ptp(columns["own_estimate"]) > 1


def test_far_estimates_do_not_hide_the_others(pupils, draw):
    ax = draw(pupils).shrinkage()
    own = ax.data[ax.data["term"] == "gcsecnt"]["own_estimate"].dropna()
    assert np.ptp(ax.get_ylim()) < 0.5 * np.ptp(own)
    inside = own.between(*ax.get_ylim()).mean()
    assert inside > 0.98
    pooled = ax.data[ax.data["term"] == "gcsecnt"]["mixed_model"]
    assert pooled.between(*ax.get_ylim()).all()


def test_refusals(sleep, draw):
    for terms in ("x", ["Intercept", "x"], [], ["Intercept", "Days", "Days"]):
        with pytest.raises(me.DataError, match="name one or two of the random effects of 'Subject'"):
            draw(sleep).shrinkage(terms=terms)
