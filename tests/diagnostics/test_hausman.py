"""Hausman's test against plm, lme4 with lm, and dense computations."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from scipy import stats
from support.compare import assert_close
from support.fits import quiet_fit
from support.reference import load_case, load_data

import mixedeffects as me
from mixedeffects.results.pooling import hausman_test, within_between

if TYPE_CHECKING:
    import pandas as pd

R = load_case("pooling", "pooling")
FORMULA = "mAch ~ ses + female + (1 | school)"


def school() -> pd.DataFrame:
    data = load_data("Hsb82")
    return data.assign(female=(data["sx"] == "Female") * 1.0, w=1.0 + np.arange(len(data)) % 3)


def test_plm_at_its_variances() -> None:
    """At the variance ratio that plm estimated all of its numbers come out."""
    case = R["hausman_plm"]
    fit = me.lmer(FORMULA, school(), control=me.Control(fixed_theta=[case["theta"]]))
    found = hausman_test(fit)
    frame = found.to_frame()
    assert_close(frame["fixed"], case["fe"], 1e-11)
    assert_close(frame["random"], case["re"], 1e-11)
    assert_close(found.found.vcov_fixed, case["vcov_fe"], 1e-10)
    assert_close(found.found.vcov_random, case["vcov_re"], 1e-10)
    assert found.statistic == pytest.approx(case["statistic"], rel=1e-9)
    assert found.df == case["df"]
    assert found.p_value == pytest.approx(case["p_value"], rel=1e-7)
    assert found.positive_definite


def test_lme4_and_least_squares_with_dummies() -> None:
    case = R["hausman_lme4"]
    found = hausman_test(me.lmer(FORMULA, school(), control=me.Control(tolerance=1e-12)))
    assert_close(found.vcov_difference, case["difference"], 1e-6)
    assert found.statistic == pytest.approx(case["statistic"], rel=1e-6)
    assert found.p_value == pytest.approx(case["p_value"], rel=1e-5)


@pytest.mark.parametrize("sigma", ["separate", "random", "within"])
def test_dense_with_weights_and_offset(sigma: str) -> None:
    data = load_data("sleepstudy").drop(index=[1, 2, 3, 40, 41, 77, 150])
    rng = np.random.default_rng(6)
    data = data.assign(w=rng.uniform(0.5, 3, len(data)), o=rng.normal(size=len(data)), z=rng.normal(size=len(data)))
    fit = me.lmer("Reaction ~ Days + z + (1 | Subject)", data, weights="w", offset="o")
    found = hausman_test(fit, sigma=sigma)
    w, y = fit.design.weights, fit.design.y - fit.design.offset
    C = np.column_stack([fit.design.X[:, 1:], fit.design.Z.toarray()])
    b = np.linalg.solve(C.T @ (w[:, None] * C), C.T @ (w * y))
    s2 = w @ (y - C @ b) ** 2 / (len(y) - C.shape[1])
    fixed = {"separate": s2, "random": fit.sigma**2, "within": s2}[sigma]
    scale = s2 / fit.sigma**2 if sigma == "within" else 1.0
    V = fixed * np.linalg.inv(C.T @ (w[:, None] * C))[:2, :2] - scale * fit.vcov.to_numpy()[1:, 1:]
    d = b[:2] - fit.fixef.to_numpy()[1:]
    assert_close(found.vcov_difference, V, 1e-9)
    if found.positive_definite:
        assert found.statistic == pytest.approx(d @ np.linalg.solve(V, d), rel=1e-7)
        assert found.p_value == pytest.approx(stats.chi2.sf(found.statistic, 2), rel=1e-10)


def test_one_residual_variance_cannot_be_negative() -> None:
    rng = np.random.default_rng(11)
    for _ in range(20):
        g = np.repeat(np.arange(15), 4)
        x = rng.normal(size=60) + rng.normal(size=15)[g]
        y = rng.normal(size=15)[g] + rng.normal(size=60)
        fit = me.lmer("y ~ x + (1 | g)", {"y": y, "x": x, "g": g}, control=me.Control(fixed_theta=[0.8]))
        assert hausman_test(fit, sigma="random").positive_definite


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("sigma", ["separate", "random", "within"])
def test_equal_means_leave_nothing_to_test(reml: bool, sigma: str) -> None:
    """Days has the same values for all subjects: both estimates are the same, whatever the variances are."""
    found = hausman_test(quiet_fit("Reaction ~ Days + (1 | Subject)", "sleepstudy", reml=reml), sigma=sigma)
    assert found.df == 0
    assert np.isnan(found.statistic)
    assert np.isnan(found.p_value)
    assert found.notes == (
        "The means of Days are equal in all levels of Subject: random and fixed effects agree by design, there is "
        "nothing to test.",
    )
    assert "Nothing to test" in repr(found)
    assert "nan on" not in repr(found)
    assert found.to_frame()["std_error"].isna().all()


def test_weighted_means_are_what_must_be_equal() -> None:
    data = load_data("sleepstudy")
    data["w"] = 1.0 + np.tile([3.0, 1.0], 90) * (data["Subject"].cat.codes % 2)
    assert hausman_test(me.lmer("Reaction ~ Days + (1 | Subject)", data, weights="w")).df == 1
    data["w"] = 1.0 + data["Days"]
    found = hausman_test(me.lmer("Reaction ~ Days + (1 | Subject)", data, weights="w"))
    assert found.df == 0
    assert found.notes[0].startswith("The weighted means of Days are equal in all levels of Subject")


def test_means_that_are_in_the_model_leave_nothing_to_test() -> None:
    data = school()
    data["own"] = data["ses"].groupby(data["school"], observed=True).transform("mean")
    found = hausman_test(me.lmer("mAch ~ ses + own + (1 | school)", data))
    assert found.df == 0
    assert "equal in all levels of school or determined by other columns of the model" in found.notes[0]
    assert found.to_frame()["difference"].abs().max() < 1e-10


def test_without_an_intercept_equal_means_say_something() -> None:
    found = hausman_test(quiet_fit("Reaction ~ 0 + Days + (1 | Subject)", "sleepstudy"))
    assert found.df == 1
    assert found.statistic > 1.0


@pytest.mark.parametrize("reml", [True, False])
def test_directions_without_a_difference_are_left_out(reml: bool) -> None:
    """One of two columns has equal means: with two residual variances the covariances differ there all the same."""
    rng = np.random.default_rng(1)
    data = load_data("sleepstudy").assign(x=lambda d: rng.normal(size=180) + d["Subject"].cat.codes / 6)
    fit = me.lmer("Reaction ~ Days + x + (1 | Subject)", data, reml=reml)
    found = {sigma: hausman_test(fit, sigma=sigma) for sigma in ("separate", "random", "within")}
    assert all(one.df == 1 for one in found.values())
    assert (
        "The means of Days are equal in all levels of Subject: that leaves 1 of 2 directions"
        in found["random"].notes[1]
    )
    at = me.lmer("Reaction ~ Days + x + (1 | Subject)", data, reml=reml, control=me.Control(fixed_theta=fit.theta))
    wald = within_between(at, covariates=["Days", "x"], ddf="normal")
    expected = wald.test.statistic * wald.mundlak.sigma**2 / fit.sigma**2
    assert found["random"].statistic == pytest.approx(expected, rel=1e-7)


def test_a_difference_that_is_not_positive_is_said_so() -> None:
    """An effect between groups that goes into the residual variance of the mixed model makes that the larger one."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(12), 5)
    x = rng.normal(size=60)
    mean = (np.bincount(g, x) / 5)[g]
    data = {"y": x - 40 * mean + rng.normal(size=60), "x": x, "g": g}
    fit = me.lmer("y ~ x + (1 | g)", data, control=me.Control(fixed_theta=[0.05]))
    found = hausman_test(fit)
    assert not found.positive_definite
    assert found.df == 0
    assert "not positive definite (negative in 1 of 1 directions)" in found.notes[1]
    assert "No statistic" in repr(found)
    assert hausman_test(fit, sigma="random").positive_definite


def test_the_same_hypothesis_is_the_call_of_the_note() -> None:
    data = school()
    for formula, weights in (("mAch ~ ses + sx + sector + (1 | school)", None), ("mAch ~ ses + (1 | school)", "w")):
        fit = me.lmer(formula, data, weights=weights, control=me.Control(fixed_theta=[0.3]))
        found = hausman_test(fit, sigma="random")
        call = found.notes[0].split(": ")[-1].rstrip(".")
        assert call.startswith("within_between(fit, covariates=['ses'")
        other = eval(call, {"within_between": partial(within_between, ddf="normal"), "fit": fit})
        expected = other.test.statistic * other.mundlak.sigma**2 / fit.sigma**2
        assert found.statistic == pytest.approx(expected, rel=1e-7)
        assert found.df == other.test.df


def test_singular_fit_compares_with_complete_pooling() -> None:
    data = load_data("Dyestuff2").assign(x=np.sin(np.arange(30.0)) + np.arange(30) // 5)
    with pytest.warns(me.SingularFitWarning):
        fit = me.lmer("Yield ~ x + (1 | Batch)", data)
    found = hausman_test(fit, sigma="random")
    X = np.column_stack([np.ones(30), data["x"]])
    ols = np.linalg.lstsq(X, data["Yield"].to_numpy(), rcond=None)[0]
    assert found.to_frame()["random"].iloc[0] == pytest.approx(ols[1], rel=1e-9)
    assert found.positive_definite


def test_columns_that_are_constant_in_groups_or_aliased_within_them() -> None:
    data = school()
    data["again"] = data["ses"] + data["meanses"]  # within schools the same as ses
    fit = me.lmer("mAch ~ ses + again + sector + (1 | school)", data)
    found = hausman_test(fit)
    assert found.to_frame()["term"].tolist() == ["ses"]


@pytest.mark.parametrize(
    ("formula", "match"),
    [
        ("Reaction ~ Days + (Days | Subject)", r"\(1 \+ Days \| Subject\)"),
        ("Reaction ~ 1 + (1 | Subject)", "nothing to compare"),
    ],
)
def test_models_that_are_refused(formula: str, match: str) -> None:
    with pytest.raises(me.DataError, match=match):
        hausman_test(quiet_fit(formula, "sleepstudy"))


def test_arguments_and_frames() -> None:
    fit = quiet_fit("Reaction ~ Days + (1 | Subject)", "sleepstudy")
    with pytest.raises(me.DataError, match="'both' is not known"):
        hausman_test(fit, sigma="both")
    with pytest.raises(me.DataError, match="str"):
        hausman_test("Reaction ~ Days")
    polars = pl.from_pandas(school()[["mAch", "ses", "female", "school"]].astype({"school": str}))
    found = hausman_test(me.lmer(FORMULA, polars))
    assert isinstance(found.to_frame(), pl.DataFrame)
    assert "<table" in found._repr_html_()
