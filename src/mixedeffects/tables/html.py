"""Pieces of self-contained HTML: no scripts, styles only inside our own block, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

# Colours are the surroundings' own, so that light and dark pages both work; a wide table scrolls in its own box.
_STYLE = (
    "<style>"
    ".mixedeffects{color:inherit;background:transparent;font-size:.9em;line-height:1.4;max-width:100%}"
    ".mixedeffects .scroll{overflow-x:auto;max-width:100%;margin:.6em 0}"
    ".mixedeffects table{border-collapse:collapse;color:inherit;background:transparent;margin:0;"
    "font-variant-numeric:tabular-nums}"
    ".mixedeffects caption{caption-side:top;text-align:left;font-weight:600;padding:.2em 0;color:inherit;"
    "white-space:nowrap}"
    ".mixedeffects th,.mixedeffects td{padding:.15em .6em;text-align:right;white-space:nowrap;border:0;"
    "background:transparent;color:inherit}"
    ".mixedeffects thead th{border-bottom:1px solid currentColor}"
    ".mixedeffects .name{text-align:left;font-weight:normal}"
    ".mixedeffects p{margin:.3em 0;overflow-wrap:anywhere}"
    ".mixedeffects .title{font-weight:600}"
    "</style>"
)


def document(parts: Sequence[str]) -> str:
    """Put parts into one block with its own styles."""
    return f'{_STYLE}<div class="mixedeffects">{"".join(parts)}</div>'


def paragraph(text: str, *, title: bool = False) -> str:
    """Return a paragraph of plain text."""
    kind = ' class="title"' if title else ""
    return f"<p{kind}>{escape(text)}</p>"


def _cell(tag: str, text: str, scope: str, *, name: bool) -> str:
    attributes = (f' scope="{scope}"' if tag == "th" else "") + (' class="name"' if name else "")
    return f"<{tag}{attributes}>{escape(text.strip())}</{tag}>"


def _row(cells: Sequence[str], n_names: int) -> str:
    names = "".join(_cell("th", cell, "row", name=True) for cell in cells[:n_names])
    return names + "".join(_cell("td", cell, "row", name=False) for cell in cells[n_names:])


def table(
    columns: Sequence[Sequence[str]], *, heads: Sequence[str], n_names: int = 1, caption: str | None = None
) -> str:
    """Return a table of ready text cells, given column by column.

    Parameters
    ----------
    columns : sequence of sequence of str
        The cells.
    heads : sequence of str
        One head per column.
    n_names : int
        How many columns at the left hold names: left-justified, and heads of their rows.
    caption : str or None
        Text above the table.
    """
    top = "".join(_cell("th", head, "col", name=i < n_names) for i, head in enumerate(heads))
    rows = "".join(f"<tr>{_row(row, n_names)}</tr>" for row in zip(*columns, strict=True))
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{above}<thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></div>'
