"""The descent with learnt curvature, on functions whose minima are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mixedeffects._core import QuadraticModel
from mixedeffects.optimize.quasi_newton import descend


@dataclass(frozen=True)
class Value:
    value: float
    gradient: np.ndarray


def rosenbrock(x, near):
    a, b = x
    gradient = np.array([-2 * (1 - a) - 400 * a * (b - a**2), 200 * (b - a**2)])
    return Value((1 - a) ** 2 + 100 * (b - a**2) ** 2, gradient)


def test_a_curved_valley():
    found = descend(rosenbrock, np.array([-1.2, 1.0]), np.eye(2), tolerance=1e-14, max_evaluations=200)
    assert found.converged
    np.testing.assert_allclose(found.x, [1.0, 1.0], atol=1e-6)
    assert found.n_evaluations < 80
    assert len(found.trace) == found.n_evaluations


def test_units_do_not_matter():
    scale = np.array([1e4, 1e-3])  # powers of ten cost digits: the way is not the same to the last, the end is

    def scaled(x, near):
        inner = rosenbrock(x / scale, near)
        return Value(inner.value, inner.gradient / scale)

    start = scale * np.array([-1.2, 1.0])
    found = descend(scaled, start, np.diag(1.0 / scale**2), tolerance=1e-14, max_evaluations=200)
    plain = descend(rosenbrock, np.array([-1.2, 1.0]), np.eye(2), tolerance=1e-14, max_evaluations=200)
    np.testing.assert_allclose(found.x / scale, plain.x, rtol=1e-6)
    assert abs(found.n_evaluations - plain.n_evaluations) <= 3


def test_points_where_there_is_no_value_are_stepped_back_from():
    def walled(x, near):
        if x[0] <= 0.0:
            return Value(np.inf, np.full(1, np.nan))
        return Value(float(x[0] - np.log(x[0])), np.array([1.0 - 1.0 / x[0]]))

    found = descend(walled, np.array([5.0]), np.eye(1) * 0.01, tolerance=1e-14, max_evaluations=100)
    assert found.converged
    assert found.x[0] == pytest.approx(1.0, abs=1e-6)


def test_it_ends_at_the_evaluations_allowed():
    found = descend(rosenbrock, np.array([-1.2, 1.0]), np.eye(2), tolerance=1e-14, max_evaluations=5)
    assert not found.converged
    assert found.n_evaluations == 5


def test_with_the_exact_curvature_a_quadratic_takes_one_step():
    H = np.array([[4.0, 1.0], [1.0, 3.0]])

    def quadratic(x, near):
        return Value(0.5 * x @ H @ x, H @ x)

    found = descend(quadratic, np.array([0.3, -0.2]), H, tolerance=1e-12, max_evaluations=10, learn=False)
    assert found.n_evaluations == 2
    np.testing.assert_allclose(found.x, 0.0, atol=1e-12)


def test_known_curvature_takes_the_place_of_what_was_learnt():
    def quartic(x, near):
        return Value(float(np.sum(x**4) / 4.0), x**3)

    asked = []

    def renewed(point, learnt):
        asked.append(point.value)
        return np.diag(3.0 * np.abs(point.gradient) ** (2.0 / 3.0) + 1e-12)

    found = descend(quartic, np.full(2, 0.5), np.eye(2), tolerance=1e-12, max_evaluations=60, renewed=renewed)
    assert found.converged
    assert found.n_evaluations == len(asked)  # every step was accepted, and every point asked about
    ratios = np.array(asked[2:]) / np.array(asked[1:-1])
    np.testing.assert_allclose(ratios, (2.0 / 3.0) ** 4, rtol=1e-3)  # Newton's method on x^4: x shrinks by 2 / 3


def test_a_step_keeps_to_the_radius_and_is_the_minimum_there():
    B = np.array([[2.0, 0.9], [0.9, -0.5]])  # falls away in one direction
    g = np.array([1.0, -0.3])
    model = QuadraticModel(B, g)
    step = model.step(0.7)
    assert np.linalg.norm(step * model.scale) == pytest.approx(0.7, rel=0.011)
    angles = np.linspace(0.0, 2.0 * np.pi, 20_001)
    ring = np.linalg.norm(step * model.scale) * np.stack([np.cos(angles), np.sin(angles)]) / model.scale[:, None]
    values = g @ ring + 0.5 * np.einsum("ik,ij,jk->k", ring, B, ring)
    assert g @ step + 0.5 * step @ B @ step <= values.min() + 1e-7
