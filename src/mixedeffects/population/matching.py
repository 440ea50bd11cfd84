"""Whether a fit is one to the rows of a sample, or two fits are to the same data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.population.samples import Sample


def check_same_rows(fit: Any, sample: Sample) -> None:
    """Raise DataError if a fit has other predictors than a sample, or the same ones in another order.

    Parameters
    ----------
    fit : LmmResult or GlmmResult
        A fit.
    sample : Sample
        What it should be a fit to.
    """
    rows = fit.model.n_rows_given
    if rows != sample.n:
        raise DataError(f"the fit has {rows} rows of data and the sample {sample.n}; give the sample that was fitted")
    read = _columns(fit)
    if fit.model.weights_name is not None:
        read[fit.model.weights_name] = fit.model.weights
    for name, column in read.items():
        if name in sample.columns:
            _check_equal(name, column, sample.columns[name][fit.rows], fit.rows)


def check_columns(fit: Any, sample: Sample) -> None:
    """Raise DataError if a fit reads a column that samples of the population do not have."""
    known = [*sample.columns, *sample.population.responses]
    for name in (*fit.model.formula.variables(), fit.model.weights_name, fit.model.offset_name):
        if name is not None and name not in known:
            raise DataError(
                f"the fit reads {name!r}, which the population does not have ({', '.join(known)}); it cannot be fitted "
                "to other samples"
            )


def _check_equal(name: str, column: Any, drawn: Any, rows: NDArray[np.int64]) -> None:
    own, other = _comparable(column, drawn)
    wrong = np.flatnonzero(own != other)
    if len(wrong):
        j = int(wrong[0])
        raise DataError(
            f"the fit is not to this sample: in row {int(rows[j])} its {name!r} is {_text(own[j])} and the sample's "
            f"{_text(other[j])}; give the sample that was fitted, its rows in their order and its predictors unchanged"
        )


def different_data(fit: Any, other: Any) -> str | None:
    """Tell in which respect two fits are to different data: rows, response or columns.

    Parameters
    ----------
    fit, other : LmmResult or GlmmResult
        Two fits.

    Returns
    -------
    str or None
        None if responses, rows and the columns that both read are the same.
    """
    if len(fit.rows) != len(other.rows) or np.any(fit.rows != other.rows):
        return "rows"
    if np.any(fit.model.y != other.model.y):
        return "responses"
    one, two = _columns(fit), _columns(other)
    for name in one:
        if name in two and np.any(np.not_equal(*_comparable(one[name], _plain(two[name])))):
            return f"values of {name!r}"
    return None


def _columns(fit: Any) -> dict[str, Any]:
    """What a model reads, predictors and groups, over the rows used."""
    return {**fit.model.columns, **fit.model.factors}


def _plain(column: Any) -> NDArray[Any]:
    """A column as it stood in the data; a factor of a fit by the labels of its rows."""
    if hasattr(column, "codes") and hasattr(column, "values"):
        labels: NDArray[Any] = np.asarray(column.values)[column.codes]
        return labels
    return np.asarray(column)


def _comparable(column: Any, drawn: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as numbers where both are numbers, otherwise as text."""
    own, other = _plain(column), np.asarray(drawn)
    if own.dtype.kind in "biuf" and other.dtype.kind in "biuf":
        return own, other
    return own.astype(str), other.astype(str)


def _text(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)
