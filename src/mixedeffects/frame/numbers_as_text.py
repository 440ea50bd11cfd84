"""Columns of text that hold numbers: what keeps them from being read as such."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMA = re.compile(r"\s*[-+]?(?:\d{1,3}(?:\.\d{3})+|\d*),\d+(?:[eE][-+]?\d+)?\s*")
_MOST = 0.5  # of the values are numbers where the others are the mistake


def numbers_as_text(values: Iterable[Any]) -> str:
    """Say that text should have been numbers, and what to do; nothing if it does not look like that.

    Parameters
    ----------
    values : iterable
        The values of a column, or its levels.
    """
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    plain = [text for text in texts if _is_number(text)]
    commas = [text for text in texts if _COMMA.fullmatch(text)]
    others = [text for text in texts if not _is_number(text) and not _COMMA.fullmatch(text)]
    if not texts or len(plain) + len(commas) < _MOST * len(texts):
        return ""
    if others:
        return f"most of its values are numbers, but {others[0]!r} is text: correct it, or mark it as missing"
    if commas:
        return f"its text has decimal commas ({commas[0]!r}): read the file with decimal=',' or replace them by points"
    return f"its values are numbers stored as text ({plain[0]!r}): convert the column to numbers"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
