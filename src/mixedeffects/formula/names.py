"""Names of columns that a formula writes in backticks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, TypeVar

from mixedeffects.errors import FormulaError
from mixedeffects.formula.grammar import parse
from mixedeffects.formula.tokens import NAME_PATTERN, QUOTED_PATTERN

T = TypeVar("T")

_PIECE = re.compile(r"\w+|[^\w\s]")


def bare(name: T) -> T:
    """Return a name, or a name made of names, without backticks; what is no text is returned as it is.

    Parameters
    ----------
    name : str or object
        Such as ``"`Prime Condition`"``, which is ``"Prime Condition"``.
    """
    return name.replace("`", "") if isinstance(name, str) else name  # type: ignore[return-value]


def unquoted_names(
    text: str, names: Iterable[Any], functions: Mapping[str, Callable[..., Any]] | None = None
) -> str | None:
    """Say which columns a formula names without the backticks that they need.

    Parameters
    ----------
    text : str
        A formula that cannot be read, or that names columns that there are not.
    names : iterable of str
        The columns of the data.
    functions : mapping of str to callable, optional
        The caller's functions.

    Returns
    -------
    str or None
        A sentence with the formula as it should be; None if backticks are not what it lacks.
    """
    every = [name for name in names if isinstance(name, str) and "`" not in name]
    special = sorted((name for name in every if not re.fullmatch(NAME_PATTERN, name) and name.strip()), key=len)
    if not special:
        return None
    wanted = "|".join(f"({_pattern(name)})" for name in reversed(special))
    found: dict[str, None] = {}

    def quoted(match: re.Match[str]) -> str:
        if match.lastindex is None:
            return match[0]
        name = special[len(special) - match.lastindex]
        found[name] = None
        return f"`{name}`"

    written = re.sub(rf"`[^`]*`|{QUOTED_PATTERN}|(?<!\w)(?:{wanted})(?!\w)", quoted, text)
    if not found or not (_readable(written, every, functions) or any(" " in name for name in found)):
        return None
    several = len(found) > 1
    return (
        f"the data have {'columns' if several else 'a column'} named {', '.join(map(repr, found))}: in a formula "
        f"{'names' if several else 'a name'} with spaces or symbols must stand in backticks; write\n  {written}"
    )


def _pattern(name: str) -> str:
    """A name as it may have been spaced in a formula."""
    pieces: list[str] = _PIECE.findall(name)
    out = re.escape(pieces[0])
    for before, piece in pairwise(pieces):
        # Two words are told apart by a space; beside a symbol it may be missing.
        out += (r"\s+" if before[-1].isalnum() and piece[0].isalnum() else r"\s*") + re.escape(piece)
    return out


def _readable(text: str, names: list[str], functions: Mapping[str, Callable[..., Any]] | None) -> bool:
    try:
        return set(parse(text, functions=functions).variables()) <= set(names)
    except FormulaError:
        return False
