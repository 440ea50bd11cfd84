"""Likelihood ratio tests between fits of nested models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.inference.distributions import chi2_upper
from mixedeffects.inference.nesting import (
    check_same_data,
    family_label,
    family_nested,
    fixed_nested,
    random_nested,
    same_fixed_part,
)
from mixedeffects.inference.reduction import refitted
from mixedeffects.inference.table import Table, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixedeffects.fit import LmmFit

_NUMBERS = ("npar", "aic", "bic", "loglik", "deviance", "chisq", "df", "p_value")
HEADS = ("model", "formula", *_NUMBERS)


def anova_models(*fits: LmmFit, refit: bool = True) -> Table:
    """Compare nested models by their likelihood ratios.

    Parameters
    ----------
    *fits : LmmFit
        Two or more fits to the same response, rows and weights.
    refit : bool
        Refit REML fits by maximum likelihood, and say so in a note. Without it REML criteria are compared, which needs
        equal fixed parts.

    Returns
    -------
    Table
        One row per model, by number of parameters; columns model (``"fit0"`` for the first argument, and so on),
        formula, family where families or links differ, npar, aic, bic, loglik, deviance (-2 loglik), and for all rows
        but the first chisq, df and p_value against the row above. They are NaN where there is no test, which a note
        tells: models with as many parameters (df is 0), a fixed part that is not nested in that of the row, other
        families or links. A Poisson model is the limit of a negative binomial one.

    Raises
    ------
    DataError
        For fewer than two fits, for different responses, rows or weights, for families of counts beside families of
        continuous responses, and for REML fits with ``refit=False`` that have different fixed parts or are mixed with
        fits by maximum likelihood.

    Notes
    -----
    chisq = 2 (l1 - l0), referred to the chi-square distribution with df = npar1 - npar0. Where a variance is zero
    under the smaller model this reference is conservative, and a note says so [1]_.

    References
    ----------
    .. [1] Self & Liang (1987), Journal of the American Statistical Association 82(398), 605-610,
       doi:10.1080/01621459.1987.10478472.
    """
    if len(fits) < 2:
        raise DataError(f"a comparison needs two fits or more, not {len(fits)}")
    labels = [f"fit{i}" for i in range(len(fits))]
    check_same_data(fits, labels)
    compared, notes = _comparable(fits, labels, refit=refit)
    order = sorted(range(len(fits)), key=lambda i: compared[i].npar)
    families = [family_label(fit) for fit in compared]
    text = ("model", "formula", "family")[: 3 if len(set(families)) > 1 else 2]
    rows = []
    for position, i in enumerate(order):
        below = order[position - 1] if position else None
        fit = compared[i]
        test = (np.nan, np.nan, np.nan)
        if below is not None:
            test = _likelihood_ratio(compared[below], fit)
            notes += _cautions(compared[below], fit, labels[below], labels[i])
        names = (labels[i], fit.model.formula.text, families[i])[: len(text)]
        rows.append((*names, fit.npar, fit.aic, fit.bic, fit.loglik, fit.criterion, *test))
    return table_of((*text, *_NUMBERS), rows, text=text, notes=notes, kind=fits[0].model.data_kind)


def _comparable(fits: Sequence[LmmFit], labels: Sequence[str], *, refit: bool) -> tuple[list[LmmFit], list[str]]:
    restricted = [label for fit, label in zip(fits, labels, strict=True) if fit.reml]
    if not restricted:
        return list(fits), []
    if refit:
        were = "was" if len(restricted) == 1 else "were"
        note = f"{', '.join(restricted)} {were} fitted by REML and refitted by maximum likelihood for this comparison"
        return [refitted(fit, reml=False) for fit in fits], [note]
    if len(restricted) < len(fits):
        raise DataError(
            f"{', '.join(restricted)} by REML cannot be compared with fits by maximum likelihood; use refit=True"
        )
    for fit, label in zip(fits[1:], labels[1:], strict=True):
        if not same_fixed_part(fit.model, fits[0].model):
            raise DataError(
                f"fit0 and {label} have different fixed parts, so that their REML criteria cannot be compared; use "
                "refit=True, which refits them by maximum likelihood"
            )
    return list(fits), ["likelihoods are restricted (REML)"]


def _likelihood_ratio(small: LmmFit, large: LmmFit) -> tuple[float, float, float]:
    df = large.npar - small.npar
    if _no_test(small, large, "", ""):
        return np.nan, np.nan if df else 0.0, np.nan
    chisq = max(0.0, 2.0 * (large.loglik - small.loglik))
    return chisq, float(df), chi2_upper(chisq, df)


def _no_test(small: LmmFit, large: LmmFit, small_label: str, large_label: str) -> str:
    """Why the larger model cannot be tested against the smaller one; nothing if it can."""
    if not family_nested(small, large):
        return f"{family_label(small)} is no special case of {family_label(large)}"
    if not fixed_nested(small.model, large.model):
        return f"the fixed part of {small_label} is not nested in that of {large_label}"
    if small.npar == large.npar:
        return f"both have {small.npar} parameters, so that neither is nested in the other"
    return ""


def _cautions(small: LmmFit, large: LmmFit, small_label: str, large_label: str) -> list[str]:
    pair = f"{large_label} against {small_label}"
    reason = _no_test(small, large, small_label, large_label)
    if reason:
        return [f"{pair}: {reason}; there is no test (aic and bic can be compared)"]
    notes = []
    if family_label(small) != family_label(large):
        notes.append(
            f"{pair}: the Poisson model is the limit of the negative binomial one, a boundary, where the chi-square "
            "distribution is conservative"
        )
    if not random_nested(small.model, large.model):
        notes.append(
            f"{pair}: the random-effects terms of {small_label} are not all parts of terms of {large_label}; the test "
            "assumes that the models are nested"
        )
    if len(large.solution.theta) > len(small.solution.theta):
        notes.append(
            f"{pair}: variances are zero under the smaller model, a boundary, where the chi-square distribution is "
            "conservative; ranova gives the half-and-half mixture, exact_rlrt and bootstrap_lrt do without it"
        )
    return notes
