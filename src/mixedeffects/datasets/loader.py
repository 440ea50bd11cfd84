"""`load`, `names` and `describe`: example data by name, in the kind of frame that is asked for."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, overload

from mixedeffects.errors import DataError, MixedEffectsError

from .catalogue import CATALOGUE, render
from .files import Column, read

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray


class MissingPackageError(MixedEffectsError, ImportError):
    """A package that the request needs is not installed."""


def names() -> tuple[str, ...]:
    """Return the names that `load` takes.

    Returns
    -------
    tuple of str
        One name a data set.
    """
    return tuple(CATALOGUE)


def describe(name: str) -> str:
    """Return the description of a data set: its design, its codebook and its source.

    Parameters
    ----------
    name : str
        One of `names()`.

    Returns
    -------
    str
        Several lines of plain text.

    Raises
    ------
    DataError
        If there is no data set of this name.
    """
    return render(CATALOGUE[_known(name)])


@overload
def load(name: str, *, as_: Literal["pandas"] = "pandas") -> pd.DataFrame: ...
@overload
def load(name: str, *, as_: Literal["polars"]) -> pl.DataFrame: ...
@overload
def load(name: str, *, as_: Literal["pyarrow"]) -> pa.Table: ...
@overload
def load(name: str, *, as_: Literal["dict"]) -> dict[str, NDArray[Any]]: ...
def load(
    name: str, *, as_: Literal["pandas", "polars", "pyarrow", "dict"] = "pandas"
) -> pd.DataFrame | pl.DataFrame | pa.Table | dict[str, NDArray[Any]]:
    """Load an example data set; its contents are explained by `describe`.

    Numbers are int64 when all are whole and none is missing, else float64. Every call returns new data, which the
    caller may change.

    Parameters
    ----------
    name : str
        One of `names()`.
    as_ : {"pandas", "polars", "pyarrow", "dict"}
        Kind of the result. Factors keep the order of their levels as pandas Categorical (ordered for ordered factors),
        polars Enum or pyarrow dictionary arrays; in a dict of NumPy arrays they are arrays of str.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame, pyarrow.Table or dict
        The data. A pandas frame knows its name, ``frame.attrs["name"]``, and the units of its columns,
        ``frame.attrs["units"]``, which pictures show.

    Raises
    ------
    DataError
        If there is no data set of this name, or no such kind of result.
    MissingPackageError
        If polars or pyarrow is asked for and not installed; it is an ImportError too.

    Examples
    --------
    >>> import mixedeffects as me
    >>> me.datasets.load("sleepstudy").shape
    (180, 3)
    """
    convert = _KINDS.get(as_)
    if convert is None:
        raise DataError(f"as_={as_!r} is not a kind of frame; choose one of {', '.join(map(repr, _KINDS))}.")
    return convert(_known(name), read(name))


def _known(name: str) -> str:
    if name in CATALOGUE:
        return name
    lowered = {known.lower(): known for known in CATALOGUE}
    near = [lowered[match] for match in get_close_matches(str(name).lower(), lowered, n=3)]
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Choose one of {', '.join(CATALOGUE)}."
    raise DataError(f"There is no data set named {name!r}. {hint}")


def _missing(package: str) -> MissingPackageError:
    return MissingPackageError(f"as_={package!r} needs {package}, which is not installed: pip install {package}")


def _pandas(name: str, columns: list[Column]) -> pd.DataFrame:
    import pandas as pd

    data: dict[str, Any] = {}
    for column in columns:
        if column.kind == "numeric":
            data[column.name] = column.values
        else:
            is_ordered = column.kind == "ordered"
            levels = list(column.levels)
            data[column.name] = pd.Categorical.from_codes(column.values, categories=levels, ordered=is_ordered)
    frame = pd.DataFrame(data, copy=False)
    frame.attrs["name"] = name
    frame.attrs["units"] = {variable.name: variable.unit for variable in CATALOGUE[name].variables if variable.unit}
    return frame


def _polars(name: str, columns: list[Column]) -> pl.DataFrame:
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


def _pyarrow(name: str, columns: list[Column]) -> pa.Table:
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


def _dict(name: str, columns: list[Column]) -> dict[str, NDArray[Any]]:
    import numpy as np

    def array(column: Column) -> NDArray[Any]:
        if column.kind == "numeric":
            return column.values
        # Code -1 picks the None at the end.
        missing = bool((column.values < 0).any())
        labels = np.array([*column.levels, None], dtype=object) if missing else np.array(column.levels)
        return np.asarray(labels[column.values])

    return {column.name: array(column) for column in columns}


_KINDS: dict[str, Callable[[str, list[Column]], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _pyarrow,
    "dict": _dict,
}
