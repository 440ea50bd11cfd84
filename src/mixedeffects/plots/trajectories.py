"""The data of each group with its own fitted line and the common one, in small panels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mixedeffects.design.encoding import replay
from mixedeffects.errors import DataError
from mixedeffects.fit.effects import block_modes, block_names, linear_predictor
from mixedeffects.formula import term_columns
from mixedeffects.frame import Factor
from mixedeffects.plots import style
from mixedeffects.plots.columns import (
    axis_label,
    block_columns,
    block_factor,
    block_fixed,
    block_group,
    block_labels,
    block_of,
    column,
    default_x,
    joined,
    positions,
    response_label,
)
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

MOST = 30  # panels by default
_GRID = 60  # points of a curve
# Up to so many panels with labels of so many characters: how many side by side, and how high in inches.
_LAYOUTS = ((4, 99, 2, 1.4), (9, 18, 3, 1.1), (20, 13, 4, 0.85), (10**9, 10, 5, 0.85))


class _Curves(NamedTuple):
    """For some levels: places on the axis, and the own and the common fitted values there."""

    x: list[NDArray[np.float64]]
    own: list[NDArray[np.float64]]
    common: list[NDArray[np.float64]]


def trajectories_data(
    fit: LmmFit, x: str | None = None, n: int | None = None, group: str | None = None
) -> dict[str, Any]:
    """Data, own line and common line of some levels of a factor.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    x : str, optional
        A column that the formula names; by default the only numeric covariate with a random slope, else the first
        numeric covariate of the fixed part.
    n : int, optional
        Number of levels, 30 by default; they are taken evenly from all, ordered as the panels are.
    group : str, optional
        A grouping factor; by default the first with a random slope in x, else the one of most levels.

    Returns
    -------
    dict of columns
        group, level, panel (from 1, by increasing slope, or by the first random effect where there is none in x), part
        ("data", "own", "common"), x (levels of a category as 0, 1, ...), y.

    Raises
    ------
    DataError
        For an unknown group or column, an x that cannot be chosen, or an n below 1.

    Notes
    -----
    own = X beta + offset + Z b with the effects of this factor alone, common = X beta + offset. If x is numeric and the
    only predictor, they are curves over its range in the panels; else the values at the rows of the level, where the
    other predictors are as observed.
    """
    x, block, levels = _chosen(fit, x, n, group)
    return joined(_panels(fit, x, block, levels))


def _chosen(fit: LmmFit, x: str | None, n: int | None, group: str | None) -> tuple[str, int, NDArray[np.intp]]:
    """The covariate, the block, and the levels in the order of the panels."""
    x = default_x(fit) if x is None else x
    column(fit, x)
    if n is not None and (isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1):
        raise DataError(f"n={n!r} must be a whole number of at least 1")
    sloped = [b for b in range(len(fit.model.factors)) if x in block_names(fit, b)]
    block = sloped[0] if group is None and sloped else block_of(fit, group)
    names = block_names(fit, block)
    j = names.index(x) if x in names else 0
    order = np.argsort(block_fixed(fit, block)[j] + block_modes(fit, block)[:, j], kind="stable")
    shown = min(MOST if n is None else int(n), len(order))
    return x, block, order[np.round(np.linspace(0, len(order) - 1, shown)).astype(np.intp)]


def _panels(fit: LmmFit, x: str, block: int, levels: NDArray[np.intp]) -> list[dict[str, Any]]:
    factor, at = block_factor(fit, block), positions(column(fit, x))
    labels = block_labels(fit, block)
    rows = _rows_of(factor, levels, at)
    alone = not _others(fit, x, block) and not isinstance(column(fit, x), Factor)
    span = np.concatenate([at[mine] for mine in rows])
    curves = _over_grid(fit, x, block, levels, span) if alone else _at_rows(fit, block, rows, at)
    panels = []
    for j, (level, mine) in enumerate(zip(levels, rows, strict=True)):
        parts = {
            "data": (at[mine], fit.model.y[mine]),
            "own": (curves.x[j], curves.own[j]),
            "common": (curves.x[j], curves.common[j]),
        }
        sizes = [len(values) for values, _ in parts.values()]
        panels.append(
            {
                "group": [factor.name] * sum(sizes),
                "level": [labels[level]] * sum(sizes),
                "panel": np.full(sum(sizes), j + 1),
                "part": [part for part, size in zip(parts, sizes, strict=True) for _ in range(size)],
                "x": np.concatenate([values for values, _ in parts.values()]),
                "y": np.concatenate([values for _, values in parts.values()]),
            }
        )
    return panels


def _rows_of(factor: Factor, levels: NDArray[np.intp], at: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """The rows of each level by increasing x."""
    order = np.lexsort((at, factor.codes))
    ends = np.cumsum(np.bincount(factor.codes, minlength=factor.n_levels))
    return [order[(ends[level - 1] if level else 0) : ends[level]] for level in levels]


def _others(fit: LmmFit, x: str, block: int) -> list[NDArray[np.float64]]:
    """What the lines depend on beside x: columns of the fixed part and of the block's terms, and the offset."""
    model = fit.model
    terms = [model.terms[t].source.expr for t in fit.objective.layout.terms_of[block]]
    used = dict.fromkeys(name for expr in (model.formula.fixed, *terms) for name in term_columns(expr))
    others = [positions(column(fit, name)) for name in used if name != x]
    return others if model.offset is None else [*others, model.offset]


def _joined(fit: LmmFit, x: str, block: int) -> bool:
    """Whether within every level the lines depend on x alone, so that they are lines."""
    codes = block_factor(fit, block).codes
    order = np.argsort(codes, kind="stable")
    within = np.diff(codes[order]) == 0
    return all(not np.diff(values[order])[within].any() for values in _others(fit, x, block))


def _over_grid(fit: LmmFit, x: str, block: int, levels: NDArray[np.intp], values: NDArray[np.float64]) -> _Curves:
    model = fit.model
    members = [model.terms[t] for t in fit.objective.layout.terms_of[block]]
    straight = all(encoding.spec is None for encoding in (model.encoding, *(term.encoding for term in members)))
    grid = np.linspace(values.min(), values.max(), 2 if straight else _GRID)
    common = replay(model.encoding, {x: grid}, len(grid))[:, model.kept] @ fit.solution.beta
    Z = np.hstack([replay(term.encoding, {x: grid}, len(grid))[:, list(term.positions)] for term in members])
    own = common + block_modes(fit, block)[levels] @ Z.T
    return _Curves([grid] * len(levels), list(own), [common] * len(levels))


def _at_rows(fit: LmmFit, block: int, rows: list[NDArray[np.intp]], at: NDArray[np.float64]) -> _Curves:
    common = linear_predictor(fit, random=False)
    modes = block_modes(fit, block)[block_factor(fit, block).codes]
    own = common + np.einsum("nk,nk->n", block_columns(fit, block), modes)
    return _Curves([at[mine] for mine in rows], [own[mine] for mine in rows], [common[mine] for mine in rows])


def trajectories_picture(fit: LmmFit, x: str | None = None, n: int | None = None, group: str | None = None) -> Picture:
    """Small panels with data and lines; parameters as in `trajectories_data`."""
    x, block, levels = _chosen(fit, x, n, group)
    panels = _panels(fit, x, block, levels)
    J = block_factor(fit, block).n_levels
    values = column(fit, x)
    joins = _joined(fit, x, block)
    side, height = _layout([panel["level"][0] for panel in panels])

    def paint(ax: Any) -> Any:
        axes = style.panel_axes(ax, len(panels), columns=side, panel_height=height, what="levels", share=True)
        for one, panel in zip(axes, panels, strict=True):
            _draw(one, panel, joins=joins)
            style.few_ticks(one, 2, 3)
            if isinstance(values, Factor):
                one.set_xticks(range(values.n_levels), labels=[style.short(str(v), 6) for v in values.labels])
        if ax is None:
            _around(axes, axis_label(fit, x), response_label(fit), block_group(fit, block), J)
        else:
            style.common_labels(axes, side, axis_label(fit, x), response_label(fit), own=False)
        return axes

    text = ("group", "level", "part")
    return Picture(columns=joined(panels), kind=fit.model.data_kind, paint=paint, text=text)


def _draw(ax: Any, panel: dict[str, Any], *, joins: bool) -> None:
    part = np.array(panel["part"], dtype=object)
    lines = {name: (panel["x"][part == name], panel["y"][part == name]) for name in ("data", "own", "common")}
    n = len(lines["data"][0])
    look = {"markersize": min(style.mark_size(4 * n), 2.3), "markeredgewidth": 0, "alpha": style.opacity(n)}
    ax.plot(*lines["data"], "o", color=style.GREY, rasterized=n > style.MANY, zorder=2, label="data", **look)
    looks = (
        ("own", "own line", style.BLUE, 1.3, "-", 4),
        ("common", "common line", style.VERMILLION, 1.0, (0, (3, 1.5)), 3),
    )
    for name, label, colour, width, dash, z in looks:
        if joins:
            ax.plot(*lines[name], color=colour, linewidth=width, linestyle=dash, zorder=z, label=label)
        else:
            ax.plot(*lines[name], "_", color=colour, markersize=4.0, markeredgewidth=width, zorder=z, label=label)
    ax.set_title(style.short(panel["level"][0], 18), fontsize=style.SMALL, pad=2)


def _layout(labels: list[str]) -> tuple[int, float]:
    """Panels side by side and their height: as many as suit their number and leave room for their labels."""
    longest = min(max(map(len, labels)), 18)
    chosen = next(j for j, layout in enumerate(_LAYOUTS) if len(labels) <= layout[0])
    while longest > _LAYOUTS[chosen][1]:
        chosen -= 1
    return _LAYOUTS[chosen][2:]


def _around(axes: NDArray[Any], x: str, y: str, group: str, J: int) -> None:
    """Labels, legend and remark of a figure of our own."""
    figure = axes[0].figure
    figure.supxlabel(x, fontsize=style.TEXT)
    figure.supylabel(y, fontsize=style.TEXT)
    style.legend(axes[0], own=True, title=f"{len(axes)} of {J:,} levels of {group}" if len(axes) < J else None)
