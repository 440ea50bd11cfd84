"""Tables of results: columns by name, with what the reader has to know about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mixedeffects.frame import to_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Equally long columns.

    Attributes
    ----------
    columns : mapping of str to sequence
        In order; NaN where a row has no value.
    text : tuple of str
        Which of them are text.
    notes : tuple of str
        What was done or assumed, one sentence each.
    kind : str
        The library of the data that were fitted.
    """

    columns: Mapping[str, Sequence[Any]]
    text: tuple[str, ...]
    notes: tuple[str, ...]
    kind: str

    def to_frame(self) -> Any:
        """Return the columns as a frame in the library of the data."""
        return to_frame(self.columns, self.kind, text=self.text)


def table_of(
    heads: Sequence[str], rows: Sequence[Sequence[Any]], *, text: tuple[str, ...], notes: Sequence[str], kind: str
) -> Table:
    """Make a table of rows.

    Parameters
    ----------
    heads : sequence of str
        Names of the columns.
    rows : sequence of sequences
        At least one, each as long as `heads`.
    text : tuple of str
        Columns of text.
    notes : sequence of str
        Notes to the table.
    kind : str
        The library of the data.
    """
    columns = {head: [row[j] for row in rows] for j, head in enumerate(heads)}
    return Table(columns=columns, text=text, notes=tuple(notes), kind=kind)
