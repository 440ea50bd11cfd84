"""Bootstrap errors of predictions: with known variances they have a known distribution."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support import reference

import mixedeffects as me
from mixedeffects.errors import ConvergenceError, ConvergenceWarning, DataError
from mixedeffects.fit.lmm import refit
from mixedeffects.predict import resampled
from predict.cases import designs

DESIGNS = designs()
ROWS = {"Days": [0.0, 1.0, 12.0], "Subject": ["308", "371", "999"]}


@pytest.fixture(scope="module")
def known(sleep):
    """The sleep study with theta given: refits estimate beta and b only, whose errors are exactly normal."""
    return me.lmer(
        "Reaction ~ Days + (Days | Subject)",
        reference.load_data("sleepstudy"),
        control=me.Control(fixed_theta=sleep.theta),
    )


@pytest.mark.parametrize("interval", ["confidence", "prediction"])
def test_with_known_variances_it_is_the_conditional_error(known, interval):
    n = 2000
    exact = known.predict(ROWS, interval=interval, new_levels="population")
    found = known.predict(ROWS, interval=interval, new_levels="population", uncertainty="bootstrap", n=n, rng=1)
    np.testing.assert_array_equal(found["estimate"], exact["estimate"])
    # Errors of a standard deviation and of a quantile from n normal draws, four of them
    np.testing.assert_allclose(found["std_error"], exact["std_error"], rtol=4 / np.sqrt(2 * n))
    density = 0.0584  # of the normal distribution at its 97.5 % quantile
    band = 4 * np.sqrt(0.025 * 0.975 / n) / density * exact["std_error"]
    assert (np.abs(found["lower"] - exact["lower"]) < band).all()
    assert (np.abs(found["upper"] - exact["upper"]) < band).all()


def test_estimated_variances_add_what_kackar_and_harville_say(sleep):
    """Between subjects who differ much the first-order term is close: both are 5 % above the conditional error."""
    rows = {"Days": [0.0, 1.0], "Subject": ["308", "308"]}
    n = 2000
    first_order = sleep.predict(rows, se=True, uncertainty="kackar-harville")["std_error"]
    found = sleep.predict(rows, se=True, uncertainty="bootstrap", n=n, rng=2)["std_error"]
    np.testing.assert_allclose(found, first_order, rtol=4 / np.sqrt(2 * n))
    conditional = sleep.predict(rows, se=True)["std_error"]
    assert (found > 1.02 * conditional).all()


@pytest.mark.parametrize("name", ["singular", "weights and offset", "nested", "rank deficient", "zero variance"])
def test_other_designs_stay_near_the_conditional_error(name):
    fit, rows = DESIGNS[name]
    for interval in ("confidence", "prediction"):
        exact = fit.predict(rows, interval=interval, new_levels="population")
        found = fit.predict(rows, interval=interval, new_levels="population", uncertainty="bootstrap", n=60, rng=3)
        ratio = found["std_error"] / exact["std_error"]
        assert (ratio > 0.7).all()
        assert (ratio < 2.0).all()
        assert (found["lower"] < found["upper"]).all()


def test_the_same_seed_gives_the_same_errors(sleep, monkeypatch):
    ask = {"se": True, "uncertainty": "bootstrap", "n": 20, "new_levels": "population"}
    once = sleep.predict(ROWS, rng=7, **ask)
    np.testing.assert_array_equal(sleep.predict(ROWS, rng=np.random.default_rng(7), **ask), once)
    assert (sleep.predict(ROWS, rng=8, **ask)["std_error"] != once["std_error"]).all()
    threads = me.lmer(
        "Reaction ~ Days + (Days | Subject)", reference.load_data("sleepstudy"), control=me.Control(threads=2)
    )
    np.testing.assert_allclose(threads.predict(ROWS, rng=7, **ask), once, rtol=1e-6)
    known_only = {"Days": [0.0, 1.0], "Subject": ["308", "371"]}
    whole = sleep.predict(known_only, rng=7, **ask)
    monkeypatch.setattr(resampled, "_VALUES", 400)  # one response, and a few rows, at a time
    np.testing.assert_allclose(sleep.predict(known_only, rng=7, **ask), whole, rtol=1e-12)


def test_refits_that_fail_are_left_out_and_counted(sleep, monkeypatch):
    class Sometimes(resampled.Refitter):
        calls = 0
        every = 5

        def __call__(self, y):
            Sometimes.calls += 1
            found = super().__call__(y)
            return dataclasses.replace(found, converged=Sometimes.calls % self.every != 0)

    monkeypatch.setattr(resampled, "Refitter", Sometimes)
    single = me.lmer(
        "Reaction ~ Days + (Days | Subject)", reference.load_data("sleepstudy"), control=me.Control(threads=1)
    )
    with pytest.warns(ConvergenceWarning, match="4 of 20 refits did not converge and are left out"):
        single.predict(se=True, uncertainty="bootstrap", n=20, rng=1)
    Sometimes.every = 1
    with pytest.raises(ConvergenceError, match="none of 20 refits converged"):
        single.predict(se=True, uncertainty="bootstrap", n=20, rng=1)


@pytest.mark.parametrize("name", ["slope", "singular", "weights and offset", "rank deficient", "no fixed effects"])
def test_refits_without_a_certificate_have_the_same_estimates(name):
    fit, _ = DESIGNS[name]
    y = fit.simulate(rng=11)[:, 0]
    beta, modes = resampled._Estimator(fit)(y)
    whole = refit(fit, y).solution
    np.testing.assert_allclose(beta, whole.beta, rtol=1e-5)
    for found, expected in zip(modes, whole.b, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * fit.sigma)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "many"])
def test_numbers_of_replicates_that_are_not_allowed(sleep, n):
    with pytest.raises(DataError, match="positive whole number"):
        sleep.predict(se=True, uncertainty="bootstrap", n=n)
