"""Adaptive quadrature against the Laplace approximation and integrals over dense grids; its gradient at the boundary.

The gradient elsewhere is in `test_generalized_gradient`. Tolerances: gradients 1e-8 of their largest entry (differences
of fourth order have an error of about 1e-9); integrals 1e-9 relative, where the rule has as many nodes as that takes.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from families.cases import FAMILIES as PAIRS
from families.cases import name
from scipy.special import logsumexp
from support.generalized import Model, differences, drawn, of_case, point
from support.reference import load_case

from mixedeffects import _core
from mixedeffects.criterion.agq import MOST_NODES, AgqCriterion, agq_criterion, normal_rule
from mixedeffects.criterion.laplace import laplace_criterion
from mixedeffects.design import design
from mixedeffects.errors import DataError
from mixedeffects.families import (
    Beta,
    Binomial,
    Gamma,
    InverseGaussian,
    NegativeBinomial,
    NegativeBinomial1,
    Poisson,
)

RANDOM = {1: "(1 | g)", 2: "(1 + a | g)", 3: "(1 + a + x | g)", "1+1": "(1 | g) + (0 + a | g)"}
FAMILIES = [
    Binomial("logit"),
    Binomial("probit"),
    Binomial("cloglog"),
    Poisson("log"),
    Gamma("log"),
    Gamma("inverse"),
    InverseGaussian("log"),
    NegativeBinomial("log"),
    NegativeBinomial1("log"),
    Beta("logit"),
]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=repr)
each_random = pytest.mark.parametrize("random", RANDOM.values())


def integral(model: Model, criterion: AgqCriterion, x: np.ndarray, n: int, reach: float = 9.0) -> float:
    """Return minus twice the log-likelihood by the trapezoidal rule, level by level, on n**k points of u.

    Only the family's log-density is shared with what is tested: design, factor and sums are those of the data.
    """
    theta, beta, t = criterion.split(x)
    layout, basis, rows = criterion.layout, criterion.basis, model.design
    k = sum(layout.widths)
    Lambda = np.zeros((k, k))
    for term, (T, L) in enumerate(zip(basis.T, layout.factors(theta), strict=True)):
        own = layout.columns_of(term)
        Lambda[own, own] = np.linalg.solve(T, L)
    fixed = rows.X @ np.linalg.solve(basis.R, beta) + (0.0 if rows.offset is None else rows.offset)
    Z = np.column_stack([column for term in rows.terms for column in term.columns])
    codes = rows.terms[0].factor.codes
    axis = np.linspace(-reach, reach, n)
    u = np.array(list(itertools.product(axis, repeat=k)))
    log_density = -0.5 * (u**2).sum(axis=1) + k * (np.log(axis[1] - axis[0]) - 0.5 * np.log(2.0 * np.pi))
    b = u @ Lambda.T
    total = 0.0
    for j in range(codes.max() + 1):
        joint = log_density.copy()
        for r in np.flatnonzero(codes == j):
            one = np.full(len(b), model.design.y[r])
            joint += model.family.loglik(one, fixed[r] + b @ Z[r], np.full(len(b), model.design.row_weights[r]), t)
        total += logsumexp(joint)
    return -2.0 * total


# ---- one node --------------------------------------------------------------------------------------------------------


@each_family
@each_random
def test_one_node_is_the_laplace_approximation(family, random):
    laplace = drawn(family, random, seed=1).laplace()
    x = point(laplace, seed=2)
    one, expected = agq_criterion(laplace, 1)(x), laplace(x)
    assert one.value == pytest.approx(expected.value, rel=1e-12)
    np.testing.assert_allclose(one.gradient, expected.gradient, rtol=0, atol=1e-9 * abs(expected.gradient).max())


# ---- gradient --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nagq", [2, 4])
@pytest.mark.parametrize(
    ("random", "zero"), [(RANDOM[1], [0]), (RANDOM[2], [2]), (RANDOM[3], [3, 4, 5]), ("(1 + a | g)", [0, 1])]
)
def test_gradient_at_a_zero_column(random, zero, nagq):
    criterion = agq_criterion(drawn(Gamma("log"), random, seed=5).laplace(), nagq)
    x = point(criterion.laplace, seed=6)
    x[zero] = 0.0
    expected, found = differences(criterion, x), criterion(x).gradient
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * abs(expected).max())
    diagonal = np.flatnonzero([row == column for _, row, column in criterion.layout.entries()])
    for e in set(zero) & set(diagonal):
        assert abs(found[e]) < 1e-12 * abs(found).max()


@pytest.mark.parametrize("random", RANDOM.values())
def test_signs_of_columns_do_not_matter(random):
    criterion = agq_criterion(drawn(Poisson("log"), random, seed=7).laplace(), 4)
    x = point(criterion.laplace, seed=8)
    d = criterion.sizes[0]
    columns = np.array([column for _, _, column in criterion.layout.entries()])
    for c in np.unique(columns):
        flipped = x.copy()
        flipped[:d] = np.where(columns == c, -x[:d], x[:d])
        assert criterion(flipped).value == pytest.approx(criterion(x).value, rel=1e-13)


# ---- derivative in the covariance ------------------------------------------------------------------------------------


def curvature(criterion: AgqCriterion, x: np.ndarray, i: int) -> float:
    """Half of the second derivative along parameter i, by differences of the value, which is even in it."""

    def value(size: float) -> float:
        moved = x.copy()
        moved[i] = size
        return criterion(moved, criterion(moved)).value  # a second search leaves no error of the mode

    values = [(value(h) - value(0.0)) / h**2 for h in (0.01, 0.02, 0.04)]
    once = [(4.0 * near - far) / 3.0 for near, far in itertools.pairwise(values)]
    return (16.0 * once[0] - once[1]) / 15.0


@pytest.mark.parametrize("nagq", [1, 2, 3, 7])
@pytest.mark.parametrize(
    ("random", "zero", "at"),
    [
        (RANDOM[1], [0], [0]),
        (RANDOM[2], [2], [2]),
        (RANDOM[2], [0, 1, 2], [0, 2]),
        (RANDOM[3], [5], [5]),
        (RANDOM[3], [3, 4, 5], [3, 5]),
        (RANDOM["1+1"], [0], [0]),
        (RANDOM["1+1"], [1], [1]),
    ],
)
def test_G_is_the_derivative_in_a_variance_that_is_zero(random, zero, at, nagq):
    criterion = agq_criterion(drawn(Binomial("logit"), random, seed=9).laplace(), nagq)
    x = point(criterion.laplace, seed=10)
    x[zero] = 0.0
    (G,) = criterion(x).raw["G"]
    for i in at:
        _, row, column = criterion.layout.entries()[i]
        assert row == column
        assert G[row, row] == pytest.approx(curvature(criterion, x, i), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("random", [RANDOM[2], RANDOM[3]])
@pytest.mark.parametrize("nagq", [1, 2, 5])
def test_G_gives_the_gradient_beside_a_zero_column(random, nagq):
    criterion = agq_criterion(drawn(Poisson("log"), random, seed=11).laplace(), nagq)
    x = point(criterion.laplace, seed=12)
    d, layout = criterion.sizes[0], criterion.layout
    x[d - 1] = 0.0
    found = criterion(x)
    (G,), (L,) = found.raw["G"], layout.factors(x[:d])
    np.testing.assert_allclose(G, G.T, rtol=0, atol=0)
    np.testing.assert_allclose(
        layout.theta([2.0 * G @ L]), found.gradient[:d], rtol=0, atol=1e-12 * abs(found.gradient).max()
    )


def test_G_with_one_node_is_that_of_the_laplace_approximation():
    laplace = drawn(Poisson("log"), RANDOM[3], seed=13).laplace()
    x = point(laplace, seed=14)
    x[5] = 0.0
    (G,), (expected,) = agq_criterion(laplace, 1)(x).raw["G"], laplace(x).raw["G"]
    np.testing.assert_allclose(G, expected, rtol=0, atol=1e-6 * abs(expected).max())


# ---- value -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", PAIRS, ids=name)
def test_one_column_against_a_dense_grid(family):
    model = drawn(family, RANDOM[1], seed=15)
    criterion = agq_criterion(model.laplace(), 40)
    x = point(criterion.laplace, seed=16)
    assert criterion(x).value == pytest.approx(integral(model, criterion, x, 4001), rel=1e-9)


@each_family
@pytest.mark.parametrize("random", [RANDOM[2], RANDOM["1+1"]])
def test_two_columns_against_a_dense_grid(family, random):
    model = drawn(family, random, seed=17, levels=5, rows=30)
    criterion = agq_criterion(model.laplace(), 25)
    # The inverse Gaussian density does not vanish as eta grows: with a larger sd it takes more nodes.
    x = point(criterion.laplace, seed=18, sd=0.1 if family.name == "inverse_gaussian" else 0.4)
    assert criterion(x).value == pytest.approx(integral(model, criterion, x, 181), rel=1e-9)


@pytest.mark.parametrize("family", [Binomial("logit"), Gamma("log"), Poisson("sqrt"), Binomial("cloglog")], ids=repr)
def test_three_columns_against_a_dense_grid(family):
    model = drawn(family, RANDOM[3], seed=19, levels=3, rows=15)
    criterion = agq_criterion(model.laplace(), 15)
    x = point(criterion.laplace, seed=20)
    assert criterion(x).value == pytest.approx(integral(model, criterion, x, 71, reach=7.0), rel=1e-9)


@pytest.mark.parametrize("k", [2, 3])
def test_zero_columns_cost_nothing(k):
    """With one variance that is not zero, the integral is that of the model with that column alone."""
    model = drawn(Poisson("log"), RANDOM[k], seed=21)
    criterion = agq_criterion(model.laplace(), 9)
    x = point(criterion.laplace, seed=22)
    x[k : criterion.sizes[0]] = 0.0
    x[1:k] = 0.0
    single = agq_criterion(drawn(Poisson("log"), RANDOM[1], seed=21).laplace(), 9)
    one = np.concatenate([x[:1], x[criterion.sizes[0] :]])
    assert criterion(x).value == pytest.approx(single(one).value, rel=1e-13)


def test_more_nodes_converge_to_the_integral():
    model = of_case(load_case("ml_bacteria", "exact_ml"))
    laplace = model.laplace()
    x = np.concatenate([[1.3], laplace.basis.R @ np.array([3.6, -1.4, -0.8, -1.6])])
    exact = integral(model, agq_criterion(laplace, 1), x, 20001)
    errors = [abs(agq_criterion(laplace, n)(x).value - exact) for n in (1, 3, 6, 12, 25, 50)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.1
    assert errors[-1] < 1e-9


def test_an_impossible_mean_at_a_node_has_density_zero():
    """The inverse link of a Gamma response has no mean below 0, which far nodes reach."""
    model = drawn(Gamma("inverse"), RANDOM[1], seed=23)
    criterion = agq_criterion(model.laplace(), 25)
    x = point(criterion.laplace, seed=24, sd=0.9)
    found = criterion(x)
    modes, A = found.raw["modes"][0][:, 0], abs(x[0])
    assert (found.raw["eta"].min() - abs(modes).max() - 9.0 * A) < 0.0
    assert np.isfinite(found.value)
    assert np.isfinite(found.gradient).all()


# ---- the point -------------------------------------------------------------------------------------------------------


def test_the_point_carries_the_modes():
    laplace = drawn(Binomial("logit"), RANDOM[2], seed=25).laplace()
    x = point(laplace, seed=26)
    found, expected = agq_criterion(laplace, 5)(x).raw, laplace(x).raw
    for key in ("beta", "eta"):
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-8, atol=1e-10)
    for key in ("modes", "s"):
        np.testing.assert_allclose(found[key][0], expected[key][0], rtol=1e-7, atol=1e-9)


def test_the_start_of_the_mode_search_does_not_matter():
    criterion = agq_criterion(drawn(Poisson("log"), RANDOM[2], seed=27).laplace(), 5)
    x = point(criterion.laplace, seed=28)
    near = criterion(x + 0.1)
    assert criterion(x, near).value == pytest.approx(criterion(x).value, rel=1e-12)


def test_no_mode_is_an_infinite_value():
    criterion = agq_criterion(drawn(Gamma("inverse"), RANDOM[1], seed=29).laplace(), 5)
    x = point(criterion.laplace, seed=30)
    x[1:4] *= -1.0
    found = criterion(x)
    assert found.value == np.inf
    assert np.isnan(found.gradient).all()


def test_it_has_the_shape_of_a_laplace_criterion():
    laplace = drawn(Gamma("log"), RANDOM[2], seed=31).laplace()
    criterion = agq_criterion(laplace, 3)
    assert criterion.sizes == laplace.sizes == (3, 3, 1)
    assert not criterion.joint
    assert criterion.with_joint(False) is criterion
    fast = criterion.with_joint(True)
    assert fast.joint
    assert fast.core is laplace.core
    for part in ("design", "family", "products", "layout", "basis", "core"):
        assert getattr(criterion, part) is getattr(laplace, part)
    theta, beta, t = criterion.split(np.arange(7.0))
    assert (theta.tolist(), beta.tolist(), t) == ([0, 1, 2], [3, 4, 5], 6.0)


# ---- the rule --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 1), (5, 1), (100, 1), (4, 2), (51, 2), (3, 3), (25, 3)])
def test_the_rule_integrates_moments_of_the_standard_normal_distribution(n, k):
    z, log_w = normal_rule(n, k)
    w = np.exp(log_w)
    assert z.shape == (n**k, k)
    assert w.sum() == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_allclose(w @ z, 0.0, atol=1e-14)
    if n > 1:
        np.testing.assert_allclose((z * w[:, None]).T @ z, np.eye(k), atol=1e-12)
    if n > 2:
        np.testing.assert_allclose(w @ z**4, 3.0, rtol=1e-12)
    np.testing.assert_array_equal(np.sort(z[:, 0]), -np.sort(z[:, 0])[::-1])


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nagq", [0, -3, 2.0, True, "7", None])
def test_nagq_is_a_positive_whole_number(nagq):
    with pytest.raises(DataError, match=r"nagq=.*whole number"):
        agq_criterion(drawn(Poisson("log"), RANDOM[1], seed=33).laplace(), nagq)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_there_is_a_largest_number_of_nodes(k):
    laplace = drawn(Poisson("log"), RANDOM[k], seed=34).laplace()
    assert agq_criterion(laplace, np.int64(MOST_NODES[k])).nagq == MOST_NODES[k]
    with pytest.raises(DataError, match=rf"nagq={MOST_NODES[k] + 1}: at most {MOST_NODES[k]} nodes .* {k} column"):
        agq_criterion(laplace, MOST_NODES[k] + 1)


def two_factors() -> Model:
    one = drawn(Poisson("log"), RANDOM[1], seed=35)
    rng = np.random.default_rng(36)
    data = {"y": one.design.y, "g": rng.integers(0, 5, 80).astype(str), "h": rng.integers(0, 4, 80).astype(str)}
    return Model(design("y ~ 1 + (1 | g) + (1 | h)", data, weights=one.design.row_weights), one.family)


def test_several_grouping_factors_are_refused():
    with pytest.raises(DataError, match=r"nagq > 1 needs one grouping factor; the model has 2 \(g, h\); use nagq=1"):
        agq_criterion(two_factors().laplace(), 2)


def test_more_than_three_columns_are_refused():
    laplace = drawn(Poisson("log"), "(1 + a + x + I(a * x) | g)", seed=37).laplace()
    with pytest.raises(DataError, match=r"at most 3 columns of random effects; g has 4; use nagq=1"):
        agq_criterion(laplace, 2)


def test_expected_information_is_refused():
    model = drawn(Binomial("probit"), RANDOM[1], seed=38)
    laplace = laplace_criterion(model.design, model.family, expected=True)
    with pytest.raises(DataError, match="no variant with the expected information"):
        agq_criterion(laplace, 2)


def test_the_core_checks_what_it_is_given():
    one, several = drawn(Poisson("log"), RANDOM[1], seed=39).laplace(), two_factors().laplace()
    assert isinstance(one.core, _core.Glmm)
    z, w = normal_rule(3, 1)
    for core, theta, nodes, weights in [
        (one.core, np.ones(1), normal_rule(3, 2)[0], normal_rule(3, 2)[1]),
        (one.core, np.ones(1), z, w[:2]),
        (one.core, np.ones(2), z, w),
        (several.core, np.ones(2), z, w),
    ]:
        beta = np.zeros(3 if core is one.core else 1)
        with pytest.raises(ValueError, match=r"fit|length"):
            core.quadrature(theta, beta, 0.0, [], nodes, weights, 1e-10)
