"""What all pictures share: colours, sizes, axes made or checked, notes, ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError, MixedEffectsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Okabe and Ito's palette: told apart by every kind of colour vision.
BLUE, VERMILLION = "#0072B2", "#D55E00"
GREY, LIGHT = "#6E6E6E", "#C8C8C8"

WIDTH = 3.5  # inches: one column of a journal
SMALL, TEXT = 7.0, 8.0  # points
MOST_LABELS = 40  # levels that are written out
MANY = 2_000  # marks from which on they are drawn as pixels, also in a file of vectors

APART = 2.0  # points between two labels of ticks

_LINE = 1.15  # height of a line of text, in units of its size
_DIGIT = 0.62  # width of a character, likewise


def pyplot() -> Any:
    """Return matplotlib.pyplot.

    Raises
    ------
    MixedEffectsError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise MixedEffectsError('pictures need matplotlib: pip install "mixedeffects[plots]"') from None
    return plt


def one_axes(ax: Any, height: float = 2.6) -> Any:
    """Return the axes given, or those of a new figure of one column's width.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Where to draw.
    height : float
        Of a new figure, in inches.

    Raises
    ------
    DataError
        If several axes are given.
    """
    if ax is None:
        _, made = pyplot().subplots(figsize=(WIDTH, height), layout="constrained")
        _small_text(made)
        return plain(made)
    axes = _flat(ax)
    if len(axes) != 1:
        raise DataError(f"{len(axes)} axes were given for 1 panel")
    return plain(axes[0])


def panel_axes(
    ax: Any,
    n: int,
    *,
    columns: int,
    panel_height: float,
    what: str = "panels",
    share: bool = False,
    width: float = WIDTH,
) -> NDArray[Any]:
    """Return n axes: those given, or those of a new figure of one column's width.

    Parameters
    ----------
    ax : matplotlib Axes, array of Axes, or None
        Where to draw.
    n : int
        Number of panels.
    columns : int
        Panels side by side in a new figure.
    panel_height : float
        Of each row of a new figure, in inches.
    what : str
        What the panels are, for the error.
    share : bool
        Whether the panels of a new figure have common limits on both axes.
    width : float
        Of a new figure, in inches.

    Returns
    -------
    ndarray of Axes (n,)

    Raises
    ------
    DataError
        If `ax` holds another number of axes.
    """
    if ax is not None:
        axes = _flat(ax)
        if len(axes) != n:
            raise DataError(f"{len(axes)} axes were given for {n} {what}")
    else:
        columns = min(columns, n)
        rows = -(-n // columns)
        size = (width, panel_height * rows + 0.2)
        _, grid = pyplot().subplots(
            rows, columns, figsize=size, layout="constrained", squeeze=False, sharex=share, sharey=share
        )
        for unused in grid.ravel()[n:]:
            unused.set_visible(False)
        axes = grid.ravel()[:n]
        for j, one in enumerate(axes):
            _small_text(one)
            if j + columns >= n:  # the lowest panel of its column
                one.tick_params(labelbottom=True)
            if n <= j + columns < rows * columns:  # its labels have the empty place below; no row moves down for them
                one.xaxis.set_in_layout(not share)
    for one in axes:
        plain(one)
    return axes


def _flat(ax: Any) -> NDArray[Any]:
    return np.atleast_1d(np.asarray(ax, dtype=object)).ravel()


def _small_text(ax: Any) -> None:
    """Sizes of the text in a figure of our own; the caller's axes keep theirs."""
    ax.tick_params(labelsize=SMALL, length=2.5, pad=2)
    for text in (ax.xaxis.label, ax.yaxis.label, ax.title):
        text.set_size(TEXT)
    ax.xaxis.labelpad = ax.yaxis.labelpad = 2.5


def plain(ax: Any) -> Any:
    """Take away the upper and the right spine."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def few_ticks(ax: Any, x: int = 5, y: int = 5) -> None:
    """Leave at most this many intervals between the ticks of a linear axis, at values of few digits."""
    for side, most in ((ax.xaxis, x), (ax.yaxis, y)):
        _at_few(side, most)


def _at_few(side: Any, most: int) -> None:
    from matplotlib.ticker import MaxNLocator

    side.set_major_locator(MaxNLocator(most, steps=[1, 2, 4, 5, 10] if most <= 3 else [1, 2, 2.5, 5, 10]))


def note(ax: Any, text: str) -> None:
    """Write a short remark above the upper right corner."""
    if text:
        ax.set_title(text, loc="right", fontsize=SMALL, color=GREY, pad=3)


def legend(ax: Any, *, own: bool, title: str | None = None) -> None:
    """Name the marks: above the panels of a figure of our own, inside the caller's axes.

    Parameters
    ----------
    ax : matplotlib Axes
        One that has all the marks.
    own : bool
        Whether the figure is ours.
    title : str, optional
        A remark above the names.
    """
    handles, labels = ax.get_legend_handles_labels()
    options = {
        "title": title,
        "fontsize": SMALL,
        "title_fontsize": SMALL,
        "frameon": False,
        "handletextpad": 0.4,
        "borderpad": 0.2,
    }
    if own:
        made = ax.figure.legend(handles, labels, loc="outside upper center", ncols=3, columnspacing=1.2, **options)
    else:
        made = ax.legend(handles, labels, **options)
    made.get_title().set_multialignment("center")
    for handle in made.legend_handles:
        handle.set_alpha(1.0)
        if handle.get_linestyle() in ("None", ""):
            handle.set_markersize(4.0)


def level_ticks(ax: Any, labels: Sequence[str], axis: str = "y", name: str = "", *, room: bool = False) -> None:
    """Write the levels at 0, 1, 2, ... of an axis, or how many there are if they have no room.

    Parameters
    ----------
    ax : matplotlib Axes
        The axes.
    labels : sequence of str
        The levels.
    axis : {"x", "y"}
        Which axis.
    name : str
        Of the factor, for the label of the axis.
    room : bool
        The figure was made high enough for up to 40 levels.
    """
    side = ax.yaxis if axis == "y" else ax.xaxis
    label = ax.set_ylabel if axis == "y" else ax.set_xlabel
    shown = [short(text) for text in labels]
    box = ax.get_window_extent()
    points = (box.height if axis == "y" else box.width) * 72.0 / ax.figure.dpi
    lying = SMALL * _DIGIT * (max(map(len, shown), default=0) + 1) * len(labels)
    if len(labels) <= MOST_LABELS and (room or SMALL * _LINE * len(labels) <= points):
        side.set_ticks(np.arange(len(labels)), labels=shown, fontsize=SMALL)
        side.set_tick_params(rotation=90 if axis == "x" and lying > points else 0)
        label(name)
    else:
        side.set_ticks([])
        label(f"{name} ({len(labels):,} levels)")
    side.set_tick_params(length=0)


def line_height() -> float:
    """Height of a line of small text, in points."""
    return SMALL * _LINE


def text_width(text: str) -> float:
    """About how wide small text is, in points."""
    return SMALL * _DIGIT * len(text)


def panel_width(columns: int) -> float:
    """About how wide each of some panels side by side is in a figure of our own, in points."""
    return (WIDTH * 72.0 - 5 * SMALL) / columns - SMALL


def ticks_apart(ax: Any, most: int, width: float) -> None:
    """Leave so few ticks on the lower axis that their labels do not meet.

    Parameters
    ----------
    ax : matplotlib Axes
        With its limits.
    most : int
        Number of intervals at most.
    width : float
        Of the axes, in points.
    """
    low, high = ax.get_xlim()
    for intervals in range(most, 1, -1):
        _at_few(ax.xaxis, intervals)
        at = [value for value in ax.get_xticks() if low <= value <= high]
        labels = ax.xaxis.get_major_formatter().format_ticks(at)
        step = width * (at[1] - at[0]) / (high - low) if len(at) > 1 else width
        if max(map(text_width, labels), default=0.0) + 2 * APART <= step:
            return


def short(text: str, most: int = 16) -> str:
    """A level's label, cut where it is too long for a picture."""
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def common_labels(axes: NDArray[Any], columns: int, x: str, y: str, *, own: bool) -> None:
    """Label the axes: those at the left and the bottom of a figure of our own, all of the caller's."""
    for j, ax in enumerate(axes):
        if not own or j + columns >= len(axes):
            ax.set_xlabel(x)
        if not own or j % columns == 0:
            ax.set_ylabel(y)


def label_below(axes: NDArray[Any], text: str, *, own: bool) -> None:
    """Say what all panels show: on a single panel and on the caller's axes as their label, else below the figure.

    Parameters
    ----------
    axes : ndarray of Axes (n,)
        The panels.
    text : str
        The label.
    own : bool
        Whether the figure is ours.
    """
    if own and len(axes) > 1:
        axes[0].figure.supxlabel(text, fontsize=TEXT)
        return
    for ax in axes:
        ax.set_xlabel(text)


def panel_title(group: str, term: str, most: int) -> str:
    """A column of random effects after its factor, on two lines if that is longer than `most` characters."""
    if len(group) + len(term) + 2 <= most:
        return f"{group}: {term}"
    return f"{short(group, most)}:\n{short(term, most)}"


def estimated_as_zero(ax: Any) -> None:
    """Say that there is nothing to see because a variance is estimated as 0."""
    ax.text(
        0.5,
        0.5,
        "variance estimated as 0",
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=SMALL,
        color=GREY,
    )
    ax.set_xticks([])
    ax.set_yticks([])


def shades() -> Any:
    """A colour map from a blue that is seen on white to a dark one."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("mixedeffects", ["#A9CCE6", BLUE, "#08264F"])


def opacity(n: int) -> float:
    """How opaque n marks are drawn: the more there are, the less."""
    return float(np.clip(10.0 / np.sqrt(max(n, 1)), 0.2, 0.85))


def mark_size(n: int) -> float:
    """Diameter of each of n marks, in points."""
    return float(np.clip(45.0 / np.sqrt(max(n, 1)), 1.5, 3.6))
