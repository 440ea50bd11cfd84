"""Residuals against fitted values, and their size against fitted values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.fit.effects import linear_predictor
from mixedeffects.fit.kinds import standard_residuals
from mixedeffects.fit.residuals import residuals
from mixedeffects.plots import style
from mixedeffects.plots.columns import predictor_label, residual_kind
from mixedeffects.plots.picture import Picture
from mixedeffects.plots.smoother import smooth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

MOST_POINTS = 20_000  # beyond which cells are shaded instead


def residuals_data(
    fit: LmmFit, kind: Any = "scaled", *, marginal: bool = False, **options: Any
) -> dict[str, NDArray[Any]]:
    """Residuals and fitted values with a smooth curve.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    kind : str
        As `mixedeffects.fit.residuals.residuals` takes it.
    marginal : bool
        Leave the random effects out of both.
    **options
        ``rng=`` for the quantile residuals of a generalized fit.

    Returns
    -------
    dict of ndarray (n,)
        row (position in the data), fitted (linear predictor of a generalized fit), residual, smooth (the curve at the
        fitted value).
    """
    fitted = linear_predictor(fit, random=not marginal)
    values = residuals(fit, kind, marginal=marginal, **options)
    return {"row": fit.model.rows, "fitted": fitted, "residual": values, "smooth": smooth(fitted, values)}


def scale_location_data(fit: LmmFit, rng: Any = None) -> dict[str, NDArray[Any]]:
    """Square roots of the absolute residuals, scaled or quantile ones, and fitted values, with a smooth curve.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    rng : None, int, Generator or SeedSequence
        Source of the draws of quantile residuals.

    Returns
    -------
    dict of ndarray (n,)
        row, fitted, root (without units), smooth.
    """
    fitted = linear_predictor(fit)
    root = np.sqrt(np.abs(standard_residuals(fit, rng)))
    return {"row": fit.model.rows, "fitted": fitted, "root": root, "smooth": smooth(fitted, root)}


def residuals_picture(fit: LmmFit, kind: Any = "scaled", *, marginal: bool = False, **options: Any) -> Picture:
    """Residuals against fitted values; parameters as in `residuals_data`."""
    columns = residuals_data(fit, kind, marginal=marginal, **options)
    labels = (_fitted_label(fit, marginal=marginal), f"{kind} residual")

    def paint(ax: Any) -> Any:
        ax = style.one_axes(ax)
        ax.axhline(0.0, color=style.LIGHT, linewidth=0.8, zorder=1)
        return draw_cloud(ax, columns["fitted"], columns["residual"], columns["smooth"], labels)

    return Picture(columns=columns, kind=fit.model.data_kind, paint=paint)


def scale_location_picture(fit: LmmFit, rng: Any = None) -> Picture:
    """Size of the residuals against fitted values; parameters as in `scale_location_data`."""
    columns = scale_location_data(fit, rng)
    labels = (_fitted_label(fit), rf"$\sqrt{{|\mathrm{{{residual_kind(fit)}\ residual}}|}}$")

    def paint(ax: Any) -> Any:
        ax = style.one_axes(ax)
        draw_cloud(ax, columns["fitted"], columns["root"], columns["smooth"], labels)
        ax.set_ylim(bottom=0.0)
        return ax

    return Picture(columns=columns, kind=fit.model.data_kind, paint=paint)


def _fitted_label(fit: LmmFit, *, marginal: bool = False) -> str:
    return predictor_label(fit) + (" (fixed effects only)" if marginal else "")


def draw_cloud(
    ax: Any,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    curve: NDArray[np.float64],
    labels: tuple[str, str],
) -> Any:
    """Draw points, or shaded cells where there are more than 20,000, and a curve through them.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    x, y : ndarray (n,)
        The points.
    curve : ndarray (n,)
        The curve at x.
    labels : (str, str)
        Of both axes.
    """
    n = len(x)
    if n > MOST_POINTS:
        ax.hexbin(x, y, gridsize=(70, 36), bins="log", mincnt=1, cmap=style.shades(), linewidths=0.1, zorder=2)
        style.note(ax, f"{n:,} rows; darker: more rows (log scale)")
    else:
        size, alpha = style.mark_size(n), style.opacity(n)
        ax.plot(
            x,
            y,
            "o",
            color=style.BLUE,
            markersize=size,
            alpha=alpha,
            markeredgewidth=0,
            rasterized=n > style.MANY,
            zorder=2,
        )
    at, first = np.unique(x, return_index=True)
    ax.plot(at, curve[first], color=style.VERMILLION, linewidth=1.4, zorder=3)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    style.few_ticks(ax)
    return ax
