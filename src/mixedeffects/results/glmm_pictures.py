"""`fit.plot` of a generalized fit: one method per picture."""

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

    from mixedeffects.diagnostics.glmm_influence import GlmmMethod
    from mixedeffects.fit.glmm_values import Kind


class GlmmPictures(SharedPictures):
    """Pictures of a generalized linear mixed model.

    Residuals are randomized quantile residuals unless another kind is asked for: those of counts and of zeros and ones
    are close to standard normal if the model is true (less variable in small groups, as they are given predicted
    effects), where Pearson and deviance residuals lie on curves. Their draws are the same every time unless `rng` says
    otherwise.
    """

    __slots__ = ()

    @picture
    def residuals(self, kind: Kind = "quantile", *, marginal: bool = False, rng: Any = 1, ax: Any = None) -> Picture:
        """Residuals against linear predictors, with a smooth curve.

        Parameters
        ----------
        kind : {"quantile", "scaled", "response", "pearson", "working", "deviance"}
            As ``fit.residuals`` takes it.
        marginal : bool
            Put the random effects to 0 in both.
        rng : None, int, Generator or SeedSequence
            Source of the draws of quantile residuals.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: row, fitted (linear predictor), residual, smooth. More than 20,000 rows are drawn as shaded cells.
        """
        return residuals_picture(self._fit, kind, marginal=marginal, rng=rng)

    @picture
    def scale_location(self, rng: Any = 1, *, ax: Any = None) -> Picture:
        """Square roots of the absolute quantile residuals against linear predictors, with a smooth curve.

        Parameters
        ----------
        rng : None, int, Generator or SeedSequence
            Source of the draws.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: row, fitted, root, smooth.
        """
        return scale_location_picture(self._fit, rng)

    @picture
    def qq(self, n: int | None = None, rng: Any = 1, *, ax: Any = None) -> Picture:
        """Normal quantile plot of the quantile residuals, with the median and a pointwise band of 95 %.

        The band is that of responses drawn from the fit with new random effects. Their residuals are taken with the
        coefficients and modes that belong to each, both where the penalized likelihood is largest, with theta and
        dispersion at their estimates: nothing is fitted again.

        Parameters
        ----------
        n : int, optional
            Draws, at least 39; 199 by default, or 39 with more than 20,000 rows.
        rng : None, int, Generator or SeedSequence
            Source of the draws.
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
        """Where each level goes from its own estimate to that of the mixed model, on the scale of the link.

        The own estimate is that of the level's rows in the linear mixed model which stands for the fit at its modes:
        least squares of the working responses with the working weights, after the effects of other factors and of other
        fixed columns are subtracted. It is finite also where a level has successes or failures only.

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
        """Data, own curve (solid) and common curve (dashed) of each level, on the scale of the response.

        The common curve is the mean at random effects of 0. The own curve has the effects of the level and of the
        levels of other factors in which it lies; those of crossed factors are 0, as the legend says.

        Other predictors than x, and offsets, are as observed where they are the same in all rows of a level. Those that
        vary within a level are held at one value, which the legend says: numbers and offsets at their mean over the
        data, categories at their first level, or what `at` gives. The points are the data as they are, also where they
        were observed at other values.

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
            ``data``: group, level, panel, part ("data", "own", "common"), x, y.
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
    def influence(self, by: Any = None, method: GlmmMethod | None = None, *, ax: Any = None) -> Picture:
        """Cook's distance of each deleted group or row, the largest five with their labels.

        Parameters
        ----------
        by : str or array-like, optional
            A grouping factor or another column; single rows by default.
        method : {"refit", "one-step"}, optional
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
            Which picture; the residuals are quantile residuals.
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
