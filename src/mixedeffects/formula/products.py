"""Products of a formula's sum: columns, calls and parentheses joined by ``* / : %in% ^``."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from mixedeffects.formula import functions as allowed
from mixedeffects.formula.expressions import Code, column_name, quoted_name, read, shown_name
from mixedeffects.formula.tokens import Token, error, has_bar, pair_parentheses, tokenize

_MAX_TERMS = 10_000
_PRODUCTS = {"*": " * ", "/": "/", ":": ":", "%in%": " %in% "}
_POWERS = ("^", "**")


class Piece(NamedTuple):
    """A checked part: as the user wrote it, as formulaic reads it, and a bound on its number of terms."""

    shown: str
    emitted: str
    size: int


class Reader:
    """A formula's tokens, and what has been found in them so far."""

    __slots__ = ("codes", "known", "lookups", "partner", "text", "tokens")

    def __init__(self, text: str, known: frozenset[str]) -> None:
        self.text = text
        self.known = known
        self.tokens = tokenize(text)
        self.partner = pair_parentheses(self.tokens, text)
        self.codes: list[tuple[Code, int]] = []
        self.lookups: list[tuple[str, int]] = []

    def fail(self, message: str, index: int) -> NoReturn:
        """Raise with the caret under a token, or after the last one."""
        position = self.tokens[index].start if index < len(self.tokens) else len(self.text.rstrip())
        raise error(message, self.text, position)

    def is_call(self, index: int, name: str) -> bool:
        """Tell whether a token is a call of `name` that is not one of the caller's functions."""
        token = self.tokens[index]
        return token.kind == "call" and _called(token) == name and name not in self.known

    def summands(self, lo: int, hi: int) -> list[tuple[bool, int, int]]:
        """Split at the signs outside parentheses into (negative, first token, end)."""
        tokens, partner = self.tokens, self.partner
        pieces = []
        index = lo
        while index < hi:
            negative = False
            while index < hi and tokens[index].text in ("+", "-"):
                negative ^= tokens[index].text == "-"
                index += 1
            start = index
            while index < hi and tokens[index].text not in ("+", "-"):
                index = partner.get(index, index) + 1
            if start == index:
                self.fail(f"a term is missing after {tokens[start - 1].text!r}", start)
            pieces.append((negative, start, index))
        return pieces

    def product(self, lo: int, hi: int) -> Piece:
        """Read operands joined by operators, filling the tokens from `lo` to `hi`."""
        shown, emitted, size = "", "", 0
        index = lo
        while True:
            operand, index = self._power(index, hi)
            shown += operand.shown
            emitted += operand.emitted
            size += operand.size + size * operand.size
            if size > _MAX_TERMS:
                self.fail(f"this product makes more than {_MAX_TERMS} terms: write the ones you need", lo)
            if index == hi:
                return Piece(shown, emitted, size)
            sign = self.tokens[index].text
            if sign not in _PRODUCTS or self.tokens[index].kind != "operator":
                self._refuse_operator(index)
            if index + 1 == hi:
                self.fail(f"a term is missing after {sign!r}", hi)
            shown += _PRODUCTS[sign]
            emitted += _PRODUCTS[sign]
            index += 1

    def _power(self, index: int, hi: int) -> tuple[Piece, int]:
        """Read one operand and the power after it, if any; return it with the index that follows."""
        piece, following = self._operand(index)
        if following == hi or self.tokens[following].text not in _POWERS:
            return piece, following
        exponent = self.tokens[following + 1] if following + 1 < hi else None
        if exponent is None or exponent.kind != "number" or not exponent.text.isdecimal() or int(exponent.text) < 1:
            self.fail("a power of terms is a whole number, as in (a + b)^2; for a square write I(x**2)", following)
        power = int(exponent.text) if len(exponent.text) < 4 else _MAX_TERMS
        size = piece.size ** min(power, 20)
        if power > 20 or size > _MAX_TERMS:
            self.fail(f"this power makes more than {_MAX_TERMS} terms: write the ones you need", following)
        if following + 2 < hi and self.tokens[following + 2].text in _POWERS:
            self.fail("a power of a power is not supported: multiply the exponents", following + 2)
        sign = self.tokens[following].text
        powered = Piece(f"{piece.shown}{sign}{power}", f"{piece.emitted}{sign}{power}", size)
        return powered, following + 2

    def _operand(self, index: int) -> tuple[Piece, int]:
        token = self.tokens[index]
        if token.text == "(" and token.kind == "operator":
            return self._parenthesis(index), self.partner[index] + 1
        if token.kind in ("name", "column"):
            return self._column(token), index + 1
        if token.kind == "call":
            return self._call(token), index + 1
        if token.kind == "brace":
            code = read(self.text, token.start + 1, token.end - 1, known=self.known, where="terms")
            self.codes.append((code, token.start))
            return Piece(f"{{{code.shown}}}", f"{{{code.emitted}}}", 1), index + 1
        if token.kind == "number":
            self.fail("a number is no factor of a product: write I(2 * x); an intercept stands in the outer sum", index)
        if token.kind == "quoted":
            self.fail("a text is not a term: put a column's name in backticks", index)
        if token.text == ".":
            self.fail("'.' (all other columns) is not supported: write the columns out", index)
        self._refuse_operator(index)

    def _parenthesis(self, opened: int) -> Piece:
        closed = self.partner[opened]
        if closed == opened + 1:
            self.fail("nothing stands between these parentheses", opened)
        shown, emitted, size = "", "", 0
        for negative, start, end in self.summands(opened + 1, closed):
            piece = self.product(start, end)
            # formulaic reads a sign at the beginning as a sign of the whole
            if negative and not shown:
                self.fail("the first term in parentheses cannot be subtracted", start)
            sign = " - " if negative else " + " if shown else ""
            shown += sign + piece.shown
            emitted += sign + piece.emitted
            size += piece.size
        return Piece(f"({shown})", f"({emitted})", size)

    def _column(self, token: Token) -> Piece:
        name = column_name(token.text, self.text, token.start)
        # formulaic takes these for an operator or a number even in backticks
        if name in (".", "~", "0", "1"):
            raise error(f"a column cannot be called {name!r} in a formula: rename it", self.text, token.start)
        self.lookups.append((name, token.start))
        return Piece(shown_name(token.text), quoted_name(name), 1)

    def _call(self, token: Token) -> Piece:
        name = _called(token)
        if name not in self.known:
            self._refuse_call(token, name)
        code = read(self.text, token.start, token.end, known=self.known, where="terms")
        self.codes.append((code, token.start))
        return Piece(code.shown, code.emitted, 1)

    def _refuse_call(self, token: Token, name: str) -> None:
        """Refuse calls that have a place of their own in the grammar, and those that take a bar."""
        if name == "offset":
            raise error("offset() stands alone as a term of the fixed part: y ~ x + offset(t)", self.text, token.start)
        if name == "cbind":
            raise error("cbind() stands only on the left of '~'", self.text, token.start)
        if not has_bar(token.text):
            return
        if name in allowed.COVARIANCE_STRUCTURES:
            message = f"{name}(... | g) is not supported yet; supported are (x | g), (x || g) and (0 + x | g)"
            raise error(message, self.text, token.start)
        if name not in allowed.TRANSFORMS and name != "I" and allowed.bare_name(name) not in allowed.NUMPY_ARITY:
            message = f"{name!r} stands before parentheses with a bar: is a '+' missing between them?"
            raise error(message, self.text, token.start + len(name))

    def _refuse_operator(self, index: int) -> NoReturn:
        token = self.tokens[index]
        if token.text in ("=", "<", ">", "!", "&", "%"):
            self.fail(f"{token.text!r} is no operator of formulas: put the expression in I(...)", index)
        if token.kind == "other":
            self.fail(f"unexpected character {token.text!r}", index)
        if token.kind == "operator" and token.text != "(":
            self.fail(f"{token.text!r} has no term before it", index)
        self.fail(f"an operator is missing before {token.text!r}: write '+', '*' or ':'", index)


def _called(token: Token) -> str:
    return token.text.partition("(")[0].rstrip()
