"""One column of any data-frame library as NumPy values and a mask of what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ColumnKind = Literal["number", "boolean", "category", "text", "time"]

_INFERRED: dict[str, ColumnKind] = {
    "string": "text",
    "empty": "number",
    "boolean": "boolean",
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "datetime64": "time",
    "datetime": "time",
    "date": "time",
    "timedelta64": "time",
    "timedelta": "time",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawColumn:
    """A column as read, over all rows of the caller's data; arrays may share the caller's memory.

    Attributes
    ----------
    name : str
        Column name.
    kind : {"number", "boolean", "category", "text", "time"}
        How the values are to be understood.
    values : ndarray (n,) or pyarrow string array
        Floats, integers, booleans, datetimes; the codes of a category (-1 where missing); text.
    missing : ndarray of bool (n,) or None
        Rows without a value; None where there are none.
    categories : ndarray or None
        Levels of a category, in their order.
    ordered : bool
        Whether it is an ordered categorical in pandas' sense.
    """

    name: str
    kind: ColumnKind
    values: Any
    missing: NDArray[np.bool_] | None = None
    categories: NDArray[Any] | None = None
    ordered: bool = False

    def __len__(self) -> int:
        return len(self.values)


def refuse(name: str, what: str, hint: str) -> DataError:
    """Return the error for a column whose type cannot be used at all."""
    return DataError(f"column {name!r} holds {what}; {hint}")


_ALLOWED = "a column must hold numbers, booleans, strings, categories or dates"


def from_numpy(name: str, values: NDArray[Any]) -> RawColumn:
    """Read a one-dimensional NumPy array.

    Parameters
    ----------
    name : str
        Column name, for errors.
    values : ndarray, (n,)
        Any dtype; objects are looked at one by one.
    """
    kind = values.dtype.kind
    if values.ndim != 1:
        raise refuse(name, f"an array of shape {values.shape}", "a column must be one-dimensional")
    if kind == "f":
        values = values.astype(np.float64, copy=False)
        # One pass without a temporary: a finite sum means that nothing is missing.
        with np.errstate(all="ignore"):
            clean = bool(np.isfinite(values.sum()))
        missing = None if clean else np.isnan(values)
        return RawColumn(name=name, kind="number", values=values, missing=_mask(missing))
    if kind in "iu":
        return RawColumn(name=name, kind="number", values=values)
    if kind == "b":
        return RawColumn(name=name, kind="boolean", values=values)
    if kind in "Mm":
        return RawColumn(name=name, kind="time", values=values, missing=_mask(np.isnat(values)))
    if kind in "UT":
        return _from_objects(name, values.astype(object))
    if kind == "O":
        return _from_objects(name, values)
    if kind == "c":
        raise refuse(name, "complex numbers", _ALLOWED)
    raise refuse(name, f"values of type {values.dtype}", _ALLOWED)


def _mask(missing: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    return missing if missing is not None and missing.any() else None


def _from_objects(name: str, values: NDArray[Any]) -> RawColumn:
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    kind = _INFERRED.get(inferred)
    if kind is None:
        raise _object_error(name, values, inferred)
    if kind == "text":
        return text_column(name, values)
    missing = _mask(pd.isna(values))
    present = values if missing is None else np.where(missing, _filler(values, missing), values)
    if kind == "time":
        converted = (pd.to_timedelta if "timedelta" in inferred else pd.to_datetime)(pd.Series(values, dtype=object))
        return RawColumn(name=name, kind="time", values=_instants(converted), missing=missing)
    if inferred == "integer":
        present = _integers(present)
    elif inferred != "empty":
        present = present.astype(bool if kind == "boolean" else np.float64)
    else:
        present = np.full(len(values), np.nan)
    return RawColumn(name=name, kind=kind, values=present, missing=missing)


def _integers(values: NDArray[Any]) -> NDArray[Any]:
    try:
        return values.astype(np.int64)
    except OverflowError:
        return values.astype(np.float64)


def _instants(series: pd.Series) -> NDArray[Any]:
    """Datetimes as datetime64 (in UTC if they have a zone), timedeltas as timedelta64."""
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(series.to_numpy())


def _filler(values: NDArray[Any], missing: NDArray[np.bool_]) -> Any:
    present = np.flatnonzero(~missing)
    return values[present[0]] if len(present) else np.nan


def _object_error(name: str, values: NDArray[Any], inferred: str) -> DataError:
    kinds = list(dict.fromkeys(type(value).__name__ for value in values[~_is_missing(values)]))
    if inferred == "complex":
        return refuse(name, "complex numbers", _ALLOWED)
    if len(kinds) > 1:
        first, second = kinds[:2]
        hint = "convert it to one type first"
        if "str" in kinds[:2] and {first, second} & {"int", "float"}:
            row = next(i for i, value in enumerate(values) if isinstance(value, str))
            hint = f"row {row} has the text {values[row]!r}: correct it, or mark it as missing"
        return refuse(name, f"values of mixed type ({first} and {second})", hint)
    return refuse(name, f"values of type {kinds[0] if kinds else inferred}", _ALLOWED)


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.fromiter((value is None or value is pd.NA or value is pd.NaT for value in values), bool, len(values))


def text_column(name: str, values: Any) -> RawColumn:
    """Read strings: an object array or an Arrow array; Arrow does the encoding where it is installed."""
    try:
        import pyarrow as pa
    except ImportError:
        return RawColumn(name=name, kind="text", values=values, missing=_mask(pd.isna(values)))
    if isinstance(values, np.ndarray):
        try:
            values = pa.array(values, type=pa.large_string(), from_pandas=True)
        except UnicodeEncodeError:  # half of a surrogate pair, which UTF-8 cannot hold
            return RawColumn(name=name, kind="text", values=values, missing=_mask(pd.isna(values)))
    missing = values.is_null().to_numpy(**_copying(values)) if values.null_count else None
    return RawColumn(name=name, kind="text", values=values, missing=missing)


def _copying(values: Any) -> dict[str, bool]:
    return {} if hasattr(values, "chunks") else {"zero_copy_only": False}


def from_categories(name: str, codes: NDArray[Any], categories: NDArray[Any], *, ordered: bool = False) -> RawColumn:
    """Read a categorical column from its codes (-1 where missing) and categories."""
    missing = _mask(codes < 0)
    return RawColumn(name=name, kind="category", values=codes, missing=missing, categories=categories, ordered=ordered)


def from_pandas(name: str, series: pd.Series) -> RawColumn:
    """Read a pandas Series of any dtype."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return from_numpy(name, series.to_numpy())
    if isinstance(dtype, pd.CategoricalDtype):
        categories = np.asarray(dtype.categories.to_numpy(), dtype=_category_dtype(dtype.categories))
        return from_categories(name, np.asarray(series.cat.codes), categories, ordered=bool(dtype.ordered))
    if isinstance(dtype, pd.DatetimeTZDtype):
        return from_numpy(name, _instants(series))
    if isinstance(dtype, pd.StringDtype):
        array = series.array
        if dtype.storage == "pyarrow":
            return text_column(name, array.__arrow_array__())
        return text_column(name, np.asarray(array, dtype=object))
    if isinstance(dtype, pd.ArrowDtype):
        return from_arrow(name, series.array.__arrow_array__())
    if isinstance(dtype, pd.PeriodDtype):
        return from_numpy(name, series.dt.to_timestamp().to_numpy())
    if isinstance(dtype, pd.IntervalDtype):
        return from_pandas(name, series.astype("category"))
    if isinstance(dtype, pd.SparseDtype):
        return from_numpy(name, series.sparse.to_dense().to_numpy())
    if dtype.kind in "iufb":  # the nullable dtypes
        missing = _mask(series.isna().to_numpy())
        filled = series.array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.type(0))
        return _merge_missing(from_numpy(name, filled), missing)
    raise refuse(name, f"values of type {dtype}", _ALLOWED)


def _category_dtype(categories: pd.Index) -> Any:
    return object if categories.dtype.kind not in "iufbMm" else None


def _merge_missing(column: RawColumn, missing: NDArray[np.bool_] | None) -> RawColumn:
    if missing is None:
        return column
    both = missing if column.missing is None else missing | column.missing
    return RawColumn(name=column.name, kind=column.kind, values=column.values, missing=both)


def from_arrow(name: str, array: Any) -> RawColumn:
    """Read a pyarrow Array or ChunkedArray of any type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if isinstance(array, pa.ChunkedArray) and (pa.types.is_dictionary(kind) or array.num_chunks != 1):
        array = array.unify_dictionaries().combine_chunks() if pa.types.is_dictionary(kind) else array.combine_chunks()
    elif isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    if isinstance(array, pa.ChunkedArray):  # combine_chunks may return one chunk or none
        array = array.chunk(0) if array.num_chunks else pa.array([], type=kind)
    if pa.types.is_dictionary(kind):
        codes = array.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        return from_categories(name, codes, from_arrow_levels(array.dictionary))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return text_column(name, array.cast(pa.large_string()) if kind == pa.string_view() else array)
    if pa.types.is_null(kind):
        return RawColumn(
            name=name, kind="number", values=np.full(len(array), np.nan), missing=np.ones(len(array), bool)
        )
    if pa.types.is_decimal(kind):
        array = array.cast(pa.float64())
        kind = array.type
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return RawColumn(name=name, kind="time", values=array.to_numpy(zero_copy_only=False), missing=missing)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        if missing is not None:
            array = pc.fill_null(array, pa.scalar(0).cast(kind))
        return _merge_missing(from_numpy(name, array.to_numpy(zero_copy_only=False)), missing)
    raise refuse(name, f"values of type {kind}", _ALLOWED)


def from_arrow_levels(dictionary: Any) -> NDArray[Any]:
    """Read the levels of an Arrow dictionary in their own type."""
    levels = dictionary.to_numpy(zero_copy_only=False)
    return np.asarray(levels, dtype=object if levels.dtype.kind in "OUT" else None)


def from_polars(name: str, series: Any) -> RawColumn:
    """Read a narwhals Series over polars (or any library but pandas and pyarrow)."""
    import narwhals.stable.v2 as nw

    dtype = series.dtype
    if dtype == nw.Enum:
        codes = series.to_native().to_physical().cast(int).fill_null(-1).to_numpy()
        return from_categories(name, codes, np.array(dtype.categories, dtype=object))
    if dtype == nw.Categorical:
        # polars orders these by their text; the numbers behind them depend on what else the process has read.
        series, dtype = series.cast(nw.String), nw.String
    try:
        import pyarrow as pa  # noqa: F401
    except ImportError:
        return _from_polars_numpy(name, series)
    if dtype == nw.String:
        return from_arrow(name, series.to_arrow())
    return _from_polars_numpy(name, series)


def _from_polars_numpy(name: str, series: Any) -> RawColumn:
    import narwhals.stable.v2 as nw

    dtype = series.dtype
    missing = _mask(series.is_null().to_numpy()) if series.null_count() else None
    if dtype == nw.String:
        return text_column(name, np.array(series.to_list(), dtype=object))
    if dtype in (nw.Datetime, nw.Date, nw.Duration):
        return _merge_missing(from_numpy(name, series.to_numpy()), missing)
    if dtype == nw.Decimal:
        series, dtype = series.cast(nw.Float64), nw.Float64
    if not (dtype.is_numeric() or dtype == nw.Boolean):
        if dtype == nw.Object:
            return from_numpy(name, np.array(series.to_list(), dtype=object))
        if dtype == nw.Unknown and missing is not None and missing.all():
            return RawColumn(name=name, kind="number", values=np.full(len(series), np.nan), missing=missing)
        raise refuse(name, f"values of type {dtype}", _ALLOWED)
    if missing is not None:
        series = series.fill_null(False if dtype == nw.Boolean else 0)
    return _merge_missing(from_numpy(name, series.to_numpy()), missing)
