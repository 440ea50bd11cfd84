"""Model formulas: text to an immutable `Formula`, and the only expressions that may be evaluated.

Random-effects terms are split off before formulaic sees the rest, and every expression is checked
against a closed list of syntax and functions, so that no formula can run arbitrary Python.
"""

from __future__ import annotations

from mixedeffects.formula.aliases import column_of, python_names, restored
from mixedeffects.formula.calls import outer_call
from mixedeffects.formula.evaluate import evaluate
from mixedeffects.formula.functions import formulaic_context
from mixedeffects.formula.grammar import parse
from mixedeffects.formula.group_names import nested_hint, same_group
from mixedeffects.formula.names import bare, unquoted_names
from mixedeffects.formula.terms import Formula, RandomTerm, term_columns

__all__ = [
    "Formula",
    "RandomTerm",
    "bare",
    "column_of",
    "evaluate",
    "formulaic_context",
    "nested_hint",
    "outer_call",
    "parse",
    "python_names",
    "restored",
    "same_group",
    "term_columns",
    "unquoted_names",
]
