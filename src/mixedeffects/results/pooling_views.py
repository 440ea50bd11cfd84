"""Results of the pooling functions: frames of plain tables, and how they print."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedeffects.errors import DataError
from mixedeffects.results.lmm import LmmResult, result_of
from mixedeffects.tables.frames import noted
from mixedeffects.tables.html import document, paragraph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mixedeffects.diagnostics.hausman import Hausman
    from mixedeffects.diagnostics.lm_list import LmList
    from mixedeffects.diagnostics.pooling import Estimates, Pooling
    from mixedeffects.diagnostics.within_between import Wald, WithinBetween
    from mixedeffects.inference.dispatch import FTest
    from mixedeffects.inference.table import Table

_SHOWN = 20  # rows of a table that is printed


class _View(ABC):
    """How a result prints: titles, the first rows of its table, its notes."""

    __slots__ = ()

    @abstractmethod
    def _table(self) -> Table: ...

    @abstractmethod
    def _titles(self) -> list[str]: ...

    def _shown(self) -> tuple[pd.DataFrame, list[str]]:
        table = self._table()
        first = {name: values[:_SHOWN] for name, values in table.columns.items()}
        frame = replace(table, columns=first, kind="pandas").to_frame()
        n = len(next(iter(table.columns.values())))
        more = [f"... {n} rows; all of them by to_frame()"] if n > _SHOWN else []
        return frame, [*more, *table.notes]

    def __repr__(self) -> str:
        frame, notes = self._shown()
        return "\n".join([*self._titles(), frame.to_string(index=False, float_format=_number), *notes])

    def _repr_html_(self) -> str:
        frame, notes = self._shown()
        title, *more = self._titles()
        body = f'<div class="scroll">{frame.to_html(index=False, border=0, float_format=_number)}</div>'
        return document([paragraph(title, title=True), *map(paragraph, more), body, *map(paragraph, notes)])


def _number(value: float) -> str:
    return f"{value:.5g}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LmListResult(_View):
    """A regression in every group, as `lm_list` returns it.

    Attributes
    ----------
    found : LmList
        The numbers as arrays.
    """

    found: LmList

    @property
    def formula(self) -> str:
        """The formula as written."""
        return self.found.formula

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know."""
        return self.found.notes

    @property
    def coef(self) -> pd.DataFrame:
        """Coefficients, groups by columns, in units of y per unit of the column; NaN for what is not estimated."""
        return self._frame(self.found.regressions.coef)

    @property
    def std_errors(self) -> pd.DataFrame:
        """Standard errors from the pooled standard deviation, groups by columns; `to_frame` has those of the groups."""
        return self._frame(self.found.regressions.std_errors())

    @property
    def pooled_sd(self) -> float:
        """Root of the total (weighted) residual sum of squares over the total residual degrees of freedom."""
        return self.found.regressions.pooled_sd

    @property
    def pooled_df(self) -> int:
        """Residual degrees of freedom of all groups."""
        return self.found.regressions.pooled_df

    @property
    def sigma(self) -> pd.Series:
        """Residual standard deviation of each group; NaN without degrees of freedom."""
        return pd.Series(self.found.regressions.sigma, index=self._index(), name="sigma")

    @property
    def nobs(self) -> pd.Series:
        """Rows of each group."""
        return pd.Series(self.found.regressions.n.copy(), index=self._index(), name="nobs")

    @property
    def df_resid(self) -> pd.Series:
        """Rows less estimated coefficients of each group."""
        return pd.Series(self.found.regressions.df_resid, index=self._index(), name="df_resid")

    def to_frame(self, *, pool: bool = True, level: float = 0.95) -> Any:
        """Return a row per group and coefficient.

        Parameters
        ----------
        pool : bool
            Errors and limits from the pooled standard deviation and all residual degrees of freedom, as lme4 has them
            by default, or from those of the group.
        level : float
            Confidence level.

        Returns
        -------
        data frame
            group, level, term, estimate, std_error, lower, upper (t intervals), in the library of the data.
        """
        table = self.found.table(pool=pool, level=level)
        return noted(table.to_frame(), table.notes)

    def _index(self) -> pd.Index:
        return pd.Index(self.found.factor.labels, name=self.found.factor.name)

    def _frame(self, values: NDArray[np.float64]) -> pd.DataFrame:
        return pd.DataFrame(values.copy(), index=self._index(), columns=list(self.found.names))

    def _table(self) -> Table:
        return self.found.table()

    def _titles(self) -> list[str]:
        pooled = f"Pooled residual standard deviation {self.pooled_sd:.5g} on {self.pooled_df} degrees of freedom"
        return [f"Separate regressions: {self.formula}, {self.found.factor.n_levels} groups", pooled]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PoolingResult(_View):
    """No pooling, complete pooling and partial pooling, as `compare_pooling` returns them.

    Attributes
    ----------
    found : Pooling
        The numbers as arrays.
    """

    found: Pooling

    @property
    def fit(self) -> LmmResult:
        """The mixed model."""
        return _public(self.found.effects.fit)

    @property
    def group(self) -> str:
        """The grouping factor."""
        return self.found.effects.factor.name

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know."""
        return self.found.notes

    @property
    def no_pooling(self) -> pd.DataFrame:
        """Coefficients, levels by terms, with the level's own ones estimated separately."""
        return self._frame(self.found.no_pooling)

    @property
    def complete_pooling(self) -> pd.DataFrame:
        """Coefficients, levels by terms, by ordinary least squares of the fixed part."""
        return self._frame(self.found.complete_pooling)

    @property
    def partial_pooling(self) -> pd.DataFrame:
        """Coefficients, levels by terms, of the mixed model: fixed plus random effects."""
        return self._frame(self.found.partial_pooling)

    @property
    def wide(self) -> pd.DataFrame:
        """All three, levels by (term, method)."""
        parts = {
            "no_pooling": self.no_pooling,
            "complete_pooling": self.complete_pooling,
            "partial_pooling": self.partial_pooling,
        }
        joined = pd.concat(parts, axis=1).swaplevel(axis=1)
        return joined[[(term, method) for term in self.found.terms for method in parts]]

    @property
    def shrinkage(self) -> pd.DataFrame:
        """Weights of the levels' own estimates: diagonals of the matrices by term, and ``mean``, their trace over k.

        The pull is from `own` to `center`, the mixed model's fixed effects, not to the column `complete_pooling`. 0 is
        complete pooling, 1 is none. A diagonal entry depends on where a slope's intercept lies, `mean` does not.
        """
        names = list(self.found.effects.names)
        frame = pd.DataFrame(self.found.weights.copy(), index=self._index(), columns=names)
        return frame.assign(mean=self.found.mean_weight)

    @property
    def shrinkage_matrices(self) -> NDArray[np.float64]:
        """Lambda_j = Sigma (Sigma + sigma^2 (Z_j'W Z_j)^-1)^-1 of all levels, (J, k, k)."""
        return self.found.matrices.copy()

    def shrinkage_matrix(self, level: Any) -> pd.DataFrame:
        """Lambda_j of one level: what multiplies the distance of its `own` estimate from `center`, the fixed effects.

        Raises
        ------
        DataError
            If there is no such level.
        """
        labels = list(self.found.effects.factor.labels)
        if str(level) not in labels:
            raise DataError(f"{self.group} has no level {str(level)!r}; its first levels are {', '.join(labels[:5])}")
        names = list(self.found.effects.names)
        return pd.DataFrame(self.found.matrices[labels.index(str(level))].copy(), index=names, columns=names)

    @property
    def own(self) -> pd.DataFrame:
        """The levels' own coefficients given the common ones: partial = center + Lambda (own - center)."""
        return pd.DataFrame(self.found.own.copy(), index=self._index(), columns=list(self.found.effects.names))

    @property
    def center(self) -> pd.DataFrame:
        """The fixed part of the levels' coefficients, to which the mixed model pulls them."""
        return pd.DataFrame(self.found.center.copy(), index=self._index(), columns=list(self.found.effects.names))

    @property
    def pooling_factors(self) -> pd.Series:
        """Gelman and Pardoe's (2006) pooling factor of each term: 0 is no pooling, 1 complete pooling."""
        return pd.Series(self.found.factors.copy(), index=list(self.found.effects.names), name="pooling_factor")

    def to_frame(self) -> Any:
        """Return a row per level and coefficient.

        Returns
        -------
        data frame
            group, level, term, no_pooling, complete_pooling, partial_pooling, shrinkage (weight of the level's own
            estimate, NaN for common coefficients), reliability (of a random intercept by itself), n (rows of the
            level), and the standard errors no_pooling_se, complete_pooling_se, partial_pooling_se; in the library of
            the data.
        """
        table = self.found.table()
        return noted(table.to_frame(), table.notes)

    def _index(self) -> pd.Index:
        return pd.Index(self.found.effects.factor.labels, name=self.group)

    def _frame(self, estimates: Estimates) -> pd.DataFrame:
        return pd.DataFrame(estimates.value.copy(), index=self._index(), columns=list(self.found.terms))

    def _table(self) -> Table:
        table = self.found.table()
        return replace(table, columns={name: v for name, v in table.columns.items() if not name.endswith("_se")})

    def _titles(self) -> list[str]:
        none, complete, partial = self.found.sigma
        factors = ", ".join(f"{name} {value:.3g}" for name, value in self.pooling_factors.items())
        return [
            f"Pooling over {self.group}: {self.found.effects.fit.model.formula.text}",
            f"Residual standard deviation: no pooling {none:.5g}, complete {complete:.5g}, partial {partial:.5g}",
            f"Pooling factors (0 none, 1 complete): {factors}",
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class WithinBetweenResult(_View):
    """Effects within and between groups, as `within_between` returns them.

    Attributes
    ----------
    found : WithinBetween
        The numbers as arrays.
    """

    found: WithinBetween

    @property
    def group(self) -> str:
        """The grouping factor."""
        return self.found.group

    @property
    def covariates(self) -> tuple[str, ...]:
        """The columns that were split."""
        return self.found.covariates

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know."""
        return self.found.notes

    @property
    def test(self) -> Wald:
        """Chi-square (Wald) test that all contextual effects are zero: statistic, df, p_value."""
        return self.found.test

    @property
    def f_test(self) -> FTest | None:
        """The same with denominator degrees of freedom; None if there is no contextual effect to test."""
        return self.found.f_test

    @property
    def given(self) -> LmmResult:
        """The given model."""
        return _public(self.found.given)

    @property
    def mundlak(self) -> LmmResult:
        """The model with each covariate and its group mean."""
        return _public(self.found.mundlak)

    @property
    def within_between(self) -> LmmResult:
        """The model with the deviation of each covariate from its group mean, and the mean."""
        return _public(self.found.within_between)

    def to_frame(self) -> Any:
        """Return a row per covariate and effect (given, within, between, contextual).

        Returns
        -------
        data frame
            covariate, effect, estimate, std_error, df, statistic, p_value; in the library of the data.
        """
        table = self.found.table()
        return noted(table.to_frame(), table.notes)

    def _table(self) -> Table:
        return self.found.table()

    def _titles(self) -> list[str]:
        titles = [f"Within and between {self.group}: {self.found.given.model.formula.text}"]
        test, joint = self.test, self.f_test
        if joint is None:
            return [*titles, "No contextual effect can be estimated: nothing to test"]
        return [
            *titles,
            f"Contextual effects are 0: chi-square {test.statistic:.5g} on {test.df:.0f} df, p {test.p_value:.3g}; "
            f"F {joint.statistic:.5g} on {joint.df_num:.4g} and {joint.df_den:.4g} df ({self.found.ddf}), "
            f"p {joint.p_value:.3g}",
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class HausmanResult(_View):
    """Hausman's test, as `hausman_test` returns it.

    Attributes
    ----------
    found : Hausman
        The numbers as arrays.
    """

    found: Hausman

    @property
    def statistic(self) -> float:
        """d'(V_fixed - V_random)^- d; NaN if nothing can be tested."""
        return self.found.statistic

    @property
    def df(self) -> float:
        """Directions in which the estimates can differ and V_fixed - V_random is positive; 0 if there are none."""
        return self.found.df

    @property
    def p_value(self) -> float:
        """Upper tail of the chi-square distribution."""
        return self.found.p_value

    @property
    def positive_definite(self) -> bool:
        """Whether V_fixed - V_random is positive definite, as the test assumes."""
        return self.found.positive_definite

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know."""
        return self.found.notes

    @property
    def vcov_difference(self) -> pd.DataFrame:
        """V_fixed - V_random, (q, q)."""
        names = list(self.found.names)
        return pd.DataFrame(self.found.vcov_fixed - self.found.vcov_random, index=names, columns=names)

    def to_frame(self) -> Any:
        """Return a row per coefficient: term, fixed, random, difference, std_error; in the library of the data."""
        table = self.found.table()
        return noted(table.to_frame(), table.notes)

    def _table(self) -> Table:
        return self.found.table()

    def _titles(self) -> list[str]:
        title = f"Hausman test, groups by {self.found.group}"
        if not self.found.n_testable:
            return [title, "Nothing to test"]
        if not self.df:
            return [title, "No statistic: the difference of the covariances is not positive"]
        return [title, f"chi-square {self.statistic:.5g} on {self.df:.0f} df, p {self.p_value:.3g}"]


def _public(fit: Any) -> LmmResult:
    return fit if isinstance(fit, LmmResult) else result_of(fit)
