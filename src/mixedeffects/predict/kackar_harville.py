"""What the estimation of the variances adds to a prediction error, to first order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import MixedEffectsError
from mixedeffects.inference.information import information, moments
from mixedeffects.inference.sufficient import block_factors, gram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit
    from mixedeffects.fit.functionals import TermRows

_LARGEST = 5_000  # random effects of several factors, whose covariances are a dense matrix
_VALUES = 1 << 21  # numbers in the work arrays at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Form:
    """The quadratic form z'Ez + 2 z'Fx + x'Gx of a row in the working columns.

    Attributes
    ----------
    E : ndarray (J, k, k), or (q, q) for several factors
        Between the effects of a row.
    F : ndarray (J, k, p), or (q, p)
        Between them and X.
    G : ndarray (p, p)
        Within X.
    """

    E: NDArray[np.float64]
    F: NDArray[np.float64]
    G: NDArray[np.float64]


def estimation_variance(fit: LmmFit, X: NDArray[np.float64], terms: TermRows) -> NDArray[np.float64]:
    """Variance that predictions owe to the estimated variance parameters, to first order.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    X : ndarray (n, p)
        The estimable fixed-effects columns.
    terms : sequence of (codes, columns)
        The random part of the rows, as for `row_functionals`.

    Returns
    -------
    ndarray (n,)
        In squared units of y.

    Raises
    ------
    MixedEffectsError
        For several grouping factors with more than 5,000 random effects, or theta that was given.

    Notes
    -----
    The predictor is lambda'y, and its derivative in the parameter e of S is r'S_e Z'P with
    r = z - Z'PZ S z - Z'V^-1X D x, D = (X'V^-1X)^-1. With A the asymptotic covariance of the parameters the term is
    sigma^2 sum_ef A_ef r'S_e Z'PZ S_f r [1]_ [2]_; Z'PZ = H - U D U', H = Z'V^-1Z, U = Z'V^-1X.

    References
    ----------
    .. [1] Kackar & Harville (1984), Approximations for standard errors of estimators of fixed and random effects in
       mixed linear models, Journal of the American Statistical Association 79, 853-862, doi:10.2307/2288715.
    .. [2] Prasad & Rao (1990), The estimation of the mean squared error of small-area estimators, Journal of the
       American Statistical Association 85, 163-171, doi:10.2307/2289539.
    """
    layout = fit.objective.layout
    q = sum(J * k for J, k in zip(layout.n_levels, layout.block_widths, strict=True))
    single = len(layout.n_levels) == 1
    if not single and q > _LARGEST:
        raise MixedEffectsError(
            f'uncertainty="kackar-harville" with several grouping factors needs a dense matrix over all {q} random '
            f'effects; it is made for at most {_LARGEST}. Use uncertainty="bootstrap"'
        )
    form = _of_levels(fit) if single else _of_all(fit)
    x = np.linalg.solve(fit.objective.basis.R.T, X.T).T if X.shape[1] else X
    out = np.einsum("np,pq,nq->n", x, form.G, x, optimize=True)
    index, z = _working(fit, terms, single=single)
    k = z.shape[1]
    step = max(1, _VALUES // (k * (k + X.shape[1])))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        if single:
            E, F = form.E[index[rows, 0]], form.F[index[rows, 0]]
        else:
            E, F = form.E[index[rows, :, None], index[rows, None, :]], form.F[index[rows]]
        out[rows] += np.einsum("na,nab,nb->n", z[rows], E, z[rows], optimize=True)
        out[rows] += 2.0 * np.einsum("na,nap,np->n", z[rows], F, x[rows], optimize=True)
    return np.asarray(fit.solution.sigma**2 * out, dtype=np.float64)


def _working(fit: LmmFit, terms: TermRows, *, single: bool) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where the effects of each row stand in the form, and their working columns, both (n, k); zeros for code -1.

    The place is the level where there is one factor, and the number of the effect where there are several.
    """
    layout = fit.objective.layout
    index, parts, start = [], [], 0
    for members, J, width in zip(layout.terms_of, layout.n_levels, layout.block_widths, strict=True):
        codes = np.asarray(terms[members[0]][0], dtype=np.intp)[:, None]
        z = np.empty((len(codes), width))
        for t in members:
            z[:, layout.columns_of(t)] = np.linalg.solve(fit.objective.basis.T[t].T, np.array(terms[t][1])).T
        level = np.maximum(codes, 0)
        index.append(level if single else start + width * level + np.arange(width))
        parts.append(np.where(codes >= 0, z, 0.0))
        start += J * width
    return np.hstack(index), np.hstack(parts)


def _directions(fit: LmmFit) -> list[list[NDArray[np.float64]]]:
    """Derivatives of S, one (k, k) for each block, along uncorrelated directions of theta of unit variance.

    With A = C C' the covariance of theta these are sum_e C_eg S_e, so that sum_ef A_ef Q(S_e, S_f) is a single sum.
    """
    layout = fit.objective.layout
    d = layout.n_theta
    values, vectors = np.linalg.eigh(information(fit).covariance[:d, :d])
    C = vectors * np.sqrt(np.maximum(values, 0.0))
    Lambda = block_factors(fit)
    derivatives = []
    for block, row, column in layout.entries():
        change = [np.zeros_like(L) for L in Lambda]
        change[block][row] += Lambda[block][:, column]
        change[block][:, row] += Lambda[block][:, column]
        derivatives.append(change)
    return [
        [
            sum((c * part[f] for c, part in zip(C[:, g], derivatives, strict=True)), np.zeros_like(L))
            for f, L in enumerate(Lambda)
        ]
        for g in range(d)
        if values[g] > 0.0
    ]


def _of_levels(fit: LmmFit) -> _Form:
    """The form for one grouping factor, whose levels meet in the fixed effects only: linear in the levels."""
    (Lambda,) = block_factors(fit)
    ZZ, ZX, _ = fit.objective.products.core.block(0)
    S, D, one = Lambda @ Lambda.T, _inverse(moments(fit).XVX), np.eye(len(Lambda))
    H, U = np.linalg.solve(one + ZZ @ S, ZZ), np.linalg.solve(one + ZZ @ S, ZX)
    P, Y = one - H @ S, D @ U.mT @ S  # r is P z in the row's own level, and U (Y z - D x) in every level
    E, F, G = np.zeros_like(ZZ), np.zeros_like(ZX), np.zeros_like(D)
    for (change,) in _directions(fit):
        inner = change @ H @ change
        N, M = (U.mT @ inner @ U).sum(axis=0), (U.mT @ change @ U).sum(axis=0)
        cross = P.mT @ inner @ U
        v = U.mT @ change @ P + M @ Y
        E += P.mT @ inner @ P + cross @ Y + (cross @ Y).mT + Y.mT @ N @ Y - v.mT @ D @ v
        F += (v.mT @ D @ M - cross - Y.mT @ N) @ D
        G += D @ (N - M @ D @ M) @ D
    return _Form(E=E, F=F, G=G)


def _of_all(fit: LmmFit) -> _Form:
    """The form for several grouping factors, from dense matrices over all random effects."""
    layout = fit.objective.layout
    levels = layout.n_levels
    A = gram(fit)
    q = len(A) - fit.objective.products.p
    A, B = A[:q, :q], A[:q, q:]
    S = [L @ L.T for L in block_factors(fit)]
    D = _inverse(moments(fit).XVX)
    HU = np.linalg.solve(np.eye(q) + _times(S, levels, A).T, np.hstack([A, B]))
    U = HU[:, q:]
    Q: NDArray[np.float64] = np.asarray(HU[:, :q] - U @ D @ U.T, dtype=np.float64)
    K = np.zeros_like(Q)
    for change in _directions(fit):
        K += _times(change, levels, _times(change, levels, Q).T)
    P = np.eye(q) - _times(S, levels, Q).T  # r = P z - U D x
    KP, UD = K @ P, U @ D
    return _Form(E=P.T @ KP, F=-KP.T @ UD, G=UD.T @ K @ UD)


def _times(blocks: list[NDArray[np.float64]], levels: tuple[int, ...], M: NDArray[np.float64]) -> NDArray[np.float64]:
    """Product of a block-diagonal matrix, one block repeated for the levels of each factor, with M (q, m)."""
    out, start = np.empty_like(M), 0
    for block, J in zip(blocks, levels, strict=True):
        rows = slice(start, start + J * len(block))
        out[rows] = (block @ M[rows].reshape(J, len(block), -1)).reshape(J * len(block), -1)
        start = rows.stop
    return out


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64) if len(matrix) else matrix
