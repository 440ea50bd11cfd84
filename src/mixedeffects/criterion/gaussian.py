"""The criterion of a linear mixed model, computed by the core from cross-products (docs/algorithm.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects import _core
from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mixedeffects.crossproducts import Basis, CrossProducts, Layout

_LARGEST_DENSE = 20_000  # columns; three matrices of 3.2 GB are then in use at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """What the model is at one theta.

    Attributes
    ----------
    theta : ndarray (d,)
        Relative covariance factors.
    value : float
        The criterion: minus twice the restricted (REML) or profiled log-likelihood.
    rss : float
        Penalized residual sum of squares, y'Py, in squared units of y.
    sigma : float
        Residual standard deviation, sqrt(rss / m) with m = n - p (REML) or n, in units of y.
    beta : ndarray (p,)
        Fixed effects, in units of y per unit of the column; the estimable ones.
    vcov : ndarray (p, p)
        sigma^2 (X'V^-1 X)^-1.
    b : tuple of ndarray (J, k)
        For each term the conditional modes of the random effects, S Z'Py, in units of y per unit of the column.
    u : tuple of ndarray (J, k)
        For each term the spherical random effects, b = Lambda u, in units of y.
    """

    theta: NDArray[np.float64]
    value: float
    rss: float
    sigma: float
    beta: NDArray[np.float64]
    vcov: NDArray[np.float64]
    b: tuple[NDArray[np.float64], ...]
    u: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation(Solution):
    """The criterion and its derivatives at one theta.

    Attributes
    ----------
    gradient : ndarray (d,)
        Exact derivative of the criterion in theta.
    average_information : ndarray (d, d)
        The curvature that the optimizer uses: m (B_ef / rss - q_e q_f / rss^2) [1]_, in the notation of
        `GaussianCriterion.hessian`, plus the part that comes from the second derivative of V, which is exact.
    G : tuple of ndarray (k, k)
        For each term the derivative with respect to the relative covariance S = Lambda Lambda'.
    criterion : GaussianCriterion
        The function that was evaluated.

    References
    ----------
    .. [1] Gilmour, Thompson & Cullis (1995), Average information REML, Biometrics 51, 1440-1450, doi:10.2307/2533274.
    """

    gradient: NDArray[np.float64]
    average_information: NDArray[np.float64]
    G: tuple[NDArray[np.float64], ...]
    criterion: GaussianCriterion = field(repr=False)

    def __repr__(self) -> str:
        theta = ", ".join(f"{value:.6g}" for value in self.theta)
        return f"<evaluation at theta = [{theta}]: value {self.value:.6f}, {len(self.beta)} coefficients>"

    @property
    def hessian(self) -> NDArray[np.float64]:
        """Exact second derivative of the criterion in theta, (d, d). Computed at every call."""
        return self.criterion.hessian(self.theta)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GaussianCriterion:
    """The profiled criterion of a linear mixed model.

    Attributes
    ----------
    products : CrossProducts
        All that it needs of the data.
    reml : bool
        Restricted maximum likelihood, or ordinary.
    core : _core.Criterion
        The compiled function, in the working columns.
    transforms : list of ndarray (k, k)
        For each block the matrix that takes Lambda to the working columns.
    """

    products: CrossProducts
    reml: bool
    core: _core.Criterion
    transforms: list[NDArray[np.float64]]

    @property
    def layout(self) -> Layout:
        """Terms and blocks."""
        return self.products.layout

    @property
    def basis(self) -> Basis:
        """The working columns."""
        return self.products.basis

    @property
    def degrees(self) -> int:
        """The divisor m of the residual variance: n - p (REML) or n."""
        return self.products.n - (self.products.p if self.reml else 0)

    def evaluate(self, theta: Sequence[float] | NDArray[np.float64]) -> Evaluation:
        """Evaluate the criterion with its derivatives.

        Parameters
        ----------
        theta : array-like (d,)
            Any real values; a term's lower triangle column by column, terms in the order of the design.

        Returns
        -------
        Evaluation

        Raises
        ------
        DataError
            If theta has the wrong length or values that are not finite, or a factorisation fails there.

        Notes
        -----
        f(theta) = log|V| + [REML: log|X'V^-1 X|] + m (1 + log(2 pi rss / m)), V = W^-1 + Z Lambda Lambda' Z' [1]_.

        References
        ----------
        .. [1] Bates, Maechler, Bolker & Walker (2015), Journal of Statistical Software 67(1), section 3.
        """
        at = self.layout.checked(theta)
        raw = self.core.evaluate(at, self.transforms, True)
        if not raw["ok"]:
            raise DataError(f"the criterion cannot be computed at theta = {at.tolist()}: a factorisation failed")
        G = []
        for term, (block, columns) in enumerate(self._places()):
            T = self.basis.T[term]
            G.append(T.T @ raw["G"][block][columns, columns] @ T)
        solution = self.solution(at, raw)
        return Evaluation(
            **{name: getattr(solution, name) for name in Solution.__slots__},
            gradient=raw["gradient"],
            average_information=raw["curvature"],
            G=tuple(G),
            criterion=self,
        )

    def hessian(self, theta: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Exact Hessian of the criterion in theta, (d, d): the derivative of the exact gradient, by dual numbers.

        Parameters
        ----------
        theta : array-like (d,)
            Any real values.

        Raises
        ------
        DataError
            If theta has the wrong length or values that are not finite, or a factorisation fails there.

        Notes
        -----
        m (2 B_ef / rss - q_e q_f / rss^2) - tr(Q V_e Q V_f) + 2 G_t[a, c], the last for entries (a, b), (c, b) of one
        Lambda_t, with V_e the derivative of V, q_e = y'P V_e P y, B_ef = y'P V_e P V_f P y, and Q = P (REML) or V^-1.
        """
        at = self.layout.checked(theta)
        hessian = self.core.hessian(at, self.transforms)
        if hessian is None:
            raise DataError(f"the Hessian cannot be computed at theta = {at.tolist()}: a factorisation failed")
        return hessian

    def conditional_variances(self, theta: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """For each block the covariance of its conditional modes given beta, (J, k, k), in units of sigma^2."""
        working = self.core.conditional_variances(self.layout.checked(theta), self.transforms)
        if not working:
            raise DataError(f"the variances cannot be computed at theta = {theta.tolist()}: a factorisation failed")
        out = []
        for V, T in zip(working, self.basis.block_transforms(self.layout), strict=True):
            inverse = np.linalg.inv(T)
            out.append(inverse @ V @ inverse.T)
        return out

    def solution(self, theta: NDArray[np.float64], raw: dict[str, Any]) -> Solution:
        """Turn what the core found into the units of the data.

        Parameters
        ----------
        theta : ndarray (d,)
            In the units of the data.
        raw : dict
            What the core's `evaluate` gives at the same point, with derivatives.

        Returns
        -------
        Solution
            Its arrays are read-only.
        """
        sigma = float(np.sqrt(raw["rss"] / self.degrees))
        p = self.products.p
        if p:
            beta = self.basis.b0 + np.linalg.solve(self.basis.R, raw["beta"])
            half = sigma * np.linalg.solve(self.basis.R, np.linalg.inv(np.linalg.cholesky(raw["XVX"])).T)
            vcov = half @ half.T
        else:
            beta, vcov = np.empty(0), np.empty((0, 0))
        b, u = effects_of(self.layout, self.basis, theta, raw)
        for array in (beta, vcov, *b, *u):
            array.flags.writeable = False
        return Solution(theta=theta, value=raw["value"], rss=raw["rss"], sigma=sigma, beta=beta, vcov=vcov, b=b, u=u)

    def with_products(self, products: CrossProducts) -> GaussianCriterion:
        """The same criterion for another response: cross-products that differ in y only."""
        return GaussianCriterion(
            products=products,
            reml=self.reml,
            core=self.core.with_response(products.core),
            transforms=self.transforms,
        )

    def _places(self) -> list[tuple[int, slice]]:
        return [(block, self.layout.columns_of(term)) for term, block in enumerate(self.layout.block_of)]


def effects_of(
    layout: Layout, basis: Basis, theta: NDArray[np.float64], raw: Mapping[str, Any]
) -> tuple[tuple[NDArray[np.float64], ...], tuple[NDArray[np.float64], ...]]:
    """Conditional modes b and spherical random effects u of each term, (J, k), in the units of the data.

    Parameters
    ----------
    layout, basis : Layout, Basis
        Terms, blocks and working columns.
    theta : ndarray (d,)
        In the units of the data.
    raw : mapping
        `modes` and `s` by block in the working columns, with modes = S s, as the core reports them.
    """
    b, u = [], []
    for term, (block, L) in enumerate(zip(layout.block_of, layout.factors(theta), strict=True)):
        T, columns = basis.T[term], layout.columns_of(term)
        b.append(np.asarray(raw["modes"][block][:, columns] @ np.linalg.inv(T).T, dtype=np.float64))
        u.append(np.asarray(raw["s"][block][:, columns] @ T @ L, dtype=np.float64))
    return tuple(b), tuple(u)


def gaussian_criterion(products: CrossProducts, *, reml: bool) -> GaussianCriterion:
    """Bind cross-products to a criterion; the symbolic work of the factorisation is done here, once.

    Parameters
    ----------
    products : CrossProducts
        Of all rows.
    reml : bool
        Restricted maximum likelihood, or ordinary.

    Returns
    -------
    GaussianCriterion

    Raises
    ------
    DataError
        If factors that are not nested in one another leave a dense block of more than 20,000 columns.
    """
    size = _core.dense_size(products.core)
    if size > _LARGEST_DENSE:
        raise DataError(
            f"the crossed grouping factors leave a dense block of {size} columns; at most {_LARGEST_DENSE} can be "
            "factored. Use fewer levels, or fewer crossed terms"
        )
    log_det_R = products.basis.log_det_R
    return GaussianCriterion(
        products=products,
        reml=reml,
        core=_core.Criterion(products.core, products.layout.entries(), reml, log_det_R),
        transforms=[np.ascontiguousarray(T) for T in products.basis.block_transforms(products.layout)],
    )
