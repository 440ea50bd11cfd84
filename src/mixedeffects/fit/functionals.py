"""Errors of linear functionals x'beta + z'b: what prediction, leverage and influence have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import MixedEffectsError
from mixedeffects.fit.effects import working_theta

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit.record import LmmFit

_ZERO = 1e-12  # of the largest entry of a row: rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Functionals:
    """For each row, what the error of x'beta + z'b is made of.

    Attributes
    ----------
    conditional : ndarray (n,)
        z'Kz: the variance of z'(b - E[b | y, beta]), in units of sigma^2.
    fixed : ndarray (n, p)
        x - X'WZ K z: what multiplies the error of the estimated fixed effects.
    relative : ndarray (p, p)
        (X'V^-1X)^-1, in units of sigma^2.
    """

    conditional: NDArray[np.float64]
    fixed: NDArray[np.float64]
    relative: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of the prediction error x'(beta_hat - beta) + z'(b_hat - b), (n,), in units of sigma^2.

        NaN for rows with a coefficient whose variance is not finite.
        """
        endless = np.isnan(np.diag(self.relative))  # coefficients whose variance is not finite
        fixed, relative = self.fixed[:, ~endless], self.relative[np.ix_(~endless, ~endless)]
        spread: NDArray[np.float64] = np.einsum("np,pq,nq->n", fixed, relative, fixed, optimize=True)
        if endless.any():
            size = np.abs(self.fixed)
            spread[(size[:, endless] > _ZERO * size.max(axis=1, keepdims=True)).any(axis=1)] = np.nan
        return self.conditional + spread


_FULL = 1e-10  # what 1 - h must exceed
_CHUNK = 1 << 17  # rows at a time: the copies in working columns are small beside the columns themselves

# For each term of the model: codes (n,), -1 where the row has no effect of the factor, and its k columns, each (n,).
TermRows = Sequence[tuple["NDArray[np.int32]", Sequence["NDArray[np.float64]"]]]


def row_functionals(fit: LmmFit, X: NDArray[np.float64], terms: TermRows) -> Functionals:
    """What the errors of x'beta + z'b are made of, for any rows.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    X : ndarray (n, p)
        The estimable fixed-effects columns.
    terms : sequence of (codes, columns)
        For each random-effects term of the model, in its order: the level of each row, (n,) int32, -1 for none; and
        the k columns, each (n,). Terms on one factor have the same codes. Levels in one row need not have occurred
        together.

    Returns
    -------
    Functionals

    Raises
    ------
    MixedEffectsError
        If the factorisation fails at the estimate.

    Notes
    -----
    With K = (Z'WZ + S^-1)^-1, computed as Lambda M^-1 Lambda' so that S may be singular, the prediction error
    x'(beta_hat - beta) + z'(b_hat - b) has the variance sigma^2 [z'Kz + t'(X'V^-1X)^-1 t], t = x - X'WZ K z [1]_. Along
    the factor: a level that is eliminated leaves z - C'Kz on what it touches further up. The cost is linear in n.

    References
    ----------
    .. [1] Henderson (1975), Best linear unbiased estimation and prediction under a selection model, Biometrics 31,
       423-447, doi:10.2307/2529430.
    """
    n, p = X.shape
    theta = working_theta(fit)
    R = fit.objective.basis.R
    conditional, fixed = np.empty(n), np.empty((n, p))
    for start in range(0, n, _CHUNK):
        rows = slice(start, min(start + _CHUNK, n))
        codes, Z = _working_rows(fit, terms, rows)
        working = np.ascontiguousarray(np.linalg.solve(R.T, X[rows].T).T) if p else np.empty((rows.stop - start, 0))
        found = fit.objective.core.functionals(theta, working, codes, Z, fit.control.n_threads)
        if found is None:
            raise MixedEffectsError("prediction errors cannot be computed: a factorisation failed at the estimate")
        conditional[rows], fixed[rows] = found[0], found[1] @ R
    return Functionals(conditional=conditional, fixed=fixed, relative=fit.solution.vcov / fit.solution.sigma**2)


def fitted_functionals(fit: LmmFit) -> Functionals:
    """What the errors of the fitted values are made of: `row_functionals` of the rows of the fit."""
    model = fit.model
    return row_functionals(fit, model.X, [(term.factor.codes, term.columns) for term in model.terms])


def _working_rows(
    fit: LmmFit, terms: TermRows, rows: slice
) -> tuple[list[NDArray[np.int32]], list[NDArray[np.float64]]]:
    """Codes and working columns by block."""
    layout = fit.objective.layout
    codes, Z = [], []
    for members, width in zip(layout.terms_of, layout.block_widths, strict=True):
        own = np.ascontiguousarray(terms[members[0]][0][rows], dtype=np.int32)
        block = np.empty((len(own), width))
        for t in members:
            columns = np.array([column[rows] for column in terms[t][1]])
            block[:, layout.columns_of(t)] = np.linalg.solve(fit.objective.basis.T[t].T, columns).T
        codes.append(own)
        Z.append(block)
    return codes, Z


@singledispatch
def leverage(fit: LmmFit) -> NDArray[np.float64]:
    """Diagonal of the matrix H that takes the response to the fitted values, (n,).

    Parameters
    ----------
    fit : LmmFit
        Any fit; of a generalized one it is the leverage in the linear mixed model at its modes.

    Returns
    -------
    ndarray (n,)
        Between 0 and 1, without units; its sum is the effective number of parameters of the conditional fit.

    Notes
    -----
    H = [X Z] C [X Z]'W, C the inverse of Henderson's equations at the estimated variances [1]_, so that
    h_i = w_i var(x_i'beta_hat + z_i'(b_hat - b)) / sigma^2. An offset changes nothing. Where all variances of the
    random effects are 0 it is the leverage of ordinary (weighted) least squares.

    References
    ----------
    .. [1] Demidenko & Stukel (2005), Influence analysis for linear mixed-effects models, Statistics in Medicine 24,
       893-909, doi:10.1002/sim.1974.
    """
    h = fitted_functionals(fit).variance
    return h if fit.model.weights is None else h * fit.model.weights


def free_share(hat: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - h, (n,); NaN for a leverage of 1, where a row is fitted exactly whatever its response."""
    return np.where(1.0 - hat > _FULL, 1.0 - hat, np.nan)
