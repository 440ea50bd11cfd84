"""formulaic's algorithm for terms and their rank, reading our columns and writing one array."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from formulaic.materializers import PandasMaterializer
from formulaic.materializers.types import FactorValues
from formulaic.utils.stateful_transforms import stateful_transform
from formulaic.utils.variables import Variable
from interface_meta import override

from mixedeffects.design.coding import categorical, default_contrasts, fitted_codes, levels_of, resolve
from mixedeffects.errors import DataError
from mixedeffects.formula import column_of, formulaic_context
from mixedeffects.frame import Column, Factor, encode
from mixedeffects.frame.source import read_array

if TYPE_CHECKING:
    from formulaic.transforms.contrasts import Contrasts
    from numpy.typing import NDArray

Functions = Mapping[str, Callable[..., Any]]


class _Operands(Mapping[str, Any]):
    """Columns as expressions see them, made on demand: float64 or boolean arrays and pandas categoricals."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self.columns = columns
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        name = name if name in self.columns else column_of(name)
        if name not in self._made:
            self._made[name] = _operand(self.columns[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def clear(self) -> None:
        """Forget all columns."""
        self.columns = {}
        self._made.clear()

    def origin(self, operand: Any) -> str | None:
        """Return the name of the column that an operand was made from."""
        return next((name for name, made in self._made.items() if made is operand), None)


def _operand(column: Column) -> Any:
    if isinstance(column, Factor):
        return pd.Categorical.from_codes(column.codes, categories=pd.Index(column.values), ordered=column.ordered)
    if column.dtype.kind == "b":
        return column
    return column.astype(np.float64, copy=False)


class Materializer(PandasMaterializer):  # type: ignore[misc]
    """formulaic's algorithm for terms and their rank, without its copies: columns go straight into one array."""

    REGISTER_INPUTS: Sequence[str] = ()

    def __init__(
        self,
        columns: Mapping[str, Column],
        n_rows: int,
        functions: Functions,
        contrasts: Mapping[str, Contrasts],
        fitted_kinds: Mapping[str, str],
    ) -> None:
        self._n_rows = n_rows
        self._contrasts = contrasts
        self._fitted_kinds = fitted_kinds
        self.coded: set[str] = set()
        context = formulaic_context(functions)
        context.setdefault("C", self._mark_categorical)
        context["_as_numeric_"] = stateful_transform(self._as_numeric)
        context["_as_integer_"] = stateful_transform(self._as_integer)
        super().__init__(_Operands(columns), context=context)

    @override
    def _init(self) -> None:
        pass

    @override  # type: ignore[prop-decorator]
    @property
    def nrows(self) -> int:
        """Number of rows."""
        return self._n_rows

    def release(self) -> None:
        """Let go of the columns: formulaic's caches are part of a reference cycle, which may live for long."""
        self.factor_cache.clear()
        self.encoded_cache.clear()
        self.data.clear()

    @override
    def _lookup(self, name: str) -> tuple[Any, Any]:
        column = self.data.columns.get(name)
        kind = self._fitted_kinds.get(name)
        if kind == "numerical" and isinstance(column, Factor):
            raise DataError(f"{name!r} was numeric when the model was fitted and holds categories now")
        if isinstance(column, Factor):  # its operand, which costs as much as its columns, is not wanted here
            values = categorical(name, column, self._coding(name, column))
            return values, {Variable(name, roles=("value",), source="data")}
        values, variables = super()._lookup(name)
        boolean = isinstance(column, np.ndarray) and column.dtype.kind == "b" and kind is None
        if boolean or (kind == "categorical" and column is not None):
            factor = _as_factor(name, column)
            values = categorical(name, factor, self._coding(name, factor))
        return values, variables

    def _coding(self, name: str | None, factor: Factor) -> Contrasts:
        if name is not None:
            self.coded.add(name)
            if name in self._contrasts:
                return self._contrasts[name]
        return default_contrasts(factor)

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

    def _as_numeric(self, data: Any, _state: dict[str, Any]) -> NDArray[np.float64]:
        """R's ``as.numeric``: of a factor the positions of its levels from 1, in the levels of the fit on new data."""
        if isinstance(data, FactorValues):
            data = data.__wrapped__
        origin = self.data.origin(data)
        column = self.data.columns[origin] if origin else data
        levels = _state.setdefault("levels", levels_of(column) if isinstance(column, Factor) else None)
        if (levels is not None) != isinstance(column, Factor):
            before, now = ("numbers", "categories") if levels is None else ("categories", "numbers")
            subject = repr(origin) if origin else "the argument of as.numeric()"
            raise DataError(f"{subject} held {before} when the model was fitted and holds {now} now")
        if isinstance(column, Factor):
            return fitted_codes(column.name, column, _state["levels"]).astype(np.float64) + 1.0
        return np.asarray(column, dtype=np.float64)

    def _as_integer(self, data: Any, _state: dict[str, Any]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = np.trunc(self._as_numeric(data, _state))
        return values

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
    raw = read_array(name, np.asarray(column) if not isinstance(column, pd.Categorical) else column)
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
