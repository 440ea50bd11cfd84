"""Coordinates of the parameters of a generalized criterion in which the parameter of interest is the first one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mixedeffects.inference.coordinates import without_correlations
from mixedeffects.optimize.canonical import transformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mixedeffects.criterion.laplace import LaplacePoint
    from mixedeffects.crossproducts import Layout
    from mixedeffects.inference.coordinates import Coordinates
    from mixedeffects.optimize.laplace import Criterion

_NONE = np.empty(0, dtype=np.intp)
_TINY = 1e-300
STEP = 2e-3  # for differences, in rough standard deviations of the working parameters
_LARGEST_STEP = 1e-2  # for angles and logarithms


class ParameterCoordinates(Protocol):
    """A change of variables psi -> x = (theta, beta, t), both (m,); psi[0] belongs to the parameter of interest.

    Attributes
    ----------
    estimate : ndarray (m,)
        psi at the estimates.
    uncorrelated : ndarray (m - 1,)
        psi[1:] at the estimates, but without correlations within the terms and without variances next to 0.
    domain : (float, float)
        The values that psi[0] may take; at a finite end the profile is even.
    step : ndarray (m,)
        For differences at the estimates.
    """

    estimate: NDArray[np.float64]
    uncorrelated: NDArray[np.float64]
    domain: tuple[float, float]
    step: NDArray[np.float64]

    def parameters(self, psi: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return x."""

    def gradient(self, psi: NDArray[np.float64], point: LaplacePoint) -> NDArray[np.float64]:
        """Return the gradient in psi, (m,), of the criterion that was evaluated at x."""

    def reduced(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return an equivalent psi, and which of its entries are redundant, so that they need not move."""

    def lifted(self, psi: NDArray[np.float64], least: float) -> NDArray[np.float64]:
        """Return psi with no pivot of Lambda below a least size: the criterion is even in a pivot, and flat at 0."""

    def reported(self, position: float) -> float:
        """Return the parameter on its own scale."""


class LinearCoordinates:
    """x = A psi, for a coefficient or the logarithm of a dispersion.

    Parameters
    ----------
    criterion : LaplaceCriterion or AgqCriterion
        Whose parameters x are.
    x : ndarray (m,)
        The estimates.
    row : ndarray (m,)
        psi[0] is row'x.
    spread : ndarray (m,)
        Rough standard deviations of x.
    reported : callable
        From psi[0] to the parameter on its own scale.
    """

    def __init__(
        self,
        criterion: Criterion,
        x: NDArray[np.float64],
        row: NDArray[np.float64],
        spread: NDArray[np.float64],
        reported: Callable[[float], float],
    ) -> None:
        involved = np.flatnonzero(row)
        others = np.zeros((len(row), len(involved) - 1))
        others[involved] = np.linalg.qr(row[involved, None], mode="complete")[0][:, 1:]
        rest = np.column_stack([others, np.delete(np.eye(len(row)), involved, axis=1)])
        self._A = np.column_stack([row / (row @ row), rest])
        self._back = np.vstack([row, rest.T])
        self.estimate = self._back @ x
        d = criterion.sizes[0]
        apart = np.concatenate([without_correlations(criterion, x[:d]), x[d:]])
        self.uncorrelated = (self._back @ apart)[1:]
        self.domain = (-math.inf, math.inf)
        self.step = STEP / np.sqrt(((self._A / spread[:, None]) ** 2).sum(axis=0))
        self._reported = reported
        self._pivots = _places_of_pivots(criterion.layout, self._A)

    def parameters(self, psi: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return A psi."""
        return np.asarray(self._A @ psi, dtype=np.float64)

    def gradient(self, psi: NDArray[np.float64], point: LaplacePoint) -> NDArray[np.float64]:
        """Return A' times the gradient."""
        return np.asarray(self._A.T @ point.gradient, dtype=np.float64)

    def reduced(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return psi; nothing is redundant."""
        return psi, _NONE

    def lifted(self, psi: NDArray[np.float64], least: float) -> NDArray[np.float64]:
        """Return psi without small pivots."""
        return _lifted(psi, self._pivots, least)

    def reported(self, position: float) -> float:
        """Return the parameter on its own scale."""
        return self._reported(position)


class CovarianceCoordinates:
    """psi = (coordinates of the covariances, beta, t), for a standard deviation or a correlation.

    The coordinates of the linear profile are taken at sigma = 1, and those of them that are not negative by their
    logarithms. Lambda of the rotated columns is brought to the working ones as the Cholesky factor of Q Lambda.

    Parameters
    ----------
    criterion : LaplaceCriterion or AgqCriterion
        Whose parameters x are.
    x : ndarray (m,)
        The estimates.
    term : int
        The random-effects term.
    inner : Coordinates
        psi -> (theta, log sigma) in the rotated columns.
    spread : ndarray (m,)
        Rough standard deviations of x.
    """

    def __init__(
        self, criterion: Criterion, x: NDArray[np.float64], term: int, inner: Coordinates, spread: NDArray[np.float64]
    ) -> None:
        self._criterion, self._inner, self._term = criterion, inner, term
        layout = criterion.layout
        own = layout.columns_of(term)
        self._Q = inner.transforms[layout.block_of[term]][own, own]
        d = self._d = criterion.sizes[0]
        self._logged = np.flatnonzero(inner.lower[:d] == 0.0)
        self.domain = inner.domain
        self.estimate = np.concatenate([self._searched(inner.estimate[:d]), x[d:]])
        apart = self._searched(np.append(inner.estimate[0], inner.uncorrelated[:-1]))
        self.uncorrelated = np.concatenate([apart[1:], x[d:]])
        _, J = self._expand(self.estimate[:d])
        self._pivots = _places_of_pivots(layout, J)
        length = np.sqrt(((J / spread[:d, None]) ** 2).sum(axis=0))
        self.step = np.concatenate([STEP / np.maximum(length, STEP / _LARGEST_STEP), STEP * spread[d:]])

    def parameters(self, psi: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return x."""
        d, layout = self._d, self._criterion.layout
        theta, _ = self._expand(psi[:d])
        factors = layout.factors(theta)
        factors[self._term] = transformed(self._Q, factors[self._term])
        return np.concatenate([layout.theta(factors), psi[d:]])

    def gradient(self, psi: NDArray[np.float64], point: LaplacePoint) -> NDArray[np.float64]:
        """Return the gradient in psi: that in Lambda is 2 Q'G Q Lambda, with G the derivative in the covariance."""
        d, layout = self._d, self._criterion.layout
        theta, J = self._expand(psi[:d])
        G = self._criterion.in_covariance(self.parameters(psi), point)[self._term]
        slopes = layout.factors(point.gradient[:d])
        slopes[self._term] = 2.0 * self._Q.T @ G @ self._Q @ layout.factors(theta)[self._term]
        return np.concatenate([J.T @ layout.theta(slopes), point.gradient[d:]])

    def reduced(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return what the inner coordinates say, which have redundant ones where a standard deviation is 0."""
        d = self._d
        inner, redundant = self._inner.reduced(np.append(self._natural(psi[:d]), 0.0))
        return np.concatenate([self._searched(inner[:d]), psi[d:]]), redundant

    def lifted(self, psi: NDArray[np.float64], least: float) -> NDArray[np.float64]:
        """Return psi without small pivots among the coordinates."""
        return _lifted(psi, self._pivots, least)

    def reported(self, position: float) -> float:
        """Return the standard deviation or the correlation."""
        return self._inner.reported(position)

    def _expand(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Theta of the rotated columns (d,) and its derivatives (d, d)."""
        natural = self._natural(psi)
        z, J = self._inner.expand(np.append(natural, 0.0))
        J = J[:-1, :-1].copy()
        J[:, self._logged] *= natural[self._logged]
        return z[:-1], J

    def _natural(self, psi: NDArray[np.float64]) -> NDArray[np.float64]:
        out = psi.copy()
        out[self._logged] = np.exp(out[self._logged])
        return out

    def _searched(self, natural: NDArray[np.float64]) -> NDArray[np.float64]:
        out = natural.copy()
        out[self._logged] = np.log(np.maximum(out[self._logged], _TINY))
        return out


def _places_of_pivots(layout: Layout, J: NDArray[np.float64]) -> NDArray[np.intp]:
    """The coordinates, without the first, that are pivots of Lambda and nothing else, given derivatives of theta."""
    d = layout.n_theta
    pivots = np.array([row == column for _, row, column in layout.entries()], dtype=bool)
    alone = (J[:d] == 1.0) & (np.count_nonzero(J, axis=0) == 1)
    places = np.flatnonzero(alone[pivots].any(axis=0))
    return places[places > 0]


def _lifted(psi: NDArray[np.float64], pivots: NDArray[np.intp], least: float) -> NDArray[np.float64]:
    out = psi.copy()
    small = pivots[np.abs(psi[pivots]) < least]
    out[small] = np.where(psi[small] < 0.0, -least, least)
    return out
