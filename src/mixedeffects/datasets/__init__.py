"""Example data by name.

``load(name)`` gives the data, ``names()`` lists them, ``describe(name)`` tells about one. All of them:
"""

from __future__ import annotations

from .catalogue import CATALOGUE, render
from .loader import MissingPackageError, describe, load, names

__all__ = ["MissingPackageError", "describe", "load", "names"]

__doc__ = "\n\n\n".join([str(__doc__).rstrip(), *map(render, CATALOGUE.values())])
