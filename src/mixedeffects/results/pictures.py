"""`fit.plot`: one method per picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.plots.influence import influence_picture
from mixedeffects.plots.lineup import LineupKind, lineup_picture
from mixedeffects.plots.picture import Picture, picture
from mixedeffects.plots.profile import profile_picture
from mixedeffects.plots.qq import qq_picture
from mixedeffects.plots.residuals import residuals_picture, scale_location_picture
from mixedeffects.plots.shrinkage import shrinkage_picture
from mixedeffects.plots.trajectories import trajectories_picture
from mixedeffects.results.shared_pictures import SharedPictures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixedeffects.diagnostics.influence import Method
    from mixedeffects.fit.residuals import Kind


class Pictures(SharedPictures):
    """Pictures of a linear mixed model."""

    __slots__ = ()

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
        self,
        x: str | None = None,
        n: int | None = None,
        group: str | None = None,
        *,
        at: Mapping[str, Any] | str | None = None,
        ax: Any = None,
    ) -> Picture:
        """Data, own line (solid) and common line (dashed) of each level, in panels ordered by slope.

        The common line is that of the fixed effects. The own line adds the random effects of the level and of the
        levels of other factors in which it lies: those of ``Block`` too for one of ``Block:Variety``. Effects of
        crossed factors vary within the level and are subtracted from the response: the points are then partial
        residuals, and the legend says so. Point less own line is the residual in both cases.

        Other predictors than x, and offsets, are as observed where they are the same in all rows of a level. Those that
        vary within a level are held at one value, which the legend says: numbers and offsets at their mean over the
        data, categories at their first level, or what `at` gives. The points are then the line plus the residual.

        Parameters
        ----------
        x : str, optional
            A column of the formula; by default the only numeric covariate with a random slope, else the first predictor
            of the fixed part that varies within levels of `group`, numeric ones before categories, else the first
            numeric one.
        n : int, optional
            Number of panels, 30 by default, taken evenly from all levels ordered by slope.
        group : str, optional
            A grouping factor; by default the first with a random slope in x, else the one of most levels.
        at : mapping of str to value, or "observed", optional
            Values of other predictors, such as ``at={"effort": 1}``; an offset that was an argument of the fit goes by
            the name of its column, or ``"offset"``. "observed" draws the fitted values at the rows, as dashes where
            other predictors vary within a level.
        ax : array of matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        array of Axes
            ``data``: group, level, panel, part ("data" or "partial", "own", "common"), x, y.
        """
        return trajectories_picture(self._fit, x, n, group, at)

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
