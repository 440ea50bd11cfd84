"""From the criterion to its minimum, with a certificate that it is one."""

from __future__ import annotations

from mixedeffects.optimize.certificate import BoundaryDirection
from mixedeffects.optimize.minimize import Minimum, certify, minimize
from mixedeffects.optimize.record import Optimum, TracePoint

__all__ = ["BoundaryDirection", "Minimum", "Optimum", "TracePoint", "certify", "minimize"]
