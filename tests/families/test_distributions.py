"""Densities, distribution functions, draws, deviances and starting values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from families.cases import CLASSES, DATA, FAMILIES, WITH_DISPERSION, grid, name
from mixedeffects import families as fam
from mixedeffects.errors import DataError

each = pytest.mark.parametrize("family", FAMILIES, ids=name)
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
T = 0.3

# family -> (mu, w, phi) -> scipy's distribution of the response (of w y for the binomial)
SCIPY = {
    "beta": lambda mu, w, phi: stats.beta(mu * phi, (1 - mu) * phi),
    "binomial": lambda mu, w, phi: stats.binom(w, mu),
    "gamma": lambda mu, w, phi: stats.gamma(w / phi, scale=mu * phi / w),
    "gaussian": lambda mu, w, phi: stats.norm(mu, np.sqrt(phi / w)),
    "inverse_gaussian": lambda mu, w, phi: stats.invgauss(mu * phi / w, scale=w / phi),
    "negative_binomial": lambda mu, w, phi: stats.nbinom(phi, phi / (phi + mu)),
    "negative_binomial1": lambda mu, w, phi: stats.nbinom(mu / phi, 1 / (1 + phi)),
    "poisson": lambda mu, w, phi: stats.poisson(mu),
}
MEANS = {"beta": (0.2, 0.7), "binomial": (0.1, 0.8), "gaussian": (-2.0, 3.0)}


def means(family):
    return np.array(MEANS.get(family.name, (0.4, 6.0)))


def moderate(family, eta):
    """Where a mean still tells the tail: what takes the mean and not eta loses the others."""
    mu = family.link.inverse(eta)
    return (np.abs(eta) < 7.0) & (mu < 0.9999) if family.mean_domain.upper == 1.0 else np.abs(eta) < 7.0


def draws(family, count, w):
    """Means, weights, draws: half of them at each of two means."""
    mu = np.repeat(means(family), count)
    w = np.full_like(mu, w)
    return mu, w, family.simulate(mu, w, T, np.random.default_rng(20260101))


@each
def test_densities_are_scipys(family):
    y, eta, w, t = grid(family)
    keep = moderate(family, eta)
    y, eta, w, t = y[keep], eta[keep], w[keep], t[keep]
    frozen = SCIPY[family.name](family.link.inverse(eta), w, np.exp(t))
    if family.name == "binomial":
        expected = frozen.logpmf(np.rint(w * y))
    elif family.discrete:
        expected = w * frozen.logpmf(y)
    else:
        expected = frozen.logpdf(y) * (1.0 if family.scaled else w)
    np.testing.assert_allclose(family.loglik(y, eta, w, t), expected, rtol=1e-9, atol=1e-9)


@each_class
def test_cumulative_and_quantiles_are_inverse(cls):
    """Scipy's quantile of any probability between the two limits is the response itself."""
    family = cls()
    mu, w, y = draws(family, 200, 6.0)
    limits = family.cdf(y, mu, w, T)
    frozen = SCIPY[family.name](mu, w, np.exp(T))
    assert ((limits.lower >= 0.0) & (limits.upper <= 1.0)).all()
    if family.discrete:
        assert (limits.lower < limits.upper).all()
        counts = np.rint(w * y) if family.name == "binomial" else y
        for share in (0.01, 0.5, 0.99):
            np.testing.assert_array_equal(frozen.ppf(limits.lower + share * (limits.upper - limits.lower)), counts)
        mass = limits.upper - limits.lower
        np.testing.assert_allclose(
            np.log(mass), family.loglik(y, family.link.link(mu), w, T) / _copies(family, w), rtol=1e-8
        )
    else:
        np.testing.assert_array_equal(limits.lower, limits.upper)
        inner = (limits.upper > 1e-6) & (limits.upper < 1.0 - 1e-6)
        np.testing.assert_allclose(frozen.ppf(limits.upper)[inner], y[inner], rtol=1e-7)


def _copies(family, w):
    """What the log-density is multiplied with: w where a weight repeats a row."""
    return 1.0 if family.scaled or family.name == "binomial" else w


@each_class
def test_cumulative_limits_at_the_ends(cls):
    family = cls()
    if not family.discrete:
        return
    mu, w = means(family), np.full(2, 6.0)
    assert (family.cdf(np.zeros(2), mu, w, T).lower == 0.0).all()
    top = np.ones(2) if family.name == "binomial" else np.full(2, 1e5)
    assert (family.cdf(top, mu, w, T).upper == 1.0).all()
    # far out in the lower tail the limits keep their digits
    low = family.cdf(
        np.zeros(1), np.array([0.99 if family.name == "binomial" else 500.0]), np.array([100.0]), np.log(50.0)
    )
    assert 0.0 < low.upper[0] < 1e-3


@each_class
def test_draws_have_mean_and_variance(cls):
    """Within five standard errors, from 100,000 draws at each of two means."""
    family, count = cls(), 100_000
    weight = 3.0
    mu, w, y = draws(family, count, weight)
    divisor = np.exp(-T) * weight if family.scaled else weight if family.name == "binomial" else 1.0
    for one in means(family):
        sample = y[mu == one]
        variance = float(family.variance(np.array([one]), T)[0]) / divisor
        squares = (sample - one) ** 2
        assert abs(sample.mean() - one) < 5.0 * np.sqrt(variance / count)
        assert abs(squares.mean() - variance) < 5.0 * squares.std() / np.sqrt(count)
    family.check_response(y, w, "y")


@each_class
def test_draws_follow_the_distribution_function(cls):
    """Randomized probability integral transforms of draws are uniform."""
    family = cls()
    mu, w, y = draws(family, 2000, 3.0)
    limits = family.cdf(y, mu, w, T)
    u = limits.lower + np.random.default_rng(1).uniform(size=y.size) * (limits.upper - limits.lower)
    assert stats.kstest(u, "uniform").pvalue > 1e-3


def test_draws_depend_on_the_generator_alone():
    family = fam.NegativeBinomial1()
    mu, w = np.full(5, 3.0), np.ones(5)
    first, again, other = (family.simulate(mu, w, T, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls is not fam.NegativeBinomial1], ids=lambda cls: cls.name)
def test_deviance_is_twice_the_loglikelihood_lost(cls):
    """Against the best mean of every row, found on ever finer grids of eta under a link that reaches it."""
    family = cls({"binomial": "logit", "beta": "logit", "gaussian": "identity"}.get(cls.name, "log"))
    y, eta, w, t = grid(family)
    keep = moderate(family, eta)
    y, eta, w, t = y[keep], eta[keep], w[keep], t[keep]
    got = family.deviance(y, family.link.inverse(eta), w, t)
    best, width = np.zeros_like(y), 50.0
    for _ in range(12):
        candidates = best + width * np.linspace(-1.0, 1.0, 41)[:, None]
        values = family.loglik(y, candidates, w, t)
        best = np.take_along_axis(candidates, values.argmax(axis=0)[None], axis=0)[0]
        width /= 10.0
    expected = 2.0 * (values.max(axis=0) - family.loglik(y, eta, w, t)) * (np.exp(t) if family.scaled else 1.0)
    assert (got >= 0.0).all()
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_deviance_of_nb1_is_that_of_a_negative_binomial_of_its_size():
    y, mu, w = np.array([0.0, 3.0, 12.0]), np.array([0.5, 4.0, 9.0]), np.array([1.0, 2.0, 1.0])
    got = fam.NegativeBinomial1().deviance(y, mu, w, 0.4)
    np.testing.assert_allclose(got, fam.NegativeBinomial().deviance(y, mu, w, np.log(mu) - 0.4), rtol=1e-12)


@each
def test_starting_means_are_possible(family):
    y, w = (np.array(column) for column in DATA[family.name])
    for response in (y, np.full_like(y, y[0])):
        mu = family.start(response, w)
        assert mu.shape == y.shape
        eta = family.link.link(mu)
        assert family.valid(eta).all()
        assert np.isfinite(family.loglik(response, eta, w, T)).all()
        assert np.isfinite(family.derivatives(response, eta, w, T).d2).all()


@pytest.mark.parametrize("family", WITH_DISPERSION, ids=name)
def test_starting_dispersions_are_near_the_truth_and_always_finite(family):
    mu, w, y = draws(family, 20_000, 1.0)
    assert family.dispersion_start(y, mu, w) == pytest.approx(T, abs=0.35)
    for spread in (0.0, 1.0):
        flat = means(family)[1]
        response = np.array([flat, flat + 0.1 * spread])
        if family.discrete:
            response = np.array([3.0, 3.0 + spread])
        t = family.dispersion_start(response, np.full(2, response[0]), np.ones(2))
        assert np.isfinite(t)
        assert np.isfinite(family.loglik(response, family.link.link(np.full(2, response[0])), np.ones(2), t)).all()


def test_a_family_without_a_dispersion_starts_at_zero():
    assert fam.Poisson().dispersion_start(np.ones(2), np.ones(2), np.ones(2)) == 0.0


@pytest.mark.parametrize("cls", [fam.NegativeBinomial, fam.NegativeBinomial1, fam.Beta])
@pytest.mark.parametrize("what", ["variance", "deviance"])
def test_a_dispersion_that_is_needed_must_be_given(cls, what):
    arguments = [np.array([0.5])] if what == "variance" else [np.array([0.5]), np.array([0.5]), np.ones(1)]
    with pytest.raises(DataError, match=rf"the {what} of {cls.__name__} depends on its dispersion: give t"):
        getattr(cls(), what)(*arguments)
    getattr(cls(), what)(*arguments, 0.0)
