"""Frames of any library in, columns by name; tables out in the library of the data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, cast

import narwhals.stable.v2 as nw
import numpy as np

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LISTED = 5  # areas that a message names


def read(frame: Any, what: str) -> nw.DataFrame[Any]:
    """Give a frame of any library one face.

    Parameters
    ----------
    frame : data frame or dict of columns
        pandas, polars, pyarrow or a dict; never changed.
    what : str
        Its name, for the errors.

    Raises
    ------
    DataError
        If it is of another type, lazy, or has two columns of one name.
    """
    try:
        if isinstance(frame, Mapping):
            return nw.from_dict({str(name): _column(values) for name, values in frame.items()}, backend="pandas")
        return cast("nw.DataFrame[Any]", nw.from_native(frame, eager_only=True))
    except nw.exceptions.DuplicateError:
        raise DataError(f"{what} has several columns of one name; rename or drop all but one") from None
    except (TypeError, ValueError):
        raise DataError(
            f"{what} of type {type(frame).__name__} cannot be read; give a pandas or polars DataFrame, a pyarrow Table "
            "or a dict of equally long columns"
        ) from None


def _column(values: Any) -> Any:
    return values if hasattr(values, "__array__") else list(values)


def column(frame: nw.DataFrame[Any], name: str, what: str) -> nw.Series[Any]:
    """Take a column by name.

    Raises
    ------
    DataError
        If there is none of this name.
    """
    if name not in frame.columns:
        names = [str(other) for other in frame.columns]
        near = get_close_matches(name, names, n=3)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(map(repr, names[:10]))}"
        raise DataError(f"there is no column {name!r} in {what}; {hint}")
    return frame.get_column(name)


def numbers(series: nw.Series[Any], name: str, what: str) -> NDArray[np.float64]:
    """Read a column of numbers, (n,), with NaN where it is missing.

    Raises
    ------
    DataError
        If it is not numeric.
    """
    if not (series.dtype.is_numeric() or series.dtype == nw.Boolean):
        raise DataError(f"column {name!r} of {what} is not numeric but {series.dtype}; give numbers")
    present = ~series.is_null()
    out = np.full(len(series), np.nan)
    out[present.to_numpy()] = series.filter(present).cast(nw.Float64).to_numpy()
    return out


def labels(series: nw.Series[Any], name: str, what: str) -> list[str]:
    """Read the areas of a frame as the text that a fit has for them: 1 and 1.0 are ``"1"``.

    Raises
    ------
    DataError
        If one is missing.
    """
    values, missing = series.to_list(), series.is_null().to_list()
    for row, (value, null) in enumerate(zip(values, missing, strict=True)):
        if null or (isinstance(value, float) and math.isnan(value)):
            raise DataError(f"column {name!r} of {what} has no area in row {row}; name the area or drop the row")
    return [label(value) for value in values]


def label(value: Any) -> str:
    """An area as text: floats of whole numbers without their point."""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def check_unique(areas: Sequence[str], what: str) -> None:
    """Refuse a frame with several rows for one area.

    Raises
    ------
    DataError
        Naming the areas.
    """
    twice = [area for area, times in Counter(areas).items() if times > 1]
    if twice:
        raise DataError(f"{what} has several rows for {listed(twice)}; give one row for each area")


def listed(areas: Any) -> str:
    """Name a few areas, and say how many more there are."""
    names = [str(area) for area in areas]
    shown = ", ".join(names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"area{'s' if len(names) > 1 else ''} {shown}{more}"


def to_frame(columns: Mapping[str, Any], kind: str) -> Any:
    """Build a table in the library of the data; for a dict of columns in pandas.

    Parameters
    ----------
    columns : mapping of str to list or ndarray
        Equally long.
    kind : {"pandas", "polars", "pyarrow", "dict"}
        The library of the data.
    """
    backend = cast("Literal['pandas', 'polars', 'pyarrow']", "pandas" if kind == "dict" else kind)
    return nw.from_dict(dict(columns), backend=backend).to_native()


def kind_of(frame: nw.DataFrame[Any]) -> str:
    """Name the library of a frame that `read` has read: "pandas", "polars" or "pyarrow"."""
    implementation = frame.implementation
    if implementation.is_polars():
        return "polars"
    return "pyarrow" if implementation.is_pyarrow() else "pandas"
