"""Columns as aligned lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGITS = 5  # significant digits of the smallest number of a column, at most as many decimals


def lines(columns: Mapping[str, Any]) -> list[str]:
    """Write a table: text to the left, numbers to the right with as many decimals as their column needs.

    Parameters
    ----------
    columns : mapping of str to sequence
        Equally long.
    """
    cells = []
    for head, values in columns.items():
        is_text = not isinstance(values, np.ndarray)
        texts = [head, *(values if is_text else _numbers(values))]
        width = max(map(len, texts))
        cells.append([text.ljust(width) if is_text else text.rjust(width) for text in texts])
    return [" ".join(row).rstrip() for row in zip(*cells, strict=True)]


def _numbers(values: Any) -> list[str]:
    values = np.asarray(values)
    finite = values[np.isfinite(values)]
    if values.dtype.kind in "iu" or (finite == np.round(finite)).all():
        return ["NaN" if np.isnan(value) else f"{value:.0f}" for value in values.tolist()]
    size = float(np.median(np.abs(finite)))
    decimals = int(np.clip(_DIGITS - 1 - np.floor(np.log10(size)) if size > 0 else _DIGITS, 0, 8))
    return ["NaN" if np.isnan(value) else f"{value:.{decimals}f}" for value in values.tolist()]
