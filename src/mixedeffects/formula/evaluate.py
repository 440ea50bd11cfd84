"""Values of checked expressions over columns: the response and the offsets.

The checked tree is walked here; nothing is compiled and nothing reaches Python's ``eval``.
"""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.formula import functions as allowed
from mixedeffects.formula.expressions import Code, placeholder, read

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: np.logical_and,
    ast.BitOr: np.logical_or,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: np.logical_not,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def evaluate(
    expr: str, columns: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None
) -> NDArray[Any]:
    """Compute a numeric expression over columns.

    Parameters
    ----------
    expr : str
        The expression, such as ``Formula.response`` or one of ``Formula.offsets``. It is checked again.
    columns : mapping of str to array or Series of shape (n,)
        The data. Integers and booleans enter arithmetic as floats; ``as.numeric(x)`` of text or of a pandas
        categorical is the position of each level, from 1.
    functions : mapping of str to callable, optional
        The caller's functions, which take precedence over numpy's.

    Returns
    -------
    ndarray of shape (n,), or (n, 2) for ``cbind(a, b)``
        A column by itself comes back in its own type; an expression without a column is repeated n times.

    Raises
    ------
    FormulaError
        The expression uses something that is not allowed.
    DataError
        A column does not exist, or the computation fails.
    """
    code = _read(expr, allowed.function_names(functions))
    if isinstance(code.tree, ast.Name) and code.columns:
        return np.asarray(_column(code.columns[0], columns))
    evaluation = _Evaluation(code, columns, functions or {})
    parts = [code.tree]
    if isinstance(code.tree, ast.Call) and code.symbols[0].value == "cbind" and "cbind" in code.called:
        parts = code.tree.args
    try:
        # Infinite results are reported with their column and row when the response is checked.
        with np.errstate(all="ignore"):
            results = [_as_column(evaluation.value(part), columns) for part in parts]
    except DataError:
        raise
    except Exception as problem:
        message = f"{code.shown!r} cannot be computed from these data: {type(problem).__name__}: {problem}"
        raise DataError(message) from problem
    return results[0] if len(parts) == 1 else np.column_stack(results)


@lru_cache(maxsize=256)
def _read(expr: str, known: frozenset[str]) -> Code:
    return read(expr, 0, len(expr), known=known, where="response")


def _column(name: str, columns: Mapping[str, Any]) -> Any:
    if name not in columns:
        near = difflib.get_close_matches(name, [str(other) for other in columns], n=3)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "check its spelling"
        raise DataError(f"the data have no column {name!r}; {hint}")
    return columns[name]


def _as_column(value: Any, columns: Mapping[str, Any]) -> NDArray[Any]:
    array = np.asarray(value)
    if array.ndim == 0:
        n = len(next(iter(columns.values()))) if columns else 1
        return np.full(n, array)
    return array


class _Evaluation:
    """Walks one checked tree over one set of columns."""

    __slots__ = ("code", "columns", "functions")

    def __init__(self, code: Code, columns: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> None:
        self.code = code
        self.columns = columns
        self.functions = functions

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._name(node)
            case ast.BinOp():
                return _BINARY[type(node.op)](self.value(node.left), self.value(node.right))
            case ast.UnaryOp():
                return _UNARY[type(node.op)](self.value(node.operand))
            case ast.Compare():
                return _COMPARE[type(node.ops[0])](self.value(node.left), self.value(node.comparators[0]))
            case ast.Call():
                return self._call(node)
            case ast.List() | ast.Tuple():
                return [self.value(item) for item in node.elts]
            case ast.Dict():
                keys = (self.value(key) for key in node.keys if key is not None)
                return dict(zip(keys, map(self.value, node.values), strict=True))
        raise AssertionError(f"unchecked node {type(node).__name__}")

    def _name(self, node: ast.Name) -> Any:
        symbol = self.code.symbols[placeholder(node)]
        if symbol.kind == "constant":
            return allowed.CONSTANTS[symbol.value]
        if symbol.kind == "string":
            return symbol.value
        array = np.asarray(_column(symbol.value, self.columns))
        # uint8 wraps around, booleans cannot be subtracted, integers have no negative powers
        return array.astype(np.float64) if array.dtype.kind in "biu" else array

    def _call(self, node: ast.Call) -> Any:
        name = self.code.symbols[placeholder(node.func)].value
        if name in allowed.CONVERSIONS:
            return self._converted(node.args[0], whole=name == "as.integer")
        arguments = [self.value(argument) for argument in node.args]
        if name == "I" and name not in self.functions:
            return arguments[0]
        keywords = {argument.arg: self.value(argument.value) for argument in node.keywords if argument.arg}
        if name not in self.functions:
            bare = allowed.bare_name(name)
            return getattr(np, bare)(*arguments, **keywords)
        return self.functions[name](*arguments, **keywords)

    def _converted(self, node: ast.expr, *, whole: bool) -> Any:
        symbol = self.code.symbols[placeholder(node)] if isinstance(node, ast.Name) else None
        column = _column(symbol.value, self.columns) if symbol is not None and symbol.kind == "column" else None
        codes = None if column is None else _codes(column)
        if codes is not None:
            return np.where(codes < 0, np.nan, codes + 1.0)
        values = np.asarray(self.value(node), dtype=np.float64)
        return np.trunc(values) if whole else values


def _codes(column: Any) -> NDArray[Any] | None:
    """Positions of the values of a categorical or text column among its levels, -1 where missing; None for numbers."""
    codes = getattr(getattr(column, "cat", column), "codes", None)
    if codes is not None:
        return np.asarray(codes)
    values = np.asarray(column)
    if values.dtype.kind not in "OSU":
        return None
    present = np.array([isinstance(value, str) for value in values], dtype=bool)
    out = np.full(len(values), -1)
    out[present] = np.unique(values[present].astype(str), return_inverse=True)[1]
    return out
