"""The caller's data as a set of named columns, read only when asked for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from mixedeffects.errors import DataError, FormulaError
from mixedeffects.formula import Formula, parse, unquoted_names
from mixedeffects.frame.raw import RawColumn, from_arrow, from_numpy, from_pandas, from_polars

FrameKind = Literal["pandas", "polars", "pyarrow", "dict"]

_SUPPORTED = "a pandas DataFrame, a polars DataFrame, a pyarrow Table or a dict of columns"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """The caller's data behind one face.

    Attributes
    ----------
    kind : {"pandas", "polars", "pyarrow", "dict"}
        The library of the data.
    names : tuple of str
        All column names.
    n_rows : int or None
        Number of rows; None for a dict, whose columns tell it.
    name : str or None
        The name of the data set, ``frame.attrs["name"]`` in pandas.
    units : mapping of str to str
        Units by column, ``frame.attrs["units"]`` in pandas.
    reader : callable
        Column name -> RawColumn.
    """

    kind: FrameKind
    names: tuple[str, ...]
    n_rows: int | None
    name: str | None
    reader: Callable[[str], RawColumn]
    units: Mapping[str, str] = field(default_factory=dict)

    def read(self, names: Iterable[str]) -> dict[str, RawColumn]:
        """Read the columns of these names.

        Raises
        ------
        DataError
            If a column does not exist, is there twice, or cannot be used.
        """
        wanted = tuple(names)
        self._check(wanted)
        columns = {name: self.reader(name) for name in wanted}
        n_rows = self.n_rows
        for name, column in columns.items():
            if n_rows is None:
                n_rows = len(column)
            if len(column) != n_rows:
                first = next(iter(columns))
                raise DataError(
                    f"the columns differ in length: {first!r} has {n_rows} rows, {name!r} has {len(column)}"
                )
        return columns

    def _check(self, wanted: tuple[str, ...]) -> None:
        available = set(self.names)
        for name in wanted:
            if name not in available:
                raise DataError(f"there is no column {name!r} in the data; {_hint(name, self.names)}")
        if len(available) != len(self.names):
            for name in wanted:
                if self.names.count(name) > 1:
                    raise _duplicated(name, self.names.count(name))


def _duplicated(name: str, count: int) -> DataError:
    return DataError(f"the data have {count} columns named {name!r}; rename or drop all but one")


def _hint(name: str, names: tuple[str, ...]) -> str:
    texts = [other for other in names if isinstance(other, str)]  # pandas allows any object as a name
    near = difflib.get_close_matches(name, texts, n=3, cutoff=0.6)
    lowered = [other for other in texts if other.lower() == name.lower() and other not in near]
    near = [*lowered, *near]
    if near:
        return f"did you mean {' or '.join(repr(other) for other in near)}?"
    shown = ", ".join(repr(other) for other in names[:10])
    return f"it has {shown}{f' and {len(names) - 10} more' if len(names) > 10 else ''}" if names else "it has none"


def open_source(data: Any) -> Source:
    """Wrap the caller's data.

    Parameters
    ----------
    data : pandas or polars DataFrame, pyarrow Table, dict of columns, or anything narwhals reads eagerly
        Never changed.

    Raises
    ------
    DataError
        For data of another type.
    """
    if isinstance(data, pd.DataFrame):
        return _pandas_source(data)
    if isinstance(data, Mapping):
        return _dict_source(data)
    if isinstance(data, pd.Series | pd.Index):
        raise DataError(f"data of type {type(data).__name__} cannot be read: it is one column; give {_SUPPORTED}")
    return _narwhals_source(data)


def parse_for(text: str, data: Any, functions: Mapping[str, Callable[..., Any]] | None) -> Formula:
    """Parse a formula about some data.

    Parameters
    ----------
    text : str
        The formula.
    data : data frame or dict of columns
        Only the names of its columns are looked at, and only if the text is no formula.
    functions : mapping of str to callable, optional
        The caller's functions.

    Raises
    ------
    FormulaError
        If the text is no formula; names of columns that lack their backticks are told.
    """
    try:
        return parse(text, functions=functions)
    except FormulaError as problem:
        try:
            names = open_source(data).names
        except DataError:
            names = ()
        advice = unquoted_names(text, names, functions) if isinstance(text, str) else None
        raise (problem if advice is None else FormulaError(advice)) from None


def _pandas_source(data: pd.DataFrame) -> Source:
    name, units = data.attrs.get("name"), data.attrs.get("units")
    return Source(
        kind="pandas",
        names=tuple(data.columns),
        n_rows=len(data),
        name=name if isinstance(name, str) else None,
        reader=lambda column: from_pandas(column, data[column]),
        units={str(k): str(v) for k, v in units.items()} if isinstance(units, Mapping) else {},
    )


def _dict_source(data: Mapping[str, Any]) -> Source:
    return Source(
        kind="dict",
        names=tuple(data),
        n_rows=None,
        name=None,
        reader=lambda column: read_array(column, data[column]),
    )


def _narwhals_source(data: Any) -> Source:
    import narwhals.stable.v2 as nw

    try:
        frame = nw.from_native(data)
    except nw.exceptions.DuplicateError:
        twice = next(name for name in data.column_names if data.column_names.count(name) > 1)
        raise _duplicated(twice, data.column_names.count(twice)) from None
    except TypeError:
        if hasattr(data, "__arrow_c_stream__"):
            return _narwhals_source(nw.from_arrow(data, backend="pyarrow").to_native())
        kind = f"{type(data).__module__}.{type(data).__qualname__}".removeprefix("builtins.")
        raise DataError(f"data of type {kind} cannot be read; give {_SUPPORTED}") from None
    if isinstance(frame, nw.LazyFrame):
        raise DataError(f"data of type {type(data).__name__} are lazy; collect them first, or give {_SUPPORTED}")
    if frame.implementation.is_pyarrow():
        return Source(
            kind="pyarrow",
            names=tuple(frame.columns),
            n_rows=len(frame),
            name=None,
            reader=lambda column: from_arrow(column, data.column(column)),
        )
    if frame.implementation.is_pandas_like():
        return _pandas_source(frame.to_pandas())
    return Source(
        kind="polars",
        names=tuple(frame.columns),
        n_rows=len(frame),
        name=None,
        reader=lambda column: from_polars(column, frame.get_column(column)),
    )


def read_array(name: str, values: Any) -> RawColumn:
    """Read one column given as a list, an array or a Series of any library."""
    if isinstance(values, np.ndarray):
        return from_numpy(name, values)
    if isinstance(values, pd.Series):
        return from_pandas(name, values)
    if isinstance(values, pd.Index | pd.Categorical | pd.api.extensions.ExtensionArray):
        return from_pandas(name, pd.Series(values))
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise DataError(
            f"column {name!r} is a single {type(values).__name__}; give a list or an array, one value a row"
        )
    if isinstance(values, list | tuple | range):
        return from_numpy(name, _list_to_array(values))
    return _read_foreign(name, values)


def _list_to_array(values: list[Any] | tuple[Any, ...] | range) -> np.ndarray[Any, Any]:
    kinds = {type(value) for value in values}
    if kinds and kinds <= {int, float, bool} and (len(kinds) == 1 or bool not in kinds):
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _read_foreign(name: str, values: Any) -> RawColumn:
    import narwhals.stable.v2 as nw

    if type(values).__module__.startswith("pyarrow"):
        return from_arrow(name, values)
    try:
        series = nw.from_native(values, series_only=True)
    except TypeError:
        return from_numpy(name, np.asarray(values))
    return from_polars(name, series)
