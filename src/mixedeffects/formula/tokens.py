"""Formula text to tokens, and errors that point into the text.

A call such as ``log(x + 1)`` and a braced expression are one token each: what stands inside them is
Python, read by :mod:`mixedeffects.formula.expressions`, and a bar there is not a random-effects bar.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mixedeffects.errors import FormulaError

NAME_PATTERN = r"\.?[^\W\d][\w.]*"
NUMBER_PATTERN = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
QUOTED_PATTERN = r"'[^']*'|\"[^\"]*\""

_TOKEN = re.compile(
    rf"\s*(?:(?P<name>{NAME_PATTERN})(?P<call>\s*\()?"
    rf"|(?P<number>{NUMBER_PATTERN})"
    rf"|(?P<column>`[^`]*`)"
    rf"|(?P<quoted>{QUOTED_PATTERN})"
    rf"|(?P<brace>\{{)"
    rf"|(?P<operator>\|\||\*\*|%in%|[-+*/:^~|()])"
    rf"|(?P<other>\S))"
)
_BRACKET = re.compile(rf"`[^`]*`|{QUOTED_PATTERN}|[()\[\]{{}}`'\"]")
_PROTECTED = re.compile(rf"`[^`]*`|{QUOTED_PATTERN}")
_CLOSER = {"(": ")", "[": "]", "{": "}"}
_MAX_DEPTH = 50
_WINDOW = 50


class Token(NamedTuple):
    """A piece of the formula; `kind` is name, column, number, quoted, call, brace, operator or other."""

    kind: str
    text: str
    start: int
    end: int


def error(message: str, text: str, position: int) -> FormulaError:
    """Return a `FormulaError` that shows the formula with a caret under `position`."""
    first = 0 if position <= 2 * _WINDOW else position - _WINDOW
    last = len(text) if len(text) <= first + 3 * _WINDOW else first + 3 * _WINDOW
    # One character for one, so that the caret stays in place in a formula of several lines.
    shown = "".join(char if char.isprintable() else " " for char in text[first:last])
    lead = "..." if first else ""
    tail = "..." if last < len(text) else ""
    return FormulaError(f"{message}\n  {lead}{shown}{tail}\n  {' ' * (len(lead) + position - first)}^")


def tokenize(text: str) -> list[Token]:
    """Split a formula into tokens.

    Parameters
    ----------
    text : str
        The formula.

    Returns
    -------
    list of Token
        In the order written, white space left out.

    Raises
    ------
    FormulaError
        A quote, a backtick or a bracket of a call is not closed.
    """
    tokens = []
    position, length = 0, len(text)
    while position < length:
        match = _TOKEN.match(text, position)
        if match is None:  # only white space is left
            break
        kind = match.lastgroup or "other"
        position = match.end()
        if kind == "call":
            start = match.start("name")
            position = closing(text, position - 1) + 1
        elif kind == "brace":
            start = match.start(kind)
            position = closing(text, start) + 1
        else:
            start = match.start(kind)
            if kind == "other":
                _refuse_unpaired(text, start)
        tokens.append(Token(kind, text[start:position], start, position))
    return tokens


def closing(text: str, start: int) -> int:
    """Return the position of the bracket that closes the one at `start`; quoted text is skipped."""
    expected: list[tuple[str, int]] = []
    for match in _BRACKET.finditer(text, start):
        char = match.group()
        if char in _CLOSER:
            expected.append((_CLOSER[char], match.start()))
            if len(expected) > _MAX_DEPTH:
                raise error(f"brackets are nested more than {_MAX_DEPTH} deep", text, match.start())
        elif len(char) == 1 and char in ")]}":
            wanted, opened = expected.pop()
            if char != wanted:
                message = f"{char!r} does not close the {text[opened]!r} before it: write {wanted!r}"
                raise error(message, text, match.start())
            if not expected:
                return match.start()
        elif len(char) == 1:
            _refuse_unpaired(text, match.start())
    opened = expected[-1][1]
    raise error(f"{text[opened]!r} is never closed: the parentheses do not balance", text, opened)


def has_bar(source: str) -> bool:
    """Tell whether a bar stands in a piece of text outside names and quoted text."""
    return "|" in source and "|" in _PROTECTED.sub("", source)


def pair_parentheses(tokens: list[Token], text: str) -> dict[int, int]:
    """Map the index of every opening parenthesis among the tokens to that of its partner."""
    partner: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.text == "(":
            opened.append(index)
            if len(opened) > _MAX_DEPTH:
                raise error(f"parentheses are nested more than {_MAX_DEPTH} deep", text, token.start)
        elif token.text == ")":
            if not opened:
                message = "')' closes nothing: the parentheses do not balance, remove it or add '('"
                raise error(message, text, token.start)
            partner[opened.pop()] = index
    if opened:
        message = "'(' is never closed: the parentheses do not balance"
        raise error(message, text, tokens[opened[-1]].start)
    return partner


def _refuse_unpaired(text: str, position: int) -> None:
    char = text[position]
    if char == "`":
        raise error("this backtick is never closed: backticks come in pairs around a name", text, position)
    if char in "'\"":
        raise error("this quotation mark is never closed", text, position)
    if char == "[":
        raise error("square brackets are not supported: compute the column before fitting", text, position)
    if char in "]}":
        raise error(f"{char!r} closes nothing: the brackets do not balance", text, position)
