"""The immutable values that a formula is parsed into."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from mixedeffects.formula.expressions import columns, quoted_name
from mixedeffects.formula.tokens import tokenize


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomTerm:
    """One random-effects term, ``(expr | group)``.

    Attributes
    ----------
    expr : str
        Left of the bar in formulaic's grammar, the intercept explicit: ``"1 + Days"``, ``"0 + Days"``.
    group : tuple of str
        The columns whose interaction is the grouping factor, in lme4's order: ``(1 | a/b)`` gives the
        terms ``("b", "a")`` and ``("a",)``, ``(1 | a:b)`` gives ``("a", "b")``.
    correlated : bool
        False for ``||``: all columns of `expr` are independent.
    """

    expr: str
    group: tuple[str, ...]
    correlated: bool = True

    @property
    def group_name(self) -> str:
        """The name of the grouping factor: the columns joined by colons."""
        return ":".join(self.group)

    def __str__(self) -> str:
        bar = "|" if self.correlated else "||"
        group = ":".join(map(quoted_name, self.group))
        return f"({self.expr} {bar} {group})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A parsed model formula; it knows no data.

    Attributes
    ----------
    text : str
        The formula as written, with white space normalised.
    response : str
        The expression left of ``~``: ``"y"``, ``"log(y)"``, ``"cbind(a, b)"``.
    fixed : str
        The right-hand side without random terms and offsets in formulaic's grammar, the intercept
        explicit: ``"1 + Days"``, ``"0 + Days"``. Keywords and functions with a dot inside expressions are
        respelled by `mixedeffects.formula.aliases.python_names` before formulaic reads it.
    random : tuple of RandomTerm
        In the order written, ``a/b`` expanded into ``b:a`` and ``a``.
    offsets : tuple of str
        The expressions inside ``offset(...)``.
    """

    text: str
    response: str
    fixed: str
    random: tuple[RandomTerm, ...] = ()
    offsets: tuple[str, ...] = ()

    def variables(self) -> tuple[str, ...]:
        """Return the data columns that the formula reads, in the order of their first use."""
        found: dict[str, None] = dict.fromkeys(columns(self.response))
        found.update(dict.fromkeys(term_columns(self.fixed)))
        for term in self.random:
            found.update(dict.fromkeys((*term_columns(term.expr), *reversed(term.group))))
        for offset in self.offsets:
            found.update(dict.fromkeys(columns(offset)))
        return tuple(found)

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=1024)
def term_columns(text: str) -> tuple[str, ...]:
    """Return the columns used in a piece of formulaic's grammar that has been checked before."""
    found: list[str] = []
    for token in tokenize(text):
        if token.kind in ("name", "column"):
            found.append(token.text.strip("`"))
        elif token.kind == "call":
            found.extend(columns(token.text))
        elif token.kind == "brace":
            found.extend(columns(token.text[1:-1]))
    return tuple(found)
