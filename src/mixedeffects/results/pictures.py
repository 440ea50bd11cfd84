"""`fit.plot`: one method per picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.plots.caterpillar import caterpillar_picture
from mixedeffects.plots.influence import influence_picture
from mixedeffects.plots.lineup import LineupKind, lineup_picture
from mixedeffects.plots.picture import Picture, picture
from mixedeffects.plots.profile import profile_picture
from mixedeffects.plots.qq import qq_picture, ranef_qq_picture
from mixedeffects.plots.ranef_pairs import ranef_pairs_picture
from mixedeffects.plots.residuals import residuals_picture, scale_location_picture
from mixedeffects.plots.shrinkage import shrinkage_picture
from mixedeffects.plots.spaghetti import groups_picture, spaghetti_picture
from mixedeffects.plots.trajectories import trajectories_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixedeffects.diagnostics.influence import Method
    from mixedeffects.fit import LmmFit
    from mixedeffects.fit.residuals import Kind


class Pictures:
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
        names = (name for name in vars(type(self)) if not name.startswith("_"))
        return f"<pictures of {self._fit.model.formula.text!r}: {', '.join(names)}>"

    @picture
    def residuals(self, kind: Kind = "scaled", *, marginal: bool = False, ax: Any = None) -> Picture:
        """Residuals against fitted values, with a smooth curve.

        Parameters
        ----------
        kind : {"scaled", "response", "pearson", "working", "deviance", "quantile"}
            As ``fit.residuals`` takes it.
        marginal : bool
            Leave the random effects out of both.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: row, fitted, residual, smooth. More than 20,000 rows are drawn as shaded cells.
        """
        return residuals_picture(self._fit, kind, marginal=marginal)

    @picture
    def scale_location(self, *, ax: Any = None) -> Picture:
        """Square roots of the absolute scaled residuals against fitted values, with a smooth curve.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: row, fitted, root, smooth.
        """
        return scale_location_picture(self._fit)

    @picture
    def qq(self, n: int | None = None, rng: Any = 1, *, ax: Any = None) -> Picture:
        """Normal quantile plot of the scaled residuals, with the median and a pointwise band of 95 %.

        The band is that of responses drawn from the fit with new random effects and errors. Their residuals are taken
        with the coefficients, modes and sigma that belong to each, theta at its estimate: nothing is fitted again.

        Parameters
        ----------
        n : int, optional
            Draws, at least 39; 199 by default, or 39 with more than 20,000 rows.
        rng : None, int, Generator or SeedSequence
            Source of the draws; fixed by default, so that the picture is always the same.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: row, theoretical, residual, lower, median, upper. Of more than 1,000 rows the 100 at each end are
            drawn and others evenly between.
        """
        return qq_picture(self._fit, n, rng)

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
    def shrinkage(
        self, group: str | None = None, terms: str | Sequence[str] | None = None, *, ax: Any = None
    ) -> Picture:
        """Where each level goes from its own least-squares estimate to that of the mixed model.

        The own estimate is that of the level's rows after the effects of other factors and of other fixed columns, as
        the model estimates them, are subtracted; the mixed model pulls it to the fixed effect. It is not the
        `no_pooling` of ``me.compare_pooling``, nor is the fixed effect its `complete_pooling`: those are least squares
        without these effects.

        Parameters
        ----------
        group : str, optional
            A grouping factor; the one of most levels by default.
        terms : str or two of them, optional
            Columns of its random effects: two span a plane, one makes a strip. The first two by default.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: group, level, term, own_estimate, mixed_model, fixed_effect.
        """
        return shrinkage_picture(self._fit, group, terms)

    @picture
    def trajectories(
        self, x: str | None = None, n: int | None = None, group: str | None = None, *, ax: Any = None
    ) -> Picture:
        """Data, own line (solid) and common line (dashed) of each level, in panels ordered by slope.

        The common line is that of the fixed effects. The own line adds the random effects of the level and of the
        levels of other factors in which it lies: those of ``Block`` too for one of ``Block:Variety``. Effects of
        crossed factors vary within the level and are subtracted from the response: the points are then partial
        residuals, and the legend says so. Point less own line is the residual in both cases.

        Where the model has other predictors than x, they are as observed: the lines join the fitted values at the
        rows, or, where another predictor varies within a level, dashes stand at them.

        Parameters
        ----------
        x : str, optional
            A column of the formula; by default the only numeric covariate with a random slope, else the first numeric
            covariate of the fixed part.
        n : int, optional
            Number of panels, 30 by default, taken evenly from all levels ordered by slope.
        group : str, optional
            A grouping factor; by default the first with a random slope in x, else the one of most levels.
        ax : array of matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        array of Axes
            ``data``: group, level, panel, part ("data" or "partial", "own", "common"), x, y.
        """
        return trajectories_picture(self._fit, x, n, group)

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
        says its intraclass correlation, with random slopes the adjusted one: ``fit.icc().adjusted``.

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

    @picture
    def profile(self, params: str | Sequence[str] | None = None, *, ax: Any = None) -> Picture:
        """Signed roots of the profiled deviance, with the limits of 50, 80 and 95 % intervals.

        Parameters
        ----------
        params : str or sequence of str, optional
            As ``fit.profile`` takes them.
        ax : array of matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        array of Axes
            ``data``: param, value, zeta.
        """
        return profile_picture(self._fit, params)

    @picture
    def influence(self, by: Any = None, method: Method | None = None, *, ax: Any = None) -> Picture:
        """Cook's distance of each deleted group or row, the largest five with their labels.

        Parameters
        ----------
        by : str or array-like, optional
            A grouping factor or another column; single rows by default.
        method : {"refit", "closed"}, optional
            As ``fit.influence`` takes it.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: by, deleted, cooks_distance, mdffits, covratio.
        """
        return influence_picture(self._fit, by, method)

    @picture
    def lineup(
        self,
        kind: LineupKind = "residuals",
        n: int = 20,
        rng: Any = None,
        group: str | None = None,
        term: str | None = None,
        *,
        ax: Any = None,
    ) -> Picture:
        """The picture of the data hidden among those of data drawn from the fit and fitted anew.

        Parameters
        ----------
        kind : {"residuals", "scale_location", "qq", "ranef_qq"}
            Which picture.
        n : int
            Number of panels.
        rng : None, int, Generator or SeedSequence
            Source of the draws and of the place of the real picture.
        group, term : str, optional
            For ranef_qq: the grouping factor and the column of its random effects; the first by default.
        ax : array of matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        array of Axes
            ``position``: the panel, from 1, of the real data. ``data``: panel, real, x, y, reference.
        """
        return lineup_picture(self._fit, kind, n, rng, group, term)
