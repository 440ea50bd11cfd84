"""The data of each group with its own fitted line and the common one, in small panels."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.fit.effects import block_modes, block_names, linear_predictor
from mixedeffects.formula import bare
from mixedeffects.frame import Factor
from mixedeffects.plots import style
from mixedeffects.plots.columns import (
    axis_label,
    block_columns,
    block_factor,
    block_group,
    block_labels,
    block_of,
    column,
    default_x,
    joined,
    mean_function,
    positions,
    response_label,
)
from mixedeffects.plots.held import At, Held, along, axis_grid, held_values, other_predictors, taken, varying
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

MOST = 30  # panels by default
_GRID = 60  # points of a curve
_WIDEST = 56  # characters of a line above the panels
_POINTS = {"data": "data", "partial": "partial residuals"}  # what the legend calls them
# Up to so many panels with labels of so many characters: how many side by side, and how high in inches.
_LAYOUTS = ((4, 99, 2, 1.4), (9, 18, 3, 1.1), (20, 13, 4, 0.85), (10**9, 10, 5, 0.85))


class _Chosen(NamedTuple):
    """The covariate, the block, its levels in the order of the panels, and the other blocks.

    Those within whose levels the level lies add to its line; the effects of the others vary along it. `held` has the
    values of predictors that are not as observed; `dashed` are those that vary along a line.
    """

    x: str
    block: int
    levels: NDArray[np.intp]
    enclosing: list[int]
    crossed: list[int]
    alone: bool
    held: Held | None
    dashed: bool

    @property
    def blocks(self) -> list[int]:
        """The blocks whose effects are in the own line."""
        return [self.block, *self.enclosing]


class _Curves(NamedTuple):
    """For some levels: places on the axis, and the own and the common fitted values there."""

    x: list[NDArray[np.float64]]
    own: list[NDArray[np.float64]]
    common: list[NDArray[np.float64]]


def trajectories_data(
    fit: LmmFit, x: str | None = None, n: int | None = None, group: str | None = None, at: At = None
) -> dict[str, Any]:
    """Data, own line and common line of some levels of a factor.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    x : str, optional
        A column that the formula names; by default the only numeric covariate with a random slope, else the first
        predictor of the fixed part that varies within levels of `group`, numeric ones before categories, else the first
        numeric one.
    n : int, optional
        Number of levels, 30 by default; they are taken evenly from all, ordered as the panels are.
    group : str, optional
        A grouping factor; by default the first with a random slope in x, else the one of most levels.
    at : mapping of str to value, or ``"observed"``, optional
        Values of other predictors, as `held_values` takes them.

    Returns
    -------
    dict of columns
        group, level, panel (from 1, by increasing slope of the own line, or by its intercept where no slope in x is
        random), part ("data", or "partial" if other effects are subtracted; "own", "common"), x (levels of a category
        as 0, 1, ...), y.

    Raises
    ------
    DataError
        For an unknown group or column, an x that cannot be chosen, or an n below 1.

    Notes
    -----
    common = X beta + offset, and own = X beta + offset + Z b with the effects of this factor and of all factors within
    whose levels its levels lie: of ``Block/Variety`` the line of a variety in a block has the effects of the block too.
    Effects of other, crossed factors vary within the level. They are subtracted from the response, y - Z_c b_c, so that
    point and line differ by the residual. If x is numeric and the only predictor, the lines are curves over its range
    in the panels. Else those that are the same in all rows of a level are as observed there; if others vary within a
    level they are held at one value, and points are line plus residual. With ``at="observed"`` the lines are the values
    at the rows.

    Of a generalized fit the points are the data and the lines means, g^-1 of the linear predictors above, with the
    effects of crossed factors at 0: nothing can be subtracted from a count.
    """
    return joined(_panels(fit, _chosen(fit, x, n, group, at)))


def _chosen(fit: LmmFit, x: str | None, n: int | None, group: str | None, at: At) -> _Chosen:
    x = default_x(fit, block_factor(fit, block_of(fit, group))) if x is None else bare(x)
    column(fit, x)
    if n is not None and (isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1):
        raise DataError(f"n={n!r} must be a whole number of at least 1")
    sloped = [b for b in range(len(fit.model.factors)) if x in block_names(fit, b)]
    block = sloped[0] if group is None and sloped else block_of(fit, group)
    parents = {b: _parents(fit, block, b) for b in range(len(fit.model.factors)) if b != block}
    enclosing = {b: parent for b, parent in parents.items() if parent is not None}
    order = np.argsort(_sizes(fit, x, block, enclosing), kind="stable")
    shown = min(MOST if n is None else int(n), len(order))
    levels = order[np.round(np.linspace(0, len(order) - 1, shown)).astype(np.intp)]
    crossed = [b for b, parent in parents.items() if parent is None]
    others = other_predictors(fit, x, [block, *enclosing])
    within = varying(fit, block, others)
    held = held_values(fit, x, others, within, at)
    return _Chosen(
        x=x,
        block=block,
        levels=levels,
        enclosing=list(enclosing),
        crossed=crossed,
        alone=not others and not isinstance(column(fit, x), Factor),
        held=held,
        dashed=held is None and bool(within),
    )


def _parents(fit: LmmFit, block: int, other: int) -> NDArray[np.intp] | None:
    """The level of another factor in which each level of a block's factor lies, (J,), if it lies in one."""
    inner, outer = block_factor(fit, block), block_factor(fit, other)
    parent = np.zeros(inner.n_levels, dtype=np.intp)
    parent[inner.codes] = outer.codes
    return parent if np.array_equal(parent[inner.codes], outer.codes) else None


def _sizes(fit: LmmFit, x: str, block: int, enclosing: dict[int, NDArray[np.intp]]) -> NDArray[np.float64]:
    """What the panels are ordered by: the levels' slopes in x, or their own first coefficient if none is random."""
    every = {block: np.arange(block_factor(fit, block).n_levels), **enclosing}
    term = x if any(x in block_names(fit, b) for b in every) else block_names(fit, block)[0]
    names, total = list(fit.model.kept_names), np.zeros(len(every[block]))
    for b, parent in every.items():
        for j in (j for j, name in enumerate(block_names(fit, b)) if name == term):
            total += block_modes(fit, b)[parent, j]
    return total + (fit.solution.beta[names.index(term)] if term in names else 0.0)


def _panels(fit: LmmFit, chosen: _Chosen) -> list[dict[str, Any]]:
    x, block = chosen.x, chosen.block
    factor, at = block_factor(fit, block), positions(column(fit, x))
    labels = block_labels(fit, block)
    rows = _rows_of(factor, chosen.levels, at)
    smooth = chosen.alone or chosen.held is not None
    curves = _over_grid(fit, chosen, rows) if smooth else _at_rows(fit, chosen, rows, at)
    mean = mean_function(fit)
    partial = bool(chosen.crossed or chosen.held) and mean is None
    y = _partial(fit, chosen, rows) if partial else fit.model.y
    points = "partial" if partial else "data"
    if mean is not None:
        curves = _Curves(curves.x, [mean(own) for own in curves.own], [mean(common) for common in curves.common])
    panels = []
    for j, (level, mine) in enumerate(zip(chosen.levels, rows, strict=True)):
        parts = {
            points: (at[mine], y[mine]),
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


def _over_grid(fit: LmmFit, chosen: _Chosen, rows: list[NDArray[np.intp]]) -> _Curves:
    model, layout = fit.model, fit.objective.layout
    encodings = [model.encoding, *(model.terms[t].encoding for b in chosen.blocks for t in layout.terms_of[b])]
    plain = all(encoding.spec is None for encoding in encodings) and not model.formula.offsets
    straight = plain and mean_function(fit) is None
    grid = axis_grid(fit, chosen.x, np.concatenate(rows), 2 if straight else _GRID)
    own, common = along(fit, chosen.x, grid, np.array([mine[0] for mine in rows]), chosen.held, chosen.blocks)
    return _Curves([positions(grid)] * len(rows), list(own), list(common))


def _partial(fit: LmmFit, chosen: _Chosen, rows: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """The own line at each row plus its residual, (n,); with nothing held the response less the effects of others."""
    if chosen.held is None:
        return np.asarray(fit.model.y - _effects(fit, chosen.crossed))
    y, values = fit.model.y - linear_predictor(fit), column(fit, chosen.x)
    for mine in rows:
        y[mine] += along(fit, chosen.x, taken(values, mine), mine[:1], chosen.held, chosen.blocks)[0][0]
    return y


def _at_rows(fit: LmmFit, chosen: _Chosen, rows: list[NDArray[np.intp]], at: NDArray[np.float64]) -> _Curves:
    common = linear_predictor(fit, random=False)
    own = common + _effects(fit, chosen.blocks)
    return _Curves([at[mine] for mine in rows], [own[mine] for mine in rows], [common[mine] for mine in rows])


def _effects(fit: LmmFit, blocks: list[int]) -> NDArray[np.float64]:
    """Z b of some blocks, (n,)."""
    out = np.zeros(fit.nobs)
    for b in blocks:
        modes = block_modes(fit, b)[block_factor(fit, b).codes]
        out += np.einsum("nk,nk->n", block_columns(fit, b), modes)
    return out


def trajectories_picture(
    fit: LmmFit, x: str | None = None, n: int | None = None, group: str | None = None, at: At = None
) -> Picture:
    """Small panels with data and lines; parameters as in `trajectories_data`."""
    chosen = _chosen(fit, x, n, group, at)
    panels = _panels(fit, chosen)
    values = column(fit, chosen.x)
    labels = axis_label(fit, chosen.x), response_label(fit)
    joins = not chosen.dashed
    side, height = _layout([panel["level"][0] for panel in panels])
    categories = _Categories.of(values, min(side, len(panels))) if isinstance(values, Factor) else None
    if categories is not None:
        height += categories.height / -(-len(panels) // side)

    def paint(ax: Any) -> Any:
        axes = style.panel_axes(ax, len(panels), columns=side, panel_height=height, what="levels", share=True)
        for one, panel in zip(axes, panels, strict=True):
            _draw(one, panel, joins=joins)
            style.few_ticks(one, 2, 3)
            if categories is not None:
                categories.write(one)
        if ax is None:
            _around(axes, *labels, _remark(fit, chosen))
        else:
            style.common_labels(axes, side, *labels, own=False)
        return axes

    text = ("group", "level", "part")
    return Picture(columns=joined(panels), kind=fit.model.data_kind, paint=paint, text=text)


def _draw(ax: Any, panel: dict[str, Any], *, joins: bool) -> None:
    part = np.array(panel["part"], dtype=object)
    points = panel["part"][0]
    lines = {name: (panel["x"][part == name], panel["y"][part == name]) for name in (points, "own", "common")}
    n = len(lines[points][0])
    look = {"markersize": min(style.mark_size(4 * n), 2.3), "markeredgewidth": 0, "alpha": style.opacity(n)}
    ax.plot(*lines[points], "o", color=style.GREY, rasterized=n > style.MANY, zorder=2, label=_POINTS[points], **look)
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


class _Categories(NamedTuple):
    """Labels below a panel, and whether they stand upright for want of room beside each other."""

    labels: list[str]
    upright: bool

    @classmethod
    def of(cls, values: Factor, side: int) -> _Categories:
        """Those of a factor, with so many panels side by side."""
        labels = [style.short(str(value), 12) for value in values.labels]
        apart = style.panel_width(side) / (len(labels) - 0.2)
        return cls(labels, max(map(style.text_width, labels)) + style.APART > apart)

    @property
    def height(self) -> float:
        """What upright ones take of the figure, in inches."""
        return max(map(style.text_width, self.labels)) / 72.0 if self.upright else 0.0

    def write(self, ax: Any) -> None:
        """Write them at 0, 1, 2, ..."""
        ax.set_xticks(range(len(self.labels)), labels=self.labels, rotation=90 if self.upright else 0)
        ax.set_xlim(-0.4, len(self.labels) - 0.6)


def _layout(labels: list[str]) -> tuple[int, float]:
    """Panels side by side and their height: as many as suit their number and leave room for their labels."""
    longest = min(max(map(len, labels)), 18)
    chosen = next(j for j, layout in enumerate(_LAYOUTS) if len(labels) <= layout[0])
    while longest > _LAYOUTS[chosen][1]:
        chosen -= 1
    return _LAYOUTS[chosen][2:]


def _remark(fit: LmmFit, chosen: _Chosen) -> str | None:
    """How many levels are shown, and what the points are if they are not the data."""
    J, shown = block_factor(fit, chosen.block).n_levels, len(chosen.levels)
    parts = [f"{shown} of {J:,} levels of {block_group(fit, chosen.block)}"] if shown < J else []
    if chosen.held is not None:
        parts.append(fill(f"lines at {chosen.held.text()}", _WIDEST))
    if chosen.held is not None and mean_function(fit) is None:
        parts.append("points: line plus residual")
    elif chosen.crossed:
        names = ", ".join(block_group(fit, b) for b in chosen.crossed)
        parts.append(
            f"points: response less the effects of {names}"
            if mean_function(fit) is None
            else f"lines: effects of {names} at 0"
        )
    return "\n".join(parts) or None


def _around(axes: NDArray[Any], x: str, y: str, remark: str | None) -> None:
    """Labels, legend and remark of a figure of our own."""
    figure = axes[0].figure
    style.label_below(axes, x, own=True)
    if len(axes) > 1:
        figure.supylabel(y, fontsize=style.TEXT)
    else:
        axes[0].set_ylabel(y)
    style.legend(axes[0], own=True, title=remark)
