"""Variances and correlations of the random effects: data frame, text and HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mixedeffects.tables.html import document, table
from mixedeffects.tables.numbers import r_format, r_round
from mixedeffects.tables.text import matrix_lines

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Component = Literal["Variance", "Std.Dev."]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomTermCovariance:
    """Covariance matrix of one random-effects term, on the scale of the data.

    Attributes
    ----------
    key : str
        Unique name of the term: the group, with ``.1``, ``.2``, ... from its second term on.
    group : str
        Name of the grouping factor.
    names : tuple of str, length k
        Names of the columns.
    covariance : ndarray, shape (k, k)
        Variances and covariances; a read-only copy of what is given.
    """

    key: str
    group: str
    names: tuple[str, ...]
    covariance: NDArray[np.float64]

    def __post_init__(self) -> None:
        copy = np.array(self.covariance, dtype=np.float64)
        copy.flags.writeable = False
        object.__setattr__(self, "covariance", copy)

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviations, shape (k,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def correlation(self) -> NDArray[np.float64]:
        """Correlations, shape (k, k); NaN where a standard deviation is 0, 1 on the diagonal."""
        sd = self.sd
        scale = np.outer(sd, sd)
        result = np.full(scale.shape, np.nan)
        np.divide(self.covariance, scale, out=result, where=scale > 0)
        np.fill_diagonal(result, 1.0)
        return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VarCorr:
    """Variances, standard deviations and correlations of the random effects.

    Attributes
    ----------
    terms : tuple of RandomTermCovariance
        One per random-effects term, in the order of the fit.
    sigma : float or None
        Residual standard deviation; None where the family has none.
    kind : {"pandas", "polars", "pyarrow", "dict"}
        The data-frame library of tidy tables.

    Examples
    --------
    >>> matrix = np.array([[612.1, 9.604], [9.604, 35.07]])
    >>> term = RandomTermCovariance(key="Subject", group="Subject", names=("Intercept", "Days"), covariance=matrix)
    >>> for line in str(VarCorr(terms=(term,), sigma=25.59)).splitlines():
    ...     print(line.rstrip())
     Groups   Name      Std.Dev. Corr
     Subject  Intercept 24.741
              Days       5.922   0.066
     Residual           25.590
    """

    terms: tuple[RandomTermCovariance, ...]
    sigma: float | None
    kind: str = "pandas"

    @property
    def covariance(self) -> dict[str, pd.DataFrame]:
        """Covariance matrix of every term as a data frame, by the key of the term."""
        import pandas as pd

        return {t.key: pd.DataFrame(t.covariance.copy(), index=[*t.names], columns=[*t.names]) for t in self.terms}

    def columns(self) -> dict[str, list[Any]]:
        """Return the columns of `to_frame` as lists, for any data-frame library; None is missing."""
        rows: list[tuple[Any, ...]] = []
        for t in self.terms:
            sd, corr = t.sd, t.correlation
            rows += [(t.key, name, None, float(s**2), float(s), None) for name, s in zip(t.names, sd, strict=True)]
            rows += [
                (t.key, t.names[j], t.names[i], None, None, float(corr[i, j]))
                for j in range(len(t.names))
                for i in range(j + 1, len(t.names))
            ]
        if self.sigma is not None:
            rows.append(("Residual", None, None, self.sigma**2, self.sigma, None))
        heads = ("group", "term", "term2", "variance", "sd", "corr")
        return {head: [row[i] for row in rows] for i, head in enumerate(heads)}

    def to_frame(self) -> Any:
        """Return a tidy table: a row per standard deviation, a row per correlation, the residual last.

        Returns
        -------
        data frame
            Columns group (key of the term), term, term2 (null on variance rows), variance, sd, corr; in the library
            of the data.
        """
        from mixedeffects.frame import to_frame

        return to_frame(self.columns(), self.kind, text=("group", "term", "term2"))

    def parameters(self) -> list[tuple[str, str, float]]:
        """Return (key of the term, name, value) of every standard deviation and correlation, in broom.mixed's order."""
        rows: list[tuple[str, str, float]] = []
        for t in self.terms:
            k = len(t.names)
            rows += [(t.key, f"sd__{name}", float(s)) for name, s in zip(t.names, t.sd, strict=True)]
            rows += [
                (t.key, f"cor__{t.names[j]}.{t.names[i]}", float(t.correlation[i, j]))
                for j in range(k)
                for i in range(j + 1, k)
            ]
        if self.sigma is not None:
            rows.append(("Residual", "sd__Observation", self.sigma))
        return rows

    def cells(self, digits: int, components: tuple[Component, ...]) -> tuple[list[str], list[list[str]]]:
        """Return the heads and the columns of the printed table, as text.

        Parameters
        ----------
        digits : int
            Significant digits of the variances and standard deviations; correlations get two fewer decimals.
        components : tuple of str
            Which of ``"Variance"`` and ``"Std.Dev."`` are shown.
        """
        groups: list[str] = []
        for t in self.terms:
            groups += [t.key] + [""] * (len(t.names) - 1)
        names = [name for t in self.terms for name in t.names]
        sds = [float(s) for t in self.terms for s in t.sd]
        if self.sigma is not None:
            groups, names, sds = [*groups, "Residual"], [*names, ""], [*sds, self.sigma]
        heads, columns = ["Groups", "Name"], [groups, names]
        for component in components:
            heads.append(component)
            columns.append(r_format([s * s for s in sds] if component == "Variance" else sds, digits))
        widest = max((len(t.names) for t in self.terms), default=1)
        if widest > 1:
            heads += ["Corr"] + [""] * (widest - 2)
            columns += self._correlation_columns(max(2, digits - 2), widest - 1, len(groups))
        return heads, columns

    def _correlation_columns(self, decimals: int, width: int, n_rows: int) -> list[list[str]]:
        columns = [[""] * n_rows for _ in range(width)]
        start = 0
        for t in self.terms:
            k = len(t.names)
            corr = t.correlation
            texts = r_format([r_round(float(x), decimals) for x in corr.ravel()], nsmall=decimals)
            for i in range(k):
                for j in range(i):
                    columns[j][start + i] = texts[i * k + j]
            start += k
        return columns

    def __str__(self) -> str:
        heads, columns = self.cells(5, ("Std.Dev.",))
        return "\n".join(matrix_lines(columns, heads=heads, row_names=[""] * len(columns[0]), right=False))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        heads, columns = self.cells(5, ("Std.Dev.",))
        return document([table(columns, heads=heads, n_names=2, caption="Random effects")])
