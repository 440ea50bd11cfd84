"""What becomes of the fixed effects of a generalized fit without a group or a row: refits, or one step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mixedeffects.diagnostics.influence import delete_rows, grouping_of, influence, measures, row_factor
from mixedeffects.errors import DataError, MixedEffectsError
from mixedeffects.fit.deletions import sets_of_codes
from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.fit.glmm_deletions import at_unit_sigma, delete_at_modes, delete_refits
from mixedeffects.fit.glmm_working import working_model

if TYPE_CHECKING:
    from mixedeffects.diagnostics.influence import Influence
    from mixedeffects.fit.deletions import Deletions

GlmmMethod = Literal["refit", "one-step"]


@influence.register(GlmmFit)
def glmm_influence(fit: GlmmFit, by: Any = None, method: GlmmMethod | None = None) -> Influence:
    """Influence of groups or rows on the fixed effects of a generalized fit.

    Parameters
    ----------
    fit : GlmmFit
        Any generalized fit with fixed effects.
    by : str or array-like (n,), optional
        A grouping factor or another column that the formula uses, or labels of the rows used; single rows by default.
    method : {"refit", "one-step"}, optional
        Fit the model without each set, from the estimated theta (by default for groups); or leave the set out of the
        linear mixed model at the conditional modes (by default for rows).

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
    One step is the first Newton step of the penalized likelihood towards the modes without the set [1]_: working
    weights, theta and dispersion are held. Its measures compare covariances given the variance estimates, without and
    with the set.

    References
    ----------
    .. [1] Pregibon (1981), Logistic regression diagnostics, Annals of Statistics 9(4), 705-724,
       doi:10.1214/aos/1176345513; for mixed models Xiang, Tse & Lee (2002), Influence diagnostics for generalized
       linear mixed models, Computational Statistics & Data Analysis 40(4), 759-774, doi:10.1016/S0167-9473(02)00093-4.
    """
    if not len(fit.solution.beta):
        raise MixedEffectsError("the model has no fixed effects for groups or rows to influence")
    if method not in (None, "refit", "one-step"):
        raise DataError(f"method={method!r} is not known for a generalized model; choose 'refit' or 'one-step'")
    factor = row_factor(fit) if by is None else grouping_of(fit, by)
    labels = fit.model.rows if by is None else factor.labels
    if method == "refit" or (method is None and by is not None):
        deleted = delete_refits(fit, sets_of_codes(factor.codes, factor.n_levels))
        return measures(fit, factor.name, "refit", labels, deleted)
    working = working_model(fit)
    if by is None:
        deleted = at_unit_sigma(delete_rows(working))
    else:
        deleted = delete_at_modes(working, sets_of_codes(factor.codes, factor.n_levels))
    moved = _moved(fit, deleted, working.solution.beta)
    return measures(fit, factor.name, "one-step", labels, moved, working.solution.vcov)


def _moved(fit: GlmmFit, deleted: Deletions, beta: Any) -> Deletions:
    """The step from the fit's own estimates: those of the working model differ by what Laplace's determinant adds."""
    sigma = np.where(np.isfinite(deleted.sigma), fit.sigma, np.nan)
    return replace(deleted, beta=fit.solution.beta + deleted.beta - beta, sigma=sigma)
