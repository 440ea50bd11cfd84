"""Small area estimation: means of areas whose own samples are too small, from a mixed model of all areas.

`unit_level` is for data on units (Battese, Harter & Fuller 1988), `area_level` for direct estimates with known sampling
variances (Fay & Herriot 1979), `direct` computes estimates that use no other area's data.
"""

from __future__ import annotations

from .area_level import area_level
from .direct import direct
from .results import AreaLevelResult, SmallAreas, UnitLevelResult
from .unit_level import unit_level

__all__ = ["AreaLevelResult", "SmallAreas", "UnitLevelResult", "area_level", "direct", "unit_level"]
