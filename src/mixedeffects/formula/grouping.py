"""The right of a bar: which columns make the grouping factors."""

from __future__ import annotations

import re

from mixedeffects.formula.expressions import column_name, shown_name
from mixedeffects.formula.tokens import NAME_PATTERN, Token, error

_HINTS = {
    "+": "write two terms, (1 | g) + (1 | h), or g:h for their interaction",
    "-": "write one term for every grouping factor",
    "*": "write g/h, which is (1 | g) + (1 | g:h), or (1 | g) + (1 | h) + (1 | g:h)",
    "^": "write the interactions out with ':'",
    "**": "write the interactions out with ':'",
    "%in%": "write g/h for h within g",
    "(": "write g/h or g:h without parentheses",
}
_FACTOR = re.compile(rf"(?P<function>factor|as\.factor|C)\s*\(\s*(?P<column>{NAME_PATTERN}|`[^`]*`)\s*\)")


def grouping_factors(text: str, tokens: list[Token], known: frozenset[str]) -> tuple[str, list[tuple[str, ...]]]:
    """Read a grouping expression.

    Parameters
    ----------
    text : str
        The whole formula.
    tokens : list of Token
        The tokens after the bar, with the closing parenthesis of the term as the last one.
    known : frozenset of str
        Names of the caller's functions.

    Returns
    -------
    shown : str
        The expression with white space normalised.
    factors : list of tuple of str
        One per term: ``a/b`` gives ``("b", "a")`` and ``("a",)``, the innermost first as in lme4.
    """
    final = tokens[-1]
    parts = tokens[:-1]
    while len(parts) > 2 and parts[0].text == "(" and parts[-1].text == ")":
        parts = parts[1:-1]
    nested: list[tuple[str, ...]] = [()]
    shown = ""
    for index, token in enumerate(parts):
        if index % 2:
            _check_operator(text, token)
            if token.text == "/":
                nested.append(())
            shown += token.text
            continue
        name, written = _column(text, token, known)
        if any(name in level for level in nested):
            raise error(f"{name!r} stands twice in this grouping factor: name it once", text, token.start)
        nested[-1] = (*nested[-1], name)
        shown += written
    if len(parts) % 2 == 0:
        after = f"after {parts[-1].text!r}" if parts else "after the bar"
        raise error(f"a grouping factor is missing {after}: write (1 | g)", text, final.start)
    factors: list[tuple[str, ...]] = []
    outer: tuple[str, ...] = ()
    for level in nested:
        outer = level + outer
        factors.append(outer)
    return shown, factors[::-1]


def _column(text: str, token: Token, known: frozenset[str]) -> tuple[str, str]:
    """Return a column and how it is written; ``factor(g)`` is the column g, which is read as a factor anyway."""
    if token.kind in ("name", "column"):
        return column_name(token.text, text, token.start), shown_name(token.text)
    call = _FACTOR.fullmatch(token.text) if token.kind == "call" else None
    if call is not None and call["function"] not in known:
        name = column_name(call["column"], text, token.start + call.start("column"))
        return name, f"{call['function']}({shown_name(call['column'])})"
    if token.kind in ("call", "brace"):
        message = "a grouping factor is a column, not an expression: compute the column before fitting"
    elif token.kind == "number":
        message = "a grouping factor is a column, not a number"
    elif token.kind == "quoted":
        message = "a grouping factor is a column, not a text: put its name in backticks"
    elif token.text in ("/", ":", ")"):
        message = f"the name of a column is missing before {token.text!r}"
    else:
        hint = _HINTS.get(token.text, "write the name of a column, a/b or a:b")
        message = f"{token.text!r} cannot stand in a grouping factor: {hint}"
    raise error(message, text, token.start)


def _check_operator(text: str, token: Token) -> None:
    if token.text in ("/", ":"):
        return
    if token.kind in ("operator", "other"):
        hint = _HINTS.get(token.text, "write the name of a column, a/b or a:b")
        message = f"{token.text!r} cannot stand in a grouping factor: {hint}"
    else:
        message = f"an operator is missing before {token.text!r}: write g/h or g:h"
    raise error(message, text, token.start)
