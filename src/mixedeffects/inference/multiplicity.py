"""p-values and critical values of several contrasts considered together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.inference.distributions import t_two_sided, t_upper_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

Adjust = Literal["tukey", "bonferroni", "holm", "sidak", "none"]
_DIGITS = 8  # of degrees of freedom that count as equal: the range distribution is slow to compute


def checked_adjust(adjust: str) -> Adjust:
    """Return the name of an adjustment, or raise DataError with the allowed ones."""
    if adjust in get_args(Adjust):
        return cast("Adjust", adjust)
    allowed = ", ".join(map(repr, get_args(Adjust)))
    raise DataError(f"adjust={adjust!r} is no adjustment for multiple comparisons; choose one of {allowed}")


def adjusted_p(t: NDArray[np.float64], df: NDArray[np.float64], adjust: Adjust, n_means: int) -> NDArray[np.float64]:
    """Two-sided p-values of a family of contrasts.

    Parameters
    ----------
    t, df : ndarray (m,)
        Statistics and degrees of freedom; NaN for a contrast that is not estimable, which counts all the same: the
        family is what was asked for.
    adjust : {"tukey", "bonferroni", "holm", "sidak", "none"}
        Tukey's is that of all pairwise comparisons of `n_means` means.
    n_means : int
        Number of means compared.

    References
    ----------
    .. [1] Hsu (1996), Multiple Comparisons: Theory and Methods.
    """
    p: NDArray[np.float64] = t_two_sided(t, df)
    known = ~np.isnan(p)
    m = len(p)
    if m <= 1 or adjust == "none":
        return p
    if adjust == "bonferroni":
        return np.asarray(np.minimum(1.0, m * p))
    if adjust == "sidak":
        with np.errstate(divide="ignore"):  # p = 1
            return np.asarray(-np.expm1(m * np.log1p(-p)))
    if adjust == "holm":
        order = np.argsort(p[known], kind="stable")
        stepwise = np.minimum(1.0, np.maximum.accumulate((m - np.arange(len(order))) * p[known][order]))
        places = np.flatnonzero(known)[order]
        p[places] = stepwise
        return p
    from scipy.stats import studentized_range  # slow to import, and needed here only

    p[known] = [
        studentized_range.sf(np.sqrt(2.0) * abs(value), n_means, freedom)
        for value, freedom in zip(t[known], df[known], strict=True)
    ]
    # The integral has an absolute error, which may make a tiny tail negative.
    return np.clip(p, 0.0, 1.0)


def critical_values(df: NDArray[np.float64], level: float, adjust: Adjust, n_means: int) -> NDArray[np.float64]:
    """Half-widths of simultaneous intervals, in standard errors.

    Parameters
    ----------
    df : ndarray (m,)
        Degrees of freedom; NaN for a contrast that is not estimable, which counts all the same.
    level : float
        Joint confidence level.
    adjust : {"tukey", "bonferroni", "holm", "sidak", "none"}
        Holm's procedure has no intervals of its own; they are Bonferroni's.
    n_means : int
        Number of means compared.
    """
    m = len(df)
    if m <= 1 or adjust == "none":
        alpha = 1.0 - level
    elif adjust in ("bonferroni", "holm"):
        alpha = (1.0 - level) / m
    elif adjust == "sidak":
        alpha = -np.expm1(np.log(level) / m)
    else:
        from scipy.stats import studentized_range

        rounded = np.array([float(f"{value:.{_DIGITS}g}") for value in df])
        found = {
            value: studentized_range.ppf(level, n_means, value) / np.sqrt(2.0)
            for value in set(rounded[~np.isnan(rounded)].tolist())
        }
        return np.array([found.get(value, np.nan) for value in rounded.tolist()])
    out: NDArray[np.float64] = t_upper_quantile(0.5 * alpha, df)
    return out
