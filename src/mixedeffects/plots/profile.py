"""Profile zeta plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError, MixedEffectsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.inference.profile import Profile

_BLUE, _ORANGE = "#0072B2", "#D55E00"
_LEVELS = (0.5, 0.8, 0.95)
_QUANTILES = (0.6745, 1.2816, 1.96)


def plot_profile(profile: Profile, ax: Any = None) -> NDArray[Any]:
    """Draw the signed root zeta of each parameter against its value.

    Parameters
    ----------
    profile : Profile
        The profiles.
    ax : matplotlib Axes or array of Axes, optional
        One for each parameter; a new figure by default.

    Returns
    -------
    ndarray of Axes
        One for each parameter.

    Notes
    -----
    A straight line means a likelihood that is quadratic in the parameter, for which Wald intervals would do. The
    vertical lines stand at the limits of the 50, 80 and 95 % intervals.

    Raises
    ------
    MixedEffectsError
        If matplotlib is not installed.
    DataError
        If `ax` holds another number of axes than there are parameters.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise MixedEffectsError('pictures need matplotlib: pip install "mixedeffects[plots]"') from None
    n = len(profile)
    if ax is None:
        columns = min(3, n)
        rows = -(-n // columns)
        _, grid = plt.subplots(rows, columns, figsize=(3.2 * columns, 2.6 * rows), layout="constrained", squeeze=False)
        axes = grid.ravel()
        for unused in axes[n:]:
            unused.set_visible(False)
        axes = axes[:n]
    else:
        axes = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(axes) != n:
            raise DataError(f"{len(axes)} axes were given for {n} parameters")
    for one, curve in zip(axes, profile, strict=True):
        _draw(one, curve)
    return np.asarray(axes)


def _draw(ax: Any, curve: Any) -> None:
    ax.axhline(0.0, color="0.8", linewidth=0.8)
    for level, quantile in zip(_LEVELS, _QUANTILES, strict=True):
        for limit, side in zip(curve.limits(quantile), (-1.0, 1.0), strict=True):
            if np.isfinite(limit):
                ax.plot(
                    [limit, limit], [0.0, side * quantile], color=_ORANGE, linewidth=0.6 + level, solid_capstyle="butt"
                )
    ax.plot(curve.value, curve.zeta, color=_BLUE, linewidth=1.6)
    ax.set_xlabel(curve.name)
    ax.set_ylabel("signed root of the deviance")
    ax.spines[["top", "right"]].set_visible(False)
