"""The profile deviance of a fixed effect: the model without its column, for the response less its part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.criterion import gaussian_criterion
from mixedeffects.crossproducts import cross_products
from mixedeffects.fit.effects import working_theta
from mixedeffects.inference.constrained import ProfilePoint, no_minimum
from mixedeffects.inference.coordinates import without_correlations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.fit import LmmFit


class CoefficientProfile:
    """Profile deviance of the coefficient of one column x_j of X.

    Parameters
    ----------
    fit : LmmFit
        By maximum likelihood.
    column : int
        The place j among the estimated coefficients.

    Notes
    -----
    At beta_j = b the model is the one without the column, for the response y - b x_j: its cross-products differ in the
    response only, and its minimum over theta is found by the core from the theta of a point nearby. With the r of that
    minimum, and betahat_j and C = (X'V^-1 X)^-1 of the whole model at the same theta, the derivative is
    2 (b - betahat_j) / C_jj * n / r.
    """

    def __init__(self, fit: LmmFit, column: int) -> None:
        self.name = fit.model.kept_names[column]
        self.estimate = float(fit.solution.beta[column])
        self.domain = (-np.inf, np.inf)
        self.ceiling = np.inf
        self._theta = working_theta(fit)
        self.uncorrelated = without_correlations(fit.objective, self._theta)
        self._sd = float(np.sqrt(fit.solution.vcov[column, column]))
        self.reach = 3.0 * self._sd
        self._fit = fit
        self._column = column
        self._row = np.linalg.inv(fit.objective.basis.R)[column]
        # The part at the estimate is taken out before the basis is made, which then fits every response nearby.
        self._design = _without_column(fit.model, column, self.estimate)
        self._products = cross_products(self._design, n_threads=fit.control.n_threads)
        self._criterion = gaussian_criterion(self._products, reml=False)

    def reported(self, position: float) -> float:
        """Return the coefficient."""
        return position

    def at_estimate(self) -> ProfilePoint:
        """Return the point of the estimate; the curvature is that for the theta of the fit."""
        return ProfilePoint(
            position=self.estimate,
            others=self._theta,
            deviance=self._fit.criterion,
            slope=0.0,
            curvature=2.0 / self._sd**2,
            tangent=np.zeros_like(self._theta),
        )

    def at(self, position: float, others: NDArray[np.float64], *, rough: bool = False) -> ProfilePoint:
        """Minimize the deviance over the other parameters.

        Parameters
        ----------
        position : float
            Where the coefficient is fixed.
        others : ndarray (d,)
            Start of theta, in the working columns.
        rough : bool
            Stop as soon as the minimum is known to about 1e-3.

        Returns
        -------
        ProfilePoint

        Raises
        ------
        ConvergenceError
            If no minimum is found.
        """
        x = self._fit.model.X[:, self._column]
        y = self._design.y - (position - self.estimate) * x
        criterion = self._criterion.with_products(self._products.with_response(self._design, y))
        control = self._fit.control
        found = criterion.core.minimize(others, 1e-3 if rough else 1e-9, control.max_evaluations, control.n_threads)
        evaluation = found["evaluation"]
        whole = self._fit.objective.core.evaluate(found["theta"], None, True)
        if not (found["converged"] and evaluation["ok"] and whole["ok"]):
            raise no_minimum(self.name, position)
        best = float(self._fit.objective.basis.b0[self._column] + self._row @ whole["beta"])
        variance = float(self._row @ np.linalg.solve(whole["XVX"], self._row))
        return ProfilePoint(
            position=position,
            others=found["theta"],
            deviance=evaluation["value"],
            slope=2.0 * (position - best) / variance * self._fit.nobs / evaluation["rss"],
            curvature=np.nan,
            tangent=np.zeros_like(found["theta"]),
        )


def _without_column(model: Design, column: int, coefficient: float) -> Design:
    """The design without a column of X, for the response less the column times a coefficient."""
    kept = model.kept.copy()
    kept[np.flatnonzero(kept)[column]] = False
    return replace(
        model,
        y=model.y - coefficient * model.X[:, column],
        X=np.asfortranarray(np.delete(model.X, column, axis=1)),
        kept=kept,
    )
