"""The same model fitted to one response after another, in the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects import _core
from mixedeffects.crossproducts import row_arguments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit.record import LmmFit


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """Estimates from one response, in the working columns of the criterion (see `crossproducts.Basis`).

    Attributes
    ----------
    theta : ndarray (d,)
        Relative covariance factors of the working columns, not yet canonical.
    criterion : float
        The criterion at the minimum.
    beta : ndarray (p,)
        Coefficients of X R^-1, to be added to those of ordinary least squares that the basis took out.
    rss : float
        Penalized residual sum of squares.
    converged : bool
        Whether the Newton decrement is below the tolerance.
    n_evaluations : int
        Evaluations of the criterion.
    """

    theta: NDArray[np.float64]
    criterion: float
    beta: NDArray[np.float64]
    rss: float
    converged: bool
    n_evaluations: int


class Refitter:
    """Refits a model to other responses on the same rows; only the products with y are computed anew.

    Parameters
    ----------
    fit : LmmFit
        Any fit of the model.
    """

    def __init__(self, fit: LmmFit) -> None:
        self._control = fit.control
        self._offset = fit.model.offset
        objective = fit.objective
        self._core = _core.Refitter(objective.core, *row_arguments(fit.model, objective.layout, objective.basis))

    def __call__(self, y: NDArray[np.float64]) -> Refit:
        """Fit the model to the response y, (n,)."""
        y = np.asarray(y, dtype=np.float64)
        response = y if self._offset is None else y - self._offset
        theta, value, beta, rss, converged, n = self._core(
            response, self._control.tolerance, self._control.max_evaluations
        )
        return Refit(theta=theta, criterion=value, beta=beta, rss=rss, converged=converged, n_evaluations=n)
