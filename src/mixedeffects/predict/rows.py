"""New data, or the rows of a fit, as what predictions are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mixedeffects.design import replay
from mixedeffects.errors import DataError
from mixedeffects.formula import term_columns
from mixedeffects.formula.expressions import columns as expression_columns
from mixedeffects.frame import Factor, cross, encode, read_columns
from mixedeffects.frame.model_frame import take
from mixedeffects.frame.source import open_source
from mixedeffects.predict.estimable import warn_not_estimable
from mixedeffects.predict.extras import formula_offset, new_offset, new_weights
from mixedeffects.predict.groups import Group, matched
from mixedeffects.predict.missing import Missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.fit import LmmFit
    from mixedeffects.frame import Column
    from mixedeffects.frame.source import Source


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Needs:
    """What a computation reads of new data.

    Attributes
    ----------
    columns : tuple of bool
        For each random-effects term whether its columns are needed.
    groups : frozenset of str
        The grouping factors whose levels are needed.
    weights : bool
        Whether the variance of a new observation is needed.
    allow_new : bool
        Whether levels may be unknown.
    """

    columns: tuple[bool, ...]
    groups: frozenset[str]
    weights: bool
    allow_new: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Rows without missing values.

    Attributes
    ----------
    X : ndarray (n, p)
        The estimable fixed-effects columns.
    groups : dict of str to Group
        The grouping factors that are needed.
    columns : tuple of tuples of ndarray (n,)
        For each term its k columns; empty if they are not needed.
    offset, weights : ndarray (n,) or None
        Sum of the offsets; prior weights, None for 1.
    n_given : int
        Number of rows of the data.
    complete : ndarray of int64 (n,) or None
        Positions of these rows among the given ones; None for all.
    kind : {"pandas", "polars", "pyarrow", "dict"}
        The library of the data.
    """

    X: NDArray[np.float64]
    groups: Mapping[str, Group]
    columns: tuple[tuple[NDArray[np.float64], ...], ...]
    offset: NDArray[np.float64] | None
    weights: NDArray[np.float64] | None
    n_given: int
    complete: NDArray[np.int64] | None
    kind: str

    @property
    def n(self) -> int:
        """Number of rows without missing values."""
        return len(self.X)

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put values of these rows, on the first axis, into their places among the given ones; NaN elsewhere."""
        if self.complete is None:
            return values
        out = np.full((self.n_given, *values.shape[1:]), np.nan)
        out[self.complete] = values
        return out


def fitted_rows(fit: LmmFit) -> Rows:
    """The rows that a fit used; nothing is copied."""
    model = fit.model
    return Rows(
        X=model.X,
        groups={name: Group(codes=factor.codes, factor=factor) for name, factor in model.factors.items()},
        columns=tuple(term.columns for term in model.terms),
        offset=model.offset,
        weights=model.weights,
        n_given=model.nobs,
        complete=None,
        kind=model.data_kind,
    )


def new_rows(fit: LmmFit, data: Any, needs: Needs, *, weights: Any = None, offset: Any = None) -> Rows:
    """Read new data in the coding of a fit.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    data : data frame or dict of columns
        The response need not be there, nor a column that is not needed.
    needs : Needs
        What is read.
    weights, offset : str, array-like (n,) or number, optional
        Those of the new rows; by default the columns that the fit named.

    Returns
    -------
    Rows

    Raises
    ------
    DataError
        For a column that is missing or of another kind, an infinite value, or an unknown level.

    Warns
    -----
    DroppedRowsWarning
        For rows with missing values.
    RankDeficiencyWarning
        Where the aliased columns of a rank-deficient fit are not what they were in its data.
    """
    model, source = fit.model, open_source(data)
    predictors = _predictors(model, needs)
    columns, _ = read_columns(data, predictors)
    factors, missing = _read_groups(model, source, needs, columns)
    n = len(missing.lacking)
    argument = new_offset(model, source, n, offset)
    own = new_weights(fit, source, n, weights) if needs.weights else None
    for name, raw in source.read(predictors).items():
        missing.add(name, raw.missing)
    for name, values in (("offset", argument), ("weights", own)):
        if values is not None:
            missing.look_at(name, values, np.arange(n))

    at = missing.complete
    columns = {name: take(column, ~missing.lacking) for name, column in columns.items()}
    for name, column in columns.items():
        if isinstance(column, np.ndarray) and column.dtype.kind == "f":
            missing.look_at(name, column, at)
    found = _computed(model, columns, len(at), needs)
    for name, values in found.named(model):
        missing.look_at(name, values, at)
    inner, complete = ~missing.lacking[at], ~missing.lacking
    found = found.take(inner)
    warn_not_estimable(model, found.X)
    missing.report()
    return Rows(
        X=np.asfortranarray(found.X[:, model.kept]),
        groups=_matched(model, factors, complete, needs),
        columns=found.terms,
        offset=_sum(found.offset, None if argument is None else argument[complete]),
        weights=None if own is None else own[complete],
        n_given=n,
        complete=None if complete.all() else missing.complete,
        kind=source.kind,
    )


def _predictors(model: Design, needs: Needs) -> tuple[str, ...]:
    """The columns that expressions use, in the order of the formula."""
    names = [*term_columns(model.formula.fixed)]
    for term, needed in zip(model.terms, needs.columns, strict=True):
        names += term_columns(term.source.expr) if needed else ()
    for expr in model.formula.offsets:
        names += expression_columns(expr)
    return tuple(dict.fromkeys(names))


def _read_groups(
    model: Design, source: Source, needs: Needs, columns: Mapping[str, Column]
) -> tuple[dict[tuple[str, ...], list[Factor]], Missing]:
    """The parts of the grouping factors that are needed, over all rows, and where they are missing."""
    keys = {term.source.group for term in model.terms if term.group in needs.groups}
    names = tuple(dict.fromkeys(name for key in sorted(keys) for name in key))
    for name in names:
        if name not in source.names:
            raise DataError(
                f"there is no column {name!r} in the data, whose random effects are wanted; add it, or leave them out "
                'by random="population"'
            )
    raw = source.read(names)
    sizes = {name: len(column) for name, column in (*columns.items(), *raw.items())}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name!r} has {size}" for name, size in sizes.items())
        raise DataError(f"the columns differ in length: {shown} rows")
    lengths = [source.n_rows] if source.n_rows is not None else list(sizes.values())
    if not lengths:  # a dict of columns of which none is needed
        lengths = [len(column) for column in source.read(source.names[:1]).values()]
    missing = Missing(int(lengths[0] if lengths else 0))
    for name, column in raw.items():
        missing.add(name, column.missing)
    encoded = {name: encode(column) for name, column in raw.items()}
    return {key: [encoded[name] for name in key] for key in keys}, missing


def _matched(
    model: Design, factors: Mapping[tuple[str, ...], Sequence[Factor]], complete: NDArray[np.bool_], needs: Needs
) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    for term in model.terms:
        if term.group in needs.groups and term.group not in groups:
            new = cross(tuple(part.take(complete) for part in factors[term.source.group]))
            groups[term.group] = matched(term.factor, new, allow_new=needs.allow_new)
    return groups


class _Computed(NamedTuple):
    """The columns of the model over the rows without missing predictors."""

    X: NDArray[np.float64]
    terms: tuple[tuple[NDArray[np.float64], ...], ...]
    offset: NDArray[np.float64] | None

    def named(self, model: Design) -> list[tuple[str, NDArray[np.float64]]]:
        """Every column with its name."""
        out = [(name, self.X[:, j]) for j, name in enumerate(model.names)]
        for term, columns in zip(model.terms, self.terms, strict=True):
            out += zip(term.names, columns, strict=False)
        return out if self.offset is None else [*out, ("offset", self.offset)]

    def take(self, keep: NDArray[np.bool_]) -> _Computed:
        """The same over some of the rows."""
        if keep.all():
            return self
        terms = tuple(tuple(column[keep] for column in columns) for columns in self.terms)
        return _Computed(self.X[keep], terms, None if self.offset is None else self.offset[keep])


def _computed(model: Design, columns: Mapping[str, Column], n: int, needs: Needs) -> _Computed:
    made: dict[str, NDArray[np.float64]] = {}
    terms: list[tuple[NDArray[np.float64], ...]] = []
    for term, needed in zip(model.terms, needs.columns, strict=True):
        if not needed:
            terms.append(())
            continue
        if term.source.expr not in made:
            made[term.source.expr] = replay(term.encoding, columns, n)
        values = made[term.source.expr]
        terms.append(tuple(values[:, j] for j in term.positions))
    X = replay(model.encoding, columns, n)
    return _Computed(X, tuple(terms), formula_offset(model, columns, n))


def _sum(one: NDArray[np.float64] | None, other: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other
