"""The same table in every data-frame library gives the same arrays."""

from __future__ import annotations

import copy
import datetime
import sys
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mixedeffects.errors import DataError, DroppedRowsWarning
from mixedeffects.formula import Formula, RandomTerm, parse
from mixedeffects.frame import Factor, model_frame

COMPLETE = {
    "y": [1.5, 2.5, -0.5, 4.0, 5.25, 6.0],
    "x": [1, 2, 3, 4, 5, 7],
    "b": [True, False, True, True, False, False],
    "f": ["lo", "hi", "lo", "Mid", "hi", "ä"],
    "g": [10, 20, 10, 20, 30, 30],
    "unused": ["p", "q", "r", "s", "t", "u"],
}
HOLES = {
    **COMPLETE,
    "y": [1.5, None, -0.5, 4.0, 5.25, 6.0],
    "f": ["lo", "hi", None, "Mid", "hi", "ä"],
    "g": [10, 20, 10, 20, 30, None],
}
FORMULA = Formula(
    text="y ~ x + b + f + (1 | g)", response="y", fixed="1 + x + b + f", random=(RandomTerm(expr="1", group=("g",)),)
)


def build(library, columns):
    data = library.build(copy.deepcopy(columns))
    assert library.check(data)
    return data


def test_complete_rows(library):
    frame = model_frame(FORMULA, build(library, COMPLETE))
    assert frame.kind == library.kind
    np.testing.assert_array_equal(frame.y, COMPLETE["y"])
    assert frame.y.dtype == np.float64
    np.testing.assert_array_equal(frame.columns["x"], COMPLETE["x"])
    assert frame.columns["b"].dtype == bool
    np.testing.assert_array_equal(frame.columns["b"], COMPLETE["b"])
    f = frame.columns["f"]
    assert isinstance(f, Factor)
    assert f.values.tolist() == ["Mid", "hi", "lo", "ä"]
    assert f.labels[f.codes].tolist() == COMPLETE["f"]
    g = frame.factors["g"]
    assert g.codes.dtype == np.int32
    assert g.values.tolist() == [10, 20, 30]
    assert g.labels.tolist() == ["10", "20", "30"]
    assert g.codes.tolist() == [0, 1, 0, 1, 2, 2]
    assert "unused" not in frame.columns
    assert frame.rows.tolist() == list(range(6))
    assert (frame.n_missing, frame.n_zero_weight) == (0, 0)


def test_rows_with_holes_are_dropped_and_counted(library):
    frame = model_frame(FORMULA, build(library, HOLES))
    assert frame.rows.tolist() == [0, 3, 4]
    assert frame.rows.dtype == np.int64
    assert frame.n_missing == 3
    assert frame.missing_in == {"y": 1, "f": 1, "g": 1}
    np.testing.assert_array_equal(frame.y, [1.5, 4.0, 5.25])
    assert frame.columns["x"].tolist() == [1, 4, 5]
    assert frame.columns["f"].labels.tolist() == ["Mid", "hi", "lo"]
    assert frame.factors["g"].labels.tolist() == ["10", "20", "30"]
    with pytest.warns(DroppedRowsWarning, match="3 of 6 rows were dropped: 3 with missing values .*1 in 'f'"):
        frame.report_dropped()


def test_missing_raise_names_the_column_and_the_row(library):
    with pytest.raises(DataError, match="column 'y' has a missing value in row 1"):
        model_frame(FORMULA, build(library, HOLES), missing="raise")


def test_missing_boolean_and_integer_predictors(library):
    columns = {**COMPLETE, "b": [True, None, True, True, False, False], "x": [1, 2, None, 4, 5, 7]}
    frame = model_frame(FORMULA, build(library, columns))
    assert frame.rows.tolist() == [0, 3, 4, 5]
    assert np.asarray(frame.columns["b"], dtype=bool).tolist() == [True, True, False, False]
    assert frame.columns["b"].dtype == bool
    assert frame.columns["x"].tolist() == [1, 4, 5, 7]


def test_the_callers_data_stay_as_they_were(library):
    data = build(library, HOLES)
    before = copy.deepcopy(data)
    frame = model_frame(FORMULA, data)
    frame.y[:] = 0.0
    if isinstance(data, pd.DataFrame):
        pd.testing.assert_frame_equal(data, before)
    elif isinstance(data, pl.DataFrame | pa.Table):
        assert data.equals(before)
    else:
        for name, values in data.items():
            pd.testing.assert_series_equal(pd.Series(values), pd.Series(before[name]))


def test_the_response_is_a_copy():
    y = np.arange(6.0)
    frame = model_frame(FORMULA, {**COMPLETE, "y": y})
    assert not np.shares_memory(frame.y, y)


def test_an_expression_as_response(library):
    frame = model_frame(parse("log(x) ~ b + (1 | g)"), build(library, COMPLETE))
    np.testing.assert_allclose(frame.y, np.log(COMPLETE["x"]))


def test_rows_where_the_response_is_not_a_number_are_dropped(library):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = model_frame(parse("log(y) ~ x + (1 | g)"), build(library, COMPLETE))
    assert frame.rows.tolist() == [0, 1, 3, 4, 5]
    assert frame.missing_in == {"log(y)": 1}
    with pytest.raises(DataError, match=r"'log\(y\)' gives a missing value in row 2"):
        model_frame(parse("log(y) ~ x + (1 | g)"), build(library, COMPLETE), missing="raise")


def test_pandas_categories_keep_their_order_and_lose_unused_levels():
    data = pd.DataFrame(COMPLETE)
    data["f"] = pd.Categorical(COMPLETE["f"], ["ä", "never", "lo", "hi", "Mid"], ordered=True)
    data["g"] = pd.Categorical(COMPLETE["g"], [30, 20, 10, 5])
    frame = model_frame(FORMULA, data)
    assert frame.columns["f"].values.tolist() == ["ä", "lo", "hi", "Mid"]
    assert frame.columns["f"].ordered
    assert frame.factors["g"].labels.tolist() == ["30", "20", "10"]
    assert not frame.factors["g"].ordered


def test_a_missing_category():
    data = pd.DataFrame(COMPLETE)
    data["f"] = pd.Categorical.from_codes([1, 2, 1, -1, 2, 0], ["ä", "lo", "hi"])
    frame = model_frame(FORMULA, data)
    assert frame.rows.tolist() == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("dtype", [pl.Enum(["ä", "never", "lo", "hi", "Mid"]), pl.Categorical], ids=str)
def test_polars_categories_keep_their_order_and_are_not_ordered(dtype):
    # polars sorts a Categorical by its text
    order = ["Mid", "hi", "lo", "ä"] if dtype == pl.Categorical else ["ä", "lo", "hi", "Mid"]
    data = pl.DataFrame(COMPLETE).with_columns(pl.col("f").cast(dtype))
    assert data["f"].dtype == dtype
    frame = model_frame(FORMULA, data)
    assert frame.columns["f"].values.tolist() == order
    assert not frame.columns["f"].ordered
    assert frame.columns["f"].labels[frame.columns["f"].codes].tolist() == COMPLETE["f"]


def test_arrow_dictionaries_keep_their_order():
    data = pa.table(COMPLETE)
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 3, 1, None]), ["lo", "hi", "never", "Mid"])
    data = data.set_column(3, "f", array)
    frame = model_frame(FORMULA, data)
    assert frame.columns["f"].values.tolist() == ["lo", "hi", "Mid"]
    assert frame.rows.tolist() == [0, 1, 2, 3, 4]


def test_weights_and_offsets_by_name_and_by_value(library):
    columns = {**COMPLETE, "w": [1.0, 2.0, 0.0, 4.0, 5.0, 0.0], "o": [1, 2, 3, 4, 5, 6]}
    by_name = model_frame(FORMULA, build(library, columns), weights="w", offset="o")
    by_value = model_frame(FORMULA, build(library, columns), weights=columns["w"], offset=np.array(columns["o"]))
    for frame in (by_name, by_value):
        assert frame.rows.tolist() == [0, 1, 3, 4]
        assert frame.n_zero_weight == 2
        np.testing.assert_array_equal(frame.weights, [1, 2, 4, 5])
        np.testing.assert_array_equal(frame.offset, [1, 2, 4, 5])
        assert frame.factors["g"].labels.tolist() == ["10", "20", "30"]
        with pytest.warns(DroppedRowsWarning, match="2 of 6 rows were dropped: 2 with weight 0"):
            frame.report_dropped()


def test_offsets_of_the_formula_add_up():
    frame = model_frame(parse("y ~ x + offset(log(x)) + offset(x) + (1 | g)"), COMPLETE, offset=[1.0] * 6)
    x = np.array(COMPLETE["x"], dtype=float)
    np.testing.assert_allclose(frame.offset, np.log(x) + x + 1)


def test_a_missing_weight_or_offset_column_value_drops_the_row():
    data = {**COMPLETE, "w": [1.0, None, 1.0, 1.0, 1.0, 1.0], "o": [0.0, 0.0, np.nan, 0.0, 0.0, 0.0]}
    frame = model_frame(FORMULA, data, weights="w", offset="o")
    assert frame.rows.tolist() == [0, 3, 4, 5]
    assert frame.missing_in == {"w": 1, "o": 1}


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (pd.to_datetime(["2020-01-02", "2020-01-01"] * 3), ["2020-01-01", "2020-01-02"]),
        (pd.to_datetime(["2020-01-02 10:30", "2020-01-01 00:00"] * 3), ["2020-01-01T00:00", "2020-01-02T10:30"]),
        (pd.to_datetime(["2020-01-02", "2020-01-01"] * 3, utc=True), ["2020-01-01", "2020-01-02"]),
        (pd.to_timedelta(["2D", "1D"] * 3), ["1 days 00:00:00", "2 days 00:00:00"]),
        ([True, False] * 3, ["False", "True"]),
        ([2.5, 1.0] * 3, ["1", "2.5"]),
        ([-3, 4_000_000_000_000] * 3, ["-3", "4000000000000"]),
        (["b", "a"] * 3, ["a", "b"]),
    ],
    ids=["date", "instant", "zone", "duration", "boolean", "float", "integer", "text"],
)
def test_any_type_is_a_grouping_column(values, labels):
    data = pd.DataFrame({**COMPLETE, "g": values})
    factor = model_frame(FORMULA, data).factors["g"]
    assert factor.labels.tolist() == labels
    assert factor.codes.tolist() == [1, 0] * 3 if labels[0] != "-3" else [0, 1] * 3


@pytest.mark.parametrize("build", [pl.DataFrame, pa.table], ids=["polars", "pyarrow"])
def test_dates_of_other_libraries_as_groups(build):
    days = [datetime.date(2020, 1, 1 + i % 2) for i in range(6)]
    days[3] = None
    frame = model_frame(FORMULA, build({**COMPLETE, "g": days}))
    assert frame.factors["g"].labels.tolist() == ["2020-01-01", "2020-01-02"]
    assert frame.rows.tolist() == [0, 1, 2, 4, 5]


def test_the_name_of_a_pandas_frame():
    data = pd.DataFrame(COMPLETE)
    assert model_frame(FORMULA, data).name is None
    data.attrs["name"] = "toy"
    assert model_frame(FORMULA, data).name == "toy"


def test_an_index_of_its_own_does_no_harm():
    data = pd.DataFrame(COMPLETE, index=[5, 5, 4, 3, 2, 1])
    frame = model_frame(FORMULA, data, weights=pd.Series([1.0, 0.0, 1.0, 1.0, 1.0, 1.0]))
    assert frame.rows.tolist() == [0, 2, 3, 4, 5]


def test_arrow_streams_are_read():
    class Stream:
        def __init__(self, table):
            self._table = table

        def __arrow_c_stream__(self, requested_schema=None):
            return self._table.__arrow_c_stream__(requested_schema)

    frame = model_frame(FORMULA, Stream(pa.table(COMPLETE)))
    assert frame.kind == "pyarrow"
    assert frame.y.tolist() == COMPLETE["y"]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (pd.Series([pd.NA, "b", "a"] * 2, dtype=object), ["a", "b"]),
        (pd.Series([np.nan, "b", "a"] * 2, dtype=object), ["a", "b"]),
        (pd.Series([None, np.str_("b"), "a"] * 2, dtype=object), ["a", "b"]),
        (pd.Series(["\ud800", "b", None] * 2, dtype=object), ["b", "\ud800"]),
        (pd.Series([True, None, False] * 2, dtype=object), ["False", "True"]),
        (pd.Series([2, None, 10] * 2, dtype=object), ["2", "10"]),
        (pd.Series([Decimal("2.5"), None, Decimal(10)] * 2, dtype=object), ["2.5", "10"]),
        (pd.Series([datetime.date(2020, 1, 2), None, datetime.date(2020, 1, 1)] * 2), ["2020-01-01", "2020-01-02"]),
        (pd.array([2**62 + 1, None, 2**62] * 2, dtype="Int64"), [str(2**62), str(2**62 + 1)]),
        (pd.array([2.5, None, 1.0] * 2, dtype="Float32"), ["1", "2.5"]),
        (pd.arrays.SparseArray([2.0, np.nan, 1.0] * 2), ["1", "2"]),
        (pd.PeriodIndex(["2020-02", None, "2020-01"] * 2, freq="M"), ["2020-01-01", "2020-02-01"]),
        (pd.cut([1.0, np.nan, 2.0] * 2, [0, 1, 2]), ["(0, 1]", "(1, 2]"]),
        (pl.Series(["b", None, "a"] * 2, dtype=pl.Categorical), ["a", "b"]),
        (pl.Series([Decimal("2.5"), None, Decimal(10)] * 2), ["2.5", "10"]),
        (pl.Series([2.5, float("nan"), 1.0] * 2), ["1", "2.5"]),
        (pl.Series([2.5, None, 1.0] * 2), ["1", "2.5"]),
        (pa.array([Decimal("2.5"), None, Decimal(10)] * 2), ["2.5", "10"]),
        (pa.array([2**62 + 1, None, 2**62] * 2), [str(2**62), str(2**62 + 1)]),
        (pa.array(["b", None, "a"] * 2, pa.string_view()), ["a", "b"]),
        (pa.array(["b", None, "a"] * 2).dictionary_encode(), ["b", "a"]),
    ],
    ids=lambda value: f"{type(value).__name__} {value.dtype}" if hasattr(value, "dtype") else None,
)
def test_missing_values_of_every_type(values, labels):
    frame = model_frame(FORMULA, {**COMPLETE, "g": values})
    factor = frame.factors["g"]
    assert factor.labels.tolist() == labels
    missing = [row for row in range(6) if row not in frame.rows]
    assert missing in ([0, 3], [1, 4], [2, 5])
    assert sorted(set(factor.codes.tolist())) == [0, 1]


@pytest.mark.parametrize("build", [pl.DataFrame, dict, pd.DataFrame], ids=["polars", "dict", "pandas"])
def test_text_without_pyarrow(build, monkeypatch):
    data = build({**HOLES, "f": np.array(HOLES["f"], dtype=object)} if build is not pl.DataFrame else HOLES)
    if build is pd.DataFrame:
        data = data.astype({"f": pd.StringDtype("python")})
    expected = model_frame(FORMULA, data)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError):
        import pyarrow  # noqa: F401
    frame = model_frame(FORMULA, data)
    assert frame.columns["f"].labels.tolist() == expected.columns["f"].labels.tolist()
    assert frame.columns["f"].codes.tolist() == expected.columns["f"].codes.tolist()
    assert frame.rows.tolist() == expected.rows.tolist()


def test_values_of_weights_and_offset_go_with_dropped_rows():
    """A value may be missing where the row is dropped in any case, and nowhere else."""
    data = {**COMPLETE, "x": [1.0, None, 3.0, 4.0, 5.0, 6.0]}
    weights, offset = [1.0, np.nan, 3.0, 4.0, 5.0, 6.0], np.array([0.1, np.nan, 0.3, 0.4, 0.5, 0.6])
    frame = model_frame(FORMULA, data, weights=weights, offset=offset)
    np.testing.assert_array_equal(frame.rows, [0, 2, 3, 4, 5])
    np.testing.assert_array_equal(frame.weights, [1.0, 3.0, 4.0, 5.0, 6.0])
    np.testing.assert_array_equal(frame.offset, offset[[0, 2, 3, 4, 5]])
    with pytest.raises(
        DataError, match=r"offset has a missing value in row 1; .*complete row of the data, or add offset to the data"
    ):
        model_frame(FORMULA, COMPLETE, offset=offset)
    with pytest.raises(
        DataError, match=r"weights has 5 values, but the data have 6 rows; .*also for those that are dropp"
    ):
        model_frame(FORMULA, data, weights=weights[1:])
