"""Fits do not depend on the units of the response, on the size of its means, or on the thread that evaluates them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me

# family, link -> the power of the response's unit in the linear predictor
UNITS = {
    ("gamma", "inverse"): -1,
    ("gamma", "identity"): 1,
    ("gamma", "log"): 0,
    ("inverse_gaussian", "1/mu^2"): -2,
    ("inverse_gaussian", "inverse"): -1,
    ("inverse_gaussian", "identity"): 1,
    ("inverse_gaussian", "log"): 0,
    ("gaussian", "inverse"): -1,
    ("gaussian", "identity"): 1,
    ("gaussian", "log"): 0,
}


@pytest.fixture(scope="module")
def positive():
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(20), 20)
    return pd.DataFrame({"y": rng.gamma(5, 4, 400) * np.exp(0.2 * rng.normal(size=20)[g]), "g": g})


@pytest.mark.parametrize(("family", "link"), UNITS)
def test_another_unit_of_the_response_changes_nothing_else(positive, family, link):
    """The density is divided by the unit, and the linear predictor multiplied by a power of it."""
    here = me.glmer("y ~ 1 + (1 | g)", positive, family, link=link)
    assert here.optimum.converged
    power = UNITS[family, link]
    for unit in (1e-3, 1e3, 1e6):
        there = me.glmer("y ~ 1 + (1 | g)", positive.assign(y=positive["y"] * unit), family, link=link)
        assert there.optimum.converged
        assert there.loglik == pytest.approx(here.loglik - len(positive) * np.log(unit), rel=1e-10)
        np.testing.assert_allclose(there.theta, here.theta * unit**power, rtol=1e-4)
        shift = np.log(unit) if power == 0 else 0.0
        np.testing.assert_allclose(there.fixef, here.fixef * unit**power + shift, rtol=1e-6)
        np.testing.assert_allclose(there.std_errors, here.std_errors * unit**power, rtol=1e-4)


def counts(mean, seed):
    rng = np.random.default_rng(seed)
    d = pd.DataFrame({"x": rng.normal(size=300), "g": rng.integers(0, 15, 300), "h": rng.integers(0, 8, 300)})
    b = rng.normal(size=15)
    d["y"] = rng.poisson(mean * np.exp(0.1 * d["x"] + 0.3 * b[d["g"]]))
    return d


@pytest.mark.filterwarnings("ignore::mixedeffects.SingularFitWarning")
@pytest.mark.parametrize("random", ["(1 | g)", "(x | g)", "(1 | g) + (1 | h)"])
@pytest.mark.parametrize("mean", [1e3, 1e4, 1e5, 1e6])
def test_large_counts(mean, random):
    """Seeds at which inner iterations that ask for more than rounding leaves do not end."""
    for seed in (0, 3, 18):
        fit = me.glmer(f"y ~ x + {random}", counts(mean, seed), "poisson")
        assert fit.optimum.converged
        assert fit.std_errors["Intercept"] == pytest.approx(0.07, abs=0.03)  # of 15 groups of sd 0.3


def test_large_counts_as_glmmTMB_has_them():
    """Printed by glmmTMB 1.1.5 (R 4.2.2) for the same data."""
    fit = me.glmer("y ~ x + (1 | g)", counts(1e3, 18), "poisson")
    assert fit.loglik == pytest.approx(-1502.193, abs=5e-4)
    np.testing.assert_allclose(fit.fixef, [6.818555, 0.0978907], rtol=1e-6)
    np.testing.assert_allclose(fit.std_errors, [0.0708479, 0.0019221], rtol=1e-4)
    assert fit.theta[0] == pytest.approx(0.2742863, rel=1e-5)
    fit = me.glmer("y ~ x + (x | g)", counts(1e5, 0), "poisson")
    assert fit.loglik == pytest.approx(-2218.104, abs=5e-4)
    np.testing.assert_allclose(fit.fixef, [11.38182, 0.1001108], rtol=1e-6)
    np.testing.assert_allclose(fit.std_errors, [0.0811546, 0.00022172], rtol=1e-4)


@pytest.mark.parametrize("trials", [10.0, 1e3, 1e7])
def test_many_trials(trials):
    rng = np.random.default_rng(4)
    d = pd.DataFrame({"x": rng.normal(size=120), "g": np.repeat(np.arange(12), 10), "n": np.full(120, trials)})
    p = 1.0 / (1.0 + np.exp(-(0.3 * d["x"] + 0.5 * rng.normal(size=12)[d["g"]])))
    d["y"] = rng.binomial(int(trials), p) / trials
    for link in ("logit", "probit"):
        assert me.glmer("y ~ x + (1 | g)", d, me.families.Binomial(link=link), weights="n").optimum.converged


def test_a_fit_can_be_asked_from_several_threads():
    fit = me.glmer("r2 ~ Anger + btype + (1 | id) + (1 | item)", me.datasets.load("VerbAgg").head(1500))
    alone = fit.confint(params="beta_")
    with ThreadPoolExecutor(4) as pool:
        for limits in pool.map(lambda _: fit.confint(params="beta_"), range(4)):
            pd.testing.assert_frame_equal(limits, alone)
