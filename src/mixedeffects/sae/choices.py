"""Options that are one of a few words."""

from __future__ import annotations

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
