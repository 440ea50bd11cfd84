"""Names that formulaic would mix up inside an expression, refused before it sees them.

formulaic (1.2) gives a name that is no Python identifier an alias with every other character replaced
by an underscore, and substitutes aliases back in the text. Two names with one alias, or a name used
twice inside a transform that keeps state, would make it draw random suffixes, and replaying the
transform on new data would quietly learn it anew.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import TYPE_CHECKING

from mixedeffects.formula import functions as allowed
from mixedeffects.formula.tokens import error

if TYPE_CHECKING:
    from mixedeffects.formula.expressions import Code

_UNSAFE = frozenset("'\"()[]{}")


def refuse_ambiguous_names(text: str, codes: list[tuple[Code, int]], lookups: list[tuple[str, int]]) -> None:
    """Refuse a formula whose names collide.

    Parameters
    ----------
    text : str
        The formula.
    codes : list of (Code, int)
        The expressions that formulaic will evaluate, with their positions.
    lookups : list of (str, int)
        The columns that stand as terms by themselves, with their positions.
    """
    if not codes:
        return
    used = {name for name, _ in lookups}
    called = {name.partition(".")[0] for code, _ in codes for name in code.called}
    if any(symbol.value in allowed.CONSTANTS for code, _ in codes for symbol in code.symbols):
        called |= set(allowed.CONSTANTS)
    printed = {code.emitted for code, _ in codes}
    for code, place in codes:
        used.update(code.columns)
        _refuse_unsafe(text, code, place)
    for name, place in lookups:
        if name in printed:
            message = f"the column {name!r} is spelled like the expression {name}: rename the column"
            raise error(message, text, place)
    if used & called:
        name = min(used & called)
        message = f"{name!r} is both a column and a function or constant in this formula: rename the column"
        raise error(message, text, codes[0][1])
    _refuse_equal_aliases(text, codes, used | called)


def _refuse_unsafe(text: str, code: Code, place: int) -> None:
    for name in code.columns:
        if keyword.iskeyword(name) or unicodedata.normalize("NFKC", name) != name or not _UNSAFE.isdisjoint(name):
            message = (
                f"the column {name!r} cannot stand inside an expression (a Python keyword, brackets, quotation "
                "marks or compatibility characters): rename it"
            )
            raise error(message, text, place)


def _refuse_equal_aliases(text: str, codes: list[tuple[Code, int]], names: set[str]) -> None:
    reserved = names | allowed.TRANSFORMS | set(allowed.NUMPY_ARITY) | {"I", "np", "numpy", "contr", "pi"}
    aliases = {name: _alias(name) for code, _ in codes for name in code.columns if not name.isidentifier()}
    for code, place in codes:
        odd = [name for name in code.columns if name in aliases]
        if len(odd) > len(set(odd)) and not allowed.STATEFUL.isdisjoint(code.called):
            name = max(odd, key=odd.count)
            message = f"{name!r} stands twice inside one transform: rename the column to a plain identifier"
            raise error(message, text, place)
        for name in odd:
            clash = aliases[name] in reserved or any(
                other != name and (alias == aliases[name] or (other in odd and alias.startswith(aliases[name])))
                for other, alias in aliases.items()
            )
            if clash or any("_formulaic_" in other for other in names):
                message = f"{name!r} is too like another name in this formula: rename the column"
                raise error(message, text, place)


def _alias(name: str) -> str:
    alias = re.sub(r"\W", "_", name)
    return f"_{alias}" if alias[0].isdigit() else alias
