"""Expressions -> columns, with what is needed to compute the same columns of other data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from formulaic import Formula as FormulaicFormula
from formulaic import ModelSpec
from formulaic.errors import FormulaicError

from mixedeffects.design.materializer import Functions, Materializer
from mixedeffects.errors import DataError, FormulaError, MixedEffectsError
from mixedeffects.formula import python_names, restored
from mixedeffects.frame import Column, Factor
from mixedeffects.frame.numbers_as_text import numbers_as_text

if TYPE_CHECKING:
    from formulaic.transforms.contrasts import Contrasts
    from numpy.typing import NDArray


_NAME = r"(?:[^\W\d][\w.]*|`[^`]+`)"
_PLAIN = re.compile(rf"\s*([01])\s*((?:\+\s*{_NAME}\s*)*)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoding:
    """How an expression became columns, for doing the same to new data.

    Attributes
    ----------
    expr : str
        The expression, in the fixed-effects grammar.
    names : tuple of str
        Names of the columns.
    assign : tuple of (str, slice)
        Term label and its columns, in order.
    spec : ModelSpec or None
        formulaic's specification; None where the names alone say it all (a constant and plain numeric columns).
    functions : mapping of str to callable
        The caller's functions.
    """

    expr: str
    names: tuple[str, ...]
    assign: tuple[tuple[str, slice], ...]
    spec: ModelSpec | None
    functions: Functions = field(default_factory=dict)


def plain_names(expr: str, columns: Mapping[str, Column]) -> tuple[str, ...] | None:
    """Column names of an expression that is a sum of a constant and numeric columns, else None."""
    match = _PLAIN.fullmatch(expr)
    if match is None:
        return None
    names = ["Intercept"] if match[1] == "1" else []
    for name in re.findall(_NAME, match[2]):
        column = columns.get(name.strip("`"))
        if not isinstance(column, np.ndarray) or column.dtype.kind not in "iuf":
            return None
        if name.strip("`") not in names:
            names.append(name.strip("`"))
    return tuple(names)


def plain_encoding(expr: str, names: tuple[str, ...], functions: Functions | None = None) -> Encoding:
    """The encoding of a constant and plain numeric columns; the functions are for other parts of the formula."""
    assign = tuple(("1" if name == "Intercept" else name, slice(j, j + 1)) for j, name in enumerate(names))
    return Encoding(expr=expr, names=names, assign=assign, spec=None, functions=functions or {})


@lru_cache(maxsize=256)
def _parsed(expr: str) -> Any:
    return FormulaicFormula(expr)


def encode_columns(
    expr: str,
    columns: Mapping[str, Column],
    n_rows: int,
    *,
    contrasts: Mapping[str, Contrasts] | None = None,
    functions: Functions | None = None,
) -> tuple[NDArray[np.float64], Encoding]:
    """Compute the columns of an expression.

    Parameters
    ----------
    expr : str
        Right-hand side in formulaic's grammar with the intercept explicit, already checked.
    columns : mapping of str to ndarray or Factor
        The data, complete rows only.
    n_rows : int
        Number of rows.
    contrasts : mapping of str to formulaic Contrasts, optional
        By column; others get treatment contrasts, ordered categories polynomials.
    functions : mapping of str to callable, optional
        The caller's functions.

    Returns
    -------
    X : ndarray, (n, k), Fortran order
        The columns.
    encoding : Encoding
        For `replay`.
    """
    plain = None if contrasts else plain_names(expr, columns)
    if plain is not None:  # as formulaic has it, without its cost
        X = np.empty((n_rows, len(plain)), order="F")
        for j, name in enumerate(plain):
            X[:, j] = 1.0 if name == "Intercept" else np.asarray(columns[name])
        return X, plain_encoding(expr, plain, functions)
    try:
        readable, spelled = python_names(expr)
        parsed = _parsed(readable)
    except FormulaicError as error:
        raise FormulaError(f"{expr!r} cannot be read: {error}") from error
    spec = ModelSpec(formula=parsed, na_action="ignore", output="numpy")
    materializer = Materializer(columns, n_rows, functions or {}, contrasts or {}, {})
    matrix = _run(materializer, expr, spec, columns)
    _check_contrasts(contrasts or {}, columns, materializer.coded)
    fitted: ModelSpec = matrix.model_spec
    assign = []
    start = 0
    names: list[str] = []
    for term, _, term_columns in fitted.structure:
        assign.append((restored(str(term), spelled), slice(start, start + len(term_columns))))
        names.extend(restored(name, spelled) for name in term_columns)
        start += len(term_columns)
    encoding = Encoding(expr=expr, names=tuple(names), assign=tuple(assign), spec=fitted, functions=functions or {})
    return matrix.__wrapped__, encoding


def _check_contrasts(contrasts: Mapping[str, Contrasts], columns: Mapping[str, Column], coded: set[str]) -> None:
    """Refuse contrasts of what is no category; those of a category that only random terms use have no effect."""
    for name in contrasts:
        column = columns.get(name)
        categorical = isinstance(column, Factor) or (column is not None and column.dtype.kind == "b")
        if name not in coded and not categorical:
            known = ", ".join(repr(other) for other in sorted(coded)) or "none"
            raise DataError(
                f"contrasts are given for {name!r}, which is no categorical column of the fixed part (those are: "
                f"{known}); a numeric column becomes one by C(...)"
            )


_EVALUATION = re.compile(r"Unable to evaluate factor `(?P<term>.*)`\. \[(?P<cause>.*)\]", re.DOTALL)


def _run(materializer: Materializer, expr: str, spec: ModelSpec, columns: Mapping[str, Column]) -> Any:
    """Let formulaic compute the matrix; its errors become ours."""
    try:
        # What is not finite is found in the result and reported by row.
        with np.errstate(all="ignore"):
            return materializer.get_model_matrix(spec)
    except MixedEffectsError:
        raise
    except Exception as error:
        own = _own_cause(error)
        if own is not None:
            raise own from None
        match = _EVALUATION.fullmatch(str(error))
        term, cause = (match["term"], match["cause"]) if match else (expr, str(error))
        term = restored(term, python_names(expr)[1])
        text = {n: column for n, column in columns.items() if isinstance(column, Factor) and n in term}
        hint = f"; {' and '.join(map(repr, text))} hold{'' if len(text) > 1 else 's'} categories" if text else ""
        looks = (numbers_as_text(column.values.tolist()) for column in text.values())
        hint += "".join(f"; {found}" for found in looks if found)
        raise DataError(f"{term!r} cannot be computed from the data ({cause}){hint}") from error
    finally:
        materializer.release()


def _own_cause(error: BaseException) -> MixedEffectsError | None:
    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, MixedEffectsError):
            return cause
        cause = cause.__cause__
    return None


def replay(encoding: Encoding, columns: Mapping[str, Column], n_rows: int) -> NDArray[np.float64]:
    """Compute the columns of a fitted expression for other data.

    Knots, centres, polynomials, levels and contrasts are those of the fit.

    Parameters
    ----------
    encoding : Encoding
        From `encode_columns`, or of a `RandomBlock`.
    columns : mapping of str to ndarray or Factor
        The new data, as `frame.read_columns` gives them, complete rows only.
    n_rows : int
        Number of rows of the new data.

    Returns
    -------
    ndarray, (n, k), Fortran order
        One column per name of the encoding.

    Raises
    ------
    DataError
        For a level that the fit does not know, or a column of another kind.
    """
    if encoding.spec is None:
        X = np.empty((n_rows, len(encoding.names)), order="F")
        for j, name in enumerate(encoding.names):
            if name == "Intercept":
                X[:, j] = 1.0
                continue
            column = columns[name.strip("`")]
            if isinstance(column, Factor):
                raise DataError(f"{name!r} was numeric when the model was fitted and holds categories now")
            X[:, j] = column
        return X
    spec = encoding.spec
    kinds = {name: kind.value for name, (kind, _) in spec.encoder_state.items()}
    materializer = Materializer(columns, n_rows, encoding.functions, {}, kinds)
    values: NDArray[np.float64] = _run(materializer, encoding.expr, spec, columns).__wrapped__
    return values
