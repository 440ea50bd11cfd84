"""Confidence intervals as a value."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intervals:
    """Confidence intervals of parameters.

    Attributes
    ----------
    names : tuple of str (m,)
        The parameters.
    estimate, lower, upper : ndarray (m,)
        Estimates and limits, on the scale of the parameter; NaN where the method has none.
    level : float
        Confidence level.
    method : str
        How they were computed.
    message : str
        What else there is to say; empty if nothing.
    """

    names: tuple[str, ...]
    estimate: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    level: float
    method: str
    message: str = ""

    @property
    def heads(self) -> tuple[str, str]:
        """Heads of the two columns of limits, as R writes them: ``2.5 %`` and ``97.5 %``."""
        tail = 50.0 * (1.0 - self.level)
        return f"{tail:.3g} %", f"{100.0 - tail:.3g} %"


def normal_quantile(level: Any) -> float:
    """Return the quantile of the normal distribution that leaves half of 1 - level above it.

    Parameters
    ----------
    level : float
        Confidence level.

    Raises
    ------
    DataError
        If it is not a number between 0 and 1.
    """
    try:
        value = float(level)
    except (TypeError, ValueError):
        value = -1.0
    if not 0.0 < value < 1.0:
        raise DataError(f"level={level!r}: a confidence level lies between 0 and 1, such as 0.95")
    return NormalDist().inv_cdf(0.5 * (1.0 + value))
