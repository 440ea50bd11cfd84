"""The dense criterion against differences of itself, textbook formulas with explicit matrices, and lme4's fits.

Tolerances: values at lme4's theta 1e-9 relative (the criterion is flat there and known to 1e-12); estimates 1e-5 of the
size of their array (tests/reference/README.md); derivatives 1e-6 of their own size or that of the value.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support import reference
from support.shapes import Shape, shapes, thetas

from mixedeffects.criterion.reference import DenseCriterion, DenseTerm, from_design
from mixedeffects.errors import DataError

SHAPES = {shape.name: shape for shape in shapes()}
POINTS = [
    pytest.param(shape, theta, id=f"{shape.name}-{kind}")
    for shape in SHAPES.values()
    for kind, theta in thetas(shape.terms).items()
]


def difference(function, theta, direction, step=1e-3):
    """First derivative along a direction, with an error of order step^4."""
    near = function(theta + step * direction) - function(theta - step * direction)
    far = function(theta + 2 * step * direction) - function(theta - 2 * step * direction)
    return (8 * near - far) / (12 * step)


def assert_close(actual, expected, tolerance, scale=0.0):
    """Compare arrays to a tolerance relative to the largest expected entry, or to `scale` where that is larger."""
    expected = np.asarray(expected, dtype=float)
    assert np.shape(actual) == expected.shape
    size = max(scale, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * size)


def is_nested(finer: DenseTerm, coarser: DenseTerm) -> bool:
    return len(np.unique(np.column_stack([finer.codes, coarser.codes]), axis=0)) == finer.n_levels


@pytest.mark.parametrize("shape", SHAPES.values(), ids=lambda shape: shape.name)
def test_shapes_are_what_their_names_say(shape):
    levels = [t.n_levels for t in shape.terms]
    assert levels == sorted(levels, reverse=True)
    assert all(np.array_equal(np.unique(t.codes), np.arange(t.n_levels)) for t in shape.terms)
    assert 60 <= len(shape.y) <= 150
    pairs = [is_nested(a, b) for a, b in zip(shape.terms, shape.terms[1:], strict=False)]
    if "nested" in shape.name and "crossed" not in shape.name:
        assert all(pairs)
    elif "crossed" in shape.name:
        assert not all(pairs)


# ---- derivatives -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "theta"), POINTS)
def test_gradient_is_the_derivative_of_the_value(shape, theta):
    criterion = shape.criterion()
    at = criterion.evaluate(theta)
    numeric = [difference(lambda x: criterion.evaluate(x).value, theta, e) for e in np.eye(len(theta))]
    assert_close(at.gradient, numeric, 1e-6, scale=1.0)


@pytest.mark.parametrize(("shape", "theta"), POINTS)
def test_hessian_is_the_derivative_of_the_gradient(shape, theta):
    criterion = shape.criterion()
    at = criterion.evaluate(theta)
    numeric = [difference(lambda x: criterion.evaluate(x).gradient, theta, e, 2e-4) for e in np.eye(len(theta))]
    assert_close(at.hessian, numeric, 1e-6)
    for A in (at.hessian, at.average_information, *at.G):
        np.testing.assert_array_equal(A, A.T)


@pytest.mark.parametrize(("shape", "theta"), POINTS)
def test_hessian_is_the_second_derivative_of_the_value(shape, theta):
    criterion = shape.criterion()
    direction = np.random.default_rng(3).normal(size=len(theta))
    step = 2e-3
    values = [criterion.evaluate(theta + i * step * direction).value for i in (-2, -1, 0, 1, 2)]
    numeric = np.dot([-1, 16, -30, 16, -1], values) / (12 * step**2)
    hessian = criterion.evaluate(theta).hessian
    assert_close(direction @ hessian @ direction, numeric, 1e-5, scale=np.abs(hessian).max())


@pytest.mark.parametrize(("shape", "theta"), POINTS)
def test_G_is_the_derivative_in_the_relative_covariance(shape, theta):
    """Compare with the value as a function of S itself: n x n, no theta, no QR, one-sided where S is singular."""
    criterion = shape.criterion()
    at = criterion.evaluate(theta)
    S = [F @ F.T for F in criterion.factors(theta)]
    rng = np.random.default_rng(4)
    for t, G in enumerate(at.G):
        a = rng.normal(size=(len(G), 2))
        direction = a @ a.T

        def value(h, t=t, direction=direction):
            return value_from_covariances(shape, [S_s + h * direction if s == t else S_s for s, S_s in enumerate(S)])

        h = 1e-5
        numeric = np.dot([-25, 48, -36, 16, -3], [value(i * h) for i in range(5)]) / (12 * h)
        assert_close(np.sum(G * direction), numeric, 1e-6, scale=np.abs(G).max() * np.abs(direction).max())


def explicit(shape: Shape, S: list[np.ndarray]):
    """V and the Z of each term, by loops over rows."""
    n = len(shape.y)
    V = np.diag(1 / shape.weights) if shape.weights is not None else np.eye(n)
    Zs = []
    for term, S_t in zip(shape.terms, S, strict=True):
        k = term.columns.shape[1]
        Z = np.zeros((n, term.n_levels * k))
        for i, level in enumerate(term.codes):
            Z[i, level * k : (level + 1) * k] = term.columns[i]
        V = V + Z @ np.kron(np.eye(term.n_levels), S_t) @ Z.T
        Zs.append(Z)
    return V, Zs


def value_from_covariances(shape: Shape, S: list[np.ndarray]) -> float:
    V, _ = explicit(shape, S)
    n, p = shape.X.shape
    Vi = np.linalg.inv(V)
    information = shape.X.T @ Vi @ shape.X
    residual = shape.y - shape.X @ np.linalg.solve(information, shape.X.T @ Vi @ shape.y)
    m = n - p if shape.reml else n
    value = np.linalg.slogdet(V)[1] + m * (1 + np.log(2 * np.pi * (residual @ Vi @ residual) / m))
    return value + (np.linalg.slogdet(information)[1] if shape.reml else 0.0)


@pytest.mark.parametrize(("shape", "theta"), POINTS)
def test_average_information_by_its_definition(shape, theta):
    criterion = shape.criterion()
    at = criterion.evaluate(theta)
    factors = criterion.factors(theta)
    V, Zs = explicit(shape, [F @ F.T for F in factors])
    n, p = shape.X.shape
    m = n - p if shape.reml else n
    Vi = np.linalg.inv(V)
    P = Vi - Vi @ shape.X @ np.linalg.solve(shape.X.T @ Vi @ shape.X, shape.X.T @ Vi)
    rss = shape.y @ P @ shape.y
    expected = np.zeros_like(at.hessian)
    Ve = []
    for t, a, b in criterion.entries:
        E = np.zeros_like(factors[t])
        E[a, b] = 1.0
        inner = E @ factors[t].T + factors[t] @ E.T
        Ve.append(Zs[t] @ np.kron(np.eye(shape.terms[t].n_levels), inner) @ Zs[t].T)
    for i, (t, a, b) in enumerate(criterion.entries):
        for j, (s, c, d) in enumerate(criterion.entries):
            q_i, q_j = (shape.y @ P @ Ve[e] @ P @ shape.y for e in (i, j))
            B = shape.y @ P @ Ve[i] @ P @ Ve[j] @ P @ shape.y
            expected[i, j] = m * (B / rss - q_i * q_j / rss**2)
            if (t, b) == (s, d):
                expected[i, j] += 2 * at.G[t][a, c]
    assert_close(at.average_information, expected, 1e-9, scale=max(np.abs(G).max() for G in at.G))


@pytest.mark.parametrize(
    "name", ["correlated slope", "crossed, vectors on both", "nested, more effects on the coarser"]
)
def test_gradient_and_curvature_at_lambda_zero(name):
    """At Lambda = 0 the gradient vanishes and the curvature is 2 G whatever the other parts are."""
    shape = SHAPES[name]
    at = shape.criterion().evaluate(np.zeros(len(shape.criterion().entries)))
    np.testing.assert_array_equal(at.gradient, 0.0)
    np.testing.assert_allclose(at.hessian, at.average_information, rtol=1e-12)
    np.testing.assert_allclose(at.hessian[0, 0], 2 * at.G[0][0, 0], rtol=1e-12)


# ---- the value and the estimates, by other formulas ------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "theta"), POINTS)
def test_value_is_minus_twice_the_log_likelihood(shape, theta):
    """REML: the density of n - p orthonormal error contrasts, whose determinant leaves out X'X."""
    criterion = shape.criterion()
    at = criterion.evaluate(theta)
    V, _ = explicit(shape, [F @ F.T for F in criterion.factors(theta)])
    n, p = shape.X.shape
    contrasts = np.linalg.qr(shape.X, mode="complete")[0][:, p:] if shape.reml else np.eye(n)
    z = contrasts.T @ (shape.y - shape.X @ at.beta)
    covariance = at.sigma**2 * contrasts.T @ V @ contrasts
    expected = len(z) * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1] + z @ np.linalg.solve(covariance, z)
    if shape.reml:
        expected += np.linalg.slogdet(shape.X.T @ shape.X)[1]
    assert at.value == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("shape", "theta"), POINTS)
def test_estimates_solve_the_penalized_least_squares_problem(shape, theta):
    """Henderson's form: (beta, u) minimize ||W^1/2 (y - X beta - Z Lambda u)||^2 + ||u||^2."""
    criterion = shape.criterion()
    at = criterion.evaluate(theta)
    factors = criterion.factors(theta)
    _, Zs = explicit(shape, [F @ F.T for F in factors])
    Lambdas = [np.kron(np.eye(t.n_levels), F) for t, F in zip(shape.terms, factors, strict=True)]
    n, p = shape.X.shape
    root_w = np.ones(n) if shape.weights is None else np.sqrt(shape.weights)
    ZL = np.hstack([Z @ L for Z, L in zip(Zs, Lambdas, strict=True)])
    q = ZL.shape[1]
    A = np.block([[root_w[:, None] * shape.X, root_w[:, None] * ZL], [np.zeros((q, p)), np.eye(q)]])
    rhs = np.concatenate([root_w * shape.y, np.zeros(q)])
    solution = np.linalg.lstsq(A, rhs)[0]
    m = n - p if shape.reml else n
    assert at.sigma**2 == pytest.approx(np.sum((rhs - A @ solution) ** 2) / m, rel=1e-10)
    assert_close(at.beta, solution[:p], 1e-9)
    assert_close(np.concatenate([u.ravel() for u in at.u]), solution[p:], 1e-9, scale=1.0)
    assert_close(at.vcov, at.sigma**2 * np.linalg.inv(A.T @ A)[:p, :p], 1e-9)
    for u, b, F in zip(at.u, at.b, factors, strict=True):
        assert_close(b, u @ F.T, 1e-12, scale=1.0)


@pytest.mark.parametrize(("shape", "theta"), POINTS)
def test_conditional_variance_from_the_marginal_one(shape, theta):
    """Var(b | y, beta) = sigma^2 (S - S Z'V^-1 Z S)."""
    criterion = shape.criterion()
    at = criterion.evaluate(theta)
    S = [F @ F.T for F in criterion.factors(theta)]
    V, Zs = explicit(shape, S)
    for term, S_t, Z, variance in zip(shape.terms, S, Zs, at.conditional_variance, strict=True):
        big = np.kron(np.eye(term.n_levels), S_t)
        full = at.sigma**2 * (big - big @ Z.T @ np.linalg.solve(V, Z @ big))
        k = len(S_t)
        blocks = np.array([full[j * k : (j + 1) * k, j * k : (j + 1) * k] for j in range(term.n_levels)])
        assert_close(variance, blocks, 1e-9)


def test_joint_conditional_variance_equals_that_of_one_term_with_both_columns():
    apart = SHAPES["two terms on one factor"].criterion()
    together = replace(
        apart,
        terms=(replace(apart.terms[0], columns=np.hstack([t.columns for t in apart.terms])),),
    )
    joint = apart.joint_conditional_variance([0.7, 1.2], [0, 1])
    expected = together.evaluate([0.7, 0.0, 1.2])
    assert_close(joint, expected.conditional_variance[0], 1e-11)
    assert np.abs(joint[:, 0, 1]).min() > 1e-6
    swapped = apart.joint_conditional_variance([0.7, 1.2], [1, 0])
    assert_close(swapped, joint[:, ::-1, ::-1], 1e-12)


def test_identical_partitions_add_their_variances():
    shape = SHAPES["random intercept"]
    twice = replace(shape.criterion(), terms=shape.terms * 2)
    assert twice.evaluate([0.6, 0.8]).value == pytest.approx(shape.criterion().evaluate([1.0]).value, rel=1e-12)


# ---- invariance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["correlated slope", "correlated slope, ML", "weights"])
def test_a_shift_of_y_moves_only_the_intercept(name):
    criterion = SHAPES[name].criterion()
    theta = thetas(criterion.terms)["interior"]
    shifted = replace(criterion, y=criterion.y + 2.0**27).evaluate(theta)
    at = criterion.evaluate(theta)
    assert shifted.value == pytest.approx(at.value, rel=1e-8)
    assert shifted.beta[0] - 2.0**27 == pytest.approx(at.beta[0], abs=1e-6)
    assert_close(shifted.gradient, at.gradient, 1e-6)


@pytest.mark.parametrize(("name", "change"), [("correlated slope", 2 * np.log(1e6)), ("correlated slope, ML", 0.0)])
def test_units_of_a_predictor(name, change):
    criterion = SHAPES[name].criterion()
    theta = thetas(criterion.terms)["interior"]
    scaled = replace(criterion, X=criterion.X * [1.0, 1e6]).evaluate(theta)
    at = criterion.evaluate(theta)
    assert scaled.value - at.value == pytest.approx(change, abs=1e-9)
    assert_close(scaled.beta * [1.0, 1e6], at.beta, 1e-10)
    assert_close(scaled.hessian, at.hessian, 1e-9)


# ---- lme4 ------------------------------------------------------------------------------------------------------------


def fixed_columns(case: dict, frame) -> np.ndarray:
    """The columns of X in the order of the case's coefficients, from their names in R."""

    def column(name):
        if name == "(Intercept)":
            return np.ones(len(frame))
        if ":" in name:
            return np.prod([column(part) for part in name.split(":")], axis=0)
        if name in frame:
            return frame[name].to_numpy(float)
        factor = max((c for c in frame if name.startswith(c)), key=len)
        return (frame[factor] == name.removeprefix(factor)).to_numpy(float)

    return np.column_stack([column(name) for name in case["fixef"]])


def lme4_case(name: str):
    """The criterion of a case; a term whose conditional variances are given one by one becomes one term per column."""
    case = reference.load_case(name)
    frame = reference.load_data(case["dataset"])
    terms = []
    for group, effects in case["ranef"].items():
        labels = frame[group.split(":")].astype(str).agg(":".join, axis=1)
        codes = labels.map({level: j for j, level in enumerate(effects["levels"])}).to_numpy(np.int32)
        Z = fixed_columns({"fixef": effects["columns"]}, frame)
        parts = [Z] if "condVar" in effects else list(Z.T[:, :, None])
        terms += [DenseTerm(codes=codes, columns=part, n_levels=effects["nlevels"]) for part in parts]
    optional = {key: None if case[key] is None else frame[case[key]].to_numpy(float) for key in ("weights", "offset")}
    criterion = DenseCriterion(
        y=frame[case["formula"].split(" ~ ")[0]].to_numpy(float)
        - (0.0 if case["offset"] is None else optional["offset"]),
        X=fixed_columns(case, frame),
        terms=tuple(terms),
        weights=optional["weights"],
        reml=case["REML"],
    )
    return case, criterion


CASES = [
    "sleep_slope_REML", "sleep_slope_ML", "sleep_int_REML", "sleep_dbar_REML", "sleep_dbar_ML", "sleep_nofixint_REML",
    "dyestuff_REML", "dyestuff_ML", "dyestuff2_REML", "penicillin_REML", "penicillin_ML",
    "pastes_nested_REML", "pastes_nested_ML", "machines_vec_REML", "machines_vec_ML", "machines_nested_REML",
    "cross_weights_REML", "cross_weights_ML", "cross_wt_off_REML", "cross_full_REML",
]  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_lme4_published_fit(name):
    case, criterion = lme4_case(name)
    theta = reference.vector(case["theta"])
    at = criterion.evaluate(theta)
    assert at.value == pytest.approx(case["REMLcrit"] if case["REML"] else case["deviance"], rel=1e-9)
    assert at.sigma == pytest.approx(case["sigma"], rel=1e-5)
    assert_close(at.beta, reference.vector(case["fixef"]), 1e-5)
    assert_close(np.sqrt(np.diag(at.vcov)), reference.vector(case["se"]), 1e-5)
    assert_close(at.vcov, reference.matrix(case["vcov"]), 1e-5)
    t = 0
    for effects in case["ranef"].values():
        k = 1 if "condVar" in effects else len(effects["columns"])
        modes = np.hstack(at.b[t : t + k])
        assert_close(modes, effects["values"], 1e-5, scale=1e-12)
        variances = [effects["condVar"]] if "condVar" in effects else list(effects["condVar_terms"].values())
        for actual, expected in zip(at.conditional_variance[t : t + k], variances, strict=True):
            assert_close(actual, expected, 1e-5, scale=1e-12)
        t += k
    assert t == len(criterion.terms)


@pytest.mark.parametrize("name", CASES)
def test_lme4_published_theta_is_a_minimum(name):
    """The Newton decrement is nil there, in units of the criterion, and no direction bends downwards."""
    case, criterion = lme4_case(name)
    at = criterion.evaluate(reference.vector(case["theta"]))
    eigenvalues, vectors = np.linalg.eigh(at.hessian)
    slope = vectors.T @ at.gradient
    floor = 1e-8 * np.abs(eigenvalues).max()
    assert eigenvalues.min() > -floor
    assert 0.5 * np.sum(slope**2 / np.maximum(eigenvalues, floor)) < 1e-8


# ---- construction ----------------------------------------------------------------------------------------------------


def test_from_design_takes_the_offset_from_y():
    case, criterion = lme4_case("cross_wt_off_REML")
    (term,) = criterion.terms
    offset = np.linspace(-5.0, 5.0, len(criterion.y))
    block = SimpleNamespace(
        factor=SimpleNamespace(codes=term.codes, n_levels=term.n_levels), columns=tuple(term.columns.T)
    )
    design = SimpleNamespace(
        y=criterion.y + offset, X=criterion.X, weights=criterion.weights, offset=offset, terms=(block,)
    )
    theta = reference.vector(case["theta"])
    assert from_design(design).evaluate(theta).value == pytest.approx(case["REMLcrit"], rel=1e-9)
    ml = from_design(design, reml=False).evaluate(theta).value
    assert ml == pytest.approx(replace(criterion, reml=False).evaluate(theta).value, rel=1e-12)


def test_from_design_without_weights_and_offset():
    shape = SHAPES["crossed, vectors on both"]
    blocks = [
        SimpleNamespace(factor=SimpleNamespace(codes=t.codes, n_levels=t.n_levels), columns=tuple(t.columns.T))
        for t in shape.terms
    ]
    criterion = from_design(SimpleNamespace(y=shape.y, X=shape.X, weights=None, offset=None, terms=blocks))
    theta = thetas(shape.terms)["interior"]
    assert criterion.evaluate(theta).value == shape.criterion().evaluate(theta).value


def test_theta_is_the_column_major_lower_triangle_of_each_term():
    criterion = SHAPES["crossed, wider on fewer levels"].criterion()
    scalar, wide = criterion.factors([9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    np.testing.assert_array_equal(scalar, [[9.0]])
    np.testing.assert_array_equal(wide, [[1.0, 0.0, 0.0], [2.0, 4.0, 0.0], [3.0, 5.0, 6.0]])


def test_refusals():
    criterion = SHAPES["weights"].criterion()
    with pytest.raises(DataError, match=r"theta has shape \(2,\); these terms need 3 values"):
        criterion.evaluate([1.0, 0.0])
    with pytest.raises(DataError, match="weights must be positive; the smallest is 0"):
        replace(criterion, weights=np.r_[0.0, criterion.weights[1:]])
    with pytest.raises(DataError, match="X has 79 rows, y has 80"):
        replace(criterion, X=criterion.X[1:])
    with pytest.raises(DataError, match="terms is empty"):
        replace(criterion, terms=())
    with pytest.raises(DataError, match="80 observations for 80 fixed effects"):
        replace(criterion, X=np.eye(80))
    crossed = SHAPES["crossed"].criterion()
    with pytest.raises(DataError, match="terms 0 and 1 have different codes"):
        crossed.joint_conditional_variance([1.0, 1.0], [0, 1])
