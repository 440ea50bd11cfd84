"""Minimize the Laplace criterion in theta, the fixed effects and the dispersion together, and certify the minimum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mixedeffects._core import QuadraticModel
from mixedeffects.criterion.differences import hessian_by_differences
from mixedeffects.errors import ConvergenceError
from mixedeffects.optimize.canonical import lower_factor, transformed
from mixedeffects.optimize.certificate import BoundaryDirection, in_words, null_derivatives
from mixedeffects.optimize.onto_boundary import onto_boundary
from mixedeffects.optimize.quasi_newton import descend
from mixedeffects.optimize.record import Known, Optimum, TracePoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mixedeffects.control import Control
    from mixedeffects.criterion.agq import AgqCriterion
    from mixedeffects.criterion.laplace import LaplaceCriterion, LaplacePoint
    from mixedeffects.optimize.quasi_newton import Descent

    Criterion: TypeAlias = LaplaceCriterion | AgqCriterion

_ROUGH, _CLOSE = 0.1, 3e-6  # decrements at which the fast approximation and the search by learnt curvature end
_RADIUS = 2.0  # of the first trust region
_PROMISING = 10.0  # decrement from which the search need not begin with the fast approximation
_TOLERANCE = 1e-9  # on the decrement by the exact Hessian
_ROUNDING = 1e-13  # decrement of a step that is not worth its evaluation: 4e-7 standard errors
_SAME = 2e-8  # promise of a step that changes nothing in the Hessian worth computing it again
_ALIKE = 2.5  # ratio of curvatures that makes no difference to the steps of differences
_NEXT = 1e-5  # decrement from which the minimum is taken to be where a step leads
_STEP = 2e-3  # for differences of the gradient, in standard deviations of the parameter
_LEAST_START = 0.1  # diagonal of a factor in the working columns, to begin with; in units of the linear predictor
_WILD = 20.0  # entry of such a factor that is not to be believed
_SCALES = (1.0, 0.1, 0.01)  # of the factors from which the first mode is looked for
_WITHOUT_UNIT = ("logit", "probit", "cloglog", "cauchit", "log")  # links whose linear predictor has no unit
_INNER_ROUGH = 1e-2  # what one more inner step may gain while a start is looked for
_LINEAR_ROUGH = 0.3  # the same for the linear model before it, and what one more step of its search may gain
_WORTH_A_THREAD = 40_000  # rows times parameters: below, waking a second thread costs what it saves
_POLISHES = 4
_FLAT = 1e-8  # of the largest eigenvalue of the scaled Hessian: the data do not determine such a direction


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LaplaceMinimum:
    """The minimum of a Laplace criterion.

    Attributes
    ----------
    x : ndarray (m,)
        Theta (canonical), beta, t in the working columns.
    point : LaplacePoint
        The criterion there.
    hessian : ndarray (m, m)
        Exact, by differences of the exact gradient.
    theta : ndarray (d,)
        Canonical, in the units of the data.
    optimum : Optimum
        The certificate.
    """

    x: NDArray[np.float64]
    point: LaplacePoint
    hessian: NDArray[np.float64]
    theta: NDArray[np.float64]
    optimum: Optimum


def has_parameter(criterion: Criterion, x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which entries of theta, beta, t are parameters at x, (m,): a column of zeros of Lambda is none."""
    d = criterion.sizes[0]
    return np.concatenate([criterion.layout.free(x[:d]), np.ones(len(x) - d, dtype=bool)])


class _Count:
    """The criterion, counting its Hessians and its evaluations, two for each parameter of a Hessian."""

    def __init__(self, criterion: Criterion) -> None:
        self.criterion, self.n, self.n_hessians = criterion, 0, 0

    def __call__(self, x: NDArray[np.float64], near: Any) -> LaplacePoint:
        self.n += 1
        return self.criterion(x, near)

    def hessian(
        self, x: NDArray[np.float64], point: LaplacePoint, curvature: NDArray[np.float64], n_threads: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Exact Hessian and where it is: at the minimum by the curvature so far, if that is near, or else at x.

        The differences have steps of a size that goes with the parameters' uncertainty.
        """
        free = has_parameter(self.criterion, x)
        model = QuadraticModel(curvature[np.ix_(free, free)], point.gradient[free])
        step, shift = _STEP / np.sqrt(_diagonal(curvature, self.criterion.sizes)), np.zeros(len(x))
        if model.decrement < _NEXT:
            shift[free] = model.step(1.0)
        for shorter in (1.0, 1.0 / 32.0):  # a mean that cannot be may lie next to the minimum
            self.n += 2 * len(x)
            self.n_hessians += 1
            found = self.criterion.hessian(x, point, shorter * step, n_threads, shift)
            if np.isfinite(found).all():
                return found, x + shift
            shift[:] = 0.0
        raise ConvergenceError(
            "the criterion cannot be computed next to the point that was found, because means there are impossible; "
            "look for a link that keeps the means within the family's range"
        )


def minimize_laplace(
    criterion: Criterion, terms: Sequence[tuple[str, Sequence[str]]], control: Control
) -> LaplaceMinimum:
    """Minimize the criterion.

    Parameters
    ----------
    criterion : LaplaceCriterion or AgqCriterion
        With `joint` for the fast approximation, in which beta belongs to the mode.
    terms : sequence of (str, sequence of str)
        Key and column names of each term, for the words of the certificate.
    control : Control
        Start, and the largest number of evaluations.

    Returns
    -------
    LaplaceMinimum

    Raises
    ------
    ConvergenceError
        If there is no mode at the starting value.

    Notes
    -----
    The linear mixed model at the mode for Lambda = unit I gives a start, from which a trust region with learnt
    curvature leads close to the minimum, and Newton steps with the exact Hessian to it. Where that start is a poor one
    the fast approximation leads to a better one first. A covariance matrix that is nearly singular is made so where
    that costs nothing.
    """
    # Only a start is wanted of the fast approximation, unless it is the criterion itself.
    fast = _Count(criterion if criterion.joint else criterion.with_joint(True, inner=_INNER_ROUGH))
    count = _Count(criterion)
    found, trace = _descent(fast, count, control)
    x, B, point = found.x, found.curvature, found.point
    function = fast if criterion.joint else count
    n_threads = control.n_threads if criterion.design.nobs * len(x) > _WORTH_A_THREAD else 1
    for _ in range(_POLISHES):
        x, point = onto_boundary(function, function.criterion, x, point)
        former = B
        hessian, place = function.hessian(x, point, former, n_threads)
        exact = descend(function, x, hessian, tolerance=_TOLERANCE, max_evaluations=8, first=point, learn=False)
        trace += exact.trace[1:]
        x, point, B = exact.x, exact.point, hessian
        if exact.converged and not _outdated(hessian, x - place, former):
            break
    # A decrement of 1e-9 leaves up to 3e-5 standard errors; one more step leaves next to nothing.
    last = descend(function, x, hessian, tolerance=_ROUNDING, max_evaluations=1, first=point, learn=False)
    trace += last.trace[1:]
    x, point = onto_boundary(
        function, function.criterion, last.x, last.point
    )  # the steps lead close to a zero, not to it
    return _minimum(criterion, terms, x, point, hessian, trace, _counted(fast, count), last.decrement)


def _outdated(hessian: NDArray[np.float64], moved: NDArray[np.float64], former: NDArray[np.float64]) -> bool:
    """Whether the Hessian is to be made anew: the minimum has moved, or the curvature that set its steps was wrong."""
    ratio = np.abs(np.diag(former)) / np.maximum(np.abs(np.diag(hessian)), 1e-300)
    alike = (ratio < _ALIKE) & (ratio > 1.0 / _ALIKE)
    return not (0.5 * moved @ hessian @ moved < _SAME and bool(alike.all()))


def _descent(fast: _Count, count: _Count, control: Control) -> tuple[Descent[LaplacePoint], list[TracePoint]]:
    """Close to the minimum by learnt curvature: at once from a good start, else by way of the fast approximation."""
    criterion, most, trace = count.criterion, control.max_evaluations, list[TracePoint]()
    for start, curvature, near in _starts(criterion, control):
        if not criterion.joint and "curvature" in near.raw:
            x, B = _with_beta(criterion, start, _with_information(near, curvature), near)
            first = count(x, near)
            if np.isfinite(first.value) and QuadraticModel(B, first.gradient).decrement < _PROMISING:
                found = descend(count, x, B, tolerance=_CLOSE, max_evaluations=most, first=first, radius=_RADIUS)
                return found, list(found.trace)
        found = descend(
            fast,
            start,
            curvature,
            tolerance=_ROUGH,
            max_evaluations=most,
            near=near,
            renewed=_with_information,
            radius=_RADIUS,
        )
        trace = list(found.trace)
        if np.isfinite(found.point.value):
            break
    if not np.isfinite(found.point.value):
        raise ConvergenceError(
            "the response has no mode at the starting value: the inner iteration fails. Look for a response that the "
            "family and link cannot reach, or give another control=Control(start=...)"
        )
    if criterion.joint:
        return found, trace
    x, B = _with_beta(criterion, found.x, found.curvature, found.point)
    found = descend(count, x, B, tolerance=_CLOSE, max_evaluations=most, near=found.point)
    return found, [*trace, *found.trace]


def _starts(
    criterion: Criterion, control: Control
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], LaplacePoint]]:
    """Starts (theta, t) one after another, each with a first curvature and where its inner iteration begins.

    The unit is the error of the linear predictor in one row, 1 / sqrt(W): a start that is far wider has means that no
    data have, where links with units (identity, inverse) end.
    """
    layout, design, family = criterion.layout, criterion.design, criterion.family
    mean = np.array([design.y.mean()])
    t = family.dispersion_start(design.y, np.full(design.nobs, mean[0]), np.ones(design.nobs))
    row_weight = np.array([1.0 if design.weights is None else design.weights.mean()])
    weight = family.derivatives(mean, family.link.link(mean), row_weight, t).expected[0]
    unit = float(1.0 / np.sqrt(weight)) if np.isfinite(weight) and weight > 0.0 else 1.0
    unit = min(unit, 1.0) if family.link.name in _WITHOUT_UNIT else unit
    levels = [layout.n_levels[block] for block, _, _ in layout.entries()]
    curvature = np.diag([2.0 * J / unit**2 for J in levels] + [0.5 * design.nobs] * criterion.sizes[2])
    rest = np.full(criterion.sizes[2], t)
    if control.start is not None:
        given = layout.factors(np.asarray(control.start, dtype=np.float64))
        factors = [lower_factor(transformed(T, L)) for T, L in zip(criterion.basis.T, given, strict=True)]
        start = np.concatenate([layout.theta([_lifted(L, unit) for L in factors]), rest])
        yield start, curvature, _first(criterion, start)
        return
    for scale in _SCALES:
        start = np.concatenate([layout.theta([scale * unit * np.eye(k) for k in layout.widths]), rest])
        near = _first(criterion, start)
        begin, near = _from_linear(criterion, start, near, unit)
        yield begin, curvature, near


def _from_linear(
    criterion: Criterion, start: NDArray[np.float64], near: LaplacePoint, unit: float
) -> tuple[NDArray[np.float64], LaplacePoint]:
    """The estimates of the linear model that stands for this one at the mode, in place of the given start."""
    d, layout = criterion.layout.n_theta, criterion.layout
    t = float(start[d]) if len(start) > d else 0.0
    found = criterion.core.linear_start(start[:d], near.raw["beta"], t, near.raw["s"], _LINEAR_ROUGH)
    if found is None:
        return start, near
    factors = [lower_factor(L) for L in layout.factors(found["theta"])]
    if not all(np.isfinite(L).all() and np.abs(L).max(initial=0.0) < _WILD * max(unit, 1.0) for L in factors):
        return start, near
    lifted = [_lifted(L, unit) for L in factors]
    begin = np.concatenate([layout.theta(lifted), start[d:]])
    if any((new != old).any() for new, old in zip(lifted, factors, strict=True)):
        # b = S s would be far off with another S
        return begin, replace(near, raw={"beta": found["beta"], "s": near.raw["s"]})
    if not np.array_equal(begin[:d], found["theta"]):
        return begin, replace(near, raw={"beta": found["beta"], "s": found["s"]})
    return begin, replace(near, raw=found)


def _lifted(L: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    """The factor without zero pivots: the criterion is even in a column of zeros, where a search would stay."""
    least = _LEAST_START * unit
    return np.asarray(L + np.diag(np.where(np.diag(L) < least, least, 0.0)), dtype=np.float64)


def _first(criterion: Criterion, start: NDArray[np.float64]) -> LaplacePoint:
    """Fixed effects that fit the link of starting means, for links that have no mean at eta = 0."""
    design, family = criterion.design, criterion.family
    offset = 0.0 if design.offset is None else design.offset
    R, X = criterion.basis.R, design.X
    eta = family.link.link(family.start(design.y, np.ones(design.nobs))) - offset
    beta = np.linalg.solve(R.T, X.T @ eta)  # in the working columns, which are orthonormal
    if not family.valid(X @ np.linalg.solve(R, beta) + offset).all():
        level = float(family.link.link(np.array([design.y.mean()]))[0])
        beta = np.linalg.solve(R.T, X.sum(axis=0) * level)
    from mixedeffects.criterion.laplace import LaplacePoint

    zero = [np.zeros((J, k)) for J, k in zip(criterion.layout.n_levels, criterion.layout.block_widths, strict=True)]
    return LaplacePoint(value=np.inf, gradient=np.empty(0), raw={"beta": beta, "s": zero})


def _with_information(point: LaplacePoint, learnt: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average information of the linear model at the mode in place of what was learnt of theta."""
    information = point.raw["curvature"]
    d = len(information)
    out = learnt.copy()
    out[:d, :d] = information
    return out


def _with_beta(
    criterion: Criterion, x: NDArray[np.float64], B: NDArray[np.float64], point: LaplacePoint
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Parameters and curvature with beta among them, from those of the fast approximation."""
    d, p, _ = criterion.sizes
    whole = np.concatenate([x[:d], point.raw["beta"], x[d:]])
    out = np.zeros((len(whole), len(whole)))
    others = np.r_[0:d, d + p : len(whole)]
    out[np.ix_(others, others)] = B
    out[d : d + p, d : d + p] = 2.0 * point.raw["XVX"]
    return whole, out


def _diagonal(B: NDArray[np.float64], sizes: Sequence[int]) -> NDArray[np.float64]:
    """Sizes of the curvature; what has next to none gets a millionth of the largest of its kind: theta, beta or t."""
    diagonal = np.abs(np.diag(B))
    kinds = np.repeat(np.arange(len(sizes)), sizes)
    largest = np.array([diagonal[kinds == kind].max(initial=0.0) for kind in range(len(sizes))])
    largest[largest == 0.0] = largest.max(initial=1e-300)
    return np.asarray(np.maximum(diagonal, 1e-6 * largest[kinds]), dtype=np.float64)


def _minimum(
    criterion: Criterion,
    terms: Sequence[tuple[str, Sequence[str]]],
    x: NDArray[np.float64],
    point: LaplacePoint,
    hessian: NDArray[np.float64],
    trace: Sequence[TracePoint],
    counts: tuple[int, int],
    decrement: float,
) -> LaplaceMinimum:
    layout, d = criterion.layout, criterion.sizes[0]
    working = layout.factors(x[:d])
    null = null_derivatives(layout, working, point.raw["G"])
    factors = [
        transformed(np.asarray(np.linalg.inv(T), dtype=np.float64), L)
        for T, L in zip(criterion.basis.T, working, strict=True)
    ]
    boundary = tuple(
        BoundaryDirection(term=key, direction=in_words(names, L), derivative=slope)
        for (key, names), L, slope in zip(terms, factors, null, strict=True)
        if slope is not None
    )
    free = has_parameter(criterion, x)
    scale = np.sqrt(_diagonal(hessian, criterion.sizes))
    values = np.linalg.eigvalsh((hessian / np.outer(scale, scale))[np.ix_(free, free)])
    rises = all(b.derivative >= 0.0 for b in boundary)
    least = float(values[0]) if free.any() else np.inf
    converged = bool(decrement <= _TOLERANCE and least > _FLAT and rises)
    optimum = Optimum(
        converged=converged,
        n_evaluations=counts[0],
        n_hessians=counts[1],
        newton_decrement=decrement,
        boundary=boundary,
        message=_message(converged, decrement, least, rises),
        trace=tuple(trace),
        smallest=Known(float(np.linalg.eigvalsh(hessian[np.ix_(free, free)])[0]) if free.any() else float("nan")),
    )
    return LaplaceMinimum(x=x, point=point, hessian=hessian, theta=layout.theta(factors), optimum=optimum)


def _message(converged: bool, decrement: float, smallest: float, rises: bool) -> str:
    if converged:
        return "converged: the gradient vanishes and the exact Hessian is positive definite"
    if decrement > _TOLERANCE:
        return f"not converged: one more Newton step promises {decrement:.2g} in the criterion"
    if not rises:
        return "not converged: variance in a direction that has none would lower the criterion"
    flat = f"smallest eigenvalue {smallest:.2g} of the scaled Hessian"
    return f"not converged: the data do not determine all parameters ({flat})"


class _Held:
    """The criterion at a theta that is held, as a function of the other parameters."""

    def __init__(self, criterion: Criterion, theta: NDArray[np.float64]) -> None:
        self.criterion, self.theta, self.n, self.n_hessians = criterion, theta, 0, 0

    def __call__(self, x: NDArray[np.float64], near: Any) -> LaplacePoint:
        self.n += 1
        point = self.criterion(np.concatenate([self.theta, x]), near)
        return replace(point, gradient=point.gradient[len(self.theta) :])

    def hessian(
        self, x: NDArray[np.float64], point: LaplacePoint, curvature: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Exact Hessian by central differences of the exact gradient, (m, m)."""
        if not len(x):
            return np.empty((0, 0))
        self.n_hessians += 1
        d, p, dispersion = self.criterion.sizes
        step = _STEP / np.sqrt(_diagonal(curvature, (d - len(self.theta), p, dispersion)))
        return hessian_by_differences([lambda at: self(at, point).gradient], x, step)


def laplace_at_theta(
    criterion: Criterion, terms: Sequence[tuple[str, Sequence[str]]], control: Control
) -> LaplaceMinimum:
    """Minimize the criterion in the fixed effects and the dispersion at ``control.fixed_theta``.

    Parameters
    ----------
    criterion : LaplaceCriterion or AgqCriterion
        With `joint` for the fast approximation.
    terms : sequence of (str, sequence of str)
        As for `minimize_laplace`.
    control : Control
        The theta, and the largest number of evaluations.

    Returns
    -------
    LaplaceMinimum
        Not converged, unless the point is a minimum in theta too.

    Raises
    ------
    DataError
        If the theta has the wrong length or is not finite.
    ConvergenceError
        If there is no mode at the theta.
    """
    theta, (d, p, _) = _given_theta(criterion, control), criterion.sizes
    start, B, _ = next(_starts(criterion, control))
    fast = held = _Held(criterion if criterion.joint else criterion.with_joint(True), theta)
    most = control.max_evaluations
    found = descend(fast, start[d:], B[d:, d:], tolerance=_ROUGH, near=_first(criterion, start), max_evaluations=most)
    if not np.isfinite(found.point.value):
        raise ConvergenceError("the response has no mode at the given theta: the inner iteration fails")
    x, C, point = found.x, found.curvature, found.point
    trace = list(found.trace)
    if not criterion.joint:
        held = _Held(criterion, theta)
        x, both = np.concatenate([point.raw["beta"], x]), np.zeros((p + len(x), p + len(x)))
        both[:p, :p], both[p:, p:] = 2.0 * point.raw["XVX"], C
        found = descend(held, x, both, tolerance=_CLOSE, near=point, max_evaluations=most)
        x, C, point = found.x, found.curvature, found.point
        trace += found.trace
    for _ in range(_POLISHES):
        C = held.hessian(x, point, C)
        found = descend(held, x, C, tolerance=_ROUNDING, max_evaluations=8, first=point, learn=False)
        x, point = found.x, found.point
        trace += found.trace[1:]
        if found.trace[0].newton_decrement < _SAME:
            break
    every = _Held(criterion, np.empty(0))
    whole = np.concatenate([theta, x])
    point = every(whole, point)
    scales = np.concatenate([np.diag(B)[:d], np.diag(C)])
    hessian = every.hessian(whole, point, np.diag(scales))
    # The gradient in a column of zeros is zero by symmetry: only directions with curvature count.
    decrement = 0.5 * float(point.gradient @ np.linalg.pinv(hessian, rcond=_FLAT, hermitian=True) @ point.gradient)
    counts = _counted(every, held, *(() if held is fast else (fast,)))
    minimum = _minimum(criterion, terms, whole, point, hessian, trace, counts, abs(decrement))
    if found.decrement > _TOLERANCE:
        message = f"not converged at the given theta: one more Newton step promises {found.decrement:.2g}"
    elif minimum.optimum.converged:
        return minimum
    elif any(b.derivative < 0.0 for b in minimum.optimum.boundary):
        message = "evaluated at the given theta; variance in a direction that has none would lower the criterion"
    else:
        message = f"evaluated at the given theta; one Newton step would change the criterion by {abs(decrement):.3g}"
    return replace(minimum, optimum=replace(minimum.optimum, converged=False, message=message))


def _counted(*functions: _Count | _Held) -> tuple[int, int]:
    """Evaluations and Hessians."""
    return sum(function.n for function in functions), sum(function.n_hessians for function in functions)


def _given_theta(criterion: Criterion, control: Control) -> NDArray[np.float64]:
    """The theta that is held, in the working columns."""
    layout = criterion.layout
    assert control.fixed_theta is not None
    factors = zip(criterion.basis.T, layout.factors(layout.checked(control.fixed_theta)), strict=True)
    return layout.theta([lower_factor(transformed(T, L)) for T, L in factors])
