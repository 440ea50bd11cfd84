"""The Laplace criterion of a generalized linear mixed model with its exact gradient (docs/algorithm.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import solve_triangular

from mixedeffects import _core
from mixedeffects.crossproducts import cross_products, row_arguments
from mixedeffects.families import Binomial, Poisson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mixedeffects.crossproducts import Basis, CrossProducts, Layout
    from mixedeffects.design import Design
    from mixedeffects.families import Family

INNER = 1e-9  # what the last inner step may gain or leave as an error, in units of the criterion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LaplacePoint:
    """The criterion at one set of parameters.

    Attributes
    ----------
    value : float
        Minus twice the approximate log-likelihood; infinite where there is no mode.
    gradient : ndarray (m,)
        Exact, in the free parameters of the criterion.
    raw : dict
        What the core reports: beta, eta (n,), modes and s by block, G by block, and so on.
    """

    value: float
    gradient: NDArray[np.float64]
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LaplaceCriterion:
    """Minus twice the Laplace approximation of the log-likelihood, in the working columns.

    The parameters are theta (d), beta (p) and, in a family with a dispersion, its logarithm t; with `joint` beta is
    part of the mode and no parameter (the fast approximation).

    Attributes
    ----------
    design : Design
        The rows.
    family : Family
        Response distribution and link.
    products : CrossProducts
        Of the rows without weights: the pattern and the working columns.
    core : _core.Glmm
        The compiled criterion.
    joint : bool
        Whether beta is part of the mode.
    expected : bool
        Whether the log-determinant has the expected information, as lme4's has, or the observed one.
    inner : float
        What the last inner step may gain or leave as an error, in units of the criterion.
    """

    design: Design
    family: Family[Any]
    products: CrossProducts
    core: _core.Glmm
    joint: bool = False
    expected: bool = False
    inner: float = INNER

    @property
    def layout(self) -> Layout:
        """Terms and blocks."""
        return self.products.layout

    @property
    def basis(self) -> Basis:
        """The working columns."""
        return self.products.basis

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of parameters: theta, beta, t."""
        return self.layout.n_theta, 0 if self.joint else self.products.p, int(self.family.has_dispersion)

    def with_joint(self, joint: bool, *, inner: float = INNER) -> LaplaceCriterion:
        """The same with beta as part of the mode, or not."""
        return replace(self, joint=joint, inner=inner)

    @property
    def compiled(self) -> bool:
        """Whether evaluations in several threads run at the same time."""
        return isinstance(_kernel_name(self.family), str)

    def twin(self) -> LaplaceCriterion:
        """The same for another thread: an evaluation uses memory of its own criterion."""
        fresh = laplace_criterion(self.design, self.family, expected=self.expected)
        return replace(fresh, joint=self.joint, inner=self.inner)

    def split(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Theta, beta (empty if joint) and t of a vector of parameters."""
        d, p, has_t = self.sizes
        return x[:d], x[d : d + p], float(x[d + p]) if has_t else 0.0

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
        f = -2 sum log p(y_i | eta_i, t) + u'u + log|Lambda'Z'WZ Lambda + I| at the mode u of the first two terms, with
        eta = offset + X beta + Z Lambda u and W minus the second derivatives of the log-density [1]_. The gradient
        takes into account that the mode moves.

        References
        ----------
        .. [1] Tierney & Kadane (1986), Journal of the American Statistical Association 81, 82-86,
           doi:10.1080/01621459.1986.10478240.
        """
        theta, beta, t = self.split(x)
        if self.joint:
            beta = np.zeros(self.products.p) if near is None else near.raw["beta"]
        start = [] if near is None else near.raw["s"]
        return self.evaluate(theta, beta, t, start)

    def in_covariance(self, x: NDArray[np.float64], point: LaplacePoint) -> list[NDArray[np.float64]]:
        """For each term the symmetric derivative in S = Lambda Lambda', (k, k), of the criterion evaluated at x."""
        places = zip(self.layout.block_of, map(self.layout.columns_of, range(len(self.layout.widths))), strict=True)
        return [point.raw["G"][block][own, own] for block, own in places]

    def evaluate(
        self, theta: NDArray[np.float64], beta: NDArray[np.float64], t: float, start: list[NDArray[np.float64]]
    ) -> LaplacePoint:
        """Evaluate at parameters given apart; `start` are the s of a mode nearby, or nothing."""
        theta, beta = (np.ascontiguousarray(part, dtype=np.float64) for part in (theta, beta))
        raw = self.core.evaluate(theta, beta, t, start, self.joint, self.expected, True, self.inner, self.joint)
        return self.point(raw)

    def hessian(
        self,
        x: NDArray[np.float64],
        near: LaplacePoint,
        step: NDArray[np.float64],
        n_threads: int = 1,
        shift: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Hessian by central differences of the exact gradient, (m, m); NaN where a point fails.

        Parameters
        ----------
        x : ndarray (m,)
            Where.
        near : LaplacePoint
            The criterion there.
        step : ndarray (m,)
            Half the distance between the two points of each parameter.
        n_threads : int
            Threads; a family that is not compiled uses one.
        shift : ndarray (m,), optional
            From x to where the Hessian is wanted, a point so close that the mode there follows to first order.

        Notes
        -----
        The modes at the neighbouring points are those that follow to first order from the mode at x. What they lack is
        even in the step, and leaves an error of the order of the differences' own.
        """
        theta, beta, t = self.split(x)
        theta, beta = np.ascontiguousarray(theta), near.raw["beta"] if self.joint else np.ascontiguousarray(beta)
        threads = n_threads if self.compiled else 1
        shift = np.zeros(len(x)) if shift is None else shift
        return self.core.hessian(theta, beta, t, near.raw["s"], step, shift, self.joint, self.expected, threads)

    def point(self, raw: dict[str, Any]) -> LaplacePoint:
        """Put together what the core reports; where there is no mode the value is infinite."""
        if not raw["ok"]:
            return LaplacePoint(value=np.inf, gradient=np.full(sum(self.sizes), np.nan), raw=raw)
        parts = [raw["theta_gradient"], raw["beta_gradient"]]
        if self.family.has_dispersion:
            parts.append(np.array([raw["t_gradient"]]))
        return LaplacePoint(value=raw["value"], gradient=np.concatenate(parts), raw=raw)


def laplace_criterion(
    design: Design, family: Family[Any], *, expected: bool = False, n_threads: int = 1
) -> LaplaceCriterion:
    """Bind a design and a family to a criterion.

    Parameters
    ----------
    design : Design
        With the response on the scale of the family (proportions for counts of successes), and the family's weights:
        numbers of trials of a binomial response, prior weights elsewhere.
    family : Family
        Response distribution and link.
    expected : bool
        As in `LaplaceCriterion`.
    n_threads : int
        Threads for the first pass over the rows.
    """
    bare = replace(design, weights=None)
    products = cross_products(bare, n_threads=n_threads)
    layout, basis = products.layout, products.basis
    X, _, _, codes, _, columns, *_ = row_arguments(bare, layout, basis)
    n = design.nobs
    working = _by_row(basis.R, X, n)
    Z = [_by_row(T, block, n) for T, block in zip(basis.block_transforms(layout), columns, strict=True)]
    weights = design.row_weights
    kernel, constant = _kernel(family, design.y, weights)
    core = _core.Glmm(
        products.core,
        layout.entries(),
        working,
        codes,
        Z,
        np.zeros(n) if design.offset is None else design.offset,
        kernel,
        family.has_dispersion,
        np.ascontiguousarray(design.y, dtype=np.float64),
        np.ascontiguousarray(weights, dtype=np.float64),
        constant,
    )
    return LaplaceCriterion(design=design, family=family, products=products, core=core, expected=expected)


def _by_row(T: NDArray[np.float64], columns: Sequence[NDArray[np.float64]], n: int) -> NDArray[np.float64]:
    """The columns times T^-1 (upper triangular), (n, k), row by row in memory."""
    if len(T) == 1:
        return np.asarray(columns[0] / T[0, 0], dtype=np.float64).reshape(n, 1)
    values = np.array(columns, order="F").reshape(len(columns), n, order="F")
    return np.asarray(solve_triangular(T, values, trans="T", overwrite_b=True, check_finite=False).T, dtype=np.float64)


def _kernel_name(family: Family[Any]) -> str | None:
    if isinstance(family, Binomial) and family.canonical:
        return "binomial_logit"
    return "poisson_log" if isinstance(family, Poisson) and family.canonical else None


def _kernel(
    family: Family[Any], y: NDArray[np.float64], w: NDArray[np.float64]
) -> tuple[str | Callable[..., tuple[Any, ...]], float]:
    """The compiled twin of a family with the log-likelihood at the best means, or the family itself."""
    name = _kernel_name(family)
    if name is not None and isinstance(family, Binomial | Poisson):
        return name, float(family.saturated(y, w).sum())

    def rows(eta: NDArray[np.float64], t: float, order: int) -> tuple[Any, ...]:
        loglik = family.loglik(y, eta, w, t)
        d = family.derivatives(y, eta, w, t)
        found = (loglik, d.d1, d.d2, d.expected, d.d3, d.expected_d1, d.dt, d.dt_d1, d.dt_d2, d.expected_dt)
        return (float(loglik.sum()), *[None if v is None else np.ascontiguousarray(v) for v in found])

    return rows, 0.0
