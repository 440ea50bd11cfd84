"""Second derivatives by differences of a gradient."""

from __future__ import annotations

import numpy as np
import pytest

from mixedeffects.criterion.differences import hessian_by_differences


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_of_a_quadratic_they_are_exact_with_any_number_of_threads(copies):
    H = np.array([[4.0, 1.0], [1.0, 3.0]])
    found = hessian_by_differences([lambda x: H @ x] * copies, np.array([0.3, -0.2]), np.full(2, 1e-3))
    np.testing.assert_allclose(found, H, rtol=1e-9)
