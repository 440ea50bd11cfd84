"""A fitted model as a value: what was fitted, where the minimum is, and what follows for the random effects."""

from __future__ import annotations

from mixedeffects.fit.lmm import fit_lmm, refit
from mixedeffects.fit.record import LmmFit

__all__ = ["LmmFit", "fit_lmm", "refit"]
