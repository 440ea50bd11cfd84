"""Derivatives against differences, and expected information against sums and integrals over the response."""

from __future__ import annotations

import numpy as np
import pytest

from families.cases import DISPERSIONS, FAMILIES, WITH_DISPERSION, etas, grid, name
from mixedeffects import families as fam

each = pytest.mark.parametrize("family", FAMILIES, ids=name)
each_with_dispersion = pytest.mark.parametrize("family", WITH_DISPERSION, ids=name)


def slope(function, x, step):
    """First derivative by six points; the error is of order step^6."""
    f = [function(x + k * step) for k in (-3, -2, -1, 1, 2, 3)]
    return (45 * (f[3] - f[2]) - 9 * (f[4] - f[1]) + (f[5] - f[0])) / (60 * step)


def assert_slope(function, x, eta, got, step):
    """Compare with the slope, less what rounding takes from a difference: 1e-14 of the largest at the same eta."""
    expected = slope(function, x, step)
    values = np.abs(function(x))
    largest = np.array([values[eta == one].max() for one in eta])
    assert np.isfinite(got).all()
    wrong = np.abs(got - expected) > 1e-7 * np.abs(expected) + 1e-14 * largest / step + 1e-100
    assert not wrong.any(), (eta[wrong], got[wrong], expected[wrong])


def step_of(eta):
    """Small beside eta, so that a mean stays possible, and beside 1."""
    return 2e-3 * np.minimum(np.abs(eta), 1.0)


@each
@pytest.mark.parametrize(
    ("of", "derivative"), [("loglik", "d1"), ("d1", "d2"), ("d2", "d3"), ("expected", "expected_d1")]
)
def test_in_eta(family, of, derivative):
    y, eta, w, t = grid(family)

    def function(x):
        return family.loglik(y, x, w, t) if of == "loglik" else getattr(family.derivatives(y, x, w, t), of)

    assert_slope(function, eta, eta, getattr(family.derivatives(y, eta, w, t), derivative), step_of(eta))


@each_with_dispersion
@pytest.mark.parametrize(
    ("of", "derivative"), [("loglik", "dt"), ("d1", "dt_d1"), ("d2", "dt_d2"), ("expected", "expected_dt")]
)
def test_in_t(family, of, derivative):
    y, eta, w, t = grid(family)

    def function(s):
        return family.loglik(y, eta, w, s) if of == "loglik" else getattr(family.derivatives(y, eta, w, s), of)

    assert_slope(function, t, eta, getattr(family.derivatives(y, eta, w, t), derivative), 2e-3)


@each
def test_without_a_dispersion_there_are_no_derivatives_in_it(family):
    y, eta, w, t = grid(family)
    derivatives = family.derivatives(y, eta, w, t)
    of_t = [derivatives.dt, derivatives.dt_d1, derivatives.dt_d2, derivatives.expected_dt]
    assert all((value is None) != family.has_dispersion for value in of_t)


def support(family, mu, t):
    """Responses that carry all but 1e-12 of the probability, and the weights of a sum or an integral over them."""
    x = np.linspace(-1.0, 1.0, 10001)
    if family.discrete:
        variance = float(family.variance(np.array([mu]), t)[0])
        y = np.arange(np.ceil(60.0 + 2.0 * mu + 60.0 * variance / mu + 10.0 * np.sqrt(variance)))
        return y, np.ones_like(y)
    if isinstance(family, fam.Gaussian):
        y = mu + 12.0 * np.exp(t / 2) * x
        return y, np.full_like(y, y[1] - y[0])
    if isinstance(family, fam.Beta):
        z = 370.0 * x - 334.0  # logit of y: down to -704, up to 36, where 1 - y ends
        y = 1.0 / (1.0 + np.exp(-z))
        return y, y / (1.0 + np.exp(z)) * 370.0 * (x[1] - x[0])
    y = mu * np.exp(150.0 * x - 141.0)
    return y, y * 150.0 * (x[1] - x[0])


def moderate(family, t):
    """Linear predictors under which sums and integrals over the response are short."""
    eta = etas(family)
    mu = family.link.inverse(eta)
    if isinstance(family, fam.Beta):
        phi = np.exp(t)
        return eta[(phi * mu > 0.06) & (phi * (1.0 - mu) > 0.9)]
    if isinstance(family, fam.Binomial):
        return eta[np.abs(eta) < 10.0]
    if isinstance(family, fam.Gaussian):
        return eta[np.abs(np.log(np.abs(mu))) < 3.0]
    return eta[(mu > 1e-4) & (mu < 40.0)] if family.discrete else eta[(mu > 0.05) & (mu < 20.0)]


@each
def test_expectations(family):
    """The density integrates to 1; the score has mean 0, its square and minus the second derivative mean `expected`."""
    count = 0
    for t in DISPERSIONS if family.has_dispersion else [0.0]:
        for eta in moderate(family, t):
            count += 1
            mu = float(family.link.inverse(eta))
            if isinstance(family, fam.Binomial):
                trials = 9.0
                y, weight = np.arange(10.0) / trials, np.ones(10)
            else:
                trials = 1.0
                y, weight = support(family, mu, t)
            w, at = np.full_like(y, trials), np.full_like(y, eta)
            probability = np.exp(family.loglik(y, at, w, t)) * weight
            got = family.derivatives(y, at, w, t)
            expected = got.expected[0]
            assert probability.sum() == pytest.approx(1.0, abs=1e-8), (eta, t)
            assert probability @ y == pytest.approx(mu, rel=1e-7), (eta, t)
            assert probability @ got.d1 == pytest.approx(0.0, abs=1e-7 * np.sqrt(expected)), (eta, t)
            assert probability @ -got.d2 == pytest.approx(expected, rel=1e-6), (eta, t)
            assert probability @ got.d1**2 == pytest.approx(expected, rel=1e-6), (eta, t)
            variance = float(family.variance(np.array([mu]), t)[0]) * (np.exp(t) if family.scaled else 1.0) / trials
            assert probability @ (y - mu) ** 2 == pytest.approx(variance, rel=1e-6), (eta, t)
            if family.has_dispersion:
                assert probability @ got.dt == pytest.approx(0.0, abs=1e-7), (eta, t)
    assert count >= 3


@each
def test_the_expected_information_is_positive_and_equals_the_observed_one_under_the_canonical_link(family):
    y, eta, w, t = grid(family)
    got = family.derivatives(y, eta, w, t)
    assert (got.expected >= 0.0).all()
    same = np.abs(got.expected + got.d2) <= 1e-12 * got.expected
    assert same.all() == family.canonical


def test_canonical_links():
    canonical = {name(family) for family in FAMILIES if family.canonical}
    assert canonical == {
        "binomial-logit",
        "gamma-inverse",
        "gaussian-identity",
        "inverse_gaussian-1/mu^2",
        "poisson-log",
    }


@each
def test_weights(family):
    """A weight is a factor of everything in eta, and of the expected information."""
    if isinstance(family, fam.Binomial):
        y, eta, w, t = np.full(3, 0.5), etas(family)[1:4], np.full(3, 2.0), 0.0
    else:
        y, eta, w, t = grid(family)
    one, two = family.derivatives(y, eta, w, t), family.derivatives(y, eta, 2.0 * w, t)
    for field in ("d1", "d2", "d3", "expected", "expected_d1"):
        np.testing.assert_allclose(getattr(two, field), 2.0 * getattr(one, field), rtol=1e-14)
    if family.scaled:
        # twice the weight is half the dispersion
        np.testing.assert_allclose(
            family.loglik(y, eta, 2.0 * w, t), family.loglik(y, eta, w, t - np.log(2.0)), rtol=1e-12, atol=1e-12
        )
    elif family.has_dispersion or family.name == "poisson":
        np.testing.assert_allclose(family.loglik(y, eta, 2.0 * w, t), 2.0 * family.loglik(y, eta, w, t), rtol=1e-14)


@each
def test_one_dispersion_for_all_rows_or_one_for_each(family):
    y, eta, w, _ = grid(family)
    whole = family.derivatives(y, eta, w, 0.4)
    rows = family.derivatives(y, eta, w, np.full_like(y, 0.4))
    for field in ("d1", "d3", "expected", "dt", "dt_d2", "expected_dt"):
        if getattr(whole, field) is not None:
            assert getattr(whole, field).shape == y.shape
            np.testing.assert_array_equal(getattr(whole, field), getattr(rows, field))


@pytest.mark.parametrize(
    "family", [one for one in FAMILIES if one.link.name in ("identity", "log", "1/mu^2")], ids=name
)
def test_linear_predictors_without_a_possible_mean(family):
    bad = {"identity": -1.0, "log": 0.5, "1/mu^2": -1.0}[family.link.name]
    y, w = (np.array(column[:1]) for column in ([0.5], [2.0]))
    refused = not family.valid(np.array([bad]))[0]
    expected = (family.name == "binomial") if family.link.name == "log" else family.name != "gaussian"
    assert refused == expected
    eta = np.array([bad if refused else np.nan, np.nan, np.inf])
    y, w = np.repeat(y, 3), np.repeat(w, 3)
    np.testing.assert_array_equal(family.loglik(y, eta, w, 0.0), -np.inf)
    derivatives = family.derivatives(y, eta, w, 0.0)
    assert np.isnan(derivatives.d1).all()
    assert np.isnan(derivatives.expected).all()


@each
def test_far_tails_are_limits_and_no_warnings(family):
    """Where a mean overflows or underflows, the log-density is a number or -inf, never NaN or +inf."""
    y, _, w, _ = grid(family)
    for far in (-800.0, -60.0, 60.0, 800.0):
        eta = np.full_like(y, far)
        value = family.loglik(y, eta, w, 0.3)
        assert not np.isnan(value).any(), far
        assert not np.isposinf(value).any(), far
