"""A fitted encoding gives the same columns for new data: state, levels and contrasts are those of the fit."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedeffects as me
from mixedeffects.design import design, replay
from mixedeffects.errors import DataError
from mixedeffects.frame import read_columns

FORMULAS = [
    "y ~ x + z + (x | g)",
    "y ~ 0 + x + (1 | g)",
    "y ~ poly(x, 2) + (1 | g)",
    "y ~ bs(x, df=5) + (1 | g)",
    "y ~ scale(x) + center(z) + (1 | g)",
    "y ~ poly(log(z), 2) * f + (1 | g)",
    "y ~ f * x + (1 | g)",
    "y ~ 0 + f + o + (1 | g)",
    "y ~ C(f, contr.sum) + C(k) + (1 | g)",
    "y ~ C(f, contr.treatment('b')) + (1 | g)",
    "y ~ t * x + (1 | g)",
    "y ~ I(x > 6) + (1 | g)",
]


@pytest.fixture
def data(small):
    return small.assign(k=small["z"].astype(int) % 3)


def columns_of(made, frame):
    columns, complete = read_columns(frame, [n for n in ("x", "z", "f", "o", "t", "k")])
    return replay(made.encoding, columns, len(complete))


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_part_of_the_rows_gives_the_same_rows_of_X(data, formula):
    made = design(formula, data, contrasts={"f": "helmert"} if "f * x" in formula else None)
    part = [4, 2, 30]
    np.testing.assert_allclose(columns_of(made, data), made.X, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(columns_of(made, data.iloc[part]), made.X[part], rtol=1e-12, atol=1e-13)
    # Twice the same: a replay leaves no trace in the fit.
    np.testing.assert_allclose(columns_of(made, data.iloc[[0]]), made.X[[0]], rtol=1e-12, atol=1e-13)
    assert tuple(made.encoding.names) == made.names


def test_new_data_of_another_library_and_as_plain_text(data):
    made = design("y ~ o * x + f + (1 | g)", data)
    new = {"o": ["most", "none"], "x": [1, 2], "f": ["c", "a"]}
    expected = made.X[[int(np.flatnonzero(data["o"] == "most")[0]), int(np.flatnonzero(data["o"] == "none")[0])], 1:4]
    for frame in (new, pd.DataFrame(new), pl.DataFrame(new)):
        columns, _ = read_columns(frame, new)
        X = replay(made.encoding, columns, 2)
        np.testing.assert_allclose(X[:, [made.names.index(f"o[{s}]") for s in (".L", ".Q", ".C")]], expected)
        np.testing.assert_array_equal(X[:, made.names.index("f[T.c]")], [1, 0])
        np.testing.assert_array_equal(X[:, made.names.index("x")], [1, 2])


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_design_can_be_pickled(data, formula):
    made = design(formula, data)
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_allclose(columns_of(again, data), made.X, rtol=1e-12, atol=1e-13)


def test_aliased_columns_are_computed_too(data):
    with pytest.warns(match="dropped"):
        made = design("y ~ x + I(2 * x) + (1 | g)", data)
    X = columns_of(made, data)
    assert X.shape == (36, 3)
    np.testing.assert_array_equal(X[:, made.kept], made.X)


def test_the_columns_of_random_terms(data):
    made = design("y ~ 1 + (poly(x, 2) | g) + (0 + f || s) + (1 + z | h)", data)
    columns, _ = read_columns(data.iloc[:5], ["x", "z", "f"])
    for block in made.terms:
        X = replay(block.encoding, columns, 5)
        for position, column in zip(block.positions, block.columns, strict=True):
            np.testing.assert_allclose(X[:, position], column[:5], rtol=1e-12, atol=1e-13)


def test_functions_of_the_caller(data):
    made = design("y ~ half(x) + (half(z) | g)", data, functions={"half": lambda v: v / 2})
    np.testing.assert_allclose(made.X[:, 1], data["x"] / 2)
    np.testing.assert_allclose(columns_of(made, data.iloc[3:6])[:, 1], data["x"][3:6] / 2)


@pytest.mark.parametrize(
    ("formula", "new", "match"),
    [
        (
            "y ~ f + (1 | g)",
            {"f": ["a", "zz"]},
            "'f' has levels that the model was not fitted with: 'zz'; it knows 'a', 'b', 'c'",
        ),
        ("y ~ C(k) + (1 | g)", {"k": [0, 9]}, "not fitted with: '9'"),
        ("y ~ x + (1 | g)", {"x": ["a", "b"]}, "x"),
        ("y ~ 1 + f + (1 | g)", {"f": [1.5, 2.5]}, "not fitted with: '1.5', '2.5'"),
    ],
)
def test_new_data_that_do_not_fit(data, formula, new, match):
    made = design(formula, data)
    columns, _ = read_columns(new, new)
    with pytest.raises(DataError, match=match):
        replay(made.encoding, columns, 2)


def test_reading_new_data():
    columns, complete = read_columns({"x": [1.0, None, 3.0], "f": ["a", "b", None]}, ["x", "f"])
    assert complete.tolist() == [True, False, False]
    assert list(columns) == ["x", "f"]
    with pytest.raises(DataError, match="dates or times"):
        read_columns({"x": pd.to_datetime(["2020-01-01"])}, ["x"])
    with pytest.raises(DataError, match="no column 'z'"):
        read_columns({"x": [1.0]}, ["z"])


def test_functions_of_the_caller_stay_with_plain_columns_too():
    frame = pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.0, 5.0, 7.0], "x": np.arange(6.0), "g": list("aabbcc")})
    functions = {"half": lambda v: v / 2}
    fit = me.lmer("y ~ 1 + offset(half(x)) + (1 | g)", frame, functions=functions)
    np.testing.assert_allclose(fit.predict(frame), fit.fitted, rtol=1e-12)
    np.testing.assert_allclose(fit.update(reml=False).design.offset, frame["x"] / 2)
