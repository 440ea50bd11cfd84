"""Points of a profile: the deviance at its minimum over all parameters but one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mixedeffects.errors import ConvergenceError
from mixedeffects.optimize.saddle import saddle_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.inference.coordinates import Coordinates
    from mixedeffects.inference.deviance import Deviance, DevianceAt
    from mixedeffects.optimize.saddle import SaddleStep

_EXACT_TOLERANCE = 1e-7  # Newton decrement; its square root cubed is what the corrected minimum is off by
_APPROXIMATE_TOLERANCE = 1e-9
_ROUGH_TOLERANCE = 1e-2
_ROUNDING = 1e-13  # of the deviance
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProfilePoint:
    """The deviance with one parameter fixed and all others at their best.

    Attributes
    ----------
    position : float
        Where the parameter is fixed, on the scale of the search.
    others : ndarray
        The other parameters.
    deviance : float
        The minimum; infinite where it cannot be computed.
    slope : float
        Its derivative in the position.
    curvature : float
        Its second derivative; NaN where that is not computed.
    tangent : ndarray
        Derivative of the others in the position.
    """

    position: float
    others: NDArray[np.float64]
    deviance: float
    slope: float
    curvature: float
    tangent: NDArray[np.float64]


class ProfileFunction(Protocol):
    """The profile deviance of one parameter.

    Attributes
    ----------
    name : str
        The parameter.
    estimate : float
        Position of the estimate.
    domain : (float, float)
        The positions there are; at a finite end the profile is even.
    reach : float
        A change of the position that is large, for want of a curvature.
    ceiling : float
        A deviance that the profile does not exceed; infinity if there is none.
    uncorrelated : ndarray
        A second start for the other parameters: random effects without correlations.
    """

    name: str
    estimate: float
    domain: tuple[float, float]
    reach: float
    ceiling: float
    uncorrelated: NDArray[np.float64]

    def at_estimate(self) -> ProfilePoint:
        """Return the point of the estimate."""

    def at(self, position: float, others: NDArray[np.float64], *, rough: bool = False) -> ProfilePoint:
        """Return the point at a position, with a start for the other parameters."""

    def reported(self, position: float) -> float:
        """Return the parameter on its own scale."""


class VarianceProfile:
    """Profile deviance of a standard deviation, a correlation or sigma.

    Parameters
    ----------
    name : str
        The parameter.
    coordinates : Coordinates
        The change of variables that makes it the first one.
    deviance : Deviance
        The function of theta and log sigma.
    ceiling : float
        A deviance that is reached, or come near to, at every position: for a correlation that of the model in which
        one of the two standard deviations is 0.

    Notes
    -----
    Newton steps with exact derivatives in the other coordinates, within a trust region; negative curvature is
    followed. At the end the minimum is corrected by the Newton decrement, the first derivative by the last step.
    """

    def __init__(self, name: str, coordinates: Coordinates, deviance: Deviance, *, ceiling: float = math.inf) -> None:
        self.name = name
        self.estimate = float(coordinates.estimate[0])
        self.domain = coordinates.domain
        self.reach = coordinates.reach
        self.ceiling = ceiling
        self.uncorrelated = coordinates.uncorrelated
        self._coordinates = coordinates
        self._deviance = deviance
        self._bounded = bool(np.isfinite(coordinates.lower).any())
        self._tolerance = _EXACT_TOLERANCE if deviance.exact else _APPROXIMATE_TOLERANCE

    def reported(self, position: float) -> float:
        """Return the parameter on its own scale."""
        return self._coordinates.reported(position)

    def at_estimate(self) -> ProfilePoint:
        """Return the point of the estimate."""
        return self.at(self.estimate, self._coordinates.estimate[1:])

    def derivatives(self, psi: NDArray[np.float64]) -> DevianceAt | None:
        """Deviance with gradient and Hessian in psi, (d + 1,); None if it cannot be computed there."""
        z, J = self._coordinates.expand(psi)
        found = self._deviance(z[:-1], float(z[-1]), self._coordinates.transforms)
        if found is None:
            return None
        hessian = J.T @ found.hessian @ J + self._coordinates.second(psi, found.gradient)
        return found._replace(gradient=J.T @ found.gradient, hessian=hessian)

    def at(self, position: float, others: NDArray[np.float64], *, rough: bool = False) -> ProfilePoint:
        """Minimize the deviance over the other parameters.

        Parameters
        ----------
        position : float
            Where the parameter is fixed.
        others : ndarray (d,)
            Start of the other coordinates.
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
        lower = self._coordinates.lower
        psi, redundant = self._coordinates.reduced(np.maximum(np.append(position, others), lower))
        here = self.derivatives(psi)
        radius = 1.0
        tolerance = max(self._tolerance, _ROUGH_TOLERANCE if rough else 0.0)
        for _ in range(_MOST_STEPS):
            if here is None:
                break
            free = self._free(psi, here.gradient, redundant)
            newton = saddle_step(here.gradient[free], here.hessian[free][:, free].copy(), radius)
            if newton.decrement <= tolerance:
                point = _point(psi, here, newton, free)
                return point if point.deviance < self.ceiling else flat(point, self.ceiling)
            trial = psi.copy()
            trial[free] += newton.step
            trial = np.maximum(trial, lower)
            there = self.derivatives(trial)
            length = float(np.sqrt(newton.step @ newton.step))
            fall = -math.inf if there is None else here.value - there.value
            if there is None or fall < 1e-4 * newton.gain - _ROUNDING * abs(here.value):
                radius = 0.25 * length
                if radius < 1e-12:
                    break
                continue
            radius = max(radius, 3.0 * length) if fall > 0.75 * newton.gain else radius
            psi, here = trial, there
        raise no_minimum(self.name, self.reported(position))

    def _free(
        self, psi: NDArray[np.float64], gradient: NDArray[np.float64], redundant: NDArray[np.intp]
    ) -> slice | NDArray[np.intp]:
        """The other coordinates that are not redundant, and are off their bounds or want to leave them."""
        every = slice(1, None)
        if not len(redundant) and (not self._bounded or (psi > self._coordinates.lower)[every].all()):
            return every
        free = (psi > self._coordinates.lower) | (gradient < 0.0)
        free[redundant] = False
        return np.flatnonzero(free[every]) + 1


def _point(
    psi: NDArray[np.float64], here: DevianceAt, newton: SaddleStep, free: slice | NDArray[np.intp]
) -> ProfilePoint:
    """The minimum next to a point that is close to it."""
    cross = here.hessian[0, free]
    last = -newton.inverse @ here.gradient[free]
    tangent, moved = np.zeros_like(psi), psi.copy()
    tangent[free] = -newton.inverse @ cross
    moved[free] += last
    return ProfilePoint(
        position=float(psi[0]),
        others=moved[1:],
        deviance=here.value - newton.decrement,
        slope=float(here.gradient[0] + cross @ last),
        curvature=float(here.hessian[0, 0] + cross @ tangent[free]),
        tangent=tangent[1:],
    )


def flat(point: ProfilePoint, ceiling: float) -> ProfilePoint:
    """The point where the profile is at its ceiling; the minimum found is a local one."""
    none = np.zeros_like(point.tangent)
    return replace(point, deviance=ceiling, slope=0.0, curvature=0.0, tangent=none)


def no_minimum(name: str, value: float) -> ConvergenceError:
    """The error for a parameter at whose value no minimum over the others is found."""
    return ConvergenceError(
        f"the profile of {name} has no minimum that can be found at {value:.6g}; leave the parameter out by `params`, "
        "or use the bootstrap"
    )
