"""What is wrong with the data is said in one clear error."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mixedeffects.errors import DataError
from mixedeffects.formula import parse
from mixedeffects.frame import model_frame

DATA = {"y": [1.0, 2.0, 4.0, 3.0], "Days": [0.0, 1.0, 2.0, 3.0], "g": ["a", "b", "a", "b"]}
TEXT = "y ~ Days + (1 | g)"


def refused(text, data, match, **options):
    with pytest.raises(DataError, match=match):
        model_frame(parse(text), data, **options)


@pytest.mark.parametrize(
    "build", [pd.DataFrame, pl.DataFrame, pa.table, dict], ids=["pandas", "polars", "pyarrow", "dict"]
)
@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("y ~ Day + (1 | g)", "no column 'Day' in the data; did you mean 'Days'"),
        ("y ~ days + (1 | g)", "no column 'days' in the data; did you mean 'Days'"),
        ("y ~ Days + (1 | subject)", "no column 'subject' in the data; it has 'y', 'Days', 'g'"),
        ("z ~ Days + (1 | g)", "no column 'z'"),
    ],
)
def test_a_column_that_does_not_exist(build, text, match):
    refused(text, build(DATA), match)


def test_weights_column_that_does_not_exist():
    refused(TEXT, DATA, "no column 'W' in the data", weights="W")


def test_many_columns_are_not_all_listed():
    data = {**DATA, **{f"column{i}": [1, 2, 3, 4] for i in range(50)}}
    refused("y ~ qq + (1 | g)", data, "and 43 more$")


def test_duplicated_column_names():
    data = pd.DataFrame(DATA)
    data.columns = ["y", "y", "g"]
    refused("y ~ 1 + (1 | g)", data, "2 columns named 'y'")
    data.columns = ["y", "g", "g"]
    refused("y ~ 1 + (1 | g)", data, "2 columns named 'g'")
    table = pa.Table.from_arrays([pa.array(DATA["y"])] * 2 + [pa.array(DATA["g"])], names=["y", "y", "g"])
    refused("y ~ 1 + (1 | g)", table, "2 columns named 'y'")


def test_duplicated_columns_that_are_not_used_do_no_harm():
    data = pd.DataFrame({**DATA, "p": 1, "q": 2})
    data.columns = [*DATA, "p", "p"]
    assert model_frame(parse(TEXT), data).n_rows == 4


@pytest.mark.parametrize(
    "data", [pd.DataFrame({k: v[:0] for k, v in DATA.items()}), {k: [] for k in DATA}], ids=["pandas", "dict"]
)
def test_no_rows(data):
    refused(TEXT, data, "no rows")


def test_no_complete_rows():
    refused(TEXT, {**DATA, "Days": [None] * 4}, "no rows are left: every one of the 4 rows has a missing value.*'Days'")
    refused("log(y) ~ 1 + (1 | g)", {**DATA, "y": [-1.0, -2.0, -3.0, -4.0]}, "no rows are left")
    refused(TEXT, DATA, "no rows are left: all weights are 0", weights=[0, 0, 0, 0])


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (["p", "q", "r", "s"], "response 'y' must be numeric; it has 4 categories"),
        (pd.Categorical(["p", "q", "p", "q"]), "response 'y' must be numeric; it has 2 categories"),
        (pd.to_datetime(["2020-01-01"] * 4), "'y' holds dates or times"),
        ([3.0, 3.0, 3.0, 3.0], "response 'y' is constant: 3 in all 4 rows"),
        ([1.0, np.inf, 2.0, 3.0], "column 'y' has the value inf in row 1"),
        (np.array([1j, 2, 3, 4]), "'y' holds complex numbers"),
    ],
)
def test_responses_that_cannot_be_modelled(y, match):
    refused(TEXT, {**DATA, "y": y}, match)


def test_a_response_that_becomes_constant_when_rows_are_dropped():
    refused(TEXT, {**DATA, "y": [1.0, 1.0, 2.0, 1.0], "Days": [1.0, 2.0, None, 3.0]}, "constant")


def test_infinite_transformed_response():
    refused(
        "log(y) ~ Days + (1 | g)",
        {**DATA, "y": [1.0, 2.0, 0.0, 3.0]},
        r"response 'log\(y\)' has the value -inf in row 2",
    )


def test_infinite_predictor_names_the_row_of_the_data():
    refused(
        TEXT,
        {**DATA, "y": [None, 2.0, 3.0, 4.0], "Days": [0.0, 1.0, 2.0, -np.inf]},
        "column 'Days' has the value -inf in row 3",
    )


def test_an_infinite_value_in_a_dropped_row_does_no_harm():
    data = {**DATA, "y": [None, 2.0, 3.0, 4.0], "Days": [np.inf, 1.0, 2.0, 3.0]}
    assert model_frame(parse(TEXT), data).rows.tolist() == [1, 2, 3]


@pytest.mark.parametrize("response", ["g", "`the group`"])
def test_the_response_is_the_grouping_factor(response):
    data = {**DATA, "the group": [1, 2, 1, 2]}
    refused(f"{response} ~ Days + (1 | {response})", data, "is also a grouping factor")


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"]),
        pd.to_timedelta([1, 2, 3, 4], unit="D"),
        [datetime.date(2020, 1, day) for day in (1, 2, 3, 4)],
        pl.Series([datetime.datetime(2020, 1, day) for day in (1, 2, 3, 4)]),
        pa.array([datetime.datetime(2020, 1, day) for day in (1, 2, 3, 4)]),
    ],
    ids=["datetime", "timedelta", "date", "polars", "pyarrow"],
)
def test_a_time_is_no_predictor(values):
    refused(TEXT, {**DATA, "Days": values}, "'Days' holds dates or times .* cannot be a predictor")
    refused("y ~ Days + (1 | Days)", {**DATA, "Days": values}, "'Days' holds dates or times")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([1, "a", 2.5, "b"], "'Days' holds values of mixed type"),
        ([True, "a", False, "b"], r"mixed type \(bool and str\)"),
        ([[1], [2], [3], [4]], "'Days' holds values of type list"),
        ([{"a": 1}] * 4, "'Days' holds values of type dict"),
        ([1j, 2j, 3j, 4j], "complex"),
        (np.ones((4, 2)), r"an array of shape \(4, 2\)"),
        ("abcd", "single str"),
        (3.0, "single float"),
        (pl.Series([[1], [2], [3], [4]]), "List"),
        (pa.array([[1], [2], [3], [4]]), "list"),
    ],
)
def test_columns_of_impossible_types(values, match):
    refused(TEXT, {**DATA, "Days": values}, match)
    refused("y ~ 1 + (1 | Days)", {**DATA, "Days": values}, match)


def test_impossible_types_in_frames():
    refused(TEXT, pd.DataFrame({**DATA, "Days": pd.Series([1, "a", 2, "b"], dtype=object)}), "mixed type")
    refused(TEXT, pd.DataFrame({**DATA, "Days": [[1], [2], [3], [4]]}), "values of type list")
    refused(TEXT, pl.DataFrame({**DATA, "Days": [[1], [2], [3], [4]]}), "'Days' holds values of type List")
    refused(TEXT, pa.table({**DATA, "Days": [[1], [2], [3], [4]]}), "'Days' holds values of type list")


@pytest.mark.parametrize(
    "data", [[1, 2, 3], "file.csv", np.ones((3, 2)), None, 5], ids=["list", "str", "array", "None", "int"]
)
def test_data_of_an_unsupported_type(data):
    refused(TEXT, data, "cannot be read; give a pandas DataFrame, a polars DataFrame, a pyarrow Table or a dict")


def test_lazy_frames_are_to_be_collected():
    refused(TEXT, pl.DataFrame(DATA).lazy(), "LazyFrame are lazy; collect them")


@pytest.mark.parametrize(
    ("options", "data", "match"),
    [
        ({}, {**DATA, "Days": [1.0, 2.0]}, "columns differ in length: 'y' has 4 rows, 'Days' has 2"),
        ({"weights": [1.0, 2.0]}, DATA, "weights has 2 values, but the data have 4 rows"),
        ({"offset": np.ones(5)}, DATA, "offset has 5 values, but the data have 4 rows"),
        ({"weights": [1.0, -2.0, 1.0, 1.0]}, DATA, r"weights \(as given\): -2 in row 1"),
        ({"weights": [1.0, np.inf, 1.0, 1.0]}, DATA, r"weights \(as given\): inf in row 1"),
        ({"weights": [1.0, np.nan, 1.0, 1.0]}, DATA, "weights has a missing value in row 1"),
        ({"offset": [1.0, 1.0, None, 1.0]}, DATA, "offset has a missing value in row 2"),
        ({"offset": [1.0, 1.0, np.inf, 1.0]}, DATA, "offset has the value inf in row 2"),
        ({"weights": "w"}, {**DATA, "w": [1, 1, 1, -3]}, r"weights \('w'\): -3 in row 3"),
        ({"weights": "g"}, DATA, "weights must be numbers; 'g' holds text"),
        ({"weights": 2.0}, DATA, "single float"),
    ],
)
def test_weights_and_offsets(options, data, match):
    refused(TEXT, data, match, **options)


@pytest.mark.parametrize("missing", ["ignore", None, True, "Drop"])
def test_missing_has_two_values(missing):
    refused(TEXT, DATA, 'it is "drop" or "raise"', missing=missing)


def test_a_column_without_any_value_of_any_type():
    for values in ([None] * 4, [np.nan] * 4, pd.Series([None] * 4, dtype="Int64"), pa.nulls(4), pl.Series([None] * 4)):
        refused(TEXT, {**DATA, "Days": values}, "no rows are left")
