"""Pictures that fits of all kinds have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.plots.caterpillar import caterpillar_picture
from mixedeffects.plots.picture import Picture, picture
from mixedeffects.plots.qq import ranef_qq_picture
from mixedeffects.plots.ranef_pairs import ranef_pairs_picture
from mixedeffects.plots.spaghetti import groups_picture, spaghetti_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixedeffects.fit import LmmFit


class SharedPictures:
    """Pictures of a fit: call one to draw it, or take its ``data`` without drawing.

    ``fit.plot.qq()`` returns Axes (an array of them where there are several panels) whose attribute ``data`` is the
    frame that was drawn, in the library of the fitted data; ``fit.plot.qq.data`` is that of the default options. Each
    takes ``ax=``: Axes, or an array with one for each panel; a new figure, one column wide, is made otherwise. Nothing
    is shown or saved, and no setting of matplotlib is changed. matplotlib is needed for drawing only.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    """

    __slots__ = ("_fit",)

    def __init__(self, fit: LmmFit) -> None:
        self._fit = fit

    def __repr__(self) -> str:
        every = [name for kind in type(self).__mro__ for name in vars(kind) if not name.startswith("_")]
        names = dict.fromkeys(every)
        return f"<pictures of {self._fit.model.formula.text!r}: {', '.join(names)}>"

    @picture
    def ranef_qq(self, group: str | None = None, n: int | None = None, rng: Any = 1, *, ax: Any = None) -> Picture:
        """Normal quantile plots of the standardized conditional modes, one for each column of the random effects.

        A mode is divided by its standard deviation under the model, the root of Sigma - condvar, and by the root of
        the mean square of its column. The bands are as in `qq`.

        Parameters
        ----------
        group : str, optional
            One grouping factor; all by default.
        n : int, optional
            Draws, as in `qq`.
        rng : None, int, Generator or SeedSequence
            Source of the draws; fixed by default.
        ax : array of matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        array of Axes
            ``data``: group, term, level, theoretical, mode, estimate, lower, median, upper.
        """
        return ranef_qq_picture(self._fit, group, n, rng)

    @picture
    def caterpillar(
        self,
        group: str | None = None,
        term: str | None = None,
        *,
        order: bool = True,
        level: float = 0.95,
        ax: Any = None,
    ) -> Picture:
        """Conditional modes with normal intervals from their conditional variances.

        Panels of the same column have the same scale, whatever their factor.

        Parameters
        ----------
        group, term : str, optional
            One grouping factor, one column of its random effects; all by default, one panel each.
        order : bool
            Order the levels by the modes of the first column drawn.
        level : float
            Of the intervals. They are given the estimated parameters, and one by one: comparing two of them is no test.
        ax : array of matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        array of Axes
            ``data``: group, term, level, estimate, std_error, lower, upper, position.
        """
        return caterpillar_picture(self._fit, group, term, order=order, level=level)

    @picture
    def spaghetti(
        self,
        x: str | None = None,
        group: str | None = None,
        line_at: float | Sequence[float] | None = None,
        *,
        ax: Any = None,
    ) -> Picture:
        """The data, one line per group; where a group has several values at one x, it goes through their mean.

        Parameters
        ----------
        x : str, optional
            A column of the formula, as in `trajectories`.
        group : str, optional
            A grouping factor; the one of most levels by default.
        line_at : float or sequence of float, optional
            Vertical lines.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: group, level, row, x, y, line.
        """
        return spaghetti_picture(self._fit, x, group, line_at)

    @picture
    def groups(self, group: str | None = None, *, order: bool = False, ax: Any = None) -> Picture:
        """The response of each row above its group, and the means of the groups as bars.

        Rows of a group with the same response stand side by side. If the model has one grouping factor, the picture
        of a linear mixed model says its intraclass correlation, with random slopes the adjusted one:
        ``fit.icc().adjusted``.

        Parameters
        ----------
        group : str, optional
            A grouping factor; the one of most levels by default.
        order : bool
            Order the groups by their means.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: group, level, row, position, offset, y, mean.
        """
        return groups_picture(self._fit, group, order=order)

    @picture
    def ranef_pairs(self, group: str | None = None, *, ax: Any = None) -> Picture:
        """Conditional modes of each column against each other, with ellipses of the estimated covariance.

        The ellipses hold 50 and 95 % of random effects, which are more spread than their modes.

        Parameters
        ----------
        group : str, optional
            A grouping factor with two columns or more; the first such by default.
        ax : array of matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        array of Axes
            ``data``: group, term_x, term_y, part, level, x, y.
        """
        return ranef_pairs_picture(self._fit, group)
