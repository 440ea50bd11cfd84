"""Any data frame in, NumPy columns and integer codes out: the only place that reads a caller's frame."""

from __future__ import annotations

from mixedeffects.frame.factor import Factor, cross, encode
from mixedeffects.frame.model_frame import ModelFrame, model_frame
from mixedeffects.frame.newdata import Column, read_columns, read_factor
from mixedeffects.frame.notices import warn
from mixedeffects.frame.output import to_frame, with_columns
from mixedeffects.frame.source import parse_for

__all__ = [
    "Column",
    "Factor",
    "ModelFrame",
    "cross",
    "encode",
    "model_frame",
    "parse_for",
    "read_columns",
    "read_factor",
    "to_frame",
    "warn",
    "with_columns",
]
