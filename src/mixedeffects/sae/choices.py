"""Options that are one of a few words, and numbers of draws."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from mixedeffects.errors import DataError


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return the option if it is allowed.

    Raises
    ------
    DataError
        If it is not.
    """
    if value not in allowed:
        raise DataError(f"{name}={value!r} is not known; choose {' or '.join(map(repr, allowed))}")
    return str(value)


def number_of_draws(value: Any) -> int:
    """Return the number of bootstrap replicates.

    Raises
    ------
    DataError
        If it is no whole number from 2 on.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 2:
        raise DataError(f"n_bootstrap={value!r}: give the number of replicates, 2 or more")
    return int(value)
