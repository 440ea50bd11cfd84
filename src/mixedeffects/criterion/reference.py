"""The profiled criterion of a linear mixed model with plain n x n matrices: slow, and independent of the compiled core.

Notation: ``V = W^-1 + sum_t Z_t S_t Z_t'`` with ``S_t = Lambda_t Lambda_t'`` the covariance of term t relative to
sigma^2; P is the REML projection ``V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1``; ``m = n - p`` (REML) or n (ML); Q is P for
REML and V^-1 for ML; ``V_e`` is the derivative of V with respect to entry e of theta. With ``r = y'Py`` and
``q_e = y'P V_e P y``, ``B_ef = y'P V_e P V_f P y``::

    value       log|V| + [REML: log|X'V^-1 X|] + m (1 + log(2 pi r / m))
    gradient_e  tr(Q V_e) - m q_e / r
    hessian_ef  m (2 B_ef / r - q_e q_f / r^2) - tr(Q V_e Q V_f) + curvature_ef

The last part comes from the second derivative of V: with G_t the derivative of the criterion with respect to S_t, it is
``2 G_t[a, c]`` for the entries (a, b) and (c, b) of one Lambda_t, and 0 for entries in different columns or terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]


class FactorLike(Protocol):
    """The codes (n,) of a grouping factor and its number of levels."""

    @property
    def codes(self) -> NDArray[np.int32]: ...  # noqa: D102
    @property
    def n_levels(self) -> int: ...  # noqa: D102


class BlockLike(Protocol):
    """One random-effects term of a design: its factor and its k columns, each (n,)."""

    @property
    def factor(self) -> FactorLike: ...  # noqa: D102
    @property
    def columns(self) -> tuple[Array, ...]: ...  # noqa: D102


class DesignLike(Protocol):
    """The rows of a design: y (n,), X (n, p), prior weights and offset (n,) or None, and its random-effects terms."""

    @property
    def y(self) -> Array: ...  # noqa: D102
    @property
    def X(self) -> Array: ...  # noqa: D102
    @property
    def weights(self) -> Array | None: ...  # noqa: D102
    @property
    def offset(self) -> Array | None: ...  # noqa: D102
    @property
    def terms(self) -> Sequence[BlockLike]: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseTerm:
    """One random-effects term: codes (n,), columns (n, k) and the number of levels."""

    codes: NDArray[np.int32]
    columns: Array
    n_levels: int

    @property
    def n_columns(self) -> int:
        """Number of columns k."""
        return int(self.columns.shape[1])

    def covariance(self, S: Array) -> Array:
        """Return Z (I x S) Z', (n, n): rows of one level covary by their columns, others not at all."""
        return np.where(self.same_level(), self.columns @ S @ self.columns.T, 0.0)

    def same_level(self) -> NDArray[np.bool_]:
        """Return which pairs of rows share a level, (n, n)."""
        return np.equal.outer(self.codes, self.codes)

    def level_sums(self, v: Array) -> Array:
        """Return Z'v as (levels, k)."""
        total = np.zeros((self.n_levels, self.n_columns))
        np.add.at(total, self.codes, self.columns * v[:, None])
        return total

    def matrix(self) -> Array:
        """Return Z, (n, levels * k), ordered by level, then column."""
        Z = np.zeros((len(self.codes), self.n_levels, self.n_columns))
        Z[np.arange(len(self.codes)), self.codes] = self.columns
        return Z.reshape(len(self.codes), -1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseEvaluation:
    """The criterion and everything that follows from it at one theta, in the units of the data.

    Attributes
    ----------
    value
        The profiled criterion: minus twice the (restricted) log-likelihood, with all constants lme4 includes.
    gradient
        Derivative with respect to theta, (d,).
    average_information
        Average information carried to theta, plus the exact part from the second derivative of V, (d, d).
    hessian
        Exact second derivative with respect to theta, (d, d).
    beta, sigma, vcov
        Fixed effects (p,), residual standard deviation, and sigma^2 (X'V^-1 X)^-1, (p, p).
    u, b
        Conditional modes of the spherical and of the actual random effects, one (levels, k) array per term.
    conditional_variance
        Variance of the random effects given y and beta, one (levels, k, k) array per term.
    G
        Derivative of the criterion with respect to the relative covariance S_t, one (k, k) array per term.
    """

    value: float
    gradient: Array
    average_information: Array
    hessian: Array
    beta: Array
    sigma: float
    vcov: Array
    u: tuple[Array, ...]
    b: tuple[Array, ...]
    conditional_variance: tuple[Array, ...]
    G: tuple[Array, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Solution:
    """Generalized least squares at one theta: log|V|, R with R'R = X'V^-1 X, V^-1, P, Py, y'Py and beta."""

    log_det: float
    information_root: Array
    V_inverse: Array
    P: Array
    projected: Array
    rss: float
    beta: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseCriterion:
    """Profiled criterion of a linear mixed model as a function of theta, from dense matrices.

    Attributes
    ----------
    y
        Response less any offset, (n,).
    X
        Fixed-effects columns, (n, p), of full rank; p may be 0.
    terms
        The random-effects terms; theta holds their Lambda_t in this order, each as its column-major lower triangle.
    weights
        Positive prior weights, (n,), or None for all 1.
    reml
        REML (the default) or maximum likelihood.
    """

    y: Array
    X: Array
    terms: tuple[DenseTerm, ...]
    weights: Array | None = None
    reml: bool = True

    def __post_init__(self) -> None:
        if not self.terms:
            raise DataError("terms is empty; a mixed model has at least one random-effects term.")
        n = len(self.y)
        lengths = {"X": len(self.X)} | {f"terms[{i}].codes": len(t.codes) for i, t in enumerate(self.terms)}
        lengths |= {f"terms[{i}].columns": len(t.columns) for i, t in enumerate(self.terms)}
        if self.weights is not None:
            lengths["weights"] = len(self.weights)
            if not (self.weights > 0).all():
                raise DataError(
                    f"weights must be positive; the smallest is {self.weights.min()}. Drop such rows first."
                )
        for name, length in lengths.items():
            if length != n:
                raise DataError(f"{name} has {length} rows, y has {n}; all must have one row per observation.")
        if n <= self.X.shape[1]:
            raise DataError(f"{n} observations for {self.X.shape[1]} fixed effects; more observations are needed.")

    @property
    def entries(self) -> tuple[tuple[int, int, int], ...]:
        """The (term, row, column) of Lambda that each entry of theta fills."""
        return tuple(
            (t, a, b)
            for t, term in enumerate(self.terms)
            for b in range(term.n_columns)
            for a in range(b, term.n_columns)
        )

    def factors(self, theta: ArrayLike) -> tuple[Array, ...]:
        """Return the relative covariance factors Lambda_t, each (k, k) lower triangular."""
        theta = np.asarray(theta, dtype=float)
        if theta.shape != (len(self.entries),):
            raise DataError(
                f"theta has shape {theta.shape}; these terms need {len(self.entries)} values in one dimension."
            )
        factors = tuple(np.zeros((term.n_columns, term.n_columns)) for term in self.terms)
        for value, (t, a, b) in zip(theta, self.entries, strict=True):
            factors[t][a, b] = value
        return factors

    def evaluate(self, theta: ArrayLike) -> DenseEvaluation:
        """Evaluate the criterion, its derivatives and the estimates.

        Parameters
        ----------
        theta
            Any real values, (d,), singular or not, of any sign.

        Returns
        -------
        DenseEvaluation

        Raises
        ------
        DataError
            If theta has the wrong length.
        """
        factors = self.factors(theta)
        solution = self._solve(factors)
        n, p = self.X.shape
        m = n - p if self.reml else n
        rss = solution.rss
        value = solution.log_det + m * (1 + np.log(2 * np.pi * rss / m))
        if self.reml:
            value += 2 * np.log(np.abs(np.diag(solution.information_root))).sum()
        G = self._covariance_derivatives(solution, m)
        gradient = np.array([2 * (G[t] @ factors[t])[a, b] for t, a, b in self.entries])
        average_information, hessian = self._curvatures(factors, solution, G, m)
        variance = rss / m
        root_inverse = np.linalg.inv(solution.information_root)
        sums = [term.level_sums(solution.projected) for term in self.terms]
        u = tuple(s @ F for s, F in zip(sums, factors, strict=True))
        joint = variance * self._random_covariance(factors)
        return DenseEvaluation(
            value=float(value),
            gradient=gradient,
            average_information=average_information,
            hessian=hessian,
            beta=solution.beta,
            sigma=float(np.sqrt(variance)),
            vcov=variance * root_inverse @ root_inverse.T,
            u=u,
            b=tuple(ut @ F.T for ut, F in zip(u, factors, strict=True)),
            conditional_variance=tuple(self._level_blocks(joint, [t]) for t in range(len(self.terms))),
            G=G,
        )

    def joint_conditional_variance(self, theta: ArrayLike, terms: Sequence[int]) -> Array:
        """Return the variance, given y and beta, of all the random effects of a level, over several terms.

        Parameters
        ----------
        theta
            Where to evaluate, (d,).
        terms
            Positions of terms on one factor, that is with the same codes.

        Returns
        -------
        numpy.ndarray
            (levels, K, K) with K the columns of those terms together, in the order of `terms`.
        """
        first = self.terms[terms[0]]
        for t in terms[1:]:
            if not np.array_equal(self.terms[t].codes, first.codes):
                raise DataError(f"terms {terms[0]} and {t} have different codes; name terms on the same factor.")
        factors = self.factors(theta)
        solution = self._solve(factors)
        m = len(self.y) - self.X.shape[1] if self.reml else len(self.y)
        return self._level_blocks(solution.rss / m * self._random_covariance(factors), terms)

    def _solve(self, factors: Sequence[Array]) -> _Solution:
        n = len(self.y)
        weights = np.ones(n) if self.weights is None else self.weights
        V = np.diag(1 / weights)
        for term, F in zip(self.terms, factors, strict=True):
            V += term.covariance(F @ F.T)
        L = np.linalg.cholesky(V)
        L_inverse = np.linalg.solve(L, np.eye(n))
        # A large mean would cost the residuals their digits: take it out before anything is whitened.
        ols_Q, ols_R = np.linalg.qr(self.X)
        start = np.linalg.solve(ols_R, ols_Q.T @ self.y)
        y = L_inverse @ (self.y - self.X @ start)
        Q, R = np.linalg.qr(L_inverse @ self.X)
        fitted = Q.T @ y
        residual = y - Q @ fitted
        V_inverse = L_inverse.T @ L_inverse
        QL = Q.T @ L_inverse
        return _Solution(
            log_det=2 * float(np.log(np.diag(L)).sum()),
            information_root=R,
            V_inverse=V_inverse,
            P=V_inverse - QL.T @ QL,
            projected=L_inverse.T @ residual,
            rss=float(residual @ residual),
            beta=start + np.linalg.solve(R, fitted),
        )

    def _covariance_derivatives(self, solution: _Solution, m: int) -> tuple[Array, ...]:
        trace_part = solution.P if self.reml else solution.V_inverse
        total = trace_part - m / solution.rss * np.outer(solution.projected, solution.projected)
        blocks = [np.where(term.same_level(), total, 0.0) for term in self.terms]
        return tuple(_symmetric(t.columns.T @ D @ t.columns) for t, D in zip(self.terms, blocks, strict=True))

    def _curvatures(
        self, factors: Sequence[Array], solution: _Solution, G: Sequence[Array], m: int
    ) -> tuple[Array, Array]:
        """Return the average information and the exact Hessian, both in theta."""
        derivatives = []
        for t, a, b in self.entries:
            E = np.zeros_like(factors[t])
            E[a] = factors[t][:, b]
            derivatives.append(self.terms[t].covariance(E + E.T))
        moved = np.array([V_e @ solution.projected for V_e in derivatives])
        q = moved @ solution.projected
        B = moved @ solution.P @ moved.T
        trace_part = solution.P if self.reml else solution.V_inverse
        products = [trace_part @ V_e for V_e in derivatives]
        T = np.array([[np.sum(left * right.T) for right in products] for left in products])
        second = np.array(
            [[2 * G[t][a, c] if (t, b) == (s, d) else 0.0 for s, c, d in self.entries] for t, a, b in self.entries]
        )
        information = m * (B / solution.rss - np.outer(q, q) / solution.rss**2)
        hessian = information + m * B / solution.rss - T
        return _symmetric(information + second), _symmetric(hessian + second)

    def _random_covariance(self, factors: Sequence[Array]) -> Array:
        """Return Lambda M^-1 Lambda', (q, q), ordered by term, level, column."""
        # Equal to S - S Z'V^-1 Z S, which would lose digits to the subtraction when S is large.
        sizes = [term.n_levels * term.n_columns for term in self.terms]
        Lambda = np.zeros((sum(sizes), sum(sizes)))
        for start, size, term, F in zip(np.cumsum([0, *sizes]), sizes, self.terms, factors, strict=False):
            Lambda[start : start + size, start : start + size] = np.kron(np.eye(term.n_levels), F)
        root = np.hstack([term.matrix() for term in self.terms]) @ Lambda
        if self.weights is not None:
            root *= np.sqrt(self.weights)[:, None]
        half = np.linalg.solve(np.linalg.cholesky(root.T @ root + np.eye(len(Lambda))), Lambda.T)
        return half.T @ half

    def _level_blocks(self, joint: Array, terms: Sequence[int]) -> Array:
        """Cut the (K, K) block of every level out of a (q, q) matrix."""
        starts = np.cumsum([0, *(term.n_levels * term.n_columns for term in self.terms)])
        shapes = [(term.n_levels, term.n_columns) for term in self.terms]
        rows = np.hstack([starts[t] + np.arange(np.prod(shapes[t])).reshape(shapes[t]) for t in terms])
        blocks: Array = joint[rows[:, :, None], rows[:, None, :]]
        return blocks


def from_design(design: DesignLike, reml: bool = True) -> DenseCriterion:
    """Build the dense criterion of a design: its rows, fixed-effects columns and random-effects terms.

    Parameters
    ----------
    design
        A `Design`; only the attributes of `DesignLike` are read.
    reml
        REML (the default) or maximum likelihood.

    Returns
    -------
    DenseCriterion
        With theta in the order of the design's terms and the offset taken from y.
    """
    y = np.asarray(design.y, dtype=float)
    return DenseCriterion(
        y=y if design.offset is None else y - np.asarray(design.offset, dtype=float),
        X=np.asarray(design.X, dtype=float),
        terms=tuple(
            DenseTerm(codes=t.factor.codes, columns=np.column_stack(t.columns), n_levels=t.factor.n_levels)
            for t in design.terms
        ),
        weights=None if design.weights is None else np.asarray(design.weights, dtype=float),
        reml=reml,
    )


def _symmetric(A: Array) -> Array:
    """Take away the asymmetry that rounding leaves."""
    return (A + A.T) / 2
