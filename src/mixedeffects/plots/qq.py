"""Normal quantile plots of residuals and of conditional modes, with simulated bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.fit.effects import block_modes, block_names, conditional_variances
from mixedeffects.fit.kinds import drawn_at_theta, standard_residuals
from mixedeffects.plots import style
from mixedeffects.plots.columns import (
    block_covariance,
    block_group,
    block_labels,
    blocks_of,
    joined,
    residual_kind,
)
from mixedeffects.plots.picture import Picture
from mixedeffects.plots.simulated import band, checked_draws, normal_scores, thinned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

_LINE = 20  # characters of a title that fit above a panel
_NONE = 1e-6  # share of a standard deviation below which modes do not vary


def qq_data(fit: LmmFit, n: int | None = None, rng: Any = 1) -> dict[str, NDArray[Any]]:
    """Ordered residuals beside normal scores, with a band: scaled ones, or quantile residuals of a generalized fit.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    n : int, optional
        Draws for the band, at least 39; 199 by default, or 39 where there are more than 20,000 rows.
    rng : None, int, Generator or SeedSequence
        Source of the draws.

    Returns
    -------
    dict of ndarray (m,)
        row, theoretical, residual, lower, median, upper, by increasing residual. Of more than 1,000 rows the 100 at
        each end are there and others evenly between.

    Notes
    -----
    Each draw is a response with new random effects and errors. Its residuals, sqrt(w) (y - X beta - Z b) / sigma,
    are those of the coefficients, the modes and the sigma that belong to it with theta at its estimate. Residuals are
    less spread than the errors, since the modes follow them; so are the drawn ones. Those of a generalized fit are
    randomized quantile residuals; coefficients and modes of a draw are where its penalized likelihood is largest.
    """
    generator = np.random.default_rng(rng)
    own = standard_residuals(fit, generator)
    ranks = thinned(fit.nobs)
    order = np.argsort(own, kind="stable")[ranks]
    draws = np.array(
        [
            np.sort(standard_residuals(one, generator))[ranks]
            for one in drawn_at_theta(fit, checked_draws(fit, n), generator)
        ]
    )
    lower, median, upper = band(draws)
    return {
        "row": fit.model.rows[order],
        "theoretical": normal_scores(fit.nobs)[ranks],
        "residual": own[order],
        "lower": lower,
        "median": median,
        "upper": upper,
    }


def ranef_qq_data(
    fit: LmmFit, group: str | None = None, n: int | None = None, rng: Any = 1
) -> dict[str, list[Any] | NDArray[Any]]:
    """Ordered standardized modes beside normal scores for each column of random effects, with bands.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    group : str, optional
        One grouping factor; all by default.
    n : int, optional
        Draws for the band, as in `qq_data`.
    rng : None, int, Generator or SeedSequence
        Source of the draws.

    Returns
    -------
    dict of columns (m,)
        group, term, level, theoretical, mode (standardized), estimate (as estimated), lower, median, upper. NaN in
        mode and band where a variance is estimated as 0; without levels whose data say nothing about an effect. Thinned
        as in `qq_data`.

    Notes
    -----
    A mode has the variance Sigma - condvar under the model, which differs between levels with few and with many rows
    [1]_; modes are divided by its root, then by the root of the mean square of their column, and drawn ones likewise.
    Draws are as in `qq_data`.

    References
    ----------
    .. [1] Laird & Ware (1982), Biometrics 38, 963-974, doi:10.2307/2529876.
    """
    return joined(_ranef_panels(fit, group, n, rng))


def _ranef_panels(fit: LmmFit, group: str | None, n: int | None, rng: Any) -> list[dict[str, Any]]:
    """The columns of `ranef_qq_data` for each column of random effects."""
    spread = _mode_spread(fit)
    panels = [(block, j) for block in blocks_of(fit, group) for j in range(spread[block].shape[1])]
    known = [_known(spread[block][:, j]) for block, j in panels]
    draws: list[list[NDArray[np.float64]]] = [[] for _ in panels]
    for drawn in drawn_at_theta(fit, checked_draws(fit, n), rng):
        for (block, j), levels, found in zip(panels, known, draws, strict=True):
            modes = _standardized(block_modes(drawn, block)[levels, j], spread[block][levels, j])
            found.append(np.sort(modes)[thinned(len(levels))])
    return [
        _panel(fit, spread[block][levels, j], block, j, levels, np.array(found))
        for (block, j), levels, found in zip(panels, known, draws, strict=True)
    ]


def _known(spread: NDArray[np.float64]) -> NDArray[np.intp]:
    """Levels whose data say something about the effect; all of them where none do."""
    known = np.flatnonzero(np.isfinite(spread))
    return known if len(known) else np.arange(len(spread))


def _panel(
    fit: LmmFit,
    spread: NDArray[np.float64],
    block: int,
    j: int,
    levels: NDArray[np.intp],
    draws: NDArray[np.float64],
) -> dict[str, Any]:
    ranks = thinned(len(levels))
    estimate = block_modes(fit, block)[levels, j]
    mode = _standardized(estimate, spread)
    order = np.argsort(mode, kind="stable")[ranks]
    labels = block_labels(fit, block)
    lower, median, upper = band(draws) if np.isfinite(mode).all() else (np.full(len(ranks), np.nan),) * 3
    return {
        "group": [block_group(fit, block)] * len(ranks),
        "term": [block_names(fit, block)[j]] * len(ranks),
        "level": [labels[i] for i in levels[order]],
        "theoretical": normal_scores(len(mode))[ranks],
        "mode": mode[order],
        "estimate": estimate[order],
        "lower": lower,
        "median": median,
        "upper": upper,
    }


def _mode_spread(fit: LmmFit) -> list[NDArray[np.float64]]:
    """For each block the standard deviations of its modes under the model, (J, k); NaN for a variance of 0."""
    out = []
    for block, condvar in enumerate(conditional_variances(fit)):
        total = np.diag(block_covariance(fit, block))
        sd = np.sqrt(np.clip(total - np.diagonal(condvar, axis1=1, axis2=2), 0.0, None))
        out.append(np.where(sd > _NONE * np.sqrt(total), sd, np.nan))
    return out


def _standardized(modes: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = modes / spread
    return np.asarray(ratio / np.sqrt(np.mean(ratio**2)))


def qq_picture(fit: LmmFit, n: int | None = None, rng: Any = 1) -> Picture:
    """Normal quantile plot of the residuals; parameters as in `qq_data`."""
    columns = qq_data(fit, n, rng)

    def paint(ax: Any) -> Any:
        ax = style.one_axes(ax)
        _draw(ax, columns, "residual")
        ax.set_xlabel("normal quantile")
        ax.set_ylabel(f"{residual_kind(fit)} residual")
        drawn = len(columns["row"])
        style.note(ax, f"{drawn:,} of {fit.nobs:,} points drawn" if drawn < fit.nobs else "")
        return ax

    return Picture(columns=columns, kind=fit.model.data_kind, paint=paint)


def ranef_qq_picture(fit: LmmFit, group: str | None = None, n: int | None = None, rng: Any = 1) -> Picture:
    """Normal quantile plots of the conditional modes; parameters as in `ranef_qq_data`."""
    panels = _ranef_panels(fit, group, n, rng)

    def paint(ax: Any) -> Any:
        axes = style.panel_axes(ax, len(panels), columns=2, panel_height=1.75, what="columns of random effects")
        for one, panel in zip(axes, panels, strict=True):
            _draw(one, panel, "mode")
            title = style.panel_title(panel["group"][0], panel["term"][0], _LINE)
            one.set_title(title, fontsize=style.TEXT, pad=3)
        style.common_labels(axes, 2, "normal quantile", "standardized mode", own=ax is None)
        return axes

    return Picture(columns=joined(panels), kind=fit.model.data_kind, paint=paint, text=("group", "term", "level"))


def _draw(ax: Any, columns: dict[str, Any], values: str) -> None:
    x, y = columns["theoretical"], columns[values]
    if np.isnan(y).all():
        style.estimated_as_zero(ax)
        return
    ax.fill_between(x, columns["lower"], columns["upper"], color=style.LIGHT, alpha=0.55, linewidth=0, zorder=1)
    ax.plot(x, columns["median"], color=style.VERMILLION, linewidth=1.0, zorder=2)
    ax.plot(
        x,
        y,
        "o",
        color=style.BLUE,
        markersize=style.mark_size(len(x)),
        markeredgewidth=0,
        alpha=0.8,
        rasterized=len(x) > style.MANY,
        zorder=3,
    )
    style.few_ticks(ax, 4, 5)
