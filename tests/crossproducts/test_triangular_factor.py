"""R of a QR decomposition, built up by chunks of rows and merged over parts."""

from __future__ import annotations

import numpy as np
import pytest
from support.compare import assert_close

from mixedeffects import _core


def factor(columns: np.ndarray, weights: np.ndarray | None = None, n_threads: int = 1) -> np.ndarray:
    return _core.triangular_factor([np.ascontiguousarray(c) for c in columns.T], weights, n_threads)


def without_signs(R: np.ndarray) -> np.ndarray:
    return R * np.where(np.diag(R) < 0, -1.0, 1.0)[:, None]


SIZES = [
    (1, 1),
    (7, 1),
    (3, 3),
    (2, 5),
    (5, 9),
    (80, 4),
    (511, 3),
    (512, 6),
    (513, 6),
    (1500, 20),
    (700, 300),
    (200_000, 3),
]


@pytest.mark.parametrize(("n", "c"), SIZES)
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_numpy_up_to_signs(n, c, weighted):
    rng = np.random.default_rng(n + c)
    A = rng.normal(size=(n, c)) * 10.0 ** rng.integers(-3, 4, c)
    weights = rng.uniform(0.1, 5.0, n) if weighted else None
    R = factor(A, weights)
    root = A if weights is None else A * np.sqrt(weights)[:, None]
    assert R.shape == (c, c)
    np.testing.assert_array_equal(np.tril(R, -1), 0.0)
    norms = np.sqrt((root**2).sum(axis=0))
    assert_close(R.T @ R / np.outer(norms, norms), root.T @ root / np.outer(norms, norms), 1e-13)
    expected = np.zeros((c, c))
    expected[: min(n, c)] = np.linalg.qr(root, mode="r")
    assert_close(without_signs(R) / norms, without_signs(expected) / norms, 1e-12)


def test_small_parts_of_columns_are_kept():
    """What a column keeps beside the ones before it is known to 1e-15 of its norm: X'X alone would give 1e-8."""
    rng = np.random.default_rng(1)
    x, e = rng.normal(size=(2, 5000))
    e -= x * (x @ e) / (x @ x)
    R = factor(np.column_stack([x, x + 1e-9 * e]))
    assert abs(R[1, 1]) == pytest.approx(1e-9 * np.linalg.norm(e), rel=1e-5)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_columns_of_zeros(place):
    A = np.random.default_rng(2).normal(size=(900, 3))
    A[:, place] = 0.0
    R = factor(A)
    np.testing.assert_array_equal(R[:, place], 0.0)
    assert_close(R.T @ R, A.T @ A, 1e-13)
    assert not factor(np.zeros((40, 2))).any()


def test_no_columns_and_no_rows():
    assert _core.triangular_factor([], None, 1).shape == (0, 0)
    np.testing.assert_array_equal(factor(np.empty((0, 2))), np.zeros((2, 2)))


def test_threads_and_strides_change_nothing():
    A = np.random.default_rng(3).normal(size=(300_000, 3))
    expected = factor(A)
    for n_threads in (2, 8):
        np.testing.assert_array_equal(factor(A, None, n_threads), expected)
    strided = _core.triangular_factor(list(A.T), None, 1)
    np.testing.assert_array_equal(strided, expected)
    one = np.broadcast_to(np.float64(2.0), 300_000)
    assert abs(_core.triangular_factor([one], None, 1)[0, 0]) == pytest.approx(2.0 * np.sqrt(300_000), rel=1e-14)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="columns of different lengths"):
        _core.triangular_factor([np.ones(4), np.ones(5)], None, 1)
