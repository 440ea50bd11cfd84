"""Tables out: columns -> a frame of the caller's own library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedeffects.errors import DataError
from mixedeffects.frame.source import open_source

if TYPE_CHECKING:
    from numpy.typing import NDArray


def to_frame(columns: Mapping[str, Any], kind: str, *, text: tuple[str, ...] = ()) -> Any:
    """Build a frame of equally long columns.

    Parameters
    ----------
    columns : mapping of str to sequence
        Lists or arrays; None is a missing value.
    kind : {"pandas", "polars", "pyarrow", "dict"}
        The library of the data; a dict of columns gets a pandas frame.
    text : tuple of str
        Columns of text; in pandas they are object columns, the others keep their type.
    """
    if kind == "polars":
        import polars as pl

        # A column that is missing throughout keeps its type, so that tables can be put under one another.
        empty = {name: pl.String if name in text else pl.Float64 for name, v in columns.items() if _nothing(v)}
        return pl.DataFrame(
            {name: pl.Series(name, _plain(v), dtype=empty.get(name), strict=False) for name, v in columns.items()}
        )
    if kind == "pyarrow":
        import pyarrow as pa

        types = {name: pa.string() if name in text else pa.float64() for name, v in columns.items() if _nothing(v)}
        return pa.table({name: pa.array(_plain(v), type=types.get(name)) for name, v in columns.items()})
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=object) if name in text else pd.Series(_numbers(values))
            for name, values in columns.items()
        }
    )


def with_columns(data: Any, rows: NDArray[np.int64], added: Mapping[str, NDArray[np.float64]], *, n_rows: int) -> Any:
    """Return some rows of the caller's frame, with columns added at the end; the frame itself is not changed.

    Parameters
    ----------
    data : data frame or dict of columns
        pandas, polars, pyarrow, or a dict.
    rows : ndarray of int64 (n,)
        Positions of the rows.
    added : mapping of str to ndarray (n,)
        The new columns.
    n_rows : int
        How many rows the data must have.

    Raises
    ------
    DataError
        If they have another number of rows, or are no data frame.
    """
    import narwhals.stable.v2 as nw

    source = open_source(data)
    data = nw.to_native(data, pass_through=True)
    given = len(next(iter(data.values()), ())) if source.n_rows is None else source.n_rows
    if given != n_rows:
        raise DataError(f"data has {given} rows; the model was fitted to data with {n_rows} rows. Give those")
    if isinstance(data, pd.DataFrame):
        return data.iloc[rows].assign(**added)
    if isinstance(data, Mapping):
        return pd.DataFrame({name: np.asarray(values)[rows] for name, values in data.items()}).assign(**added)
    if hasattr(data, "with_columns"):
        import polars as pl

        return data[rows].with_columns(*(pl.Series(name, values) for name, values in added.items()))
    out = data.take(rows)
    for name, values in added.items():
        import pyarrow as pa

        out = out.append_column(name, pa.array(values))
    return out


def _nothing(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(value is None for value in values)


def _plain(values: Any) -> Any:
    return values if isinstance(values, np.ndarray) and values.dtype != object else list(values)


def _numbers(values: Any) -> Any:
    """Lists of numbers and None as floats, so that None becomes NaN."""
    holes = isinstance(values, list) and any(value is None for value in values)
    if holes and all(value is None or isinstance(value, int | float) for value in values):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return values
