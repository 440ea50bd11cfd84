"""What the fitting functions return: the record of a fit with the accessors of a statistician."""

from __future__ import annotations

from mixedeffects.results.lmm import LmmResult, result_of

__all__ = ["LmmResult", "result_of"]
