"""Factors: codes, levels and interactions."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixedeffects.frame import cross, encode
from mixedeffects.frame.source import read_array


def factor(values, name="g"):
    return encode(read_array(name, values))


@given(st.lists(st.text(max_size=3), min_size=1))
@pytest.mark.parametrize("storage", ["object", "str", "arrow"])
def test_text_sorts_by_code_point(storage, values):
    column = {
        "object": lambda: np.array([*values, "x"], dtype=object)[:-1],
        "str": lambda: pd.Series(values, dtype="str"),
        "arrow": lambda: pa.array(values),
    }[storage]()
    got = factor(column)
    assert got.values.tolist() == sorted(set(values))
    assert got.labels[got.codes].tolist() == values


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_far_apart(values):
    got = factor(np.array(values, dtype=np.int64))
    assert got.values.tolist() == sorted(set(values))
    assert got.values[got.codes].tolist() == values


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_integer_types(dtype):
    top = np.iinfo(dtype).max
    values = np.array([top, 0, 3, top], dtype=dtype)
    got = factor(values)
    assert got.values.tolist() == [0, 3, top]
    assert got.codes.tolist() == [2, 0, 1, 2]
    low = np.array([np.iinfo(dtype).min, 0, 3, 0], dtype=dtype)
    assert factor(low).values[factor(low).codes].tolist() == low.tolist()
    both = np.array([np.iinfo(dtype).min, top], dtype=dtype)
    assert factor(both).values.tolist() == both.tolist()
    high = np.array([top, top - 2], dtype=dtype)
    assert factor(high).values.tolist() == [top - 2, top]
    assert factor(high).codes.tolist() == [1, 0]


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_floats(values):
    got = factor(np.array(values))
    assert got.values.tolist() == sorted(set(values))
    assert got.values[got.codes].tolist() == values


@given(st.data(), st.integers(1, 30))
def test_interactions_hold_the_combinations_that_occur(data, n):
    columns = [
        data.draw(st.lists(st.sampled_from(alphabet), min_size=n, max_size=n)) for alphabet in ("pqr", "abcd", "xy")
    ]
    got = cross(tuple(factor(column, name) for column, name in zip(columns, "bac", strict=True)))
    rows = list(zip(*columns, strict=True))
    combinations = sorted(set(rows))
    assert got.name == "b:a:c"
    assert got.labels.tolist() == [":".join(row) for row in combinations]
    assert got.codes.tolist() == [combinations.index(row) for row in rows]


def test_an_interaction_too_wide_for_a_table():
    n = 200_000
    rng = np.random.default_rng(1)
    a, b = rng.permutation(n), rng.permutation(n)
    got = cross((factor(a, "a"), factor(b, "b")))
    assert got.n_levels == n
    assert got.labels[got.codes[7]] == f"{a[7]}:{b[7]}"
    np.testing.assert_array_equal(got.codes, a)


def test_taking_rows_removes_levels():
    got = cross((factor(list("ppqq"), "b"), factor(list("abab"), "a"))).take(np.array([True, False, False, True]))
    assert got.labels.tolist() == ["p:a", "q:b"]
    assert got.codes.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1.0, 2.5], ["1", "2.5"]),
        ([0.1 + 0.2, 1e300], ["0.3", "1e+300"]),
        ([True, False], ["False", "True"]),
        ([3, 12], ["3", "12"]),
    ],
)
def test_labels_of_numbers(values, labels):
    assert factor(values).labels.tolist() == labels


def test_a_million_unique_names():
    names = np.array([f"person {i}" for i in range(1_000_000)], dtype=object)
    started = time.perf_counter()
    got = factor(names)
    assert time.perf_counter() - started < 5.0
    assert got.n_levels == 1_000_000
    assert got.labels[got.codes[123_456]] == "person 123456"
