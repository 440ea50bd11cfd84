"""A smooth function with its gradient, minimized by a trust region whose curvature is learnt on the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from mixedeffects.optimize.record import TracePoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEAST = 1e-8  # of the largest curvature: flatter directions count as flat
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


class Function(Protocol[PointT]):
    """The function; `near` is the best point so far, from which an inner iteration may start."""

    def __call__(self, x: NDArray[np.float64], near: PointT | None) -> PointT: ...  # noqa: D102


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
    x, B, radius = start, curvature, 1.0
    best = function(x, near) if first is None else first
    trace = []
    n = int(first is None)
    decrement = _decrement(B, best.gradient) if np.isfinite(best.value) else np.inf
    trace.append(TracePoint(best.value, decrement, radius, 0.0, True, not learn))
    while np.isfinite(best.value) and decrement >= tolerance and n < max_evaluations and radius > 1e-12:
        scale = _scale(B)
        step = _step(B, best.gradient, radius, scale)
        length = float(np.linalg.norm(step * scale))
        trial = function(x + step, best)
        n += 1
        predicted = float(best.gradient @ step + 0.5 * step @ B @ step)
        change = trial.value - best.value
        noise = 1e-13 * (1.0 + abs(best.value))
        ratio = change / predicted if predicted < 0.0 else -1.0
        accepted = bool(ratio > 1e-4 or (-predicted < tolerance + noise and change <= noise))
        if learn and np.isfinite(trial.value):
            B = _learnt(B, step, trial.gradient - best.gradient)
        if ratio > 0.75:
            radius = min(max(radius, 3.0 * length), _WIDEST)
        elif ratio < 0.25 or not np.isfinite(trial.value):
            radius = 0.25 * length
        if accepted:
            x, best = x + step, trial
        decrement = _decrement(B, best.gradient)
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


def differences(
    functions: Sequence[Function[PointT]], x: NDArray[np.float64], near: PointT, step: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Hessian by central differences of the exact gradient, (m, m).

    Parameters
    ----------
    functions : sequence of Function
        Copies of one function, each used by one thread at a time; one is enough.
    x : ndarray (m,)
        Where.
    near : Point
        The function there.
    step : ndarray (m,)
        Half the distance between the two points of each parameter.
    """

    def row(function: Function[PointT], i: int) -> NDArray[np.float64]:
        e = np.zeros(len(x))
        e[i] = step[i]
        change = function(x + e, near).gradient - function(x - e, near).gradient
        return np.asarray(change / (2.0 * step[i]), dtype=np.float64)

    def share(k: int) -> list[NDArray[np.float64]]:
        return [row(functions[k], i) for i in range(k, len(x), len(functions))]

    if len(functions) == 1:
        shares = [share(0)]
    else:
        with ThreadPoolExecutor(len(functions)) as pool:
            shares = list(pool.map(share, range(len(functions))))
    H = np.empty((len(x), len(x)))
    for k, rows in enumerate(shares):
        H[k :: len(functions)] = np.array(rows).reshape(-1, len(x))
    return np.asarray(0.5 * (H + H.T), dtype=np.float64)


def _scale(B: NDArray[np.float64]) -> NDArray[np.float64]:
    diagonal = np.abs(np.diag(B))
    return np.asarray(np.sqrt(np.maximum(diagonal, 1e-24 * diagonal.max(initial=1e-300))), dtype=np.float64)


def _eigen(B: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues and vectors of the curvature in units in which its diagonal is 1."""
    scale = _scale(B)
    values, vectors = np.linalg.eigh(B / np.outer(scale, scale))
    return values, vectors, scale


def _decrement(B: NDArray[np.float64], gradient: NDArray[np.float64]) -> float:
    values, vectors, scale = _eigen(B)
    g = vectors.T @ (gradient / scale)
    floor = _LEAST * max(1.0, float(np.abs(values).max(initial=0.0)))
    return float(0.5 * np.sum(g**2 / np.maximum(np.abs(values), floor)))


def _step(
    B: NDArray[np.float64], gradient: NDArray[np.float64], radius: float, scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The minimum of the quadratic model within the radius, in scaled units."""
    values, vectors, _ = _eigen(B)
    g = vectors.T @ (gradient / scale)
    floor = _LEAST * max(1.0, float(np.abs(values).max(initial=0.0)))

    def at(shift: float) -> NDArray[np.float64]:
        return np.asarray(-g / (values + shift), dtype=np.float64)

    low = max(0.0, floor - float(values.min(initial=floor)))
    step = at(low)
    if np.linalg.norm(step) > radius:
        low, high = max(low, 1e-12), 1e12
        for _ in range(80):
            middle = np.sqrt(low * high)
            if np.linalg.norm(at(middle)) > radius:
                low = middle
            else:
                high = middle
        step = at(high)
    return np.asarray(vectors @ step / scale, dtype=np.float64)


def _learnt(B: NDArray[np.float64], step: NDArray[np.float64], change: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = _scale(B)  # products are compared with lengths in units in which they can be

    def length(of_step: NDArray[np.float64], of_gradient: NDArray[np.float64]) -> float:
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
