"""The catalogue: what each data set is, the one source of `describe` and of the docstrings."""

from __future__ import annotations

from . import lme4, mlmrev, nlme, others
from .entry import Entry, Variable, render

__all__ = ["CATALOGUE", "Entry", "Variable", "render"]

CATALOGUE: dict[str, Entry] = {entry.name: entry for group in (lme4, nlme, mlmrev, others) for entry in group.ENTRIES}
