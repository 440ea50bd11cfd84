"""Comparisons of numbers and of derivatives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def assert_close(actual, expected, tolerance, scale=0.0, what=""):
    """Compare arrays to a tolerance relative to the largest expected entry, or to `scale` where that is larger."""
    expected = np.asarray(expected, dtype=float)
    assert np.shape(actual) == expected.shape, what
    size = max(scale, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * size, err_msg=what)


def difference(function: Callable, theta: np.ndarray, direction: np.ndarray, step: float = 1e-3):
    """First derivative along a direction, with an error of order step^4."""
    near = function(theta + step * direction) - function(theta - step * direction)
    far = function(theta + 2 * step * direction) - function(theta - 2 * step * direction)
    return (8 * near - far) / (12 * step)
