"""Data frames that print with their notes, and intervals that print as R's `confint` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from mixedeffects.tables.compact import compact_lines
from mixedeffects.tables.html import document, paragraph
from mixedeffects.tables.numbers import r_format
from mixedeffects.tables.text import matrix_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.inference.table import Table


_LONG = 60  # rows; pandas leaves out the middle of longer ones


class NotedFrame(pd.DataFrame):  # type: ignore[misc]  # pandas has no stubs here
    """A data frame whose `notes` are printed under it; whatever is computed from it is an ordinary frame."""

    _metadata: ClassVar[tuple[str, ...]] = ("notes",)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([*self._table_lines(), *getattr(self, "notes", ())])

    def _table_lines(self) -> list[str]:
        """The table in the width of the console; as pandas prints it where it is long or has an index of its own."""
        plain = isinstance(self.index, pd.RangeIndex) and len(self.columns) == len(set(self.columns))
        if not plain or not 0 < len(self) <= _LONG:
            return [super().__repr__()]
        return compact_lines({str(name): self[name].tolist() for name in self.columns})

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        notes = document([paragraph(note) for note in self.notes]) if self.notes else ""
        return str(pd.DataFrame(self)._repr_html_()) + notes


class IntervalFrame(NotedFrame):
    """Confidence limits, printed with the percentages as heads and seven digits."""

    _metadata: ClassVar[tuple[str, ...]] = ("notes", "heads")
    heads: tuple[str, str] = ("lower", "upper")

    def __repr__(self) -> str:
        if list(self.columns) != ["lower", "upper"]:
            return super().__repr__()
        cells = [r_format(self[name].tolist(), 7) for name in ("lower", "upper")]
        lines = matrix_lines(cells, heads=list(self.heads), row_names=[str(name) for name in self.index], right=True)
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        if list(self.columns) != ["lower", "upper"]:
            return super()._repr_html_()
        return str(noted(pd.DataFrame(self).set_axis(list(self.heads), axis=1), self.notes)._repr_html_())


def noted(frame: Any, notes: Sequence[str]) -> Any:
    """Attach notes to a pandas frame; frames of other libraries are returned as they are."""
    if not isinstance(frame, pd.DataFrame):
        return frame
    out = NotedFrame(frame)
    out.notes = tuple(notes)
    return out


def framed(table: Table) -> Any:
    """Make a table of results a frame in the library of the data, with its notes."""
    return noted(table.to_frame(), table.notes)


def interval_frame(
    names: Sequence[str], lower: NDArray[Any], upper: NDArray[Any], heads: tuple[str, str], notes: Sequence[str]
) -> IntervalFrame:
    """Build the frame of confidence limits: index parameter, columns lower and upper.

    Parameters
    ----------
    names : sequence of str (m,)
        The parameters.
    lower, upper : ndarray (m,)
        Limits.
    heads : (str, str)
        How the columns are headed in print, ``"2.5 %"`` and ``"97.5 %"``.
    notes : sequence of str
        Printed below.
    """
    out = IntervalFrame({"lower": lower, "upper": upper}, index=pd.Index(list(names), name="parameter"))
    out.heads, out.notes = heads, tuple(note for note in notes if note)
    return out
