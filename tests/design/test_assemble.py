"""The whole step: dropped rows, errors of expressions, memory, Z."""

from __future__ import annotations

import gc

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from mixedeffects.design import design
from mixedeffects.errors import DataError, DroppedRowsWarning, RankDeficiencyWarning
from mixedeffects.formula import parse
from mixedeffects.frame import Factor


def test_a_formula_may_be_parsed_before(small):
    first, second = design("y ~ x + (1 | g)", small), design(parse("y ~ x + (1 | g)"), small)
    np.testing.assert_array_equal(first.X, second.X)
    assert first.formula == second.formula


def test_no_fixed_columns(small):
    made = design("y ~ 0 + (1 | g)", small)
    assert made.X.shape == (36, 0)
    assert made.names == ()
    assert made.kept.shape == (0,)
    assert made.Z.shape == (36, 6)


def test_a_fixed_part_of_zeros(small):
    with pytest.warns(RankDeficiencyWarning, match="1 fixed-effects column dropped .*: nil"):
        made = design("y ~ 0 + nil + (0 + nil | g)", small.assign(nil=0.0))
    assert made.X.shape == (36, 0)
    assert made.names == ("nil",)


def test_as_many_columns_as_rows(small):
    with pytest.raises(DataError, match="36 estimable columns for 36 rows"):
        design("y ~ C(x) + (1 | g)", small.assign(x=np.arange(36.0)))


def test_terms_and_their_columns(small):
    made = design("y ~ f * x + poly(z, 2) + (1 | g)", small)
    assert made.assign == (
        ("1", slice(0, 1)),
        ("f", slice(1, 3)),
        ("x", slice(3, 4)),
        ("poly(z, 2)", slice(4, 6)),
        ("f:x", slice(6, 8)),
    )


@pytest.mark.parametrize(
    ("formula", "cause"),
    [
        ("y ~ log(v) + (1 | g)", r"log\(v\)"),
        ("y ~ x + (log(v) | s)", r"log\(v\)"),
        ("y ~ scale(log(v)) + (1 | g)", r"log\(v\)"),
        ("y ~ poly(v**0.5, 2) + (1 | g)", r"v \*\* 0.5"),
        ("y ~ x + (scale(log(v)) | s)", r"log\(v\)"),
        ("y ~ bs(sqrt(v), df=4) + (1 | g)", r"sqrt\(v\)"),
    ],
)
def test_rows_in_which_an_expression_has_no_value(small, formula, cause):
    data = small.assign(v=small["z"])
    data.loc[[3, 17], "v"] = -2.0
    with pytest.warns(
        DroppedRowsWarning, match=rf"2 of 36 rows were dropped: 2 with missing values \(2 in '{cause}'\)"
    ):
        made = design(formula, data)
    kept = np.delete(np.arange(36), [3, 17])
    assert made.rows.tolist() == kept.tolist()
    assert made.n_missing == 2
    # As if the rows had never been there, also for encodings that look at the whole column.
    expected = design(formula, data.iloc[kept])
    np.testing.assert_array_equal(made.X, expected.X)
    np.testing.assert_array_equal(made.Z.toarray(), expected.Z.toarray())
    with pytest.raises(DataError, match=rf"'{cause}' gives a missing value in row 3"):
        design(formula, data, missing="raise")


def test_one_warning_counts_everything(small):
    data = small.assign(w=1.0)
    data.loc[2, "w"] = 0.0
    data.loc[3, "x"] = np.nan
    data.loc[4, "z"] = -1.0
    with pytest.warns(DroppedRowsWarning) as caught:
        made = design("y ~ x + log(z) + (1 | g)", data, weights="w")
    assert [str(warning.message) for warning in caught] == [
        "3 of 36 rows were dropped: 2 with missing values (1 in 'x', 1 in 'log(z)') and 1 with weight 0"
    ]
    assert caught[0].filename == __file__
    assert made.rows.tolist() == [0, 1, *range(5, 36)]
    assert (made.n_missing, made.n_zero_weight, made.nobs) == (2, 1, 33)
    assert len(made.weights) == 33


@pytest.mark.parametrize(
    ("formula", "match"),
    [
        ("y ~ I(1 / k) + (1 | g)", r"'I\(1 / k\)' has the value inf in row 0"),
        ("y ~ x + (I(1 / k) | s)", r"'I\(1 / k\)' has the value inf in row 0"),
        ("y ~ exp(1000 * x) + (1 | g)", "has the value inf in row 0"),
        ("y ~ log(f) + (1 | g)", r"'log\(f\)' cannot be computed from the data .*; 'f' holds categories"),
        ("y ~ I(f * 2) + (1 | g)", r"'I\(f \* 2\)' cannot be computed .*'f' holds categories"),
        ("y ~ poly(f, 2) + (1 | g)", r"'poly\(f, 2\)' cannot be computed"),
        ("y ~ x + (log(f) | g)", r"'log\(f\)' cannot be computed"),
    ],
)
def test_expressions_that_fail_on_the_data(small, formula, match):
    with pytest.raises(DataError, match=match):
        design(formula, small.assign(k=0))


def test_a_column_that_is_called_like_the_constant(small):
    data = small.rename(columns={"x": "Intercept"})
    with pytest.raises(DataError, match="rename it"):
        design("y ~ Intercept + (1 | g)", data)
    assert design("y ~ z + (1 | g)", data).names == ("Intercept", "z")


def test_integers_do_not_wrap_around(small):
    data = small.assign(i=np.arange(36, dtype=np.int8) + 90, u=(7 * np.arange(36) % 30).astype(np.uint8))
    made = design("y ~ I(i**2) + I(1 - u) + i:u + (1 | g)", data)
    i, u = data["i"].astype(float), data["u"].astype(float)
    np.testing.assert_array_equal(made.X[:, 1:], np.column_stack([i**2, 1 - u, i * u]))


def test_nothing_refers_to_the_callers_memory():
    n = 40
    data = {"y": np.arange(n) % 7.0, "x": np.arange(n) * 1.0, "z": np.arange(n) % 5.0, "g": np.arange(n) % 4}
    made = design("y ~ x + (0 + z | g)", data)
    before = [made.y.copy(), made.X.copy(), made.terms[0].columns[0].copy(), made.terms[0].factor.codes.copy()]
    for values in data.values():
        values[:] = 0
    after = [made.y, made.X, made.terms[0].columns[0], made.terms[0].factor.codes]
    for left, right in zip(before, after, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_code_column_of_pandas_is_not_shared():
    n = 80_000  # so many levels that pandas' codes are int32, too
    categories = np.arange(n // 2).astype(str)
    data = pd.DataFrame({"y": np.arange(n) % 7.0, "g": pd.Categorical.from_codes(np.arange(n) // 2, categories)})
    assert data["g"].cat.codes.dtype == np.int32
    made = design("y ~ 1 + (1 | g)", data)
    assert not np.shares_memory(made.terms[0].factor.codes, np.asarray(data["g"].cat.codes))


def test_Z_in_both_orders(small):
    made = design("y ~ x + (1 + x | g) + (1 | s)", small)
    Z, by_column = made.Z, made.Z_by_column()
    assert isinstance(Z, sp.csc_array)
    labels, labels_by_column = made.Z_labels(), made.Z_labels(by_column=True)
    assert Z.shape == by_column.shape == (36, 15) == (made.nobs, made.n_effects)
    assert labels.column[:4].tolist() == ["Intercept", "x", "Intercept", "x"]
    assert labels_by_column.column[:12].tolist() == ["Intercept"] * 6 + ["x"] * 6
    assert labels.key.tolist() == ["g"] * 12 + ["s"] * 3
    dense, dense_by_column = Z.toarray(), by_column.toarray()
    for order, matrix in ((labels, dense), (labels_by_column, dense_by_column)):
        for j, (key, level, column) in enumerate(zip(*order, strict=True)):
            values = small["x"] if column == "x" else 1.0
            np.testing.assert_array_equal(matrix[:, j], np.where(small[key] == level, values, 0.0))


def test_the_library_and_the_name_of_the_data(small):
    small.attrs["name"] = "small"
    made = design("y ~ x + (1 | g)", small)
    assert (made.data_kind, made.data_name) == ("pandas", "small")
    assert design("y ~ x + (1 | g)", pl.from_pandas(small)).data_kind == "polars"


def test_the_order_of_rows_moves_rows_only(small):
    order = np.random.default_rng(0).permutation(36)
    made, moved = (design("y ~ poly(x, 2) * f + (x | g)", data) for data in (small, small.iloc[order]))
    np.testing.assert_allclose(moved.X, made.X[order], rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(moved.Z.toarray(), made.Z.toarray()[order])


def test_columns_in_between_are_let_go(small):
    gc.collect()
    gc.disable()
    try:
        made = design("y ~ f * x + log(z) + (f | g)", small)
        # Arrays of as many rows that are reachable only through cycles would show here.
        alive = [a for a in gc.get_objects() if isinstance(a, Factor) and len(a) == 36]
        held = {id(block.factor) for block in made.terms} | {id(column) for column in made.columns.values()}
        assert {id(factor) for factor in alive} <= held
    finally:
        gc.enable()
