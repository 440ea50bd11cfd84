"""Rows in which an expression has no value although every column it reads has one, such as the log of -1."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import DataError, FormulaError
from mixedeffects.formula import Formula, evaluate, python_names, restored
from mixedeffects.formula.functions import STATEFUL
from mixedeffects.formula.tokens import tokenize
from mixedeffects.frame.model_frame import numeric_operand

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design.materializer import Functions
    from mixedeffects.design.random import RandomBlock
    from mixedeffects.frame import ModelFrame


def incomplete_arguments(
    formula: Formula, frame: ModelFrame, functions: Functions | None
) -> tuple[NDArray[np.bool_], str] | None:
    """Find rows that would spoil a whole column: those in which the argument of ``scale(log(x))`` has no value.

    Parameters
    ----------
    formula : Formula
        The parsed formula.
    frame : ModelFrame
        Complete rows so far.
    functions : mapping of str to callable, optional
        The caller's functions.

    Returns
    -------
    (ndarray of bool (n,), str) or None
        The rows, and the expression that is missing there.
    """
    for text in (formula.fixed, *(term.expr for term in formula.random)):
        for argument in _computed_arguments(text):
            operands = {name: numeric_operand(column) for name, column in frame.columns.items()}
            try:
                with np.errstate(all="ignore"):
                    values = evaluate(argument, operands, functions)
            except (DataError, FormulaError):
                continue  # a transform inside a transform, or text: formulaic says what is wrong with it
            if values.shape == (frame.n_rows,):
                found = _incomplete(values.astype(np.float64), argument, frame)
                if found is not None:
                    return found
    return None


def _computed_arguments(text: str) -> Iterator[str]:
    """First arguments of the transforms that look at a whole column, where they are more than a name."""
    if not any(f"{name}(" in text.replace(" ", "") for name in STATEFUL):
        return
    readable, spelled = python_names(text)
    for token in tokenize(readable):
        if token.kind != "call":
            continue
        try:
            tree = ast.parse(token.text, mode="eval")
        except SyntaxError:  # a name in backticks
            continue
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
        for call in calls:
            computed = call.args and not isinstance(call.args[0], ast.Name | ast.Constant)
            if computed and call.func.id in STATEFUL:  # type: ignore[attr-defined]
                yield restored(ast.unparse(call.args[0]), spelled)


def incomplete_columns(
    X: NDArray[np.float64], names: tuple[str, ...], frame: ModelFrame
) -> tuple[NDArray[np.bool_], str] | None:
    """Find the rows in which a column of X is not a number, with its name."""
    for j, name in enumerate(names):
        found = _incomplete(X[:, j], name, frame)
        if found is not None:
            return found
    return None


def _incomplete(column: NDArray[np.float64], name: str, frame: ModelFrame) -> tuple[NDArray[np.bool_], str] | None:
    with np.errstate(all="ignore"):
        if np.isfinite(column.sum()):
            return None
    infinite = np.flatnonzero(np.isinf(column))
    if len(infinite):
        at = int(infinite[0])
        raise DataError(
            f"{name!r} has the value {column[at]} in row {frame.row(at)}; change the expression or drop the row"
        )
    missing = np.isnan(column)
    return (missing, name) if missing.any() else None


def incomplete_terms(
    terms: tuple[RandomBlock, ...], X: NDArray[np.float64], frame: ModelFrame
) -> tuple[NDArray[np.bool_], str] | None:
    """Find the rows in which a column of a random-effects term is not a number, with its name."""
    for block in terms:
        for name, column in zip(block.names, block.columns, strict=True):
            if column.strides == (0,) or column.base is X:
                continue
            found = _incomplete(column, name, frame)
            if found is not None:
                return found
    return None
