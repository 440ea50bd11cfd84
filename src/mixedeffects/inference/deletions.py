"""Single-term deletions: of random-effects terms, and of terms of the fixed part by their likelihood ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.inference.distributions import chi2_upper
from mixedeffects.inference.reduction import (
    droppable,
    fit_reduced,
    loglik_of_terms,
    random_reductions,
    refitted,
    without_fixed,
)
from mixedeffects.inference.table import Table, table_of

if TYPE_CHECKING:
    from mixedeffects.fit import LmmFit

RANOVA_HEADS = ("term", "npar", "loglik", "aic", "lrt", "df", "p_chisq", "p_mixture")
DROP1_HEADS = ("term", "npar", "loglik", "aic", "lrt", "df", "p_value")
WHOLE = "<none>"


def mixture_p_value(statistic: float, df: int) -> float:
    """Upper tail of the half-and-half mixture of chi-squares with df - 1 and df degrees of freedom.

    Parameters
    ----------
    statistic : float
        A likelihood ratio statistic.
    df : int
        Parameters that are left out, 1 or more; a chi-square with 0 degrees of freedom is 0.

    Notes
    -----
    The asymptotic distribution where one variance (and the covariances that go with it) is zero under the hypothesis
    [1]_ [2]_; where several variances are, it is larger in distribution than the right one: the weights of a
    chi-bar-square of even and of odd degrees of freedom both add up to one half.

    References
    ----------
    .. [1] Self & Liang (1987), Journal of the American Statistical Association 82(398), 605-610.
    .. [2] Stram & Lee (1994), Biometrics 50(4), 1171-1177, doi:10.2307/2533455.
    """
    if statistic <= 0.0:
        return 1.0
    below = chi2_upper(statistic, df - 1) if df > 1 else 0.0
    return 0.5 * (below + chi2_upper(statistic, df))


def ranova(fit: LmmFit) -> Table:
    """Test each random-effects term by leaving it, or one of its variables, out.

    Parameters
    ----------
    fit : LmmFit
        The full model; REML or not, the reduced models are fitted in the same way.

    Returns
    -------
    Table
        The full model (``"<none>"``), then one row per reduced model: term, npar, loglik, aic, lrt, df, p_chisq (the
        naive chi-square), p_mixture (the half-and-half mixture of `mixture_p_value`).

    Raises
    ------
    DataError
        If theta was not estimated.

    Notes
    -----
    ``(x | g)`` is reduced to ``(1 | g)``, ``(0 + f | g)`` for a factor f too; of several variables one is left out at
    a time; a term that is ``(1 | g)`` or ``(0 + x | g)`` is removed [1]_. A variance of zero lies on the boundary, so
    that p_chisq is too large: about twice p_mixture for a single variance.

    References
    ----------
    .. [1] Kuznetsova, Brockhoff & Christensen (2017), lmerTest, Journal of Statistical Software 82(13),
       doi:10.18637/jss.v082.i13.
    """
    if fit.control.fixed_theta is not None:
        raise DataError("the fit was made at a fixed theta; ranova needs one that estimates theta")
    rows = [(WHOLE, fit.npar, fit.loglik, fit.aic, np.nan, np.nan, np.nan, np.nan)]
    for label, terms in random_reductions(fit.model):
        loglik = loglik_of_terms(fit, terms)
        n_theta = sum(term.n_columns * (term.n_columns + 1) // 2 for term in terms)
        npar = fit.npar - len(fit.solution.theta) + n_theta
        df = fit.npar - npar
        lrt = max(0.0, 2.0 * (fit.loglik - loglik))
        naive, mixture = chi2_upper(lrt, df), mixture_p_value(lrt, df)
        rows.append((label, npar, loglik, 2.0 * (npar - loglik), lrt, float(df), naive, mixture))
    notes = [
        "p_mixture: half-and-half mixture of chi-squares with df - 1 and df degrees of freedom",
        "p_chisq: chi-square with df degrees of freedom, too large at the boundary",
    ]
    if fit.reml:
        notes.append("likelihoods are restricted (REML)")
    return table_of(RANOVA_HEADS, rows, text=("term",), notes=notes, kind=fit.model.data_kind)


def drop1_lrt(fit: LmmFit) -> Table:
    """Test each term of the fixed part that no other one contains by its likelihood ratio.

    Parameters
    ----------
    fit : LmmFit
        The full model; a REML fit is refitted by maximum likelihood, and a note says so.

    Returns
    -------
    Table
        The full model (``"<none>"``), then one row per reduced model: term, npar, loglik, aic, lrt, df, p_value. The
        constant is never left out.

    Raises
    ------
    DataError
        If a term cannot be left out without coding others anew, as A in ``0 + A + B`` for two factors.

    Notes
    -----
    lrt = 2 (l - l0), chi-square with df = npar - npar0 under the hypothesis that the coefficients are zero. p_value
    is NaN where a term has no estimable coefficient of its own.
    """
    full, notes = refitted(fit, reml=False), []
    if full is not fit:
        notes.append("the model was refitted by maximum likelihood")
    rows = [(WHOLE, full.npar, full.loglik, full.aic, np.nan, np.nan, np.nan)]
    for label in droppable(full.model.encoding):
        reduced = fit_reduced(full, without_fixed(full.model, label), reml=False)
        lrt, df = max(0.0, 2.0 * (full.loglik - reduced.loglik)), full.npar - reduced.npar
        p_value = chi2_upper(lrt, df) if df else np.nan
        rows.append((label, reduced.npar, reduced.loglik, reduced.aic, lrt, float(df), p_value))
    return table_of(DROP1_HEADS, rows, text=("term",), notes=notes, kind=fit.model.data_kind)
