"""The function around a whole expression."""

from __future__ import annotations

import ast

from mixedeffects.formula.expressions import placeholder, read
from mixedeffects.formula.functions import bare_name


def outer_call(expr: str, known: frozenset[str] = frozenset()) -> tuple[str, str] | None:
    """Split an expression that is one call with one argument.

    Parameters
    ----------
    expr : str
        An expression as `Formula` holds it, such as its response.
    known : frozenset of str
        Names of the caller's functions.

    Returns
    -------
    (str, str) or None
        The function without ``np.``, and its argument as a user writes it; None for other expressions.
    """
    code = read(expr, 0, len(expr), known=known, where="response")
    tree = code.tree
    if not isinstance(tree, ast.Call) or len(tree.args) != 1 or tree.keywords:
        return None
    return bare_name(code.symbols[placeholder(tree.func)].value), code.shown.partition("(")[2][:-1]
