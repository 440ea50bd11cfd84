"""Warnings that point at the caller's line, however deep the code that issues them."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixedeffects.errors import MixedEffectsWarning

_PACKAGE = str(Path(__file__).resolve().parent.parent) + os.sep


def warn(message: str, category: type[MixedEffectsWarning]) -> None:
    """Issue a warning at the first frame outside this package.

    Parameters
    ----------
    message : str
        The text.
    category : type
        One of the package's warning classes.
    """
    level = 2
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
