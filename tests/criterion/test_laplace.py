"""The Laplace criterion: its value and Hessian. Its gradient is in `test_generalized_gradient`."""

from __future__ import annotations

import numpy as np
import pytest
from families.cases import FAMILIES, name
from scipy.linalg import block_diag
from support import reference
from support.generalized import drawn, point

from mixedeffects.criterion.differences import hessian_by_differences
from mixedeffects.criterion.laplace import laplace_criterion
from mixedeffects.design import design
from mixedeffects.families import (
    Binomial,
    Gamma,
    NegativeBinomial,
    Poisson,
)

SEVERAL = "(1 + a | g) + (1 + x | h)"
RANDOM = {
    "crossed": "(1 | subj) + (1 | item)",
    "vector": "(1 + a | subj)",
    "nested": "(1 | subj/half)",
    "several": "(1 + a | subj) + (1 + B | item)",
}


def problem(family, random, *, expected=False):
    """A criterion with made-up responses, and parameters near them."""
    frame = reference.load_data("sim_cross")
    rng = np.random.default_rng(4)
    n = len(frame)
    frame["half"] = np.where(np.arange(n) % 2, "one", "two")
    eta = 0.5 + 0.1 * rng.normal(size=n) + (2.0 if family.link.name == "inverse" else 0.0)
    trials = rng.integers(1, 6, n).astype(float) if family.name == "binomial" else np.ones(n)
    y = family.simulate(family.link.inverse(eta), trials, np.full(n, -1.0), rng)
    frame["made"] = np.clip(y, 1e-3, 1 - 1e-3) if family.name == "beta" else y
    options = {"offset": 0.01 * rng.normal(size=n), "weights": trials}
    arrays = design(f"made ~ A + {random}", frame, **options, allow_observation_level=True)
    criterion = laplace_criterion(arrays, family, expected=expected)
    theta = [0.12 if row == column else 0.03 for _, row, column in criterion.layout.entries()]
    beta = criterion.basis.R @ np.linalg.lstsq(arrays.X, eta, rcond=None)[0]
    return criterion, np.concatenate([theta, beta, [-0.8] * criterion.sizes[2]]), trials


@pytest.mark.parametrize("expected", [False, True])
@pytest.mark.parametrize("random", RANDOM)
@pytest.mark.parametrize(
    "family", [Binomial("logit"), Binomial("probit"), Poisson("log"), NegativeBinomial("log")], ids=repr
)
def test_the_hessian_is_that_of_differences_with_modes_searched_for(family, random, expected):
    criterion, x, _ = problem(family, RANDOM[random], expected=expected)
    point = criterion(x)
    step = np.full(len(x), 1e-4)
    found = criterion.hessian(x, point, step)
    searched = hessian_by_differences([lambda at: criterion(at, point).gradient], x, step)
    np.testing.assert_allclose(found, searched, rtol=0, atol=1e-6 * np.abs(searched).max())
    np.testing.assert_array_equal(criterion.hessian(x, point, step, 3), found)


@pytest.mark.parametrize("family", [Binomial("probit"), NegativeBinomial("log")], ids=repr)
def test_the_hessian_of_a_point_nearby(family):
    """Its mode is followed to first order: the error falls with the square of the distance."""
    criterion, x, _ = problem(family, RANDOM["several"])
    point, step = criterion(x), np.full(len(x), 1e-4)
    direction = np.random.default_rng(2).normal(size=len(x))
    errors = []
    for distance in (4e-3, 1e-3):
        shift = distance * direction / np.linalg.norm(direction)
        there = criterion(x + shift, point)
        apart = criterion.hessian(x, point, step, 1, shift) - criterion.hessian(x + shift, there, step)
        moved = criterion.hessian(x + shift, there, step) - criterion.hessian(x, point, step)
        errors.append(np.abs(apart).max())
        assert errors[-1] < 0.05 * np.abs(moved).max()
    assert errors[1] < errors[0] / 8.0


@pytest.mark.parametrize("family", [Binomial("logit"), Gamma("log")], ids=repr)
def test_the_hessian_of_the_fast_approximation(family):
    criterion, x, _ = problem(family, RANDOM["several"])
    fast = criterion.with_joint(True)
    d, p, _ = criterion.sizes
    short = np.delete(x, np.arange(d, d + p))
    point = fast(short, criterion(x))
    step = np.full(len(short), 1e-4)
    searched = hessian_by_differences([lambda at: fast(at, point).gradient], short, step)
    np.testing.assert_allclose(fast.hessian(short, point, step), searched, rtol=0, atol=1e-6 * np.abs(searched).max())


def test_the_hessian_at_the_edge_of_what_the_means_can_be_is_not_a_number():
    criterion, x, _ = problem(Poisson("identity"), RANDOM["crossed"])
    point = criterion(x)
    assert np.isnan(criterion.hessian(x, point, np.full(len(x), 10.0))).all()


@pytest.mark.parametrize("random", RANDOM)
def test_the_curvature_is_average_information_of_the_linear_model_at_the_mode(random):
    criterion, x, _ = problem(Binomial("probit"), RANDOM[random])
    fast = criterion.with_joint(True)
    layout = criterion.layout
    theta = x[: criterion.sizes[0]]
    point = fast(theta, criterion(x))
    Z = working_blocks(criterion)
    factors = layout.factors(theta)
    W = -criterion.family.derivatives(criterion.design.y, point.raw["eta"], criterion.design.row_weights, 0.0).d2
    inverse = np.linalg.inv(covariance(criterion, Z, W, factors))
    modes = [raw[:, layout.columns_of(i)] for i, raw in enumerate(by_term(layout, point.raw["modes"]))]
    Py = [solve_modes(L, b) for L, b in zip(factors, modes, strict=True)]
    moved = []
    for i, L in enumerate(factors):
        for c in range(len(L)):
            for r in range(c, len(L)):
                E = np.zeros_like(L)
                E[r, c] = 1.0
                dS = E @ L.T + L @ E.T
                moved.append((i, r, c, Z[i] @ (Py[i] @ dS).ravel()))
    G = [point.raw["G"][layout.block_of[i]][layout.columns_of(i), layout.columns_of(i)] for i in range(len(factors))]
    dense = np.array(
        [
            [v @ inverse @ w + (2.0 * G[i][r, s] if (i, c) == (j, e) else 0.0) for j, s, e, w in moved]
            for i, r, c, v in moved
        ]
    )
    np.testing.assert_allclose(point.raw["curvature"], dense, rtol=0, atol=1e-7 * np.abs(dense).max())


@pytest.mark.parametrize("random", RANDOM)
def test_the_start_is_the_minimum_of_the_linear_model_at_the_mode(random):
    criterion, x, _ = problem(Binomial("probit"), RANDOM[random])
    layout, design = criterion.layout, criterion.design
    d = layout.n_theta
    begin = x[:d] + np.array([0.4 if row == column else 0.0 for _, row, column in layout.entries()])
    mode = criterion.with_joint(True)(begin, criterion(x))
    start = criterion.core.linear_start(begin, mode.raw["beta"], 0.0, mode.raw["s"], 1e-11)
    theta, beta, s = start["theta"], start["beta"], start["s"]
    eta = mode.raw["eta"]
    found = criterion.family.derivatives(design.y, eta, design.row_weights, 0.0)
    y, X, Z = (
        eta - design.offset - found.d1 / found.d2,
        design.X @ np.linalg.inv(criterion.basis.R),
        working_blocks(criterion),
    )

    def solved(theta):
        V = covariance(criterion, Z, -found.d2, layout.factors(theta))
        inverse = np.linalg.inv(V)
        b = np.linalg.solve(X.T @ inverse @ X, X.T @ inverse @ y)
        return np.linalg.slogdet(V)[1] + (y - X @ b) @ inverse @ (y - X @ b), b, inverse @ (y - X @ b)

    least, b, Py = solved(theta)
    np.testing.assert_allclose(beta, b, rtol=0, atol=1e-6 * np.abs(b).max())
    for i, z in enumerate(Z):
        own = by_term(layout, s)[i][:, layout.columns_of(i)]
        np.testing.assert_allclose(own, (z.T @ Py).reshape(own.shape), rtol=0, atol=1e-6 * np.abs(z.T @ Py).max())
    for j in range(d):
        for h in (-1e-3, 1e-3):
            assert solved(theta + h * np.eye(d)[j])[0] > least - 1e-12


@pytest.mark.parametrize("expected", [False, True], ids=["observed", "expected"])
@pytest.mark.parametrize("family", FAMILIES, ids=name)
def test_the_value_is_the_dense_one(family, expected):
    model = drawn(family, SEVERAL, seed=51)
    criterion = laplace_criterion(model.design, model.family, expected=expected)
    x = point(criterion, seed=52)
    theta, beta, t = criterion.split(x)
    arrays, basis, weights = criterion.design, criterion.basis, criterion.design.row_weights
    factors = [np.linalg.solve(T, L) for T, L in zip(basis.T, criterion.layout.factors(theta), strict=True)]
    blocks = [np.kron(np.eye(b.factor.n_levels), L) for b, L in zip(arrays.terms, factors, strict=True)]
    ZL = arrays.Z.toarray() @ block_diag(*blocks)
    fixed = arrays.X @ np.linalg.solve(basis.R, beta) + arrays.offset
    u = np.zeros(ZL.shape[1])
    for _ in range(200):
        found = family.derivatives(arrays.y, fixed + ZL @ u, weights, t)
        u = u + np.linalg.solve(ZL.T @ (found.expected[:, None] * ZL) + np.eye(len(u)), ZL.T @ found.d1 - u)
    found = family.derivatives(arrays.y, fixed + ZL @ u, weights, t)
    np.testing.assert_allclose(ZL.T @ found.d1, u, rtol=0, atol=1e-9)  # the mode
    W = found.expected if expected else -found.d2
    M = ZL.T @ (W[:, None] * ZL) + np.eye(len(u))
    loglik = family.loglik(arrays.y, fixed + ZL @ u, weights, t).sum()
    assert criterion(x).value == pytest.approx(u @ u - 2 * loglik + np.linalg.slogdet(M)[1], rel=1e-11)


def working_blocks(criterion):
    """Return for every term its dense part of Z in the working columns."""
    blocks, at = [], 0
    for term, T in zip(criterion.design.terms, criterion.basis.T, strict=True):
        width = term.factor.n_levels * len(T)
        own = criterion.design.Z.toarray()[:, at : at + width]
        blocks.append(own @ np.kron(np.eye(term.factor.n_levels), np.linalg.inv(T)))
        at += width
    return blocks


def covariance(criterion, Z, W, factors):
    """Return the covariance matrix of the working response."""
    levels = [term.factor.n_levels for term in criterion.design.terms]
    parts = zip(Z, levels, factors, strict=True)
    return np.diag(1.0 / W) + sum(z @ np.kron(np.eye(J), L @ L.T) @ z.T for z, J, L in parts)


def by_term(layout, blocks):
    """Return for every term the array of its block."""
    return [blocks[layout.block_of[i]] for i in range(len(layout.widths))]


def solve_modes(L, b):
    """Return s with b = S s, S = LL'."""
    return np.linalg.solve(L @ L.T, b.T).T


def test_at_zero_variances_it_is_an_ordinary_generalized_model():
    family = Poisson("log")
    criterion, x, trials = problem(family, RANDOM["crossed"])
    d = criterion.sizes[0]
    x[:d] = 0.0
    point = criterion(x)
    eta = criterion.design.X @ np.linalg.solve(criterion.basis.R, x[d:]) + criterion.design.offset
    assert point.value == pytest.approx(-2 * family.loglik(criterion.design.y, eta, trials, 0.0).sum(), rel=1e-13)
    np.testing.assert_array_equal(point.gradient[:d], 0.0)


def test_the_mode_does_not_depend_on_where_the_search_starts():
    criterion, x, _ = problem(Binomial("logit"), RANDOM["several"])
    cold = criterion(x)
    far = criterion(np.concatenate([2.0 * x[: criterion.sizes[0]], x[criterion.sizes[0] :] + 1.0]))
    warm = criterion(x, far)
    assert warm.value == pytest.approx(cold.value, rel=1e-13)
    np.testing.assert_allclose(warm.gradient, cold.gradient, rtol=0, atol=1e-8 * np.abs(cold.gradient).max())
