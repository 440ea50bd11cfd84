"""Columns of data for which no response is needed: new data at which a fitted design is evaluated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mixedeffects.errors import DataError
from mixedeffects.frame.factor import Factor, encode
from mixedeffects.frame.source import open_source, read_array

if TYPE_CHECKING:
    from mixedeffects.frame.raw import RawColumn

Column = NDArray[Any] | Factor


def as_column(raw: RawColumn) -> Column:
    """Turn a column into what predictors use: an array of numbers or booleans, a Factor for text and categories."""
    if raw.kind in ("text", "category"):
        return encode(raw)
    values: NDArray[Any] = raw.values
    # A missing integer or boolean has no value of its own; its row is dropped before anybody looks.
    return values


def read_columns(data: Any, names: Iterable[str]) -> tuple[dict[str, Column], NDArray[np.bool_]]:
    """Read predictor columns of any data frame.

    Parameters
    ----------
    data : data frame or dict of columns
        As `model_frame` takes it.
    names : iterable of str
        The columns needed.

    Returns
    -------
    columns : dict of str to ndarray or Factor
        Over all rows.
    complete : ndarray of bool, (n,)
        Rows without a missing value in these columns.

    Raises
    ------
    DataError
        For a missing or unusable column.
    """
    source = open_source(data)
    raw = source.read(names)
    n_rows = source.n_rows if source.n_rows is not None else len(next(iter(raw.values()))) if raw else 0
    complete = np.ones(n_rows, dtype=bool)
    for column in raw.values():
        if column.kind == "time":
            raise time_predictor(column)
        if column.missing is not None:
            complete &= ~column.missing
    return {name: as_column(column) for name, column in raw.items()}, complete


def read_factor(name: str, values: Any) -> Factor:
    """Read one column of any kind as a factor.

    Parameters
    ----------
    name : str
        For errors, and the name of the factor.
    values : array-like (n,)
        Labels of the rows, all present.

    Raises
    ------
    DataError
        For a missing value, or values of a type that cannot be read.
    """
    raw = read_array(name, values)
    if raw.missing is not None:
        raise DataError(f"{name!r} has no value in row {int(np.argmax(raw.missing))}; every row must have one")
    return encode(raw)


def time_predictor(column: RawColumn) -> DataError:
    """Return the error for a date or time used as a predictor."""
    return DataError(
        f"column {column.name!r} holds dates or times ({column.values.dtype}) and cannot be a predictor; convert it to "
        "a number first (days since the start, say); as a grouping factor it is fine"
    )
