"""The verdict of a generalized fit: none is false, and data that determine no estimates are named."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from families.cases import FAMILIES, name
from scipy import stats
from support.generalized import drawn

import mixedeffects as me
from mixedeffects.control import Control
from mixedeffects.design import design
from mixedeffects.families import Binomial, Gamma, InverseGaussian, NegativeBinomial, Poisson
from mixedeffects.fit.glmm import fit_glmm
from mixedeffects.fit.separation import separating

LINKS = ["logit", "probit", "cloglog", "cauchit"]
# Logarithms of the dispersion with which the draws stay within what the links allow.
MILD = {"negative_binomial": 2.0, "negative_binomial1": 0.0}


def said(frame: pd.DataFrame, formula: str, family: str = "binomial", **options: object) -> list[str]:
    """What a fit says: its ConvergenceWarnings, or the error that there is no fit."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fit = me.glmer(formula, frame, family, **options)
        except me.ConvergenceError as error:
            return [str(error)]
    found = [str(w.message) for w in caught if issubclass(w.category, me.ConvergenceWarning)]
    assert fit.optimum.converged == (not found)
    return found


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 10), "x": rng.normal(size=200), "w": rng.normal(size=200)})
    data["f"] = pd.Categorical(np.array(list("abcd"))[rng.integers(0, 4, 200)])
    data["random"], data["trials"] = rng.integers(0, 2, 200), rng.integers(5, 20, 200)
    data["count"], data["successes"] = rng.poisson(2.0, 200), rng.binomial(data["trials"], 0.4)
    return data


@pytest.mark.parametrize("family", FAMILIES, ids=name)
def test_every_pair_of_family_and_link_converges(family):
    model = drawn(family, "(1 | g)", seed=3, levels=10, rows=120, log_dispersion=MILD.get(family.name, -3.0))
    for nagq in (0, 1, 4):
        optimum = fit_glmm(model.design, family, nagq=nagq, control=Control()).optimum
        assert optimum.converged, (nagq, optimum.message)


@pytest.mark.parametrize(
    ("family", "seed"),
    [
        (Gamma("inverse"), 1),
        (Gamma("inverse"), 3),
        (InverseGaussian("inverse"), 1),
        (InverseGaussian("inverse"), 2),
        (InverseGaussian("1/mu^2"), 3),
        (Poisson("sqrt"), 1),
    ],
    ids=repr,
)
def test_a_search_past_points_without_a_mode_converges(family, seed):
    """From b = 0 the modes of some points on the way cannot be reached: linear predictors would leave the link."""
    model = drawn(family, "(1 + a | g)", seed=seed, levels=15, rows=200, slope=0.3)
    assert fit_glmm(model.design, family, nagq=0, control=Control()).optimum.converged


@pytest.mark.parametrize("nagq", [0, 1, 4])
@pytest.mark.parametrize("random", ["(1 | g)", "(1 + w || g)"])
def test_a_fit_without_any_variance_converges(random, nagq):
    """With nagq=0 no parameter is free then."""
    g = np.repeat(np.arange(8), 5)
    data = {"y": np.tile([1, 2, 0, 3, 2], 8), "g": g, "w": np.tile([1.0, -1.0, 0.0, 1.0, -1.0], 8)}
    with pytest.warns(me.SingularFitWarning):
        fit = me.glmer(f"y ~ 1 + {random}", data, "poisson", nagq=nagq)
    assert fit.optimum.converged
    np.testing.assert_array_equal(fit.theta, 0.0)
    assert fit.loglik == pytest.approx(stats.poisson.logpmf(data["y"], data["y"].mean()).sum(), rel=1e-10)
    assert np.isnan(fit.optimum.min_eigenvalue) == (nagq == 0)


@pytest.mark.parametrize("nagq", [0, 1, 7])
@pytest.mark.parametrize("link", LINKS)
def test_complete_separation_by_a_covariate_is_named(frame, link, nagq):
    data = frame.assign(y=(frame["x"] > 0).astype(int))
    (text,) = said(data, "y ~ x + w + (1 | g)", link=link, nagq=nagq)
    assert text.startswith("separation: Intercept, x, w: a combination of these columns predicts the response")


@pytest.mark.parametrize("nagq", [0, 1, 7])
@pytest.mark.parametrize("link", LINKS)
def test_a_response_constant_within_groups_is_named(frame, link, nagq):
    data = frame.assign(y=(frame["g"] < 10).astype(int))
    (text,) = said(data, "y ~ w + (1 | g)", link=link, nagq=nagq)
    assert text.startswith("separation: the response is constant within every level of 'g'")


@pytest.mark.parametrize("nagq", [0, 1, 7])
@pytest.mark.parametrize("link", LINKS)
def test_a_level_with_successes_only_is_named(frame, link, nagq):
    data = frame.assign(y=np.where(frame["f"] == "c", 1, frame["random"]))
    (text,) = said(data, "y ~ f + (1 | g)", link=link, nagq=nagq)
    assert text.startswith("separation: f[T.c]: this column predicts the response")


@pytest.mark.parametrize("nagq", [0, 1, 7])
def test_a_level_of_counts_is_named(frame, nagq):
    zero = frame.assign(y=np.where(frame["f"] == "c", 0, frame["count"]))
    full = frame.assign(s=np.where(frame["f"] == "c", frame["trials"], frame["successes"]))
    for found in (
        said(zero, "y ~ f + (1 | g)", "poisson", nagq=nagq),
        said(zero, "y ~ f + (1 | g)", "negative_binomial", nagq=nagq),
        said(full, "cbind(s, trials - s) ~ f + (1 | g)", nagq=nagq),
    ):
        (text,) = found
        assert text.startswith("separation: f[T.c]: this column predicts the response")


def test_nearly_separated_data_have_estimates(frame):
    y = (frame["g"] < 10).astype(int).to_numpy(copy=True)
    y[[3, 150]] = [0, 1]
    assert not said(frame.assign(y=y), "y ~ w + (1 | g)")
    y = np.where(frame["f"] == "c", 1, frame["random"])
    y[np.flatnonzero(frame["f"] == "c")[0]] = 0
    assert not said(frame.assign(y=y), "y ~ f + (1 | g)")


def test_a_link_that_ends_at_a_finite_predictor_separates_nothing_there(frame):
    def columns(y, family):
        return separating(design("y ~ f + (1 | g)", frame.assign(y=y)), family)

    zero = np.where(frame["f"] == "c", 0, frame["count"])
    assert columns(zero, Poisson("log")) == columns(zero, NegativeBinomial("log")) == ("f[T.c]",)
    assert columns(zero, Poisson("sqrt")) == columns(zero, Poisson("identity")) == ()
    failures, successes = (np.where(frame["f"] == "c", value, frame["random"]) for value in (0, 1))
    assert columns(failures, Binomial("log")) == columns(successes, Binomial("logit")) == ("f[T.c]",)
    assert columns(successes, Binomial("log")) == ()


def test_groups_of_one_trial_are_not_called_constant():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"row": np.arange(300), "x": rng.normal(size=300)})
    eta = 4.0 * data["x"] + 3.0 * rng.normal(size=300)
    found = said(data.assign(y=(eta > 0).astype(int)), "y ~ x + (1 | row)")
    assert not any("constant within" in text for text in found)
