"""Tables of results as text that fits the console: few digits, p-values as R writes them, models in a legend."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedeffects.tables.numbers import format_p_values, r_format
from mixedeffects.tables.text import LINE_WIDTH, common_width, display_width, matrix_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Significant digits, the first of which makes the table fit.
_DIGITS = (7, 6, 5, 4, 3)
_P_DIGITS = 4
_READ = 5  # significant digits with which statistics and degrees of freedom are read
_ROUNDING = 1e-13


def compact_lines(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Lay out the columns of a table of results.

    Parameters
    ----------
    columns : mapping of str to sequence
        Equally long: text, whole numbers, or floats. Those whose name begins with p_ hold probabilities.

    Returns
    -------
    list of str
        Columns of text stand at the left of every block of lines. Of tables that compare models the formulas, and the
        families where there are any, stand above the table.
    """
    legend: list[str] = []
    if "model" in columns and "formula" in columns:
        about = [columns[name] for name in ("formula", "family") if name in columns]
        legend = [f"{name}: {', '.join(map(str, rest))}" for name, *rest in zip(columns["model"], *about, strict=True)]
        columns = {name: values for name, values in columns.items() if name not in ("formula", "family")}
    text = {name: values for name, values in columns.items() if not all(map(_is_number, values))}
    numbers = {name: values for name, values in columns.items() if name not in text}
    padded = [common_width([name, *map(_word, values)], right=False) for name, values in text.items()]
    corner, *names = [" ".join(row) for row in zip(*padded, strict=True)] or [""] * (1 + _length(columns))
    tried = [{name: _cells(name, values, digits) for name, values in numbers.items()} for digits in _DIGITS]
    cells = next((cells for cells in tried if _width(corner, cells) < LINE_WIDTH), tried[_DIGITS.index(_READ)])
    table = matrix_lines(list(cells.values()), heads=list(cells), row_names=names, corner=corner, right=True)
    return [*legend, *(line.rstrip() for line in table)]


def _width(corner: str, cells: Mapping[str, Sequence[str]]) -> int:
    return display_width(corner) + sum(1 + max(map(display_width, [name, *column])) for name, column in cells.items())


def _length(columns: Mapping[str, Sequence[Any]]) -> int:
    return len(next(iter(columns.values()), ()))


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, Real)


def _word(value: Any) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)  # NaN differs from itself


def _cells(name: str, values: Sequence[Any], digits: int) -> list[str]:
    if name.startswith("p_"):
        return ["NaN" if text == "NA" else text for text in format_p_values([float(v) for v in values], _P_DIGITS)]
    if all(isinstance(value, int) for value in values):
        return [str(value) for value in values]
    given = [float("nan") if value is None else float(value) for value in values]
    largest = max((abs(value) for value in given if math.isfinite(value)), default=0.0)
    # What is left of a difference of equal numbers would give the whole column exponents.
    shown = [0.0 if abs(value) <= _ROUNDING * largest else value for value in given]
    return r_format(shown, min(digits, _READ) if name == "statistic" or name.startswith("df") else digits)
