"""Predictors from numpy, scipy and functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mixedeffects as me
from mixedeffects.population import dirichlet, population, predictor, rfactor

N = 20_000


def frame(n=N, **variables):
    return population(**variables).sample_x(n, rng=11).frame


def check_moments(values, mean, variance):
    values = np.asarray(values, dtype=float)
    fourth = np.mean((values - values.mean()) ** 4)
    assert abs(values.mean() - mean) < 4.0 * np.sqrt(variance / len(values))
    assert abs(values.var() - variance) < 4.0 * np.sqrt((fourth - values.var() ** 2) / len(values))


@pytest.mark.parametrize(
    ("one", "mean", "variance"),
    [
        (predictor("normal", loc=4, scale=10), 4.0, 100.0),
        (predictor(np.random.Generator.normal, loc=4, scale=10), 4.0, 100.0),
        (predictor("uniform", low=0, high=10), 5.0, 100 / 12),
        (predictor("poisson", lam=3), 3.0, 3.0),
        (predictor("integers", low=0, high=3), 1.0, 2 / 3),
        (predictor("choice", a=[1.0, 2.0], p=[0.25, 0.75]), 1.75, 0.1875),
        (predictor(stats.gamma(2.0, scale=3.0)), 6.0, 18.0),
        (predictor(stats.gamma, a=2.0, scale=3.0), 6.0, 18.0),
        (predictor(stats.binom(10, 0.3)), 3.0, 2.1),
        (predictor(lambda n, rng: rng.normal(size=n) + 1), 1.0, 1.0),
        (predictor(lambda size, rng, shift: rng.normal(size=size) + shift, shift=2.0), 2.0, 1.0),
    ],
)
def test_moments_of_the_distribution(one, mean, variance):
    check_moments(frame(x=one)["x"], mean, variance)


def test_a_seed_gives_what_the_generator_gives():
    drawn = frame(n=50, x=predictor("normal", loc=1.0))["x"]
    np.testing.assert_array_equal(drawn, np.random.default_rng(11).normal(loc=1.0, size=50))
    drawn = frame(n=50, x=predictor(stats.norm(2.0)))["x"]
    np.testing.assert_array_equal(drawn, stats.norm(2.0).rvs(size=50, random_state=np.random.default_rng(11)))


def test_several_columns():
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])
    for one in (
        predictor(stats.multivariate_normal([1, 2], covariance), names=["u", "v"]),
        predictor("multivariate_normal", mean=[1, 2], cov=covariance, names=["u", "v"]),
    ):
        both = frame(xs=one)
        assert list(both.columns) == ["u", "v"]
        check_moments(both["u"], 1.0, 2.0)
        check_moments(both["v"], 2.0, 1.0)
        found = np.cov(both["u"], both["v"])[0, 1]
        assert abs(found - 0.5) < 4.0 * np.sqrt((2.0 * 1.0 + 0.25) / N)
    assert list(frame(n=1, xs=predictor(stats.multivariate_normal([1, 2])))) == ["xs1", "xs2"]
    shares = frame(n=10, p=predictor(dirichlet, alpha=[1, 2, 3], names=["a", "b", "c"]))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert frame(n=4, m=predictor(stats.multivariate_normal([0.0]))).shape == (4, 1)
    same = frame(n=9, p=predictor(stats.dirichlet([1, 1]), names=["p", "q"]), s=predictor(lambda p, q: p + q))
    np.testing.assert_allclose(same["s"], 1.0)


def test_predictors_depend_on_others_in_any_order():
    drawn = frame(
        weight=predictor("normal", loc=lambda height: 2 * height, scale=0.5),
        double=predictor(lambda weight: 2 * weight),
        height=predictor("normal", loc=3.0),
        sex=predictor(rfactor, levels=["f", "m"], prob=lambda rng: [0.2, 0.8]),
    )
    check_moments(drawn["weight"] - 2 * drawn["height"], 0.0, 0.25)
    np.testing.assert_array_equal(drawn["double"], 2 * drawn["weight"])
    assert abs((drawn["sex"] == "m").mean() - 0.8) < 4 * np.sqrt(0.16 / N)
    assert list(drawn["sex"].cat.categories) == ["f", "m"]
    assert not drawn["sex"].cat.ordered


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: predictor("norm"), "no distribution 'norm'; did you mean 'normal'"),
        (lambda: predictor("rnorm"), "did you mean 'normal'"),
        (lambda: predictor("shuffle"), "no distribution 'shuffle'"),
        (lambda: predictor(3.0), "is no distribution"),
        (lambda: predictor(np.random.default_rng(1).normal), "bound to a generator of its own"),
        (lambda: predictor(np.random.normal), "bound to a generator of its own"),
        (lambda: predictor(rfactor, level=["a"]), "takes no parameter 'level'; those that it takes: levels, prob"),
        (lambda: predictor("normal", names=["a", "a"]), "must be different names"),
        (lambda: frame(x=predictor("normal", mean=3)), "predictor 'x', normal: .*unexpected keyword"),
        (lambda: frame(x=predictor("normal", scale=-1)), "predictor 'x', normal: scale < 0"),
        (lambda: frame(x=predictor(stats.norm, mean=3)), "predictor 'x', norm: "),
        (lambda: frame(x=predictor(lambda n: np.zeros(3))), r"gives values of shape \(3,\) for 20000 rows"),
        (lambda: frame(x=predictor(lambda rng: rng.normal())), r"gives values of shape \(\) for 20000 rows"),
        (lambda: frame(x=predictor("normal", names=["a", "b"])), "2 names for 1 columns"),
        (lambda: frame(x=predictor(rfactor)), "predictor 'x', rfactor.*no variable 'levels' in the population"),
    ],
)
def test_errors(make, message):
    with pytest.raises(me.DataError, match=message):
        make()
