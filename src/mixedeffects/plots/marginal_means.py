"""Marginal means with their intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.plots import style
from mixedeffects.plots.columns import axis_label, modelled_category, response_label
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from mixedeffects.inference.emmeans import MarginalMeans

_COLUMNS = 3  # panels side by side


def marginal_means_picture(means: MarginalMeans) -> Picture:
    """Point ranges of marginal means, one panel for each combination of the `by` predictors.

    Parameters
    ----------
    means : MarginalMeans
        The levels of `specs` stand in their order, the first on top; all panels have one scale.
    """
    rows = len(means.L)
    size = rows // math.prod(len(dict.fromkeys(means.columns[name])) for name in means.by)
    panels = [slice(start, start + size) for start in range(0, rows, size)]
    labels = [_label(means, means.specs, row) for row in range(size)]
    label = _axis_label(means)

    def paint(ax: Any) -> Any:
        height = 0.17 * size + 0.6 if size <= style.MOST_LABELS else 3.6
        axes = style.panel_axes(
            ax, len(panels), columns=_COLUMNS, panel_height=max(height, 1.2), what="panels of means"
        )
        for j, (one, panel) in enumerate(zip(axes, panels, strict=True)):
            _draw(one, {name: np.asarray(means.columns[name][panel]) for name in ("estimate", "lower", "upper")})
            if means.by:
                one.set_title(", ".join(_headed(means, panel.start)), fontsize=style.TEXT, pad=3)
            if ax is not None or j % _COLUMNS == 0:
                style.level_ticks(one, labels, name=", ".join(means.specs), room=ax is None)
            else:
                one.set_yticks([])
        limits = np.array([one.get_xlim() for one in axes])
        for one in axes:
            one.set_xlim(limits[:, 0].min(), limits[:, 1].max())
        style.label_below(axes, label, own=ax is None)
        return axes if len(axes) > 1 else axes[0]

    return Picture(columns=means.columns, kind=means.kind, paint=paint, text=means.text)


def _label(means: MarginalMeans, names: tuple[str, ...], row: int) -> str:
    return ", ".join(_text(means.columns[name][row]) for name in names)


def _headed(means: MarginalMeans, row: int) -> list[str]:
    """The values of the `by` predictors, numbers after their names."""
    values = {name: means.columns[name][row] for name in means.by}
    return [f"{name} {_text(value)}" if _is_number(value) else str(value) for name, value in values.items()]


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _axis_label(means: MarginalMeans) -> str:
    if means.scale is not None and means.scale.of is not None:
        return f"marginal median of {axis_label(means.fit, means.scale.of)}"
    if isinstance(means.fit, GlmmFit) and means.scale is None:
        return f"marginal mean ({means.fit.distribution.link.name})"
    modelled = modelled_category(means.fit) if isinstance(means.fit, GlmmFit) else None
    if modelled is not None:
        return f"probability of {modelled}"
    label = response_label(means.fit)
    return f"marginal {label}" if label.startswith("proportion") else f"marginal mean of {label}"


def _draw(ax: Any, panel: dict[str, Any]) -> None:
    y = np.arange(len(panel["estimate"]))
    ax.hlines(y, panel["lower"], panel["upper"], color=style.BLUE, linewidth=1.2, zorder=2)
    ax.plot(panel["estimate"], y, "o", color=style.BLUE, markersize=3.6, markeredgewidth=0, zorder=3)
    style.few_ticks(ax, 4)
    ax.set_ylim(len(y) - 0.4, -0.6)
