"""Contrast in, t or F out: the one place that knows the methods for degrees of freedom."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.inference import kenward_roger, satterthwaite
from mixedeffects.inference.distributions import f_upper, p_text, t_two_sided

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

Ddf = Literal["satterthwaite", "kenward-roger", "residual", "normal"]
_RANK = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class TTest:
    """A test of one contrast.

    Attributes
    ----------
    estimate, std_error : float
        Of the contrast.
    df : float
        Degrees of freedom; infinite for the normal distribution.
    statistic, p_value : float
        t (or z) and its two-sided p-value.
    """

    estimate: float
    std_error: float
    df: float
    statistic: float
    p_value: float

    def __repr__(self) -> str:
        name, on = ("z", "") if np.isinf(self.df) else ("t", f" on {self.df:.4g} df")
        return (
            f"{name} test: estimate {self.estimate:.5g} (standard error {self.std_error:.4g}), {name} = "
            f"{self.statistic:.4g}{on}, {p_text(self.p_value)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FTest:
    """A joint test of several contrasts.

    Attributes
    ----------
    statistic : float
        F, scaled for Kenward-Roger.
    df_num, df_den : float
        Degrees of freedom; `df_den` is infinite for the chi-square distribution of df_num * F.
    p_value : float
        Upper tail.
    sum_sq, mean_sq : float
        F sigma^2 df_num and F sigma^2.
    """

    statistic: float
    df_num: float
    df_den: float
    p_value: float
    sum_sq: float
    mean_sq: float

    def __repr__(self) -> str:
        if np.isinf(self.df_den):
            value = f"chi-square = {self.statistic * self.df_num:.4g} on {self.df_num:g} df"
        else:
            value = f"F = {self.statistic:.4g} on {self.df_num:g} and {self.df_den:.4g} df"
        return f"{value.split(' ')[0]} test of {self.df_num:g} contrasts: {value}, {p_text(self.p_value)}"


# Other spellings of the methods, letters only.
_SHORT: dict[str, Ddf] = {
    "kr": "kenward-roger",
    "kenwardroger": "kenward-roger",
    "satterthwaite": "satterthwaite",
    "satterthwaites": "satterthwaite",
    "asymptotic": "normal",
    "asymp": "normal",
    "infinite": "normal",
    "z": "normal",
    "wald": "normal",
    "none": "normal",
}


def checked_ddf(ddf: str) -> Ddf:
    """Return the name of a method, or raise DataError with the allowed ones."""
    if ddf in get_args(Ddf):
        return cast("Ddf", ddf)
    plain = re.sub(r"[^a-z]", "", str(ddf).lower())
    near = [name for short, name in _SHORT.items() if plain == short or (len(plain) > 2 and short.startswith(plain))]
    near = near or difflib.get_close_matches(str(ddf).lower(), get_args(Ddf), n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    allowed = ", ".join(map(repr, get_args(Ddf)))
    raise DataError(f"ddf={ddf!r} is no method for degrees of freedom{hint}; choose one of {allowed}")


def covariance(fit: LmmFit, ddf: Ddf) -> NDArray[np.float64]:
    """The covariance of the coefficients that goes with a method: adjusted for Kenward-Roger, (p, p)."""
    return kenward_roger.adjustment(fit).adjusted if ddf == "kenward-roger" else fit.solution.vcov


def _spread(L: NDArray[np.float64], V: NDArray[np.float64]) -> NDArray[np.float64]:
    """L V L' (q, q), in which coefficients that no row of L has do not count: their variance may not be finite."""
    involved = L.any(axis=0)
    own = L[:, involved]
    return np.asarray(own @ V[np.ix_(involved, involved)] @ own.T, dtype=np.float64)


def degrees_of_freedom(fit: LmmFit, L: NDArray[np.float64], ddf: Ddf) -> float:
    """Degrees of freedom of one contrast L (p,)."""
    if ddf == "satterthwaite":
        return satterthwaite.df_one(fit, L)
    if ddf == "kenward-roger":
        return kenward_roger.f_test(fit, L[None], np.zeros(1))[2]
    return float(fit.nobs - len(fit.solution.beta)) if ddf == "residual" else float("inf")


def t_test(fit: LmmFit, L: NDArray[np.float64], rhs: float = 0.0, ddf: str = "satterthwaite") -> TTest:
    """Test L'beta = rhs.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    L : ndarray (p,)
        Over the estimated coefficients.
    rhs : float
        Value under the hypothesis.
    ddf : {"satterthwaite", "kenward-roger", "residual", "normal"}
        Method for the degrees of freedom; residual is n - p.

    Raises
    ------
    DataError
        For another method, or a contrast that is zero.
    MixedEffectsError
        If the method is undefined for this fit.
    """
    method = checked_ddf(ddf)
    if not np.any(L):
        raise DataError("the contrast is zero in all coefficients: it tests nothing")
    estimate = float(L @ fit.solution.beta)
    std_error = float(np.sqrt(_spread(L[None], covariance(fit, method))[0, 0]))
    df = degrees_of_freedom(fit, L, method)
    statistic = (estimate - rhs) / std_error
    return TTest(
        estimate=estimate,
        std_error=std_error,
        df=df,
        statistic=statistic,
        p_value=float(t_two_sided(statistic, df)),
    )


def f_test(
    fit: LmmFit, L: NDArray[np.float64], rhs: NDArray[np.float64] | None = None, ddf: str = "satterthwaite"
) -> FTest:
    """Test L beta = rhs jointly.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    L : ndarray (q, p)
        Over the estimated coefficients; rows that others determine are left out.
    rhs : ndarray (q,), optional
        Values under the hypothesis, zero by default.
    ddf : {"satterthwaite", "kenward-roger", "residual", "normal"}
        As in `t_test`.

    Raises
    ------
    DataError
        For another method, or contrasts that are all zero.
    MixedEffectsError
        If the method is undefined for this fit.
    """
    method = checked_ddf(ddf)
    L, difference = _full_rank(L, L @ fit.solution.beta - (0.0 if rhs is None else rhs))
    if method == "satterthwaite":
        statistic, df_num, df_den = satterthwaite.f_test(fit, L, difference)
    elif method == "kenward-roger":
        statistic, df_num, df_den, _ = kenward_roger.f_test(fit, L, difference)
    else:
        df_num, df_den = float(len(L)), degrees_of_freedom(fit, L[0], method)
        statistic = float(difference @ np.linalg.solve(_spread(L, fit.solution.vcov), difference)) / df_num
    mean_sq = statistic * fit.solution.sigma**2
    return FTest(
        statistic=statistic,
        df_num=df_num,
        df_den=df_den,
        p_value=f_upper(statistic, df_num, df_den),
        sum_sq=mean_sq * df_num,
        mean_sq=mean_sq,
    )


def _full_rank(
    L: NDArray[np.float64], difference: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows that span the same hypothesis without redundancy."""
    U, values, Vt = np.linalg.svd(L, full_matrices=False)
    if len(values) == 0 or values[0] == 0.0:
        raise DataError("the contrasts are zero in all coefficients: they test nothing")
    kept = values > _RANK * values[0]
    if kept.all() and len(values) == len(L):
        return L, difference
    lost = difference - U[:, kept] @ (U[:, kept].T @ difference)
    if np.abs(lost).max(initial=0.0) > 1e-8 * np.abs(difference).max(initial=0.0):
        raise DataError("the hypotheses contradict each other: some rows are combinations of others with other values")
    return values[kept, None] * Vt[kept], U[:, kept].T @ difference
