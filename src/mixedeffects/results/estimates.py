"""The estimates of a fit as a statistician reads them: fixed effects, variances, conditional modes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedeffects.fit import LmmFit, effects
from mixedeffects.fit.fitted_design import FittedDesign
from mixedeffects.tables import (
    GroupCoefficients,
    GroupValues,
    InformationCriteria,
    RandomEffects,
    RandomTermCovariance,
    VarCorr,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class EstimateMethods(LmmFit):
    """What a fit estimates."""

    __slots__ = ()

    @property
    def fixef(self) -> pd.Series:
        """Estimated fixed effects (p,), (X'V^-1 X)^-1 X'V^-1 y, one for each column of the fixed part.

        In units of y per unit of the column; of a generalized fit, where they are the maximum likelihood estimates, in
        units of the link: log odds under logit, logarithms of the mean under log. NaN for coefficients dropped for rank
        deficiency.
        """
        return self._named(self.solution.beta)

    @property
    def std_errors(self) -> pd.Series:
        """Standard errors of the fixed effects (p,), in the units and the order of `fixef`; NaN for dropped ones.

        Square roots of the diagonal of `vcov`: conditional on the variance estimates. Those of a generalized fit count
        the estimation of variances and dispersion, unless ``nagq=0``.
        """
        return self._named(np.sqrt(np.diag(self.solution.vcov)))

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix (p, p) of the estimated fixed effects, sigma^2 (X'V^-1 X)^-1, given the variance estimates.

        Of a generalized fit the block of the inverse joint Hessian, on the scale of the link. Rows and columns of
        coefficients dropped for rank deficiency are left out.
        """
        names = list(self.model.kept_names)
        return pd.DataFrame(self.solution.vcov.copy(), index=names, columns=names)

    @property
    def theta(self) -> NDArray[np.float64]:
        """Relative covariance factors (d,), without units: the entries of the lower triangles Lambda_t.

        Terms by decreasing number of levels, triangles column by column; the covariance of a term is
        sigma^2 Lambda_t Lambda_t'. Canonical: diagonals >= 0, and a column with a zero pivot is zero.
        """
        return self.solution.theta.copy()

    @property
    def varcorr(self) -> VarCorr:
        """Variances and correlations of the random effects, sigma^2 Lambda_t Lambda_t', with the residual one.

        On the scale of the data: standard deviations in units of y per unit of the column. Of a generalized fit they
        are Lambda_t Lambda_t', on the scale of the link, and the residual one is there only for families whose
        dispersion is a scale of the variance (gamma, inverse Gaussian, gaussian).

        Examples
        --------
        >>> import mixedeffects as me
        >>> fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
        >>> fit.varcorr.covariance["Subject"].round(2).to_numpy().tolist()
        [[612.09, 9.6], [9.6, 35.07]]
        """
        terms = tuple(
            RandomTermCovariance(key=term.key, group=term.group, names=term.names, covariance=covariance)
            for term, covariance in zip(self.model.terms, effects.covariances(self), strict=True)
        )
        return VarCorr(terms=terms, sigma=self._residual_sd(), kind=self.model.data_kind)

    @property
    def ranef(self) -> RandomEffects:
        """Conditional modes of the random effects by grouping factor, b = S Z'Py, in units of y per unit of the column.

        Those of a generalized fit maximize the density of y and b, on the scale of the link.
        A mapping to frames, (J, k): levels by columns, all terms of a factor side by side. `condvar` maps to their
        covariances given y and beta, (J, k, k).

        Examples
        --------
        >>> import mixedeffects as me
        >>> fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
        >>> fit.ranef["Subject"].loc["308"].round(2).tolist()
        [2.26, 9.2]
        """
        variances = cache(lambda: effects.conditional_variances(self))
        groups = tuple(
            GroupValues(
                group=group,
                terms=effects.block_names(self, block),
                levels=self._labels(group),
                values=effects.block_modes(self, block),
                condvar=_item(variances, block),
            )
            for block, group in enumerate(self.model.factors)
        )
        return RandomEffects(groups=groups, kind=self.model.data_kind)

    @property
    def coef(self) -> GroupCoefficients:
        """Fixed plus random effects per level: a mapping from grouping factor to a frame, levels by coefficients.

        Columns are the estimated fixed effects, then random effects that have no fixed one.
        """
        groups = []
        for block, group in enumerate(self.model.factors):
            names, values = effects.level_coefficients(self, block)
            groups.append(GroupValues(group=group, terms=names, levels=self._labels(group), values=values))
        return GroupCoefficients(groups=tuple(groups), kind=self.model.data_kind)

    @property
    def formula(self) -> str:
        """The formula as text."""
        return self.model.formula.text

    @property
    def ngroups(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        return {name: factor.n_levels for name, factor in self.model.factors.items()}

    @property
    def rows(self) -> NDArray[np.int64]:
        """Positions in the data of the rows used, (nobs,)."""
        return self.model.rows

    @property
    def design(self) -> FittedDesign:
        """X, Z, Lambda, Sigma and V of the fit."""
        return FittedDesign(fit=self)

    def _named(self, values: NDArray[np.float64]) -> pd.Series:
        full = np.full(len(self.model.names), np.nan)
        full[self.model.kept] = values
        return pd.Series(full, index=list(self.model.names))

    def _labels(self, group: str) -> Callable[[], NDArray[Any]]:
        return lambda: self.model.factors[group].labels

    def _information(self) -> InformationCriteria:
        return InformationCriteria(
            aic=self.aic, bic=self.bic, loglik=self.loglik, deviance=self.criterion, df_resid=self.df_resid
        )

    def _residual_sd(self) -> float | None:
        """The residual standard deviation beside those of the random effects; None where there is none."""
        return self.solution.sigma


def _item(values: Callable[[], Sequence[NDArray[np.float64]]], i: int) -> Callable[[], NDArray[np.float64]]:
    """One of several arrays that are computed together when one of them is asked for."""
    return lambda: values()[i]
