"""Arguments of a fit, checked before anything is computed from them."""

from __future__ import annotations

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
