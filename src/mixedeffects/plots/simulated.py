"""What residuals and conditional modes look like when the model is true: responses drawn from the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

FEWEST = 39  # draws for which the smallest and the largest are the limits of a band of 95 %
_DRAWS, _MANY_ROWS = 199, 20_000
_THINNED = 1_000
_TAIL = 100


def checked_draws(fit: LmmFit, n: int | None) -> int:
    """Number of draws: 199, or 39 where there are more than 20,000 rows.

    Raises
    ------
    DataError
        If the caller's number is no whole number of at least 39.
    """
    if n is None:
        return _DRAWS if fit.nobs <= _MANY_ROWS else FEWEST
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < FEWEST:
        raise DataError(f"n={n!r}: a band of 95 % needs a whole number of at least {FEWEST} draws")
    return int(n)


def normal_scores(n: int) -> NDArray[np.float64]:
    """Standard normal quantiles at (i - 1/2) / n, (n,)."""
    return np.asarray(ndtri((np.arange(n) + 0.5) / n))


def thinned(n: int) -> NDArray[np.intp]:
    """Ranks that are drawn: all of up to 1,000; else the 100 at each end, and others evenly over the normal scores."""
    if n <= _THINNED:
        return np.arange(n)
    tail = np.arange(_TAIL)
    scores = normal_scores(n)
    between = np.searchsorted(scores, np.linspace(scores[_TAIL], scores[n - 1 - _TAIL], _THINNED - 2 * _TAIL))
    return np.unique(np.concatenate([tail, between, n - 1 - tail]))


def band(draws: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Pointwise limits of 95 % and medians of simulated order statistics.

    Parameters
    ----------
    draws : ndarray (draws, m)
        Order statistics, one row per draw.

    Returns
    -------
    lower, median, upper : ndarray (m,)
        Quantiles at ranks p (draws + 1), so that one more draw falls outside with probability 0.05.
    """
    lower, median, upper = np.quantile(draws, [0.025, 0.5, 0.975], axis=0, method="weibull")
    return lower, median, upper
