"""From a point next to the boundary, where a variance is nearly zero, onto it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.optimize.canonical import lower_factor
from mixedeffects.optimize.certificate import null_derivatives
from mixedeffects.optimize.minimize import without_small

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mixedeffects.criterion.agq import AgqCriterion
    from mixedeffects.criterion.laplace import LaplaceCriterion, LaplacePoint
    from mixedeffects.crossproducts import Layout

_ZERO = 1e-6  # standard deviation that is zero but for rounding
_NEAR_BOUNDARY = 0.02  # standard deviation, for a column of unit mean square, from which 0 is tried
_FREE = 1e-7  # of the criterion: what a point on the boundary may cost


def onto_boundary(
    function: Callable[[NDArray[np.float64], Any], LaplacePoint],
    criterion: LaplaceCriterion | AgqCriterion,
    x: NDArray[np.float64],
    point: LaplacePoint,
) -> tuple[NDArray[np.float64], LaplacePoint]:
    """The same point with canonical factors, on the boundary where it is next to it and nothing is lost.

    Parameters
    ----------
    function : callable
        The criterion, counted: called with parameters and a point nearby.
    criterion : LaplaceCriterion or AgqCriterion
        Its layout and sizes.
    x : ndarray (m,)
        Theta, beta, t.
    point : LaplacePoint
        The criterion there.

    Returns
    -------
    x : ndarray (m,)
        The point, or one on the boundary that is as low.
    point : LaplacePoint
        The criterion there.
    """
    d, layout = criterion.sizes[0], criterion.layout
    factors = [lower_factor(L) for L in layout.factors(x[:d])]
    small = [t for t, L in enumerate(factors) if without_small(L, _NEAR_BOUNDARY) is not None]
    # All of them at once, or else one after another, as far as they may go, or as what is zero but for rounding.
    together = [] if not small else [(small, _NEAR_BOUNDARY)]
    apart = [([t], bound) for t in small for bound in (_NEAR_BOUNDARY, _ZERO) if bound == _ZERO or len(small) > 1]
    moved = x
    for terms, bound in (*together, *apart):
        cut = {t: L for t in terms if (L := without_small(factors[t], bound)) is not None}
        if not cut:
            continue
        candidate = [cut.get(t, L) for t, L in enumerate(factors)]
        there = np.concatenate([layout.theta(candidate), x[d:]])
        trial = function(there, point)
        if _may_stay(layout, candidate, trial, point):
            factors, moved, point = candidate, there, trial
            if (terms, bound) in together:
                return moved, point
    canonical = np.concatenate([layout.theta(factors), x[d:]])
    if np.array_equal(canonical, moved):
        return canonical, point
    same = function(canonical, point)
    return (canonical, same) if np.isfinite(same.value) else (moved, point)


def _may_stay(layout: Layout, factors: Sequence[NDArray[np.float64]], trial: LaplacePoint, point: LaplacePoint) -> bool:
    """Whether a point on the boundary takes the place of one next to it."""
    if not trial.value <= point.value + _FREE:
        return False
    rises = all(slope is None or slope >= 0.0 for slope in null_derivatives(layout, factors, trial.raw["G"]))
    # Where a pivot is left that is nearly zero, the derivative along the column of zeros has no digits.
    vague = any(((np.diag(L) > 0.0) & (np.diag(L) < _NEAR_BOUNDARY)).any() for L in factors)
    return rises or (vague and trial.value < point.value - _FREE)
