"""Rows of new data without a prediction: how many, and for want of what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import DataError, DroppedRowsWarning
from mixedeffects.frame import warn

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Missing:
    """Collects the rows that lack a value, each counted for the first column that lacks it.

    Parameters
    ----------
    n : int
        Number of rows of the data.
    """

    def __init__(self, n: int) -> None:
        self.lacking = np.zeros(n, dtype=bool)
        self._counts: dict[str, int] = {}

    @property
    def complete(self) -> NDArray[np.int64]:
        """Positions of the rows that lack nothing so far."""
        return np.flatnonzero(~self.lacking)

    def add(self, name: str, missing: NDArray[np.bool_] | None) -> None:
        """Add the rows, (n,), in which a column has no value."""
        if missing is None:
            return
        found = int((missing & ~self.lacking).sum())
        if found:
            self._counts[name] = self._counts.get(name, 0) + found
            self.lacking |= missing

    def look_at(self, name: str, values: NDArray[np.float64], rows: NDArray[np.int64]) -> None:
        """Add the rows in which a computed column is NaN; infinite values are an error.

        Parameters
        ----------
        name : str
            The column.
        values : ndarray (m,)
            Its values.
        rows : ndarray of int64 (m,)
            The positions of these rows.
        """
        with np.errstate(all="ignore"):
            if np.isfinite(values.sum()):
                return
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            at = int(infinite[0])
            raise DataError(
                f"{name!r} has the value {values[at]} in row {rows[at]} of the new data; replace or drop it"
            )
        missing = np.zeros(len(self.lacking), dtype=bool)
        missing[rows[np.isnan(values)]] = True
        self.add(name, missing)

    def report(self) -> None:
        """Warn about the rows without a prediction, if there are any."""
        if not self._counts:
            return
        where = ", ".join(f"{count} for want of {name!r}" for name, count in self._counts.items())
        total = sum(self._counts.values())
        warn(f"{total} of {len(self.lacking)} rows have a missing value and give NaN: {where}", DroppedRowsWarning)
