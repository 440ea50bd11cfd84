"""What `unit_level` and `area_level` return: estimates by area, with their errors and their model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedeffects.errors import DataError

from .direct import percent_cv
from .frames import to_frame
from .printing import lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    import mixedeffects as me

    from .fay_herriot import AreaFit
    from .pictures import AreaPictures

_SHOWN = 20  # rows of the table that are printed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SmallAreas(ABC):
    """Estimates of t areas. Frozen.

    All arrays have the areas in one order, that of `areas`: by `area_level` the order of the rows of the data, by
    `unit_level` that of the areas' levels.

    Attributes
    ----------
    areas : tuple of str (t,)
        The areas as text.
    ranks : ndarray of int (t,)
        Their places in the order of their levels: of numbers, of text, or of the categories.
    n : ndarray (t,) or None
        Units in the sample; None where the sizes of the samples are not known.
    population_sizes : ndarray (t,) or None
        Units of the populations, if given.
    direct, direct_variance : ndarray (t,)
        Direct estimates and their sampling variances, in units of y and their square; NaN where there are none.
    eblup, mse : ndarray (t,)
        Estimates of the area means, in units of y, and of their mean squared errors.
    gamma : ndarray (t,)
        Shrinkage factor: the weight of the area's own data, 0 without any.
    synthetic : ndarray (t,)
        x'beta, the estimate from the covariates alone.
    mse_method : {"analytic", "bootstrap"}
        How the mean squared errors were estimated.
    parts : mapping of str to ndarray (t,)
        Their parts; see `mse_parts`.
    notes : tuple of str
        What a reader has to know.
    kind : str
        The library of the data.
    """

    areas: tuple[str, ...]
    ranks: NDArray[Any]
    n: NDArray[Any] | None
    population_sizes: NDArray[np.float64] | None
    direct: NDArray[np.float64]
    direct_variance: NDArray[np.float64]
    eblup: NDArray[np.float64]
    mse: NDArray[np.float64]
    gamma: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    mse_method: str
    parts: Mapping[str, NDArray[np.float64]]
    notes: tuple[str, ...]
    kind: str

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for array in (self.n, self.population_sizes, self.direct, self.direct_variance, self.eblup, self.mse):
            if array is not None:
                array.flags.writeable = False
        for array in (self.ranks, self.gamma, self.synthetic, *self.parts.values()):
            array.flags.writeable = False

    @property
    @abstractmethod
    def fixef(self) -> pd.Series:
        """Coefficients (p,), in units of y per unit of the column."""

    @property
    @abstractmethod
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix (p, p) of the coefficients, given the variances."""

    @property
    @abstractmethod
    def variance_components(self) -> pd.Series:
        """Variances, in squared units of y: `area`, between areas, and of a unit-level model `residual`."""

    @abstractmethod
    def _titles(self) -> list[str]: ...

    def to_frame(self, sort_by: str | None = None, *, descending: bool = False) -> Any:
        """Return a row for each area.

        Parameters
        ----------
        sort_by : str, optional
            One of the columns; ``"area"`` is the order of the data's levels. By default the order of `areas`.
        descending : bool
            The largest first, or the last. NaN comes last in any case.

        Returns
        -------
        data frame
            area, n, population (where sizes were given), direct, direct_variance, direct_cv, eblup, mse, cv, gamma,
            synthetic; in the library of the data. Coefficients of variation are in percent of the estimate: 100 times
            the root of the variance or of the mean squared error, over the estimate's absolute value.

        Raises
        ------
        DataError
            If there is no such column.
        """
        columns = self._columns()
        if sort_by is not None and sort_by not in columns:
            raise DataError(f"sort_by={sort_by!r} is no column; choose one of {', '.join(columns)}")
        if sort_by is None:
            order = np.arange(len(self.areas))[:: -1 if descending else 1]
        else:
            values = self.ranks if sort_by == "area" else np.asarray(columns[sort_by], dtype=np.float64)
            order = np.argsort(-values if descending else values, kind="stable")
        rows = {
            name: values[order] if isinstance(values, np.ndarray) else [values[i] for i in order]
            for name, values in columns.items()
        }
        return to_frame(rows, self.kind)

    table = to_frame

    @property
    def mse_parts(self) -> Any:
        """The parts of the mean squared errors, a row for each area, in the library of the data.

        Analytic: g1 (the parameters known), g2 (beta estimated), g3 (variances estimated), of the unit-level model g4
        (the units not in the sample), and correction (for the bias of estimated variances in g1; 0 by REML); the
        estimate is g1 + g2 + 2 g3 + g4 + correction. Bootstrap: g1, with g4 in it, and spread, whose sum is the
        estimate, and mc_error, the Monte Carlo standard error of spread.
        """
        return to_frame({"area": list(self.areas), **self.parts}, self.kind)

    @property
    def plot(self) -> AreaPictures:
        """Pictures: ``plot.caterpillar()`` and ``plot.map(geojson, key=...)``, each with its frame as `data`."""
        from .pictures import AreaPictures

        return AreaPictures(self)

    def _columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {"area": list(self.areas)}
        if self.n is not None:
            columns["n"] = self.n
        if self.population_sizes is not None:
            columns["population"] = self.population_sizes
        return columns | {
            "direct": self.direct,
            "direct_variance": self.direct_variance,
            "direct_cv": percent_cv(self.direct, self.direct_variance),
            "eblup": self.eblup,
            "mse": self.mse,
            "cv": percent_cv(self.eblup, self.mse),
            "gamma": self.gamma,
            "synthetic": self.synthetic,
        }

    def _text(self) -> str:
        columns = self._columns()
        fixed = lines(
            {
                "": list(self.fixef.index),
                "Estimate": self.fixef.to_numpy(),
                "Std. Error": np.sqrt(np.diag(self.vcov.to_numpy())),
            }
        )
        del columns["synthetic"]
        shown = lines({name: values[:_SHOWN] for name, values in columns.items()})
        n = len(self.areas)
        more = [f"... {n} areas; all of them by to_frame()"] if n > _SHOWN else []
        how = "the parametric bootstrap" if self.mse_method == "bootstrap" else "the analytic formula"
        about = f"Mean squared errors by {how}; cv in percent"
        return "\n".join([*self._titles(), "", "Fixed effects:", *fixed, "", *shown, *more, about, *self.notes])

    def __str__(self) -> str:
        return self._text()

    def __repr__(self) -> str:
        return self._text()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self._text())}</pre>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnitLevelResult(SmallAreas):
    """Small areas from data on units, as `unit_level` returns them.

    Attributes
    ----------
    fit : LmmResult
        The mixed model, with everything that such a fit offers.
    n_areas_fitted : int
        Areas with a sample, estimated or not.

    See Also
    --------
    SmallAreas : the other attributes.
    """

    fit: me.LmmResult
    n_areas_fitted: int

    @property
    def fixef(self) -> pd.Series:
        """Coefficients (p,), in units of y per unit of the column; those dropped for rank deficiency are left out."""
        return self.fit.fixef.dropna()

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix (p, p) of the coefficients, given the variances."""
        return self.fit.vcov

    @property
    def variance_components(self) -> pd.Series:
        """Variances between areas (`area`) and of units (`residual`), in squared units of y."""
        between = float((self.fit.theta[0] * self.fit.sigma) ** 2)
        return pd.Series({"area": between, "residual": self.fit.sigma**2}, name="variance")

    def _titles(self) -> list[str]:
        between, within = self.variance_components
        without = sum(1 for n in np.asarray(self.n) if n == 0)
        synthetic = f" ({without} of them synthetic)" if without else ""
        return [
            f"Small areas from units: nested-error model fit by {'REML' if self.fit.reml else 'ML'}",
            f"Formula: {self.fit.formula}",
            f"Areas: {len(self.areas)} estimated{synthetic}, {self.n_areas_fitted} with sample; {self.fit.nobs} units",
            f"Variance between areas {between:.5g}, of units {within:.5g}",
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AreaLevelResult(SmallAreas):
    """Small areas from direct estimates, as `area_level` returns them.

    Attributes
    ----------
    formula : str
        The formula.
    method : {"reml", "ml", "fh"}
        How the variance between areas was estimated.
    names : tuple of str (p,)
        The coefficients.
    found : AreaFit
        The estimates as arrays.
    rows : ndarray of int (t,)
        Positions of the areas in the rows of the data.

    See Also
    --------
    SmallAreas : the other attributes.
    """

    formula: str
    method: str
    names: tuple[str, ...]
    found: AreaFit
    rows: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        SmallAreas.__post_init__(self)
        self.rows.flags.writeable = False

    @property
    def fixef(self) -> pd.Series:
        """Coefficients (p,), in units of y per unit of the column; those dropped for rank deficiency are left out."""
        return pd.Series(self.found.beta, index=list(self.names))

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix (p, p) of the coefficients, (X'V^-1 X)^-1."""
        return pd.DataFrame(self.found.vcov, index=list(self.names), columns=list(self.names))

    @property
    def variance_components(self) -> pd.Series:
        """Variance between areas (`area`), in squared units of y; those of the direct estimates are given."""
        return pd.Series({"area": self.found.A}, name="variance")

    @property
    def is_singular(self) -> bool:
        """Whether the variance between areas is estimated as 0, or below 1e-8 of the smallest sampling variance."""
        return self.found.is_singular

    @property
    def nobs(self) -> int:
        """Areas with direct estimates, m."""
        return len(self.found.y)

    @property
    def loglik(self) -> float:
        """Log-likelihood at the estimates; the ordinary one also for REML and the moment estimate."""
        return self.found.loglik

    @property
    def criterion(self) -> float:
        """Minus twice the maximized (restricted) log-likelihood; NaN for the moment estimate.

        The restricted one is as `lmer` has it: with log|X'V^-1 X| and m - p times log(2 pi).
        """
        return self.found.criterion

    @property
    def aic(self) -> float:
        """Akaike's criterion from `loglik`, with p + 1 parameters."""
        return -2.0 * self.loglik + 2.0 * (len(self.names) + 1)

    @property
    def bic(self) -> float:
        """Bayesian information criterion from `loglik`: log(m) for each of the p + 1 parameters."""
        return float(-2.0 * self.loglik + np.log(self.nobs) * (len(self.names) + 1))

    def _titles(self) -> list[str]:
        how = {"reml": "REML", "ml": "ML", "fh": "the Fay-Herriot moment equation"}[self.method]
        without = len(self.areas) - self.nobs
        synthetic = f" ({without} of them synthetic)" if without > 0 else ""
        return [
            f"Small areas from direct estimates: Fay-Herriot model fit by {how}",
            f"Formula: {self.formula}",
            f"Areas: {len(self.areas)} estimated{synthetic}, {self.nobs} with direct estimates",
            f"Variance between areas {self.found.A:.5g}",
            f"logLik {self.loglik:.4f}, AIC {self.aic:.4f}, BIC {self.bic:.4f}",
        ]
