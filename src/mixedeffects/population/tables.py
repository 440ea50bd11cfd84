"""What functions of fits return, put under one another with the number of the sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.population.factors import Factor

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE = ".sample"


def stacked(results: Sequence[tuple[int, Any]], kind: str) -> Any:
    """Put results under one another.

    Parameters
    ----------
    results : sequence of (int, object)
        The number of a sample, and a data frame, a mapping or Series of names to values, or a number.
    kind : str
        The library of the frame, for results that are no frames.

    Returns
    -------
    data frame
        The columns of the results after .sample.

    Raises
    ------
    DataError
        For a result that is none of these, or results with different columns.
    """
    frames = [_framed(result, kind) for _, result in results]
    names = frames[0].columns
    for (number, _), frame in zip(results, frames, strict=True):
        if frame.columns != names:
            raise DataError(f"sample {number} gives the columns {frame.columns}, the first one {names}")
    numbered = [
        frame.select(nw.lit(number).cast(nw.Int64).alias(SAMPLE), *names) if len(frame) else None
        for (number, _), frame in zip(results, frames, strict=True)
    ]
    parts = [one for one in numbered if one is not None]
    if not parts:
        raise DataError("the function of a fit gives no rows")
    native = nw.concat(parts, how="vertical").to_native()
    return native.reset_index(drop=True) if kind_of(native) == "pandas" else native


def numbered(frame: Any, first: int) -> Any:
    """A frame with the number of the sample in front of each row, from `first` on."""
    table = nw.from_native(frame, eager_only=True)
    numbers = nw.new_series(SAMPLE, list(range(first, first + len(table))), nw.Int64, backend=table.implementation)
    return table.select(numbers, nw.all()).to_native()


def kind_of(frame: Any) -> str:
    """The library of a native frame."""
    return str(nw.from_native(frame, eager_only=True).implementation.name).lower()


def column_values(column: Any) -> Any:
    """A narwhals column as an array, or as a factor with its levels if it holds categories."""
    if column.dtype in (nw.Categorical, nw.Enum):
        levels = column.cat.get_categories().to_list()
        place = {level: code for code, level in enumerate(levels)}
        return Factor([place[label] for label in column.to_list()], levels)
    return column.to_numpy()


def framed(columns: Mapping[str, Any], kind: str) -> Any:
    """Make a frame of equally long columns; a dict of columns gets a pandas frame."""
    backend: Any = "pandas" if kind == "dict" else kind
    plain = {name: values if isinstance(values, np.ndarray) else list(values) for name, values in columns.items()}
    return nw.from_dict(plain, backend=backend).to_native()


def _framed(result: Any, kind: str) -> Any:
    found = nw.from_native(result, eager_only=True, pass_through=True)
    if isinstance(found, nw.DataFrame):
        index = getattr(result, "index", None)
        named = getattr(index, "name", None) is not None  # such as the parameters of intervals
        return nw.from_native(result.reset_index(), eager_only=True) if named else found
    if hasattr(result, "items") and not isinstance(result, Mapping):
        result = dict(result.items())  # a Series by name
    elif isinstance(result, int | float | np.number) and not isinstance(result, bool):
        result = {"value": result}
    if not isinstance(result, Mapping) or not result:
        raise DataError(
            f"the function of a fit returns {type(result).__name__}; it must return a data frame, a mapping of names "
            "to values, or a number"
        )
    columns = {str(name): np.atleast_1d(np.asarray(value)) for name, value in result.items()}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1 or any(values.ndim > 1 for values in columns.values()):
        raise DataError("the function of a fit returns values of different lengths; one length for all columns")
    return nw.from_native(framed(columns, kind), eager_only=True)
