"""Profile zeta plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.inference.profile import profile
from mixedeffects.plots import style
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit
    from mixedeffects.inference.profile import Profile

_LEVELS = (0.5, 0.8, 0.95)
_QUANTILES = (0.6745, 1.2816, 1.96)
_INCH = 0.054  # width of a character of a name


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
        One for each parameter; the attribute `data` is the frame with columns param, value and zeta.

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
    axes: NDArray[Any] = _picture(profile).draw(ax)
    return axes


def profile_picture(fit: LmmFit, params: str | Sequence[str] | None = None) -> Picture:
    """Zeta curves of a fit's parameters.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    params : str or sequence of str, optional
        As `mixedeffects.inference.profile.profile` takes them.
    """
    return _picture(profile(fit, params))


def _picture(found: Profile) -> Picture:
    columns = {
        "param": [curve.name for curve in found for _ in curve.value],
        "value": np.concatenate([np.empty(0), *(curve.value for curve in found)]),
        "zeta": np.concatenate([np.empty(0), *(curve.zeta for curve in found)]),
    }

    def paint(ax: Any) -> Any:
        side = min(2, len(found))
        width = float(np.clip(side * (_INCH * max(map(len, found.names)) + 0.3), style.WIDTH, 2.0 * style.WIDTH))
        axes = style.panel_axes(ax, len(found), columns=side, panel_height=1.5, what="parameters", width=width)
        for one, curve in zip(axes, found, strict=True):
            _draw(one, curve)
            one.set_xlabel(curve.name, fontsize=style.SMALL if ax is None else None)
            if ax is not None:
                one.set_ylabel("signed root of the deviance")
        if ax is None:
            axes[0].figure.supylabel(r"signed root of the deviance, $\zeta$", fontsize=style.TEXT)
        return axes

    return Picture(columns=columns, kind=found.data_kind, paint=paint, text=("param",))


def _draw(ax: Any, curve: Any) -> None:
    ax.axhline(0.0, color=style.LIGHT, linewidth=0.8)
    for level, quantile in zip(_LEVELS, _QUANTILES, strict=True):
        for limit, side in zip(curve.limits(quantile), (-1.0, 1.0), strict=True):
            if np.isfinite(limit):
                width = 0.6 + level
                ax.plot(
                    [limit, limit],
                    [0.0, _reached(curve, limit, side * quantile)],
                    color=style.VERMILLION,
                    linewidth=width,
                    solid_capstyle="butt",
                )
    ax.plot(curve.value, curve.zeta, color=style.BLUE, linewidth=1.6)
    style.few_ticks(ax, 4, 4)


def _reached(curve: Any, limit: float, zeta: float) -> float:
    """The zeta asked for, or what the curve has at a limit where the range of the parameter ends before."""
    there = float(np.interp(limit, curve.value, curve.zeta))
    return there if abs(there) < abs(zeta) - 0.05 else zeta
