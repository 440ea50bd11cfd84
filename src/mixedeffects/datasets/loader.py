"""`load`, `names` and `describe`: example data by name, in the kind of frame that is asked for."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, overload

from mixedeffects.errors import DataError

from .catalogue import CATALOGUE, render
from .files import read
from .frames import KINDS, build

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray


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
    if as_ not in KINDS:
        raise DataError(f"as_={as_!r} is not a kind of frame; choose one of {', '.join(map(repr, KINDS))}.")
    known = _known(name)
    frame = build(read(known), as_)
    if as_ == "pandas":
        frame.attrs["name"] = known
        frame.attrs["units"] = {one.name: one.unit for one in CATALOGUE[known].variables if one.unit}
    return frame


def _known(name: str) -> str:
    if name in CATALOGUE:
        return name
    lowered = {known.lower(): known for known in CATALOGUE}
    near = [lowered[match] for match in get_close_matches(str(name).lower(), lowered, n=3)]
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Choose one of {', '.join(CATALOGUE)}."
    raise DataError(f"There is no data set named {name!r}. {hint}")
