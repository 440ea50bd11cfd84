"""The table of fixed effects and the correlations of their estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.tables.abbreviate import abbreviate
from mixedeffects.tables.numbers import format_p_values, r_format, r_round, significance_stars
from mixedeffects.tables.text import common_width

if TYPE_CHECKING:
    from numpy.typing import NDArray

STARS_LEGEND = ("---", "Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coefficients:
    """Estimates of the fixed effects with what is printed beside them.

    Attributes
    ----------
    names : tuple of str, length p
        Names of all coefficients.
    estimate, std_error, statistic : ndarray, shape (p,)
        Estimate, standard error and their ratio; NaN for coefficients dropped for rank deficiency.
    correlation : ndarray, shape (p_kept, p_kept)
        Correlations of the estimated coefficients.
    df, p_value : ndarray, shape (p,), or None
        Degrees of freedom of the t tests, and p-values.
    test : {"t", "z"}
        What the statistic is called.
    """

    names: tuple[str, ...]
    estimate: NDArray[np.float64]
    std_error: NDArray[np.float64]
    statistic: NDArray[np.float64]
    correlation: NDArray[np.float64]
    df: NDArray[np.float64] | None = None
    p_value: NDArray[np.float64] | None = None
    test: str = "t"

    @property
    def kept(self) -> list[int]:
        """Positions of the estimated coefficients."""
        return [i for i, x in enumerate(self.estimate) if not np.isnan(x)]

    @property
    def kept_names(self) -> list[str]:
        """Names of the estimated coefficients."""
        return [self.names[i] for i in self.kept]

    @property
    def has_stars(self) -> bool:
        """Whether any p-value is small enough for a mark."""
        return self.p_value is not None and bool(np.any(self.p_value < 0.1))

    def cells(self, digits: int, *, stars: bool) -> tuple[list[str], list[list[str]]]:
        """Return the heads and the columns of the printed table of estimated coefficients, as text.

        Parameters
        ----------
        digits : int
            Significant digits of estimates and standard errors.
        stars : bool
            Whether p-values get their marks, if any has one, in one more column without a head.
        """
        kept = self.kept
        heads = ["Estimate", "Std. Error"]
        scale_columns = [self.estimate[kept].tolist(), self.std_error[kept].tolist()]
        if self.df is not None:
            heads.append("df")
            scale_columns.append(self.df[kept].tolist())
        columns = _format_together(scale_columns, digits)
        heads.append(f"{self.test} value")
        # One decimal fewer than the estimates have digits.
        decimals = max(1, min(5, digits - 1))
        columns.append(r_format([r_round(x, decimals) for x in self.statistic[kept].tolist()], digits, na="NA"))
        if self.p_value is not None:
            p = self.p_value[kept].tolist()
            heads.append(f"Pr(>|{self.test}|)")
            columns.append(common_width(format_p_values(p, decimals), right=True))
            if stars and self.has_stars:
                heads.append("")
                columns.append(common_width([significance_stars(x) for x in p], right=False))
        return heads, columns

    def correlation_cells(self) -> tuple[list[str], list[str], list[list[str]]]:
        """Return row names, heads and columns of the lower triangle of correlations, as text."""
        p = len(self.correlation)
        names = self.kept_names
        texts = r_format([r_round(float(x), 3) for x in self.correlation.ravel()], nsmall=3)
        columns = [[texts[i * p + j] if i > j else "" for i in range(1, p)] for j in range(p - 1)]
        return abbreviate(names, 11)[1:], abbreviate(names, 6)[:-1], columns


def _format_together(columns: Sequence[Sequence[float]], digits: int) -> list[list[str]]:
    """Write columns with common decimals: those that show the largest and the smallest number to `digits` digits."""
    numbers = [x for column in columns for x in column]
    sizes = [abs(x) for x in numbers if np.isfinite(x) and x != 0]
    if sizes:
        leading = 1 + int(np.floor(np.log10(min(sizes))))
        decimals = max(1, digits - leading)
        texts = r_format([r_round(x, decimals) for x in numbers], digits, na="NA")
    else:
        texts = r_format(numbers, digits, na="NA")
    # A number that is not 0 is not shown as one: those are written in a format of their own.
    vanished = [i for i, x in enumerate(numbers) if np.isfinite(x) and (x == 0) != (float(texts[i]) == 0)]
    for i, text in zip(vanished, r_format([numbers[i] for i in vanished], max(1, digits - 1)), strict=True):
        texts[i] = text
    starts = np.cumsum([0, *(len(column) for column in columns)])
    return [texts[a:b] for a, b in pairwise(starts)]
