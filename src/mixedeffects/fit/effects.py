"""Random effects of a fit: covariances, conditional modes and their variances, fitted values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from mixedeffects.optimize.canonical import transformed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.criterion import Solution
    from mixedeffects.design import Design
    from mixedeffects.fit.record import LmmFit


def covariances(fit: LmmFit) -> list[NDArray[np.float64]]:
    """For each term the covariance matrix of its random effects on the data scale, sigma^2 Lambda Lambda', (k, k)."""
    factors = fit.objective.layout.factors(fit.solution.theta)
    return [fit.solution.sigma**2 * (L @ L.T) for L in factors]


def block_names(fit: LmmFit, block: int) -> tuple[str, ...]:
    """Name the columns of a block: those of all its terms, side by side."""
    return tuple(name for t in fit.objective.layout.terms_of[block] for name in fit.model.terms[t].names)


def block_modes(fit: LmmFit, block: int) -> NDArray[np.float64]:
    """Conditional modes of a block, (J, k)."""
    parts = [fit.solution.b[t] for t in fit.objective.layout.terms_of[block]]
    return parts[0] if len(parts) == 1 else np.hstack(parts)


def conditional_variances(fit: LmmFit) -> list[NDArray[np.float64]]:
    """For each block the covariance of its conditional modes given beta on the data scale, (J, k, k)."""
    return [fit.solution.sigma**2 * V for V in fit.objective.conditional_variances(fit.solution.theta)]


def linear_predictor(fit: LmmFit, *, random: bool = True) -> NDArray[np.float64]:
    """X beta + Z b + offset over the rows used, (n,); without the random effects if `random` is false."""
    return predictor_of(fit.model, fit.solution, random=random)


def predictor_of(model: Design, solution: Solution, *, random: bool = True) -> NDArray[np.float64]:
    """The same from the parts of a fit."""
    eta = model.X @ solution.beta
    if model.offset is not None:
        eta += model.offset
    if random:
        for term, b in zip(model.terms, solution.b, strict=True):
            for column, effects in zip(term.columns, b.T, strict=True):
                eta += column * effects[term.factor.codes]
    return eta


def working_theta(fit: LmmFit) -> NDArray[np.float64]:
    """The estimate as a theta of the working columns."""
    layout = fit.objective.layout
    factors = layout.factors(fit.solution.theta)
    return layout.theta([transformed(T, L) for T, L in zip(fit.objective.basis.T, factors, strict=True)])


def relative_factor(fit: LmmFit) -> sp.csc_array:
    """Lambda, (q, q), in the order of the columns of Z: term, level, column."""
    factors = fit.objective.layout.factors(fit.solution.theta)
    return _block_diagonal(fit, factors)


def covariance_matrix(fit: LmmFit) -> sp.csc_array:
    """var(gamma) on the data scale, (q, q), in the order of the columns of Z."""
    return _block_diagonal(fit, covariances(fit))


def _block_diagonal(fit: LmmFit, matrices: list[NDArray[np.float64]]) -> sp.csc_array:
    parts = [
        sp.kron(sp.eye_array(term.factor.n_levels), sp.csc_array(matrix), format="csc")
        for term, matrix in zip(fit.model.terms, matrices, strict=True)
    ]
    return sp.csc_array(sp.block_diag(parts, format="csc"))


def marginal_covariance(fit: LmmFit) -> NDArray[np.float64]:
    """var(y) = Z var(gamma) Z' + sigma^2 W^-1, (n, n), dense: for small n."""
    Z = fit.model.Z
    V = np.asarray((Z @ covariance_matrix(fit) @ Z.T).todense())
    V[np.diag_indices_from(V)] += fit.solution.sigma**2 / fit.model.row_weights
    return V


def marginal_variances(fit: LmmFit) -> NDArray[np.float64]:
    """The diagonal of var(y), z'Sigma z + sigma^2 / w, (n,): linear in n, for any n."""
    model = fit.model
    out = np.full(model.nobs, fit.solution.sigma**2)
    if model.weights is not None:
        out /= model.weights
    for term, covariance in zip(model.terms, covariances(fit), strict=True):
        for a, left in enumerate(term.columns):
            for b, right in enumerate(term.columns):
                out += covariance[a, b] * left * right
    return out


def level_coefficients(fit: LmmFit, block: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return fixed plus random effects for each level of a block: names, and (J, columns).

    Columns are the estimated fixed effects, then those random effects that have no fixed one.
    """
    random, modes = block_names(fit, block), block_modes(fit, block)
    names = list(fit.model.kept_names) + [name for name in dict.fromkeys(random) if name not in fit.model.kept_names]
    values = np.zeros((len(modes), len(names)))
    values[:, : len(fit.solution.beta)] = fit.solution.beta
    for name, column in zip(random, modes.T, strict=True):
        values[:, names.index(name)] += column
    return tuple(names), values
