"""What becomes of the fixed effects without a group or a row: closed form at the estimated variances, or refits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mixedeffects.errors import DataError, MixedEffectsError
from mixedeffects.fit.deletions import Deletions, RowSets, delete, sets_of_codes
from mixedeffects.fit.functionals import fitted_functionals, free_share, leverage
from mixedeffects.fit.residuals import residuals
from mixedeffects.formula import bare, same_group
from mixedeffects.frame import Factor, read_factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

Method = Literal["refit", "closed"]  # of linear mixed models; `glmm_influence` has those of generalized ones
_DIGITS = 1e-8  # of the residual sum of squares: a smaller one is not to be had by subtraction


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Influence:
    """Changes of the estimates without each of m sets of rows. NaN where the rows left allow no such estimate.

    Attributes
    ----------
    by : str
        The grouping factor, or ``"row"``.
    method : {"refit", "closed", "one-step"}
        Whether the variances were estimated anew.
    labels : ndarray (m,)
        The level, or the position of the row in the data.
    names : tuple of str (p,)
        The fixed effects.
    deleted : Deletions
        The estimates without each set.
    dfbeta : ndarray (m, p)
        beta without the set less beta.
    dfbetas : ndarray (m, p)
        dfbeta in standard errors of the estimate without the set.
    cooks_distance : ndarray (m,)
        dfbeta' var(beta)^-1 dfbeta / p.
    mdffits : ndarray (m,)
        The same with the covariance without the set.
    covratio : ndarray (m,)
        Ratio of the determinants, covariance without the set to covariance.
    covtrace : ndarray (m,)
        abs(tr(var(beta)^-1 var(beta without the set)) - p).
    notes : tuple of str
        What there is to say about sets without an estimate.
    """

    by: str
    method: str
    labels: NDArray[Any]
    names: tuple[str, ...]
    deleted: Deletions
    dfbeta: NDArray[np.float64]
    dfbetas: NDArray[np.float64]
    cooks_distance: NDArray[np.float64]
    mdffits: NDArray[np.float64]
    covratio: NDArray[np.float64]
    covtrace: NDArray[np.float64]
    notes: tuple[str, ...]


@singledispatch
def influence(fit: LmmFit, by: Any = None, method: Method | None = None) -> Influence:
    """Influence of groups or rows on the fixed effects.

    Parameters
    ----------
    fit : LmmFit
        Any fit with fixed effects.
    by : str or array-like (n,), optional
        A grouping factor or another column that the formula uses, or labels of the rows used; single rows by default.
    method : {"refit", "closed"}, optional
        Estimate the variance parameters anew without each set (by default for groups), or hold their ratios to sigma^2
        at the estimate (by default for rows).

    Returns
    -------
    Influence

    Raises
    ------
    DataError
        For another `by` or `method`.
    MixedEffectsError
        If the model has no fixed effects.

    Notes
    -----
    Cook's distance, MDFFITS and COVRATIO for the fixed effects of a mixed model [1]_ [2]_. At held variances a row
    changes beta by -(X'V^-1X)^-1 t w r / (1 - h), with t of `fit.functionals`, r the residual and h the leverage.
    Formulas are not read again, so knots and contrasts stay those of the fit.

    References
    ----------
    .. [1] Christensen, Pearson & Johnson (1992), Case-deletion diagnostics for mixed models, Technometrics 34, 38-45,
       doi:10.2307/1269550.
    .. [2] Loy & Hofmann (2014), HLMdiag, Journal of Statistical Software 56(5), doi:10.18637/jss.v056.i05.
    """
    if not len(fit.solution.beta):
        raise MixedEffectsError("the model has no fixed effects for groups or rows to influence")
    if method not in (None, "refit", "closed"):
        raise DataError(f"method={method!r} is not known; choose 'refit' or 'closed'")
    if by is None and method != "refit":
        return measures(fit, "row", "closed", fit.model.rows, delete_rows(fit))
    factor = row_factor(fit) if by is None else grouping_of(fit, by)
    deleted = delete(fit, sets_of_codes(factor.codes, factor.n_levels), refit=method != "closed")
    labels = fit.model.rows if by is None else factor.labels
    return measures(fit, factor.name, method or "refit", labels, deleted)


def row_factor(fit: LmmFit) -> Factor:
    """A factor with one level per row."""
    n = fit.nobs
    return Factor(name="row", codes=np.arange(n, dtype=np.int32), levels=np.arange(n))


def grouping_of(fit: LmmFit, by: Any) -> Factor:
    """The factor that `by` names, or that its labels make.

    Raises
    ------
    DataError
        For a name that the fit does not know, or another number of labels than rows.
    """
    model = fit.model
    if isinstance(by, str):
        by = bare(by)
        column = model.columns.get(by)
        if (group := same_group(by, model.factors)) is not None:
            return model.factors[group]
        if column is None:
            known = ", ".join(dict.fromkeys([*model.factors, *model.columns]))
            raise DataError(f"by={by!r} is no grouping factor and no column of the formula; those are {known}")
        return column if isinstance(column, Factor) else read_factor(by, column)
    if isinstance(by, list | tuple) and len(by) == 1 and isinstance(by[0], str) and model.nobs > 1:
        raise DataError(f"by={by!r}: give one name, by={by[0]!r}, or a label for each of the {model.nobs} rows used")
    labels = np.asarray(by)
    if labels.shape != (model.nobs,):
        raise DataError(f"by has shape {labels.shape}; it needs a label for each of the {model.nobs} rows used")
    return read_factor("group", labels)


def delete_rows(fit: LmmFit) -> Deletions:
    """Estimates without each row, the ratios of the variances held: linear in n.

    Parameters
    ----------
    fit : LmmFit
        A linear mixed model.
    """
    parts, solution, model = fitted_functionals(fit), fit.solution, fit.model
    w = model.row_weights
    r = residuals(fit)
    t, D = parts.fixed, parts.relative
    Dt = t @ D
    free = free_share(w * parts.variance)
    beta = solution.beta - Dt * (w * r / free)[:, None]
    degrees = fit.objective.degrees - 1
    rss = np.maximum(solution.rss - w * r**2 / free, 0.0)
    sigma = np.sqrt(rss / degrees) if degrees else np.full(fit.nobs, np.nan)
    lost = np.flatnonzero(~(rss > _DIGITS * solution.rss) & np.isfinite(free))
    relative = D + (w / free)[:, None, None] * (Dt[:, :, None] * Dt[:, None, :])
    vcov = sigma[:, None, None] ** 2 * relative
    if len(lost):  # subtraction leaves no digits beside a residual so large
        codes = np.full(fit.nobs, len(lost))
        codes[lost] = np.arange(len(lost))
        order = np.argsort(codes, kind="stable")[: len(lost)].astype(np.int64)
        again = delete(fit, RowSets(order=order, start=np.arange(len(lost) + 1)), refit=False)
        beta[lost], vcov[lost], sigma[lost] = again.beta, again.vcov, again.sigma
    return Deletions(
        beta=beta,
        vcov=vcov,
        sigma=sigma,
        theta=np.broadcast_to(solution.theta, (fit.nobs, len(solution.theta))),
        criterion=np.full(fit.nobs, np.nan),
        n_refused=int(np.isnan(free).sum()),
        n_unconverged=0,
    )


def measures(
    fit: LmmFit,
    by: str,
    method: str,
    labels: NDArray[Any],
    deleted: Deletions,
    vcov: NDArray[np.float64] | None = None,
) -> Influence:
    """Measures of influence from the estimates without each set.

    Parameters
    ----------
    fit : LmmFit
        The fit of all rows.
    by, method : str
        For the record.
    labels : ndarray (m,)
        The sets.
    deleted : Deletions
        The estimates without them.
    vcov : ndarray (p, p), optional
        Covariance of the fixed effects of all rows; by default that of the fit.
    """
    vcov = fit.solution.vcov if vcov is None else vcov
    p = len(vcov)
    change = deleted.beta - fit.solution.beta
    whole = np.isfinite(deleted.vcov).all(axis=(1, 2)) & (deleted.sigma > 0.0)
    inverse = np.linalg.inv(vcov)
    cooks = np.einsum("mp,pq,mq->m", change, inverse, change, optimize=True) / p
    mdffits, covratio, covtrace = (np.full(len(change), np.nan) for _ in range(3))
    own = deleted.vcov[whole]
    solved = np.linalg.solve(own, change[whole][:, :, None])[:, :, 0]
    mdffits[whole] = (change[whole] * solved).sum(axis=1) / p
    covratio[whole] = np.exp(np.linalg.slogdet(own)[1] - np.linalg.slogdet(vcov)[1])
    covtrace[whole] = np.abs(np.einsum("pq,mqp->m", inverse, own) - p)
    return Influence(
        by=by,
        method=method,
        labels=labels,
        names=fit.model.kept_names,
        deleted=deleted,
        dfbeta=change,
        dfbetas=change / np.sqrt(np.einsum("mpp->mp", deleted.vcov)),
        cooks_distance=cooks,
        mdffits=mdffits,
        covratio=covratio,
        covtrace=covtrace,
        notes=_notes(deleted),
    )


def _notes(deleted: Deletions) -> tuple[str, ...]:
    notes = []
    if deleted.n_refused:
        notes.append(f"{deleted.n_refused} deletions leave no model that can be fitted; their values are NaN")
    aliased = int((np.isnan(deleted.beta).any(axis=1) & np.isfinite(deleted.beta).any(axis=1)).sum())
    if aliased:
        notes.append(f"{aliased} deletions leave coefficients that cannot be estimated; theirs are NaN")
    if deleted.n_unconverged:
        notes.append(f"{deleted.n_unconverged} refits did not converge")
    return tuple(notes)


def conditional_cooks(fit: LmmFit, hat: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Cook's distance of each row from its residual and leverage, (n,); NaN where h = 1.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    hat : ndarray (n,), optional
        Its leverages.

    Notes
    -----
    r_i^2 h_i / ((1 - h_i)^2 p), r the scaled residual: how far the fitted values, random effects included, move without
    the row at the estimated variances. `influence` tells how far the fixed effects move.
    """
    hat = leverage(fit) if hat is None else hat
    p = len(fit.solution.beta)
    if p == 0:
        return np.full(len(hat), np.nan)
    out: NDArray[np.float64] = (residuals(fit, "scaled") / free_share(hat)) ** 2 * hat / p
    return out
