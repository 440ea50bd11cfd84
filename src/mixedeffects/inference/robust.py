"""Cluster-robust (sandwich) covariance of the fixed effects, with Satterthwaite's degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import solve_triangular
from scipy.sparse.linalg import splu

from mixedeffects.errors import DataError
from mixedeffects.fit.effects import linear_predictor, relative_factor
from mixedeffects.formula import bare, same_group
from mixedeffects.frame import Factor
from mixedeffects.inference.distributions import t_two_sided
from mixedeffects.inference.table import Table, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

Kind = Literal["CR2", "CR0", "CR1"]
KINDS: tuple[Kind, ...] = ("CR2", "CR0", "CR1")

_LARGEST_ORDER = 5_000  # of the matrices whose eigenvectors CR2 needs
_ZERO = 1e-10  # share of a direction's variance that the fixed effects leave: below this its residuals do not vary


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RobustCovariance:
    """A sandwich estimate of var(beta) that does not rely on the model's covariance of the response.

    Attributes
    ----------
    names : tuple of str (p,)
        Estimated coefficients.
    estimate : ndarray (p,)
        The coefficients.
    vcov : ndarray (p, p)
        Their covariance.
    df : ndarray (p,)
        Satterthwaite's degrees of freedom of each coefficient.
    kind : {"CR2", "CR0", "CR1"}
        The estimator.
    cluster : str
        What the rows were clustered by.
    n_clusters : int
        Number of clusters.
    data_kind : str
        The library of the data.
    """

    names: tuple[str, ...]
    estimate: NDArray[np.float64]
    vcov: NDArray[np.float64]
    df: NDArray[np.float64]
    kind: Kind
    cluster: str
    n_clusters: int
    data_kind: str

    @property
    def std_errors(self) -> NDArray[np.float64]:
        """Standard errors, (p,)."""
        return np.sqrt(np.diag(self.vcov))

    def table(self) -> Table:
        """Return one row per coefficient: term, estimate, std_error, df, statistic, p_value (two-sided t)."""
        statistic = self.estimate / self.std_errors
        p_value = t_two_sided(statistic, self.df)
        columns = (self.estimate, self.std_errors, self.df, statistic, p_value)
        rows = [(name, *map(float, row)) for name, *row in zip(self.names, *columns, strict=True)]
        return table_of(
            ("term", "estimate", "std_error", "df", "statistic", "p_value"),
            rows,
            text=("term",),
            notes=(f"{self.kind}, {self.n_clusters} clusters by {self.cluster}",),
            kind=self.data_kind,
        )


class _Cluster(NamedTuple):
    """The rows of a cluster: positions, X_i (n_i, p), residuals y - X beta (n_i,)."""

    rows: NDArray[np.intp]
    X: NDArray[np.float64]
    residuals: NDArray[np.float64]


def vcov_robust(
    fit: LmmFit, cluster: str | Sequence[object] | NDArray[np.generic] | None = None, kind: str = "CR2"
) -> RobustCovariance:
    """Sandwich covariance of the fixed effects, clustered by a factor.

    Parameters
    ----------
    fit : LmmFit
        Any fit with fixed effects; its covariance of the response is the working model.
    cluster : str or array-like, optional
        A grouping factor or another column of the formula, or one value for each row used, (nobs,), or for each row of
        the data, of which those of dropped rows are left out. By default the grouping
        factor in which all others are nested.
    kind : {"CR2", "CR0", "CR1"}
        CR0: no correction; CR1: CR0 times m / (m - 1) for m clusters; CR2: unbiased under the working model.

    Returns
    -------
    RobustCovariance

    Raises
    ------
    DataError
        For another kind; a cluster that is not known, has another length or one level only; crossed grouping factors
        without a cluster that contains them all; for CR2 a cluster that needs a matrix of order above 5,000: its rows,
        or without prior weights its random and fixed effects if they are fewer.

    Notes
    -----
    M (sum_i X_i'V_i^-1 A_i e_i e_i'A_i V_i^-1 X_i) M with M = (X'V^-1X)^-1, e = y - X beta. CR2 has
    A_i = D_i'B_i^(+1/2) D_i, V_i = D_i'D_i, B_i = D_i (V_i - X_i M X_i') D_i' [1]_ [2]_; the others A_i = I. The
    degrees of freedom of coefficient l are tr(Q)^2 / tr(Q^2) with Q_ij = g_i'(delta_ij V_i - X_i M X_j') g_j,
    g_i = A_i V_i^-1 X_i M l.

    References
    ----------
    .. [1] Bell & McCaffrey (2002), Survey Methodology 28(2), 169-181.
    .. [2] Pustejovsky & Tipton (2018), Journal of Business & Economic Statistics 36(4), 672-683,
       doi:10.1080/07350015.2016.1247004.
    """
    estimator = _checked_kind(kind)
    if not len(fit.solution.beta):
        raise DataError("the model has no fixed effects, so there is no covariance to estimate")
    name, codes = _cluster_codes(fit, cluster)
    _check_separable(fit, name, codes)
    n_clusters = int(codes.max()) + 1
    M = fit.solution.vcov / fit.solution.sigma**2
    clusters = list(_split(fit, codes))
    if estimator == "CR2":
        parts = [_adjusted(fit, cluster, M, name) for cluster in clusters]
    else:
        VX = _solve_v(fit, fit.model.X)
        parts = [(VX[cluster.rows], cluster.X) for cluster in clusters]
    scores = np.array([G.T @ cluster.residuals for (G, _), cluster in zip(parts, clusters, strict=True)])
    factor = n_clusters / (n_clusters - 1) if estimator == "CR1" else 1.0
    return RobustCovariance(
        names=fit.model.kept_names,
        estimate=fit.solution.beta,
        vcov=factor * (M @ (scores.T @ scores) @ M),
        df=_degrees_of_freedom(parts, clusters, M),
        kind=estimator,
        cluster=name,
        n_clusters=n_clusters,
        data_kind=fit.model.data_kind,
    )


def _checked_kind(kind: str) -> Kind:
    for name in KINDS:
        if kind == name:
            return name
    raise DataError(f"kind={kind!r} is no robust covariance; choose one of {', '.join(map(repr, KINDS))}")


def _split(fit: LmmFit, codes: NDArray[np.int64]) -> Iterator[_Cluster]:
    residuals = fit.model.y - linear_predictor(fit, random=False)
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        yield _Cluster(rows, fit.model.X[rows], residuals[rows])


def _solve_v(fit: LmmFit, B: NDArray[np.float64]) -> NDArray[np.float64]:
    """V^-1 B in units of sigma^2, through the matrix of random effects: W B - W Z L (L'Z'W Z L + I)^-1 L'Z'W B."""
    weights = fit.model.weights
    WB = B if weights is None else weights[:, None] * B
    ZL = sp.csc_array(fit.model.Z @ relative_factor(fit))
    WZL = ZL if weights is None else sp.csc_array(sp.diags_array(weights) @ ZL)
    system = sp.csc_matrix(ZL.T @ WZL + sp.eye_array(ZL.shape[1]))
    return np.asarray(WB - WZL @ splu(system).solve(np.ascontiguousarray(ZL.T @ WB)))


def _adjusted(
    fit: LmmFit, cluster: _Cluster, M: NDArray[np.float64], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A_i V_i^-1 X_i and V_i A_i V_i^-1 X_i for CR2, each (n_i, p)."""
    root = _working_root(fit, cluster.rows)
    X, weights = cluster.X, fit.model.weights
    n_rows, n_columns = len(X), root.shape[1] + X.shape[1]
    basis = None
    order = n_rows
    if weights is None and n_columns < n_rows:
        # V_i takes the span of Z_i and X_i into itself and is the identity beside it, so that all happens in there.
        order = n_columns
        basis = np.linalg.qr(np.column_stack([root, X]))[0]
        root, X = basis.T @ root, basis.T @ X
    if order > _LARGEST_ORDER:
        raise DataError(
            f"CR2 needs a matrix of order {order} for a cluster of {name!r} with {n_rows} rows; at most "
            f"{_LARGEST_ORDER} is possible. Use CR1"
        )
    noise = np.ones(order) if weights is None else 1.0 / weights[cluster.rows]
    V = np.diag(noise) + root @ root.T
    adjusted = _root_of_inverse(V, X, M)
    if basis is None:
        return adjusted, V @ adjusted
    return basis @ adjusted, basis @ (V @ adjusted)


def _root_of_inverse(V: NDArray[np.float64], X: NDArray[np.float64], M: NDArray[np.float64]) -> NDArray[np.float64]:
    """A V^-1 X with A = D'(D (V - X M X') D')^(+1/2) D, V = D'D."""
    lower = np.linalg.cholesky(V)
    white = solve_triangular(lower, X, lower=True)
    shares, axes = np.linalg.eigh(np.eye(len(V)) - white @ M @ white.T)
    varies = shares > _ZERO
    # B = C C' with this C, whose singular values have twice as many digits as the eigenvalues of B.
    C = lower.T @ (lower @ (axes[:, varies] * np.sqrt(shares[varies])))
    U, values, _ = np.linalg.svd(C, full_matrices=False)
    half = lower @ (U / np.sqrt(values))
    return np.asarray(half @ (half.T @ solve_triangular(lower, white, lower=True, trans="T")))


def _working_root(fit: LmmFit, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Z_i Lambda_i of some rows for the levels that occur in them, (n_i, random effects)."""
    parts = []
    factors = fit.objective.layout.factors(fit.solution.theta)
    for term, L in zip(fit.model.terms, factors, strict=True):
        levels, local = np.unique(term.factor.codes[rows], return_inverse=True)
        part = np.zeros((len(rows), len(levels), len(L)))
        part[np.arange(len(rows)), local] = np.column_stack([column[rows] for column in term.columns]) @ L
        parts.append(part.reshape(len(rows), -1))
    return np.hstack(parts)


def _degrees_of_freedom(
    parts: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    clusters: Sequence[_Cluster],
    M: NDArray[np.float64],
) -> NDArray[np.float64]:
    """tr(Q)^2 / tr(Q^2) for each coefficient, Q = diag(a) - U M U' with a_i = g_i'V_i g_i and u_i = X_i'g_i."""
    p = len(M)
    a = np.array([((G @ M) * (VG @ M)).sum(axis=0) for G, VG in parts])
    U = np.array([cluster.X.T @ G @ M for (G, _), cluster in zip(parts, clusters, strict=True)])
    df = np.empty(p)
    for j in range(p):
        u = U[:, :, j]
        own = np.einsum("ij,jk,ik->i", u, M, u)
        cross = M @ (u.T @ u)
        squares = float((a[:, j] ** 2).sum() - 2.0 * (a[:, j] @ own) + np.sum(cross * cross.T))
        df[j] = float(a[:, j].sum() - own.sum()) ** 2 / squares
    return df


def _cluster_codes(
    fit: LmmFit, cluster: str | Sequence[object] | NDArray[np.generic] | None
) -> tuple[str, NDArray[np.int64]]:
    """Name of the clusters, and for each row the number of its cluster."""
    model = fit.model
    if cluster is None:
        return _coarsest(fit)
    if isinstance(cluster, str):
        name = same_group(cluster, model.factors) or bare(cluster)
        found = model.factors.get(name, model.columns.get(name))
        if found is None:
            known = dict.fromkeys((*model.factors, *model.columns))
            raise DataError(
                f"the fit knows no column {cluster!r}; it has {', '.join(known)}. Give the values as an array over "
                "the rows used"
            )
        values = found.codes if isinstance(found, Factor) else found
    else:
        name, values = "the given values", _of_used_rows(fit, np.asarray(cluster))
        if any(value is None or value != value for value in values.tolist()):
            raise DataError("cluster has missing values; every row must belong to a cluster")
    codes = np.unique(values, return_inverse=True)[1].astype(np.int64)
    if codes.max() == 0:
        raise DataError(f"{name} has one level only; a robust covariance needs two clusters or more")
    return name, codes


def _of_used_rows(fit: LmmFit, values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Values of the rows that the fit uses, given for these or for all rows of the data."""
    model = fit.model
    n_data = model.n_rows_given
    if values.shape == (n_data,) and model.kept_rows is not None:
        values = values[model.kept_rows]
    if values.shape != (model.nobs,):
        also = f", or of the {n_data} rows of the data" if n_data > model.nobs else ""
        raise DataError(
            f"cluster has shape {values.shape}; it must hold one value for each of the {model.nobs} rows used{also}"
        )
    return values


def _coarsest(fit: LmmFit) -> tuple[str, NDArray[np.int64]]:
    factors = fit.model.factors
    for name, factor in sorted(factors.items(), key=lambda item: item[1].n_levels):
        codes = factor.codes.astype(np.int64)
        if all(_nested(other, codes) for other in factors.values()):
            return name, codes
    raise DataError(
        f"the grouping factors {', '.join(factors)} are crossed: none of them contains the others, so that none makes "
        "independent clusters. Name a cluster that contains them all"
    )


def _nested(factor: Factor, codes: NDArray[np.int64]) -> bool:
    """Whether each level of the factor occurs in one cluster only."""
    pairs = factor.codes.astype(np.int64) * (int(codes.max()) + 1) + codes
    return len(np.unique(pairs)) == factor.n_levels


def _check_separable(fit: LmmFit, name: str, codes: NDArray[np.int64]) -> None:
    for group, factor in fit.model.factors.items():
        if not _nested(factor, codes):
            raise DataError(
                f"levels of {group!r} occur in several clusters of {name!r}, so that the model correlates the "
                "clusters; choose clusters in which every grouping factor is nested"
            )
