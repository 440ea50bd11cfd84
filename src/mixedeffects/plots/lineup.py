"""The real picture hidden among pictures of data that were drawn from the fit."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mixedeffects.errors import DataError, MixedEffectsError
from mixedeffects.fit.effects import block_modes, block_names, linear_predictor
from mixedeffects.fit.kinds import draw_and_fit, standard_residuals
from mixedeffects.plots import style
from mixedeffects.plots.columns import block_group, block_of, chosen_columns, joined, predictor_label, residual_kind
from mixedeffects.plots.picture import Picture
from mixedeffects.plots.simulated import normal_scores, thinned
from mixedeffects.plots.smoother import smooth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

LineupKind = Literal["residuals", "scale_location", "qq", "ranef_qq"]
_MOST_POINTS = 1_000  # in a panel
_ROUNDS = 10
_ROOM = 0.1  # of the range of all points, left free at each end


def lineup_data(
    fit: LmmFit,
    kind: LineupKind = "residuals",
    n: int = 20,
    rng: Any = None,
    group: str | None = None,
    term: str | None = None,
) -> dict[str, NDArray[Any]]:
    """The data of a line-up.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    kind : {"residuals", "scale_location", "qq", "ranef_qq"}
        Which picture.
    n : int
        Number of panels, at least 2.
    rng : None, int, Generator or SeedSequence
        Source of the draws and of the place of the real picture, which depends on the data too.
    group, term : str, optional
        For ranef_qq: the factor and the column of its random effects; the first by default.

    Returns
    -------
    dict of ndarray
        panel (from 1), real, x, y, reference: fitted values, residuals (or their roots) and a smooth curve; or normal
        scores, ordered values and the line through their quartiles. At most 1,000 points a panel.

    Raises
    ------
    DataError
        For another kind, group or term, or an n that is no whole number of at least 2.
    MixedEffectsError
        If theta was given, so that there is nothing to fit again, or the effects have no estimated variance.

    Notes
    -----
    For each panel but one a response is drawn with new random effects and errors, and the model is fitted to it [1]_.
    With n panels a viewer who picks the real one by chance does so with probability 1/n.

    References
    ----------
    .. [1] Buja et al. (2009), Philosophical Transactions of the Royal Society A 367, 4361-4383,
       doi:10.1098/rsta.2009.0120; for mixed models: Loy, Hofmann & Cook (2017), Journal of Computational and Graphical
       Statistics 26(3), 478-492, doi:10.1080/10618600.2017.1330207.
    """
    return _lineup(fit, kind, n, rng, group, term)[0]


def _lineup(
    fit: LmmFit, kind: str, n: int, rng: Any, group: str | None, term: str | None
) -> tuple[dict[str, NDArray[Any]], int]:
    """The columns, and the panel of the real data."""
    if kind not in get_args(LineupKind):
        known = ", ".join(map(repr, get_args(LineupKind)))
        raise DataError(f"kind={kind!r} is no kind of line-up; choose one of {known}")
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 2:
        raise DataError(f"n={n!r} must be a whole number of at least 2: the real panel and others")
    if fit.control.fixed_theta is not None:
        raise MixedEffectsError("theta was given, not estimated: there is nothing to fit again")
    block = block_of(fit, group)
    j = chosen_columns(fit, block, term)[0]
    if kind == "ranef_qq" and not block_modes(fit, block)[:, j].any():
        name = f"{block_names(fit, block)[j]} | {block_group(fit, block)}"
        raise MixedEffectsError(
            f"the variance of {name} is estimated as 0: its modes are all 0, without a distribution"
        )
    generator = np.random.default_rng(rng)
    position = hidden_place(fit, generator, int(n), kind)
    rows = _some_rows(fit.nobs)
    drawn = _refits(fit, n - 1, generator)
    parts = []
    for panel in range(1, n + 1):
        real = panel == position
        x, y, reference = _points(fit if real else next(drawn), kind, rows, block, j, generator)
        heads = {"panel": np.full(len(x), panel), "real": np.full(len(x), real)}
        parts.append({**heads, "x": x, "y": y, "reference": reference})
    return joined(parts), position


def hidden_place(fit: LmmFit, rng: np.random.Generator, n: int, kind: str) -> int:
    """Draw the place of the real data among n, from 1.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    rng : Generator
        Gives one number.
    n : int
        Number of places.
    kind : str
        What is shown.

    Notes
    -----
    Response, formula and kind of picture enter the draw: who has seen the place that a seed gives for one line-up does
    not know that of another. The same fit and seed give the same place.
    """
    response = np.ascontiguousarray(fit.model.y, dtype="<f8").tobytes()
    digest = hashlib.sha256(response + f"{fit.model.formula.text}|{kind}".encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return int(np.random.default_rng([int(rng.integers(2**32)), *words]).integers(1, n + 1))


def _refits(fit: LmmFit, n: int, rng: np.random.Generator) -> Iterator[LmmFit]:
    """Fits to n responses drawn from the fit; a response to which the model cannot be fitted is drawn again."""
    left = n
    for _ in range(_ROUNDS):
        for one in draw_and_fit(fit, left, rng, fit.control.n_threads):
            if one is not None:
                left -= 1
                yield one
        if not left:
            return
    raise MixedEffectsError(f"{left} of {n} responses drawn from the fit cannot be fitted in {_ROUNDS} attempts")


def _some_rows(n: int) -> NDArray[np.intp]:
    """Up to 1,000 rows: a sample that is the same at every call and keeps no rhythm of the data."""
    if n <= _MOST_POINTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, _MOST_POINTS, replace=False))


def _points(
    fit: LmmFit, kind: str, rows: NDArray[np.intp], block: int, j: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    scaled = standard_residuals(fit, rng)
    if kind in ("residuals", "scale_location"):
        x, y = linear_predictor(fit), scaled if kind == "residuals" else np.sqrt(np.abs(scaled))
        return x[rows], y[rows], smooth(x, y)[rows]
    y = np.sort(scaled if kind == "qq" else block_modes(fit, block)[:, j])
    x = normal_scores(len(y))
    slope = np.subtract(*np.quantile(y, [0.75, 0.25])) / np.subtract(*np.quantile(x, [0.75, 0.25]))
    line = np.median(y) + slope * x
    ranks = thinned(len(y))
    return x[ranks], y[ranks], line[ranks]


def lineup_picture(
    fit: LmmFit,
    kind: LineupKind = "residuals",
    n: int = 20,
    rng: Any = None,
    group: str | None = None,
    term: str | None = None,
) -> Picture:
    """Panels without ticks, numbered; parameters as in `lineup_data`."""
    columns, position = _lineup(fit, kind, n, rng, group, term)
    labels = _labels(fit, kind, group, term)

    def paint(ax: Any) -> Any:
        side = min(5, int(np.ceil(np.sqrt(n))))
        axes = style.panel_axes(ax, n, columns=side, panel_height=4.2 / side)
        limits = _limits(columns["x"]), _limits(columns["y"], centred=kind != "scale_location")
        for panel, one in enumerate(axes, start=1):
            mine = columns["panel"] == panel
            _draw(one, {name: values[mine] for name, values in columns.items()}, panel)
            one.set(xlim=limits[0], ylim=limits[1])
        if ax is None:
            axes[0].figure.supxlabel(labels[0], fontsize=style.TEXT)
            axes[0].figure.supylabel(labels[1], fontsize=style.TEXT)
            if kind in ("residuals", "scale_location") and fit.nobs > _MOST_POINTS:
                shown = f"{_MOST_POINTS:,} of {fit.nobs:,} points in each panel"
                axes[0].figure.suptitle(shown, fontsize=style.SMALL, color=style.GREY)
        return axes

    return Picture(columns=columns, kind=fit.model.data_kind, paint=paint, position=position)


def _labels(fit: LmmFit, kind: str, group: str | None, term: str | None) -> tuple[str, str]:
    if kind == "ranef_qq":
        block = block_of(fit, group)
        column = block_names(fit, block)[chosen_columns(fit, block, term)[0]]
        return "normal quantile", f"conditional mode ({column} | {block_group(fit, block)})"
    if kind == "qq":
        return "normal quantile", f"{residual_kind(fit)} residual"
    y = f"{residual_kind(fit)} residual" if kind == "residuals" else r"$\sqrt{|\mathrm{residual}|}$"
    return predictor_label(fit), y


def _limits(values: NDArray[np.float64], *, centred: bool = False) -> tuple[float, float]:
    """Limits for all panels, with room for half a mark and more: no point tells where an axis ends.

    Around 0 for residuals and modes, so that one far point moves both ends and stands at neither.
    """
    low, high = float(values.min()), float(values.max())
    if centred:
        high = max(-low, high)
        low = -high
    margin = _ROOM * (high - low) or 1.0
    return low - margin, high + margin


def _draw(ax: Any, columns: dict[str, NDArray[Any]], panel: int) -> None:
    n = len(columns["x"])
    ax.plot(
        columns["x"],
        columns["y"],
        "o",
        color=style.BLUE,
        markersize=min(style.mark_size(2 * n), 2.6),
        markeredgewidth=0,
        alpha=style.opacity(n // 2),
        rasterized=True,
        zorder=2,
    )
    order = np.argsort(columns["x"], kind="stable")
    ax.plot(columns["x"][order], columns["reference"][order], color=style.VERMILLION, linewidth=0.9, zorder=3)
    ax.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    ax.set_title(str(panel), fontsize=style.SMALL, pad=1.5)
