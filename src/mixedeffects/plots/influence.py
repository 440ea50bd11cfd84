"""Cook's distance of each deleted group or row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.diagnostics.influence import Method, influence
from mixedeffects.plots import style
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.diagnostics.influence import Influence
    from mixedeffects.fit import LmmFit

_LABELLED = 5
_APART = (0.09, 0.07)  # of the width and the height: closer labels would touch


def influence_data(found: Influence) -> dict[str, Any]:
    """Measures of influence as columns.

    Parameters
    ----------
    found : Influence
        Of m groups or rows.

    Returns
    -------
    dict of columns (m,)
        by, deleted (the level, or the position of the row), cooks_distance, mdffits, covratio.
    """
    return {
        "by": [found.by] * len(found.labels),
        "deleted": [str(label) for label in found.labels],
        "cooks_distance": found.cooks_distance,
        "mdffits": found.mdffits,
        "covratio": found.covratio,
    }


def influence_picture(fit: LmmFit, by: Any = None, method: Method | None = None) -> Picture:
    """Needles of Cook's distance, the largest five with their labels.

    Parameters
    ----------
    fit : LmmFit
        Any fit with fixed effects.
    by, method
        As `mixedeffects.diagnostics.influence.influence` takes them.
    """
    columns = influence_data(influence(fit, by=by, method=method))

    def paint(ax: Any) -> Any:
        ax = style.one_axes(ax)
        draw_needles(ax, columns)
        return ax

    return Picture(columns=columns, kind=fit.model.data_kind, paint=paint, text=("by", "deleted"))


def draw_needles(ax: Any, columns: dict[str, Any]) -> None:
    """Draw the needles.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    columns : dict
        As `influence_data` gives them.
    """
    distance = columns["cooks_distance"]
    m, name = len(distance), columns["by"][0]
    place = np.arange(m)
    many = m > style.MANY
    ax.vlines(
        place, 0.0, distance, color=style.BLUE, linewidth=float(np.clip(60.0 / m, 0.3, 1.2)), rasterized=many, zorder=2
    )
    ax.plot(
        place,
        distance,
        "o",
        color=style.BLUE,
        markersize=min(style.mark_size(m), 3.4),
        markeredgewidth=0,
        rasterized=many,
        zorder=3,
    )
    top = float(np.nanmax(distance, initial=0.0)) or 1.0
    ax.set_ylim(0.0, 1.12 * top)
    ax.set_xlim(-1.0 - 0.03 * m, m + 0.03 * m)
    for i in _labelled(distance, top):
        ax.annotate(
            style.short(columns["deleted"][i]),
            (place[i], distance[i]),
            (0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=style.SMALL,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        )
    style.few_ticks(ax)
    if name != "row":
        ax.set_xticks([])
    ax.set_xlabel("row" if name == "row" else f"{name} ({m:,} levels, in order)")
    ax.set_ylabel("Cook's distance")


def _labelled(distance: NDArray[np.float64], top: float) -> list[int]:
    """The largest distances, without those whose label would touch the one of a larger distance."""
    chosen: list[int] = []
    for i in np.argsort(-np.nan_to_num(distance), kind="stable")[:_LABELLED].tolist():
        if not distance[i] > 0.0:
            continue
        apart = [
            abs(i - j) > _APART[0] * len(distance) or abs(distance[i] - distance[j]) > _APART[1] * top for j in chosen
        ]
        if all(apart):
            chosen.append(i)
    return chosen
