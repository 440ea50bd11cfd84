"""What simulated tests share: the p-value, and what counts as zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NOISE = 1e-7  # below this a difference of two criteria is rounding and what the optimizer leaves


def settled(statistic: float) -> float:
    """A likelihood ratio statistic without rounding: 0 if it is below 1e-7."""
    return float(statistic) if statistic > _NOISE else 0.0


def exceedance(statistic: float, sample: NDArray[np.float64]) -> float:
    """P-value (1 + draws above the statistic) / (1 + draws).

    Parameters
    ----------
    statistic : float
        What was observed.
    sample : ndarray (n,)
        Draws under the hypothesis.
    """
    return float((1 + np.count_nonzero(sample > statistic)) / (1 + len(sample)))


def checked_draws(n: int) -> int:
    """Return the number of draws, or raise DataError if it is no positive whole number."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise DataError(f"n={n!r}: the number of draws must be a positive whole number")
    return int(n)
