"""Names inside an expression that formulaic cannot take: spelled otherwise for it, or refused before it sees them.

Python's keywords and functions with a dot, such as ``as.numeric``, get an identifier in their place, and the names of
the columns that come out get the spelling back.

formulaic (1.2) gives a name that is no Python identifier an alias with every other character replaced
by an underscore, and substitutes aliases back in the text. Two names with one alias, or a name used
twice inside a transform that keeps state, would make it draw random suffixes, and replaying the
transform on new data would quietly learn it anew.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mixedeffects.formula import functions as allowed
from mixedeffects.formula.tokens import QUOTED_PATTERN, error, tokenize

if TYPE_CHECKING:
    from mixedeffects.formula.expressions import Code

_UNSAFE = frozenset("'\"()[]{}")
_FOREIGN = re.compile(rf"{QUOTED_PATTERN}|`(?P<column>[^`]*)`|(?<![\w.])(?P<function>as\.(?:numeric|integer))(?=\()")
_IDENTIFIER = re.compile(r"\b_\w+_\b")


def identifier(name: str) -> str:
    """Return the identifier that stands for a keyword, or for a function with a dot in its name."""
    return f"_{name.replace('.', '_')}_"


_COLUMNS = {identifier(word): word for word in keyword.kwlist}


def column_of(name: str) -> str:
    """Return the column that an identifier stands for, which is itself unless it stands for a keyword."""
    return _COLUMNS.get(name, name)


def python_names(text: str) -> tuple[str, dict[str, str]]:
    """Spell a piece of formulaic's grammar so that every expression in it is Python.

    Parameters
    ----------
    text : str
        A fixed part or the left of a bar, as `parse` gives it.

    Returns
    -------
    text : str
        The same with an identifier for every name that Python cannot take inside a call or braces.
    spelled : dict of str to str
        The identifiers, and what they stand for as it is spelled in the formula.
    """
    spelled: dict[str, str] = {}
    if "`" not in text and "as." not in text:
        return text, spelled

    def respell(match: re.Match[str]) -> str:
        name = match["function"] or match["column"]
        if name is None or (match["column"] is not None and not keyword.iskeyword(name)):
            return match[0]
        spelled[identifier(name)] = match[0]
        return identifier(name)

    pieces, done = [], 0
    for token in tokenize(text):
        if token.kind in ("call", "brace"):
            pieces += [text[done : token.start], _FOREIGN.sub(respell, token.text)]
            done = token.end
    return "".join([*pieces, text[done:]]), spelled


def restored(text: str, spelled: Mapping[str, str]) -> str:
    """Return a text, such as the name of a column, with the spelling of the formula."""
    return _IDENTIFIER.sub(lambda match: spelled.get(match[0], match[0]), text) if spelled else text


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
    called = {name.partition(".")[0] for code, _ in codes for name in code.called - allowed.CONVERSIONS}
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
    _refuse_taken_identifiers(text, codes, used)
    _refuse_equal_aliases(text, codes, used | called)


def _refuse_unsafe(text: str, code: Code, place: int) -> None:
    for name in code.columns:
        if unicodedata.normalize("NFKC", name) != name or not _UNSAFE.isdisjoint(name):
            message = (
                f"the column {name!r} cannot stand inside an expression (brackets, quotation marks or compatibility "
                "characters): rename it"
            )
            raise error(message, text, place)


def _refuse_taken_identifiers(text: str, codes: list[tuple[Code, int]], used: set[str]) -> None:
    for code, place in codes:
        words = {name for name in code.columns if keyword.iskeyword(name)} | (code.called & allowed.CONVERSIONS)
        for name in sorted(words):
            if identifier(name) in used:
                message = f"the column {identifier(name)!r} is too like {name!r} in this formula: rename the column"
                raise error(message, text, place)


def _refuse_equal_aliases(text: str, codes: list[tuple[Code, int]], names: set[str]) -> None:
    reserved = names | allowed.TRANSFORMS | set(allowed.NUMPY_ARITY) | {"I", "np", "numpy", "contr", "pi"}
    reserved |= set(_COLUMNS) | {identifier(name) for name in allowed.CONVERSIONS}
    aliases = {name: _alias(name) for code, _ in codes for name in code.columns if not name.isidentifier()}
    for code, place in codes:
        odd = [name for name in code.columns if name in aliases]
        if len(odd) > len(set(odd)) and not (allowed.STATEFUL | allowed.CONVERSIONS).isdisjoint(code.called):
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
