"""The reference grid: all combinations of the levels of the factors, covariates at their means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.design import replay
from mixedeffects.errors import DataError
from mixedeffects.formula import evaluate, python_names, restored, term_columns
from mixedeffects.frame import Factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.frame import Column

_LARGEST = 20_000_000  # values in the matrix of the grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReferenceGrid:
    """Combinations of predictor values, and the coefficients that predict there.

    Attributes
    ----------
    values : dict of str to ndarray
        For each predictor its values, in their own type.
    X : ndarray (m, p_full)
        Rows of the fixed-effects matrix, aliased columns included; the first predictor runs fastest.
    offset : ndarray (m,)
        Offset of each row.
    """

    values: dict[str, NDArray[Any]]
    X: NDArray[np.float64]
    offset: NDArray[np.float64]

    def averaged(self, names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Average over all predictors but the named ones, with equal weights.

        Returns
        -------
        X : ndarray (r, p_full)
            One row for each combination of the named predictors, the first of them running fastest.
        offset : ndarray (r,)
        """
        predictors = list(self.values)
        sizes = [len(values) for values in self.values.values()]
        axes = [predictors.index(name) for name in names]
        rest = tuple(axis for axis in range(len(sizes)) if axis not in axes)
        both = np.column_stack([self.X, self.offset]).reshape(*sizes, -1, order="F")
        # The last axis, of coefficients, ends up last; the first predictor runs fastest in the order of Fortran.
        table = both.mean(axis=rest) if rest else both
        left = [axis for axis in range(len(sizes)) if axis not in rest]
        table = np.transpose(table, [*(left.index(axis) for axis in axes), len(axes)])
        rows = table.reshape(-1, both.shape[-1], order="F")
        return rows[:, :-1], rows[:, -1]


def reference_grid(design: Design, at: Mapping[str, Any] | None = None) -> ReferenceGrid:
    """Build the grid of a model.

    Parameters
    ----------
    design : Design
        The design of a fit.
    at : mapping of str to value or sequence of values, optional
        Values of predictors, in place of all levels or of the mean.

    Raises
    ------
    DataError
        For a name that is no predictor, or a level that the model was not fitted with.

    Notes
    -----
    A numeric column is a factor here if the formula makes it one, as ``C(dose)`` does. An offset in the formula is
    computed at the values of the grid; one that was given as an argument is taken at its mean.
    """
    predictors = _predictors(design)
    given = dict(at or {})
    for name in given:
        if name not in predictors:
            known = ", ".join(map(repr, predictors)) or "none"
            raise DataError(f"at: {name!r} is no predictor of the fixed part; those are {known}")
    factors = _factor_columns(design)
    values = {
        name: _chosen(name, column, given[name]) if name in given else _usual(column, name in factors)
        for name, column in predictors.items()
    }
    m = math.prod(len(chosen) for chosen in values.values())
    if m * len(design.names) > _LARGEST:
        sizes = ", ".join(f"{name} ({len(chosen)})" for name, chosen in values.items() if len(chosen) > 1)
        raise DataError(f"the reference grid would have {m} rows, from {sizes}; fix some of them by at={{...}}")
    columns: dict[str, Column] = {}
    repeats = 1
    for name, column in predictors.items():
        chosen = values[name]
        codes = np.tile(np.repeat(np.arange(len(chosen)), repeats), m // (repeats * len(chosen)))
        columns[name] = _column(name, column, chosen, codes)
        repeats *= len(chosen)
    return ReferenceGrid(values=values, X=replay(design.encoding, columns, m), offset=_offset(design, columns, m))


def _predictors(design: Design) -> dict[str, Column]:
    used = [*term_columns(design.formula.fixed)]
    for offset in design.formula.offsets:
        used.extend(term_columns(f"{{{offset}}}"))
    return {name: design.columns[name] for name in dict.fromkeys(used) if name in design.columns}


def _factor_columns(design: Design) -> set[str]:
    """Columns that stand in an expression whose values are categories."""
    spec = design.encoding.spec
    assert spec is not None  # the fixed part always has one
    spelled = python_names(design.encoding.expr)[1]
    out: set[str] = set()
    for expr, (kind, _) in spec.encoder_state.items():
        if kind.value == "categorical":
            out.update([expr] if expr in design.columns else term_columns(restored(expr, spelled)))
    return out


def _usual(column: Column, is_factor: bool) -> NDArray[Any]:
    if isinstance(column, Factor):
        return column.values
    if is_factor or column.dtype.kind == "b":
        return np.unique(column)
    return np.array([np.mean(column, dtype=np.float64)])


def _chosen(name: str, column: Column, value: Any) -> NDArray[Any]:
    one = isinstance(value, str) or not isinstance(value, Iterable)
    wanted = [value] if one else list(value)
    if not wanted:
        raise DataError(f"at: {name!r} has no values")
    if isinstance(column, Factor):
        levels = column.values.tolist()
        unknown = [item for item in wanted if item not in levels]
        if unknown:
            shown = ", ".join(map(repr, levels[:10])) + (" ..." if levels[10:] else "")
            raise DataError(f"at: {unknown[0]!r} is no level of {name!r}; those are {shown}")
        return column.values[[levels.index(item) for item in wanted]]
    try:
        numbers = np.array(wanted, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise DataError(f"at: values of {name!r} must be finite numbers, not {value!r}")
    return numbers.astype(bool) if column.dtype.kind == "b" else numbers


def _column(name: str, column: Column, chosen: NDArray[Any], codes: NDArray[np.intp]) -> Column:
    if not isinstance(column, Factor):
        return chosen[codes]
    levels = column.values.tolist()
    position = np.array([levels.index(item) for item in chosen.tolist()], dtype=np.int32)
    return Factor(name=name, codes=position[codes], levels=column.levels, ordered=column.ordered)


def _offset(design: Design, columns: Mapping[str, Column], m: int) -> NDArray[np.float64]:
    """Offsets of the formula at the grid, and the mean of the one that was given as an argument."""
    out = np.zeros(m)
    if design.offset is None:
        return out
    argument = design.offset
    functions = design.encoding.functions
    for expr in design.formula.offsets:
        numbers = {name: column for name, column in design.columns.items() if not isinstance(column, Factor)}
        argument = argument - evaluate(expr, numbers, functions)
        grid = {name: column for name, column in columns.items() if not isinstance(column, Factor)}
        out = out + evaluate(expr, grid, functions)
    return out + float(np.mean(argument))
