"""Conditional modes of the random effects with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from mixedeffects.errors import DataError
from mixedeffects.fit.effects import block_modes, block_names, conditional_variances
from mixedeffects.plots import style
from mixedeffects.plots.columns import block_group, block_labels, blocks_of, chosen_columns, joined
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

_COLUMNS = 3  # panels side by side
_LINE = 16  # characters of a title that fit above a panel


def caterpillar_data(
    fit: LmmFit, group: str | None = None, term: str | None = None, *, order: bool = True, level: float = 0.95
) -> dict[str, Any]:
    """Conditional modes with normal intervals.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    group : str, optional
        One grouping factor; all by default.
    term : str, optional
        One column of the random effects; all by default.
    order : bool
        Number the levels of a factor by the modes of its first column that is drawn; else as the factor has them.
    level : float
        Of the intervals.

    Returns
    -------
    dict of columns
        group, term, level, estimate, std_error (given the estimated parameters), lower, upper, position (0 is lowest).

    Raises
    ------
    DataError
        For an unknown group or term, or a level outside (0, 1).
    """
    return joined(_panels(fit, group, term, order=order, level=level))


def _panels(fit: LmmFit, group: str | None, term: str | None, *, order: bool, level: float) -> list[dict[str, Any]]:
    if not 0.0 < level < 1.0:
        raise DataError(f"level={level!r} must lie between 0 and 1")
    variances = conditional_variances(fit)
    panels = []
    for block in blocks_of(fit, group):
        if group is None and term is not None and term not in block_names(fit, block):
            continue
        chosen = chosen_columns(fit, block, term)
        modes = block_modes(fit, block)
        rank = _ranks(modes[:, chosen[0]]) if order else np.arange(len(modes))
        labels = block_labels(fit, block)
        for j in chosen:
            error = np.sqrt(np.clip(variances[block][:, j, j], 0.0, None))
            half = ndtri(0.5 + level / 2.0) * error
            panels.append(
                {
                    "group": [block_group(fit, block)] * len(labels),
                    "term": [block_names(fit, block)[j]] * len(labels),
                    "level": labels,
                    "estimate": modes[:, j],
                    "std_error": error,
                    "lower": modes[:, j] - half,
                    "upper": modes[:, j] + half,
                    "position": rank,
                }
            )
    if not panels:
        chosen_columns(fit, 0, term)  # says what there is
    return panels


def _ranks(values: NDArray[np.float64]) -> NDArray[np.intp]:
    rank = np.empty(len(values), dtype=np.intp)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    return rank


def caterpillar_picture(
    fit: LmmFit, group: str | None = None, term: str | None = None, *, order: bool = True, level: float = 0.95
) -> Picture:
    """Intervals of the conditional modes, one panel per column; parameters as in `caterpillar_data`.

    Panels of one column, which have one unit, have one scale.
    """
    panels = _panels(fit, group, term, order=order, level=level)
    longest = max(len(panel["level"]) for panel in panels)
    height = 0.125 * longest + 0.5 if longest <= style.MOST_LABELS else 3.6

    def paint(ax: Any) -> Any:
        axes = style.panel_axes(
            ax, len(panels), columns=_COLUMNS, panel_height=max(height, 1.2), what="columns of random effects"
        )
        several = len({panel["group"][0] for panel in panels}) > 1
        for j, (one, panel) in enumerate(zip(axes, panels, strict=True)):
            _draw(one, panel)
            style.few_ticks(one, 4)
            title = style.panel_title(panel["group"][0], panel["term"][0], _LINE) if several else str(panel["term"][0])
            one.set_title(title, fontsize=style.TEXT, pad=3)
            same = j > 0 and panels[j - 1]["group"][0] == panel["group"][0]
            _levels(one, panel, first=not same or (ax is None and j % _COLUMNS == 0), room=ax is None)
        _one_scale(axes, panels)
        if ax is None:
            for one in axes:
                style.ticks_apart(one, 4, style.panel_width(min(len(panels), _COLUMNS)))
        style.label_below(axes, "conditional mode", own=ax is None)
        return axes

    text = ("group", "term", "level")
    return Picture(columns=joined(panels), kind=fit.model.data_kind, paint=paint, text=text)


def _draw(ax: Any, panel: dict[str, Any]) -> None:
    n = len(panel["level"])
    y, width = panel["position"], float(np.clip(60.0 / n, 0.2, 1.2))
    ax.axvline(0.0, color=style.GREY, linewidth=0.8, zorder=1)
    ax.hlines(
        y,
        panel["lower"],
        panel["upper"],
        color=style.BLUE,
        linewidth=width,
        alpha=0.8,
        rasterized=n > style.MANY,
        zorder=2,
    )
    ax.plot(
        panel["estimate"],
        y,
        "o",
        color=style.BLUE if n <= style.MOST_LABELS else style.VERMILLION,
        markersize=float(np.clip(250.0 / n, 0.8, 3.6)),
        markeredgewidth=0,
        rasterized=n > style.MANY,
        zorder=3,
    )
    ax.set_ylim(-0.6 - 0.01 * n, n - 0.4 + 0.01 * n)
    if not panel["estimate"].any():
        style.note(ax, "variance 0")


def _one_scale(axes: NDArray[Any], panels: list[dict[str, Any]]) -> None:
    """Give the panels of each column the limits that hold all of them."""
    for term in dict.fromkeys(panel["term"][0] for panel in panels):
        same = [ax for ax, panel in zip(axes, panels, strict=True) if panel["term"][0] == term]
        limits = np.array([ax.get_xlim() for ax in same])
        for ax in same:
            ax.set_xlim(limits[:, 0].min(), limits[:, 1].max())


def _levels(ax: Any, panel: dict[str, Any], *, first: bool, room: bool) -> None:
    if first:
        labels = [panel["level"][i] for i in np.argsort(panel["position"])]
        style.level_ticks(ax, labels, name=panel["group"][0], room=room)
    else:
        ax.set_yticks([])
