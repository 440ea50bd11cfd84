"""Factors: integer codes and the levels that occur, each once and in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.frame.raw import RawColumn

_CHUNK = 1 << 20  # rows handled at a time where a whole-column temporary would show in the peak memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """Levels of an interaction, kept as positions in the levels of its parts.

    Attributes
    ----------
    parts : tuple of ndarray
        The levels of each part, in their own type.
    index : tuple of ndarray of intp, each (J,)
        For each part, the position of its level in every combination.
    """

    parts: tuple[NDArray[Any], ...]
    index: tuple[NDArray[np.intp], ...]

    def __len__(self) -> int:
        return len(self.index[0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factor:
    """A column read as a factor.

    Attributes
    ----------
    name : str
        Column name, or ``"b:a"`` for an interaction.
    codes : ndarray of int32, (n,)
        Position of each row's level.
    levels : ndarray (J,) or Crossed
        The levels in their own type, all of which occur.
    ordered : bool
        Whether the column is an ordered categorical in pandas' sense.
    """

    name: str
    codes: NDArray[np.int32]
    levels: NDArray[Any] | Crossed
    ordered: bool = False

    @property
    def n_levels(self) -> int:
        """Number of levels J."""
        return len(self.levels)

    @property
    def values(self) -> NDArray[Any]:
        """The levels in their own type; for an interaction the labels."""
        return self.labels if isinstance(self.levels, Crossed) else self.levels

    @property
    def labels(self) -> NDArray[Any]:
        """The levels as strings, (J,): ``1.0`` is ``"1"``, an interaction ``"b1:a1"``. Computed at every call."""
        if not isinstance(self.levels, Crossed):
            return level_labels(self.levels)
        parts = [
            level_labels(values)[index] for values, index in zip(self.levels.parts, self.levels.index, strict=True)
        ]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined + ":" + part
        return joined

    def categorical(self) -> pd.Categorical:
        """The column as pandas has it."""
        return pd.Categorical.from_codes(self.codes, categories=pd.Index(self.values), ordered=self.ordered)

    def take(self, keep: NDArray[np.bool_]) -> Factor:
        """Return the factor over the rows that `keep` marks, without the levels that no longer occur."""
        return without_unused(self.name, self.codes[keep], self.levels, ordered=self.ordered)

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"Factor({self.name!r}, {self.n_levels} levels, {len(self.codes)} rows)"


def level_labels(values: NDArray[Any]) -> NDArray[Any]:
    """Levels as an object array of strings."""
    if values.dtype.kind == "f":
        return np.array([f"{value:.15g}" for value in values.tolist()], dtype=object)
    if values.dtype.kind in "Mm":
        return _time_labels(values)
    if values.dtype.kind == "O" and all(type(value) is str for value in values):
        return values
    return np.array([str(value) for value in values.tolist()], dtype=object)


def _time_labels(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "m":
        return np.array([str(value) for value in pd.TimedeltaIndex(values)], dtype=object)
    for unit in ("D", "m", "s", "ms", "us"):
        coarse = values.astype(f"datetime64[{unit}]")
        if (coarse == values).all():
            return np.datetime_as_string(coarse).astype(object)
    return np.datetime_as_string(values).astype(object)


def encode(column: RawColumn) -> Factor:
    """Read a column of any type as a factor.

    Missing rows get the code -1; `Factor.take` must remove them before the factor is used.

    Parameters
    ----------
    column : RawColumn
        The column; categories keep their order, everything else is sorted.

    Returns
    -------
    Factor
        With int32 codes.
    """
    if column.kind == "category":
        assert column.categories is not None
        return without_unused(column.name, column.values.astype(np.int32), column.categories, ordered=column.ordered)
    if column.kind == "text":
        codes, levels = _encode_text(column.values)
    elif column.values.dtype.kind in "iub":
        codes, levels = _encode_integers(column.values, column.missing)
    else:
        codes, levels = _encode_hashed(column.values)
    if column.missing is not None:
        codes = np.where(column.missing, np.int32(-1), codes)
    return Factor(name=column.name, codes=codes, levels=levels)


def _encode_hashed(values: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[Any]]:
    codes, levels = pd.factorize(values, use_na_sentinel=True)
    levels = np.asarray(levels)
    return _in_order(codes, levels, np.argsort(levels, kind="stable"))


def _in_order(
    codes: NDArray[np.integer[Any]], levels: NDArray[Any], order: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Renumber codes in order of first appearance so that the levels stand in the given order; -1 stays."""
    position = np.empty(len(levels) + 1, dtype=np.int32)
    position[order] = np.arange(len(levels), dtype=np.int32)
    position[-1] = -1
    return position.take(codes, mode="wrap"), levels[order]


def _encode_integers(values: NDArray[Any], missing: NDArray[np.bool_] | None) -> tuple[NDArray[np.int32], NDArray[Any]]:
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
        codes, levels = _encode_integers(values, missing)
        return codes, levels.astype(bool)
    if missing is not None:
        present = values[~missing]
        if len(present) == 0:
            return np.zeros(len(values), dtype=np.int32), present
        values = np.where(missing, present[0], values)
    if len(values) == 0:
        return np.empty(0, dtype=np.int32), values
    low, high = int(values.min()), int(values.max())
    if high - low < max(2 * len(values), 1 << 16):
        codes, found = _compact(values, low, high - low + 1)
        # Modular arithmetic in the type itself is exact, also where the offset alone would not fit.
        return codes, found.astype(values.dtype) + values.dtype.type(low)
    return _encode_hashed(values)


def _compact(values: NDArray[Any], low: int, size: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Codes of integers in ``[low, low + size)`` through a table, and the offsets that occur."""
    # Offsets of a narrow type need not fit into it.
    wide = np.int64 if values.dtype.itemsize < 4 else values.dtype
    seen = np.zeros(size, dtype=bool)
    for start in range(0, len(values), _CHUNK):
        seen[np.subtract(values[start : start + _CHUNK], low, dtype=wide)] = True
    found = np.flatnonzero(seen)
    table = np.cumsum(seen, dtype=np.int32)
    table -= 1
    codes = np.empty(len(values), dtype=np.int32)
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        np.take(table, np.subtract(chunk, low, dtype=wide), out=codes[start : start + _CHUNK], mode="clip")
    return codes, found


def _encode_text(values: Any) -> tuple[NDArray[np.int32], NDArray[Any]]:
    if isinstance(values, np.ndarray):
        codes, levels = pd.factorize(values, use_na_sentinel=True)
        levels = np.asarray(levels, dtype=object)
        order = np.array(sorted(range(len(levels)), key=levels.tolist().__getitem__), dtype=np.intp)
        return _in_order(codes, levels, order)
    import pyarrow.compute as pc

    encoded = values.dictionary_encode()
    if hasattr(encoded, "combine_chunks"):
        encoded = encoded.combine_chunks()
    indices = encoded.indices
    if indices.null_count:
        indices = indices.fill_null(-1)
    # Arrow compares the UTF-8 bytes, which is the order of the code points.
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    levels = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object, copy=False)
    return _in_order(indices.to_numpy(zero_copy_only=False), levels, order)


def without_unused(
    name: str, codes: NDArray[np.int32], levels: NDArray[Any] | Crossed, *, ordered: bool = False
) -> Factor:
    """Keep the levels that occur among the codes; codes of -1 stay."""
    used = np.zeros(len(levels) + 1, dtype=bool)
    used[codes] = True
    used = used[:-1]
    if not used.all():
        position = np.full(len(levels) + 1, -1, dtype=np.int32)
        position[:-1][used] = np.arange(int(used.sum()), dtype=np.int32)
        codes = position.take(codes, mode="wrap")
        if isinstance(levels, Crossed):
            levels = Crossed(parts=levels.parts, index=tuple(index[used] for index in levels.index))
        else:
            levels = levels[used]
    return Factor(name=name, codes=codes, levels=levels, ordered=ordered)


def cross(factors: tuple[Factor, ...]) -> Factor:
    """Interaction of factors: the combinations that occur, the first factor varying slowest.

    Parameters
    ----------
    factors : tuple of Factor
        At least one; all over the same rows, without missing codes.

    Returns
    -------
    Factor
        Named ``"b:a"``, with labels ``"b1:a1"``.
    """
    result = factors[0]
    for factor in factors[1:]:
        result = _cross_two(result, factor)
    return result


def _cross_two(left: Factor, right: Factor) -> Factor:
    n_right = right.n_levels
    size = left.n_levels * n_right
    if size < max(4 * len(left), 1 << 16) and size < 2**31:
        # int32 holds the combination as long as its table fits
        cells = left.codes * np.int32(n_right)
        cells += right.codes
        codes, found = _compact(cells, 0, size)
    else:
        wide = left.codes.astype(np.int64) * n_right + right.codes
        codes, found = _encode_hashed(wide)
    first, second = np.divmod(found, n_right)
    if isinstance(left.levels, Crossed):
        parts, index = left.levels.parts, tuple(part[first] for part in left.levels.index)
    else:
        parts, index = (left.levels,), (first,)
    assert not isinstance(right.levels, Crossed)
    levels = Crossed(parts=(*parts, right.levels), index=(*index, second))
    return Factor(name=f"{left.name}:{right.name}", codes=codes, levels=levels)
