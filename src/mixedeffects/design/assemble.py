"""Formula and data -> Design: the second step of a fit, callable by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mixedeffects.design.coding import resolve
from mixedeffects.design.complete import incomplete_arguments, incomplete_columns, incomplete_terms
from mixedeffects.design.encoding import Encoding, encode_columns
from mixedeffects.design.random import RandomBlock, check_grouping, random_blocks
from mixedeffects.design.rank import estimable
from mixedeffects.design.sparse import ZLabels, z_labels, z_matrix
from mixedeffects.errors import DataError, FormulaError, RankDeficiencyWarning
from mixedeffects.formula import Formula, bare, term_columns
from mixedeffects.frame import Factor, model_frame, parse_for, warn

if TYPE_CHECKING:
    import scipy.sparse as sp
    from formulaic.transforms.contrasts import Contrasts
    from numpy.typing import NDArray

    from mixedeffects.design.materializer import Functions
    from mixedeffects.frame import Column, ModelFrame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """The data of a mixed model as arrays; read-only.

    Attributes
    ----------
    formula : Formula
        The parsed formula.
    y : ndarray (n,)
        Response.
    weights, offset : ndarray (n,) or None
        Prior weights, all positive; sum of the offsets.
    X : ndarray (n, p), Fortran order
        Fixed-effects columns that can be estimated.
    names : tuple of str, (p_full,)
        All fixed-effects columns.
    kept : ndarray of bool, (p_full,)
        Which of them `X` holds.
    encoding : Encoding
        For computing all fixed-effects columns from new data.
    terms : tuple of RandomBlock
        By decreasing number of levels, ties as written: the order of theta.
    contrasts : dict
        The contrasts asked for, by column.
    kept_rows : ndarray of int64 (n,) or None
        Positions of the rows in the caller's data; None if no row was dropped.
    n_missing, n_zero_weight : int
        Rows that were dropped for missing values, and for a weight of zero.
    data_kind : {"pandas", "polars", "pyarrow", "dict"}
        The library of the data.
    data_name : str or None
        The name of the data set.
    units : mapping of str to str
        Units by column, where the data tell them.
    weights_name, offset_name : str or None
        The columns that the arguments `weights` and `offset` named; None for arrays.
    columns : dict of str to ndarray or Factor
        The columns that the formula names, over the rows used; none shares memory with the caller's data.
    """

    formula: Formula
    y: NDArray[np.float64]
    weights: NDArray[np.float64] | None
    offset: NDArray[np.float64] | None
    X: NDArray[np.float64]
    names: tuple[str, ...]
    kept: NDArray[np.bool_]
    encoding: Encoding
    terms: tuple[RandomBlock, ...]
    contrasts: Mapping[str, Contrasts]
    kept_rows: NDArray[np.int64] | None
    n_missing: int
    n_zero_weight: int
    data_kind: str
    data_name: str | None
    weights_name: str | None
    offset_name: str | None
    columns: Mapping[str, Column]
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the arrays read-only, so that a fit cannot be changed through them."""
        arrays = [self.y, self.weights, self.offset, self.X, self.kept, self.kept_rows, *self.columns.values()]
        arrays += [column for term in self.terms for column in term.columns]
        for array in arrays:
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    def __repr__(self) -> str:
        size = f"{self.nobs} rows, X {self.X.shape[1]} columns, {self.n_effects} random effects"
        return f"Design({self.formula.text!r}, {size})"

    @property
    def nobs(self) -> int:
        """Number of rows n."""
        return len(self.y)

    @property
    def row_weights(self) -> NDArray[np.float64]:
        """Weights of all rows, (n,): 1 where none were given."""
        return np.ones(self.nobs) if self.weights is None else self.weights

    @property
    def n_rows_given(self) -> int:
        """Number of rows of the caller's data."""
        return self.nobs + self.n_missing + self.n_zero_weight

    def source_columns(self) -> dict[str, Any]:
        """The columns that the formula names as plain values, over the rows used: arrays, and pandas categoricals."""
        return {
            name: column.categorical() if isinstance(column, Factor) else column
            for name, column in self.columns.items()
        }

    @property
    def rows(self) -> NDArray[np.int64]:
        """Positions of the rows in the caller's data, (n,)."""
        return np.arange(self.nobs) if self.kept_rows is None else self.kept_rows

    @property
    def assign(self) -> tuple[tuple[str, slice], ...]:
        """Each term of the fixed part with its slice of `names`."""
        return self.encoding.assign

    @property
    def kept_names(self) -> tuple[str, ...]:
        """Names of the columns of `X`."""
        return tuple(name for name, kept in zip(self.names, self.kept, strict=True) if kept)

    @property
    def factors(self) -> dict[str, Factor]:
        """The grouping factors by name, in the order of the terms."""
        return {block.group: block.factor for block in self.terms}

    @property
    def n_effects(self) -> int:
        """Number of random effects q."""
        return sum(block.n_effects for block in self.terms)

    @property
    def Z(self) -> sp.csc_array:
        """Random-effects matrix, (n, q): ordered by term, level, column, as in lme4. Built at every call."""
        return z_matrix(self.terms, self.nobs)

    def Z_by_column(self) -> sp.csc_array:
        """Z ordered by term, column, level: all intercepts, then all slopes."""
        return z_matrix(self.terms, self.nobs, by_column=True)

    def Z_labels(self, *, by_column: bool = False) -> ZLabels:
        """Name the term, level and column that each column of `Z` (or of `Z_by_column`) stands for."""
        return z_labels(self.terms, by_column=by_column)


def design(
    formula: str | Formula,
    data: Any,
    *,
    weights: str | Any | None = None,
    offset: str | Any | None = None,
    contrasts: Mapping[str, Any] | None = None,
    missing: str = "drop",
    functions: Functions | None = None,
    allow_observation_level: bool = False,
    allow_constant: bool = False,
    successes: bool = False,
) -> Design:
    """Compute the matrices of a mixed model without fitting it.

    Parameters
    ----------
    formula : str or Formula
        Such as ``"y ~ x + (1 + x | g)"``.
    data : data frame or dict of columns
        pandas, polars, pyarrow, or a dict; never changed.
    weights, offset : str or array-like (n,), optional
        A column name, or values in the order of the rows.
    contrasts : mapping of str to str or array-like, optional
        Column of the fixed part -> ``"treatment"`` (default), ``"sum"``, ``"helmert"``, ``"poly"`` or a matrix.
    missing : {"drop", "raise"}
        What to do about rows with missing values.
    functions : mapping of str to callable, optional
        Functions that the formula may call.
    allow_observation_level : bool
        Allow as many random effects as observations, for models without a residual variance.
    allow_constant : bool
        Allow a constant response and any numbers of levels and random effects, for data that are described, not
        fitted.
    successes : bool
        The response counts successes: two categories, a proportion, or ``cbind(successes, failures)``.

    Returns
    -------
    Design
        Frozen.

    Raises
    ------
    FormulaError
        If the formula cannot be read or has no random-effects term.
    DataError
        If the data do not fit the formula.

    Warns
    -----
    DroppedRowsWarning
        If rows have missing values or a weight of zero.
    RankDeficiencyWarning
        If columns of X are determined by others.

    Examples
    --------
    >>> import mixedeffects as me
    >>> made = me.design("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
    >>> made.names, made.X.shape, made.Z.shape
    (('Intercept', 'Days'), (180, 2), (180, 36))
    """
    if isinstance(formula, str):
        formula = parse_for(formula, data, functions)
    if not formula.random:
        raise FormulaError(
            f"{formula.text!r} has no random-effects term such as (1 | group); for a model without one use ordinary "
            "regression"
        )
    coding, weights, offset = resolve(contrasts), bare(weights), bare(offset)
    frame = model_frame(
        formula,
        data,
        weights=weights,
        offset=offset,
        missing=missing,
        functions=functions,
        successes=successes,
        allow_constant=allow_constant,
    )
    if "Intercept" in frame.columns:
        raise DataError("a column named 'Intercept' would be taken for the constant; rename it")
    frame, matrices = _matrices(formula, frame, coding, functions, missing)
    if not allow_constant:
        check_grouping(matrices.terms, frame.n_rows, allow_observation_level=allow_observation_level)
    frame.report_dropped()
    _report_aliased(matrices.encoding.names, matrices.kept)
    return Design(
        formula=formula,
        y=frame.y,
        weights=frame.weights,
        offset=frame.offset,
        X=matrices.X,
        names=matrices.encoding.names,
        kept=matrices.kept,
        encoding=matrices.encoding,
        terms=matrices.terms,
        contrasts=coding,
        kept_rows=frame.kept,
        n_missing=frame.n_missing,
        n_zero_weight=frame.n_zero_weight,
        data_kind=frame.kind,
        data_name=frame.name,
        units=frame.units,
        weights_name=weights if isinstance(weights, str) else None,
        offset_name=offset if isinstance(offset, str) else None,
        columns=_own_columns(formula, frame, matrices),
    )


class _Matrices(NamedTuple):
    """X without aliased columns, which columns those are, its encoding, and the random-effects terms."""

    X: NDArray[np.float64]
    kept: NDArray[np.bool_]
    encoding: Encoding
    terms: tuple[RandomBlock, ...]

    @property
    def kept_names(self) -> tuple[str, ...]:
        return tuple(name for name, keep in zip(self.encoding.names, self.kept, strict=True) if keep)


def _matrices(
    formula: Formula,
    frame: ModelFrame,
    coding: Mapping[str, Contrasts],
    functions: Functions | None,
    missing: str,
) -> tuple[ModelFrame, _Matrices]:
    """Compute the matrices over the complete rows, and those rows."""
    # Contrasts of a column that the formula uses, but not in its fixed part, have no effect.
    elsewhere = set(formula.variables()).difference(term_columns(formula.fixed))
    fixed_coding = {name: coding[name] for name in coding if name not in elsewhere}
    while True:
        # Encodings that look at a whole column (poly, scale) must see the complete rows only, so a row that turns out
        # to be incomplete means that all is done anew.
        incomplete = incomplete_arguments(formula, frame, functions)
        if incomplete is None:
            X, encoding = encode_columns(
                formula.fixed, frame.columns, frame.n_rows, contrasts=fixed_coding, functions=functions
            )
            incomplete = incomplete_columns(X, encoding.names, frame)
        if incomplete is None:
            X, kept = _estimable_columns(X)
            found = _Matrices(X, kept, encoding, ())
            found = found._replace(terms=random_blocks(formula, frame, X, found.kept_names, functions))
            incomplete = incomplete_terms(found.terms, X, frame)
        if incomplete is None:
            return frame, found
        frame = frame.drop(*incomplete, missing=missing)


def _own_columns(formula: Formula, frame: ModelFrame, matrices: _Matrices) -> dict[str, Column]:
    """Take the columns of the frame from arrays that the design owns where it has them, else copy them."""
    shared = {formula.response.strip("`"): frame.y}
    shared |= {name: matrices.X[:, j] for j, name in enumerate(matrices.kept_names)}
    out: dict[str, Column] = {}
    for name, column in frame.columns.items():
        if not isinstance(column, Factor):
            column = shared[name] if name in shared else column.copy()
        out[name] = column
    return out | frame.factors


def _estimable_columns(X: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    kept = estimable(X)
    rank = int(kept.sum())
    if rank >= len(X):
        raise DataError(
            f"the fixed part has {rank} estimable columns for {len(X)} rows, which leaves nothing to estimate a "
            "variance from; use fewer predictors, or a numeric one where many values are taken for categories"
        )
    return (X if rank == len(kept) else np.asfortranarray(X[:, kept])), kept


def _report_aliased(names: tuple[str, ...], kept: NDArray[np.bool_]) -> None:
    if kept.all():
        return
    dropped = [name for name, keep in zip(names, kept, strict=True) if not keep]
    several = len(dropped) > 1
    shown = ", ".join(dropped[:20]) + (f" and {len(dropped) - 20} more" if len(dropped) > 20 else "")
    warn(
        f"{len(dropped)} fixed-effects column{'s' if several else ''} dropped because earlier ones determine "
        f"{'them' if several else 'it'}: {shown}",
        RankDeficiencyWarning,
    )
