"""A formula and the caller's data -> the complete rows as arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mixedeffects.errors import DataError, DroppedRowsWarning
from mixedeffects.formula import Formula, evaluate, unquoted_names
from mixedeffects.formula.expressions import columns as columns_of
from mixedeffects.frame.factor import Factor, cross, encode
from mixedeffects.frame.newdata import Column, as_column, time_predictor
from mixedeffects.frame.notices import warn
from mixedeffects.frame.numbers_as_text import check_text_predictors, numbers_as_text
from mixedeffects.frame.source import FrameKind, Source, open_source, read_array

if TYPE_CHECKING:
    from mixedeffects.frame.raw import RawColumn

Functions = Mapping[str, Callable[..., Any]]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelFrame:
    """The rows of the data that a model uses.

    Attributes
    ----------
    y : ndarray (n,)
        The response, a copy of its own.
    weights, offset : ndarray (n,) or None
        Prior weights, all positive; sum of the offsets.
    columns : dict of str to ndarray or Factor
        Every column that a predictor may use: float64, int64 or bool arrays (they may share the caller's memory), and
        factors for text and categories.
    factors : dict of str to Factor
        The grouping columns.
    kept : ndarray of int64 (n,) or None
        Positions of the rows in the data; None if no row was dropped.
    missing_in : dict of str to int
        Rows dropped for a missing value, by every column that lacks one: a row may count in several.
    n_missing, n_zero_weight : int
        Rows dropped for missing values, and for a weight of zero.
    kind : {"pandas", "polars", "pyarrow", "dict"}
        The library of the data.
    name : str or None
        The name of the data set.
    units : mapping of str to str
        Units by column, where the data tell them.
    """

    y: Vector
    weights: Vector | None
    offset: Vector | None
    columns: dict[str, Column]
    factors: dict[str, Factor]
    kept: NDArray[np.int64] | None
    missing_in: dict[str, int]
    n_missing: int
    n_zero_weight: int
    kind: FrameKind
    name: str | None
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """Number of rows kept."""
        return len(self.y)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Positions of the rows in the data, (n,). Computed at every call where no row was dropped."""
        return np.arange(self.n_rows) if self.kept is None else self.kept

    def row(self, position: int) -> int:
        """Return the position in the data of one of the rows."""
        return position if self.kept is None else int(self.kept[position])

    def group(self, names: tuple[str, ...]) -> Factor:
        """Return the grouping factor of these columns, their interaction if there are several."""
        return cross(tuple(self.factors[name] for name in names))

    def drop(self, incomplete: NDArray[np.bool_], cause: str, *, missing: str) -> ModelFrame:
        """Return the frame without some of its rows, counted as missing.

        Parameters
        ----------
        incomplete : ndarray of bool, (n,)
            The rows to drop.
        cause : str
            The expression that is missing there.
        missing : {"drop", "raise"}
            With "raise" an error names the expression and the first row instead.
        """
        if missing == "raise":
            raise _missing_error(f"{cause!r} gives", self.row(int(np.flatnonzero(incomplete)[0])))
        keep = ~incomplete
        if not keep.any():
            raise DataError(f"no rows are left: {cause!r} gives a missing value in every row")
        gone = int(incomplete.sum())
        counts = self.missing_in | {cause: self.missing_in.get(cause, 0) + gone}
        return _keep_rows(replace(self, missing_in=counts, n_missing=self.n_missing + gone), keep)

    def report_dropped(self) -> None:
        """Warn about the rows that were left out, if there are any."""
        if not self.n_missing and not self.n_zero_weight:
            return
        parts = []
        if self.n_missing:
            where = ", ".join(f"{count} in {name!r}" for name, count in self.missing_in.items())
            shared = ", some in several of them" if sum(self.missing_in.values()) > self.n_missing else ""
            parts.append(f"{self.n_missing} with missing values ({where}{shared})")
        if self.n_zero_weight:
            parts.append(f"{self.n_zero_weight} with weight 0")
        total = self.n_rows + self.n_missing + self.n_zero_weight
        dropped = self.n_missing + self.n_zero_weight
        warn(f"{dropped} of {total} rows were dropped: {' and '.join(parts)}", DroppedRowsWarning)


def _keep_rows(frame: ModelFrame, keep: NDArray[np.bool_]) -> ModelFrame:
    return replace(
        frame,
        y=frame.y[keep],
        weights=None if frame.weights is None else frame.weights[keep],
        offset=None if frame.offset is None else frame.offset[keep],
        columns={name: take(column, keep) for name, column in frame.columns.items()},
        factors={name: factor.take(keep) for name, factor in frame.factors.items()},
        kept=frame.rows[keep],
    )


def take(column: Column, keep: NDArray[np.bool_]) -> Column:
    """Return a column over the rows that `keep` marks."""
    return column.take(keep) if isinstance(column, Factor) else column[keep]


def model_frame(
    formula: Formula,
    data: Any,
    *,
    weights: str | Any | None = None,
    offset: str | Any | None = None,
    missing: str = "drop",
    functions: Functions | None = None,
    successes: bool = False,
    allow_constant: bool = False,
) -> ModelFrame:
    """Read the columns that a formula needs and keep the complete rows.

    Parameters
    ----------
    formula : Formula
        A parsed formula.
    data : data frame or dict of columns
        pandas, polars or pyarrow; never changed.
    weights, offset : str or array-like (n,), optional
        A column name, or values in the order of the rows: one for each row of the data, those that are dropped too.
    missing : {"drop", "raise"}
        What to do about rows with missing values.
    functions : mapping of str to callable, optional
        The caller's functions in the formula.
    successes : bool
        The response counts successes: a category or a boolean (the first level is a failure) becomes 0 and 1,
        ``cbind(successes, failures)`` a proportion whose weights are the numbers of trials.
    allow_constant : bool
        Whether the response may be constant.

    Returns
    -------
    ModelFrame
        It does not warn about dropped rows by itself: see `ModelFrame.report_dropped`.

    Raises
    ------
    DataError
        If the data do not fit the formula.
    """
    if missing not in ("drop", "raise"):
        raise DataError(f'missing={missing!r} is not known; it is "drop" or "raise"')
    source = open_source(data)
    grouping = tuple(dict.fromkeys(name for term in formula.random for name in term.group))
    _check_response_is_not_grouping(formula, grouping)
    used = tuple(formula.variables())
    named = tuple(name for name in (weights, offset) if isinstance(name, str))
    _check_backticks(formula, source, functions)
    raw = source.read(dict.fromkeys((*used, *grouping, *named)))
    n_rows = source.n_rows if source.n_rows is not None else max(map(len, raw.values()), default=0)
    if n_rows == 0:
        raise DataError("the data have no rows")
    extra = {"weights": _extra("weights", weights, raw, n_rows), "offset": _extra("offset", offset, raw, n_rows)}
    predictors = [raw[name] for name in used if name not in grouping or _mentioned(formula, name)]
    for column in predictors:
        if column.kind == "time":
            raise time_predictor(column)

    keep, missing_in = _complete_rows(raw, n_rows, missing=missing)
    _check_arrays(extra, keep)
    factors = {name: _kept(encode(raw[name]), keep) for name in grouping}
    columns = {column.name: _kept_column(column, keep, factors) for column in predictors}
    check_text_predictors(
        formula, _text_columns((column for column in predictors if column.name not in grouping), columns)
    )
    kept = None if keep is None else np.flatnonzero(keep)
    frame = ModelFrame(
        y=np.broadcast_to(0.0, n_rows if kept is None else len(kept)),
        weights=_number(extra["weights"], keep),
        offset=_number(extra["offset"], keep),
        columns=columns,
        factors=factors,
        kept=kept,
        missing_in=missing_in,
        n_missing=0 if keep is None else int((~keep).sum()),
        n_zero_weight=0,
        kind=source.kind,
        name=source.name,
        units=source.units,
    )
    frame = _with_response(frame, formula, functions, missing=missing, successes=successes)
    frame = _without_zero_weights(frame, weights)
    _check_offset(frame)
    if not allow_constant and frame.y.min() == frame.y.max():
        raise DataError(f"the response {formula.response!r} is constant: {frame.y[0]:g} in all {frame.n_rows} rows")
    return frame


def _check_backticks(formula: Formula, source: Source, functions: Functions | None) -> None:
    if set(formula.variables()).difference(source.names):
        advice = unquoted_names(formula.text, source.names, functions)
        if advice is not None:
            raise DataError(advice)


def _check_response_is_not_grouping(formula: Formula, grouping: tuple[str, ...]) -> None:
    response = formula.response.strip("`")
    if response in grouping:
        raise DataError(f"the response {response!r} is also a grouping factor; group by another column")


def _mentioned(formula: Formula, name: str) -> bool:
    """Whether a grouping column is also used outside the groups."""
    pattern = re.compile(rf"(?<![\w.]){re.escape(name)}(?![\w.])")
    texts = (formula.response, formula.fixed, *formula.offsets, *(term.expr for term in formula.random))
    return any(pattern.search(text) for text in texts)


def _extra(argument: str, value: Any, raw: Mapping[str, RawColumn], n_rows: int) -> RawColumn | None:
    """Read the weights or the offset, given by the name of a column or as values."""
    if value is None:
        return None
    column = raw[value] if isinstance(value, str) else read_array(argument, value)
    if column.kind not in ("number", "boolean"):
        text = numbers_as_text(np.asarray(column.values).tolist()) if column.kind == "text" else ""
        raise DataError(
            f"{argument} must be numbers; {column.name!r} holds {_described(column)}{f'; {text}' if text else ''}"
        )
    if len(column) != n_rows:
        raise DataError(
            f"{argument} has {len(column)} values, but the data have {n_rows} rows; give one value for each of them, "
            "also for those that are dropped for missing values"
        )
    return column


def _check_arrays(extra: Mapping[str, RawColumn | None], keep: NDArray[np.bool_] | None) -> None:
    """Values may be missing only in rows that are dropped in any case."""
    for argument, column in extra.items():
        if column is None or column.missing is None:
            continue
        wanting = column.missing if keep is None else column.missing & keep
        if not wanting.any():
            continue
        row = int(np.flatnonzero(wanting)[0])
        raise DataError(
            f"{argument} has a missing value in row {row}; give a number for every complete row of the data, or add "
            f"{argument} to the data as a column, whose missing values drop their rows"
        )


def _described(column: RawColumn) -> str:
    return {"text": "text", "category": "categories", "time": "dates or times"}.get(column.kind, "numbers")


def _complete_rows(
    raw: Mapping[str, RawColumn], n_rows: int, *, missing: str
) -> tuple[NDArray[np.bool_] | None, dict[str, int]]:
    """Find the rows without missing values (None for all), and how many rows lack a value in each column."""
    counts: dict[str, int] = {}
    lacking: NDArray[np.bool_] | None = None
    for name, column in raw.items():
        if column.missing is None:
            continue
        if missing == "raise":
            raise _missing_error(f"column {name!r} has", int(np.flatnonzero(column.missing)[0]))
        lacking = column.missing.copy() if lacking is None else lacking | column.missing
        counts[name] = int(column.missing.sum())
    if lacking is None:
        return None, counts
    if lacking.all():
        most = max(counts, key=counts.__getitem__)
        raise DataError(
            f"no rows are left: every one of the {n_rows} rows has a missing value, most of them in {most!r}"
        )
    return ~lacking, counts


def _missing_error(subject: str, row: int) -> DataError:
    return DataError(f'{subject} a missing value in row {row}; drop or fill it, or use missing="drop"')


def _text_columns(predictors: Iterable[RawColumn], columns: Mapping[str, Column]) -> dict[str, Factor]:
    """The predictors that the data have as text; a grouping factor is not meant as numbers."""
    found = {column.name: columns[column.name] for column in predictors if column.kind == "text"}
    return {name: column for name, column in found.items() if isinstance(column, Factor)}


def _kept(factor: Factor, keep: NDArray[np.bool_] | None) -> Factor:
    return factor if keep is None else factor.take(keep)


def _kept_column(column: RawColumn, keep: NDArray[np.bool_] | None, factors: Mapping[str, Factor]) -> Column:
    if column.kind in ("text", "category") and column.name in factors:
        return factors[column.name]
    values = as_column(column)
    if keep is not None:
        values = take(values, keep)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        _check_finite(values, f"column {column.name!r} has", None if keep is None else np.flatnonzero(keep))
    return values


def _check_finite(values: Vector, subject: str, rows: NDArray[np.int64] | None) -> None:
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):
            return
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        at = int(infinite[0])
        row = at if rows is None else int(rows[at])
        raise DataError(f"{subject} the value {values[at]} in row {row}; replace or drop it")


def _number(column: RawColumn | None, keep: NDArray[np.bool_] | None) -> Vector | None:
    if column is None:
        return None
    values: NDArray[Any] = column.values if keep is None else column.values[keep]
    return np.array(values, dtype=np.float64)


def _with_response(
    frame: ModelFrame, formula: Formula, functions: Functions | None, *, missing: str, successes: bool
) -> ModelFrame:
    """Evaluate the response and the offsets of the formula; rows where one is missing are dropped."""
    if successes:
        y, frame = _proportion(formula.response, frame, functions)
    else:
        y = _evaluated(formula.response, frame, functions, "response")
    offset = frame.offset
    for expression in formula.offsets:
        term = _evaluated(expression, frame, functions, "offset")
        offset = term if offset is None else offset + term
    for cause, values in ((formula.response, y), ("offset", offset)):
        if values is None:
            continue
        with np.errstate(all="ignore"):
            clean = bool(np.isfinite(values.sum()))
        if not clean and (incomplete := np.isnan(values)).any():
            # The same row may be missing in both; the frame is rebuilt before the next one is looked at.
            left = frame.drop(incomplete, cause, missing=missing)
            return _with_response(left, formula, functions, missing=missing, successes=successes)
    frame = replace(frame, y=y, offset=offset)
    _check_finite(frame.y, f"the response {formula.response!r} has", frame.kept)
    return frame


def _proportion(response: str, frame: ModelFrame, functions: Functions | None) -> tuple[Vector, ModelFrame]:
    """The response as proportions of successes, and the frame with the numbers of trials as weights."""
    column = frame.columns.get(response.strip("`"))
    if isinstance(column, Factor):
        if column.n_levels != 2:
            raise DataError(
                f"the response {response!r} has {_categories(column)}; a binomial response has two, the first "
                f"of which is a failure{_as_numbers(column)}"
            )
        return column.codes.astype(np.float64), frame
    if column is not None:
        return _evaluated(response, frame, functions, "response"), frame
    operands = {name: numeric_operand(value) for name, value in frame.columns.items()}
    with np.errstate(all="ignore"):
        counts = np.asarray(evaluate(response, operands, functions))
    if counts.ndim != 2:
        return _evaluated(response, frame, functions, "response"), frame
    if frame.weights is not None:
        raise DataError(f"{response!r} tells the numbers of trials; weights= must not be given besides")
    counts = counts.astype(np.float64)
    wrong = np.flatnonzero(~((counts >= 0.0) | np.isnan(counts)).all(axis=1))
    if len(wrong):
        at = int(wrong[0])
        shown = counts[at].tolist()
        raise DataError(f"{response!r} has the counts {shown} in row {frame.row(at)}; they must be 0 or more")
    trials = counts.sum(axis=1)
    with np.errstate(all="ignore"):
        y = np.where(trials > 0.0, counts[:, 0] / trials, np.where(np.isnan(trials), np.nan, 0.0))
    return y, replace(frame, weights=np.where(np.isnan(trials), 1.0, trials))


def _evaluated(expression: str, frame: ModelFrame, functions: Functions | None, role: str) -> Vector:
    column = frame.columns.get(expression.strip("`"))
    if column is None:
        operands = {name: numeric_operand(value) for name, value in frame.columns.items()}
        try:
            with np.errstate(all="ignore"):
                column = np.asarray(evaluate(expression, operands, functions))
        except DataError as problem:
            raise _with_hint(problem, expression, frame) from None
    if isinstance(column, Factor) or column.dtype.kind not in "iufb":
        if isinstance(column, np.ndarray):
            what = f"values of type {column.dtype}"
        else:
            two = role == "response" and column.n_levels == 2
            hint = "; one of two categories is modelled by me.glmer(..., family='binomial')" if two else ""
            what = _categories(column) + (_as_numbers(column) or hint)
        raise DataError(f"the {role} {expression!r} must be numeric; it has {what}")
    if column.ndim == 2:
        raise DataError(f"the {role} {expression!r} has {column.shape[1]} columns; it must have one")
    if column.shape != (frame.n_rows,):
        if column.ndim == 0:
            column = np.broadcast_to(column, (frame.n_rows,))
        else:
            raise DataError(f"the {role} {expression!r} has {len(column)} values for {frame.n_rows} rows")
    return np.array(column, dtype=np.float64)


def _with_hint(problem: DataError, expression: str, frame: ModelFrame) -> DataError:
    """The error of an expression with what its columns of text look like."""
    for name, column in frame.columns.items():
        if isinstance(column, Factor) and name in columns_of(expression):
            return DataError(f"{problem}; {name!r} holds categories{_as_numbers(column)}")
    return problem


def _as_numbers(column: Factor) -> str:
    found = numbers_as_text(column.values.tolist())
    return f"; {found}" if found else ""


def numeric_operand(column: Column) -> Any:
    """Turn a column into what expressions see: numbers as float64, so that integers neither wrap nor overflow."""
    if isinstance(column, Factor):
        return pd.Categorical.from_codes(column.codes, categories=pd.Index(column.values))
    return column if column.dtype.kind == "b" else column.astype(np.float64, copy=False)


def _without_zero_weights(frame: ModelFrame, argument: Any) -> ModelFrame:
    """Check the weights and drop the rows of weight zero, which leave the likelihood."""
    values = frame.weights
    if values is None:
        return frame
    impossible = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(impossible):
        at = int(impossible[0])
        label = repr(argument) if isinstance(argument, str) else "as given"
        raise DataError(
            f"weights ({label}): {values[at]:g} in row {frame.row(at)}; a weight is a finite number, 0 or greater"
        )
    keep = values > 0
    n_zero = int(len(keep) - keep.sum())
    if n_zero == 0:
        return frame
    if not keep.any():
        raise DataError("no rows are left: all weights are 0")
    return replace(_keep_rows(frame, keep), n_zero_weight=n_zero)


def _check_offset(frame: ModelFrame) -> None:
    if frame.offset is not None:
        _check_finite(frame.offset, "the offset has", frame.kept)


def _categories(column: Factor) -> str:
    return "1 category" if column.n_levels == 1 else f"{column.n_levels} categories"
