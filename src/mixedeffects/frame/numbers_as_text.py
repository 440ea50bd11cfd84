"""Columns of text that hold numbers: what keeps them from being read as such."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from mixedeffects.errors import DataError
from mixedeffects.formula.expressions import quoted_name
from mixedeffects.formula.terms import term_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mixedeffects.formula import Formula
    from mixedeffects.frame.factor import Factor

_COMMA = re.compile(r"\s*[-+]?(?:\d{1,3}(?:\.\d{3})+|\d*),\d+(?:[eE][-+]?\d+)?\s*")
_MOST = 0.5  # of the values are numbers where the others are the mistake
_MOST_CATEGORIES = 10  # that are numbers, in text that may be taken for categories beside values of another kind
_CALL = re.compile(r"[\w.]+\([^()]*\)")


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


def check_text_predictors(formula: Formula, texts: Mapping[str, Factor]) -> None:
    """Refuse text that is used as categories by the fixed part, and whose values are numbers but for some marks.

    Parameters
    ----------
    formula : Formula
        The formula; what it has inside ``C(...)`` or ``factor(...)`` is meant as categories.
    texts : mapping of str to Factor
        The columns of text.

    Raises
    ------
    DataError
        For a column with more than 10 values that are numbers, and others that are not or decimal commas.
    """
    bare = formula.fixed if texts else ""
    while (shorter := _CALL.sub("1", bare)) != bare:
        bare = shorter
    named = term_columns(bare)
    for name, column in texts.items():
        if name in named and (problem := _mixed_with_numbers(name, column.values.tolist())):
            raise DataError(problem)


def _mixed_with_numbers(name: str, levels: list[Any]) -> str:
    """What is wrong with text whose levels are numbers beside others, or have decimal commas; nothing if neither."""
    commas = [text for text in levels if _COMMA.fullmatch(text)]
    others = [text for text in levels if not _is_finite(text) and not _COMMA.fullmatch(text)]
    n_numbers = len(levels) - len(others)
    if n_numbers <= _MOST_CATEGORIES or not (others or commas):
        return ""
    shown = ", ".join(map(repr, others[:4])) + (", ..." if others[4:] else "")
    marks = f", the other{'s' if others[1:] else ''} {'are' if others[1:] else 'is'} {shown}" if others else ""
    points = f", {len(commas)} of them with a decimal comma ({commas[0]!r})" if commas else ""
    options = [f"na_values=[{shown}]"] if others else []
    options += ["decimal=','"] if commas else []
    convert = "" if commas else ", or convert it by pd.to_numeric(..., errors='coerce')"
    return (
        f"the predictor {name!r} holds text: {n_numbers} of its {len(levels)} distinct values are numbers{points}"
        f"{marks}. Read the file with {' and '.join(options)}{convert}; "
        f"write C({quoted_name(name)}) if they are categories"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_finite(text: str) -> bool:
    return _is_number(text) and math.isfinite(float(text))
