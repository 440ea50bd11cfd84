"""Arguments of a fit, checked before anything is computed from them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from mixedeffects.control import Control
from mixedeffects.errors import DataError


def checked_reml(reml: Any) -> bool:
    """Return the argument `reml` as a boolean.

    Parameters
    ----------
    reml : bool
        Restricted or ordinary maximum likelihood.

    Raises
    ------
    DataError
        If it is anything but true or false.
    """
    if not isinstance(reml, bool | np.bool_):
        raise DataError(f"reml={reml!r}: use True (restricted maximum likelihood) or False (maximum likelihood)")
    return bool(reml)


def checked_control(control: Any) -> Control:
    """Return the argument `control`, the defaults for None.

    Parameters
    ----------
    control : Control or None
        Options.

    Raises
    ------
    DataError
        If it is anything else.
    """
    if control is None:
        return Control()
    if not isinstance(control, Control):
        raise DataError(f"control must be a Control, such as Control(tolerance=1e-9), not {type(control).__name__}")
    return control


def checked_nagq(nagq: Any) -> int:
    """Return the number of nodes, or raise DataError if it is no whole number from 0."""
    if isinstance(nagq, bool) or not isinstance(nagq, Integral) or nagq < 0:
        raise DataError(
            f"nagq={nagq!r}: use 1 (Laplace approximation), a larger whole number (nodes of the quadrature) or 0 (the "
            "fast approximation)"
        )
    return int(nagq)
