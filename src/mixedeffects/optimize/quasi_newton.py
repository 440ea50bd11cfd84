"""A smooth function with its gradient, minimized by a trust region whose curvature is learnt on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from mixedeffects._core import QuadraticModel
from mixedeffects.optimize.record import TracePoint

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDEST = 1e6


class Point(Protocol):
    """A value of the function with its gradient; whatever else belongs to it travels along.

    Attributes
    ----------
    value : float
        Infinite where the function cannot be computed.
    gradient : ndarray (m,)
        Not looked at where the value is infinite.
    """

    @property
    def value(self) -> float: ...  # noqa: D102
    @property
    def gradient(self) -> NDArray[np.float64]: ...  # noqa: D102


PointT = TypeVar("PointT", bound=Point)
PointC = TypeVar("PointC", bound=Point, contravariant=True)


class Function(Protocol[PointT]):
    """The function; `near` is the best point so far, from which an inner iteration may start."""

    def __call__(self, x: NDArray[np.float64], near: PointT | None) -> PointT: ...  # noqa: D102


class Renewed(Protocol[PointC]):
    """What is known of the curvature at a point, in place of what was learnt."""

    def __call__(self, point: PointC, learnt: NDArray[np.float64]) -> NDArray[np.float64]: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Descent(Generic[PointT]):
    """Where the search ended.

    Attributes
    ----------
    x : ndarray (m,)
        The best point.
    point : Point
        The function there.
    curvature : ndarray (m, m)
        What was learnt of the Hessian.
    decrement : float
        Half of g'B^-1 g: what a step promises, by that curvature.
    converged : bool
        Whether it is below the tolerance.
    n_evaluations : int
        Calls of the function.
    trace : tuple of TracePoint
        The evaluated points.
    """

    x: NDArray[np.float64]
    point: PointT
    curvature: NDArray[np.float64]
    decrement: float
    converged: bool
    n_evaluations: int
    trace: tuple[TracePoint, ...]


def descend(
    function: Function[PointT],
    start: NDArray[np.float64],
    curvature: NDArray[np.float64],
    *,
    tolerance: float,
    max_evaluations: int,
    near: PointT | None = None,
    first: PointT | None = None,
    learn: bool = True,
    renewed: Renewed[PointT] | None = None,
    radius: float = 1.0,
) -> Descent[PointT]:
    """Minimize a smooth function.

    Parameters
    ----------
    function : Function
        Gives value and gradient.
    start : ndarray (m,)
        A point where the function can be computed.
    curvature : ndarray (m, m)
        A first Hessian.
    tolerance : float
        On the decrement, in units of the function.
    max_evaluations : int
        At most so many calls.
    near : Point, optional
        Where the inner iteration of the first call may start.
    first : Point, optional
        The function at the start, where it is known: one call less.
    learn : bool
        Update the curvature; otherwise it is kept, as is right for an exact Hessian near the minimum.
    renewed : callable, optional
        Puts what is known of the curvature at an accepted point in place of what was learnt.
    radius : float
        Of the first trust region, in units in which the diagonal of the curvature is 1.

    Returns
    -------
    Descent

    Notes
    -----
    Trust-region steps on a quadratic model; the curvature is updated by BFGS where the change of the gradient shows
    positive curvature, and by the symmetric rank-one formula elsewhere [1]_.

    References
    ----------
    .. [1] Nocedal & Wright (2006), Numerical Optimization, chapters 4 and 6, doi:10.1007/978-0-387-40065-5.
    """
    x, B = start, curvature
    best = function(x, near) if first is None else first
    n, finite = int(first is None), bool(np.isfinite(best.value))
    if finite and renewed is not None:
        B = renewed(best, B)
    model = QuadraticModel(B, best.gradient) if finite else None
    decrement = np.inf if model is None else model.decrement
    trace = [TracePoint(best.value, decrement, radius, 0.0, True, not learn)]
    while model is not None and decrement >= tolerance and n < max_evaluations and radius > 1e-12:
        step = model.step(radius)
        length = float(np.linalg.norm(step * model.scale))
        trial = function(x + step, best)
        n += 1
        predicted = float(best.gradient @ step + 0.5 * step @ B @ step)
        change = trial.value - best.value
        noise = 1e-13 * (1.0 + abs(best.value))
        ratio = change / predicted if predicted < 0.0 else -1.0
        accepted = bool(ratio > 1e-4 or (-predicted < tolerance + noise and change <= noise))
        if learn and np.isfinite(trial.value):
            B = learnt(B, step, trial.gradient - best.gradient, model.scale)
        radius = _next_radius(radius, length, ratio if np.isfinite(trial.value) else -1.0)
        if accepted:
            x, best = x + step, trial
            if renewed is not None:
                B = renewed(best, B)
        model = QuadraticModel(B, best.gradient)
        decrement = model.decrement
        trace.append(TracePoint(trial.value, decrement, radius, length, accepted, not learn))
    return Descent(
        x=x,
        point=best,
        curvature=B,
        decrement=decrement,
        converged=decrement < tolerance,
        n_evaluations=n,
        trace=tuple(trace),
    )


def units(B: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each parameter the root of its curvature, (m,): units in which the diagonal of B is 1."""
    diagonal = np.abs(np.diag(B))
    return np.asarray(np.sqrt(np.maximum(diagonal, 1e-24 * diagonal.max(initial=1e-300))), dtype=np.float64)


def _next_radius(radius: float, length: float, ratio: float) -> float:
    """The radius after a step, by the ratio of what it gained to what the model promised."""
    if ratio > 0.75:
        return min(max(radius, 3.0 * length), _WIDEST)
    return 0.25 * length if ratio < 0.25 else radius


def learnt(
    B: NDArray[np.float64], step: NDArray[np.float64], change: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The curvature (m, m) after a step (m,) that changed the gradient so: by BFGS, or the rank-one formula.

    Parameters
    ----------
    B : ndarray (m, m)
        The curvature before.
    step, change : ndarray (m,)
        Of the parameters and of the gradient.
    scale : ndarray (m,)
        `units` of a curvature.
    """

    def length(of_step: NDArray[np.float64], of_gradient: NDArray[np.float64]) -> float:
        # Products are compared with lengths in units in which they can be.
        return float(np.linalg.norm(of_step * scale) * np.linalg.norm(of_gradient / scale))

    along = B @ step
    curved, model = float(step @ change), float(step @ along)
    if curved > 1e-10 * length(step, change) and model > 0.0:
        return B + np.outer(change, change) / curved - np.outer(along, along) / model
    rest = change - along
    size = float(rest @ step)
    if abs(size) > 1e-8 * length(step, rest):
        return B + np.outer(rest, rest) / size
    return B
