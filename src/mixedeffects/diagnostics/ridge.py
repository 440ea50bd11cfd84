"""A mixed model as penalized least squares: the penalties, an independent solution, effective degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import lsqr

from mixedeffects.diagnostics.grouping import group_effects
from mixedeffects.inference.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

_ZERO = 1e-12  # of the largest eigenvalue of a covariance between columns of unit variance
_DENSE_VALUES = 20_000_000  # of the augmented matrix
_ITERATIONS = 20_000


class Penalty(NamedTuple):
    """The quadratic penalty b_j'P b_j on the effects of every level of a term.

    Attributes
    ----------
    key : str
        The name of the term, as in tables.
    names : tuple of str (k,)
        Its columns.
    matrix : ndarray (k, k)
        P = sigma^2 Sigma^-1, in squared units of the columns; sigma^2 / sigma_g^2 for a single column. Infinite entries
        where the covariance is singular.
    rank : int
        Number of directions with variance; in the others the penalty is infinite.
    edf : float
        Effective degrees of freedom of the term's effects.
    """

    key: str
    names: tuple[str, ...]
    matrix: NDArray[np.float64]
    rank: int
    edf: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RidgeEquivalent:
    """The fit as the minimum of ``|W^(1/2) (y - X beta - Z b)|^2`` + sum over terms and levels of b_j'P_t b_j.

    Attributes
    ----------
    penalties : tuple of Penalty
        One for each term.
    beta : ndarray (p,)
        Fixed effects of the independent solution.
    b : tuple of ndarray (J, k)
        Its random effects, by term.
    max_difference : float
        Largest difference between the fit and that solution, fixed effects in their standard errors, random effects in
        their standard deviations.
    solver : {"dense", "lsqr"}
        How the augmented least squares were solved.
    objective : float
        The minimum, sigma^2 times the divisor n - p (REML) or n.
    notes : tuple of str
        What a reader has to know.
    kind : str
        The library of the data.
    """

    penalties: tuple[Penalty, ...]
    beta: NDArray[np.float64]
    b: tuple[NDArray[np.float64], ...]
    max_difference: float
    solver: str
    objective: float
    notes: tuple[str, ...]
    kind: str

    @property
    def edf(self) -> float:
        """Trace of the hat matrix: coefficients and effective degrees of freedom of all terms."""
        return len(self.beta) + sum(penalty.edf for penalty in self.penalties)

    def table(self) -> Table:
        """Return the entries of the penalties: term, row, column, penalty, edf of the term."""
        rows = [
            (p.key, p.names[i], p.names[j], float(p.matrix[i, j]), p.edf)
            for p in self.penalties
            for i in range(len(p.names))
            for j in range(i + 1)
        ]
        heads = ("term", "row", "column", "penalty", "edf")
        columns = {head: [row[c] for row in rows] for c, head in enumerate(heads)}
        return Table(columns=columns, text=heads[:3], notes=self.notes, kind=self.kind)

    def to_frame(self) -> object:
        """Return `table` as a frame in the library of the data."""
        return self.table().to_frame()


def ridge_equivalent(fit: LmmFit) -> RidgeEquivalent:
    """Show that the fit is a ridge regression whose penalties are ratios of variances.

    Parameters
    ----------
    fit : LmmFit
        Any fit.

    Returns
    -------
    RidgeEquivalent

    Notes
    -----
    Given the variances, beta and the conditional modes minimize |W^(1/2) (y - offset - X beta - Z b)|^2 + sum_t sum_j
    b_tj'P_t b_tj with P_t = sigma^2 Sigma_t^-1 [1]_, for a single column lambda = sigma^2 / sigma_g^2. The independent
    solution solves the augmented least squares, one row with response 0 per random effect beneath the data, with b = F
    a and F F' = Sigma / sigma^2 from the eigenvectors of Sigma: a direction without variance has an infinite penalty,
    so that it is left out. A dense solver is used up to 20 million entries, else LSQR. The effective degrees of freedom
    of a term are its part of the trace of the hat matrix, sum_j [k - tr(C_j P)] with sigma^2 C_j the variance of the
    prediction errors of b_j [2]_.

    References
    ----------
    .. [1] Henderson (1950), Estimation of genetic parameters, Annals of Mathematical Statistics 21, 309-310; Bates,
       Maechler, Bolker & Walker (2015), Journal of Statistical Software 67(1), section 3.
    .. [2] Hodges & Sargent (2001), Counting degrees of freedom in hierarchical and other richly-parameterised models,
       Biometrika 88(2), 367-379, doi:10.1093/biomet/88.2.367.
    """
    layout = fit.objective.layout
    relative = [L @ L.T for L in layout.factors(fit.solution.theta)]
    roots = [_root(S) for S in relative]
    beta, b, solver = _augmented(fit, [root.F for root in roots])
    variances = _error_variances(fit)
    penalties = []
    for term, root, C in zip(fit.model.terms, roots, variances, strict=True):
        kept = C.shape[0] * root.F.shape[1] - float(np.einsum("jab,ra,rb->", C, root.inverse, root.inverse))
        penalties.append(Penalty(term.key, term.names, root.penalty, root.F.shape[1], kept))
    gaps = [_gap(beta - fit.solution.beta, np.sqrt(np.diag(fit.solution.vcov)))]
    for S, ours, theirs in zip(relative, fit.solution.b, b, strict=True):
        gaps.append(_gap(theirs - ours, fit.solution.sigma * np.sqrt(np.diag(S))))
    return RidgeEquivalent(
        penalties=tuple(penalties),
        beta=beta,
        b=tuple(b),
        max_difference=max(gaps),
        solver=solver,
        objective=fit.solution.rss,
        notes=tuple(
            f"{term.key}: "
            + (
                "the covariance is singular, an infinite penalty in a direction: the effects have no part in it."
                if root.F.shape[1]
                else "the variance is 0, an infinite penalty: the effects are 0."
            )
            for term, root in zip(fit.model.terms, roots, strict=True)
            if root.F.shape[1] < len(term.names)
        ),
        kind=fit.model.data_kind,
    )


class _Root(NamedTuple):
    """F (k, r) with F F' = S over the directions with variance, its left inverse (r, k), and the penalty (k, k)."""

    F: NDArray[np.float64]
    inverse: NDArray[np.float64]
    penalty: NDArray[np.float64]


def _root(S: NDArray[np.float64]) -> _Root:
    sd = np.sqrt(np.diag(S))
    scale = np.where(sd > 0.0, sd, 1.0)
    values, directions = np.linalg.eigh(S / np.outer(scale, scale))
    varies = values > _ZERO * max(values[-1], 0.0)
    F = scale[:, None] * directions[:, varies] * np.sqrt(values[varies])
    inverse = (directions[:, varies] / np.sqrt(values[varies])).T / scale
    penalty = inverse.T @ inverse
    for direction in directions[:, ~varies].T:
        part = np.outer(direction, direction)
        felt = np.abs(part) > np.sqrt(_ZERO)
        penalty = np.where(felt, np.copysign(np.inf, part), penalty)
    return _Root(F, inverse, penalty)


def _gap(difference: NDArray[np.float64], unit: NDArray[np.float64]) -> float:
    """Largest difference in units; a zero unit belongs to effects that are 0 in both."""
    return float(np.abs(difference / np.where(unit > 0.0, unit, 1.0)).max(initial=0.0))


def _augmented(
    fit: LmmFit, factors: list[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]], str]:
    """Solve the augmented least squares; factors F (k, r) for each term."""
    model, p = fit.model, fit.model.X.shape[1]
    spread = [sp.kron(sp.eye_array(t.factor.n_levels), F) for t, F in zip(model.terms, factors, strict=True)]
    ZF = sp.csc_array(model.Z @ sp.block_diag(spread, format="csc"))
    y = model.y if model.offset is None else model.y - model.offset
    root = np.sqrt(model.row_weights)
    q = ZF.shape[1]
    scale = np.linalg.norm(root[:, None] * model.X, axis=0)
    right = np.concatenate([root * y, np.zeros(q)])
    if (model.nobs + q) * (p + q) <= _DENSE_VALUES:
        full = np.zeros((model.nobs + q, p + q))
        full[: model.nobs, :p] = root[:, None] * model.X / scale
        full[: model.nobs, p:] = root[:, None] * ZF.toarray()
        full[model.nobs :, p:] = np.eye(q)
        found, solver = np.linalg.lstsq(full, right, rcond=None)[0], "dense"
    else:
        top = sp.hstack([sp.csc_array(root[:, None] * model.X / scale), sp.diags_array(root) @ ZF])
        below = sp.hstack([sp.csc_array((q, p)), sp.eye_array(q)])
        system = sp.csr_array(sp.vstack([top, below]))
        lengths = np.sqrt(np.asarray(system.power(2).sum(axis=0)).ravel())
        scaled = sp.csr_array(system @ sp.diags_array(1.0 / lengths))
        found = lsqr(scaled, right, atol=1e-15, btol=1e-15, conlim=0, iter_lim=_ITERATIONS)[0] / lengths
        solver = "lsqr"
    b, start = [], p
    for term, F in zip(model.terms, factors, strict=True):
        J, r = term.factor.n_levels, F.shape[1]
        b.append(found[start : start + J * r].reshape(J, r) @ F.T)
        start += J * r
    return found[:p] / scale, b, solver


def _error_variances(fit: LmmFit) -> list[NDArray[np.float64]]:
    """For each term the variances of the prediction errors of its effects by level, (J, k, k), in units of sigma^2."""
    layout = fit.objective.layout
    given_beta = fit.objective.conditional_variances(fit.solution.theta)
    out = []
    groups = list(fit.model.factors)
    for t, block in enumerate(layout.block_of):
        at = layout.columns_of(t)
        effects = group_effects(fit, groups[block], merged=False)
        J, k = effects.factor.n_levels, len(effects.names)
        found = effects.functionals(np.zeros((J, k, fit.model.X.shape[1])))
        D = found.fixed.reshape(J, k, -1)[:, at]
        out.append(given_beta[block][:, at, at] + D @ found.relative @ D.transpose(0, 2, 1))
    return out
