"""Estimates of areas with intervals, beside direct ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from mixedeffects.errors import DataError
from mixedeffects.plots import style
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def area_caterpillar_picture(
    areas: Sequence[str],
    estimate: NDArray[np.float64],
    error: NDArray[np.float64],
    direct: NDArray[np.float64],
    *,
    kind: str,
    order: bool = True,
    show_direct: bool = True,
    level: float = 0.95,
) -> Picture:
    """Intervals of the areas' estimates.

    Parameters
    ----------
    areas : sequence of str (t,)
        The areas.
    estimate, error, direct : ndarray (t,)
        Estimates, roots of their mean squared errors, and direct estimates, NaN where there are none.
    kind : str
        The library of the data.
    order : bool
        Order by the estimates; else the first is uppermost.
    show_direct : bool
        Draw the direct estimates too.
    level : float
        Of the normal intervals.

    Raises
    ------
    DataError
        If the level is outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise DataError(f"level={level!r} must lie between 0 and 1")
    n = len(areas)
    position = np.arange(n)[::-1].copy()
    if order:
        position[np.argsort(estimate, kind="stable")] = np.arange(n)
    half = ndtri(0.5 + level / 2.0) * error
    columns = {
        "area": list(areas),
        "eblup": estimate,
        "lower": estimate - half,
        "upper": estimate + half,
        "direct": direct,
        "position": position,
    }

    def paint(ax: Any) -> Any:
        height = 0.125 * n + 0.9 if n <= style.MOST_LABELS else 3.6
        one = style.one_axes(ax, max(height, 1.6))
        _draw(one, columns, level=level, show_direct=show_direct)
        labels = [areas[i] for i in np.argsort(position)]
        style.level_ticks(one, labels, name="area", room=ax is None)
        one.set_xlabel("area mean")
        style.legend(one, own=ax is None)
        return one

    return Picture(columns=columns, kind=kind, paint=paint, text=("area",))


def _draw(ax: Any, columns: dict[str, Any], *, level: float, show_direct: bool) -> None:
    n, y = len(columns["area"]), columns["position"]
    many = n > style.MANY
    size = float(np.clip(250.0 / n, 0.8, 3.6))
    if show_direct and np.isfinite(columns["direct"]).any():
        ax.plot(
            columns["direct"],
            y,
            "o",
            color=style.GREY,
            markersize=size,
            markerfacecolor="none" if n <= style.MOST_LABELS else style.GREY,
            markeredgewidth=0.7 if n <= style.MOST_LABELS else 0,
            rasterized=many,
            label="direct",
            zorder=1,
        )
    ax.hlines(
        y,
        columns["lower"],
        columns["upper"],
        color=style.BLUE,
        linewidth=float(np.clip(60.0 / n, 0.2, 1.2)),
        alpha=0.8 if n <= style.MOST_LABELS else 0.4,
        rasterized=many,
        label=f"{100.0 * level:g} % interval",
        zorder=2,
    )
    ax.plot(
        columns["eblup"],
        y,
        "o",
        color=style.BLUE if n <= style.MOST_LABELS else style.VERMILLION,
        markersize=size,
        markeredgewidth=0,
        rasterized=many,
        label="EBLUP",
        zorder=3,
    )
    style.few_ticks(ax, 5)
    ax.set_ylim(-0.6 - 0.01 * n, n - 0.4 + 0.01 * n)
