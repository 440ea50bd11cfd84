"""Cook's distance of each deleted group or row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.diagnostics.influence import influence
from mixedeffects.plots import style
from mixedeffects.plots.labels import Label, place_labels
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.diagnostics.influence import Influence
    from mixedeffects.fit import LmmFit

_LABELLED = 5


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


def influence_picture(fit: LmmFit, by: Any = None, method: Any = None) -> Picture:
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
        own = ax is None
        ax = style.one_axes(ax)
        draw_needles(ax, columns, own=own)
        return ax

    return Picture(columns=columns, kind=fit.model.data_kind, paint=paint, text=("by", "deleted"))


def draw_needles(ax: Any, columns: dict[str, Any], *, own: bool = False) -> None:
    """Draw the needles.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    columns : dict
        As `influence_data` gives them.
    own : bool
        Whether the figure is ours; the labels then find their places after it is laid out.
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
    ax.set_xlim(-1.0 - 0.03 * m, m + 0.03 * m)
    style.few_ticks(ax)
    if name == "row":
        ax.set_xlabel("row")
    else:
        style.level_ticks(ax, columns["deleted"], "x", name)
    ax.set_ylabel("Cook's distance")
    _name_largest(ax, distance, [style.short(text) for text in columns["deleted"]], own=own)


def _name_largest(ax: Any, distance: NDArray[np.float64], names: list[str], *, own: bool) -> None:
    """Write the names of the five largest distances above them, and leave room for them at the top."""
    top = float(np.nanmax(distance, initial=0.0)) or 1.0
    largest = np.argsort(-np.nan_to_num(distance), kind="stable")[:_LABELLED]
    largest = largest[np.nan_to_num(distance)[largest] > 0.0]
    widths, line = [style.text_width(names[i]) for i in largest], style.line_height()
    labels: list[Label] = []
    for lines in range(1, 2 * _LABELLED + 2):
        height = ax.get_window_extent().height * 72.0 / ax.figure.dpi
        ax.set_ylim(0.0, top / (1.0 - min((lines * line + 4.0) / height, 0.7)))
        if own:
            ax.figure.draw_without_rendering()  # the layout gives the axes their size
        points = ax.transData.transform(np.column_stack([largest, distance[largest]]))
        x, y = ((points - ax.bbox.min) * 72.0 / ax.figure.dpi).T
        width, height = ax.bbox.size * 72.0 / ax.figure.dpi
        labels = place_labels(x, y, widths, line, width)
        if all(head + label.foot + line <= height for head, label in zip(y, labels, strict=True)):
            break
    for i, label in zip(largest, labels, strict=True):
        ax.annotate(
            names[i],
            (i, distance[i]),
            ((label.left + label.right) / 2.0, label.foot),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=style.SMALL,
            arrowprops={"arrowstyle": "-", "color": style.GREY, "linewidth": 0.5, "shrinkA": 0.0, "shrinkB": 0.0}
            if label.lines
            else None,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        )
