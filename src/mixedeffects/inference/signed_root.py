"""The signed root of a profile deviance, zeta(x) = sign(x - estimate) sqrt(D(x) - D_min), and its inverse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mixedeffects.errors import ConvergenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixedeffects.inference.constrained import ProfileFunction, ProfilePoint

_CLOSE = 1e-5  # of zeta: from here one more Newton step is exact to about its square
_NEW_MINIMUM = 1e-4  # of the deviance: lower than the minimum by so much is another minimum
_LOWER = 1e-3  # of the deviance: what the minimum from a second start must be lower by, to be another one
_LEVEL = 1e-6  # of the deviance: what a profile that levels off may still rise by
_MOST_POINTS = 60
_HALVINGS = 12  # of a step that leads too far
_SAME = 1e-4  # of zeta: points on a level that need not be shown


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Knot:
    """A point of the profile with zeta and its derivative in the position."""

    point: ProfilePoint
    zeta: float
    slope: float

    @property
    def position(self) -> float:
        """Where the parameter is fixed."""
        return self.point.position


class SignedRoot:
    """Signed root of a profile deviance.

    Parameters
    ----------
    function : ProfileFunction
        The profile deviance.
    minimum : float
        The deviance at the estimates.
    """

    def __init__(self, function: ProfileFunction, minimum: float) -> None:
        self.function = function
        self._minimum = minimum

    def at_estimate(self) -> Knot:
        """Return the knot of the estimate: zeta is 0, its derivative the root of half the curvature."""
        point = self.function.at_estimate()
        self._check(point)
        slope = math.sqrt(0.5 * point.curvature) if point.curvature > 0.0 else 0.0
        # Without enough curvature to tell, the first step is a large one.
        return Knot(point=point, zeta=0.0, slope=max(slope, 0.2 / self.function.reach))

    def at(self, position: float, near: Knot) -> Knot:
        """Return the knot at a position, starting from one nearby."""
        others = near.point.others + (position - near.position) * near.point.tangent
        return self._knot(self.function.at(position, others))

    def _knot(self, point: ProfilePoint) -> Knot:
        self._check(point)
        side = 1.0 if point.position >= self.function.estimate else -1.0
        zeta = side * math.sqrt(max(point.deviance - self._minimum, 0.0))
        return Knot(point=point, zeta=zeta, slope=0.5 * point.slope / zeta if zeta else 0.0)

    def solve(self, target: float, known: Sequence[Knot]) -> float:
        """Find the position where zeta is `target`, or the end of the domain if zeta does not get there.

        Parameters
        ----------
        target : float
            Not 0; its sign is the side of the estimate.
        known : sequence of Knot
            Knots that exist already; the one of the estimate among them.

        Returns
        -------
        float
            A position; infinite where the profile levels off before, as that of a coefficient of separated data does.

        Raises
        ------
        ConvergenceError
            If a point cannot be computed, or a lower minimum of the deviance is found.

        Notes
        -----
        Inverse cubic interpolation of zeta on the two knots next to the target, within a bracket; the last step is
        Newton's. zeta is nearly a straight line, so that two or three points are enough. The minimum at the end is
        looked for from a second start too; where it is lower, the search goes on from there.
        """
        side = math.copysign(1.0, target)
        end = self.function.domain[0 if side < 0.0 else 1]
        own = [knot for knot in known if knot.zeta * side > 0.0 or knot.zeta == 0.0]
        inner = max((k for k in own if k.zeta * side <= target * side), key=lambda k: k.position * side)
        outer = min((k for k in own if k.zeta * side > target * side), key=lambda k: k.position * side, default=None)
        if inner.position == end or self.function.ceiling - self._minimum <= target**2 or self._levels_off(inner, end):
            return end
        for _ in range(_MOST_POINTS):
            # From the inner knot: beyond the target the minimum may be a local one, which is not to be carried back.
            knot = self.at(self._guess(target, inner, outer, end), inner)
            if abs(knot.zeta - target) <= _CLOSE and knot.slope > 0.0:
                other = self._lower(knot)
                if other is None:
                    return knot.position + (target - knot.zeta) / knot.slope
                knot, outer = other, None  # what lies outside belongs to the other minimum
            if knot.zeta * side > target * side:
                outer = knot
            elif knot.position == end or self._levels_off(knot, end):
                return end
            else:
                inner = knot
            if outer is not None and abs(outer.position - inner.position) <= 1e-13 * abs(outer.position):
                if math.isinf(outer.zeta):
                    break
                return outer.position
        raise ConvergenceError(
            f"no limit of {self.function.name} was found; its profile deviance may have several minima. "
            "Look at profile().to_frame(), or use the bootstrap"
        )

    def march(self, start: Knot, target: float, n_steps: int) -> list[Knot]:
        """Knots from the estimate outwards, zeta about evenly spaced, until `target` or the end of the domain.

        They end before where the profile levels off, or the deviance cannot be computed.

        Parameters
        ----------
        start : Knot
            The knot of the estimate.
        target : float
            Not 0; its sign is the side of the estimate.
        n_steps : int
            Number of knots if zeta is a straight line; there are at most three times as many.
        """
        side = math.copysign(1.0, target)
        end = self.function.domain[0 if side < 0.0 else 1]
        out: list[Knot] = []
        here = start
        while len(out) < 3 * n_steps and here.zeta * side < target * side * (1.0 - 1e-3) and here.position != end:
            step = side * abs(target) / n_steps / max(here.slope, 0.2 / self.function.reach / n_steps)
            position = here.position + step
            if (end - position) * side <= 0.1 * abs(step) or here.point.deviance == self.function.ceiling:
                position = end
            there = self.at(position, here)
            for _ in range(_HALVINGS):  # where there is no value, or far more than a step of zeta
                if abs(there.zeta - here.zeta) <= 4.0 * abs(target) / n_steps:
                    break
                there = self.at(0.5 * (here.position + there.position), here)
            level = self._levels_off(there, end)
            if math.isfinite(there.zeta) and not (level and abs(there.zeta - here.zeta) < _SAME):
                out.append(there)
            if level or not math.isfinite(there.zeta):
                break
            here = there
        return out

    def _levels_off(self, knot: Knot, end: float) -> bool:
        """Whether the profile hardly rises any more on its way to infinity.

        What is left of c - a / x^k is the derivative times x / k, and less of an exponential. On the way back from an
        estimate that is itself far out, where the deviance is flat too, nothing is said before 0 is passed.
        """
        distance = abs(knot.position - self.function.estimate)
        far = math.isinf(end) and min(distance, math.copysign(1.0, end) * knot.position) > self.function.reach
        return far and abs(knot.point.slope) * distance < _LEVEL

    def _lower(self, knot: Knot) -> Knot | None:
        """A knot at the same position with a lower deviance, if there is one from the second start."""
        other = self.function.at(knot.position, self.function.uncorrelated, rough=True)
        if other.deviance > knot.point.deviance - _LOWER:
            return None
        lower = self._knot(self.function.at(knot.position, other.others))
        return lower if lower.point.deviance < knot.point.deviance - _LOWER else None

    def _guess(self, target: float, inner: Knot, outer: Knot | None, end: float) -> float:
        """The next position to try."""
        side = math.copysign(1.0, target)
        if outer is None:
            gap, distance = abs(target - inner.zeta), abs(inner.position - self.function.estimate)
            # Farther out steps may double the distance, as the profile may rise by a logarithm, or level off.
            longest = max(5.0 * gap * self.function.reach, distance if distance > self.function.reach else 0.0)
            step = min(gap / inner.slope, longest) if inner.slope > 0.0 else longest
            position = inner.position + side * step
            return end if (end - position) * side <= 0.0 else position
        width = outer.position - inner.position
        position = _inverse_hermite(target, inner, outer)
        if not 0.02 <= (position - inner.position) / width <= 0.98:
            near = inner if abs(inner.zeta - target) <= abs(outer.zeta - target) else outer
            position = near.position + (target - near.zeta) / near.slope if near.slope > 0.0 else math.nan
        if not 0.0 < (position - inner.position) / width < 1.0:
            position = inner.position + 0.5 * width
        return position

    def _check(self, point: ProfilePoint) -> None:
        if point.deviance < self._minimum - _NEW_MINIMUM:
            where = f"{self.function.name} = {self.function.reported(point.position):.6g}"
            raise ConvergenceError(
                f"the profile found a deviance of {point.deviance:.10g} at {where}, below {self._minimum:.10g} of the "
                "fit, which is only a local minimum. Fit again from another control=Control(start=...)"
            )


def _inverse_hermite(target: float, a: Knot, b: Knot) -> float:
    """Position as a cubic in zeta through two knots with their derivatives; NaN where a derivative is not positive."""
    if not (a.slope > 0.0 and b.slope > 0.0):
        return math.nan
    h = b.zeta - a.zeta
    t = (target - a.zeta) / h
    rise = b.position - a.position
    first, last = h / a.slope - rise, rise - h / b.slope
    return a.position + t * rise + t * (1.0 - t) * ((1.0 - t) * first + t * last)
