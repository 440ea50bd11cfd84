"""A generalized model without some of its rows, for many sets of rows: by refits, or one step at the modes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import MixedEffectsError
from mixedeffects.fit.deletions import Deletions, delete, shared_coefficients, without_rows
from mixedeffects.fit.kinds import fit_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit.deletions import RowSets
    from mixedeffects.fit.glmm import GlmmFit
    from mixedeffects.fit.record import LmmFit


def delete_refits(fit: GlmmFit, sets: RowSets) -> Deletions:
    """Fit the model without each set of rows, by searches that start at the theta of all rows.

    Parameters
    ----------
    fit : GlmmFit
        The fit of all rows.
    sets : RowSets
        What to leave out.

    Returns
    -------
    Deletions
        sigma is that of the family, 1 where it has none.
    """
    start = None if fit.control.fixed_theta is not None else tuple(fit.solution.theta.tolist())
    control = replace(fit.control, start=start, threads=1)

    def refitted(gone: NDArray[np.int64]) -> LmmFit | None:
        design = without_rows(fit.model, gone)
        if design.nobs <= design.X.shape[1] or any(term.factor.n_levels < 2 for term in design.terms):
            return None
        try:
            return fit_as(fit, design, reml=False, control=control)
        except (MixedEffectsError, np.linalg.LinAlgError):
            return None

    with ThreadPoolExecutor(fit.control.n_threads) as pool:
        fits = list(pool.map(refitted, (sets.rows(i) for i in range(len(sets)))))
    return _collected(fit, sets, fits)


def _collected(fit: GlmmFit, sets: RowSets, fits: Sequence[LmmFit | None]) -> Deletions:
    m, p = len(sets), len(fit.solution.beta)
    beta, vcov = np.full((m, p), np.nan), np.full((m, p, p), np.nan)
    theta = np.full((m, len(fit.solution.theta)), np.nan)
    sigma, criterion = np.full(m, np.nan), np.full(m, np.nan)
    for i, one in enumerate(fits):
        if one is None:
            continue
        own, kept = shared_coefficients(fit.model, one.model, sets.rows(i))
        beta[i, kept] = one.solution.beta[own]
        vcov[i, kept[:, None], kept] = one.solution.vcov[np.ix_(own, own)]
        # The record of a generalized fit has its own sigma; that of its solution is 1.
        sigma[i], theta[i], criterion[i] = getattr(one, "sigma", 1.0), one.solution.theta, one.criterion
    return Deletions(
        beta=beta,
        vcov=vcov,
        sigma=sigma,
        theta=theta,
        criterion=criterion,
        n_refused=sum(one is None for one in fits),
        n_unconverged=sum(one is not None and not one.optimum.converged for one in fits),
    )


def delete_at_modes(working: LmmFit, sets: RowSets) -> Deletions:
    """Leave the sets out of the linear mixed model at the modes, theta and weights held; sigma stays 1.

    Parameters
    ----------
    working : LmmFit
        As `fit.glmm_working.working_model` makes it.
    sets : RowSets
        What to leave out.
    """
    return at_unit_sigma(delete(working, sets, refit=False, observation_level=True))


def at_unit_sigma(deleted: Deletions) -> Deletions:
    """The same with the covariances of sigma = 1 instead of an estimate."""
    vcov = deleted.vcov / deleted.sigma[:, None, None] ** 2
    return replace(deleted, vcov=vcov, sigma=np.where(np.isfinite(deleted.sigma), 1.0, np.nan))
