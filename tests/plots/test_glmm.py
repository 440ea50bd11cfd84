"""Pictures of generalized fits: what they show, and on which scale."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit
from support import reference
from support.glmm import HERDS, measured

import mixedeffects as me
from mixedeffects.errors import DataError
from mixedeffects.fit.kinds import drawn_at_theta
from mixedeffects.results.glmm_pictures import GlmmPictures
from mixedeffects.results.pictures import Pictures

PICTURES = [
    ("residuals", {}),
    ("residuals", {"kind": "deviance", "marginal": True}),
    ("scale_location", {}),
    ("qq", {"n": 39}),
    ("ranef_qq", {"n": 39}),
    ("caterpillar", {}),
    ("shrinkage", {}),
    ("trajectories", {"x": "period"}),
    ("spaghetti", {"x": "period"}),
    ("groups", {}),
    ("influence", {}),
    ("influence", {"by": "herd"}),
    ("lineup", {"n": 4, "rng": 1}),
]


@pytest.mark.parametrize(("name", "options"), PICTURES)
def test_each_picture_is_drawn_and_has_its_frame(name, options, tmp_path):
    drawn = getattr(measured("herds").plot, name)(**options)
    assert len(drawn.data) >= 15
    np.atleast_1d(np.asarray(drawn, dtype=object)).flat[0].figure.savefig(tmp_path / "one.png")


def test_both_kinds_of_fits_have_the_same_pictures():
    public = [{name for name in dir(kind) if not name.startswith("_")} for kind in (Pictures, GlmmPictures)]
    assert public[0] == public[1]
    text = repr(measured("herds").plot)
    assert all(name in text for name in public[0])


def test_residuals_are_quantile_residuals_against_linear_predictors():
    fit = measured("herds")
    data = fit.plot.residuals.data
    np.testing.assert_array_equal(data["residual"], fit.residuals("quantile", rng=1))
    np.testing.assert_allclose(data["fitted"], fit.predict(kind="link"), rtol=1e-12)
    np.testing.assert_array_equal(fit.plot.scale_location.data["root"], np.sqrt(np.abs(data["residual"])))
    assert fit.plot.residuals().get_xlabel() == "linear predictor (logit)"
    assert fit.plot.residuals().get_ylabel() == "quantile residual"
    marginal = fit.plot.residuals("pearson", marginal=True).data
    np.testing.assert_allclose(marginal["fitted"], fit.predict(kind="link", random="population"), rtol=1e-12)


def test_draws_at_theta_have_the_coefficients_and_modes_of_their_own_mode():
    fit = measured("herds")
    A = np.hstack([fit.design.X, (fit.design.Z @ fit.design.Lambda).toarray()])
    penalty = np.diag(np.r_[np.zeros(4), np.ones(15)])
    Lambda = fit.design.Lambda.toarray()
    n = fit.model.weights
    for drawn in drawn_at_theta(fit, 3, 5):
        s = np.zeros(19)
        for _ in range(60):
            mu = expit(A @ s)
            gradient = A.T @ (n * (drawn.model.y - mu)) - penalty @ s
            s = s + np.linalg.solve(A.T @ ((n * mu * (1 - mu))[:, None] * A) + penalty, gradient)
        np.testing.assert_allclose(drawn.solution.beta, s[:4], rtol=0, atol=1e-4)
        np.testing.assert_allclose(drawn.solution.b[0].ravel(), Lambda @ s[4:], rtol=0, atol=1e-4)
        np.testing.assert_array_equal(drawn.solution.theta, fit.theta)


def test_the_band_shows_overdispersion():
    data = measured("ticks").plot.qq(n=39).data
    outside = np.mean((data["residual"] < data["lower"]) | (data["residual"] > data["upper"]))
    assert outside > 0.3
    better = measured("ticks_nb2").plot.qq(n=39).data
    assert np.mean((better["residual"] < better["lower"]) | (better["residual"] > better["upper"])) < 0.2


def test_trajectories_are_means_on_the_scale_of_the_response():
    frame = reference.load_data("cbpp")
    frame["time"] = frame["period"].astype(int)
    fit = me.glmer("cbind(incidence, size - incidence) ~ time + (1 | herd)", frame)
    axes = fit.plot.trajectories("time")
    data = axes.data
    assert set(data["part"]) == {"data", "own", "common"}
    curve = data[(data["level"] == "3") & (data["part"] == "own")]
    assert len(curve) == 60  # a curve, not a straight line
    eta = fit.coef["herd"].loc["3", "Intercept"] + fit.fixef["time"] * curve["x"]
    np.testing.assert_allclose(curve["y"], expit(eta), rtol=1e-12)
    points = data[(data["level"] == "3") & (data["part"] == "data")]
    mine = frame["herd"] == "3"
    np.testing.assert_allclose(points["y"], (frame["incidence"] / frame["size"])[mine], rtol=1e-12)
    assert axes[0].figure.get_supylabel() == "proportion of successes"


def test_crossed_effects_are_zero_on_the_lines_and_the_points_are_the_data():
    rng = np.random.default_rng(2)
    a, b = np.repeat(np.arange(6), 20), np.tile(np.arange(5), 24)
    x = rng.normal(size=120)
    y = rng.poisson(np.exp(0.5 + 0.3 * x + rng.normal(size=6)[a] + rng.normal(size=5)[b]))
    fit = me.glmer("y ~ x + (1 | a) + (1 | b)", {"x": x, "a": a, "b": b, "y": y}, "poisson")
    picture = fit.plot.trajectories(group="a")
    data = {name: np.asarray(picture.data[name]) for name in picture.data}
    assert set(data["part"]) == {"data", "own", "common"}
    mine = (data["part"] == "data") & (data["level"] == "2")
    np.testing.assert_array_equal(np.sort(data["y"][mine]), np.sort(y[a == 2]))
    own = (data["part"] == "own") & (data["level"] == "2")
    eta = fit.coef["a"].loc["2", "Intercept"] + fit.fixef["x"] * data["x"][own]
    np.testing.assert_allclose(data["y"][own], np.exp(eta), rtol=1e-12)


def test_shrinkage_takes_the_own_estimate_to_the_mode():
    fit = measured("herds")
    data = fit.plot.shrinkage.data.set_index("level")
    np.testing.assert_allclose(
        data["mixed_model"] - data["fixed_effect"], fit.ranef["herd"]["Intercept"].loc[data.index], rtol=1e-10
    )
    mu, n = fit.fitted, fit.model.weights
    W = n * mu * (1 - mu)
    z = fit.predict(kind="link") + (fit.model.y - mu) / (mu * (1 - mu)) - fit.predict(kind="link", random="population")
    codes = fit.model.terms[0].factor.codes
    own = np.bincount(codes, W * z) / np.bincount(codes, W)
    np.testing.assert_allclose(data["own_estimate"] - data["fixed_effect"], own, rtol=1e-8)
    variance = fit.varcorr.covariance["herd"].iloc[0, 0]
    share = variance / (variance + 1.0 / np.bincount(codes, W))
    np.testing.assert_allclose(data["mixed_model"] - data["fixed_effect"], share * own, rtol=0, atol=1e-6)
    assert fit.plot.shrinkage().get_xlabel() == "Intercept (logit)"


def test_a_lineup_hides_the_real_residuals():
    fit = measured("epil_slope")
    axes = fit.plot.lineup("ranef_qq", n=5, rng=3, term="V4")
    real = axes.data[axes.data["real"]]
    assert set(real["panel"]) == {axes.position}
    np.testing.assert_allclose(real["y"], np.sort(fit.ranef["subject"]["V4"]), rtol=1e-12)
    again = fit.plot.lineup("residuals", n=5, rng=3)
    assert stats.kstest(again.data["y"][~again.data["real"]], "norm").pvalue > 0.01
    assert again.position == fit.plot.lineup("residuals", n=5, rng=3).position


def test_a_profile_is_drawn_with_the_frame_of_the_fits_own():
    fit = measured("herds")
    axes = fit.plot.profile(["sd_Intercept|herd", "period[T.2]"])
    assert len(axes) == 2
    wanted = fit.profile(["sd_Intercept|herd", "period[T.2]"]).to_frame()
    np.testing.assert_allclose(axes.data["zeta"], wanted["zeta"], rtol=1e-12)
    assert list(axes.data.columns) == list(wanted.columns)


def test_what_a_picture_needs_is_said():
    with pytest.raises(DataError, match="no pairs"):
        measured("herds").plot.ranef_pairs()
    assert len(measured("epil_slope").plot.ranef_pairs()) == 1
    with pytest.raises(DataError, match="no numeric covariate"):
        measured("herds").plot.trajectories()
    with pytest.raises(DataError, match="at least 39"):
        measured("herds").plot.qq(n=10)


def test_counts_of_successes_are_named_as_proportions():
    assert me.glmer(HERDS, reference.load_data("cbpp")).plot.groups().get_ylabel() == "proportion of successes"
