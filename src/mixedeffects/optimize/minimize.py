"""Minimize the criterion, put the solution exactly on the boundary where it belongs, and certify it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import ConvergenceError
from mixedeffects.optimize.canonical import lower_factor, transformed
from mixedeffects.optimize.certificate import BoundaryDirection, Certificate, certificate, in_words, null_derivatives
from mixedeffects.optimize.record import Optimum, TracePoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.control import Control
    from mixedeffects.criterion import GaussianCriterion, Solution

_NEAR_BOUNDARY = 0.02  # relative standard deviation, for a column of unit mean square, from which 0 is tried
_FREE = 1e-9  # of the criterion: what a point on the boundary may cost
_RESTARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Minimum:
    """The solution at the minimum, with theta canonical in the units of the data, and its certificate."""

    solution: Solution
    optimum: Optimum


class _Search:
    """One search in the working columns; counts what it spends."""

    def __init__(self, criterion: GaussianCriterion, control: Control) -> None:
        self.criterion, self.control = criterion, control
        self.n_evaluations = self.n_hessians = 0
        self.trace: list[TracePoint] = []
        self.converged = False

    def run(self, start: NDArray[np.float64], tolerance: float) -> tuple[NDArray[np.float64], dict[str, Any]]:
        left = self.control.max_evaluations - self.n_evaluations
        found = self.criterion.core.minimize(start, tolerance, left, self.control.n_threads)
        self.n_evaluations += found["n_evaluations"]
        self.n_hessians += found["n_hessians"]
        self.trace += [TracePoint(*point) for point in found["trace"]]
        if not found["evaluation"]["ok"]:
            raise ConvergenceError(
                "the criterion cannot be computed at the starting value: a factorisation failed. "
                "Look for columns of enormous size, or give another control=Control(start=...)"
            )
        self.converged = found["converged"]
        return found["theta"], found["evaluation"]

    def evaluate(self, theta: NDArray[np.float64]) -> dict[str, Any]:
        self.n_evaluations += 1
        return self.criterion.core.evaluate(theta, None, True)

    def curvature_at(
        self, canonical: NDArray[np.float64], theta: NDArray[np.float64], evaluation: dict[str, Any]
    ) -> NDArray[np.float64]:
        """The curvature in the coordinates of the canonical point, which is theta with other signs or rotated."""
        layout = self.criterion.layout
        pairs = zip(layout.factors(canonical), layout.factors(theta), strict=True)
        flips = [np.where((new == old).all(axis=0), 1.0, -1.0) for new, old in pairs]
        signs = layout.theta([np.broadcast_to(flip, (len(flip), len(flip))) for flip in flips])
        if not np.array_equal(canonical, theta * signs):
            evaluation, signs = self.evaluate(canonical), np.ones_like(signs)
        return np.asarray(evaluation["curvature"] * np.outer(signs, signs), dtype=np.float64)

    def snap(
        self, theta: NDArray[np.float64], evaluation: dict[str, Any]
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Put nearly singular covariances exactly on the boundary, where that costs nothing and a minimum is."""
        factors = self.criterion.layout.factors(theta)
        for candidate in self._candidates(factors):
            if self.n_evaluations >= self.control.max_evaluations:
                break
            moved = self.criterion.layout.theta(candidate)
            trial = self.evaluate(moved)
            # Rounding of the criterion; an interior minimum so close to the boundary is not told from it by the data.
            noise = _FREE + 1e-13 * abs(evaluation["value"])
            if not trial["ok"] or trial["value"] > evaluation["value"] + noise:
                continue
            slopes = null_derivatives(self.criterion.layout, candidate, trial["G"])
            if all(slope is None or slope >= 0.0 for slope in slopes):
                return moved, trial
        return theta, evaluation

    def _candidates(self, factors: Sequence[NDArray[np.float64]]) -> list[list[NDArray[np.float64]]]:
        """Factors with small singular values put to zero, in all terms and in each alone; and rows of no variance."""
        snapped = [without_small(L, _NEAR_BOUNDARY) for L in factors]
        changed = [t for t, L in enumerate(snapped) if L is not None]
        if not changed:
            return []
        every = [L if new is None else new for L, new in zip(factors, snapped, strict=True)]
        out = [every]
        zeroed = [self._without_small_rows(t, L) for t, L in enumerate(every)]
        if any(new is not None for new in zeroed):
            out.insert(0, [L if new is None else new for L, new in zip(every, zeroed, strict=True)])
        if len(changed) > 1:
            for t in changed:
                alone = list(factors)
                alone[t] = every[t]
                out.append(alone)
        return out

    def _without_small_rows(self, term: int, L: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """A factor in which columns of the data with nearly no variance have none at all."""
        if len(L) == 1:
            return None
        T = self.criterion.basis.T[term]
        F = np.linalg.solve(T, L)
        lengths = np.sqrt((F**2).sum(axis=1)) * np.sqrt((T**2).sum(axis=0))
        small = (lengths > 0.0) & (lengths < 1e-3 * max(1.0, float(lengths.max())))
        if not small.any():
            return None
        F[small] = 0.0
        return lower_factor(T @ F)


def without_small(L: NDArray[np.float64], bound: float) -> NDArray[np.float64] | None:
    """The factor with singular values below the bound put to zero; None if there are none."""
    U, values, _ = np.linalg.svd(L)
    if values[-1] >= bound or (np.diag(L)[values == 0.0].size and values[values > 0.0].min(initial=1.0) >= bound):
        return None
    keep = values >= bound
    return lower_factor(U[:, keep] * values[keep])


def minimize(criterion: GaussianCriterion, terms: Sequence[tuple[str, Sequence[str]]], control: Control) -> Minimum:
    """Minimize the criterion.

    Parameters
    ----------
    criterion : GaussianCriterion
        What to minimize.
    terms : sequence of (str, sequence of str)
        Key and column names of each term, for the words of the certificate.
    control : Control
        Options.

    Returns
    -------
    Minimum

    Raises
    ------
    ConvergenceError
        If the criterion cannot be computed at the starting value.

    Notes
    -----
    Trust-region Newton [1]_ in theta on the working columns, from moment estimates: average information far out, the
    exact Hessian where progress is slow. A point with negative curvature is left along it. Covariances that are nearly
    singular are put on the boundary where that does not raise the criterion.

    References
    ----------
    .. [1] More & Sorensen (1983), Computing a trust region step, SIAM Journal on Scientific and Statistical Computing
       4, 553-572, doi:10.1137/0904038.
    """
    search = _Search(criterion, control)
    theta, evaluation = search.run(_start(criterion, control), control.tolerance)
    for attempt in range(_RESTARTS + 1):
        theta, evaluation = search.snap(theta, evaluation)
        canonical = criterion.layout.theta([lower_factor(L) for L in criterion.layout.factors(theta)])
        proof = certificate(criterion, canonical, evaluation["G"], search.curvature_at(canonical, theta, evaluation))
        search.n_hessians += proof.n_hessians
        done = proof.is_minimum and proof.newton_decrement <= control.tolerance
        if done or attempt == _RESTARTS or search.n_evaluations >= control.max_evaluations:
            break
        if attempt == 0 and not search.converged and control.start is None:
            start = criterion.layout.theta([np.eye(k) for k in criterion.layout.widths])
        else:
            start = canonical if proof.is_minimum else _downhill(criterion, canonical, proof)
        # Tighter, as the search judges by its own curvature: it would stop at once where only the exact one objects.
        again = search.run(start, 0.01 * control.tolerance)
        if again[1]["value"] <= evaluation["value"] or attempt > 0:
            theta, evaluation = again
    return _minimum(criterion, terms, canonical, evaluation, proof, search, control)


def certify(criterion: GaussianCriterion, terms: Sequence[tuple[str, Sequence[str]]], control: Control) -> Minimum:
    """Evaluate the criterion at ``control.fixed_theta`` and say what kind of point it is, without moving.

    Parameters
    ----------
    criterion, terms, control
        As for `minimize`.

    Returns
    -------
    Minimum
        Not converged, unless the point is a minimum.

    Raises
    ------
    DataError
        If the theta has the wrong length or is not finite, or a factorisation fails there.
    """
    assert control.fixed_theta is not None
    search = _Search(criterion, control)
    criterion.evaluate(control.fixed_theta)  # refuses a theta of the wrong length
    working = _to_working(criterion, np.asarray(control.fixed_theta, dtype=np.float64))
    evaluation = search.evaluate(working)
    proof = certificate(criterion, working, evaluation["G"], evaluation["curvature"])
    search.n_hessians += proof.n_hessians
    search.trace.append(TracePoint(evaluation["value"], proof.newton_decrement, 0.0, 0.0, True, True))
    return _minimum(criterion, terms, working, evaluation, proof, search, control)


def _start(criterion: GaussianCriterion, control: Control) -> NDArray[np.float64]:
    if control.start is None:
        return criterion.core.moment_start()
    criterion.evaluate(control.start)  # refuses a theta of the wrong length
    return _to_working(criterion, np.asarray(control.start, dtype=np.float64))


def _to_working(criterion: GaussianCriterion, theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Canonical theta of the working columns."""
    factors = criterion.layout.factors(theta)
    return criterion.layout.theta([transformed(T, L) for T, L in zip(criterion.basis.T, factors, strict=True)])


def _to_data(criterion: GaussianCriterion, theta: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Canonical factors in the units of the data, from a theta of the working columns."""
    factors = criterion.layout.factors(theta)
    return [transformed(np.asarray(np.linalg.inv(T)), L) for T, L in zip(criterion.basis.T, factors, strict=True)]


def _downhill(criterion: GaussianCriterion, theta: NDArray[np.float64], proof: Certificate) -> NDArray[np.float64]:
    """A point off a saddle or off a boundary that is no minimum."""
    if proof.downhill is not None:
        return theta + 0.1 * proof.downhill
    moved = [L + 0.1 * np.diag(np.diag(L) == 0.0) for L in criterion.layout.factors(theta)]
    return criterion.layout.theta(moved)


def _minimum(
    criterion: GaussianCriterion,
    terms: Sequence[tuple[str, Sequence[str]]],
    theta: NDArray[np.float64],
    evaluation: dict[str, Any],
    proof: Certificate,
    search: _Search,
    control: Control,
) -> Minimum:
    factors = _to_data(criterion, theta)
    boundary = tuple(
        BoundaryDirection(term=key, direction=in_words(names, L), derivative=derivative)
        for (key, names), L, derivative in zip(terms, factors, proof.null_derivatives, strict=True)
        if derivative is not None
    )
    converged = proof.is_minimum and not proof.flat and proof.newton_decrement <= control.tolerance
    optimum = Optimum(
        converged=converged,
        n_evaluations=search.n_evaluations,
        n_hessians=search.n_hessians,
        newton_decrement=proof.newton_decrement,
        smallest=proof.min_eigenvalue,
        boundary=boundary,
        message=_message(proof, boundary, converged, control)
        + ("" if converged else _vanishing(criterion, evaluation)),
        trace=tuple(search.trace),
    )
    return Minimum(solution=criterion.solution(criterion.layout.theta(factors), evaluation), optimum=optimum)


def _vanishing(criterion: GaussianCriterion, evaluation: dict[str, Any]) -> str:
    """What to say where next to nothing is left as residual variation."""
    if evaluation["rss"] > 1e-8 * criterion.products.core.yy:
        return ""
    return "; the residual variance is next to nothing: the random effects may fit the response exactly"


def _message(proof: Certificate, boundary: Sequence[BoundaryDirection], converged: bool, control: Control) -> str:
    false_boundary = [b for b in boundary if b.derivative < 0.0]
    if false_boundary:
        what = "; ".join(f"{b.term}: {b.direction}" for b in false_boundary)
        return f"not a minimum: the criterion falls as variance is allowed where there is none ({what})"
    if proof.downhill is not None and proof.newton_decrement <= control.tolerance:
        return f"not a minimum but a saddle: the smallest eigenvalue of the Hessian is {proof.min_eigenvalue():.3g}"
    if proof.flat and proof.newton_decrement <= control.tolerance:
        return (
            "the variances are not determined by the data: the criterion does not change in some direction of theta. "
            "Look for a random-effects column that is zero or repeats others, the same term twice, or a grouping "
            "factor whose levels all have a fixed coefficient"
        )
    if not converged and control.fixed_theta is not None:
        gain = f"{proof.newton_decrement:.3g}"
        return f"evaluated at the given theta; one Newton step would change the criterion by {gain}"
    if not converged:
        return (
            f"not converged: one Newton step promises {proof.newton_decrement:.3g}, more than {control.tolerance:.3g}, "
            "and the criterion falls no further. Look for a random effect that the data hardly determine, columns of "
            "very different size, or give another start"
        )
    where = "a minimum on the boundary" if boundary else "a minimum"
    return f"converged to {where}: one Newton step would gain {proof.newton_decrement:.1g}"
