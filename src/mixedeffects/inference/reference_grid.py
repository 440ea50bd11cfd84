"""The reference grid: all combinations of the levels of the factors, covariates at their means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.design import replay
from mixedeffects.errors import DataError
from mixedeffects.formula import bare, python_names, restored, term_columns
from mixedeffects.frame import Factor
from mixedeffects.inference.fixed_terms import fixed_terms

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
    """

    values: dict[str, NDArray[Any]]
    X: NDArray[np.float64]

    def averaged(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """Average over all predictors but the named ones, with equal weights.

        Returns
        -------
        ndarray (r, p_full)
            One row for each combination of the named predictors, the first of them running fastest.
        """
        predictors = list(self.values)
        sizes = [len(values) for values in self.values.values()]
        axes = [predictors.index(name) for name in names]
        rest = tuple(axis for axis in range(len(sizes)) if axis not in axes)
        # In the order of Fortran the first predictor runs fastest; the last axis is that of the coefficients.
        table = self.X.reshape(*sizes, -1, order="F").mean(axis=rest)
        left = [axis for axis in range(len(sizes)) if axis not in rest]
        table = np.transpose(table, [*(left.index(axis) for axis in axes), len(axes)])
        rows: NDArray[np.float64] = table.reshape(-1, self.X.shape[1], order="F")
        return rows


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
    A numeric column is a factor here if the formula makes it one, as ``C(dose)`` does.
    """
    predictors = _predictors(design)
    given = {bare(name): values for name, values in (at or {}).items()}
    for name in given:
        if name not in predictors:
            known = ", ".join(map(repr, predictors)) or "none"
            raise DataError(f"at: {name!r} is no predictor of the fixed part; those are {known}")
    factors = factor_columns(design)
    values = {
        name: chosen_values(name, column, given[name]) if name in given else _usual(column, name in factors)
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
        columns[name] = grid_column(name, column, chosen, codes)
        repeats *= len(chosen)
    return ReferenceGrid(values=values, X=replay(design.encoding, columns, m))


def _predictors(design: Design) -> dict[str, Column]:
    return {name: design.columns[name] for name in dict.fromkeys(term_columns(design.formula.fixed))}


def factor_columns(design: Design) -> set[str]:
    """Columns that stand in an expression whose values are categories."""
    spelled = python_names(design.encoding.expr)[1]
    out: set[str] = set()
    for expr in {name for term in fixed_terms(design) for name in term.categorical}:
        out.update([expr] if expr in design.columns else term_columns(restored(expr, spelled)))
    return out


def _usual(column: Column, is_factor: bool) -> NDArray[Any]:
    if isinstance(column, Factor):
        return column.values
    if is_factor or column.dtype.kind == "b":
        return np.unique(column)
    return np.array([np.mean(column, dtype=np.float64)])


def chosen_values(name: str, column: Column, value: Any) -> NDArray[Any]:
    """Check values of a predictor that the caller gave.

    Parameters
    ----------
    name : str
        The predictor.
    column : ndarray or Factor
        Its values in the data.
    value : value or sequence of values
        Levels, or finite numbers.

    Returns
    -------
    ndarray
        In the type of the column.

    Raises
    ------
    DataError
        For a level that it does not have, or what is no number.
    """
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


def grid_column(name: str, column: Column, chosen: NDArray[Any], codes: NDArray[np.intp]) -> Column:
    """A column of the kind of a predictor's, with the chosen value of each code.

    Parameters
    ----------
    name : str
        The predictor.
    column : ndarray or Factor
        Its values in the data.
    chosen : ndarray
        As `chosen_values` gives them.
    codes : ndarray of int (m,)
        Positions among them.
    """
    if not isinstance(column, Factor):
        return chosen[codes]
    levels = column.values.tolist()
    position = np.array([levels.index(item) for item in chosen.tolist()], dtype=np.int32)
    return Factor(name=name, codes=position[codes], levels=column.levels, ordered=column.ordered)
