"""The Fay-Herriot model: EBLUPs and their mean squared errors, as functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .variance import AreaModel, estimate, moments

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaFit:
    """Estimates of the model.

    Attributes
    ----------
    model : AreaModel
        The areas with direct estimates.
    y : ndarray (m,)
        Direct estimates.
    A : float
        Variance between areas.
    beta : ndarray (p,)
        Coefficients.
    vcov : ndarray (p, p)
        Their covariance (X'V^-1 X)^-1.
    loglik : float
        Log-likelihood (not the restricted one) at the estimates.
    criterion : float
        Minus twice the (restricted) log-likelihood at its maximum; NaN for the moment estimate.
    """

    model: AreaModel
    y: NDArray[np.float64]
    A: float
    beta: NDArray[np.float64]
    vcov: NDArray[np.float64]
    loglik: float
    criterion: float


def fit(model: AreaModel, y: NDArray[np.float64]) -> AreaFit:
    """Estimate A and beta.

    Parameters
    ----------
    model : AreaModel
        The areas.
    y : ndarray (m,)
        Direct estimates.
    """
    A = estimate(model, y[None, :])
    at = moments(model, A, y[None, :])
    V, beta = A[0] + model.D, at.beta[0]
    loglik = -0.5 * float(np.sum(np.log(2.0 * np.pi * V) + (y - model.X @ beta) ** 2 / V))
    return AreaFit(
        model=model,
        y=y,
        A=float(A[0]),
        beta=beta,
        vcov=np.linalg.inv((model.X.T / V) @ model.X),
        loglik=loglik,
        criterion=float(at.value[0]),
    )


def shrinkage(A: float | NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
    """gamma_i = A / (A + D_i); 0 where D is infinite, that is, where there is no direct estimate."""
    return A / (A + D)


def eblup(
    X: NDArray[np.float64], D: NDArray[np.float64], y: NDArray[np.float64], A: float, beta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """gamma_i y_i + (1 - gamma_i) x_i'beta, (t,).

    Parameters
    ----------
    X : ndarray (t, p)
        Covariates.
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
        The areas to estimate; D infinite without a direct estimate.

    Returns
    -------
    dict
        g1, g2, g3 and correction; the estimate is g1 + g2 + 2 g3 + correction. The correction is minus the bias of the
        estimated A times (1 - gamma)^2.
    """
    w = 1.0 / (found.A + found.model.D)
    m, total, squares = len(w), w.sum(), float(np.sum(w**2))
    weighted = (found.model.X.T * w**2) @ found.model.X
    spread, bias = 2.0 / squares, 0.0
    if found.model.method == "ml":
        bias = -float(np.sum(found.vcov * weighted)) / squares
    elif found.model.method == "fh":
        spread = 2.0 * m / total**2
        bias = 2.0 * (m * squares - total**2) / total**3
    rest = 1.0 - shrinkage(found.A, D)
    return {
        "g1": found.A * rest,
        "g2": rest**2 * np.einsum("tp,pq,tq->t", X, found.vcov, X),
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
        The areas to estimate.
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
    generator = np.random.default_rng(rng)  # type: ignore[arg-type]  # checked by NumPy
    sd = np.sqrt(found.A + found.model.D)
    sums = np.zeros((2, len(D)))
    y = np.zeros(len(D))
    # The effects and the sampling errors are drawn as their sum: given it, the effects have known mean and variance.
    drawn = found.model.X @ found.beta + sd * generator.standard_normal((n, len(sd)))
    for A, sample in zip(estimate(found.model, drawn), drawn, strict=True):
        w = 1.0 / (A + found.model.D)
        beta = np.linalg.solve((found.model.X.T * w) @ found.model.X, found.model.X.T @ (w * sample))
        y[sampled] = sample
        square = (eblup(X, D, y, A, beta) - eblup(X, D, y, found.A, found.beta)) ** 2
        sums += square, square**2
    mean = sums[0] / n
    error = np.sqrt(np.maximum(sums[1] / n - mean**2, 0.0) / (n - 1))
    return {"g1": found.A * (1.0 - shrinkage(found.A, D)), "spread": mean, "mc_error": error}
