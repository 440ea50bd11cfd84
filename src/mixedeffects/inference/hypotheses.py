"""Linear hypotheses as text: ``"a - b = 0"``, ``"2*Days + Intercept = 250"``.

A small grammar read by hand; nothing is evaluated as Python. Names of coefficients are recognised first, the longest
that fits, so that they may hold brackets, colons, dots and spaces; one with an operator outside brackets needs
backticks.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.formula.tokens import NUMBER_PATTERN, error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_NUMBER = re.compile(NUMBER_PATTERN)
_UNKNOWN = re.compile(r"`[^`]*`|[^\W\d][\w.]*(?:\[[^\]]*\]|\([^()]*\)|:|[\w.])*|\S")
_BRACKETED = re.compile(r"`[^`]*`|\[[^\]]*\]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)")
_CONTINUES = re.compile(r"[\w.:\[(`]")
_MAX_DEPTH = 50


def linear_hypotheses(
    texts: str | Sequence[str], names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read linear hypotheses about named coefficients.

    Parameters
    ----------
    texts : str or sequence of str
        Each a sum of multiples of coefficients, with ``=`` and the same on the right; without ``=`` it is compared
        with zero.
    names : sequence of str, (p,)
        The names.

    Returns
    -------
    L : ndarray (q, p)
        Coefficients of the names.
    rhs : ndarray (q,)
        Right-hand sides, so that the hypotheses are L beta = rhs.

    Raises
    ------
    FormulaError
        If a text cannot be read, holds another name, or is not linear; a caret marks the place.
    """
    pairs = [_Reader(text, names).hypothesis() for text in ([texts] if isinstance(texts, str) else texts)]
    L = np.array([linear.coefficients for linear in pairs]).reshape(len(pairs), len(names))
    # 0 - c, so that no right-hand side is -0.
    return L, np.array([0.0 - linear.constant for linear in pairs])


@dataclass(frozen=True, slots=True)
class _Linear:
    """constant + coefficients . beta."""

    coefficients: NDArray[np.float64]
    constant: float

    @property
    def is_constant(self) -> bool:
        return not self.coefficients.any()

    def plus(self, other: _Linear, factor: float = 1.0) -> _Linear:
        return _Linear(self.coefficients + factor * other.coefficients, self.constant + factor * other.constant)

    def times(self, factor: float) -> _Linear:
        return _Linear(factor * self.coefficients, factor * self.constant)


class _Reader:
    """Reads one hypothesis from left to right.

    hypothesis: sum [("=" | "==") sum];  sum: product {("+" | "-") product};  product: value {("*" | "/") value};
    value: ("+" | "-") value | number | name | "(" sum ")"
    """

    def __init__(self, text: str, names: Sequence[str]) -> None:
        self.text = text
        self.names = names
        self.position = 0
        self.depth = 0
        self.longest_first = sorted(range(len(names)), key=lambda j: len(names[j]), reverse=True)

    def hypothesis(self) -> _Linear:
        left = self._sum()
        if self._take("==", "="):
            left = left.plus(self._sum(), -1.0)
        if self._peek():
            wanted = "one = only" if self._peek() == "=" else "an operator or the end"
            if self._peek() in "<>!":
                wanted = "=; a one-sided hypothesis cannot be tested"
            raise error(f"expected {wanted}, found {self._word()!r}", self.text, self.position)
        if left.is_constant:
            raise error("no coefficient is left in the hypothesis", self.text, 0)
        return left

    def _sum(self) -> _Linear:
        value = self._product()
        while operator := self._take("+", "-"):
            value = value.plus(self._product(), 1.0 if operator == "+" else -1.0)
        return value

    def _product(self) -> _Linear:
        value = self._value()
        while operator := self._take("*", "/"):
            place = self.position
            other = self._value()
            if operator == "*" and value.is_constant:
                value, other = other, value
            if not other.is_constant:
                what = "a product of coefficients" if operator == "*" else "a coefficient as divisor"
                raise error(f"{what}: a hypothesis must be linear", self.text, place)
            if operator == "/" and other.constant == 0.0:
                raise error("division by zero", self.text, place)
            value = value.times(other.constant if operator == "*" else 1.0 / other.constant)
        return value

    def _value(self) -> _Linear:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise error("the hypothesis is nested too deeply", self.text, self.position)
        value = self._signed_or_atom()
        self.depth -= 1
        return value

    def _signed_or_atom(self) -> _Linear:
        zero = np.zeros(len(self.names))
        if operator := self._take("+", "-"):
            return self._value().times(1.0 if operator == "+" else -1.0)
        name = self._name()
        if name is not None:
            zero[name] = 1.0
            return _Linear(zero, 0.0)
        if number := _NUMBER.match(self.text, self.position):
            self.position = number.end()
            return _Linear(zero, float(number[0]))
        if self._take("("):
            value = self._sum()
            if not self._take(")"):
                raise error("a bracket is not closed", self.text, self.position)
            return value
        raise self._unknown()

    def _name(self) -> int | None:
        self._skip()
        for j in self.longest_first:
            end = _end_of_name(self.text, self.position, self.names[j])
            if end is not None and not _CONTINUES.match(self.text, end):
                self.position = end
                return j
        return None

    def _unknown(self) -> Exception:
        word = self._word()
        if not word:
            return error("the hypothesis ends where a coefficient or a number should stand", self.text, self.position)
        close = difflib.get_close_matches(word.strip("`"), self.names, n=3)
        shown = close or list(self.names[:10])
        more = " ..." if not close and len(self.names) > 10 else ""
        hint = f"did you mean {' or '.join(map(repr, shown))}?" if close else f"there are {', '.join(shown)}{more}"
        return error(f"{word!r} is no coefficient; {hint}", self.text, self.position)

    def _take(self, *operators: str) -> str:
        self._skip()
        for operator in operators:
            if self.text.startswith(operator, self.position):
                self.position += len(operator)
                return operator
        return ""

    def _peek(self) -> str:
        self._skip()
        return self.text[self.position : self.position + 1]

    def _word(self) -> str:
        self._skip()
        match = _UNKNOWN.match(self.text, self.position)
        return match[0] if match else ""

    def _skip(self) -> None:
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1


def _end_of_name(text: str, start: int, name: str) -> int | None:
    """Where a name that stands at `start` ends; the text may have backticks that the name does not have.

    An operator outside the brackets of a name must stand between backticks, so that it is not taken for one of the
    hypothesis.
    """
    bracketed = {i for match in _BRACKETED.finditer(name) for i in range(*match.span())}
    position, quoted = start, False
    for i, char in enumerate(name):
        if char != "`" and text.startswith("`", position):
            quoted = not quoted
            position += 1
        operator = char in "-+*/=" and i not in bracketed
        if not text.startswith(char, position) or (operator and not quoted):
            return None
        position += 1
    if quoted:
        return position + 1 if text.startswith("`", position) else None
    return position
