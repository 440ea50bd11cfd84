"""Tails of the distributions of test statistics. SciPy is imported at the first call: it is slow to import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def t_two_sided(statistic: Any, df: Any) -> NDArray[np.float64]:
    """P(|T| > |statistic|) for df degrees of freedom; infinite df is the normal distribution."""
    from scipy import special

    x, df = np.broadcast_arrays(-np.abs(np.asarray(statistic, dtype=np.float64)), np.asarray(df, dtype=np.float64))
    finite = np.where(np.isinf(df), 1.0, df)
    return np.asarray(2.0 * np.where(np.isinf(df), special.ndtr(x), special.stdtr(finite, x)), dtype=np.float64)


def t_upper_quantile(tail: Any, df: Any) -> NDArray[np.float64]:
    """The value that T exceeds with probability `tail`; infinite df is the normal distribution."""
    from scipy import special

    tail, df = np.broadcast_arrays(np.asarray(tail, dtype=np.float64), np.asarray(df, dtype=np.float64))
    finite = np.where(np.isinf(df), 1.0, df)
    return np.asarray(-np.where(np.isinf(df), special.ndtri(tail), special.stdtrit(finite, tail)), dtype=np.float64)


def f_upper(statistic: float, df_num: float, df_den: float) -> float:
    """P(F > statistic); infinite df_den is the chi-square distribution of df_num * F."""
    from scipy import special

    if np.isinf(df_den):
        return chi2_upper(df_num * statistic, df_num)
    return float(special.fdtrc(df_num, df_den, max(statistic, 0.0)))


def chi2_upper(statistic: float, df: float) -> float:
    """P(chi-square > statistic)."""
    from scipy import special

    return float(special.chdtrc(df, max(statistic, 0.0)))


def normal_cdf(x: Any) -> NDArray[np.float64]:
    """P(N(0, 1) < x)."""
    from scipy import special

    return np.asarray(special.ndtr(x), dtype=np.float64)


def normal_ppf(p: Any) -> NDArray[np.float64]:
    """The value below which N(0, 1) lies with probability p."""
    from scipy import special

    return np.asarray(special.ndtri(p), dtype=np.float64)


def p_text(p_value: float) -> str:
    """A p-value as it is written in a sentence: ``p = 0.0123``, ``p < 2e-16``."""
    return "p < 2e-16" if p_value < 2e-16 else f"p = {p_value:.3g}"
