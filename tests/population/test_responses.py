"""Responses: every family and link, other errors, own distributions, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mixedeffects as me
from mixedeffects.families import FAMILIES
from mixedeffects.population import (
    balanced,
    custom_family,
    ols_with_error,
    population,
    predictor,
    random_effects,
    response,
    rfactor,
)

N = 20_000
MEANS = {"binomial": 0.3, "beta": 0.3}
PAIRS = [(name, link.name) for name, family in FAMILIES.items() if name != "nb2" for link in family.allowed_links]


def drawn(one, n=N, rng=3, **more):
    variables = {"x": predictor("uniform"), **more, "y": one}
    return population(**variables).sample_x(n, rng=rng).sample_y()


def check_moments(values, mean, variance):
    values = np.asarray(values, dtype=float)
    fourth = np.mean((values - values.mean()) ** 4)
    assert abs(values.mean() - mean) < 4.0 * np.sqrt(variance / len(values))
    assert abs(values.var() - variance) < 4.0 * np.sqrt((fourth - values.var() ** 2) / len(values))


def variance(name, mu, phi):
    return {
        "gaussian": phi,
        "binomial": mu * (1 - mu),
        "poisson": mu,
        "gamma": phi * mu**2,
        "inverse_gaussian": phi * mu**3,
        "negative_binomial": mu + mu**2 / phi,
        "negative_binomial1": mu * (1 + phi),
        "beta": mu * (1 - mu) / (1 + phi),
    }[name]


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_mean_and_variance_of_every_family_and_link(name, link):
    mu, phi = MEANS.get(name, 1.7), 0.6
    eta = float(me.families.link_of(link).link(np.array([mu]))[0])
    scale = {"error_scale": np.sqrt(phi)} if name == "gaussian" else {}
    if name != "gaussian" and FAMILIES[name].has_dispersion:
        scale = {"dispersion": phi}
    y = drawn(response(eta, family=name, link=link, **scale))["y"]
    check_moments(y, mu, variance(name, mu, phi))
    assert (y.dtype == np.int64) == FAMILIES[name].discrete


def test_the_dispersion_is_1_unless_given():
    check_moments(drawn(response(0.5, family="gamma", link="log"))["y"], np.exp(0.5), np.exp(1.0))


def test_scales_and_sizes_may_depend_on_variables():
    y = drawn(response("2 * x", error_scale=lambda x: 0.1 + x))
    z = (y["y"] - 2 * y["x"]) / (0.1 + y["x"])
    check_moments(z, 0.0, 1.0)
    y = drawn(
        response(0.4, family="binomial", size=lambda trials: trials), trials=predictor(balanced, levels=[1, 5, 30])
    )
    p = 1 / (1 + np.exp(-0.4))
    assert (y["y"] <= y["trials"]).all()
    check_moments((y["y"] - y["trials"] * p) / np.sqrt(y["trials"] * p * (1 - p)), 0.0, 1.0)
    y = drawn(response(1.0, family="gamma", link="log", dispersion=lambda x: 0.1 + x))
    check_moments((y["y"] / np.e - 1) / np.sqrt(0.1 + y["x"]), 0.0, 1.0)


def test_errors_of_any_distribution():
    y = drawn(response("1 + x", family=ols_with_error("standard_t", df=9), error_scale=2.0))
    check_moments(y["y"] - 1 - y["x"], 0.0, 4.0 * 9 / 7)
    y = drawn(response("1 + x", family=ols_with_error(stats.expon), error_scale=lambda x: 1 + x))
    check_moments((y["y"] - 1 - y["x"]) / (1 + y["x"]), 1.0, 1.0)
    y = drawn(response(0, family=ols_with_error(lambda n, rng: rng.choice([-1.0, 1.0], size=n))))
    assert set(y["y"]) == {-1.0, 1.0}
    y = drawn(response(0, family=ols_with_error("normal", scale=lambda x: 1 + x)))
    check_moments(y["y"] / (1 + y["x"]), 0.0, 1.0)


def test_own_families():
    zeros = custom_family(lambda mu, rng: rng.poisson(mu) * (rng.random(len(mu)) < 0.7), link="log")
    check_moments(drawn(response(1.0, family=zeros))["y"], 0.7 * np.e, 0.7 * np.e + 0.7 * np.e**2 * 0.3)
    by_x = custom_family(lambda mu, x, rng: mu + x, link=lambda eta: eta**2)
    y = drawn(response(3.0, family=by_x), n=10)
    np.testing.assert_allclose(y["y"], 9 + y["x"])
    probit = custom_family(lambda mu, rng: rng.random(len(mu)) < mu, link="probit")
    check_moments(
        drawn(response(0.2, family=probit))["y"], stats.norm.cdf(0.2), 0.25 - (stats.norm.cdf(0.2) - 0.5) ** 2
    )


def test_no_errors_at_all():
    y = drawn(response("3 * x", error_scale=0), n=9)
    np.testing.assert_array_equal(y["y"], 3 * y["x"])


X, G = predictor("normal"), predictor(rfactor, levels=["a", "b"])
WIDE = predictor("multivariate_normal", mean=[0, 0], cov=[[1, 0], [0, 1]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            response("100 + 0 * x", family="poisson"),
            r"response 'y', '100 \+ 0 \* x': the mean 2.69e\+43 in row 0 is too large",
        ),
        (response("1000 + 0 * x", family="poisson"), "the mean inf in row 0 is too large"),
        (response("2 * g", error_scale=1), r"response 'y', '2 \* g': 'g' holds labels, not numbers"),
        (response("x + exp(g)", error_scale=1), "'g' holds labels, not numbers"),
        (response("~x", error_scale=1), "~, & and | combine comparisons"),
        (response("x + m", error_scale=1), "have different shapes"),
        (response(1, error_scale=1, random=random_effects("m", sd=1)), "the group 'm' has 2 columns"),
        (response(1, family=custom_family(lambda mu: mu * np.nan)), "gives nan in row 0"),
        (response(1, family=custom_family(lambda mu: mu.astype(str))), "draws '1.0'; numbers are needed"),
    ],
)
def test_what_cannot_be_drawn_names_the_response(given, message):
    with pytest.raises(me.DataError, match=message.replace("|", r"\|")):
        population(x=X, g=G, m=WIDE, y=given).sample_x(5, rng=1).sample_y()


def test_default_columns_are_no_variables():
    with pytest.raises(me.DataError, match=r"no variable 'm2' .*if 'm' has several columns, .*names=\[...\]"):
        population(m=WIDE, y=response("m2", error_scale=1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: response(1), "gaussian response needs error_scale="),
        (lambda: response(1, family="poisson", error_scale=1), "has no error scale; its mean determines its variance"),
        (lambda: response(1, family="gamma", error_scale=1), "its dispersion is given as dispersion="),
        (
            lambda: response(1, family=custom_family(lambda mu: mu), error_scale=1),
            "its draw function decides the errors",
        ),
        (lambda: response(1, family="poisson", dispersion=1), "has none; leave it out"),
        (lambda: response(1, error_scale=1, dispersion=1), "has none; give error_scale="),
        (lambda: response(1, error_scale=1, size=4), "only a binomial response has numbers of trials"),
        (lambda: response(1, family="poison"), "family='poison' is not known"),
        (lambda: response(1, family="poisson", link="logit"), "link 'logit' does not go with Poisson"),
        (lambda: response(1, family=ols_with_error("normal"), link="log"), "beside ols_with_error"),
        (lambda: response(1, error_scale=1, random="g"), "random='g' must be"),
        (lambda: response(1, error_scale=1, random=["g"]), "random='g' must be"),
        (lambda: custom_family("poisson"), "draw must be a function of mu and rng"),
        (lambda: custom_family(lambda rng: rng), "does not take mu"),
        (lambda: custom_family(lambda mu: mu, link="logg"), "logg"),
        (lambda: drawn(response(-1.0, family="gamma", link="identity"), n=3), "linear predictor -1 in row 0 gives no"),
        (
            lambda: drawn(response(1, error_scale=lambda x: x - 5), n=3),
            "error_scale is -4.* in row 0; it must not be neg",
        ),
        (
            lambda: drawn(response(1, family="gamma", dispersion=0), n=3),
            "dispersion is 0 in row 0; it must be positive",
        ),
        (
            lambda: drawn(response(1, family="binomial", size=0.5), n=3),
            "size is 0.5 in row 0; a number of trials is 1, 2",
        ),
        (
            lambda: drawn(response(lambda x: x[:2], error_scale=1), n=3),
            r"response 'y', lambda x: ...: gives values of sh",
        ),
        (lambda: drawn(response(lambda x: 1 / (x - x), error_scale=1), n=3), "gives inf in row 0"),
        (
            lambda: drawn(response(1, family=custom_family(lambda mu: mu[:2])), n=3),
            r"custom_family\(lambda mu: ..., link='identity'\): draws values of shape \(2,\) for 3 rows",
        ),
        (
            lambda: drawn(response(1, family=ols_with_error("multivariate_normal", mean=[0, 0], cov=np.eye(2))), n=3),
            "sha",
        ),
    ],
)
def test_errors(make, message):
    with np.errstate(divide="ignore"), pytest.raises(me.DataError, match=message):
        make()
