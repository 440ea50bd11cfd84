"""Columns to data frames: pandas, polars, pyarrow or a dict, factors with their levels in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.errors import MixedEffectsError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from .files import Column


class MissingPackageError(MixedEffectsError, ImportError):
    """A package that the request needs is not installed."""


def _missing(package: str) -> MissingPackageError:
    return MissingPackageError(f"a {package} frame needs {package}, which is not installed: pip install {package}")


def _pandas(columns: list[Column]) -> pd.DataFrame:
    import pandas as pd

    data: dict[str, Any] = {}
    for column in columns:
        if column.kind == "numeric":
            data[column.name] = column.values
        else:
            is_ordered = column.kind == "ordered"
            levels = list(column.levels)
            data[column.name] = pd.Categorical.from_codes(column.values, categories=levels, ordered=is_ordered)
    return pd.DataFrame(data, copy=False)


def _polars(columns: list[Column]) -> pl.DataFrame:
    try:
        import polars as pl
    except ImportError:
        raise _missing("polars") from None

    def series(column: Column) -> pl.Series:
        if column.kind == "numeric":
            return pl.Series(column.name, column.values)
        # Codes are positions in the list of levels, so taking by position keeps missing values missing.
        levels = pl.Series(column.levels, dtype=pl.Enum(column.levels))
        codes = pl.Series(column.values)
        return levels.gather(codes.set(codes < 0, None)).alias(column.name)

    return pl.DataFrame([series(column) for column in columns])


def _pyarrow(columns: list[Column]) -> pa.Table:
    try:
        import pyarrow as pa
    except ImportError:
        raise _missing("pyarrow") from None

    def array(column: Column) -> pa.Array:
        if column.kind == "numeric":
            return pa.array(column.values)
        codes = pa.array(column.values, mask=column.values < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(column.levels), ordered=column.kind == "ordered")

    return pa.table({column.name: array(column) for column in columns})


def _dict(columns: list[Column]) -> dict[str, NDArray[Any]]:
    import numpy as np

    def array(column: Column) -> NDArray[Any]:
        if column.kind == "numeric":
            return column.values
        # Code -1 picks the None at the end.
        missing = bool((column.values < 0).any())
        labels = np.array([*column.levels, None], dtype=object) if missing else np.array(column.levels)
        return np.asarray(labels[column.values])

    return {column.name: array(column) for column in columns}


KINDS: dict[str, Callable[[list[Column]], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _pyarrow,
    "dict": _dict,
}


def build(columns: list[Column], kind: str) -> Any:
    """Make a data frame.

    Parameters
    ----------
    columns : list of Column
        Equally long.
    kind : {"pandas", "polars", "pyarrow", "dict"}
        Kind of the result.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame, pyarrow.Table or dict

    Raises
    ------
    MissingPackageError
        If polars or pyarrow is asked for and not installed.
    """
    return KINDS[kind](columns)
