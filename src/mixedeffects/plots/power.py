"""Power against the number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mixedeffects.plots import style

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Curve(Protocol):
    """What is drawn; `PowerCurve` of `mixedeffects.population` is one."""

    @property
    def n(self) -> NDArray[np.int64]:
        """Numbers of rows, (m,)."""

    @property
    def alpha(self) -> float:
        """Level of the test."""

    @property
    def level(self) -> float:
        """Level of the limits."""

    @property
    def power(self) -> NDArray[np.float64]:
        """Power at each n, (m,)."""

    @property
    def limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper limits, (m,) each."""

    def to_frame(self) -> Any:
        """The frame behind the picture."""


def plot_power(curve: Curve, ax: Any = None) -> Any:
    """Draw power against the number of rows, with Monte Carlo limits and the level of the test.

    Parameters
    ----------
    curve : PowerCurve
        What `power` returns.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        `data` is the frame that was drawn.

    Raises
    ------
    MixedEffectsError
        If matplotlib is not installed.
    DataError
        If `ax` holds several axes.
    """
    own = ax is None
    ax = style.one_axes(ax, height=2.4)
    lower, upper = curve.limits
    order = np.argsort(curve.n, kind="stable")
    n, power = curve.n[order], curve.power[order]
    for value, line in ((0.8, ":"), (curve.alpha, "--")):
        ax.axhline(value, color=style.LIGHT, linewidth=0.8, linestyle=line, zorder=1)
    ax.plot(n, power, "-", color=style.BLUE, linewidth=1.2, zorder=2)
    ax.vlines(n, lower[order], upper[order], color=style.BLUE, linewidth=1.2, zorder=2)
    ax.plot(n, power, "o", color=style.BLUE, markersize=3.2, markeredgewidth=0, zorder=3)
    ax.set(xlabel="rows of data", ylabel="power", ylim=(0.0, 1.03))
    if own:
        style.note(ax, f"dashed: level {curve.alpha:g}; dotted: 0.8; bars: {curve.level:.0%} limits")
        if len(n) == 1:
            ax.set_xticks(n)
        else:
            style.few_ticks(ax, 5, 5)
    ax.data = curve.to_frame()
    return ax
