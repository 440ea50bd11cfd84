"""Contrast matrices of categorical predictors, with R's values and formulaic's names."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from formulaic.materializers.types import FactorValues
from formulaic.transforms.contrasts import (
    Contrasts,
    CustomContrasts,
    HelmertContrasts,
    PolyContrasts,
    SumContrasts,
    TreatmentContrasts,
)
from interface_meta import override

from mixedeffects.errors import DataError
from mixedeffects.formula import bare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.frame import Factor

NAMED: dict[str, type[Contrasts]] = {
    "treatment": TreatmentContrasts,
    "sum": SumContrasts,
    "helmert": HelmertContrasts,
    "poly": PolyContrasts,
}


class MatrixContrasts(CustomContrasts):  # type: ignore[misc]
    """A contrast matrix of the caller's; without an intercept the levels get indicator columns, as in R."""

    @override
    def _get_coding_matrix(
        self, levels: Sequence[Hashable], reduced_rank: bool = True, sparse: bool = False
    ) -> NDArray[Any]:
        return np.asarray(self.contrasts) if reduced_rank else np.eye(len(levels))

    @override
    def get_coding_column_names(self, levels: Sequence[Hashable], reduced_rank: bool = True) -> Sequence[Hashable]:
        """Return numbers as names, or the levels."""
        return list(range(1, self.contrasts.shape[1] + 1)) if reduced_rank else list(levels)

    @override
    def get_spans_intercept(self, levels: Sequence[Hashable], reduced_rank: bool = True) -> bool:
        """Tell whether the columns add up to a constant."""
        return not reduced_rank

    @override
    def get_drop_field(self, levels: Sequence[Hashable], reduced_rank: bool = True) -> Hashable:
        """Name the column that may go when the rank is to be reduced."""
        return None if reduced_rank else levels[0]


def resolve(contrasts: Mapping[str, Any] | None) -> dict[str, Contrasts]:
    """Turn the caller's contrasts into formulaic's objects.

    Parameters
    ----------
    contrasts : mapping of str to str or array-like, optional
        Column -> ``"treatment"``, ``"sum"``, ``"helmert"``, ``"poly"`` or a (levels, levels - 1) matrix.

    Raises
    ------
    DataError
        For an unknown name or a value that is no matrix of full rank.
    """
    return {bare(column): _resolve_one(column, value) for column, value in (contrasts or {}).items()}


def _resolve_one(column: str, value: Any) -> Contrasts:
    if isinstance(value, Contrasts):
        return value
    if isinstance(value, type) and issubclass(value, Contrasts):
        return value()
    if isinstance(value, str):
        if value not in NAMED:
            raise DataError(
                f"contrasts for {column!r}: {value!r} is not known; it is one of {', '.join(map(repr, NAMED))} "
                "or a matrix (levels, levels - 1)"
            )
        return NAMED[value]()
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise DataError(
            f"contrasts for {column!r} must be one of {', '.join(map(repr, NAMED))} or a matrix of finite numbers"
        )
    return MatrixContrasts(matrix)


def check_matrix(contrasts: Contrasts, name: str, n_levels: int) -> None:
    """Check the shape and rank of a caller's matrix once the number of levels is known."""
    if not isinstance(contrasts, CustomContrasts):
        return
    matrix = np.asarray(contrasts.contrasts)
    if matrix.shape != (n_levels, n_levels - 1):
        raise DataError(
            f"contrasts for {name!r}: the matrix has shape {matrix.shape}; with {n_levels} levels it must be "
            f"({n_levels}, {n_levels - 1})"
        )
    if np.linalg.matrix_rank(np.column_stack([np.ones(n_levels), matrix])) < n_levels:
        raise DataError(f"contrasts for {name!r}: the columns of the matrix and a constant are linearly dependent")


def categorical(name: str, factor: Factor, contrasts: Contrasts) -> FactorValues[Factor]:
    """Mark a factor as categorical for formulaic, with an encoder that works on codes.

    The encoder keeps levels and contrasts in formulaic's encoder state, so that new data are coded alike.
    """

    def encoder(
        values: Any, reduced_rank: bool, drop_rows: list[int], encoder_state: dict[str, Any], model_spec: Any
    ) -> FactorValues[dict[Hashable, NDArray[np.float64]]]:
        if "levels" in encoder_state:
            codes = fitted_codes(name, factor, encoder_state["levels"])
        else:
            encoder_state["levels"] = levels_to_code(name, factor, contrasts)
            encoder_state["contrasts"] = contrasts
            codes = factor.codes
        return coded_columns(codes, encoder_state["levels"], encoder_state["contrasts"], reduced_rank=reduced_rank)

    return FactorValues(factor, kind="categorical", spans_intercept=True, encoder=encoder)


def levels_of(factor: Factor) -> list[Hashable]:
    """Levels as they stand in names: in their own type, times as text."""
    levels: list[Hashable] = (factor.labels if factor.values.dtype.kind in "Mm" else factor.values).tolist()
    return levels


def default_contrasts(factor: Factor) -> Contrasts:
    """Treatment contrasts, and polynomials of ordered categories."""
    return PolyContrasts() if factor.ordered else TreatmentContrasts()


def levels_to_code(name: str, factor: Factor, contrasts: Contrasts) -> list[Hashable]:
    """The levels of a categorical predictor, once they are seen to be enough and to fit the contrasts."""
    if factor.n_levels < 2:
        level = factor.labels[0] if factor.n_levels else "none"
        raise DataError(f"{name!r} has one level only ({level!r}); a categorical predictor needs two or more")
    check_matrix(contrasts, name, factor.n_levels)
    return levels_of(factor)


def coded_columns(
    codes: NDArray[np.int32], levels: list[Hashable], contrasts: Contrasts, *, reduced_rank: bool
) -> FactorValues[dict[Hashable, NDArray[np.float64]]]:
    """Columns by field, each (n,), with the format of their names in the metadata."""
    # The public method wraps the same numbers in a data frame, which costs more than all else here.
    matrix = np.asarray(contrasts._get_coding_matrix(levels, reduced_rank=reduced_rank), dtype=np.float64)
    names = tuple(contrasts.get_coding_column_names(levels, reduced_rank=reduced_rank))
    columns = {field: np.ascontiguousarray(matrix[:, j]).take(codes) for j, field in enumerate(names)}
    return FactorValues(
        columns,
        kind="categorical",
        column_names=names,
        spans_intercept=contrasts.get_spans_intercept(levels, reduced_rank=reduced_rank),
        drop_field=contrasts.get_drop_field(levels, reduced_rank=reduced_rank),
        format=contrasts.get_factor_format(levels, reduced_rank=reduced_rank),
        format_reduced=contrasts.get_factor_format(levels, reduced_rank=True),
        encoded=True,
    )


def fitted_codes(name: str, factor: Factor, levels: list[Hashable]) -> NDArray[np.int32]:
    """Codes of new data in the levels of the fit."""
    position = {level: code for code, level in enumerate(levels)}
    table = np.array([position.get(level, -1) for level in levels_of(factor)], dtype=np.int32)
    if (table < 0).any():
        unknown = [repr(level) for level, code in zip(factor.labels, table, strict=True) if code < 0]
        known = ", ".join(repr(level) for level in levels[:10]) + (" ..." if len(levels) > 10 else "")
        raise DataError(
            f"{name!r} has levels that the model was not fitted with: {', '.join(unknown[:5])}; it knows {known}"
        )
    return table[factor.codes]
