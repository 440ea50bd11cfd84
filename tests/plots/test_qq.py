"""Normal quantile plots and their bands."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import mixedeffects as me
from mixedeffects.fit.kinds import drawn_at_theta
from mixedeffects.plots.qq import qq_data, ranef_qq_data
from mixedeffects.plots.simulated import FEWEST, band, normal_scores, thinned


@pytest.mark.parametrize("name", ["sleep", "weighted", "crossed"])
def test_draws_have_the_estimates_of_a_dense_computation(name, request):
    fit = request.getfixturevalue(name)
    model = fit.model
    w = np.ones(fit.nobs) if model.weights is None else model.weights
    V = np.asarray((model.Z @ fit.design.Lambda @ fit.design.Lambda.T @ model.Z.T).todense()) + np.diag(1 / w)
    for drawn in drawn_at_theta(fit, 3, 5):
        y, solution = drawn.model.y, drawn.solution
        response = y if model.offset is None else y - model.offset
        half = np.linalg.cholesky(V)
        X, r = np.linalg.solve(half, model.X), np.linalg.solve(half, response)
        beta = np.linalg.lstsq(X, r, rcond=None)[0]
        sigma = np.linalg.norm(r - X @ beta) / np.sqrt(fit.nobs - X.shape[1])
        np.testing.assert_allclose(solution.beta, beta, rtol=1e-6, atol=1e-6 * np.abs(beta).max())
        assert solution.sigma == pytest.approx(sigma, rel=1e-8)
        Zb = model.Z @ np.concatenate([b.ravel() for b in solution.b])
        residual = response - model.X @ beta - Zb
        np.testing.assert_allclose(
            residual, np.linalg.solve(V, response - model.X @ beta) / w, atol=1e-7 * np.abs(residual).max()
        )


def test_responses_have_the_covariance_of_the_model(batches):
    y = np.array([drawn.model.y for drawn in drawn_at_theta(batches, 4_000, 1)])
    wanted = batches.design.V()
    found = np.cov(y.T)
    error = np.sqrt((wanted**2 + np.outer(np.diag(wanted), np.diag(wanted))) / 4_000)
    assert (np.abs(found - wanted) < 5 * error).all()


def test_columns(sleep):
    columns = qq_data(sleep)
    assert (np.diff(columns["residual"]) >= 0).all()
    np.testing.assert_allclose(columns["residual"], np.sort(sleep.residuals("scaled")))
    np.testing.assert_array_equal(columns["residual"], sleep.residuals("scaled")[columns["row"]])
    np.testing.assert_allclose(norm.cdf(columns["theoretical"]), (np.arange(180) + 0.5) / 180)
    assert (columns["lower"] < columns["median"]).all()
    assert (columns["median"] < columns["upper"]).all()
    # Residuals are less spread than errors, and so is the line.
    slope = np.polyfit(columns["theoretical"], columns["median"], 1)[0]
    edf = sleep.nobs - np.trace(_residual_maker(sleep))
    assert slope == pytest.approx(np.sqrt(1 - edf / sleep.nobs), abs=0.02)


def _residual_maker(fit):
    model = fit.model
    V = np.asarray((model.Z @ fit.design.Lambda @ fit.design.Lambda.T @ model.Z.T).todense()) + np.eye(fit.nobs)
    W = np.linalg.inv(V)
    return W - W @ model.X @ np.linalg.solve(model.X.T @ W @ model.X, model.X.T @ W)


def test_the_same_picture_every_time_unless_asked(sleep):
    first, again, other = qq_data(sleep), qq_data(sleep), qq_data(sleep, rng=2)
    np.testing.assert_array_equal(first["upper"], again["upper"])
    assert (first["upper"] != other["upper"]).any()


def test_the_band_holds_95_of_100_true_ones():
    rng = np.random.default_rng(11)
    g = np.repeat(np.arange(15), 4)
    inside, modes = [], []
    for _ in range(60):
        y = rng.normal(scale=2.0, size=15)[g] + rng.normal(size=60)
        fit = me.lmer("y ~ 1 + (1 | g)", {"y": y, "g": g})
        columns = qq_data(fit, rng=rng)
        inside.append(((columns["lower"] <= columns["residual"]) & (columns["residual"] <= columns["upper"])).mean())
        columns = ranef_qq_data(fit, rng=rng)
        modes.append(((columns["lower"] <= columns["mode"]) & (columns["mode"] <= columns["upper"])).mean())
    assert np.mean(inside) == pytest.approx(0.95, abs=4 * np.std(inside) / np.sqrt(60))
    assert np.mean(modes) == pytest.approx(0.95, abs=4 * np.std(modes) / np.sqrt(60))


def test_long_tails_leave_it():
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(30), 10)
    y = rng.normal(size=30)[g] + rng.standard_t(2, size=300)
    columns = qq_data(me.lmer("y ~ 1 + (1 | g)", {"y": y, "g": g}))
    assert columns["residual"][-1] > columns["upper"][-1]
    inside = (columns["lower"] <= columns["residual"]) & (columns["residual"] <= columns["upper"])
    assert inside.mean() < 0.5  # the middle is too flat


def test_standardized_modes(sleep):
    columns = ranef_qq_data(sleep)
    frame = pd.DataFrame(columns)
    assert frame.groupby("term").size().to_dict() == {"Intercept": 18, "Days": 18}
    for j, term in enumerate(["Intercept", "Days"]):
        part = frame[frame["term"] == term].set_index("level")
        spread = np.sqrt(sleep.varcorr.covariance["Subject"].iloc[j, j] - sleep.ranef.condvar["Subject"][:, j, j])
        modes = sleep.ranef["Subject"][term]
        wanted = modes / spread
        wanted = wanted / np.sqrt((wanted**2).mean())
        np.testing.assert_allclose(part["mode"], wanted[part.index], rtol=1e-9)
        np.testing.assert_allclose(part["estimate"], modes[part.index], rtol=1e-12)
        assert (np.diff(part["mode"]) >= 0).all()


def test_mode_spread_is_that_of_drawn_modes(plates):
    """Sigma - condvar is the variance of a mode but for the estimation of beta."""
    draws = np.array([np.concatenate([b.ravel() for b in one.solution.b]) for one in drawn_at_theta(plates, 3_000, 4)])
    for at, group in zip((slice(0, 24), slice(24, 30)), ("plate", "sample"), strict=True):
        wanted = plates.varcorr.covariance[group].iloc[0, 0] - plates.ranef.condvar[group][:, 0, 0]
        J = len(wanted)
        np.testing.assert_allclose(draws[:, at].var(axis=0).mean(), wanted.mean() * (1 - 1 / J), rtol=0.05)


def test_a_variance_of_0(no_variance, draw):
    axes = draw(no_variance).ranef_qq()
    assert np.isnan(axes.data["mode"]).all()
    assert [text.get_text() for text in axes[0].texts] == ["variance estimated as 0"]


def test_levels_without_information_are_left_out():
    x = np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 2.0, 5.0, 1.0, 4.0, 1.0, 3.0])
    y = np.array([1.0, 2.0, 1.5, 3.0, 5.0, 6.5, 1.0, -3.0, 2.0, 9.0, 1.5, 4.0])
    fit = me.lmer("y ~ x + (0 + x | g)", {"y": y, "x": x, "g": np.repeat(list("abcd"), 3)})
    columns = ranef_qq_data(fit)
    assert sorted(columns["level"]) == ["b", "c", "d"]
    assert np.isfinite(columns["mode"]).all()


def test_titles_and_panels(plates, draw):
    axes = draw(plates).ranef_qq()
    assert [ax.get_title() for ax in axes] == ["plate: Intercept", "sample: Intercept"]
    assert len(draw(plates).ranef_qq("sample")) == 1
    with pytest.raises(me.DataError, match=r"group='no'.*choose one of 'plate', 'sample'"):
        draw(plates).ranef_qq("no")


def test_thinning():
    np.testing.assert_array_equal(thinned(1_000), np.arange(1_000))
    ranks = thinned(1_000_000)
    assert len(ranks) <= 1_000
    assert set(range(100)) | set(range(999_900, 1_000_000)) <= set(ranks.tolist())
    scores = normal_scores(1_000_000)[ranks]
    assert np.diff(scores[100:-100]).max() < 0.02


def test_large_fits(pupils, draw):
    ax = draw(pupils).qq()
    assert len(ax.data) == len(thinned(pupils.nobs))
    assert ax.get_title(loc="right") == "1,000 of 31,022 points drawn"


def test_band_ranks():
    lower, median, upper = band(np.arange(1.0, 40.0)[:, None])  # 39 draws: the extremes
    assert (lower[0], median[0], upper[0]) == (1.0, 20.0, 39.0)
    assert FEWEST == 39


@pytest.mark.parametrize("n", [38, 0, -1, 50.5, True, "100"])
def test_too_few_draws(n, sleep):
    with pytest.raises(me.DataError, match="at least 39 draws"):
        qq_data(sleep, n)
