"""Coordinates of (theta, log sigma) in which a standard deviation, a correlation or sigma is the first one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mixedeffects.optimize.canonical import lower_factor, transformed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.criterion import Solution
    from mixedeffects.crossproducts import Basis, Layout
    from mixedeffects.inference.parameters import Parameter

_NONE = np.empty(0, dtype=np.intp)
_SMALL = 0.1  # standard deviation, relative to the residual one, for a column of unit mean square


class Columns(Protocol):
    """The working columns of a criterion, of a linear or a generalized model."""

    @property
    def layout(self) -> Layout:
        """Terms and blocks."""

    @property
    def basis(self) -> Basis:
        """Working columns."""


class Coordinates(Protocol):
    """A change of variables psi -> (theta, log sigma), both (d + 1,); psi[0] belongs to the parameter of interest.

    Attributes
    ----------
    transforms : list of ndarray (k, k)
        For each block the matrix that takes Lambda(theta) to the working columns.
    estimate : ndarray (d + 1,)
        psi at the estimates.
    uncorrelated : ndarray (d,)
        psi[1:] at the estimates, but without correlations within the terms and without variances next to 0.
    domain : (float, float)
        The values that psi[0] may take; at a finite end the profile is even.
    lower : ndarray (d + 1,)
        Bounds of psi from below.
    reach : float
        A change of psi[0] that is large, for want of a curvature.
    """

    transforms: list[NDArray[np.float64]]
    estimate: NDArray[np.float64]
    uncorrelated: NDArray[np.float64]
    domain: tuple[float, float]
    lower: NDArray[np.float64]
    reach: float

    def expand(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (theta, log sigma) and the matrix of derivatives in psi, (d + 1, d + 1)."""

    def second(self, psi: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of the second derivatives of (theta, log sigma) in psi, weighted by a gradient in them."""

    def reduced(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return an equivalent psi, and which of its entries are redundant, so that they need not move."""

    def reported(self, position: float) -> float:
        """Return the parameter on its own scale."""


class SigmaCoordinates:
    """psi = (log sigma, theta), theta that of the working columns."""

    def __init__(self, criterion: Columns, solution: Solution) -> None:
        self.transforms = [np.eye(k) for k in criterion.layout.block_widths]
        theta = criterion.layout.theta(_working_factors(criterion, solution))
        self.estimate = np.append(math.log(solution.sigma), theta)
        self.uncorrelated = without_correlations(criterion, theta)
        self.domain = (-math.inf, math.inf)
        self.lower = np.full(len(self.estimate), -math.inf)
        self.reach = 1.0
        self._J = np.roll(np.eye(len(self.estimate)), 1, axis=1)

    def expand(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (theta, log sigma) and its derivatives."""
        return np.append(psi[1:], psi[0]), self._J

    def second(self, psi: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return zeros: the change of variables is linear."""
        return np.zeros((len(psi), len(psi)))

    def reduced(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return psi; nothing is redundant."""
        return psi, _NONE

    def reported(self, position: float) -> float:
        """Return sigma."""
        return math.exp(position)


class SdCoordinates:
    """psi = (sd / c, theta without its first entry of the term, log sigma).

    The columns of the term are rotated so that the first of the rotated effects is the column's own, in units in which
    its column has unit mean square beside the others (c is the length of the column's row in T^-1); then the first
    entry of Lambda is psi[0] / sigma.
    """

    def __init__(self, criterion: Columns, solution: Solution, parameter: Parameter) -> None:
        self.transforms, theta, K = _rotated(criterion, solution, parameter.term, [parameter.row])
        self._scale = float(K[0, 0])
        self._layout, self._term = criterion.layout, parameter.term
        self._width = self._layout.widths[parameter.term]
        self._at = _first_entry(criterion, parameter.term)
        log_sigma = math.log(solution.sigma)
        z = np.append(theta, log_sigma)
        self._order = np.append(self._at, np.delete(np.arange(len(z)), self._at))
        self.estimate = z[self._order]
        self.estimate[0] = theta[self._at] * solution.sigma
        self.uncorrelated = np.append(without_correlations(criterion, theta), log_sigma)[self._order][1:]
        self.domain = (0.0, math.inf)
        self.lower = np.full(len(z), -math.inf)
        self.reach = 0.5 * (solution.sigma + self.estimate[0])
        self._J = np.eye(len(z))[:, self._order]

    def expand(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (theta, log sigma) and its derivatives."""
        shrink = math.exp(-psi[-1])
        z, J = np.empty_like(psi), self._J.copy()
        z[self._order] = psi
        z[self._at] = psi[0] * shrink
        J[self._at, 0] = shrink
        J[self._at, -1] = -psi[0] * shrink
        return z, J

    def second(self, psi: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted second derivatives, those of psi[0] / sigma."""
        out = np.zeros((len(psi), len(psi)))
        weighted = float(gradient[self._at]) * math.exp(-psi[-1])
        out[0, -1] = out[-1, 0] = -weighted
        out[-1, -1] = weighted * psi[0]
        return out

    def reduced(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return psi with a first column of zeros where the standard deviation is 0: the others can do its part."""
        if psi[0] != 0.0 or self._width == 1:
            return psi, _NONE
        theta = np.empty_like(psi)
        theta[self._order] = psi
        factors = self._layout.factors(theta[:-1])
        rest = factors[self._term][1:]
        factors[self._term] = np.pad(lower_factor(rest), ((1, 0), (1, 0)))
        theta[:-1] = self._layout.theta(factors)
        return theta[self._order], np.arange(self._at + 1, self._at + self._width)

    def reported(self, position: float) -> float:
        """Return the standard deviation."""
        return position * self._scale


class CorrelationCoordinates:
    """psi = (alpha, a, tau, theta without three entries of the term, log sigma), correlation sin(alpha).

    The columns of the term are rotated so that the first two of the rotated effects span those of the pair (c, r),
    which are K times them, K lower triangular. Then Lambda_11 = a >= 0, Lambda_21 = tau sin(alpha) - a K_21 / K_22 and
    Lambda_22 = tau cos(alpha), tau >= 0: the rows of K Lambda are a K_11 (1, 0) and tau K_22 (sin alpha, cos alpha).
    """

    def __init__(self, criterion: Columns, solution: Solution, parameter: Parameter) -> None:
        self.transforms, theta, K = _rotated(criterion, solution, parameter.term, [parameter.column, parameter.row])
        self._kappa = float(K[1, 0] / K[1, 1])
        first = _first_entry(criterion, parameter.term)
        self._a, self._b = first, first + 1
        self._c = first + criterion.layout.widths[parameter.term]
        log_sigma = math.log(solution.sigma)
        z = np.append(theta, log_sigma)
        named = [self._b, self._a, self._c]
        self._order = np.append(named, np.delete(np.arange(len(z)), named))
        self.estimate = z[self._order]
        across = z[self._b] + self._kappa * z[self._a]
        self.estimate[0] = math.atan2(across, z[self._c])
        self.estimate[2] = math.hypot(across, z[self._c])
        self.uncorrelated = np.append(without_correlations(criterion, theta), log_sigma)[self._order][1:]
        self.uncorrelated[1] = max(self.estimate[2], _SMALL)
        self.domain = (-0.5 * math.pi, 0.5 * math.pi)
        self.lower = np.full(len(z), -math.inf)
        self.lower[1:3] = 0.0
        self.reach = 0.5
        self._J = np.eye(len(z))[:, self._order]

    def expand(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (theta, log sigma) and its derivatives."""
        sin, cos = math.sin(psi[0]), math.cos(psi[0])
        z, J = np.empty_like(psi), self._J.copy()
        z[self._order] = psi
        z[self._b] = psi[2] * sin - self._kappa * psi[1]
        z[self._c] = psi[2] * cos
        J[self._b, :3] = psi[2] * cos, -self._kappa, sin
        J[self._c, :3] = -psi[2] * sin, 0.0, cos
        return z, J

    def second(self, psi: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted second derivatives."""
        sin, cos = math.sin(psi[0]), math.cos(psi[0])
        g_b, g_c = float(gradient[self._b]), float(gradient[self._c])
        out = np.zeros((len(psi), len(psi)))
        out[0, 0] = -psi[2] * (sin * g_b + cos * g_c)
        out[0, 2] = out[2, 0] = cos * g_b - sin * g_c
        return out

    def reduced(self, psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return psi; nothing is redundant but at single points."""
        return psi, _NONE

    def reported(self, position: float) -> float:
        """Return the correlation."""
        return math.sin(position)


def without_correlations(criterion: Columns, theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """The diagonal of a theta of the working columns, no entry of it very small, and zeros elsewhere.

    A start that prefers no sign of a correlation: from one of the wrong sign a search may end in a local minimum.
    """
    entries = np.array(criterion.layout.entries(), dtype=np.intp).reshape(-1, 3)
    return np.where(entries[:, 1] == entries[:, 2], np.maximum(np.abs(theta), _SMALL), 0.0)


def _working_factors(criterion: Columns, solution: Solution) -> list[NDArray[np.float64]]:
    """Factors of the working columns at the estimates."""
    factors = criterion.layout.factors(solution.theta)
    return [transformed(T, L) for T, L in zip(criterion.basis.T, factors, strict=True)]


def _rotated(
    criterion: Columns, solution: Solution, term: int, columns: list[int]
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64], NDArray[np.float64]]:
    """Rotate the working columns of a term so that its first effects span those of given columns.

    Returns the transforms, theta at the estimates, and the lower triangular K: those effects are K times the first.
    """
    layout = criterion.layout
    rows = np.asarray(np.linalg.inv(criterion.basis.T[term])[columns], dtype=np.float64)
    Q, R = np.linalg.qr(rows.T, mode="complete")
    m = len(rows)
    signs = np.ones(len(Q))
    signs[:m] = np.where(np.diag(R) < 0.0, -1.0, 1.0)
    Q = Q * signs
    K = (R[:m] * signs[:m, None]).T
    factors = _working_factors(criterion, solution)
    factors[term] = transformed(Q.T @ criterion.basis.T[term], layout.factors(solution.theta)[term])
    transforms = [np.eye(k) for k in layout.block_widths]
    place = layout.columns_of(term)
    transforms[layout.block_of[term]][place, place] = Q
    return transforms, layout.theta(factors), K


def _first_entry(criterion: Columns, term: int) -> int:
    """Where a term's part of theta begins."""
    return sum(k * (k + 1) // 2 for k in criterion.layout.widths[:term])
