"""The nested-error regression model: EBLUPs of area means and their mean squared errors, as functions of arrays.

y_ij = x_ij'beta + v_i + e_ij, v_i ~ N(0, s_v), e_ij ~ N(0, s_e): Battese, Harter & Fuller (1988), Journal of the
American Statistical Association 83, 28-36; the formulas are those of Rao & Molina (2015), Small Area Estimation,
chapter 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """What the sample says about each area; m areas, p columns.

    Attributes
    ----------
    n : ndarray (m,)
        Units.
    y : ndarray (m,)
        Means of the response.
    X : ndarray (m, p)
        Means of the columns.
    within : ndarray (p, p)
        Cross-products of the columns about their means in the areas, summed over the areas.
    """

    n: NDArray[np.float64]
    y: NDArray[np.float64]
    X: NDArray[np.float64]
    within: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """The areas to estimate; t of them, some perhaps without sample.

    Attributes
    ----------
    n : ndarray (t,)
        Units in the sample.
    y : ndarray (t,)
        Their mean; 0 without sample.
    X : ndarray (t, p)
        Means of the columns in the sample; 0 without.
    X_rest : ndarray (t, p)
        Means of the columns over the units that are not in the sample (over all where the population is infinite).
    fraction : ndarray (t,)
        Sampling fraction n / N; 0 where N is not known.
    rest_variance : ndarray (t,)
        (1 - n / N) / N, the factor of s_e in the variance of what the unsampled units add; 0 where N is not known.
    """

    n: NDArray[np.float64]
    y: NDArray[np.float64]
    X: NDArray[np.float64]
    X_rest: NDArray[np.float64]
    fraction: NDArray[np.float64]
    rest_variance: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Parameters: beta (p,), and the variances between areas and of units."""

    beta: NDArray[np.float64]
    s_v: float
    s_e: float


def summarize(y: NDArray[np.float64], X: NDArray[np.float64], codes: NDArray[np.int32], m: int) -> Sample:
    """Compute sizes and means of the m areas from the rows; codes (n,) are positions of areas."""
    n = np.bincount(codes, minlength=m).astype(np.float64)
    means = np.column_stack([np.bincount(codes, x, minlength=m) for x in X.T]) / n[:, None] if X.shape[1] else X[:m]
    deviations = X - means[codes]
    return Sample(n=n, y=area_means(y, codes, n), X=means, within=deviations.T @ deviations)


def area_means(y: NDArray[np.float64], codes: NDArray[np.int32], n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of the response in each area, (m,)."""
    return np.bincount(codes, y, minlength=len(n)) / n


def shrinkage(n: NDArray[np.float64], s_v: float, s_e: float) -> NDArray[np.float64]:
    """gamma_i = n_i s_v / (s_e + n_i s_v), the weight of an area's own data; 0 without any."""
    return n * s_v / (s_e + n * s_v)


def eblup(targets: Targets, at: Estimates, y: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """EBLUPs of the area means, (t,): f y + (1 - f) (x_rest'beta + gamma (y - x'beta)), Rao & Molina (7.1.19).

    Parameters
    ----------
    targets : Targets
        The areas.
    at : Estimates
        The parameters.
    y : ndarray (t,), optional
        Other sample means than those of the data.
    """
    y = targets.y if y is None else y
    effect = shrinkage(targets.n, at.s_v, at.s_e) * (y - targets.X @ at.beta)
    return targets.fraction * y + (1.0 - targets.fraction) * (targets.X_rest @ at.beta + effect)


def g1(targets: Targets, at: Estimates) -> NDArray[np.float64]:
    """Variance of an area's effect given its data and the parameters, (t,): s_v s_e / (s_e + n s_v)."""
    return at.s_v * at.s_e / (at.s_e + targets.n * at.s_v)


def known_parameter_mse(targets: Targets, at: Estimates) -> NDArray[np.float64]:
    """Mean squared error of the best predictor, all parameters known, (t,)."""
    return (1.0 - targets.fraction) ** 2 * g1(targets, at) + targets.rest_variance * at.s_e


def information(sample: Sample, at: Estimates) -> NDArray[np.float64]:
    """Expected information on (s_v, s_e), (2, 2): Rao & Molina (7.2.10)-(7.2.12)."""
    n, alpha = sample.n, at.s_e + sample.n * at.s_v
    I_vv, I_ve = 0.5 * np.sum(n**2 / alpha**2), 0.5 * np.sum(n / alpha**2)
    I_ee = 0.5 * (np.sum(n - 1.0) / at.s_e**2 + np.sum(1.0 / alpha**2))
    return np.array([[I_vv, I_ve], [I_ve, I_ee]])


def ml_bias(sample: Sample, at: Estimates, vcov: NDArray[np.float64]) -> NDArray[np.float64]:
    """First-order bias of the ML estimates of (s_v, s_e), (2,): Rao & Molina (5.3.10)."""
    n, alpha = sample.n, at.s_e + sample.n * at.s_v
    by_v = -(sample.X.T * (n**2 / alpha**2)) @ sample.X
    by_e = -sample.within / at.s_e**2 - (sample.X.T * (n / alpha**2)) @ sample.X
    traces = np.array([np.sum(vcov * by_v), np.sum(vcov * by_e)])
    out: NDArray[np.float64] = 0.5 * np.linalg.solve(information(sample, at), traces)
    return out


def analytic_mse(
    targets: Targets, sample: Sample, at: Estimates, vcov: NDArray[np.float64], *, reml: bool
) -> dict[str, NDArray[np.float64]]:
    """Second-order unbiased estimate of the mean squared errors in parts, (t,) each.

    Parameters
    ----------
    targets, sample, at : Targets, Sample, Estimates
        Areas, data and parameters.
    vcov : ndarray (p, p)
        Covariance of beta.
    reml : bool
        ML needs another term for the bias of the variances.

    Returns
    -------
    dict
        g1, g2, g3, g4 and correction; the estimate is g1 + g2 + 2 g3 + g4 + correction.
    """
    n, alpha = targets.n, at.s_e + targets.n * at.s_v
    scale = (1.0 - targets.fraction) ** 2
    apart = targets.X_rest - shrinkage(n, at.s_v, at.s_e)[:, None] * targets.X
    cov = np.linalg.inv(information(sample, at))
    spread = at.s_e**2 * cov[0, 0] + at.s_v**2 * cov[1, 1] - 2.0 * at.s_e * at.s_v * cov[0, 1]
    correction = np.zeros(len(n))
    if not reml:
        b_v, b_e = ml_bias(sample, at, vcov)
        correction = -(b_v * at.s_e**2 + b_e * n * at.s_v**2) / alpha**2
    return {
        "g1": scale * g1(targets, at),
        "g2": scale * np.einsum("tp,pq,tq->t", apart, vcov, apart),
        "g3": scale * n / alpha**3 * spread,
        "g4": targets.rest_variance * at.s_e,
        "correction": scale * correction,
    }
