"""Rank by R's rule: the expected columns are those of ``qr(X)$pivot[1:rank]`` in R 4.2.2 for the same matrices."""

from __future__ import annotations

import numpy as np
import pytest

from mixedeffects.design import rank

I = np.arange(1.0, 41.0)  # noqa: E741
ONE, X, Z, U = np.ones(40), (I * 7) % 11, (I * 5) % 13, (I * 3) % 7


def kept(*columns):
    return (np.flatnonzero(rank.estimable(np.asfortranarray(np.column_stack(columns)))) + 1).tolist()


@pytest.mark.parametrize(
    ("epsilon", "expected"),
    [
        (1e-4, ([1, 2, 3], [1, 2, 3], [1, 2], [1, 2])),
        (1e-6, ([1, 2, 3], [1, 2, 3], [1, 2], [1, 2])),
        (3e-7, ([1, 2, 3], [1, 2, 4], [1, 2], [1, 2])),
        (1.2e-7, ([1, 2, 4], [1, 2, 4], [1, 3], [1, 2])),
        (5e-8, ([1, 2, 4], [1, 2, 4], [1, 3], [1, 2])),
        (1e-8, ([1, 2, 4], [1, 2, 4], [1, 3], [1, 3])),
        (0.0, ([1, 2, 4], [1, 2, 4], [1, 3], [1, 3])),
    ],
)
def test_near_the_tolerance(epsilon, expected):
    got = (
        kept(ONE, X, X + epsilon * Z, Z),
        kept(ONE, X * 1e6, X + epsilon * U, U),
        kept(X + epsilon * Z, X, 1e-9 * Z),
        kept(ONE, 1e9 + X * epsilon * 1e9, X),
    )
    assert got == expected


def test_zero_and_repeated_columns():
    assert kept(0 * X, ONE, X, 0 * X, X) == [2, 3]
    assert kept(0 * X, 0 * X) == []
    assert kept(ONE, X, X, Z, X + Z, U) == [1, 2, 4, 6]
    assert rank.estimable(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).tolist() == [True, True, False]
    assert rank.estimable(np.empty((5, 0))).tolist() == []


@pytest.mark.parametrize("aliased", [False, True])
def test_chunks_of_rows_give_the_same_answer(aliased, monkeypatch):
    columns = [ONE, X, X + 3e-7 * Z, U, X - U if aliased else X * U]
    monkeypatch.setattr(rank, "_CHUNK_VALUES", 60)
    whole = np.column_stack(columns)
    factor = rank.triangular_factor(whole)
    np.testing.assert_allclose(factor.T @ factor, whole.T @ whole, rtol=1e-12)
    assert kept(*columns) == [1, 2, 3, 4, *([] if aliased else [5])]


def test_the_shortcut_through_the_cross_products_is_never_taken_near_the_tolerance(monkeypatch):
    monkeypatch.setattr(rank, "_CHUNK_VALUES", 60)
    assert rank._clearly_full_rank(np.column_stack([ONE, X, Z, 1e-9 * U]))
    for epsilon in (1e-5, 1e-7, 1e-9, 0.0):
        assert not rank._clearly_full_rank(np.column_stack([ONE, X, X + epsilon * Z]))
    assert not rank._clearly_full_rank(np.column_stack([ONE, 0 * X]))
