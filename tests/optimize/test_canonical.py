"""Canonical factors: the Cholesky factor of F F', zero pivots included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.compare import assert_close

from mixedeffects.optimize.canonical import lower_factor, transformed
from mixedeffects.optimize.certificate import in_words, null_space


@st.composite
def factors(draw):
    """Factors (k, r) of full column rank or less, rows of zeros and rows of very different size."""
    k = draw(st.integers(1, 5))
    rank = draw(st.integers(0, k))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    F = rng.normal(size=(k, rank))
    for row in draw(st.lists(st.integers(0, k - 1), max_size=2)):
        F[row] = 0.0
    copied = draw(st.integers(0, k - 1))
    F[copied] = draw(st.sampled_from([1.0, -2.5, 1e-3])) * F[draw(st.integers(0, k - 1))]
    scale = draw(st.lists(st.sampled_from([1.0, -1.0, 1e-6, 1e6]), min_size=k, max_size=k))
    return np.array(scale)[:, None] * F


@settings(max_examples=300, deadline=None, derandomize=True)
@given(factors())
def test_properties(F):
    L = lower_factor(F)
    k = len(F)
    np.testing.assert_array_equal(np.triu(L, 1), 0.0)
    diagonal = np.diag(L)
    assert (diagonal >= 0.0).all()
    for c in np.flatnonzero(diagonal == 0.0):
        assert not L[:, c].any(), "a column under a zero pivot is zero"
    lengths = np.sqrt((F**2).sum(axis=1))
    lengths[lengths == 0.0] = 1.0
    unit = F / lengths[:, None]
    assert_close((L @ L.T) / np.outer(lengths, lengths), unit @ unit.T, 1e-12, scale=1.0)
    assert (diagonal > 0.0).sum() == np.linalg.matrix_rank(unit, tol=1e-9)
    assert_close(lower_factor(L[:, diagonal > 0.0]), L, 1e-12)
    N = null_space(L)
    if N is None:
        assert (diagonal > 0.0).all()
    else:
        assert N.shape == (k, k - (diagonal > 0.0).sum())
        assert_close(N.T @ N, np.eye(N.shape[1]), 1e-12)
        assert_close(L.T @ N, np.zeros((k, N.shape[1])), 1e-12, scale=np.abs(L).max(initial=0.0))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_the_factor_is_that_of_cholesky(k, seed):
    F = np.random.default_rng(seed).normal(size=(k, k)) + 2.0 * np.eye(k)
    size = np.linalg.cond(F) ** 2
    assert_close(lower_factor(F), np.linalg.cholesky(F @ F.T), 1e-14 * size)


def test_rotations_and_signs_of_columns_change_nothing():
    rng = np.random.default_rng(0)
    F = rng.normal(size=(4, 3))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert_close(lower_factor(F @ rotation), lower_factor(F), 1e-13)
    assert_close(lower_factor(-F), lower_factor(F), 1e-13)


def test_exact_zeros():
    np.testing.assert_array_equal(lower_factor(np.zeros((2, 2))), np.zeros((2, 2)))
    np.testing.assert_array_equal(lower_factor(np.zeros((3, 0))), np.zeros((3, 3)))
    np.testing.assert_array_equal(lower_factor(np.array([[0.0], [-2.0]])), [[0.0, 0.0], [0.0, 2.0]])
    np.testing.assert_array_equal(lower_factor(np.array([[-1.0], [3.0]])), [[1.0, 0.0], [-3.0, 0.0]])


@pytest.mark.parametrize("L", [[[0.0, 0.0], [0.0, 0.2]], [[0.3, 0.0], [0.0, 0.0]], [[0.7, 0.0], [-1.1, 0.0]]])
@pytest.mark.parametrize("offset", [0.1, 4.5, 2000.3])
def test_zeros_survive_a_change_of_columns_and_back(L, offset):
    """Where the transformed rows add up to zero, their rounding is no variance."""
    T = np.array([[1.0, offset], [0.0, 2.87]])
    back = transformed(np.linalg.inv(T), transformed(T, np.array(L)))
    assert_close(back, L, 1e-12 * max(1.0, offset))
    np.testing.assert_array_equal(back == 0.0, np.array(L) == 0.0)


@pytest.mark.parametrize(
    ("L", "words"),
    [
        ([[0.0]], "the variance of a is 0"),
        ([[0.0, 0.0], [0.0, 1.0]], "the variance of a is 0"),
        ([[1.0, 0.0], [0.0, 0.0]], "the variance of b is 0"),
        ([[0.0, 0.0], [0.0, 0.0]], "the variances of a and b are 0"),
        ([[1.0, 0.0], [2.0, 0.0]], "the correlation of a and b is +1"),
        ([[1.0, 0.0], [-2.0, 0.0]], "the correlation of a and b is -1"),
        ([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [-2.0, 0.0, 0.0]],
         "the variance of b is 0; the correlation of a and c is -1"),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [3.0, 4.0, 0.0]],
         "a, b and c vary in 2 of 3 directions only: - 0.42 a/sd - 0.57 b/sd + 0.71 c/sd has no variance"),
    ],
)  # fmt: skip
def test_words(L, words):
    assert in_words("abc"[: len(L)], np.array(L)) == words
