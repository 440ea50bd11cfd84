"""How far the levels of a factor are pulled to the common coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.diagnostics.grouping import GroupEffects
    from mixedeffects.diagnostics.level_qr import LevelQR


def shrinkage_matrices(effects: GroupEffects, qr: LevelQR) -> NDArray[np.float64]:
    """The matrices that take each level's own deviation to its conditional mode, (J, k, k).

    Parameters
    ----------
    effects : GroupEffects
        The effects of the factor.
    qr : LevelQR
        The factorisation of its columns within the levels.

    Returns
    -------
    ndarray (J, k, k)
        Row and column c belong to the column c of the effects. Eigenvalues in [0, 1): 0 is complete pooling, 1 none.

    Notes
    -----
    Lambda_j = Sigma (Sigma + sigma^2 (Z_j'W Z_j)^-1)^-1, computed as S R'(I + R S R')^-1 R with S = Sigma / sigma^2 and
    R'R = Z_j'W Z_j, which needs no inverse of either: both may be singular. Lambda_j is then the matrix for which
    b_j = Lambda_j d_j with any solution d_j of Z_j'W Z_j d_j = Z_j'W (y - X beta - the other terms). For a random
    intercept and weights of 1 it is sigma_g^2 / (sigma_g^2 + sigma^2 / n_j).
    """
    S, R = effects.relative, qr.R
    inner = np.eye(len(S)) + R @ S @ R.transpose(0, 2, 1)
    return np.asarray(S @ R.transpose(0, 2, 1) @ np.linalg.solve(inner, R), dtype=np.float64)


def reliability(effects: GroupEffects) -> NDArray[np.float64] | None:
    """Reliability of the levels' random intercepts, (J,); None if the factor has other effects than one intercept.

    Parameters
    ----------
    effects : GroupEffects
        The effects of the factor.

    Returns
    -------
    ndarray (J,) or None
        0 where the variance of the intercept is 0.

    Notes
    -----
    1 - var(b_j | y) / sigma_g^2, the squared correlation of b_j and its conditional mode at the given beta and
    variances [1]_. Without other grouping factors it is the weight of `shrinkage_matrices`; with them it is smaller, as
    their effects are not known.

    References
    ----------
    .. [1] Raudenbush & Bryk (2002), Hierarchical Linear Models, 2nd ed., Sage, section 3.
    """
    if effects.names != ("Intercept",):
        return None
    variance = float(effects.relative[0, 0])
    if variance == 0.0:
        return np.zeros(effects.factor.n_levels)
    return np.asarray(1.0 - effects.conditional_variances()[:, 0, 0] / variance)


def own_deviations(effects: GroupEffects, qr: LevelQR) -> NDArray[np.float64]:
    """Least squares of y - offset - X beta - the other factors' effects on the level's own columns, (J, k).

    Aliased columns get 0. ``shrinkage_matrices`` times these are the conditional modes.
    """
    fit = effects.fit
    rest = fit.model.y - fit.model.X @ fit.solution.beta
    if fit.model.offset is not None:
        rest -= fit.model.offset
    for block, term, b in zip(fit.objective.layout.block_of, fit.model.terms, fit.solution.b, strict=True):
        if block != effects.block:
            for column, values in zip(term.columns, b.T, strict=True):
                rest -= column * values[term.factor.codes]
    return qr.solve(qr.split(rest)[0])


def pooling_factors(effects: GroupEffects) -> NDArray[np.float64]:
    """Gelman and Pardoe's pooling factor of each column, (k,): 0 is no pooling, 1 complete pooling.

    Parameters
    ----------
    effects : GroupEffects
        The effects of the factor.

    Returns
    -------
    ndarray (k,)
        1 for a column whose estimated variance is 0.

    Notes
    -----
    lambda = 1 - V(E b) / E(V b), V the variance over the levels of the factor and E the expectation given y and the
    variance estimates, the uncertainty of beta included [1]_. With C = var(b | y) over all levels of a column,
    E(V b) = V(E b) + (tr(C) - 1'C1 / J) / (J - 1). 1'C1 = sigma^2 (J s - 1'b(y*)), where s = S[c, c] and b(y*) are the
    modes at the same theta for the response y* = Z S e_c.

    References
    ----------
    .. [1] Gelman & Pardoe (2006), Bayesian measures of explained variance and pooling in multilevel (hierarchical)
       models, Technometrics 48(2), 241-251, doi:10.1198/004017005000000517.
    """
    fit, J, k = effects.fit, effects.factor.n_levels, len(effects.names)
    found = effects.functionals(np.zeros((J, k, fit.model.X.shape[1])))
    trace = fit.solution.sigma**2 * found.variance.reshape(J, k).sum(axis=0)
    spread = effects.modes.var(axis=0, ddof=1)
    out = np.ones(k)
    for c in np.flatnonzero(np.diag(effects.relative) > 0.0).tolist():
        total = fit.solution.sigma**2 * _total_variance(effects, c)
        out[c] = 1.0 - spread[c] / (spread[c] + max(trace[c] - total / J, 0.0) / (J - 1))
    return out


def _total_variance(effects: GroupEffects, c: int) -> float:
    """1'C1 for a column, in units of sigma^2."""
    fit = effects.fit
    share = effects.relative[:, c]
    change = sum(s * column for s, column in zip(share, effects.columns, strict=True))
    # The modes are linear in the response. Added to the data's own it leaves a residual where X explains all of it.
    size = float(np.ptp(fit.model.y)) / float(np.abs(change).max())
    products = fit.objective.products.with_response(fit.model, np.ascontiguousarray(fit.model.y + size * change))
    solution = fit.objective.with_products(products).evaluate(fit.solution.theta)
    layout = fit.objective.layout
    modes = np.hstack([solution.b[t] for t in layout.terms_of[effects.block]]) @ effects.merge[c]
    moved = float((modes - effects.modes[:, c]).sum()) / size
    return effects.factor.n_levels * float(effects.relative[c, c]) - moved
