"""Refuse responses and weights that a family cannot have, with the value and its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.families.special import Vector

WHOLE = 1e-3  # how far from a whole number a count may be: R's tolerance for successes


def refuse(bad: NDArray[np.bool_], values: Vector, subject: str, must: str) -> None:
    """Raise for the first bad value.

    Parameters
    ----------
    bad : ndarray of bool (n,)
        Which values are bad.
    values : ndarray (n,)
        The values.
    subject, must : str
        The message reads "<subject> has the value <value> in row <row>; <must>".

    Raises
    ------
    DataError
        If any value is bad.
    """
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(f"{subject} has the value {values[row]:.12g} in row {row}; {must}")


def check_finite(y: Vector, name: str) -> None:
    """Raise DataError for a response that is missing or infinite."""
    refuse(~np.isfinite(y), y, f"the response {name!r}", "it must be a finite number: replace or drop it")


def check_weights(w: Vector) -> None:
    """Raise DataError for a weight that is not a positive number."""
    must = "weights must be positive numbers: leave out rows without weight"
    refuse(~(np.isfinite(w) & (w > 0.0)), w, "a weight", must)


def check_count(y: Vector, family: str, name: str) -> None:
    """Raise DataError for a negative or fractional count."""
    subject = f"the {family} response {name!r}"
    refuse(y < 0.0, y, subject, "counts cannot be negative: they are 0, 1, 2, ...")
    must = "counts must be whole numbers (0, 1, 2, ...): give the counts, and an exposure by offset(log(exposure))"
    refuse(y != np.rint(y), y, subject, must)


def check_positive(y: Vector, family: str, name: str) -> None:
    """Raise DataError for a response that is not positive."""
    refuse(~(y > 0.0), y, f"the {family} response {name!r}", "responses of this family must be over 0")
