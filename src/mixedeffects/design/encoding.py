"""Expressions -> columns, with what is needed to compute the same columns of other data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from formulaic import Formula as FormulaicFormula
from formulaic import ModelSpec
from formulaic.errors import FormulaicError

from mixedeffects.design.main_effects import MainEffect, main_effects
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
    source : ModelSpec or Levels or None
        What `spec` is, or is made of.
    functions : mapping of str to callable
        The caller's functions.
    """

    expr: str
    names: tuple[str, ...]
    assign: tuple[tuple[str, slice], ...]
    source: ModelSpec | Levels | None
    functions: Functions = field(default_factory=dict)

    @property
    def spec(self) -> ModelSpec | None:
        """The specification of formulaic; None where the names say it all (a constant and plain numeric columns)."""
        return self.source.spec if isinstance(self.source, Levels) else self.source


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """What formulaic has to know of main effects: their columns with every level once, and no other value.

    Attributes
    ----------
    expr : str
        The expression.
    columns : dict of str to ndarray or Factor
        Ones for numbers.
    contrasts : mapping of str to Contrasts
        By column.
    """

    expr: str
    columns: dict[str, Column]
    contrasts: Mapping[str, Contrasts]

    @cached_property
    def spec(self) -> ModelSpec:
        """The specification of formulaic, the same as of all the data."""
        n_rows = max(map(len, self.columns.values()), default=1)
        matrix, _ = _materialized(self.expr, self.columns, n_rows, self.contrasts, {})
        return matrix.model_spec


def _levels(
    expr: str, effects: Sequence[MainEffect], columns: Mapping[str, Column], contrasts: Mapping[str, Contrasts]
) -> Levels:
    labels = {effect.label for effect in effects}
    factors = {name: column for name, column in columns.items() if isinstance(column, Factor) and name in labels}
    n_rows = max((factor.n_levels for factor in factors.values()), default=1)
    table: dict[str, Column] = {
        name: np.ones(n_rows) for name, column in columns.items() if not isinstance(column, Factor)
    }
    for name, factor in factors.items():
        table[name] = replace(factor, codes=np.arange(n_rows, dtype=np.int32) % factor.n_levels)
    return Levels(expr=expr, columns=table, contrasts=contrasts)


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
    return Encoding(expr=expr, names=names, assign=assign, source=None, functions=functions or {})


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
    effects = None if spelled or functions else main_effects(parsed, columns, contrasts or {})
    if effects is not None:
        return _of_main_effects(effects, n_rows), _main_encoding(expr, effects, columns, contrasts or {})
    matrix, materializer = _materialized(expr, columns, n_rows, contrasts or {}, functions or {})
    _check_contrasts(contrasts or {}, columns, materializer.coded)
    fitted: ModelSpec = matrix.model_spec
    terms = [
        (restored(str(term), spelled), tuple(restored(name, spelled) for name in names))
        for term, _, names in fitted.structure
    ]
    return matrix.__wrapped__, _encoding(expr, terms, fitted, functions or {})


def _materialized(
    expr: str, columns: Mapping[str, Column], n_rows: int, contrasts: Mapping[str, Contrasts], functions: Functions
) -> tuple[Any, Materializer]:
    """The matrix of formulaic, and what made it."""
    parsed = _parsed(python_names(expr)[0])
    materializer = Materializer(columns, n_rows, functions, contrasts, {})
    spec = ModelSpec(formula=parsed, na_action="ignore", output="numpy")
    return _run(materializer, expr, spec, columns), materializer


def _encoding(
    expr: str, terms: Sequence[tuple[str, tuple[str, ...]]], source: ModelSpec | Levels, functions: Functions
) -> Encoding:
    ends = np.cumsum([len(names) for _, names in terms]).tolist()
    assign = tuple((label, slice(end - len(names), end)) for (label, names), end in zip(terms, ends, strict=True))
    names = tuple(name for _, names in terms for name in names)
    return Encoding(expr=expr, names=names, assign=assign, source=source, functions=functions)


def _of_main_effects(effects: Sequence[MainEffect], n_rows: int) -> NDArray[np.float64]:
    columns = [values for effect in effects for values in effect.values]
    X = np.empty((n_rows, len(columns)), order="F")
    for j, values in enumerate(columns):
        X[:, j] = values
    return X


def _main_encoding(
    expr: str, effects: Sequence[MainEffect], columns: Mapping[str, Column], contrasts: Mapping[str, Contrasts]
) -> Encoding:
    terms = [(effect.label, effect.names) for effect in effects]
    return _encoding(expr, terms, _levels(expr, effects, columns, contrasts), {})


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
