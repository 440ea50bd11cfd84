"""Adaptive Gauss-Hermite quadrature for generalized models with one grouping factor (docs/algorithm.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.criterion.differences import hessian_by_differences
from mixedeffects.criterion.laplace import INNER, LaplaceCriterion, LaplacePoint
from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects import _core
    from mixedeffects.crossproducts import Basis, CrossProducts, Layout
    from mixedeffects.design import Design
    from mixedeffects.families import Family

MOST_NODES = {1: 100, 2: 51, 3: 25}  # per column, by the number of columns
_SMALL = 3e-4  # standard deviation, for a column of unit mean square


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgqCriterion:
    """Minus twice the log-likelihood by adaptive quadrature, in the working columns.

    It has the parameters and the names of a `LaplaceCriterion` without `joint`, and is minimized in the same way.

    Attributes
    ----------
    laplace : LaplaceCriterion
        Of the same model.
    nagq : int
        Nodes per column.
    nodes : ndarray (nagq**k, k)
        Of the rule for the standard normal distribution in k dimensions.
    log_weights : ndarray (nagq**k,)
        Logarithms of its weights, which add up to 1.
    """

    laplace: LaplaceCriterion
    nagq: int
    nodes: NDArray[np.float64]
    log_weights: NDArray[np.float64]

    @property
    def design(self) -> Design:
        """The rows."""
        return self.laplace.design

    @property
    def family(self) -> Family[Any]:
        """Response distribution and link."""
        return self.laplace.family

    @property
    def products(self) -> CrossProducts:
        """Of the rows without weights."""
        return self.laplace.products

    @property
    def core(self) -> _core.Glmm:
        """The compiled criterion."""
        return self.laplace.core

    @property
    def joint(self) -> bool:
        """False: beta is a parameter."""
        return False

    @property
    def layout(self) -> Layout:
        """Terms and blocks."""
        return self.laplace.layout

    @property
    def basis(self) -> Basis:
        """The working columns."""
        return self.laplace.basis

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of parameters: theta, beta, t."""
        return self.laplace.sizes

    @property
    def compiled(self) -> bool:
        """Whether evaluations in several threads run at the same time."""
        return self.laplace.compiled

    def with_joint(self, joint: bool, *, inner: float = INNER) -> LaplaceCriterion | AgqCriterion:
        """The fast approximation, from which a search starts, or this criterion."""
        return self.laplace.with_joint(True, inner=inner) if joint else self

    def twin(self) -> AgqCriterion:
        """The same for another thread: an evaluation uses memory of its own criterion."""
        return replace(self, laplace=self.laplace.twin())

    def split(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Theta, beta and t of a vector of parameters."""
        return self.laplace.split(x)

    def __call__(self, x: NDArray[np.float64], near: Any = None) -> LaplacePoint:
        """Evaluate the criterion and its gradient.

        Parameters
        ----------
        x : ndarray (m,)
            Theta, beta, t.
        near : LaplacePoint, optional
            Where the search for the mode starts; by default at b = 0.

        Notes
        -----
        f = -2 sum_j log int p(y_j | eta_j, t) phi(u) du, level by level, by the nodes u_j + A_j z and weights w of a
        Gauss-Hermite rule, with u_j the mode and A_j the Cholesky factor of the inverse of Lambda'Z_j'WZ_j Lambda + I
        [1]_ [2]_. The gradient is that of the approximation: it takes into account that the nodes move.

        References
        ----------
        .. [1] Naylor & Smith (1982), Applied Statistics 31, 214-225, doi:10.2307/2347995.
        .. [2] Pinheiro & Bates (1995), Journal of Computational and Graphical Statistics 4, 12-35,
           doi:10.1080/10618600.1995.10474663.
        """
        theta, beta, t = self.split(x)
        return self.evaluate(theta, beta, t, [] if near is None else near.raw["s"])

    def in_covariance(self, x: NDArray[np.float64], point: LaplacePoint) -> list[NDArray[np.float64]]:
        """For each term the symmetric derivative in S = Lambda Lambda', (k, k), of the criterion evaluated at x.

        Lambda is canonical. Where it is regular the derivative is that for which 2 G Lambda is the gradient: the G of
        the core is of the integral, and differs by the error of the rule.
        """
        theta = self.split(x)[0]
        if self._zero_columns(theta).any():
            return self.laplace.in_covariance(x, point)
        slopes = self.layout.factors(0.5 * point.gradient[: len(theta)])
        return [_symmetric(L, slope) for L, slope in zip(self.layout.factors(theta), slopes, strict=True)]

    def evaluate(
        self, theta: NDArray[np.float64], beta: NDArray[np.float64], t: float, start: list[NDArray[np.float64]]
    ) -> LaplacePoint:
        """Evaluate at parameters given apart; `start` are the s of a mode nearby, or nothing."""
        point = self._at(theta, beta, t, start)
        zero = self._zero_columns(theta)
        if np.isfinite(point.value) and zero.any() and not zero.all():
            self._differentiate_at_boundary(point, theta, beta, t, zero)
        return point

    def hessian(
        self,
        x: NDArray[np.float64],
        near: LaplacePoint,
        step: NDArray[np.float64],
        n_threads: int = 1,
        shift: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Hessian by central differences of the gradient, as of a `LaplaceCriterion`."""
        copies = [self, *(self.twin() for _ in range(1, n_threads))] if self.compiled else [self]
        gradients = [lambda x, copy=copy: copy(x, near).gradient for copy in copies]
        return hessian_by_differences(gradients, x if shift is None else x + shift, step)

    def _at(
        self, theta: NDArray[np.float64], beta: NDArray[np.float64], t: float, start: list[NDArray[np.float64]]
    ) -> LaplacePoint:
        theta, beta = (np.ascontiguousarray(part, dtype=np.float64) for part in (theta, beta))
        raw = self.core.quadrature(theta, beta, t, start, self.nodes, self.log_weights, self.laplace.inner)
        return self.laplace.point(raw)

    def _zero_columns(self, theta: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which columns of Lambda are zero, term by term."""
        return np.concatenate([~L.any(axis=0) for L in self.layout.factors(theta)])

    def _differentiate_at_boundary(
        self,
        point: LaplacePoint,
        theta: NDArray[np.float64],
        beta: NDArray[np.float64],
        t: float,
        zero: NDArray[np.bool_],
    ) -> None:
        """Put the derivative of the criterion itself in place of the core's G, which differs by the error of the rule.

        The gradient in Lambda is 2 G Lambda. Where a column of Lambda is 0, that of G is found from two small multiples
        of the unit vector: the gradient is odd in them. (Should there be no mode there, the core's G stays.)
        """
        layout, d = self.layout, len(theta)
        slopes = layout.factors(0.5 * point.gradient[:d])
        pivots = np.cumsum([0, *(k - c for k in layout.widths for c in range(k))])[:-1]
        columns = [(term, c) for term, k in enumerate(layout.widths) for c in range(k)]
        for (term, c), place in zip(np.array(columns)[zero], pivots[zero], strict=True):
            found = []
            for h in (_SMALL, 2.0 * _SMALL):
                moved = theta.copy()
                moved[place] = h
                near = self._at(moved, beta, t, point.raw["s"])
                if not np.isfinite(near.value):
                    return
                found.append(layout.factors(0.5 * near.gradient[:d])[term][:, c] / h)
            slopes[term][:, c] = (4.0 * found[0] - found[1]) / 3.0
        for term, (L, slope) in enumerate(zip(layout.factors(theta), slopes, strict=True)):
            own = layout.columns_of(term)
            point.raw["G"][layout.block_of[term]][own, own] = _symmetric(L, slope)


def agq_criterion(laplace: LaplaceCriterion, nagq: int) -> AgqCriterion:
    """Replace the Laplace approximation of a criterion by quadrature.

    Parameters
    ----------
    laplace : LaplaceCriterion
        Of a model with one grouping factor and at most 3 columns of random effects.
    nagq : int
        Nodes per column, so that a level has nagq to the power of the number of columns: at most 100, 51 and 25 with
        1, 2 and 3 columns. One node gives the Laplace approximation.

    Raises
    ------
    DataError
        For several grouping factors, more than 3 columns, an nagq that is not a whole number in that range, or a
        criterion with the expected information.
    """
    if isinstance(nagq, bool) or not isinstance(nagq, Integral) or nagq < 1:
        raise DataError(f"nagq={nagq!r}: give a whole number, 1 for the Laplace approximation or more for quadrature")
    if laplace.expected:
        raise DataError(
            "nagq > 1 has no variant with the expected information: the nodes are placed by the observed one. Use "
            "information='observed', or nagq=1"
        )
    factors = list(dict.fromkeys(term.group for term in laplace.design.terms))
    if len(factors) != 1:
        raise DataError(
            f"nagq > 1 needs one grouping factor; the model has {len(factors)} ({', '.join(factors)}); use nagq=1"
        )
    k = laplace.layout.block_widths[0]
    if k not in MOST_NODES:
        raise DataError(f"nagq > 1 needs at most 3 columns of random effects; {factors[0]} has {k}; use nagq=1")
    if nagq > MOST_NODES[k]:
        columns = "1 column" if k == 1 else f"{k} columns"
        raise DataError(f"nagq={nagq}: at most {MOST_NODES[k]} nodes are possible with {columns} of random effects")
    nodes, log_weights = normal_rule(int(nagq), k)
    return AgqCriterion(laplace=laplace, nagq=int(nagq), nodes=nodes, log_weights=log_weights)


def _symmetric(L: NDArray[np.float64], slope: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric G (k, k) for which G L, or G itself in a zero column of the canonical L, has these entries."""
    k = len(L)
    G = np.zeros((k, k))
    for j in reversed(range(k)):
        for i in reversed(range(j, k)):
            rest = slope[i, j] - G[i, j + 1 :] @ L[j + 1 :, j]
            G[i, j] = G[j, i] = rest / L[j, j] if L[j, j] != 0.0 else slope[i, j]
    return G


@lru_cache(maxsize=8)
def normal_rule(n: int, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes (n**k, k) and logarithms of the weights (n**k,) of the product rule for the standard normal distribution.

    Parameters
    ----------
    n : int
        Nodes per dimension.
    k : int
        Dimensions.

    Notes
    -----
    In one dimension exact for polynomials of degree 2n - 1. Nodes are symmetric about 0 to the last digit, so that the
    criterion does not depend on the signs of the columns of Lambda.
    """
    x, w = np.polynomial.hermite.hermgauss(n)
    z = np.sqrt(2.0) * 0.5 * (x - x[::-1])
    log_w = np.log(0.5 * (w + w[::-1])) - np.log(w.sum())
    nodes = np.stack(np.meshgrid(*[z] * k, indexing="ij"), axis=-1).reshape(-1, k)
    log_weights = np.stack(np.meshgrid(*[log_w] * k, indexing="ij"), axis=-1).reshape(-1, k).sum(axis=1)
    for array in (nodes, log_weights):
        array.setflags(write=False)
    return nodes, log_weights
