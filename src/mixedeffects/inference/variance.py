"""How the variance of the response divides: intraclass correlations, R squared, the partition itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.inference.reduction import term_label
from mixedeffects.inference.table import Table, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.crossproducts import Layout
    from mixedeffects.fit import LmmFit

_INTERCEPT = "Intercept"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class IntraclassCorrelation:
    """Shares of the variance that are due to groups.

    Attributes
    ----------
    adjusted : float
        random / (random + residual): the fixed effects are given.
    unadjusted : float
        random / (fixed + random + residual).
    by_group : dict of str to float
        For each grouping factor the variance of its random intercept / (random + residual); NaN where it has none.
        With random intercepts only these add up to `adjusted`.
    """

    adjusted: float
    unadjusted: float
    by_group: dict[str, float]

    def __repr__(self) -> str:
        named = {"adjusted": self.adjusted, "unadjusted": self.unadjusted, **self.by_group}
        width = max(map(len, named))
        meanings = ("random / (random + residual)", "random / (fixed + random + residual)")
        said = [*meanings, *("its random intercept / (random + residual)" for _ in self.by_group)]
        lines = [f"{name:{width}} {v:7.4f}  {what}" for (name, v), what in zip(named.items(), said, strict=True)]
        if len(self.by_group) > 1:
            lines += [
                "Groups: the share of each alone. Its sum along nested factors (school, class:school)",
                "is the correlation of two rows of one innermost group.",
            ]
        return "\n".join(["Intraclass correlations: shares of the variance", *lines])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VarianceComponents:
    """The mean variance of a row and what it is made of, in squared units of y.

    Attributes
    ----------
    fixed : float
        Sample variance of X beta.
    random : tuple of float
        For each term the mean over the rows of z'Sigma z.
    residual : float
        sigma^2, the residual variance of a row of weight 1.
    intercepts : dict of str to float
        For each grouping factor the variance of its random intercept, NaN without one.
    """

    fixed: float
    random: tuple[float, ...]
    residual: float
    intercepts: dict[str, float]

    @property
    def total_random(self) -> float:
        """Sum over the terms."""
        return sum(self.random)

    @property
    def total(self) -> float:
        """Fixed, random and residual variance together."""
        return self.fixed + self.total_random + self.residual

    def icc(self) -> IntraclassCorrelation:
        """Shares that are due to groups."""
        given = self.total_random + self.residual
        return IntraclassCorrelation(
            adjusted=self.total_random / given,
            unadjusted=self.total_random / self.total,
            by_group={group: variance / given for group, variance in self.intercepts.items()},
        )

    def r2(self) -> dict[str, float]:
        """Shares of the fixed effects (``marginal``), and of fixed and random effects (``conditional``)."""
        return {"marginal": self.fixed / self.total, "conditional": (self.fixed + self.total_random) / self.total}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VarianceModel:
    """What turns the parameters of a model into its variance components: computed from the rows once.

    Attributes
    ----------
    layout : Layout
        The order of theta.
    fixed : ndarray (p, p)
        Sample covariance of the columns of X.
    random : tuple of ndarray (k, k)
        For each term C'C / n of its columns.
    intercepts : tuple of (str, int or None)
        For each term its group and which of its columns is the constant.
    """

    layout: Layout
    fixed: NDArray[np.float64]
    random: tuple[NDArray[np.float64], ...]
    intercepts: tuple[tuple[str, int | None], ...]

    def components(self, theta: NDArray[np.float64], sigma: float, beta: NDArray[np.float64]) -> VarianceComponents:
        """Variance components at any parameters.

        Parameters
        ----------
        theta : ndarray (d,)
            Relative covariance factors.
        sigma : float
            Residual standard deviation.
        beta : ndarray (p,)
            Estimable fixed effects.
        """
        covariances = [sigma**2 * (L @ L.T) for L in self.layout.factors(theta)]
        by_group: dict[str, float] = {}
        for (group, column), S in zip(self.intercepts, covariances, strict=True):
            by_group.setdefault(group, np.nan)
            if column is not None:
                by_group[group] = float(np.nan_to_num(by_group[group]) + S[column, column])
        return VarianceComponents(
            fixed=float(beta @ self.fixed @ beta),
            random=tuple(float(np.sum(S * moments)) for S, moments in zip(covariances, self.random, strict=True)),
            residual=float(sigma) ** 2,
            intercepts=by_group,
        )

    def icc(self, theta: NDArray[np.float64], sigma: float, beta: NDArray[np.float64]) -> IntraclassCorrelation:
        """Intraclass correlations at any parameters, as `icc` has them; for a bootstrap.

        Parameters
        ----------
        theta : ndarray (d,)
            Relative covariance factors.
        sigma : float
            Residual standard deviation.
        beta : ndarray (p,)
            Estimable fixed effects.
        """
        return self.components(theta, sigma, beta).icc()


def variance_model(fit: LmmFit) -> VarianceModel:
    """Compute the moments of the columns of a fit.

    Parameters
    ----------
    fit : LmmFit
        Any fit; its rows are read.
    """
    design = fit.model
    centred = design.X - design.X.mean(axis=0)
    columns = [np.column_stack(term.columns) for term in design.terms]
    return VarianceModel(
        layout=fit.objective.layout,
        fixed=centred.T @ centred / (design.nobs - 1),
        random=tuple(C.T @ C / design.nobs for C in columns),
        intercepts=tuple(
            (term.group, term.names.index(_INTERCEPT) if _INTERCEPT in term.names else None) for term in design.terms
        ),
    )


def components(fit: LmmFit) -> VarianceComponents:
    """Variance components of a fit, in squared units of y."""
    return variance_model(fit).components(fit.solution.theta, fit.solution.sigma, fit.solution.beta)


def icc(fit: LmmFit) -> IntraclassCorrelation:
    """Intraclass correlation coefficients.

    Parameters
    ----------
    fit : LmmFit
        Any fit.

    Returns
    -------
    IntraclassCorrelation

    Notes
    -----
    In a model with one random intercept, sigma_g^2 / (sigma_g^2 + sigma^2): the correlation of two units of one group.
    With random slopes the variance of the random effects differs from row to row; its mean over the rows is used [1]_.
    The residual variance is sigma^2, that of a row of weight 1.

    References
    ----------
    .. [1] Johnson (2014), Methods in Ecology and Evolution 5(9), 944-946, doi:10.1111/2041-210X.12225.
    """
    return variance_model(fit).icc(fit.solution.theta, fit.solution.sigma, fit.solution.beta)


def r2(fit: LmmFit) -> dict[str, float]:
    """Share of the variance that the fixed effects, and fixed and random effects together, explain.

    Parameters
    ----------
    fit : LmmFit
        Any fit.

    Returns
    -------
    dict
        ``marginal``: fixed / total; ``conditional``: (fixed + random) / total.

    Notes
    -----
    fixed is the sample variance of X beta, random the mean over the rows of z'Sigma z, total = fixed + random +
    sigma^2 [1]_ [2]_.

    References
    ----------
    .. [1] Nakagawa & Schielzeth (2013), Methods in Ecology and Evolution 4(2), 133-142,
       doi:10.1111/j.2041-210x.2012.00261.x.
    .. [2] Johnson (2014), Methods in Ecology and Evolution 5(9), 944-946, doi:10.1111/2041-210X.12225.
    """
    return components(fit).r2()


def variance_partition(fit: LmmFit) -> Table:
    """Divide the mean variance of a row among fixed effects, random-effects terms and residual.

    Parameters
    ----------
    fit : LmmFit
        Any fit.

    Returns
    -------
    Table
        Columns component (``"fixed"``, each random-effects term, ``"residual"``), variance in squared units of y, and
        share, which adds up to 1.
    """
    parts = components(fit)
    named = [("fixed", parts.fixed)]
    named += [(term_label(term), v) for term, v in zip(fit.model.terms, parts.random, strict=True)]
    named += [("residual", parts.residual)]
    return partition_table(named, fit.model.data_kind)


def partition_table(named: Sequence[tuple[str, float]], kind: str, notes: Sequence[str] = ()) -> Table:
    """Table of components that add up to the whole: component, variance, share.

    Parameters
    ----------
    named : sequence of (str, float)
        Names and variances.
    kind : str
        The library of the data.
    notes : sequence of str
        Notes to the table.
    """
    total = sum(variance for _, variance in named)
    rows = [(name, variance, variance / total) for name, variance in named]
    return table_of(("component", "variance", "share"), rows, text=("component",), notes=notes, kind=kind)
