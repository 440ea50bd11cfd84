"""The search for the variance between areas: exact derivatives, the global maximum, and the boundary."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize

import mixedeffects as me
from mixedeffects.sae.fay_herriot import weighted_least_squares
from mixedeffects.sae.variance import AreaModel, estimate, moments


def problem(seed, m=12, p=2, method="reml"):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(m), rng.normal(size=(m, p - 1))])
    D = np.exp(rng.normal(0.0, 1.5, m))
    y = rng.normal(size=m) * np.sqrt(0.5 + D)
    return AreaModel(X=X, D=D, method=method), y


def dense_criterion(model, y, A):
    """Minus twice the (restricted) log-likelihood from V itself."""
    V = np.diag(A + model.D)
    W = np.linalg.inv(V)
    S = model.X.T @ W @ model.X
    r = y - model.X @ np.linalg.solve(S, model.X.T @ W @ y)
    value = np.linalg.slogdet(V)[1] + r @ W @ r
    if model.method == "reml":
        return value + np.linalg.slogdet(S)[1] + (len(y) - model.X.shape[1]) * np.log(2.0 * np.pi)
    return value + len(y) * np.log(2.0 * np.pi)


@pytest.mark.parametrize("method", ["reml", "ml", "fh"])
@pytest.mark.parametrize("A", [0.05, 0.7, 20.0])
def test_value_score_and_slope(method, A):
    model, y = problem(1, method=method)

    def at(a):
        return moments(model, np.array([a]), y[None, :])

    h = 1e-5 * A
    if method != "fh":
        assert at(A).value[0] == pytest.approx(dense_criterion(model, y, A), rel=1e-12)
        difference = (dense_criterion(model, y, A + h) - dense_criterion(model, y, A - h)) / (2.0 * h)
        assert at(A).score[0] == pytest.approx(-0.5 * difference, rel=1e-6, abs=1e-7)
    else:
        W = np.diag(1.0 / (A + model.D))
        P = W - W @ model.X @ np.linalg.solve(model.X.T @ W @ model.X, model.X.T @ W)
        assert at(A).score[0] == pytest.approx(y @ P @ y - 10, rel=1e-11)
    slope = (at(A + h).score[0] - at(A - h).score[0]) / (2.0 * h)
    assert at(A).slope[0] == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_the_criterion_is_that_of_the_model():
    model, y = problem(4)
    frame = {"y": y, "x": model.X[:, 1], "D": model.D}
    for method in ("reml", "ml"):
        found = me.sae.area_level("y ~ x", frame, variance="D", method=method)
        A = found.variance_components["area"]
        assert A > 0.0
        expected = dense_criterion(AreaModel(X=model.X, D=model.D, method=method), y, A)
        assert found.criterion == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_no_point_of_a_fine_grid_is_better(method):
    """With sampling variances over several orders of magnitude there are often two maxima, one of them at 0."""
    grid = np.concatenate([[0.0], np.geomspace(1e-5, 1e4, 500)])
    several = boundary = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        D = np.exp(rng.normal(0.0, 2.5, 6))
        y = rng.normal(0.0, np.sqrt(0.3 + D * rng.choice([0.3, 3.0], 6)))
        model = AreaModel(X=np.ones((6, 1)), D=D, method=method)
        at = [moments(model, np.array([A]), y[None, :]) for A in grid]
        values, scores = np.array([a.value[0] for a in at]), np.array([a.score[0] for a in at])
        several += (scores[0] <= 0.0) + np.sum((scores[:-1] > 0.0) & (scores[1:] <= 0.0)) > 1
        A = estimate(model, y[None, :])
        boundary += A[0] == 0.0
        found = moments(model, A, y[None, :])
        assert found.value[0] <= values.min() + 1e-10
        if A[0] > 0.0:
            assert abs(found.score[0] / found.slope[0]) < 1e-9 * A[0]
            assert found.slope[0] < 0.0
        else:
            assert found.score[0] <= 0.0
    assert several >= 2
    assert boundary >= 10


def test_the_moment_equation_is_solved():
    solved = 0
    for seed in range(20):
        model, y = problem(seed, method="fh")

        def equation(A, model=model, y=y):
            return moments(model, np.array([A]), y[None, :]).score[0]

        A = estimate(model, y[None, :])[0]
        if equation(0.0) <= 0.0:
            assert A == 0.0
        else:
            solved += 1
            assert pytest.approx(optimize.brentq(equation, 0.0, 1e4, xtol=1e-13), rel=1e-9) == A
    assert solved >= 5


@pytest.mark.parametrize("method", ["reml", "ml", "fh"])
def test_many_responses_at_once_are_one_at_a_time(method):
    model, _ = problem(2, method=method)
    Y = np.random.default_rng(0).normal(size=(30, 12)) * np.sqrt(0.3 + model.D)
    alone = np.array([estimate(model, y[None, :])[0] for y in Y])
    np.testing.assert_allclose(estimate(model, Y), alone, rtol=1e-9, atol=1e-12)
    assert (alone == 0.0).any()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_do_not_matter(scale):
    model, y = problem(4)
    A = estimate(model, y[None, :])[0]
    other = AreaModel(X=model.X * [1.0, 1e7], D=model.D * scale**2, method="reml")
    assert estimate(other, y[None, :] * scale)[0] == pytest.approx(A * scale**2, rel=1e-9)


def test_a_variance_of_zero_is_said():
    frame = {"y": [1.0, 1.1, 0.9, 1.05, 0.95, 1.0], "D": [1.0, 2.0, 1.5, 1.0, 2.0, 1.0]}
    found = me.sae.area_level("y ~ 1", frame, variance="D")
    assert found.is_singular
    assert found.variance_components["area"] == 0.0
    assert (found.gamma == 0.0).all()
    np.testing.assert_allclose(found.eblup, found.synthetic, rtol=1e-14)
    assert "estimated as 0" in str(found)
    assert (found.mse > 0.0).all()


@pytest.mark.parametrize("method", ["reml", "ml", "fh"])
@pytest.mark.parametrize(("shift", "close"), [(1e5, 1e-9), (1e7, 1e-7)])
def test_where_a_covariate_has_its_zero_does_not_matter(method, shift, close):
    """The shifted covariate itself is rounded to 1e-11 and 1e-9."""
    rng = np.random.default_rng(3)
    x, D = rng.normal(size=40), rng.uniform(0.2, 2.0, 40)
    data = {"x": x, "D": D, "y": 1.0 + x + rng.normal(size=40) * np.sqrt(1.0 + D)}
    data["y"][3] = np.nan
    for mse in ("analytic", "bootstrap"):
        options = {"variance": "D", "method": method, "mse": mse, "n_bootstrap": 20, "rng": 1, "unsampled": "synthetic"}
        here = me.sae.area_level("y ~ x", data, **options)
        there = me.sae.area_level("y ~ x", {**data, "x": x + shift}, **options)
        assert there.names == here.names
        for name in ("eblup", "mse", "synthetic", "gamma"):
            np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=close, atol=close)
        assert there.fixef["x"] == pytest.approx(here.fixef["x"], rel=close)
        assert there.vcov.loc["x", "x"] == pytest.approx(here.vcov.loc["x", "x"], rel=close)
        if method != "fh":
            assert there.criterion == pytest.approx(here.criterion, rel=close)


@pytest.mark.parametrize("smallest", [1e-12, 1e-20])
def test_very_unequal_variances_cost_no_digits(smallest):
    """One area is known almost exactly; the normal equations are solved in rational numbers."""
    rng = np.random.default_rng(1)
    X, y, V = np.column_stack([np.ones(9), rng.normal(size=9)]), rng.normal(size=9), rng.uniform(0.5, 2.0, 9)
    V[6] = smallest
    weights = [1 / Fraction(v) for v in V.tolist()]
    rows = [[Fraction(v) for v in row] for row in X.tolist()]
    normal = [[sum(w * r[i] * r[j] for w, r in zip(weights, rows, strict=True)) for j in (0, 1)] for i in (0, 1)]
    right = [sum(w * r[i] * Fraction(v) for w, r, v in zip(weights, rows, y.tolist(), strict=True)) for i in (0, 1)]
    det = normal[0][0] * normal[1][1] - normal[0][1] ** 2
    beta = [normal[1][1] * right[0] - normal[0][1] * right[1], normal[0][0] * right[1] - normal[0][1] * right[0]]
    found, root = weighted_least_squares(X, V, y)
    np.testing.assert_allclose(found, [float(b / det) for b in beta], rtol=1e-12)
    np.testing.assert_allclose((root @ root.T)[1, 1], float(normal[0][0] / det), rtol=1e-12)


@pytest.mark.parametrize("method", ["reml", "ml", "fh"])
def test_areas_that_are_known_almost_exactly_keep_their_estimates(method):
    rng = np.random.default_rng(3)
    x, D = rng.normal(size=40), rng.uniform(0.2, 2.0, 40)
    y = 1.0 + x + rng.normal(size=40) * np.sqrt(1.0 + D)
    D[:5] = 1e-18
    found = me.sae.area_level("y ~ x", {"x": x, "y": y, "D": D}, variance="D", method=method)
    assert not found.is_singular
    np.testing.assert_allclose(found.eblup[:5], y[:5], rtol=1e-15)
    np.testing.assert_allclose(found.mse[:5], 1e-18, rtol=1e-12)


def test_a_variance_that_is_zero_to_rounding_is_on_the_boundary():
    found = me.sae.area_level("y ~ 1", {"y": [1.0, 2.0, 4.0, 3.0], "D": [0.2] * 4}, variance="D")
    assert not found.is_singular
    assert not dataclasses.replace(found.found, A=2.1e-9).is_singular
    assert dataclasses.replace(found.found, A=1.9e-9).is_singular
