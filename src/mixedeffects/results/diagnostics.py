"""The diagnostic methods of a fit: one call each to the diagnostics layer, with the tables made readable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from mixedeffects.diagnostics.influence import conditional_cooks, influence
from mixedeffects.fit import LmmFit
from mixedeffects.fit.functionals import leverage
from mixedeffects.frame import to_frame
from mixedeffects.tables.frames import noted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.diagnostics.influence import Influence

_MEASURES = ("cooks_distance", "mdffits", "covratio", "covtrace")


class InfluenceView:
    """Influence of groups or rows on the fixed effects, as `influence` returns it: series and frames by deleted set.

    Attributes
    ----------
    by : str
        The grouping factor, or ``"row"``.
    method : {"refit", "closed", "one-step"}
        Whether the variances were estimated anew.
    """

    __slots__ = ("_found", "_kind")

    def __init__(self, found: Influence, kind: str) -> None:
        self._found, self._kind = found, kind

    @property
    def by(self) -> str:
        """The grouping factor, or ``"row"``."""
        return self._found.by

    @property
    def method(self) -> str:
        """``"refit"``, or ``"closed"`` (of generalized models ``"one-step"``)."""
        return self._found.method

    @property
    def cooks_distance(self) -> pd.Series:
        """The quadratic form dfbeta' var(beta)^-1 dfbeta / p, (m,), by deleted set."""
        return self._series("cooks_distance")

    @property
    def mdffits(self) -> pd.Series:
        """Cook's distance with the covariance without the set, (m,)."""
        return self._series("mdffits")

    @property
    def covratio(self) -> pd.Series:
        """det(var(beta without the set)) / det(var(beta)), (m,); above 1 where the set adds precision."""
        return self._series("covratio")

    @property
    def covtrace(self) -> pd.Series:
        """abs(tr(var(beta)^-1 var(beta without the set)) - p), (m,)."""
        return self._series("covtrace")

    @property
    def dfbeta(self) -> pd.DataFrame:
        """Fixed effects without the set less those of all rows, (m, p)."""
        return self._frame(self._found.dfbeta)

    @property
    def dfbetas(self) -> pd.DataFrame:
        """`dfbeta` in standard errors of the estimate without the set, (m, p)."""
        return self._frame(self._found.dfbetas)

    @property
    def fixef(self) -> pd.DataFrame:
        """Fixed effects without each set, (m, p)."""
        return self._frame(self._found.deleted.beta)

    @property
    def std_errors(self) -> pd.DataFrame:
        """Their standard errors, (m, p)."""
        return self._frame(np.sqrt(np.einsum("mpp->mp", self._found.deleted.vcov)))

    @property
    def sigma(self) -> pd.Series:
        """Residual standard deviation without each set, (m,)."""
        return pd.Series(self._found.deleted.sigma, index=self._index(), name="sigma")

    @property
    def theta(self) -> NDArray[np.float64]:
        """Relative covariance factors without each set, (m, d)."""
        return self._found.deleted.theta.copy()

    def to_frame(self) -> Any:
        """Return one row per deleted set: the label, the four measures, and dfbetas by coefficient."""
        found = self._found
        columns = {found.by: list(found.labels)}
        columns |= {name: getattr(found, name) for name in _MEASURES}
        columns |= {f"dfbetas_{name}": values for name, values in zip(found.names, found.dfbetas.T, strict=True)}
        text = () if found.by == "row" else (found.by,)
        return noted(to_frame(columns, self._kind, text=text), found.notes)

    def __getitem__(self, name: str) -> Any:
        return self.to_frame()[name]

    def __len__(self) -> int:
        return len(self._found.labels)

    def __repr__(self) -> str:
        worst = self.cooks_distance.dropna().sort_values(ascending=False).head(10)
        lines = [f"Influence of {len(self)} deletions by {self.by} ({self.method}); largest Cook's distances:"]
        lines += [f"  {label!s:<16} {value:.4f}" for label, value in worst.items()]
        return "\n".join([*lines, *self._found.notes])

    def _index(self) -> pd.Index:
        return pd.Index(self._found.labels, name=self.by)

    def _series(self, name: str) -> pd.Series:
        return pd.Series(getattr(self._found, name), index=self._index(), name=name)

    def _frame(self, values: NDArray[np.float64]) -> pd.DataFrame:
        return pd.DataFrame(values, index=self._index(), columns=list(self._found.names))


class DiagnosticMethods(LmmFit):
    """What a fit offers for looking at single rows and groups."""

    __slots__ = ()

    def leverage(self) -> NDArray[np.float64]:
        """Hat values: the diagonal of the matrix that takes y to the fitted values, random effects included.

        Returns
        -------
        ndarray (nobs,)
            Between 0 and 1, without units. Their sum is the effective number of parameters.

        Notes
        -----
        w_i var(x_i'beta_hat + z_i'(b_hat - b)) / sigma^2 at the estimated variances [1]_.

        References
        ----------
        .. [1] Demidenko & Stukel (2005), Influence analysis for linear mixed-effects models, Statistics in Medicine 24,
           893-909, doi:10.1002/sim.1974.
        """
        return leverage(self)

    def cooks_distance(self) -> NDArray[np.float64]:
        """Cook's distance of each row from its residual and leverage, as lme4's `cooks.distance` has it.

        Returns
        -------
        ndarray (nobs,)
            r^2 h / ((1 - h)^2 p) with r the scaled residual: how far the conditional fitted values move. NaN where
            h is 1. `influence` tells how far the fixed effects move.
        """
        return conditional_cooks(self)

    def influence(self, by: Any = None, method: Literal["refit", "closed"] | None = None) -> InfluenceView:
        """Influence of groups or of single rows on the fixed effects.

        Parameters
        ----------
        by : str or array-like (nobs,), optional
            A grouping factor or another column of the formula, or labels of the rows used; by default single rows.
        method : {"refit", "closed"}, optional
            Estimate the variances anew without each set, by refits started at the estimate (the default for groups);
            or hold their ratios, in closed form (the default for rows).

        Returns
        -------
        InfluenceView
            cooks_distance, dfbetas, mdffits, covratio by deleted level or row; `to_frame()` has all.

        Raises
        ------
        DataError
            For a `by` that the fit does not know, or another method.
        MixedEffectsError
            If the model has no fixed effects.

        Notes
        -----
        Formulas are not read again: knots and contrasts stay those of the fit, and the offset and weights of the rows
        left are their own. NaN where the rows left have one level of a factor, or cannot estimate a coefficient [1]_.

        References
        ----------
        .. [1] Christensen, Pearson & Johnson (1992), Case-deletion diagnostics for mixed models, Technometrics 34,
           38-45, doi:10.2307/1269550.
        """
        return InfluenceView(influence(self, by, method), self.model.data_kind)
