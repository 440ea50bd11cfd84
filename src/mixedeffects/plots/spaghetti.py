"""The data as they are: one line per group, or the values of each group side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.formula import bare
from mixedeffects.frame import Factor
from mixedeffects.inference.variance import icc
from mixedeffects.plots import style
from mixedeffects.plots.columns import (
    axis_label,
    block_factor,
    block_group,
    block_labels,
    block_of,
    column,
    default_x,
    positions,
    response_label,
)
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit


_INTERCEPT = "Intercept"
_BARS = 100  # groups up to which a mean is a bar
_REACH = 0.38  # half the length of a bar, in units of the distance of two groups
_STEP = 0.12  # between equal values of a group, likewise


def spaghetti_data(fit: LmmFit, x: str | None = None, group: str | None = None) -> dict[str, NDArray[Any]]:
    """The response by group and by a covariate.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    x : str, optional
        A column that the formula names, numbers or categories; by default the only numeric covariate with a random
        slope, else the first numeric covariate of the fixed part.
    group : str, optional
        A grouping factor; the one of most levels by default.

    Returns
    -------
    dict of ndarray (n,)
        group, level, row, x, y, line (mean of the y of the level at this x), ordered by level and x.

    Raises
    ------
    DataError
        For an unknown group or column, or if there is no x to choose.
    """
    block = block_of(fit, group)
    factor, values = block_factor(fit, block), column(fit, default_x(fit) if x is None else x)
    order = np.lexsort((positions(values), factor.codes))
    labels = np.array(block_labels(fit, block), dtype=object)
    at = positions(values)[order]
    same = np.cumsum((np.diff(at, prepend=np.nan) != 0.0) | (np.diff(factor.codes[order], prepend=-1) != 0)) - 1
    y = fit.model.y[order]
    mean = np.bincount(same, y) / np.bincount(same)
    shown = np.array(values.labels, dtype=object)[values.codes] if isinstance(values, Factor) else values
    return {
        "group": np.full(fit.nobs, factor.name, dtype=object),
        "level": labels[factor.codes[order]],
        "row": fit.model.rows[order],
        "x": shown[order],
        "y": y,
        "line": mean[same],
    }


def spaghetti_picture(
    fit: LmmFit,
    x: str | None = None,
    group: str | None = None,
    line_at: float | Sequence[float] | None = None,
) -> Picture:
    """One line per group through its data; parameters as in `spaghetti_data`.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    x, group : str, optional
        As in `spaghetti_data`.
    line_at : float or sequence of float, optional
        Where to draw vertical lines.
    """
    name = default_x(fit) if x is None else bare(x)
    columns = spaghetti_data(fit, name, group)
    factor, values = block_factor(fit, block_of(fit, group)), column(fit, name)
    at = positions(values)[np.lexsort((positions(values), factor.codes))]
    lines = np.split(np.column_stack([at, columns["line"]]), np.cumsum(np.bincount(factor.codes))[:-1])

    def paint(ax: Any) -> Any:
        ax = style.one_axes(ax)
        from matplotlib.collections import LineCollection

        J = factor.n_levels
        width, alpha = float(np.clip(20.0 / np.sqrt(J), 0.3, 1.1)), float(np.clip(10.0 / np.sqrt(fit.nobs), 0.05, 0.75))
        ax.add_collection(
            LineCollection(lines, colors=style.BLUE, linewidths=width, alpha=alpha, rasterized=style.MANY < J, zorder=2)
        )
        single = np.array([line[0] for line in lines if len(line) == 1]).reshape(-1, 2)
        ax.plot(*single.T, "o", color=style.BLUE, markersize=1.5, markeredgewidth=0, alpha=max(alpha, 0.3))
        ax.autoscale_view()
        for place in np.atleast_1d([] if line_at is None else line_at):
            ax.axvline(place, color=style.VERMILLION, linewidth=1.2, zorder=3)
        style.few_ticks(ax, 6)
        if isinstance(values, Factor):
            style.level_ticks(ax, [str(label) for label in values.labels], "x", name)
        ax.set_xlabel(axis_label(fit, name))
        ax.set_ylabel(response_label(fit))
        style.note(ax, f"one line per {factor.name} ({J:,})")
        return ax

    return Picture(columns=columns, kind=fit.model.data_kind, paint=paint, text=("group", "level"))


def groups_data(fit: LmmFit, group: str | None = None, *, order: bool = False) -> dict[str, NDArray[Any]]:
    """The response by group.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    group : str, optional
        A grouping factor; the one of most levels by default.
    order : bool
        Number the levels by their means; else as the factor has them.

    Returns
    -------
    dict of ndarray (n,)
        group, level, row, position (of the level, from 0), offset (what to add to the position so that equal values of
        a level stand side by side), y, mean (weighted, of the level).
    """
    block = block_of(fit, group)
    codes, y = block_factor(fit, block).codes, fit.model.y
    w = fit.model.row_weights
    mean = np.bincount(codes, w * y) / np.bincount(codes, w)
    place = np.argsort(np.argsort(mean, kind="stable")) if order else np.arange(len(mean))
    return {
        "group": np.full(len(y), block_group(fit, block), dtype=object),
        "level": np.array(block_labels(fit, block), dtype=object)[codes],
        "row": fit.model.rows,
        "position": place[codes],
        "offset": _side_by_side(codes, y),
        "y": y,
        "mean": mean[codes],
    }


def _side_by_side(codes: NDArray[np.int32], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Steps to the side for rows of one level with the same y, by their order among them, around 0."""
    order = np.lexsort((y, codes))
    starts = np.flatnonzero((np.diff(codes[order], prepend=-1) != 0) | (np.diff(y[order], prepend=np.nan) != 0.0))
    sizes = np.diff(np.append(starts, len(y)))
    rank = np.arange(len(y)) - np.repeat(starts, sizes)
    m = np.repeat(sizes, sizes)
    step = np.minimum(_STEP, 2.0 * _REACH / np.maximum(m - 1, 1))
    out = np.empty(len(y))
    out[order] = (rank - (m - 1) / 2.0) * step
    return out


def _intraclass(fit: LmmFit, *, many: bool) -> str:
    """What the bars are, and how alike the rows of a group are if there is one factor; see `groups_picture`."""
    means = "points of this colour: means" if many else "bars: means"
    if len(fit.model.factors) > 1:
        return means
    slopes = any(term.names != (_INTERCEPT,) for term in fit.model.terms)
    if isinstance(fit, GlmmFit):
        return means  # its ICC is one on the scale of the link
    return f"{means}; {'adjusted ICC' if slopes else 'intraclass correlation'} {icc(fit).adjusted:.2f}"


def groups_picture(fit: LmmFit, group: str | None = None, *, order: bool = False) -> Picture:
    """The response of each row above its group, with the means; parameters as in `groups_data`.

    Notes
    -----
    With one grouping factor the picture says its share of the variance, m / (m + sigma^2) with m the mean of z'Sigma z
    over the rows: the intraclass correlation if all that is random is an intercept; with random slopes the adjusted
    one, which like the fit does not depend on where the covariates have their zero. With several factors it says none:
    which of them count is a matter of the question. With a generalized fit neither: its ICC is on the scale of the
    link.
    """
    columns = groups_data(fit, group, order=order)
    block = block_of(fit, group)
    note = _intraclass(fit, many=block_factor(fit, block).n_levels > _BARS)

    def paint(ax: Any) -> Any:
        ax = style.one_axes(ax)
        n, J = fit.nobs, block_factor(fit, block).n_levels
        many = n > style.MANY
        ax.plot(
            columns["position"] + columns["offset"],
            columns["y"],
            "o",
            color=style.BLUE,
            markersize=min(style.mark_size(n), 2.6),
            markeredgewidth=0,
            alpha=style.opacity(n),
            rasterized=many,
            zorder=2,
        )
        place, first = np.unique(columns["position"], return_index=True)
        mean = columns["mean"][first]
        if J <= _BARS:
            ax.hlines(mean, place - _REACH, place + _REACH, color=style.VERMILLION, linewidth=1.3, zorder=3)
        else:
            look = {"markersize": 1.2, "markeredgewidth": 0, "rasterized": many}
            ax.plot(place, mean, "o", color=style.VERMILLION, zorder=3, **look)
        style.few_ticks(ax)
        ax.set_xlim(-0.8 - 0.01 * J, J - 0.2 + 0.01 * J)
        style.level_ticks(ax, columns["level"][first].tolist(), "x", columns["group"][0])
        ax.set_ylabel(response_label(fit))
        style.note(ax, note)
        return ax

    return Picture(columns=columns, kind=fit.model.data_kind, paint=paint, text=("group", "level"))
