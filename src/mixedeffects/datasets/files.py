"""The packed data files: one ``.npz`` a data set, written by tools/build_datasets.py.

Column number j (from 0) is stored under these keys:

- ``names``: all column names, in order; ``kinds``: "numeric", "factor" or "ordered" for each;
- ``values.j``: the numbers times 10^``decimals``[j] as the smallest integer type that holds them, or as float64 where
  ``decimals``[j] is negative; for factors the codes, -1 for a missing value;
- ``levels.j``: the levels of a factor, in order, as UTF-8.

A decimal number with at most 15 digits is the quotient of two exactly stored numbers, so division restores the very
value that parsing its text would give.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a data set.

    Attributes
    ----------
    name : str
        Column name.
    kind : str
        "numeric", "factor" or "ordered".
    values : ndarray, shape (n,)
        int64 or float64 numbers; the codes of a factor, int32.
    levels : tuple of str
        The levels of a factor, in order; empty for numbers.
    """

    name: str
    kind: str
    values: NDArray[Any]
    levels: tuple[str, ...] = ()


def _numbers(stored: NDArray[Any], decimals: int) -> NDArray[np.int64] | NDArray[np.float64]:
    import numpy as np

    if decimals < 0:
        return stored.astype(np.float64)
    if decimals == 0:
        return stored.astype(np.int64)
    return np.asarray(stored / 10.0**decimals, dtype=np.float64)


def unpack(packed: Mapping[str, NDArray[Any]]) -> list[Column]:
    """Return the columns of a packed file; every call makes new arrays.

    Parameters
    ----------
    packed : mapping of str to ndarray
        The arrays of the file by key.

    Returns
    -------
    list of Column
        In the order of the file.
    """
    import numpy as np

    columns = []
    heads = zip(packed["names"].tolist(), packed["kinds"].tolist(), packed["decimals"].tolist(), strict=True)
    for j, (name, kind, decimals) in enumerate(heads):
        stored = packed[f"values.{j}"]
        if kind == b"numeric":
            columns.append(Column(name=name.decode(), kind="numeric", values=_numbers(stored, decimals)))
            continue
        levels = tuple(level.decode() for level in packed[f"levels.{j}"].tolist())
        codes = stored.astype(np.int32)
        columns.append(Column(name=name.decode(), kind=kind.decode(), values=codes, levels=levels))
    return columns


def read(name: str) -> list[Column]:
    """Read a data set of the package, found wherever the package is installed."""
    import numpy as np

    file = resources.files("mixedeffects.datasets") / "data" / f"{name}.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as packed:
        return unpack(packed)
