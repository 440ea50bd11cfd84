"""Results of inference with frames for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedeffects.frame import to_frame
from mixedeffects.results.calls import clear_calls
from mixedeffects.tables.frames import framed, interval_frame, noted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mixedeffects.inference.bootstrap import Bootstrap
    from mixedeffects.inference.emmeans import MarginalMeans
    from mixedeffects.inference.profile import Profile
    from mixedeffects.inference.robust import RobustCovariance
    from mixedeffects.tables.frames import IntervalFrame


@clear_calls
class ProfileView:
    """Profiles of the parameters.

    Attributes
    ----------
    curves : tuple of ProfileCurve
        One for each parameter.
    """

    __slots__ = ("_profile",)

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._profile, name)

    def __getitem__(self, name: str) -> Any:
        return self._profile[name]

    def __iter__(self) -> Any:
        return iter(self._profile)

    def __len__(self) -> int:
        return len(self._profile)

    def confint(self, level: float = 0.95, params: str | Sequence[str] | None = None) -> IntervalFrame:
        """Limits where zeta is within the normal quantiles: index parameter, columns lower and upper."""
        found = self._profile.confint(level, params)
        return interval_frame(found.names, found.lower, found.upper, found.heads, [found.message])

    def plot(self, ax: Any = None) -> Any:
        """Draw zeta against each parameter (needs matplotlib); returns an array of axes, one for each."""
        from mixedeffects.plots.profile import plot_profile

        return plot_profile(self._profile, ax)

    def __repr__(self) -> str:
        return f"<profile of {', '.join(self._profile.names)}>"


@clear_calls
class BootstrapView:
    """Replicates of a bootstrap.

    Attributes
    ----------
    values : ndarray (n, m)
        Replicates as an array, columns as `names`.
    n_asked, n_done, n_failed : int
        Replicates asked for, drawn, and left out.
    """

    __slots__ = ("_bootstrap",)

    def __init__(self, bootstrap: Bootstrap) -> None:
        self._bootstrap = bootstrap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bootstrap, name)

    @property
    def replicates(self) -> Any:
        """One row per replicate that converged: sd, correlations, sigma, coefficients, theta; in the data's library."""
        columns: dict[str, NDArray[Any]] = dict(zip(self._bootstrap.names, self._bootstrap.values.T, strict=True))
        columns |= {f"theta{j + 1}": values for j, values in enumerate(self._bootstrap.theta.T)}
        return to_frame(columns, self._bootstrap.fit.model.data_kind)

    def confint(self, level: float = 0.95, kind: str = "percentile", params: Any = None) -> IntervalFrame:
        """Intervals of kind percentile, basic, normal or bca: index parameter, columns lower and upper."""
        found = self._bootstrap.intervals(level, kind, params)
        return interval_frame(found.names, found.lower, found.upper, found.heads, [found.method, found.message])

    def __repr__(self) -> str:
        b = self._bootstrap
        return f"<bootstrap of {b.fit.model.formula.text!r}: {len(b.values)} replicates, {b.n_failed} failed>"


@clear_calls
class MarginalMeansView:
    """Estimated marginal means."""

    __slots__ = ("_means",)

    def __init__(self, means: MarginalMeans) -> None:
        self._means = means

    def __getattr__(self, name: str) -> Any:
        return getattr(self._means, name)

    def to_frame(self) -> Any:
        """Columns of the factors, estimate, std_error, df, lower, upper."""
        return framed(self._means)

    def __getitem__(self, name: str) -> Any:
        return self.to_frame()[name]

    def contrasts(
        self,
        method: str | Mapping[str, Any] = "pairwise",
        adjust: str | None = None,
        *,
        level: float | None = None,
        differences: bool = False,
    ) -> Any:
        """Contrasts of the means, with p-values and limits adjusted for their number.

        Parameters
        ----------
        method : {"pairwise", "revpairwise", "trt.vs.ctrl"} or mapping
            All pairs; all pairs the other way round; every level against the first one. Or names with the weights of
            the means, by level: ``{"drug": {"low": 0.5, "high": 0.5, "placebo": -1}}``, or in their order:
            ``{"drug": [-1, 0.5, 0.5]}``.
        adjust : {"tukey", "bonferroni", "holm", "sidak", "none"}, optional
            By default tukey for pairwise contrasts and none for others, also those with a control.
        level : float, optional
            Joint confidence level, that of the means by default.
        differences : bool
            With ``scale="response"``: differences in the units of the response, such as milliseconds or probabilities,
            in place of ratios; standard errors and limits by the delta method, as R's ``pairs(regrid(...))``. Degrees
            of freedom are those of the linearised contrast; R takes the smallest of the means.

        Examples
        --------
        >>> import mixedeffects as me
        >>> fit = me.lmer("log(angle) ~ recipe + (1 | recipe:replicate)", me.datasets.load("cake"))
        >>> means = fit.emmeans("recipe", scale="response")
        >>> means.contrasts("trt.vs.ctrl", differences=True)["estimate"].round(2).tolist()
        [-1.68, -1.82]
        >>> means.contrasts({"A against others": {"A": 1, "B": -0.5, "C": -0.5}})["estimate"].round(3).tolist()
        [1.057]
        """
        return framed(self._means.contrasts(method, adjust=adjust, level=level, differences=differences))

    def to_csv(self, path: Any) -> None:
        """Write the columns of `to_frame` to a file, with all digits.

        Parameters
        ----------
        path : str, path or file object
            Where to; a file that is there is replaced.
        """
        pd.DataFrame(dict(self._means.columns)).to_csv(path, index=False)

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the means with their intervals, one panel for each combination of `by` (needs matplotlib).

        Parameters
        ----------
        ax : Axes or array of Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        Axes, or array of Axes with `by`
            With the frame of the means as `data`.
        """
        from mixedeffects.plots.marginal_means import marginal_means_picture

        return marginal_means_picture(self._means).draw(ax)

    def __repr__(self) -> str:
        return repr(self.to_frame())

    def _repr_html_(self) -> str:
        return str(noted(pd.DataFrame(dict(self._means.columns)), self._means.notes)._repr_html_())


@clear_calls
class RobustView:
    """A cluster-robust covariance of the fixed effects."""

    __slots__ = ("_robust",)

    def __init__(self, robust: RobustCovariance) -> None:
        self._robust = robust

    def __getattr__(self, name: str) -> Any:
        return getattr(self._robust, name)

    @property
    def vcov(self) -> pd.DataFrame:
        """The covariance matrix, (p, p)."""
        names = list(self._robust.names)
        return pd.DataFrame(self._robust.vcov.copy(), index=names, columns=names)

    def coef_table(self) -> Any:
        """Estimates with robust standard errors, degrees of freedom, t statistics and p-values."""
        return framed(self._robust.table())

    def __repr__(self) -> str:
        return repr(self.coef_table())
