"""The grammar of model formulas: tokens to a `Formula`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from mixedeffects.errors import FormulaError
from mixedeffects.formula.aliases import refuse_ambiguous_names
from mixedeffects.formula.expressions import Code, read
from mixedeffects.formula.functions import function_names
from mixedeffects.formula.grouping import grouping_factors
from mixedeffects.formula.products import Reader
from mixedeffects.formula.terms import Formula, RandomTerm

_BARS = ("|", "||")


def parse(text: str, *, functions: Mapping[str, Callable[..., Any]] | None = None) -> Formula:
    """Parse a model formula.

    Parameters
    ----------
    text : str
        Such as ``"Reaction ~ Days + (Days | Subject)"``.
    functions : mapping of str to callable, optional
        Functions that the formula may call besides numpy's and formulaic's.

    Returns
    -------
    Formula
        Immutable; every expression in it has been checked against the list of allowed syntax.

    Raises
    ------
    FormulaError
        The text is not a formula, or asks for something that is not allowed or not supported. The message
        marks the position.

    Examples
    --------
    >>> formula = parse("Reaction ~ Days + (Days | Subject)")
    >>> formula.fixed
    '1 + Days'
    >>> [str(term) for term in formula.random]
    ['(1 + Days | Subject)']
    """
    if not isinstance(text, str):
        raise FormulaError(f"a formula is a str such as 'y ~ x + (1 | g)', not {type(text).__name__}")
    return _parse(str(text), function_names(functions))


# Parsing depends on nothing but the text and the names of the functions.
@lru_cache(maxsize=256)
def _parse(text: str, known: frozenset[str]) -> Formula:
    reader = Reader(text, known)
    tilde = _tilde(reader)
    response = _response(reader, tilde)
    fixed = _Sum(reader, fixed=True)
    fixed.add(tilde + 1, len(reader.tokens))
    refuse_ambiguous_names(text, reader.codes, reader.lookups)
    return Formula(
        text=f"{response.shown} ~ {fixed.shown}",
        response=response.emitted,
        fixed=fixed.emitted,
        random=tuple(fixed.random),
        offsets=tuple(fixed.offsets),
    )


def _tilde(reader: Reader) -> int:
    """Return the index of the one ``~`` with something on both its sides."""
    tokens = reader.tokens
    found = [index for index, token in enumerate(tokens) if token.text == "~"]
    if not found:
        reader.fail("a formula needs '~' between the response and the terms: y ~ x + (1 | g)", len(tokens))
    tilde = found[0]
    if any(opened < tilde < closed for opened, closed in reader.partner.items()):
        reader.fail("'~' cannot stand inside parentheses", tilde)
    if len(found) > 1:
        reader.fail("a formula has one '~', this is a second one; inside I() it negates a comparison", found[1])
    if tilde == 0:
        reader.fail("a response is missing before '~': write y ~ x + (1 | g)", 0)
    if tilde == len(tokens) - 1:
        reader.fail("terms are missing after '~': write at least y ~ 1", len(tokens))
    return tilde


def _response(reader: Reader, tilde: int) -> Code:
    for index in range(tilde):
        if reader.tokens[index].text in _BARS:
            reader.fail("a random effect cannot stand on the left of '~': move it to the right", index)
    start, end = reader.tokens[0].start, reader.tokens[tilde].start
    return read(reader.text, start, end, known=reader.known, where="response")


class _Sum:
    """Collects the terms of one sum: the fixed part, or what stands left of a bar."""

    __slots__ = ("fixed", "intercept", "offsets", "parts", "random", "reader", "words")

    def __init__(self, reader: Reader, *, fixed: bool) -> None:
        self.reader = reader
        self.fixed = fixed
        self.intercept = True
        self.words: list[str] = []
        self.parts: list[str] = []
        self.random: list[RandomTerm] = []
        self.offsets: list[str] = []

    @property
    def shown(self) -> str:
        """The sum as the user wrote it, with normal spacing."""
        text = "".join(self.words)
        return text[3:] if text.startswith(" + ") else f"-{text[3:]}"

    @property
    def emitted(self) -> str:
        """The sum without random terms and offsets in formulaic's grammar, the intercept explicit."""
        return ("1" if self.intercept else "0") + "".join(self.parts)

    def add(self, lo: int, hi: int) -> None:
        """Read the tokens from `lo` to `hi` as a sum."""
        reader = self.reader
        for negative, start, end in reader.summands(lo, hi):
            sign = " - " if negative else " + "
            single = end - start == 1
            bars = [index for index in range(start, end) if reader.tokens[index].text in _BARS]
            if bars:
                self._barred(negative, start, end, bars)
            elif single and reader.tokens[start].kind == "number":
                self._set_intercept(negative, start)
            elif single and reader.is_call(start, "offset"):
                self._offset(negative, start)
            else:
                piece = reader.product(start, end)
                self.words.append(sign + piece.shown)
                self.parts.append(sign + piece.emitted)

    def _set_intercept(self, negative: bool, index: int) -> None:
        number = self.reader.tokens[index].text
        if number not in ("0", "1"):
            message = f"the number {number} is not a term: only 1 (an intercept) and 0 (none) are"
            self.reader.fail(message, index)
        self.intercept = (number == "1") != negative
        self.words.append((" - " if negative else " + ") + number)

    def _offset(self, negative: bool, index: int) -> None:
        reader = self.reader
        token = reader.tokens[index]
        if negative:
            reader.fail("an offset is added: write offset(-(...)) to subtract it", index)
        if not self.fixed:
            reader.fail("an offset cannot stand in a random-effects term: move it out of the parentheses", index)
        opened = reader.text.index("(", token.start)
        code = read(reader.text, opened + 1, token.end - 1, known=reader.known)
        self.words.append(f" + offset({code.shown})")
        self.offsets.append(code.emitted)

    def _barred(self, negative: bool, lo: int, hi: int, bars: list[int]) -> None:
        """Read a summand that holds a bar: one random-effects term in its parentheses, or a refusal."""
        partner = self.reader.partner
        depths = [sum(1 for opened in range(lo, bar) if partner.get(opened, -1) > bar) for bar in bars]
        if 0 in depths:
            bar = bars[depths.index(0)]
            if len(bars) > 1:
                self.reader.fail("a bar joins a random-effects term: nested bars are not supported", bar)
            self.reader.fail("a bar outside parentheses: write the random-effects term as (1 | g)", bar)
        if partner.get(lo) != hi - 1:
            self._misplaced(lo, hi, bars[0])
        if negative:
            self.reader.fail("a random-effects term cannot be subtracted: leave it out instead", lo)
        if 1 in depths:
            self._random(lo, hi, bars, depths)
        else:  # a sum in redundant parentheses, (x + (1 | g)): its terms belong to the sum around it
            self.add(lo + 1, hi - 1)

    def _random(self, lo: int, hi: int, bars: list[int], depths: list[int]) -> None:
        """Read ``( ... | g)``, whose parentheses are the tokens `lo` and ``hi - 1``."""
        reader = self.reader
        bar = bars[depths.index(1)]
        if len(bars) > 1:
            message = "a second bar in one random-effects term: write several terms, (1 | g) + (1 | h)"
            reader.fail(message, bars[1])
        if bar == lo + 1:
            reader.fail("nothing stands before the bar: write (1 | g) for a random intercept", bar)
        left = _Sum(reader, fixed=False)
        left.add(lo + 1, bar)
        if not left.intercept and not any(part.startswith(" + ") for part in left.parts):
            reader.fail("this term has no random effect: write (1 | g) or (0 + x | g)", lo + 1)
        shown, factors = grouping_factors(reader.text, reader.tokens[bar + 1 : hi], reader.known)
        sign = reader.tokens[bar].text
        self.words.append(f" + ({left.shown} {sign} {shown})")
        for factor in factors:
            self.random.append(RandomTerm(expr=left.emitted, group=factor, correlated=sign == "|"))

    def _misplaced(self, lo: int, hi: int, bar: int) -> NoReturn:
        """Refuse a random-effects term in a product or a power, pointing at the operator."""
        tokens, partner = self.reader.tokens, self.reader.partner
        opened = next(index for index in range(lo, bar) if partner.get(index, -1) > bar)
        beside = partner[opened] + 1 if opened == lo else opened - 1
        sign = tokens[beside].text
        if tokens[beside].kind == "operator" and sign not in "()":
            message = f"a random-effects term cannot be combined by {sign!r}: join it to the others with '+'"
            self.reader.fail(message, beside)
        message = "an operator is missing beside this random-effects term: join it to the others with '+'"
        self.reader.fail(message, beside if opened == lo else opened)
