"""Conditional modes of one column against another, with the estimated covariance."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.fit.effects import block_modes, block_names
from mixedeffects.plots import style
from mixedeffects.plots.columns import block_covariance, block_group, block_labels, block_of, joined
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

SHARES = (0.5, 0.95)
_AROUND = 121  # points of an ellipse


def ranef_pairs_data(fit: LmmFit, group: str | None = None) -> dict[str, Any]:
    """Pairs of conditional modes, and ellipses that hold 50 and 95 % of the estimated normal distribution.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    group : str, optional
        A grouping factor with at least two columns; by default the first that has them.

    Returns
    -------
    dict of columns
        group, term_x, term_y, part ("mode", "50% ellipse", "95% ellipse"), level (None for an ellipse), x, y.

    Raises
    ------
    DataError
        If the factor has one column of random effects only.

    Notes
    -----
    The ellipse is {v : v' Sigma^-1 v = -2 log(1 - share)}, drawn as sqrt(-2 log(1 - share)) Sigma^(1/2) times the unit
    circle, which exists for a singular Sigma too: a line or a point.
    """
    return joined(_panels(fit, group))


def _panels(fit: LmmFit, group: str | None) -> list[dict[str, Any]]:
    block = _block(fit, group)
    names, modes, Sigma = block_names(fit, block), block_modes(fit, block), block_covariance(fit, block)
    labels = block_labels(fit, block)
    panels = []
    for i, j in combinations(range(len(names)), 2):
        rings = [_ellipse(Sigma[np.ix_([i, j], [i, j])], share) for share in SHARES]
        n = len(labels) + _AROUND * len(SHARES)
        points = np.concatenate([modes[:, [i, j]], *rings])
        panels.append(
            {
                "group": [block_group(fit, block)] * n,
                "term_x": [names[i]] * n,
                "term_y": [names[j]] * n,
                "part": ["mode"] * len(labels) + [f"{share:.0%} ellipse" for share in SHARES for _ in range(_AROUND)],
                "level": [*labels, *([None] * (_AROUND * len(SHARES)))],
                "x": points[:, 0],
                "y": points[:, 1],
            }
        )
    return panels


def _block(fit: LmmFit, group: str | None) -> int:
    widths = fit.objective.layout.block_widths
    if group is None:
        several = [block for block, k in enumerate(widths) if k > 1]
        if several:
            return several[0]
    block = block_of(fit, group)
    if widths[block] < 2:
        one = block_names(fit, block)[0]
        raise DataError(f"the random effects of {block_group(fit, block)!r} have the column {one!r} only: no pairs")
    return block


def _ellipse(Sigma: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(Sigma)
    angle = np.linspace(0.0, 2.0 * np.pi, _AROUND)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    radius = np.sqrt(-2.0 * np.log1p(-share))
    return np.asarray(radius * circle @ (vectors * np.sqrt(np.clip(values, 0.0, None))).T)


def ranef_pairs_picture(fit: LmmFit, group: str | None = None) -> Picture:
    """Scatter of pairs of modes with ellipses; parameters as in `ranef_pairs_data`."""
    panels = _panels(fit, group)

    def paint(ax: Any) -> Any:
        one = len(panels) == 1
        columns = 1 if one else 2
        axes = style.panel_axes(
            ax, len(panels), columns=columns, panel_height=2.8 if one else 1.75, what="pairs of random effects"
        )
        for where, panel in zip(axes, panels, strict=True):
            _draw(where, panel, style.TEXT if one else style.SMALL)
        return axes

    text = ("group", "term_x", "term_y", "part", "level")
    return Picture(columns=joined(panels), kind=fit.model.data_kind, paint=paint, text=text)


def _draw(ax: Any, panel: dict[str, Any], size: float) -> None:
    part = np.array(panel["part"], dtype=object)
    modes = part == "mode"
    n = int(modes.sum())
    ax.axhline(0.0, color=style.LIGHT, linewidth=0.7, zorder=1)
    ax.axvline(0.0, color=style.LIGHT, linewidth=0.7, zorder=1)
    for name, width in zip(dict.fromkeys(part[~modes]), (1.0, 1.4), strict=True):
        ring = part == name
        ax.plot(panel["x"][ring], panel["y"][ring], color=style.VERMILLION, linewidth=width, zorder=2)
    ax.plot(
        panel["x"][modes],
        panel["y"][modes],
        "o",
        color=style.BLUE,
        markersize=style.mark_size(n),
        markeredgewidth=0,
        alpha=style.opacity(n),
        rasterized=n > style.MANY,
        zorder=3,
    )
    style.few_ticks(ax)
    ax.set_xlabel(panel["term_x"][0], fontsize=size)
    ax.set_ylabel(panel["term_y"][0], fontsize=size)
    style.note(ax, f"{panel['group'][0]}: ellipses hold 50 and 95 %" if size == style.TEXT else "")
