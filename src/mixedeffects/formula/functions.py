"""The functions that a formula may call: a closed list, and those the caller passes in."""

from __future__ import annotations

import difflib
import keyword
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from mixedeffects.errors import FormulaError

# numpy functions that work element by element, with the least and the greatest number of arguments.
# The count is checked because one argument more would be `out`, which writes into a column.
_ONE = (1, 1)
_TWO = (2, 2)
NUMPY_ARITY: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("abs", "absolute", "fabs", "sign", "sqrt", "cbrt", "square", "reciprocal"), _ONE),
    **dict.fromkeys(("exp", "exp2", "expm1", "log", "log2", "log10", "log1p"), _ONE),
    **dict.fromkeys(("sin", "cos", "tan", "arcsin", "arccos", "arctan", "asin", "acos", "atan"), _ONE),
    **dict.fromkeys(("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"), _ONE),
    **dict.fromkeys(("degrees", "radians", "deg2rad", "rad2deg"), _ONE),
    **dict.fromkeys(("floor", "ceil", "trunc", "rint", "isfinite", "isnan"), _ONE),
    **dict.fromkeys(("minimum", "maximum", "fmin", "fmax", "power", "pow"), _TWO),
    **dict.fromkeys(("arctan2", "atan2", "hypot", "fmod", "mod", "logaddexp", "heaviside"), _TWO),
    "round": (1, 2),
    "where": (3, 3),
    "clip": (3, 3),
}
NUMPY_KEYWORDS = {"round": frozenset({"decimals"})}
BOOLEAN_FUNCTIONS = frozenset({"isfinite", "isnan"})

# formulaic's transforms. Left out, with the reason:
#   hashed  merges levels at random and takes a function (hash_func) as argument
#   lag     depends on rows that may have been dropped, and leaves missing values behind
#   Q       looks a column up by a text, which hides it from `Formula.variables`; backticks do the same openly
#   exp10   computes x**10 (formulaic 1.2), not 10**x
#   np      the whole of numpy, with functions that read files; replaced by the list above
STATEFUL = frozenset({"bs", "cc", "cr", "cs", "center", "poly", "scale", "standardize"})
TRANSFORMS = STATEFUL | {"C"}
# R's spellings. as.numeric() of a category is the position of its level, counted from 1: on new data it depends on the
# levels of the fit.
FACTOR_CALLS = frozenset({"factor", "as.factor"})
CONVERSIONS = frozenset({"as.numeric", "as.integer"})
CONTRASTS = frozenset(
    {"contr.treatment", "contr.sum", "contr.helmert", "contr.poly", "contr.SAS", "contr.diff"}
    | {"Treatment", "Sum", "Helmert", "Poly", "Diff"}
)
CONSTANTS = {"pi": float(np.pi)}

# Names with a meaning of their own in the grammar, which no function of the caller may take.
NAMESPACES = frozenset({"np", "numpy", "contr"})
RESERVED = NAMESPACES | {"offset", "cbind", "pi"}
COVARIANCE_STRUCTURES = frozenset({"ar1", "cs", "diag", "us"})

_HINTS = {
    "ordered": "order the categories in the data",
    "as.ordered": "order the categories in the data",
    "as.double": "write as.numeric(x)",
    "as.character": "text is categorical already; for numbers write factor(x)",
    "relevel": "write C(x, contr.treatment(base='b'))",
    "droplevels": "levels that do not occur are left out anyway",
    "interaction": "write a:b",
    "ns": "write cr(x, df=...), a natural cubic spline",
    "mean": "to centre a column write center(x)",
    "min": "the smaller of two is minimum(a, b)",
    "max": "the larger of two is maximum(a, b)",
    "ifelse": "write where(condition, a, b)",
    "exp10": "write I(10 ** x)",
    "Q": "put the name in backticks",
    "lag": "compute the column before fitting: rows may be dropped",
    "hashed": "compute the column before fitting",
}


def function_names(functions: Mapping[str, Callable[..., Any]] | None) -> frozenset[str]:
    """Return the names of the caller's functions after checking them.

    Raises
    ------
    FormulaError
        A name is not an identifier or has a meaning in formulas, or a value cannot be called.
    """
    if not functions:
        return frozenset()
    for name, function in functions.items():
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
            raise FormulaError(f"functions: {name!r} is not a plain identifier; rename it")
        if name.startswith("_"):
            raise FormulaError(f"functions: {name!r} begins with an underscore; rename it")
        if name in RESERVED:
            raise FormulaError(f"functions: {name!r} has a meaning of its own in a formula; rename it")
        if not callable(function):
            raise FormulaError(f"functions: {name!r} is a {type(function).__name__}, not a function")
    return frozenset(functions)


def formulaic_context(functions: Mapping[str, Callable[..., Any]] | None = None) -> dict[str, Any]:
    """Return the names that formulaic may see for the fixed part and the left of the bars.

    Parameters
    ----------
    functions : mapping of str to callable, optional
        The caller's functions, which take precedence.

    Returns
    -------
    dict
        The numpy functions by bare name, ``np`` and ``numpy`` holding the same few, `pi`, and the
        caller's functions. formulaic adds its own transforms underneath.
    """
    function_names(functions)
    listed: dict[str, Any] = {name: getattr(np, name) for name in NUMPY_ARITY}
    listed.update(CONSTANTS)
    namespace = SimpleNamespace(**listed)
    return {**listed, "np": namespace, "numpy": namespace, **(functions or {})}


def bare_name(name: str) -> str:
    """Return a function name without ``np.`` or ``numpy.``."""
    head, dot, tail = name.partition(".")
    return tail if dot and head in ("np", "numpy") else name


def unknown(name: str, known: frozenset[str]) -> str:
    """Return the message for a function that is not allowed, with near matches."""
    allowed = {*NUMPY_ARITY, *TRANSFORMS, *FACTOR_CALLS, *CONVERSIONS, *CONTRASTS, "I", "offset", *known}
    hint = _HINTS.get(bare_name(name))
    if hint is None:
        near = difflib.get_close_matches(bare_name(name), sorted(allowed), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "pass it in with functions={...}"
    return f"{name!r} is not a function that a formula may call; {hint}"
