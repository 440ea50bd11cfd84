from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixedeffects.errors import DataError, FormulaError
from mixedeffects.formula import evaluate

X = np.array([1.0, 2.0, 4.0])
COLUMNS = {
    "x": X,
    "n": np.array([1, 2, 3]),
    "u8": np.array([1, 2, 250], dtype=np.uint8),
    "b": np.array([True, False, True]),
    "s": np.array(["p", "q", "p"]),
    "x.1": X + 1,
    "a b": X * 3,
    "f": pd.Series([1.0, np.nan, 3.0]),
    "class": X,
    "lambda": X * 5,
    "category": pd.Categorical(["lo", "hi", None], ["hi", "unused", "lo"]),
}


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("as.numeric(x > 1.5)", np.array([0.0, 1.0, 1.0])),
        ("as.numeric(x)", X),
        ("as.integer(x / 1.5)", np.array([0.0, 1.0, 2.0])),
        ("as.integer(-x / 1.5)", np.array([0.0, -1.0, -2.0])),
        ("as.numeric(s) * 10", np.array([10.0, 20.0, 10.0])),
        ("as.numeric(category)", np.array([3.0, 1.0, np.nan])),
        ("as.integer(I(u8))", np.array([1.0, 2.0, 250.0])),
        ("log(`class`) + class / 2", np.log(X) + X / 2),
        ("lambda", X * 5),
        ("2 * lambda", X * 10),
        ("log(x)", np.log(X)),
        ("np.log10(x)", np.log10(X)),
        ("x / 10", X / 10),
        ("I(x)", X),
        ("-x + 2 * x ** 2", -X + 2 * X**2),
        ("n ** -1", 1 / np.array([1.0, 2.0, 3.0])),
        ("n / 2", np.array([0.5, 1.0, 1.5])),
        ("u8 - 2 * u8", np.array([-1.0, -2.0, -250.0])),
        ("b - 1", np.array([0.0, -1.0, 0.0])),
        ("x.1 - `a b`", X + 1 - 3 * X),
        ("x > 1.5", np.array([False, True, True])),
        ("(x > 1.5) & ~(x > 3)", np.array([False, True, False])),
        ("(x < 1.5) | (x > 3)", np.array([True, False, True])),
        ("s == 'p'", np.array([True, False, True])),
        ("where(x > 1, x, 0)", np.array([0.0, 2.0, 4.0])),
        ("clip(x, 2, 3)", np.array([2.0, 2.0, 3.0])),
        ("round(x / 3, 2)", np.round(X / 3, 2)),
        ("round(x / 3, decimals=1)", np.round(X / 3, 1)),
        ("minimum(x, 2) % 2", np.minimum(X, 2) % 2),
        ("x // 2", X // 2),
        ("2 * pi * x + np.pi", 2 * np.pi * X + np.pi),
        ("1 / 4", np.full(3, 0.25)),
        ("cbind(x, n - 1)", np.column_stack([X, [0.0, 1.0, 2.0]])),
        ("log(f)", np.log([1.0, np.nan, 3.0])),
        ("log(x - 1)", np.array([-np.inf, 0.0, np.log(3)])),
    ],
)
def test_values(expr: str, expected: np.ndarray) -> None:
    value = evaluate(expr, COLUMNS)
    assert value.dtype == expected.dtype
    np.testing.assert_allclose(value, expected, rtol=1e-15)


@pytest.mark.parametrize("name", ["x", "n", "s", "x.1", "`a b`"])
def test_a_column_comes_back_in_its_own_type(name: str) -> None:
    column = COLUMNS[name.strip("`")]
    value = evaluate(name, COLUMNS)
    assert value.dtype == column.dtype
    np.testing.assert_array_equal(value, column)


def test_functions_of_the_caller_take_precedence() -> None:
    np.testing.assert_array_equal(evaluate("log(x)", COLUMNS, {"log": lambda x: x + 1}), X + 1)
    scaled = evaluate("times(x, by=[2, 3], how='sum')", COLUMNS, {"times": lambda x, by, how: x * by[1]})
    np.testing.assert_array_equal(scaled, X * 3)


def test_columns_are_not_changed() -> None:
    before = X.copy()
    evaluate("-x * 2", COLUMNS)
    np.testing.assert_array_equal(X, before)


def test_missing_column_names_near_matches() -> None:
    with pytest.raises(DataError, match=r"no column 'x\.2'; did you mean 'x\.1'"):
        evaluate("log(x.2)", COLUMNS)


def test_failing_computation_says_what() -> None:
    with pytest.raises(DataError, match=r"'log\(s\)' cannot be computed"):
        evaluate("log(s)", COLUMNS)


@pytest.mark.parametrize("expr", ["poly(x, 2)", "offset(x)", "log(cbind(x, n))", "x ^ 2", "", "x x", "'x'", "None"])
def test_what_is_no_numeric_expression_is_refused(expr: str) -> None:
    with pytest.raises(FormulaError):
        evaluate(expr, COLUMNS)
