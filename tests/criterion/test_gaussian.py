"""The core's criterion against dense references, and its derivatives against differences of itself.

Tolerance against the reference: 1e-10 of the largest entry of each array.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support import extended
from support.compare import assert_close, difference
from support.designs import criterion_of, design_of
from support.shapes import Shape, shapes, thetas
from support.wide_shapes import crowded_shapes, dense_shapes, wide_shapes

from mixedeffects.criterion import gaussian_criterion
from mixedeffects.crossproducts import cross_products
from mixedeffects.errors import DataError
from mixedeffects.optimize.certificate import _differences

SMALL = [*shapes(), *wide_shapes()]
DENSE = list(dense_shapes())
CROWDED = list(crowded_shapes())
BY_NAME = {shape.name: shape for shape in [*SMALL, *DENSE, *CROWDED]}


def more_thetas(terms) -> dict[str, np.ndarray]:
    """Every kind of theta, and those that cost digits: zero, or nearly, everywhere or in every other term."""
    kinds = thetas(terms)
    inside = kinds["interior"]
    every_other = np.concatenate([np.full(k * (k + 1) // 2, t % 2) for t, k in enumerate(t.n_columns for t in terms)])
    kinds |= {"zero": 0.0 * inside, "tiny": 1e-6 * inside}
    if every_other.any():
        kinds["every other term tiny"] = np.where(every_other, 1e-6, 1.0) * inside
        kinds["every other term large"] = np.where(every_other, 10.0, 1.0) * inside
    return kinds


POINTS = [
    pytest.param(shape, theta, id=f"{shape.name}-{kind}")
    for shape in [*SMALL, *DENSE]
    for kind, theta in more_thetas(shape.terms).items()
    if len(shape.y) < 400 or kind not in ("start", "negative", "zero first columns", "every other term large")
]
POINTS += [
    pytest.param(shape, thetas(shape.terms)[kind], id=f"{shape.name}-{kind}")
    for shape in CROWDED
    for kind in (["rank deficient"] if len(shape.y) == 1000 else ["interior", "one zero term"])
]


@pytest.mark.parametrize(("shape", "theta"), POINTS)
def test_core_equals_the_dense_reference(shape, theta):
    core, dense = criterion_of(shape), shape.criterion()
    actual, expected = core.evaluate(theta), dense.evaluate(theta)
    assert actual.value == pytest.approx(expected.value, rel=1e-10)
    assert actual.sigma == pytest.approx(expected.sigma, rel=1e-10)
    for name in ("gradient", "average_information", "beta", "vcov"):
        assert_close(getattr(actual, name), getattr(expected, name), 1e-10, what=name)
    for name in ("u", "b", "G"):
        for x, y in zip(getattr(actual, name), getattr(expected, name), strict=True):
            assert_close(x, y, 1e-10, what=name)
    assert_close(actual.hessian, expected.hessian, 1e-10, what="hessian")
    variances = core.conditional_variances(theta)
    for terms, V in zip(core.layout.terms_of, variances, strict=True):
        expected_V = dense.joint_conditional_variance(theta, terms)
        assert_close(actual.sigma**2 * V, expected_V, 1e-10, what="conditional variances")


def test_shapes_reach_the_paths_they_are_for():
    sizes = {name: criterion_of(shape).core.dense_size for name, shape in BY_NAME.items()}
    assert sizes["dense, scalar"] == 113 + 17
    assert sizes["dense, vectors"] == 3 * 113
    assert sizes["dense, vector and scalar, ML"] == 3 * 113 + 17
    assert sizes["dense, scalar, above 300"] == 320
    eliminated = {name: len(criterion_of(shape).core.eliminated) for name, shape in BY_NAME.items()}
    for name in ("three levels nested", "chain of three and a dense vector", "chain of three, two dense, ML, weights"):
        assert eliminated[name] == 3, name
    assert {t.n_columns for shape in SMALL for t in shape.terms} == {1, 2, 3, 4, 5}


LARGE = [
    "random intercept", "weights, ML", "four columns", "a level with one row", "three levels nested",
    "nested, vectors on both", "single rows, nested", "crossed", "partially crossed", "single rows, crossed",
    "four eliminated, five dense", "chain of three, two dense, ML, weights",
]  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize(("size", "tolerance"), [(10.0, 1e-9), (1e3, 1e-4)])
def test_large_covariances(name, size, tolerance):
    """Against extended precision: V itself has condition 10^8 at the larger size."""
    shape = BY_NAME[name]
    theta = size * thetas(shape.terms)["interior"]
    actual, expected = criterion_of(shape).evaluate(theta), extended.evaluate(shape, theta)
    assert actual.value == pytest.approx(expected.value, rel=1e-9)
    assert actual.sigma == pytest.approx(expected.sigma, rel=1e-9)
    for name in ("beta", "vcov"):
        assert_close(getattr(actual, name), getattr(expected, name), min(tolerance, 1e-6), what=name)
    for name in ("gradient", "average_information", "hessian"):
        assert_close(getattr(actual, name), getattr(expected, name), tolerance, what=name)


# ---- derivatives against differences ---------------------------------------------------------------------------------


def variants(shape: Shape):
    """The shape by REML and ML, with weights and without."""
    weights = np.random.default_rng(11).uniform(0.2, 4.0, len(shape.y)) if shape.weights is None else shape.weights
    for reml in (True, False):
        for w in (None, weights):
            yield shape._replace(reml=reml, weights=w)


def values_of(criterion):
    return lambda theta: criterion.evaluate(theta).value


def gradients_of(criterion):
    return lambda theta: criterion.evaluate(theta).gradient


DIFFERENCED = [
    pytest.param(shape, kind, id=f"{shape.name}-{kind}")
    for shape in [*SMALL, DENSE[0]]
    for kind in thetas(shape.terms)
    if kind not in ("negative", "start")
]


@pytest.mark.parametrize(("shape", "kind"), DIFFERENCED)
def test_gradient_against_central_differences(shape, kind):
    theta = thetas(shape.terms)[kind]
    for variant in variants(shape):
        criterion = criterion_of(variant)
        numeric = [
            difference(lambda x, criterion=criterion: criterion.evaluate(x).value, theta, e) for e in np.eye(len(theta))
        ]
        assert_close(criterion.evaluate(theta).gradient, numeric, 1e-6, scale=1.0)


@pytest.mark.parametrize(("shape", "kind"), DIFFERENCED)
def test_exact_hessian_against_differences_of_the_gradient(shape, kind):
    theta = thetas(shape.terms)[kind]
    for variant in variants(shape):
        criterion = criterion_of(variant)
        numeric = [
            difference(lambda x, criterion=criterion: criterion.evaluate(x).gradient, theta, e, 2e-4)
            for e in np.eye(len(theta))
        ]
        hessian = criterion.hessian(theta)
        assert_close(hessian, numeric, 1e-6)
        np.testing.assert_array_equal(hessian, hessian.T)


@pytest.mark.parametrize("shape", DENSE[1:], ids=lambda shape: shape.name)
@pytest.mark.parametrize("kind", ["interior", "zero first columns"])
def test_hessian_by_differences_equals_the_one_by_dual_numbers(shape, kind):
    criterion = criterion_of(shape)
    assert criterion.core.dense_size > 300
    theta = thetas(shape.terms)[kind]
    free = np.arange(len(theta)) % 3 != 1
    gradient = criterion.core.evaluate(theta, None, True)["gradient"]
    differences = _differences(criterion, theta, gradient, free)
    assert_close(differences, criterion.core.hessian(theta, None)[np.ix_(free, free)], 1e-4)


@pytest.mark.parametrize("shape", [*CROWDED, DENSE[2]], ids=lambda shape: shape.name)
def test_threads_of_the_search_change_nothing(shape):
    criterion = criterion_of(shape)
    start = criterion.core.moment_start()
    single, *others = (criterion.core.minimize(start, 1e-9, 20, n_threads) for n_threads in (1, 2, 8))
    for found in others:
        assert found["n_evaluations"] == single["n_evaluations"]
        np.testing.assert_array_equal(found["theta"], single["theta"])
        assert found["evaluation"]["value"] == single["evaluation"]["value"]


# ---- symmetries ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["correlated slope", "crossed, vectors on both", "nested, vectors on three"])
def test_the_value_depends_on_the_covariance_only(name):
    shape = BY_NAME[name]
    criterion = criterion_of(shape)
    theta = thetas(shape.terms)["interior"]
    flipped = criterion.layout.theta([L * [-1.0] + 0 for L in criterion.layout.factors(theta)])
    at, mirrored = criterion.evaluate(theta), criterion.evaluate(flipped)
    assert mirrored.value == pytest.approx(at.value, rel=1e-14)
    assert_close(mirrored.gradient, -at.gradient, 1e-12)
    for b, c in zip(at.b, mirrored.b, strict=True):
        assert_close(c, b, 1e-12)


def test_offset_is_taken_from_the_response():
    design = design_of(BY_NAME["correlated slope"])
    offset = np.linspace(-3.0, 8.0, len(design.y))
    theta = [1.0, 0.2, 0.5]
    moved = gaussian_criterion(cross_products(replace(design, y=design.y + offset, offset=offset)), reml=True)
    expected = gaussian_criterion(cross_products(design), reml=True).evaluate(theta).value
    assert moved.evaluate(theta).value == pytest.approx(expected, rel=1e-13)


def test_another_response_on_the_same_factorisation():
    shape = BY_NAME["nested and crossed"]
    design, criterion = design_of(shape), criterion_of(shape)
    y = np.random.default_rng(5).normal(3.0, 2.0, len(shape.y))
    other = criterion.with_products(criterion.products.with_response(design, y))
    theta = thetas(shape.terms)["interior"]
    expected = shape._replace(y=y).criterion().evaluate(theta)
    actual = other.evaluate(theta)
    assert actual.value == pytest.approx(expected.value, rel=1e-12)
    assert_close(actual.gradient, expected.gradient, 1e-10)
    before = shape.criterion().evaluate(theta).value
    assert criterion.evaluate(theta).value == pytest.approx(before, rel=1e-12), "the old criterion is unchanged"


def test_refusals():
    criterion = criterion_of(BY_NAME["correlated slope"])
    with pytest.raises(DataError, match=r"theta has shape \(2,\); this model needs 3 values"):
        criterion.evaluate([1.0, 0.0])
    with pytest.raises(DataError, match="theta must be finite"):
        criterion.evaluate([1.0, 0.0, np.nan])
    with pytest.raises(DataError, match="theta has shape"):
        criterion.hessian([[1.0, 0.0, 1.0]])


def test_results_cannot_be_changed_in_place():
    at = criterion_of(BY_NAME["crossed"]).evaluate([1.0, 1.0])
    for array in (at.beta, at.vcov, *at.b, *at.u):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
