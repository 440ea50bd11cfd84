"""Populations: order, circles, unknown variables."""

from __future__ import annotations

import numpy as np
import pytest

import mixedeffects as me
from mixedeffects.population import by_level, population, predictor, random_effects, response, rfactor

X = predictor("normal")
GROUP = predictor(rfactor, levels=["a", "b"])


def test_responses_may_read_earlier_ones_in_any_order():
    pop = population(
        z=response(lambda y, x: 10 * y + x, error_scale=0),
        y=response(lambda x: 2 * x, error_scale=1),
        x=X,
    )
    assert list(pop.predictors) == ["x"]
    assert list(pop.responses) == ["y", "z"]
    drawn = pop.sample_x(20, rng=1).sample_y()
    np.testing.assert_allclose(drawn["z"], 10 * drawn["y"] + drawn["x"])


def test_several_effects_by_level():
    intercepts, slopes = {"a": 1.0, "b": 5.0}, [2.0, -1.0]
    pop = population(
        g=GROUP, x=X, y=response(lambda g, x: by_level(g, intercepts) + x * by_level(g, slopes), error_scale=0)
    )
    drawn = pop.sample_x(40, rng=1).sample_y()
    for level, slope in zip("ab", slopes, strict=True):
        rows = drawn[drawn["g"] == level]
        np.testing.assert_allclose(rows["y"], intercepts[level] + slope * rows["x"])


def test_the_repr_lists_the_variables():
    pop = population(x=X, y=response("2 * x", error_scale=1))
    assert repr(pop) == (
        "population of\n  x = predictor(normal)\n"
        "  y = response('2 * x', family=Gaussian(link='identity'), error_scale=1)"
    )
    given = predictor("normal", loc=2, scale=lambda g: 1 + g, names=["z"])
    assert repr(given) == "predictor(normal, loc=2, scale=lambda g: ..., names=['z'])"
    assert "method='svd'" in repr(predictor("multivariate_normal", mean=[0, 0], cov=[[1, 0], [0, 1]], method="svd"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: population(), "one variable or more"),
        (lambda: population(x="normal"), "x='normal' is no variable; write predictor"),
        (lambda: population(rng=X), "cannot be named 'rng'"),
        (lambda: population(pi=X), "cannot be named 'pi', which is a constant in expressions"),
        (lambda: population(p=predictor("normal", names=["pi"])), "cannot be named 'pi'"),
        (
            lambda: population(county=GROUP, y=response(lambda county_: 1, error_scale=1)),
            r"response 'y', lambda county_: ...: there is no variable 'county_' in the population, which has "
            "county, y; did you mean 'county'",
        ),
        (lambda: population(x=X, y=response("x + w", error_scale=1)), r"'x \+ w': there is no variable 'w'"),
        (lambda: population(x=X, y=response(1, error_scale="w")), "no variable 'w'"),
        (lambda: population(x=X, y=response(1, family="binomial", size=lambda w: w)), "no variable 'w'"),
        (lambda: population(x=predictor("normal", loc=lambda w: w)), "predictor 'x', lambda w: ...: there is no var"),
        (
            lambda: population(a=predictor(lambda b: b), b=predictor(lambda c: c), c=predictor(lambda a: a)),
            "a -> b -> c -> a read each other in a circle",
        ),
        (lambda: population(y=response(lambda y: y, error_scale=1)), "y -> y read each other in a circle"),
        (lambda: population(y=response(1, error_scale=1), x=predictor(lambda y: y)), "'x' reads the response 'y'"),
        (lambda: population(x=X, z=predictor("normal", names=["x"])), "the column 'x' exists already"),
        (
            lambda: population(x=X, y=response(1, error_scale=1, random=random_effects("g", sd=1))),
            "response 'y', random_effects.*there is no variable 'g'",
        ),
        (
            lambda: population(x=X, y=response(1, error_scale=1, random=random_effects("x", sd=1, names=["w"]))),
            "there is no variable 'w'",
        ),
        (
            lambda: population(
                x=X, z=response(1, error_scale=1), y=response(1, error_scale=1, random=random_effects("z", sd=1))
            ),
            "the group 'z' is a response; groups are predictors",
        ),
        (lambda: population(x=X).sample_x(0), "n=0 must be a positive whole number"),
        (lambda: population(x=X).sample_x(2.5), "n=2.5 must be"),
        (lambda: population(x=X).sample_x(2, frame="spark"), "frame='spark' is not a kind of frame"),
        (
            lambda: population(x1=X, x=_wide()).sample_x(3),
            "the column 'x1' exists already",
        ),
        (
            lambda: (
                population(g=GROUP, y=response(lambda g: by_level(g, {"a": 1}), error_scale=1)).sample_x(3).sample_y()
            ),
            "response 'y', lambda g: ...: by_level: the level 'b' has no effect",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(me.DataError, match=message):
        make()


def _wide():
    return predictor(lambda n, rng: rng.normal(size=(n, 2)))


def test_the_groups_of_a_nested_formula_are_named():
    with pytest.raises(me.DataError, match=r"random_effects\('region', ...\) and random_effects\('site:region', ...\)"):
        random_effects("region/site", sd=1.0)


def test_random_effects_take_names_with_and_without_backticks():
    quoted = random_effects("`a`:`b`", sd=[1.0, 2.0], names=["1", "`x`"])
    assert (quoted.group, quoted.names) == ("a:b", ("1", "x"))
