"""The proof that a point is a minimum: gradient, exact Hessian, and the derivative at a boundary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mixedeffects.criterion import GaussianCriterion
    from mixedeffects.crossproducts import Layout

_STEP = 1e-5
_ABSORBED = 1e-13  # what X leaves of the square of a column of Z by rounding alone
_UNDETERMINED = 1e-10  # smallest eigenvalue of the moment equations, scaled to unit diagonal


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryDirection:
    """A term whose covariance matrix is singular.

    Attributes
    ----------
    term : str
        The term's key, ``"Subject"``.
    direction : str
        The direction without variance, in words.
    derivative : float
        Smallest derivative of the criterion with respect to a relative variance in that direction, for columns of
        unit mean square. Positive: variance there would raise the criterion, so the boundary is where the minimum is.
        Negative: the point is no minimum.
    """

    term: str
    direction: str
    derivative: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certificate:
    """What holds at a point of the working columns.

    Attributes
    ----------
    newton_decrement : float
        Over the free parameters.
    min_eigenvalue : callable returning float
        Of the exact Hessian in the free parameters; NaN if there are none.
    downhill : ndarray (d,) or None
        A direction of negative curvature, of length 1, if there is one.
    null_derivatives : tuple of float or None
        For each term the smallest eigenvalue of N'GN over its null space N; None if its covariance is not singular.
    flat : bool
        Whether the data cannot determine all variances and covariances: see `undetermined`.
    n_hessians : int
        Exact Hessians computed.
    """

    newton_decrement: float
    min_eigenvalue: Callable[[], float]
    downhill: NDArray[np.float64] | None
    flat: bool
    null_derivatives: tuple[float | None, ...]
    n_hessians: int

    @property
    def is_minimum(self) -> bool:
        """Whether neither the curvature nor a boundary derivative is negative."""
        return self.downhill is None and all(d is None or d >= 0.0 for d in self.null_derivatives)


def certificate(
    criterion: GaussianCriterion,
    theta: NDArray[np.float64],
    G: Sequence[NDArray[np.float64]],
    curvature: NDArray[np.float64],
) -> Certificate:
    """Examine a canonical point of the working columns.

    Parameters
    ----------
    criterion : GaussianCriterion
        The criterion.
    theta : ndarray (d,)
        Canonical, of the working columns.
    G : sequence of ndarray
        For each block the derivative with respect to its relative covariance, there.
    curvature : ndarray (d, d)
        Average information with the exact second part, there: stands in for the exact Hessian, in all but
        `min_eigenvalue`, where the dense block makes that dear.
    """
    layout = criterion.layout
    factors = layout.factors(theta)
    free = layout.free(theta)
    own = _by_term(layout, G)
    null = null_derivatives(layout, factors, G)
    gradient = layout.theta([2.0 * G_t @ L for G_t, L in zip(own, factors, strict=True)])
    if not free.any():
        return Certificate(
            newton_decrement=0.0,
            min_eigenvalue=lambda: float("nan"),
            downhill=None,
            flat=undetermined(criterion),
            null_derivatives=null,
            n_hessians=0,
        )
    core = criterion.core
    dear = core.hessian_is_dear
    exact = None if dear else core.hessian(theta, None)
    if exact is None and not dear:
        reduced = _differences(criterion, theta, gradient, free)
    else:
        reduced = (curvature if exact is None else exact)[np.ix_(free, free)]
    values, vectors = np.linalg.eigh(reduced)
    g = vectors.T @ gradient[free]
    floor = 1e-8 * max(1.0, float(np.abs(values).max()))
    downhill = None
    if values[0] < -100.0 * floor:
        downhill = np.zeros(len(theta))
        downhill[free] = vectors[:, 0]

    @cache
    def min_eigenvalue() -> float:
        return (
            float(np.linalg.eigvalsh(_differences(criterion, theta, gradient, free))[0]) if dear else float(values[0])
        )

    return Certificate(
        newton_decrement=float(0.5 * (g**2 / np.maximum(np.abs(values), floor)).sum()),
        min_eigenvalue=min_eigenvalue,
        downhill=downhill,
        flat=undetermined(criterion),
        null_derivatives=null,
        n_hessians=0 if exact is None else 1,
    )


def _differences(
    criterion: GaussianCriterion, theta: NDArray[np.float64], gradient: NDArray[np.float64], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The Hessian over the free parameters as differences of the exact gradient."""
    at = np.flatnonzero(free)
    rows = []
    for e in at:
        moved = theta.copy()
        moved[e] += _STEP
        rows.append((criterion.core.evaluate(moved, None, True)["gradient"][at] - gradient[at]) / _STEP)
    hessian = np.array(rows)
    return np.asarray(0.5 * (hessian + hessian.T), dtype=np.float64)


def _by_term(layout: Layout, G: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    places = [layout.columns_of(t) for t in range(len(layout.widths))]
    return [G[block][columns, columns] for block, columns in zip(layout.block_of, places, strict=True)]


def null_derivatives(
    layout: Layout, factors: Sequence[NDArray[np.float64]], G: Sequence[NDArray[np.float64]]
) -> tuple[float | None, ...]:
    """For each term the smallest derivative over directions without variance; None if it has variance in all.

    Parameters
    ----------
    layout : Layout
        Terms and blocks.
    factors : sequence of ndarray (k, k)
        For each term its canonical factor.
    G : sequence of ndarray
        For each block the derivative with respect to its relative covariance.
    """
    return tuple(_null_derivative(G_t, L) for G_t, L in zip(_by_term(layout, G), factors, strict=True))


def undetermined(criterion: GaussianCriterion) -> bool:
    """Tell whether some combination of variances and covariances has no effect on the variance of the response.

    Notes
    -----
    The matrix of tr(P0 V_e P0 V_f) over the entries of S and sigma^2, P0 the projection off X, is singular then: the
    covariance of two columns that never occur in one level, a column of zeros, the same term twice, by REML a factor
    whose levels all have a fixed coefficient.
    """
    moments = criterion.core.moments
    effects = np.diag(moments)
    blocks = np.array([entry[0] for entry in criterion.layout.entries()], dtype=np.intp)
    # The rounding is that of tr(Z'Z Z'Z), about n^2 / J.
    rounding = _ABSORBED * criterion.products.n / np.array(criterion.layout.n_levels)[blocks]
    seen = effects[:-1] >= rounding * effects[-1]
    if not seen.all() and (criterion.reml or _without_effect(criterion, np.flatnonzero(~seen))):
        return True
    for block in np.unique(blocks[seen]):
        own = effects[:-1][seen & (blocks == block)]
        if not own.min() > _UNDETERMINED * own.max():
            return True
    kept = np.flatnonzero(np.append(seen, True))
    scale = np.sqrt(effects[kept])
    return bool(np.linalg.eigvalsh(moments[np.ix_(kept, kept)] / np.outer(scale, scale))[0] < _UNDETERMINED)


def _without_effect(criterion: GaussianCriterion, entries: NDArray[np.intp]) -> bool:
    """Whether the likelihood has no derivative in one of these entries of S.

    Where X absorbs a column, the ordinary likelihood has one, which puts the variance to 0.
    """
    layout = criterion.layout
    G = criterion.core.evaluate(layout.theta([np.eye(k) for k in layout.widths]), None, True)["G"]
    places = [layout.entries()[e] for e in entries]
    return any(abs(G[block][row, column]) < _UNDETERMINED * criterion.products.n for block, row, column in places)


def null_space(L: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Orthonormal directions (k, k - rank) in which L L' has no variance; None if it is regular."""
    kept = L[:, np.diag(L) != 0.0]
    if kept.shape[1] == len(L):
        return None
    Q, _ = np.linalg.qr(kept, mode="complete") if kept.shape[1] else (np.eye(len(L)), None)
    return Q[:, kept.shape[1] :]


def _null_derivative(G: NDArray[np.float64], L: NDArray[np.float64]) -> float | None:
    N = null_space(L)
    return None if N is None else float(np.linalg.eigvalsh(N.T @ G @ N)[0])


def in_words(names: Sequence[str], L: NDArray[np.float64]) -> str:
    """Say which direction of a singular covariance matrix L L' has no variance.

    Parameters
    ----------
    names : sequence of str (k,)
        The columns of the term.
    L : ndarray (k, k)
        Canonical factor in the units of the data.

    Returns
    -------
    str
        Such as ``"the correlation of Intercept and Days is +1"``.
    """
    lengths = np.sqrt((L**2).sum(axis=1))
    zero = [name for name, length in zip(names, lengths, strict=True) if length == 0.0]
    left = [i for i, length in enumerate(lengths) if length > 0.0]
    parts = []
    if zero:
        parts.append(
            f"the variance of {_listed(zero)} is 0" if len(zero) == 1 else f"the variances of {_listed(zero)} are 0"
        )
    rank = int((np.diag(L) != 0.0).sum())
    if len(left) > rank:
        unit = L[left] / lengths[left, None]
        if len(left) == 2:
            sign = "+1" if unit[0] @ unit[1] > 0 else "-1"
            parts.append(f"the correlation of {_listed([names[i] for i in left])} is {sign}")
        else:
            columns = _listed([names[i] for i in left])
            flat = _combination(names, left, unit)
            parts.append(f"{columns} vary in {rank} of {len(left)} directions only: {flat} has no variance")
    return "; ".join(parts)


def _combination(names: Sequence[str], left: Sequence[int], unit: NDArray[np.float64]) -> str:
    """A combination of the standardised columns that has no variance."""
    _, vectors = np.linalg.eigh(unit @ unit.T)
    v = vectors[:, 0]
    v = v * np.sign(v[np.argmax(np.abs(v))])
    terms = [(float(x), names[i]) for x, i in zip(v, left, strict=True) if abs(x) > 0.005]
    text = " ".join(f"{'-' if x < 0 else '+'} {abs(x):.2f} {name}/sd" for x, name in terms)
    return text.removeprefix("+ ")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
