"""Tables of tests of the fixed effects: coefficients, terms, deletions, and hypotheses of the caller's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.inference.contrasts import marginal_terms, term_contrasts
from mixedeffects.inference.dispatch import Ddf, FTest, TTest, checked_ddf, f_test, t_test
from mixedeffects.inference.fixed_terms import estimability
from mixedeffects.inference.hypotheses import linear_hypotheses
from mixedeffects.inference.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from mixedeffects.fit import LmmFit

_F_COLUMNS = ("sum_sq", "mean_sq", "df_num", "df_den", "statistic", "p_value")
_T_COLUMNS = ("estimate", "std_error", "df", "statistic", "p_value")


def coef_table(fit: LmmFit, ddf: str = "satterthwaite") -> Table:
    """Test every coefficient against zero.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    ddf : {"satterthwaite", "kenward-roger", "residual", "normal"}
        Method for the degrees of freedom.

    Returns
    -------
    Table
        Columns term (list of str), estimate, std_error, df, statistic, p_value (ndarray (p_full,)); NaN for a
        coefficient that was dropped for rank deficiency.

    Raises
    ------
    DataError
        For another method.
    MixedEffectsError
        If the method is undefined for this fit.
    """
    method = checked_ddf(ddf)
    design = fit.model
    identity = iter(np.eye(len(fit.solution.beta)))
    tests = [t_test(fit, next(identity), ddf=method) if kept else None for kept in design.kept]
    return Table(
        columns={"term": list(design.names), **_columns(tests, _T_COLUMNS)},
        text=("term",),
        notes=(f"degrees of freedom: {method}",),
        kind=design.data_kind,
    )


def anova_table(fit: LmmFit, type: int = 3, ddf: str = "satterthwaite") -> Table:
    """Test every term of the fixed part.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    type : {1, 2, 3}
        Which hypotheses, see `term_contrasts`.
    ddf : {"satterthwaite", "kenward-roger", "residual", "normal"}
        Method for the degrees of freedom.

    Returns
    -------
    Table
        Columns term (list of str), sum_sq, mean_sq, df_num, df_den, statistic, p_value (ndarray); one row for each term
        but the intercept. sum_sq is F sigma^2 df_num, in squared units of y. A term whose coefficients are all aliased
        has df_num 0 and NaN otherwise.

    Raises
    ------
    DataError
        For another type or method.
    MixedEffectsError
        If the method is undefined for this fit.

    References
    ----------
    .. [1] Kuznetsova, Brockhoff & Christensen (2017), lmerTest, Journal of Statistical Software 82(13),
       doi:10.18637/jss.v082.i13.
    """
    method = checked_ddf(ddf)
    return _f_table(fit, term_contrasts(fit.model, type), method, f"type {type} analysis of variance")


def anova_chi2(fit: LmmFit, type: int = 3) -> Table:
    """Test every term of the fixed part by Wald's chi-square, without degrees of freedom for the denominator.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    type : {1, 2, 3}
        Which hypotheses, see `term_contrasts`.

    Returns
    -------
    Table
        Columns term (list of str), statistic, df, p_value (ndarray); one row for each term but the intercept.

    Raises
    ------
    DataError
        For another type.

    Notes
    -----
    statistic = (L beta)'(L V L')^-1 (L beta), chi-square with rank(L) degrees of freedom under L beta = 0.
    """
    found = _f_table(fit, term_contrasts(fit.model, type), "normal", "")
    df = found.columns["df_num"]
    return Table(
        columns={
            "term": found.columns["term"],
            "statistic": np.asarray(found.columns["statistic"]) * df,
            "df": df,
            "p_value": found.columns["p_value"],
        },
        text=("term",),
        notes=(f"type {type} analysis of deviance, Wald's chi-square tests",),
        kind=found.kind,
    )


def drop1_f(fit: LmmFit, ddf: str = "satterthwaite") -> Table:
    """Test the deletion of each term that stands in no further term.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    ddf : {"satterthwaite", "kenward-roger", "residual", "normal"}
        Method for the degrees of freedom.

    Returns
    -------
    Table
        As `anova_table`, for the terms that may go: with ``a*b`` only ``a:b``.

    Raises
    ------
    DataError
        For another method.
    MixedEffectsError
        If the method is undefined for this fit.
    """
    method = checked_ddf(ddf)
    return _f_table(fit, marginal_terms(fit.model), method, "single term deletions")


def linear_test(
    fit: LmmFit, L: ArrayLike | str | Sequence[str], rhs: ArrayLike = 0.0, ddf: str = "satterthwaite"
) -> TTest | FTest:
    """Test linear hypotheses L beta = rhs about the fixed effects.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    L : array-like (p_full,) or (q, p_full), str, or sequence of str
        Coefficients of the hypotheses over all names of `Design.names`, in their order; or text such as
        ``"Days = 10"``, ``"a - b = 0"``, ``"2*Days + Intercept = 250"``.
    rhs : float or array-like (q,)
        Values under the hypotheses, for arrays; text holds its own.
    ddf : {"satterthwaite", "kenward-roger", "residual", "normal"}
        Method for the degrees of freedom.

    Returns
    -------
    TTest or FTest
        t for one hypothesis, F for several.

    Raises
    ------
    DataError
        For arrays of another shape, hypotheses that are not estimable, contradict each other or involve no coefficient,
        or another method.
    FormulaError
        If text cannot be read.
    MixedEffectsError
        If the method is undefined for this fit.
    """
    method = checked_ddf(ddf)
    rows, values = _hypotheses(fit, L, rhs)
    reduced, estimable = estimability(fit.model).reduce(rows)
    if not estimable.all():
        dropped = [name for name, kept in zip(fit.model.names, fit.model.kept, strict=True) if not kept]
        first = int(np.flatnonzero(~estimable)[0])
        which = L if isinstance(L, str) else f"hypothesis {first + 1} of {len(rows)}"
        raise DataError(
            f"{which!r} is not estimable: its value depends on which columns were dropped for rank deficiency "
            f"({', '.join(dropped[:10])}{' ...' if dropped[10:] else ''}); use combinations that the data determine"
        )
    if len(rows) == 1:
        return t_test(fit, reduced[0], float(values[0]), method)
    return f_test(fit, reduced, values, method)


def _hypotheses(
    fit: LmmFit, L: ArrayLike | str | Sequence[str], rhs: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    names = fit.model.names
    texts = [L] if isinstance(L, str) else L
    if isinstance(texts, list | tuple) and texts and all(isinstance(text, str) for text in texts):
        if np.any(np.asarray(rhs) != 0.0):
            raise DataError(f"rhs={rhs!r} is for arrays; in text write the value after =")
        return linear_hypotheses(texts, names)
    try:
        rows = np.atleast_2d(np.array(L, dtype=np.float64))
        values = np.array(rhs, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"hypotheses are arrays of numbers or text, not {L!r} and rhs={rhs!r}") from None
    if rows.ndim != 2 or len(rows) == 0 or rows.shape[1] != len(names):
        raise DataError(
            f"L has shape {np.shape(L)}; it must be ({len(names)},) or (q, {len(names)}), a column for each of "
            f"{', '.join(names[:10])}{' ...' if names[10:] else ''}"
        )
    if values.shape not in ((), (len(rows),)):
        raise DataError(f"rhs has shape {values.shape}; it must be one number or ({len(rows)},)")
    values = np.broadcast_to(values, (len(rows),))
    if not (np.isfinite(rows).all() and np.isfinite(values).all()):
        raise DataError("L and rhs must be finite numbers")
    return rows, values


def _f_table(fit: LmmFit, contrasts: Mapping[str, NDArray[np.float64]], ddf: Ddf, title: str) -> Table:
    tests = [f_test(fit, L, ddf=ddf) if len(L) else None for L in contrasts.values()]
    columns = _columns(tests, _F_COLUMNS)
    columns["df_num"] = np.array([0.0 if test is None else test.df_num for test in tests])
    return Table(
        columns={"term": list(contrasts), **columns},
        text=("term",),
        notes=(title, f"degrees of freedom: {ddf}"),
        kind=fit.model.data_kind,
    )


def _columns(tests: Sequence[TTest | FTest | None], names: Sequence[str]) -> dict[str, Any]:
    return {name: np.array([getattr(test, name, math.nan) for test in tests], dtype=np.float64) for name in names}
