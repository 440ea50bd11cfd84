"""Arguments of predictions and simulations, checked before anything is computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mixedeffects.errors import DataError


def checked_choice(name: str, value: Any, allowed: Sequence[str | None]) -> Any:
    """Return an argument that must be one of a few words.

    Parameters
    ----------
    name : str
        The argument, for the error.
    value : object
        What was given.
    allowed : sequence of str or None
        The words.

    Raises
    ------
    DataError
        For anything else.
    """
    if (value is None or isinstance(value, str)) and value in allowed:
        return value
    raise DataError(f"{name}={value!r} is not known; choose {' or '.join(map(repr, allowed))}")


def checked_level(level: Any) -> float:
    """Return the level of an interval, a number between 0 and 1."""
    number = isinstance(level, int | float | np.number) and not isinstance(level, bool)
    if not number or not 0.0 < level < 1.0:
        raise DataError(f"level={level!r}: it must be a number above 0 and below 1, such as 0.95")
    return float(level)


def checked_flag(name: str, value: Any) -> bool:
    """Return an argument that must be true or false."""
    if not isinstance(value, bool | np.bool_):
        raise DataError(f"{name}={value!r}: use True or False")
    return bool(value)
