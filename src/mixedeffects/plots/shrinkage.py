"""From each level's own least-squares estimate to its conditional mode: what partial pooling does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.diagnostics.grouping import GroupEffects, group_effects
from mixedeffects.diagnostics.level_qr import level_qr
from mixedeffects.diagnostics.shrinkage import own_deviations
from mixedeffects.errors import DataError
from mixedeffects.fit.kinds import linear_equivalent
from mixedeffects.plots import style
from mixedeffects.plots.columns import block_group, block_of, scale_name
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

_FAR = 3.0  # times the range of the middle 95 % of the levels' own estimates, beyond which a picture is cut
_HEADS = 60  # beyond so many arrows there is no room for heads
_SHORT = 0.03  # of the axes: no room for a head either


def shrinkage_data(
    fit: LmmFit, group: str | None = None, terms: str | Sequence[str] | None = None
) -> dict[str, NDArray[Any]]:
    """Estimates of each level from its own rows and by the mixed model, and the fixed effects they are pulled to.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    group : str, optional
        A grouping factor; the one of most levels by default.
    terms : str or sequence of str, optional
        One or two columns of its random effects; the first two by default.

    Returns
    -------
    dict of ndarray (J * m,)
        group, level, term, own_estimate (NaN where the level's rows do not determine it), mixed_model (fixed effect
        plus mode), fixed_effect, level by level.

    Raises
    ------
    DataError
        For an unknown group or column, or more than two.

    Notes
    -----
    A level's own estimate is that of (weighted) least squares on its rows with the columns of the random effects, after
    the offset, the effects of the other factors and the fixed effects of the other columns are subtracted. The mixed
    model's estimate is a matrix-weighted mean of it and the fixed effect [1]_. A column without a fixed effect is
    pulled to 0. own_estimate - fixed_effect is `own` - `center` of `compare_pooling`; its no pooling and its complete
    pooling are other models, which are least squares without these effects. Of a generalized fit all this is on the
    scale of the link, with the working responses and weights at the conditional modes: own_estimate is then one step
    of the level's own regression, and finite where that has no maximum, as for failures only.

    References
    ----------
    .. [1] Laird & Ware (1982), Biometrics 38, 963-974, doi:10.2307/2529876.
    """
    name = block_group(fit, block_of(fit, group))
    effects = group_effects(linear_equivalent(fit), name)
    chosen = _chosen(effects, name, terms)
    weights = effects.fit.model.weights
    qr = level_qr(effects.columns, effects.factor.codes, effects.factor.n_levels, weights)
    own = np.where(qr.estimable(), own_deviations(effects, qr), np.nan)
    names, beta = list(fit.model.kept_names), fit.solution.beta
    centre = np.array([beta[names.index(term)] if term in names else 0.0 for term in effects.names])
    J, m = effects.factor.n_levels, len(chosen)
    return {
        "group": np.full(J * m, name, dtype=object),
        "level": np.repeat(effects.factor.labels, m),
        "term": np.tile(np.array([effects.names[c] for c in chosen], dtype=object), J),
        "own_estimate": (centre + own)[:, chosen].ravel(),
        "mixed_model": (centre + effects.modes)[:, chosen].ravel(),
        "fixed_effect": np.tile(centre[chosen], J),
    }


def _chosen(effects: GroupEffects, group: str, terms: str | Sequence[str] | None) -> list[int]:
    wanted = list(effects.names[:2]) if terms is None else [terms] if isinstance(terms, str) else list(terms)
    unknown = [term for term in wanted if term not in effects.names]
    if unknown or not 1 <= len(wanted) <= 2:
        known = ", ".join(map(repr, effects.names))
        raise DataError(f"terms={terms!r}: name one or two of the random effects of {group!r}, which are {known}")
    return [effects.names.index(term) for term in wanted]


def shrinkage_picture(fit: LmmFit, group: str | None = None, terms: str | Sequence[str] | None = None) -> Picture:
    """Arrows from the levels' own estimates to those of the model; parameters as in `shrinkage_data`."""
    columns = shrinkage_data(fit, group, terms)
    names = list(dict.fromkeys(columns["term"]))
    own, pooled, centre = (
        columns[name].reshape(-1, len(names)) for name in ("own_estimate", "mixed_model", "fixed_effect")
    )

    def paint(ax: Any) -> Any:
        own_figure = ax is None
        if len(names) == 2:
            ax = style.one_axes(ax, 3.2)
            _plane(ax, own, pooled, centre[0], names)
        else:
            J = len(own)
            ax = style.one_axes(ax, max(0.125 * J + 1.0, 1.8) if J <= style.MOST_LABELS else 3.6)
            _strip(ax, own[:, 0], pooled[:, 0], centre[0, 0], columns["level"].tolist(), columns["group"][0])
            ax.set_xlabel(f"{names[0]} ({scale_name(fit)})" if names[0] == "Intercept" else names[0])
        lacking = int(np.isnan(own).any(axis=1).sum())
        if lacking:
            style.note(ax, f"{lacking:,} of {len(own):,} levels cannot be estimated by themselves")
        style.legend(ax, own=own_figure)
        return ax

    text = ("group", "level", "term")
    return Picture(columns=columns, kind=fit.model.data_kind, paint=paint, text=text)


def _plane(
    ax: Any, own: NDArray[np.float64], pooled: NDArray[np.float64], centre: NDArray[np.float64], names: Sequence[str]
) -> None:
    known = np.isfinite(own).all(axis=1)
    _marks(ax, own[known], pooled, centre)
    for j, limits in enumerate((ax.set_xlim, ax.set_ylim)):
        limits(*_limits(own[known, j], pooled[:, j], centre[j]))
    _arrows(ax, own[known], pooled[known])
    style.few_ticks(ax)
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])


def _strip(
    ax: Any, own: NDArray[np.float64], pooled: NDArray[np.float64], centre: float, levels: list[str], name: str
) -> None:
    order = np.argsort(pooled, kind="stable")
    own, pooled, place = own[order], pooled[order], np.arange(len(own), dtype=np.float64)
    known = np.isfinite(own)
    ax.axvline(centre, color=style.VERMILLION, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
    start, end = np.column_stack([own, place])[known], np.column_stack([pooled, place])
    _marks(ax, start, end, np.array([centre, np.nan]))
    ax.set_xlim(*_limits(own[known], pooled, centre))
    ax.set_ylim(-0.8 - 0.01 * len(own), len(own) - 0.2 + 0.01 * len(own))
    _arrows(ax, start, end[known])
    style.few_ticks(ax)
    style.level_ticks(ax, [levels[i] for i in order], name=name, room=True)


def _arrows(ax: Any, start: NDArray[np.float64], end: NDArray[np.float64]) -> None:
    """Arrows within the limits of the axes; lines alone where there is no room for heads."""
    from matplotlib.collections import LineCollection

    n = len(start)
    size = np.array([np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())])
    headed = (np.linalg.norm((end - start) / size, axis=1) > _SHORT) & (n <= _HEADS)
    for tail, head in zip(start[headed], end[headed], strict=True):
        look = {"arrowstyle": "-|>", "color": style.GREY, "linewidth": 0.7, "mutation_scale": 6.0}
        ax.annotate("", head, tail, arrowprops={**look, "shrinkA": 0.0, "shrinkB": 1.0}, zorder=2)
    start, end = start[~headed], end[~headed]
    lines = LineCollection(
        list(np.stack([start, end], axis=1)),
        colors=style.GREY,
        linewidths=float(np.clip(20.0 / max(n, 1) ** 0.6, 0.2, 0.7)),
        alpha=style.opacity(n // 4),
        rasterized=n > style.MANY,
        zorder=2,
    )
    ax.add_collection(lines, autolim=False)


def _marks(ax: Any, start: NDArray[np.float64], end: NDArray[np.float64], centre: NDArray[np.float64]) -> None:
    n = len(end)
    size, alpha, raster = style.mark_size(n // 2), style.opacity(n // 4), n > style.MANY
    ax.plot(
        *start.T,
        "o",
        color="white",
        markeredgecolor=style.GREY,
        markeredgewidth=min(0.8, size / 3),
        markersize=size,
        alpha=alpha,
        rasterized=raster,
        zorder=3,
        label="own estimate",
    )
    ax.plot(
        *end.T,
        "o",
        color=style.BLUE,
        markeredgewidth=0,
        markersize=size,
        alpha=alpha,
        rasterized=raster,
        zorder=4,
        label="mixed model",
    )
    line = {"linestyle": (0, (4, 2)), "linewidth": 1.0} if np.isnan(centre[1]) else {"linestyle": "", "marker": "D"}
    ax.plot([centre[0]], [centre[1]], color=style.VERMILLION, markersize=5, zorder=5, label="fixed effects", **line)


def _limits(own: NDArray[np.float64], pooled: NDArray[np.float64], centre: float) -> tuple[float, float]:
    """Limits of an axis: all points, but not own estimates that are so far out that they hide the others."""
    inner = np.append(pooled, centre)
    if len(own):
        middle = np.quantile(own, [0.025, 0.975])
        spread = middle[1] - middle[0]
        near = own[(own >= middle[0] - _FAR * spread) & (own <= middle[1] + _FAR * spread)]
        inner = np.concatenate([inner, near if len(own) > 100 else own])
    low, high = float(inner.min()), float(inner.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin
