"""What must not matter to a fit: order of rows and terms, names of levels, origin and unit of y, batches."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.compare import assert_close

import mixedeffects as me
from mixedeffects.control import Control
from mixedeffects.criterion import gaussian_criterion
from mixedeffects.crossproducts import cross_products
from mixedeffects.optimize import minimize

FIXED = "y ~ x"
TERMS = [
    ["(1 | g)"],
    ["(x | g)"],
    ["(x || g)"],
    ["(1 | g)", "(1 | h)"],
    ["(x | g)", "(1 | h)"],
    ["(1 | g)", "(0 + x | h)", "(1 | g:h)"],
    ["(1 | k)", "(x | g)"],
]
PROPERTY = settings(max_examples=25, deadline=None, derandomize=True)


def data(seed: int) -> pd.DataFrame:
    """Rows in two crossed factors g and h and a factor k nested in g; variances of every size, some of them 0."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 120))
    g, h = rng.integers(8, size=n), rng.integers(5, size=n)
    k = 3 * g + rng.integers(3, size=n)
    x = rng.normal(1.0, 2.0, n)
    sizes = rng.choice([0.0, 0.5, 2.0], size=4)
    y = 3.0 - x + rng.normal(size=n)
    for codes, column, size in zip((g, g, h, k), (1.0, x, 1.0, 1.0), sizes, strict=True):
        y = y + size * column * rng.normal(size=codes.max() + 1)[codes]
    names = {"g": [f"g{j}" for j in g], "h": [f"h{j}" for j in h], "k": [f"k{j}" for j in k]}
    return pd.DataFrame({"y": y, "x": x, **names})


@st.composite
def problems(draw):
    seed = draw(st.integers(0, 10_000))
    return data(seed), draw(st.sampled_from(TERMS)), draw(st.booleans())


def fit(frame, terms, reml):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        return me.lmer(" + ".join([FIXED, *terms]), frame, reml=reml)


def covariances(result) -> dict[str, np.ndarray]:
    return {
        term.key: L @ L.T
        for term, L in zip(result.model.terms, result.objective.layout.factors(result.theta), strict=True)
    }


def assert_same(a, b, *, names=True):
    """The same criterion, estimates, covariances and verdict."""
    assert a.optimum.converged
    assert b.optimum.converged
    assert a.criterion == pytest.approx(b.criterion, abs=1e-8)
    assert a.sigma == pytest.approx(b.sigma, rel=1e-4)
    errors = np.sqrt(np.diag(b.solution.vcov))
    assert_close((a.solution.beta - b.solution.beta) / errors, np.zeros(len(errors)), 1e-4, scale=1.0)
    if names:
        first, second = covariances(a), covariances(b)
        assert first.keys() == second.keys()
        for key, S in first.items():
            assert_close(S, second[key], 1e-3, scale=1.0)


@PROPERTY
@given(problems(), st.integers(0, 10_000))
def test_order_of_rows(problem, seed):
    frame, terms, reml = problem
    shuffled = frame.sample(frac=1.0, random_state=seed, ignore_index=True)
    assert_same(fit(shuffled, terms, reml), fit(frame, terms, reml))


@PROPERTY
@given(problems(), st.integers(0, 10_000))
def test_names_of_levels(problem, seed):
    """Other names put the levels in another order; every level keeps its mode."""
    frame, terms, reml = problem
    rng = np.random.default_rng(seed)
    names = {}
    for column in ("g", "h", "k"):
        old = sorted(frame[column].unique())
        names[column] = dict(zip(old, rng.permutation([f"level {j:02d}" for j in range(len(old))]), strict=True))
    renamed = frame.assign(**{c: frame[c].map(new) for c, new in names.items()})
    a, b = fit(renamed, terms, reml), fit(frame, terms, reml)
    assert_same(a, b)
    assert_close(a.fitted, b.fitted, 1e-3, scale=b.sigma)


@PROPERTY
@given(problems(), st.sampled_from([-1e9, -3.5, 1e4, 2.0**30]))
def test_shift_of_y(problem, shift):
    frame, terms, reml = problem
    frame["y"] = (frame["y"] + shift) - shift
    a, b = fit(frame.assign(y=frame["y"] + shift), terms, reml), fit(frame, terms, reml)
    assert a.criterion == pytest.approx(b.criterion, abs=1e-5)
    assert a.sigma == pytest.approx(b.sigma, rel=1e-4)
    assert float(a.fixef.iloc[0]) - shift == pytest.approx(float(b.fixef.iloc[0]), abs=1e-3 * b.sigma + 1e-6)
    assert float(a.fixef.iloc[1]) == pytest.approx(float(b.fixef.iloc[1]), abs=1e-3 * b.sigma)
    for key, S in covariances(a).items():
        assert_close(S, covariances(b)[key], 1e-3, scale=1.0)


@PROPERTY
@given(problems(), st.sampled_from([1e-8, -1.0, 0.3, 1e7]))
def test_scale_of_y(problem, scale):
    frame, terms, reml = problem
    a, b = fit(frame.assign(y=scale * frame["y"]), terms, reml), fit(frame, terms, reml)
    m = len(frame) - (2 if reml else 0)
    assert a.criterion - 2.0 * m * np.log(abs(scale)) == pytest.approx(b.criterion, abs=1e-7)
    assert a.sigma == pytest.approx(abs(scale) * b.sigma, rel=1e-4)
    assert a.optimum.n_evaluations == pytest.approx(b.optimum.n_evaluations, abs=2)
    for key, S in covariances(a).items():
        assert_close(S, covariances(b)[key], 1e-3, scale=1.0)


@PROPERTY
@given(problems(), st.randoms(use_true_random=False))
def test_order_of_terms(problem, random):
    frame, terms, reml = problem
    other = random.sample(terms, len(terms))
    assert_same(fit(frame, other, reml), fit(frame, terms, reml))


@PROPERTY
@given(problems(), st.lists(st.integers(1, 119), max_size=5))
def test_batches(problem, cuts):
    frame, terms, reml = problem
    whole = fit(frame, terms, reml)
    design, old = whole.model, whole.objective.products
    edges = [0, *sorted({min(c, len(frame)) for c in cuts} - {len(frame)}), len(frame)]
    parts = [cross_products(design, layout=old.layout, basis=old.basis, rows=slice(a, b)) for a, b in pairwise(edges)]
    products = sum(parts[1:], parts[0])
    assert products.n == len(frame)
    minimum = minimize(
        gaussian_criterion(products, reml=reml), [(term.key, term.names) for term in design.terms], Control()
    )
    assert minimum.optimum.converged
    assert minimum.solution.value == pytest.approx(whole.criterion, abs=1e-8)
    assert_close(minimum.solution.theta, whole.theta, 1e-3, scale=1.0)


@PROPERTY
@given(problems(), st.sampled_from([0.01, 4.0, 1e5]))
def test_unit_of_the_weights(problem, unit):
    """Weights that are all equal only change sigma."""
    frame, terms, reml = problem
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        formula = " + ".join([FIXED, *terms])
        a = me.lmer(formula, frame, reml=reml, weights=np.full(len(frame), unit))
    b = fit(frame, terms, reml)
    assert a.sigma**2 == pytest.approx(unit * b.sigma**2, rel=1e-4)
    for key, S in covariances(a).items():
        assert_close(a.sigma**2 * S, b.sigma**2 * covariances(b)[key], 1e-3, scale=b.sigma**2)
    assert a.criterion == pytest.approx(b.criterion, abs=1e-7)


@PROPERTY
@given(problems())
def test_a_doubled_data_set_has_the_same_working_columns(problem):
    """Rows twice: the same relative scales, and the fixed effects of a model without variance."""
    frame, terms, reml = problem
    twice = pd.concat([frame, frame], ignore_index=True)
    once, doubled = (fit(f, terms, reml).objective for f in (frame, twice))
    for T, U in zip(once.basis.T, doubled.basis.T, strict=True):
        assert_close(U, T, 1e-10)
    zero = np.zeros(once.layout.n_theta)
    assert_close(doubled.evaluate(zero).beta, once.evaluate(zero).beta, 1e-9)
    assert doubled.evaluate(zero).rss == pytest.approx(2.0 * once.evaluate(zero).rss, rel=1e-10)


@pytest.mark.parametrize(
    ("seed", "terms", "reml"),
    [
        (404, TERMS[3], True),
        (559, TERMS[2], True),
        (602, TERMS[1], True),
        (602, TERMS[6], True),
        (592, TERMS[3], False),
    ],
)
def test_a_search_that_stops_just_short_goes_on(seed, terms, reml):
    """Its own curvature promised less than the tolerance, the exact Hessian of the certificate a little more."""
    assert fit(data(seed), terms, reml).optimum.converged


def test_a_minimum_close_to_the_boundary_is_not_put_on_it():
    """It is lower by less than the tolerance, but at the boundary the derivative is negative."""
    result = fit(data(2317), ["(x | g)"], True)
    assert result.optimum.converged
    assert not result.is_singular
    assert 0.0 < result.theta[2] < 0.01
