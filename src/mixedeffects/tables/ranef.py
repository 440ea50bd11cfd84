"""Random effects and coefficients per level of the grouping factors: mappings from factor to data frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mixedeffects.formula import nested_hint, same_group
from mixedeffects.tables.html import document, paragraph, table
from mixedeffects.tables.numbers import r_format
from mixedeffects.tables.text import matrix_lines

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

T = TypeVar("T")

# A factor with more levels than this is printed with its first and last ones only.
_MOST_ROWS = 60
_END_ROWS = 10
_DIGITS = 7


def _once(value: T | Callable[[], T]) -> Callable[[], T]:
    """Return a function that computes the value at its first call, and gives the same one ever after."""
    if callable(value):
        return cache(value)
    return lambda: value


def _read_only(values: NDArray[np.float64]) -> NDArray[np.float64]:
    view = np.asarray(values, dtype=np.float64).view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupValues:
    """One number per level and term of a grouping factor; nothing is computed before it is asked for.

    Attributes
    ----------
    group : str
        Name of the grouping factor.
    terms : tuple of str, length k
        Names of the columns, those of all terms of the factor side by side.
    levels : callable returning sequence of str, length J
        Labels of the levels. A plain sequence may be given instead.
    values : callable returning ndarray, shape (J, k)
        The numbers. A plain array may be given instead.
    condvar : callable returning ndarray, shape (J, k, k), or None
        Conditional covariance matrices. A plain array may be given instead.
    """

    group: str
    terms: tuple[str, ...]
    levels: Callable[[], Sequence[str] | NDArray[Any]] | Sequence[str] | NDArray[Any]
    values: Callable[[], NDArray[np.float64]] | NDArray[np.float64]
    condvar: Callable[[], NDArray[np.float64]] | NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", _once(self.levels))
        object.__setattr__(self, "values", _once(self.values))
        if self.condvar is not None:
            object.__setattr__(self, "condvar", _once(self.condvar))

    def labels(self) -> Sequence[str] | NDArray[Any]:
        """Return the labels of the levels, length J."""
        return self.levels() if callable(self.levels) else self.levels

    def array(self) -> NDArray[np.float64]:
        """Return the numbers, shape (J, k), read-only."""
        return _read_only(self.values() if callable(self.values) else self.values)

    def covariances(self) -> NDArray[np.float64]:
        """Return the conditional covariance matrices, shape (J, k, k), read-only."""
        if self.condvar is None:
            message = f"no conditional variances are kept for {self.group!r}"
            raise KeyError(message)
        return _read_only(self.condvar() if callable(self.condvar) else self.condvar)

    def frame(self) -> pd.DataFrame:
        """Return the numbers as a data frame of its own: levels by terms."""
        import pandas as pd

        index = pd.Index([str(x) for x in self.labels()], dtype=object)
        return pd.DataFrame(self.array().copy(), index=index, columns=[*self.terms])

    def columns(self) -> dict[str, Any]:
        """Return tidy columns group, level, term, estimate and, if there are variances, std_error; term by term."""
        values, k = self.array(), len(self.terms)
        levels = np.asarray([str(x) for x in self.labels()], dtype=object)
        columns: dict[str, Any] = {
            "group": np.full(values.size, self.group, dtype=object),
            "level": np.tile(levels, k),
            "term": np.repeat(np.asarray(self.terms, dtype=object), len(levels)),
            "estimate": values.T.ravel(),
        }
        if self.condvar is not None:
            columns["std_error"] = np.sqrt(np.diagonal(self.covariances(), axis1=1, axis2=2)).T.ravel()
        return columns

    def shown(self) -> tuple[list[str], list[list[str]], int]:
        """Return labels and text cells of the rows that are printed, and how many of them stand before the gap."""
        values, labels = self.array(), self.labels()
        n = len(values)
        rows = range(n) if n <= _MOST_ROWS else [*range(_END_ROWS), *range(n - _END_ROWS, n)]
        columns = [r_format(values[rows, j].tolist(), _DIGITS) for j in range(len(self.terms))]
        return [str(labels[i]) for i in rows], columns, n if n <= _MOST_ROWS else _END_ROWS

    def gap_text(self) -> str:
        """Return the line that stands for the levels that are not printed."""
        n = len(self.array())
        return f"... {n - 2 * _END_ROWS:,} levels not shown, {n:,} in all"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GroupCoefficients(Mapping[str, "pd.DataFrame"]):
    """Values per level for every grouping factor: a mapping from its name to a data frame, levels by terms.

    Attributes
    ----------
    groups : tuple of GroupValues
        One per grouping factor.
    kind : {"pandas", "polars", "pyarrow", "dict"}
        The data-frame library of tidy tables.
    """

    groups: tuple[GroupValues, ...]
    kind: str = "pandas"

    def _find(self, group: str) -> GroupValues:
        names = [values.group for values in self.groups]
        found = same_group(group, names)
        if found is not None:
            return self.groups[names.index(found)]
        message = f"no grouping factor {group!r}; there are {', '.join(map(repr, names))}{nested_hint(group, names)}"
        raise KeyError(message)

    def __getitem__(self, group: str) -> pd.DataFrame:
        return self._find(group).frame()

    def __iter__(self) -> Iterator[str]:
        return (values.group for values in self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    # Frames have no truth value, so that comparing by items, a mapping's default, cannot work.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def columns(self) -> dict[str, Any]:
        """Return the columns of `to_frame` as arrays, for any data-frame library."""
        parts = [values.columns() for values in self.groups]
        return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}

    def to_frame(self) -> Any:
        """Return a tidy table with a row per factor, term and level.

        Returns
        -------
        data frame
            Columns group, level, term, estimate; with conditional variances also std_error. In the library of the data.
        """
        from mixedeffects.frame import to_frame

        return to_frame(self.columns(), self.kind, text=("group", "level", "term"))

    def _note(self) -> str | None:
        return None

    def __str__(self) -> str:
        lines: list[str] = []
        for values in self.groups:
            lines += [f"${_quoted(values.group)}", *_group_lines(values), ""]
        note = self._note()
        return "\n".join(lines if note is None else [*lines, note])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        parts: list[str] = []
        for values in self.groups:
            labels, columns, before = values.shown()
            if before < len(labels):
                labels = [*labels[:before], values.gap_text(), *labels[before:]]
                columns = [[*column[:before], "", *column[before:]] for column in columns]
            parts.append(table([labels, *columns], heads=["", *values.terms], caption=values.group))
        note = self._note()
        return document(parts if note is None else [*parts, paragraph(note.strip())])


def _quoted(name: str) -> str:
    """Put a name in backticks unless it could stand in a formula without them."""
    return name if re.fullmatch(r"\.?|\.?[^\W\d][\w.]*", name) else f"`{name}`"


def _group_lines(values: GroupValues) -> list[str]:
    labels, columns, before = values.shown()
    lines = matrix_lines(columns, heads=values.terms, row_names=labels, right=True)
    if before == len(labels):
        return lines
    # Many terms are printed in several blocks of columns, each a head and all rows.
    size = len(labels) + 1
    parts = (
        [*lines[i : i + before + 1], values.gap_text(), *lines[i + before + 1 : i + size]]
        for i in range(0, len(lines), size)
    )
    return [line for part in parts for line in part]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _ConditionalVariances(Mapping[str, "NDArray[np.float64]"]):
    """Conditional covariance matrices by grouping factor, computed when asked for."""

    effects: RandomEffects

    def __getitem__(self, group: str) -> NDArray[np.float64]:
        return self.effects._find(group).covariances()

    def __iter__(self) -> Iterator[str]:
        return iter(self.effects)

    def __len__(self) -> int:
        return len(self.effects)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RandomEffects(GroupCoefficients):
    """Conditional modes of the random effects: a mapping from grouping factor to data frame, levels by terms.

    Attributes
    ----------
    groups : tuple of GroupValues
        One per grouping factor, with its conditional variances.
    kind : {"pandas", "polars", "pyarrow", "dict"}
        The data-frame library of tidy tables.
    """

    @property
    def condvar(self) -> Mapping[str, NDArray[np.float64]]:
        """Conditional covariance matrices by grouping factor: arrays of shape (J, k, k), read-only."""
        return _ConditionalVariances(effects=self)

    def _note(self) -> str | None:
        names = [f'"{values.group}" ' for values in self.groups if values.condvar is not None]
        return "with conditional variances for " + "".join(names) if names else None
