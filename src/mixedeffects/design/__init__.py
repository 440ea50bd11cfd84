"""Formula and frame -> the model matrices: X with its replayable encoding, and one block per random-effects term."""

from __future__ import annotations

from mixedeffects.design.assemble import Design, design
from mixedeffects.design.encoding import Encoding, replay
from mixedeffects.design.random import RandomBlock

__all__ = ["Design", "Encoding", "RandomBlock", "design", "replay"]
