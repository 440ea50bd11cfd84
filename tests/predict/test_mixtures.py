"""Distributions of new responses: against dense sums, adaptive integrals, and draws made one by one."""

from __future__ import annotations

import numpy as np
import pytest
from families.cases import FAMILIES, name
from scipy import integrate, stats

from mixedeffects import families
from mixedeffects.errors import DataError
from mixedeffects.predict.averaged import averaged_means, averaged_slopes
from mixedeffects.predict.mixtures import NormalMixture, SampleMixture
from mixedeffects.predict.normal_nodes import normal_predictor

TRIALS = 20
Z = np.linspace(-10.0, 10.0, 20_001)  # the nodes of a dense sum
P = stats.norm.pdf(Z) / stats.norm.pdf(Z).sum()
LEVELS = (0.025, 0.5, 0.975)


def mixture(family, mean, sd, *, weights=1.0, t=0.0):
    mean, sd = np.atleast_1d(np.asarray(mean, float)), np.atleast_1d(np.asarray(sd, float))
    predictor = normal_predictor(family, mean, sd)
    return NormalMixture(family=family, weights=np.full(len(mean), weights), log_dispersion=t, predictor=predictor)


def predictors(family):
    """Means and standard deviations of linear predictors that stay within the link's limits."""
    if family.name == "binomial" and family.link.name == "log":
        return [(-2.0, 0.01), (-2.0, 0.3)]
    if family.link.name in ("identity", "sqrt", "inverse", "1/mu^2"):
        return [(2.0, 0.01), (2.0, 0.3)]
    return [(1.0, 0.0), (1.0, 0.01), (1.0, 0.6), (0.5, 1.5)]


def dense(family, mean, sd, y, weights, t):
    """P(Y <= y) as a plain sum over 20,001 predictors."""
    eta = mean + sd * Z
    inside = family.valid(eta)
    mu = family.link.inverse(eta[inside])
    return (family.cdf(np.full(len(mu), y), mu, weights, t).upper * P[inside]).sum() / P[inside].sum()


@pytest.mark.parametrize("family", FAMILIES, ids=name)
def test_quantiles_are_those_of_the_dense_sum(family):
    w = float(TRIALS) if family.name == "binomial" else 1.0
    for mean, sd in predictors(family):
        for t in (-1.0, 1.5) if family.has_dispersion else (0.0,):
            found = mixture(family, mean, sd, weights=w, t=t)
            for p in LEVELS:
                y = found.quantile(p, family.link.inverse(np.array([mean])))[0]
                at, own = dense(family, mean, sd, y, w, t), found.cumulative(np.array([y]), np.array([0]))[0]
                if family.name == "beta" and not 1e-6 < y < 1.0 - 1e-6:  # rounded near the ends of its range
                    assert own == pytest.approx(at, abs=1e-6)
                    continue
                assert own == pytest.approx(at, abs=1e-8)
                if not family.discrete:
                    assert at == pytest.approx(p, abs=1e-8)
                    continue
                steps = TRIALS if family.name == "binomial" else 1
                assert y * steps == round(y * steps)
                assert at >= p
                assert y == 0.0 or dense(family, mean, sd, y - 1 / steps, w, t) < p


@pytest.mark.parametrize("sd", [0.5, 1e-3])
def test_a_narrow_step_in_a_wide_distribution(sd):
    """Counts around 10^6 under a log link: as good as lognormal, which a fixed grid of predictors would not see."""
    found = mixture(families.Poisson(), 14.0, sd)
    q = found.quantile(0.975, np.exp([14.0]))[0]
    centre = (np.log(q) - 14.0) / sd
    at = [float(np.clip(centre + k * 1e-3 / sd, -9, 9)) for k in (-5, -1, 0, 1, 5)]
    exact = [
        integrate.quad(
            lambda z, k=k: stats.poisson.cdf(k, np.exp(14.0 + sd * z)) * stats.norm.pdf(z), -9, 9, points=at, limit=500
        )[0]
        for k in (q - 1, q)
    ]
    assert exact[0] < 0.975 <= exact[1]
    assert found.cumulative(np.array([q]), np.array([0]))[0] == pytest.approx(exact[1], abs=1e-10)


@pytest.mark.parametrize(
    "family", [f for f in FAMILIES if f.link.name in ("log", "logit", "probit", "identity")], ids=name
)
def test_moments_and_quantiles_are_those_of_draws(family):
    rng, n = np.random.default_rng(5), 200_000
    mean, sd = predictors(family)[1] if len(predictors(family)) == 2 else (1.0, 0.6)
    w, t = (float(TRIALS) if family.name == "binomial" else 1.0), (-1.0 if family.has_dispersion else 0.0)
    found = mixture(family, mean, sd, weights=w, t=t)
    eta = mean + sd * rng.standard_normal(n)
    y = family.simulate(family.link.inverse(np.where(family.valid(eta), eta, mean)), w, t, rng)
    centre = np.array([float(family.link.inverse(np.array([mean]))[0])])
    squares = (y - centre) ** 2
    assert found.mean_square(centre)[0] == pytest.approx(squares.mean(), abs=5 * squares.std() / np.sqrt(n))
    for p in LEVELS:
        q = found.quantile(p, centre)[0]
        error = 5 * np.sqrt(p * (1 - p) / n)
        assert (y <= q + 1e-9).mean() >= p - error
        assert (y < q - 1e-9).mean() <= p + error


def test_draws_of_predictors_stand_for_their_distribution():
    family, rng = families.NegativeBinomial(), np.random.default_rng(3)
    draws = rng.normal(1.0, 0.5, (1, 40_000))
    by_draws = SampleMixture(family=family, weights=np.ones(1), log_dispersion=0.3, draws=draws)
    exact = mixture(family, 1.0, 0.5, t=0.3)
    row = np.array([0])
    for y in (0.0, 2.0, 9.0):
        assert by_draws.cumulative(np.array([y]), row)[0] == pytest.approx(
            exact.cumulative(np.array([y]), row)[0], abs=0.005
        )
    assert by_draws.mean_square(np.array([2.0]))[0] == pytest.approx(exact.mean_square(np.array([2.0]))[0], rel=0.05)
    assert abs(by_draws.quantile(0.975, np.array([4.0]))[0] - exact.quantile(0.975, np.array([4.0]))[0]) <= 1


@pytest.mark.parametrize("family", FAMILIES, ids=name)
def test_means_over_random_effects_are_those_of_an_adaptive_integral(family):
    if family.link.pole:
        with pytest.raises(DataError, match="has no mean over normal random effects"):
            averaged_means(family, np.array([2.0]), np.array([0.1]))
        return
    for mean, sd in [*predictors(family), *([(-3.0, 6.0)] if family.link.name in ("logit", "cauchit") else [])]:

        def integrand(z, mean=mean, sd=sd):
            eta = np.array([mean + sd * z])
            return float(family.link.inverse(eta)[0]) * stats.norm.pdf(z) if family.valid(eta)[0] else 0.0

        middle = -mean / sd if sd else 0.0
        expected = integrate.quad(integrand, -14, 14, points=[float(np.clip(middle, -14, 14))], limit=500)[0]
        found = averaged_means(family, np.array([mean]), np.array([sd]))[0]
        assert found == pytest.approx(expected, rel=1e-8)
        ends = averaged_means(family, np.array([mean - 1e-5, mean + 1e-5]), np.array([sd, sd]))
        slope = averaged_slopes(family, np.array([mean]), np.array([sd]))[0]
        assert slope == pytest.approx(np.diff(ends)[0] / 2e-5, rel=1e-5, abs=1e-8)


def test_closed_forms_of_means_over_random_effects():
    eta, sd = np.array([-1.0, 0.0, 2.0]), np.array([0.3, 2.0, 3.0])
    np.testing.assert_allclose(averaged_means(families.Poisson(), eta, sd), np.exp(eta + sd**2 / 2), rtol=1e-9)
    probit = averaged_means(families.Binomial("probit"), eta, sd)
    np.testing.assert_allclose(probit, stats.norm.cdf(eta / np.sqrt(1 + sd**2)), rtol=1e-10)


def test_predictors_beyond_the_links_limits_are_refused():
    with pytest.raises(DataError, match=r"row 1, 1 with a standard deviation of 0.5, .*probability of 0.023 .*'sqrt'"):
        mixture(families.Poisson("sqrt"), [3.0, 1.0], [0.1, 0.5])
    with pytest.raises(DataError, match="probability of 1 where"):
        mixture(families.Gamma(), [-1.0], [0.0])
    assert np.isnan(mixture(families.Gamma(), [2.0], [0.2]).mean_square(np.array([0.5])))[0]
