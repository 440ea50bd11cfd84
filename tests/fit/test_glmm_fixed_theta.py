"""`fixed_theta` of a generalized fit: glmmTMB with its theta held, an ordinary generalized linear model at zero."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from support import reference
from support.glmm import HERDS, SEIZURES, measured

import mixedeffects as me

R = reference.load_case("held", "glmm_measures")
MODELS = {
    "herds": (HERDS, "cbpp", "binomial"),
    "epil": (SEIZURES, "epil", "poisson"),
    "epil_nb2": (SEIZURES, "epil", "negative_binomial"),
}


def held(name: str, theta, **options) -> me.GlmmResult:
    formula, data, family = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no minimum in theta was looked for, and there is nothing to warn of
        return me.glmer(formula, reference.load_data(data), family, control=me.Control(fixed_theta=theta), **options)


@pytest.mark.parametrize("name", R)
def test_estimates_are_those_of_glmmtmb_at_the_same_standard_deviation(name):
    wanted = R[name]
    fit = held(name, [wanted["sd"]])
    assert fit.criterion == pytest.approx(wanted["deviance"], rel=1e-11)
    np.testing.assert_allclose(fit.fixef, wanted["fixef"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.std_errors, wanted["se"], rtol=1e-6)
    assert fit.npar == wanted["npar"]
    assert fit.dispersion == pytest.approx(wanted["sigma"], rel=1e-6)
    np.testing.assert_allclose(fit.theta, [wanted["sd"]], rtol=1e-14)
    assert not fit.optimum.converged
    assert "at the given theta" in fit.optimum.message
    assert fit.optimum.message not in str(fit)


@pytest.mark.parametrize("nagq", [0, 1, 7])
@pytest.mark.parametrize("name", ["herds", "epil_nb2"])
def test_at_the_estimate_it_is_the_fit(name, nagq):
    formula, data, family = MODELS[name]
    free = me.glmer(formula, reference.load_data(data), family, nagq=nagq)
    fit = held(name, free.theta, nagq=nagq)
    assert fit.criterion == pytest.approx(free.criterion, rel=1e-11)
    np.testing.assert_allclose(fit.fixef, free.fixef, rtol=0, atol=1e-6)
    assert fit.optimum.converged
    assert fit.optimum.newton_decrement < 1e-9
    assert (fit.npar, fit.df_resid) == (free.npar - 1, free.df_resid + 1)
    if nagq == 0:  # there standard errors are given theta in any case
        np.testing.assert_allclose(fit.std_errors, free.std_errors, rtol=1e-5)
    else:
        assert (fit.std_errors <= free.std_errors * (1.0 + 1e-9)).all()


def test_at_zero_it_is_a_generalized_linear_model():
    fit = held("herds", [0.0])
    X, y, n = fit.design.X, fit.model.y, fit.model.weights
    beta = np.zeros(4)
    for _ in range(50):
        mu = 1.0 / (1.0 + np.exp(-X @ beta))
        information = X.T @ ((n * mu * (1.0 - mu))[:, None] * X)
        beta = beta + np.linalg.solve(information, X.T @ (n * (y - mu)))
    np.testing.assert_allclose(fit.fixef, beta, rtol=1e-7)
    np.testing.assert_allclose(fit.std_errors, np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-6)
    assert "would lower the criterion" in fit.optimum.message
    assert (fit.ranef["herd"] == 0.0).all(axis=None)


def test_a_matrix_of_two_columns_and_the_first_start():
    formula = "y ~ trt + lbase + V4 + (V4 | subject)"
    free = measured("epil_slope")
    fit = me.glmer(formula, reference.load_data("epil"), "poisson", control=me.Control(fixed_theta=free.theta))
    assert fit.criterion == pytest.approx(free.criterion, rel=1e-10)
    np.testing.assert_allclose(fit.theta, free.theta, rtol=1e-12)
    elsewhere = me.glmer(
        formula, reference.load_data("epil"), "poisson", control=me.Control(fixed_theta=[0.6, 0.1, 0.2])
    )
    assert elsewhere.criterion > free.criterion
    np.testing.assert_allclose(elsewhere.varcorr.covariance["subject"], [[0.36, 0.06], [0.06, 0.05]], rtol=1e-12)


def test_what_follows_holds_theta_too():
    fit = held("herds", [1.0])
    found = fit.influence("herd")
    np.testing.assert_array_equal(found.theta, np.ones((15, 1)))
    again = fit.refit(fit.simulate(1, rng=1)[:, 0])
    np.testing.assert_array_equal(again.theta, [1.0])
    assert 0.0 < fit.icc().adjusted == pytest.approx(1.0 / (1.0 + np.pi**2 / 3.0))
    assert fit.drop1()["npar"].tolist() == [4, 1]


def test_a_theta_of_the_wrong_length_is_refused():
    with pytest.raises(me.DataError, match=r"theta has shape \(2,\); this model needs 1 values"):
        held("herds", [1.0, 0.5])
