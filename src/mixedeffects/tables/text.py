"""Vectors and matrices of ready cells as R's console prints them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# Columns of the console that R's printing assumes.
LINE_WIDTH = 80


def display_width(text: str) -> int:
    """Return the number of console columns that a text takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, width: int, *, right: bool) -> str:
    """Fill a text with spaces to a width, on the left when it is right-justified."""
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def common_width(texts: Sequence[str], *, right: bool) -> list[str]:
    """Pad texts to the width of the widest."""
    width = max(map(display_width, texts), default=0)
    return [pad(t, width, right=right) for t in texts]


def matrix_lines(
    columns: Sequence[Sequence[str]],
    *,
    heads: Sequence[str],
    row_names: Sequence[str],
    right: bool,
    corner: str = "",
) -> list[str]:
    """Lay out a matrix of text cells with heads and row names; too many columns go on in further blocks.

    Parameters
    ----------
    columns : sequence of sequence of str
        The cells, column by column.
    heads : sequence of str
        One head per column.
    row_names : sequence of str
        One name per row, left-justified.
    right : bool
        Whether cells and heads are right-justified.
    corner : str
        Head of the row names.

    Returns
    -------
    list of str
        The lines; cells are padded, so lines may end in spaces.
    """
    names = common_width([corner, *row_names], right=False)
    cells = [common_width([head, *column], right=right) for head, column in zip(heads, columns, strict=True)]
    lines: list[str] = []
    start = 0
    while start < len(cells):
        stop, width = start + 1, display_width(names[0]) + 1 + display_width(cells[start][0])
        while stop < len(cells) and width + 1 + display_width(cells[stop][0]) < LINE_WIDTH:
            width += 1 + display_width(cells[stop][0])
            stop += 1
        lines += [" ".join([name, *row]) for name, *row in zip(names, *cells[start:stop], strict=True)]
        start = stop
    return lines


def vector_lines(cells: Sequence[str], names: Sequence[str]) -> list[str]:
    """Lay out a named vector: names over values, each right-justified to one common width and followed by a space."""
    width = max(map(display_width, [*cells, *names]), default=0)
    per_line = max(1, LINE_WIDTH // (width + 1))
    lines: list[str] = []
    for start in range(0, len(cells), per_line):
        for row in (names, cells):
            lines.append("".join(pad(x, width, right=True) + " " for x in row[start : start + per_line]))
    return lines


def filled(first: str, *rest: str) -> list[str]:
    """Put pieces on a line with spaces between, a new line before each piece that would pass the width."""
    lines = [first]
    for piece in rest:
        if display_width(lines[-1]) + 1 + display_width(piece) > LINE_WIDTH:
            lines[-1] += " "
            lines.append(piece)
        else:
            lines[-1] += " " + piece
    return lines


# Operators after which a long formula is broken, with their precedence.
_BREAKS = {"~": 0, "|": 1, "||": 1, "+": 2, "-": 2, "*": 3}
_FORMULA_CUTOFF = 60


def formula_lines(text: str) -> list[str]:
    """Break a long formula as R's ``deparse`` does: after an operator, once a line has passed 60 characters.

    Each break inside the right operand of an operator already broken indents by four more spaces.
    """
    lines: list[str] = []
    line, depth, quoted, broken = "", 0, False, [(-1, -1)]
    for token in text.split(" "):
        line += token + " "
        depth += token.count("(") - token.count(")")
        quoted ^= token.count("`") % 2 == 1
        if quoted or token not in _BREAKS:
            continue
        here = (depth, _BREAKS[token])
        while broken[-1] >= here:
            broken.pop()
        if len(line) > _FORMULA_CUTOFF:
            lines.append(line)
            line = "    " * len(broken)
            broken.append(here)
    return [*lines, line.rstrip(" ")]
