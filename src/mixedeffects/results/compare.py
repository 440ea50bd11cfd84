"""Comparisons of fits: the public faces of the inference layer's functions of several models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.fit.calls import clear_call
from mixedeffects.inference.lrt import anova_models
from mixedeffects.tables.frames import noted

if TYPE_CHECKING:
    from mixedeffects.fit import LmmFit


@clear_call
def anova(*fits: LmmFit, refit: bool = True) -> Any:
    """Compare nested models by likelihood ratio tests.

    Parameters
    ----------
    *fits : LmmResult
        Two or more fits to the same response, rows and weights.
    refit : bool
        Refit REML fits by maximum likelihood, which a printed note says. Without it REML criteria are compared, which
        needs equal fixed parts.

    Returns
    -------
    data frame
        One row per model, by number of parameters: model, formula, family (of generalized models, where they differ),
        npar, aic, bic, loglik, deviance, chisq, df and p_value. Where there is no test, because the model above is no
        special case, the last three are NaN and a note tells why.

    Raises
    ------
    DataError
        For different rows, responses or weights, for counts beside continuous responses, or REML fits with different
        fixed parts and ``refit=False``.

    Notes
    -----
    chisq = 2 (l1 - l0) against chi-square with the difference in parameters. Where a variance is zero under the smaller
    model this reference is conservative; see `exact_rlrt`, `bootstrap_lrt` and the fit's `ranova`.

    Examples
    --------
    >>> import mixedeffects as me
    >>> data = me.datasets.load("sleepstudy")
    >>> fit0 = me.lmer("Reaction ~ Days + (1 | Subject)", data, reml=False)
    >>> fit1 = me.lmer("Reaction ~ Days + (Days | Subject)", data, reml=False)
    >>> table = me.anova(fit0, fit1)
    >>> round(float(table["chisq"][1]), 3), float(table["df"][1])
    (42.139, 2.0)
    """
    table = anova_models(*fits, refit=refit)
    return noted(table.to_frame(), table.notes)
