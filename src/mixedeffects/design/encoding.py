"""Expressions -> columns through formulaic, reading our columns instead of a data frame."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from formulaic import Formula as FormulaicFormula
from formulaic import ModelSpec
from formulaic.errors import FormulaicError
from formulaic.materializers import PandasMaterializer
from formulaic.materializers.types import FactorValues
from formulaic.transforms.contrasts import Contrasts, PolyContrasts, TreatmentContrasts
from interface_meta import override

from mixedeffects.design.coding import categorical, resolve
from mixedeffects.errors import DataError, FormulaError, MixedEffectsError
from mixedeffects.formula import formulaic_context
from mixedeffects.frame import Column, Factor, encode
from mixedeffects.frame.source import read_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.frame.raw import RawColumn

Functions = Mapping[str, Callable[..., Any]]


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


class _Operands(Mapping[str, Any]):
    """Columns as formulaic's expressions see them: float64 or boolean arrays and pandas categoricals, made on demand."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = columns
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _operand(self.columns[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def origin(self, operand: Any) -> str | None:
        """The name of the column that an operand was made from."""
        return next((name for name, made in self._made.items() if made is operand), None)


def _operand(column: Column) -> Any:
    if isinstance(column, Factor):
        return pd.Categorical.from_codes(column.codes, categories=pd.Index(column.values), ordered=column.ordered)
    if column.dtype.kind == "b":
        return column
    return column.astype(np.float64, copy=False)


class _Materializer(PandasMaterializer):  # type: ignore[misc]
    """formulaic's algorithm for terms and their rank, without its copies: columns go straight into one array."""

    REGISTER_INPUTS: Sequence[str] = ()

    def __init__(
        self,
        columns: Mapping[str, Column],
        n_rows: int,
        functions: Functions,
        contrasts: Mapping[str, Contrasts],
        as_factors: frozenset[str],
    ) -> None:
        self._n_rows = n_rows
        self._contrasts = contrasts
        self._as_factors = as_factors
        context = formulaic_context(functions)
        context.setdefault("C", self._mark_categorical)
        super().__init__(_Operands(columns), context=context)

    @override
    def _init(self) -> None:
        pass

    @override
    @property
    def nrows(self) -> int:
        return self._n_rows

    @override
    def _lookup(self, name: str) -> tuple[Any, Any]:
        column = self.data.columns.get(name)
        if isinstance(column, Factor) or (
            column is not None and (column.dtype.kind == "b" or name in self._as_factors)
        ):
            _, variables = super()._lookup(name)
            factor = _as_factor(name, column)
            return categorical(name, factor, self._coding(name, factor)), variables
        return super()._lookup(name)

    def _coding(self, name: str | None, factor: Factor) -> Contrasts:
        if name is not None and name in self._contrasts:
            return self._contrasts[name]
        return PolyContrasts() if factor.ordered else TreatmentContrasts()

    def _mark_categorical(self, data: Any, contrasts: Any = None, *, levels: Sequence[Any] | None = None) -> Any:
        """Take the place of formulaic's ``C``: the same arguments, with the contrasts asked for by column."""
        if isinstance(data, FactorValues):
            data = data.__wrapped__
        origin = self.data.origin(data)
        name = origin or "C"
        factor = _as_factor(name, self.data.columns[origin] if origin else data)
        if levels is not None:
            factor = _with_levels(factor, list(levels))
        coding = self._coding(origin, factor) if contrasts is None else resolve({name: contrasts})[name]
        return categorical(name, factor, coding)

    @override
    def _encode_constant(self, value: Any, metadata: Any, encoder_state: Any, spec: Any, drop_rows: Any) -> Any:
        return np.float64(value)

    @override
    def _get_columns_for_term(self, factors: list[dict[str, Any]], spec: Any, scale: float = 1) -> dict[str, Any]:
        if len(factors) == 1 and scale == 1:
            return factors[0]
        columns = {}
        for reversed_product in itertools.product(*(factor.items() for factor in reversed(factors))):
            product = reversed_product[::-1]
            values = reduce(np.multiply, (np.asarray(values, dtype=np.float64) for _, values in product))
            columns[":".join(name for name, _ in product)] = values if scale == 1 else scale * values
        return columns

    @override
    def _combine_columns(self, cols: Sequence[tuple[str, Any]], spec: Any, drop_rows: Any) -> NDArray[np.float64]:
        X = np.empty((self._n_rows, len(cols)), order="F")
        for j, (_, values) in enumerate(cols):
            X[:, j] = values
        return X


def _as_factor(name: str, column: Any) -> Factor:
    if isinstance(column, Factor):
        return column
    raw: RawColumn = read_array(name, np.asarray(column) if not isinstance(column, pd.Categorical) else column)
    return encode(raw)


def _with_levels(factor: Factor, levels: list[Any]) -> Factor:
    position = {level: code for code, level in enumerate(levels)}
    missing = [repr(level) for level in factor.values.tolist() if level not in position]
    if missing:
        raise DataError(f"C({factor.name}, levels=...) leaves out {', '.join(missing[:5])}, which occurs in the data")
    table = np.array([position[level] for level in factor.values.tolist()], dtype=np.int32)
    return Factor(
        name=factor.name, codes=table[factor.codes], levels=np.array(levels, dtype=object), ordered=factor.ordered
    )


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
    try:
        parsed = _parsed(expr)
    except FormulaicError as error:
        raise FormulaError(f"{expr!r} cannot be read: {error}") from error
    spec = ModelSpec(formula=parsed, na_action="ignore", output="numpy")
    matrix = _materialize(expr, spec, columns, n_rows, functions or {}, contrasts or {}, frozenset())
    fitted: ModelSpec = matrix.model_spec
    assign = []
    start = 0
    names: list[str] = []
    for term, _, term_columns in fitted.structure:
        assign.append((str(term), slice(start, start + len(term_columns))))
        names.extend(term_columns)
        start += len(term_columns)
    encoding = Encoding(expr=expr, names=tuple(names), assign=tuple(assign), spec=fitted, functions=functions or {})
    return matrix.__wrapped__, encoding


def _materialize(
    expr: str,
    spec: ModelSpec,
    columns: Mapping[str, Column],
    n_rows: int,
    functions: Functions,
    contrasts: Mapping[str, Contrasts],
    as_factors: frozenset[str],
) -> Any:
    materializer = _Materializer(columns, n_rows, functions, contrasts, as_factors)
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
        raise DataError(f"{expr!r} cannot be computed from the data: {error}") from error


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
    as_factors = frozenset(name for name, (kind, _) in spec.encoder_state.items() if kind.value == "categorical")
    return _materialize(encoding.expr, spec, columns, n_rows, encoding.functions, {}, as_factors).__wrapped__
