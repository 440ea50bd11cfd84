"""Simulated responses: their moments, and the levels, offsets and weights of new rows."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me
from mixedeffects.errors import DataError, DroppedRowsWarning
from mixedeffects.fit.draws import response_model
from mixedeffects.predict import simulation
from predict.cases import designs

DESIGNS = designs()
N = 4000
WIDTH = 4.5  # standard errors: hundreds of entries are compared


def assert_moments(draws, mean, V):
    """Means and covariances of simulations within the Monte Carlo error of normal ones."""
    n = draws.shape[1]
    sd = np.sqrt(np.diag(V))
    assert (np.abs(draws.mean(axis=1) - mean) < WIDTH * sd / np.sqrt(n) + 1e-12).all()
    found = np.cov(draws)
    error = np.sqrt((np.outer(sd**2, sd**2) + V**2) / n)
    assert (np.abs(found - V) < WIDTH * error + 1e-12).all()


@pytest.mark.parametrize("name", ["slope", "singular", "weights and offset", "nested", "zero variance"])
def test_new_effects_have_the_marginal_moments(name):
    fit, _ = DESIGNS[name]
    some = slice(0, 30)
    draws = fit.simulate(N, rng=1)
    assert draws.shape == (fit.nobs, N)
    assert_moments(draws[some], fit.predict(random="population")[some], fit.design.V()[some, some])


@pytest.mark.parametrize("name", ["slope", "weights and offset"])
def test_conditional_effects_have_independent_errors(name):
    fit, _ = DESIGNS[name]
    weights = np.ones(fit.nobs) if fit.model.weights is None else fit.model.weights
    draws = fit.simulate(N, rng=2, random="conditional")
    assert_moments(draws[:30], fit.fitted[:30], np.diag(fit.sigma**2 / weights)[:30, :30])


def test_one_after_the_other_or_all_at_once(monkeypatch):
    fit, _ = DESIGNS["singular"]
    whole = fit.simulate(7, rng=3)
    np.testing.assert_array_equal(fit.simulate(7, rng=np.random.SeedSequence(3)), whole)
    monkeypatch.setattr(simulation, "_VALUES", 1)
    np.testing.assert_allclose(fit.simulate(7, rng=3), whole, rtol=1e-13)
    model, generator = response_model(fit), np.random.default_rng(3)
    singles = np.array([model.draw(generator, 1).y[0] for _ in range(7)])
    np.testing.assert_allclose(singles.T, whole, rtol=1e-13)


def test_new_rows_share_the_effect_of_their_level():
    fit, _ = DESIGNS["slope"]
    rows = {"Days": [0.0, 5.0, 0.0, 5.0, 5.0], "Subject": ["308", "308", "new", "new", "other"]}
    draws = fit.simulate(N, rng=4, data=rows)
    Sigma = fit.sigma**2 * np.block([[L @ L.T] for L in fit.objective.layout.factors(fit.theta)])
    Z = np.array([[1.0, 0.0], [1.0, 5.0], [1.0, 0.0], [1.0, 5.0], [1.0, 5.0]])
    same = (
        np.equal.outer(rows["Subject"], rows["Subject"])
        if False
        else np.array([[a == b for b in rows["Subject"]] for a in rows["Subject"]])
    )
    V = np.where(same, Z @ Sigma @ Z.T, 0.0) + fit.sigma**2 * np.eye(5)
    assert_moments(draws, fit.predict(rows, random="population"), V)


def test_conditional_simulation_at_unknown_levels():
    fit, _ = DESIGNS["slope"]
    rows = {"Days": [0.0, 5.0, 0.0, 5.0, 5.0], "Subject": ["308", "308", "new", "new", "other"]}
    with pytest.raises(DataError, match="'Subject' has 2 levels that the model was not fitted with: 'new', 'other'"):
        fit.simulate(data=rows, random="conditional")
    draws = fit.simulate(N, rng=5, data=rows, random="conditional", new_levels="population")
    (L,) = fit.objective.layout.factors(fit.theta)
    Z = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 5.0], [1.0, 5.0]])
    same = np.array([[a == b for b in rows["Subject"]] for a in rows["Subject"]])
    V = fit.sigma**2 * (np.where(same, Z @ L @ L.T @ Z.T, 0.0) + np.eye(5))
    assert_moments(draws, fit.predict(rows, new_levels="population"), V)


def test_weights_and_offsets_of_new_rows():
    fit, rows = DESIGNS["weights and offset"]
    rows = {name: column[:3] for name, column in rows.items()}
    few = {**rows, "w": [0.5, 2.0, 8.0], "off": [0.0, 100.0, -100.0]}
    draws = fit.simulate(N, rng=6, data=few, random="conditional", new_levels="population")
    mean = fit.predict({**few, "off": [0.0] * 3}, new_levels="population") + few["off"]
    np.testing.assert_allclose(draws.mean(axis=1), mean, atol=4.5 * 120 / np.sqrt(N))
    variance = fit.sigma**2 / np.array(few["w"])
    assert list(np.argsort(draws[:2].var(axis=1))) == [1, 0]
    np.testing.assert_allclose(draws[:2].var(axis=1), variance[:2], rtol=4.5 * np.sqrt(2 / N))
    with pytest.raises(DataError, match="there is no column 'w'"):
        fit.simulate(data={name: column for name, column in few.items() if name != "w"})


def test_missing_values_give_rows_of_nan():
    fit, _ = DESIGNS["slope"]
    with pytest.warns(DroppedRowsWarning, match="2 of 4 rows have a missing value and give NaN"):
        draws = fit.simulate(3, rng=1, data={"Days": [0.0, None, 2.0, 3.0], "Subject": ["308", "309", None, "x"]})
    assert np.isnan(draws).all(axis=1).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"random": "population"}, "random='population' is not known; choose 'new' or 'conditional'"),
        ({"new_levels": "new"}, "new_levels='new' is not known"),
        ({"n": 0}, "n=0"),
        ({"weights": 1.0}, "weights= and offset= are for new data"),
    ],
)
def test_arguments_that_are_not_allowed(arguments, message):
    fit, _ = DESIGNS["slope"]
    with pytest.raises(DataError, match=message):
        fit.simulate(**arguments)


def test_refits_to_simulations_are_centred_at_the_fit():
    fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    draws = fit.simulate(400, rng=9)
    means = draws.mean(axis=0)  # the estimate in balanced data
    error = float(fit.std_errors.iloc[0]) / np.sqrt(400)
    assert abs(means.mean() - fit.fixef.iloc[0]) < 4 * error
    assert abs(means.std() / float(fit.std_errors.iloc[0]) - 1) < 4 / np.sqrt(800)


def test_the_generator_is_the_callers():
    fit = me.lmer("Yield ~ 1 + (1 | Batch)", reference.load_data("Dyestuff"))
    generator = np.random.default_rng(1)
    first, second = fit.simulate(rng=generator), fit.simulate(rng=generator)
    assert (first != second).all()
    np.testing.assert_array_equal(fit.simulate(rng=1), first)
