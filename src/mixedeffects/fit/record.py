"""The frozen record of a fitted linear mixed model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixedeffects.control import Control
    from mixedeffects.criterion import GaussianCriterion, Solution
    from mixedeffects.design import Design
    from mixedeffects.optimize import Optimum


class Later:
    """A criterion that is set up when it is first asked for, in whichever thread."""

    __slots__ = ("_lock", "_made", "_make")

    def __init__(self, make: Callable[[], GaussianCriterion]) -> None:
        self._make, self._lock = make, Lock()
        self._made: GaussianCriterion | None = None

    def __call__(self) -> GaussianCriterion:
        """Return the criterion."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
        return self._made


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False, weakref_slot=True)
class LmmFit:
    """A fitted linear mixed model.

    Attributes
    ----------
    model : Design
        The data of the model as arrays.
    profiled : GaussianCriterion or Later
        What `objective` is.
    solution : Solution
        The estimates, at the minimum.
    optimum : Optimum
        The certificate of the minimum.
    control : Control
        The options of the fit.
    """

    model: Design
    profiled: GaussianCriterion | Later
    solution: Solution
    optimum: Optimum
    control: Control

    @property
    def objective(self) -> GaussianCriterion:
        """The profiled criterion as a function of theta."""
        return self.profiled() if isinstance(self.profiled, Later) else self.profiled

    @property
    def reml(self) -> bool:
        """Whether the fit is by restricted maximum likelihood."""
        return self.objective.reml

    @property
    def criterion(self) -> float:
        """REML criterion, or deviance (minus twice the log-likelihood), at the estimates."""
        return self.solution.value

    @property
    def loglik(self) -> float:
        """Restricted or ordinary log-likelihood at the estimates."""
        return -0.5 * self.solution.value

    @property
    def nobs(self) -> int:
        """Number of rows used."""
        return self.model.nobs

    @property
    def npar(self) -> int:
        """Number of estimated parameters: fixed effects, theta and sigma."""
        n_theta = 0 if self.control.fixed_theta is not None else len(self.solution.theta)
        return len(self.solution.beta) + n_theta + 1

    @property
    def df_resid(self) -> int:
        """Rows less estimated parameters."""
        return self.nobs - self.npar

    @property
    def aic(self) -> float:
        """Akaike's information criterion, -2 loglik + 2 npar."""
        return self.solution.value + 2.0 * self.npar

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, -2 loglik + npar log(nobs)."""
        return self.solution.value + math.log(self.nobs) * self.npar

    @property
    def is_singular(self) -> bool:
        """Whether an estimated covariance matrix is singular: a variance of 0, or a correlation of +-1."""
        return bool(self.optimum.boundary)

    def __reduce__(self) -> tuple[Any, ...]:
        from mixedeffects.fit.restore import reduced

        return reduced(self)
