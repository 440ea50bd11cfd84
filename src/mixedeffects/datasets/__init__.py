"""Example data by name.

``load(name)`` gives the data, ``names()`` lists them, ``describe(name)`` tells about one; `county_population` and
`shrinkage_population` are populations to sample from. All data sets:
"""

from __future__ import annotations

from .catalogue import CATALOGUE, render
from .frames import MissingPackageError
from .loader import describe, load, names
from .populations import county_population, shrinkage_population

__all__ = ["MissingPackageError", "county_population", "describe", "load", "names", "shrinkage_population"]

__doc__ = "\n\n\n".join([str(__doc__).rstrip(), *map(render, CATALOGUE.values())])
