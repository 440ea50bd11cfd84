"""The Fay-Herriot model: EBLUPs and their mean squared errors, as functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.population.generators import generator_of

from .variance import AreaModel, estimate, moments

_SINGULAR = 1e-8  # A in units of the smallest sampling variance; lme4's tolerance of 1e-4 for standard deviations

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaFit:
    """Estimates of the model.

    Attributes
    ----------
    model : AreaModel
        The areas with direct estimates; its X (m, p) is an orthonormal basis of the covariates' space.
    basis : ndarray (p, p)
        Upper triangular; the covariates are X times it.
    y : ndarray (m,)
        Direct estimates.
    A : float
        Variance between areas.
    coefficients : ndarray (p,)
        Of the orthonormal basis.
    root : ndarray (p, p)
        Their covariance is root root'.
    loglik : float
        Log-likelihood (not the restricted one) at the estimates.
    criterion : float
        Minus twice the (restricted) log-likelihood at its maximum; NaN for the moment estimate.
    """

    model: AreaModel
    basis: NDArray[np.float64]
    y: NDArray[np.float64]
    A: float
    coefficients: NDArray[np.float64]
    root: NDArray[np.float64]
    loglik: float
    criterion: float

    @property
    def beta(self) -> NDArray[np.float64]:
        """Coefficients of the covariates, (p,)."""
        return np.asarray(np.linalg.solve(self.basis, self.coefficients), dtype=np.float64)

    @property
    def vcov(self) -> NDArray[np.float64]:
        """Their covariance (X'V^-1 X)^-1, (p, p)."""
        root = np.asarray(np.linalg.solve(self.basis, self.root), dtype=np.float64)
        return root @ root.T

    @property
    def is_singular(self) -> bool:
        """Whether A is 0, or so small that no estimate differs from the synthetic one."""
        return bool(_SINGULAR * self.model.D.min() >= self.A)

    def in_basis(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covariates (t, p) in the orthonormal basis."""
        return np.asarray(np.linalg.solve(self.basis.T, X.T).T, dtype=np.float64)


def fit(model: AreaModel, y: NDArray[np.float64]) -> AreaFit:
    """Estimate A and the coefficients.

    Parameters
    ----------
    model : AreaModel
        The areas, with any basis.
    y : ndarray (m,)
        Direct estimates.
    """
    X, basis = np.linalg.qr(model.X)
    model = AreaModel(X=X, D=model.D, method=model.method)
    A = estimate(model, y[None, :])
    V = A[0] + model.D
    coefficients, root = weighted_least_squares(X, V, y)
    loglik = -0.5 * float(np.sum(np.log(2.0 * np.pi * V) + (y - X @ coefficients) ** 2 / V))
    criterion = float(moments(model, A, y[None, :]).value[0])
    if model.method == "reml":
        criterion += 2.0 * float(np.log(np.abs(np.diag(basis))).sum())
    return AreaFit(
        model=model,
        basis=basis,
        y=y,
        A=float(A[0]),
        coefficients=coefficients,
        root=root,
        loglik=loglik,
        criterion=criterion,
    )


def weighted_least_squares(
    X: NDArray[np.float64], V: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients (p,) by generalized least squares, and a root (p, p) of their covariance.

    Parameters
    ----------
    X, V, y : ndarray (m, p), (m,), (m,)
        Covariates, variances, responses. The orthogonalization keeps its digits at variances of very different size
        if the smallest come first.
    """
    order = np.argsort(V, kind="stable")
    half = 1.0 / np.sqrt(V[order])
    U, T = np.linalg.qr(half[:, None] * X[order])
    return np.linalg.solve(T, U.T @ (half * y[order])), np.linalg.inv(T)


def shrinkage(A: float | NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
    """gamma_i = A / (A + D_i); 0 where D is infinite, that is, where there is no direct estimate."""
    return A / (A + D)


def distrust(A: float | NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - gamma_i = D_i / (A + D_i), without the cancellation."""
    return 1.0 / (1.0 + A / D)


def eblup(
    X: NDArray[np.float64], D: NDArray[np.float64], y: NDArray[np.float64], A: float, beta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """gamma_i y_i + (1 - gamma_i) x_i'beta, (t,).

    Parameters
    ----------
    X : ndarray (t, p)
        Covariates, in the basis of beta.
    D : ndarray (t,)
        Sampling variances; infinite without a direct estimate.
    y : ndarray (t,)
        Direct estimates; any number where there is none.
    A, beta : float, ndarray (p,)
        The parameters.
    """
    synthetic = X @ beta
    return synthetic + shrinkage(A, D) * (y - synthetic)


def analytic_mse(found: AreaFit, X: NDArray[np.float64], D: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Second-order unbiased estimates of the mean squared errors in parts, (t,) each.

    Parameters
    ----------
    found : AreaFit
        The fit.
    X, D : ndarray (t, p), (t,)
        The areas to estimate, X in the basis of the fit; D infinite without a direct estimate.

    Returns
    -------
    dict
        g1, g2, g3 and correction; the estimate is g1 + g2 + 2 g3 + correction. The correction is minus the bias of the
        estimated A times (1 - gamma)^2.
    """
    w = 1.0 / (found.A + found.model.D)
    m, total, squares = len(w), w.sum(), float(np.sum(w**2))
    spread, bias = 2.0 / squares, 0.0
    if found.model.method == "ml":
        bias = -float(np.sum((w[:, None] * (found.model.X @ found.root)) ** 2)) / squares
    elif found.model.method == "fh":
        spread = 2.0 * m / total**2
        bias = 2.0 * (m * squares - total**2) / total**3
    rest = distrust(found.A, D)
    return {
        "g1": found.A * rest,
        "g2": rest**2 * np.sum((X @ found.root) ** 2, axis=1),
        "g3": rest**2 / (found.A + D) * spread,
        "correction": -bias * rest**2,
    }


def bootstrap_mse(
    found: AreaFit, X: NDArray[np.float64], D: NDArray[np.float64], sampled: NDArray[np.intp], n: int, rng: object
) -> dict[str, NDArray[np.float64]]:
    """Mean squared errors under the fit: that of the best predictor, and the EBLUP's distance from it, (t,) each.

    Parameters
    ----------
    found : AreaFit
        The fit.
    X, D : ndarray (t, p), (t,)
        The areas to estimate, X in the basis of the fit.
    sampled : ndarray of int (m,)
        Their positions that have direct estimates, in the order of the fit.
    n : int
        Replicates.
    rng : None, int, Generator or SeedSequence
        Source of the draws.

    Returns
    -------
    dict
        g1, spread, and mc_error, the standard error of the latter; the estimate is g1 + spread.
    """
    generator = generator_of(rng)
    sd = np.sqrt(found.A + found.model.D)
    sums = np.zeros((2, len(D)))
    y = np.zeros(len(D))
    # The effects and the sampling errors are drawn as their sum: given it, the effects have known mean and variance.
    drawn = found.model.X @ found.coefficients + sd * generator.standard_normal((n, len(sd)))
    for A, sample in zip(estimate(found.model, drawn), drawn, strict=True):
        beta, _ = weighted_least_squares(found.model.X, A + found.model.D, sample)
        y[sampled] = sample
        square = (eblup(X, D, y, A, beta) - eblup(X, D, y, found.A, found.coefficients)) ** 2
        sums += square, square**2
    mean = sums[0] / n
    error = np.sqrt(np.maximum(sums[1] / n - mean**2, 0.0) / (n - 1))
    return {"g1": found.A * distrust(found.A, D), "spread": mean, "mc_error": error}
