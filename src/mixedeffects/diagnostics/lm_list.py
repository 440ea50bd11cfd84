"""No pooling: a regression of its own in every group, from a formula and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.design.coding import resolve
from mixedeffects.design.complete import incomplete_arguments, incomplete_columns
from mixedeffects.design.encoding import encode_columns
from mixedeffects.diagnostics.level_qr import LevelRegressions, level_regressions
from mixedeffects.errors import DataError, FormulaError, RankDeficiencyWarning
from mixedeffects.formula import Formula, term_columns
from mixedeffects.formula.tokens import tokenize
from mixedeffects.frame import model_frame, parse_for, warn
from mixedeffects.inference.distributions import t_upper_quantile
from mixedeffects.inference.interval_estimates import normal_quantile
from mixedeffects.inference.table import Table

if TYPE_CHECKING:
    from formulaic.transforms.contrasts import Contrasts
    from numpy.typing import NDArray

    from mixedeffects.design.materializer import Functions
    from mixedeffects.formula import RandomTerm
    from mixedeffects.frame import Factor, ModelFrame

_SHOWN = 5  # levels that a warning names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LmList:
    """Least squares within every level of a grouping factor.

    Attributes
    ----------
    formula : str
        As written.
    names : tuple of str (k,)
        The columns.
    factor : Factor
        The groups, J levels.
    regressions : LevelRegressions
        The numbers.
    notes : tuple of str
        What a reader has to know, one sentence each.
    kind : str
        The library of the data.
    """

    formula: str
    names: tuple[str, ...]
    factor: Factor
    regressions: LevelRegressions
    notes: tuple[str, ...]
    kind: str

    def table(self, *, pool: bool = True, level: float = 0.95) -> Table:
        """Return a row per level and coefficient.

        Parameters
        ----------
        pool : bool
            Standard errors and t quantiles from the pooled standard deviation and its degrees of freedom, or from those
            of the level.
        level : float
            Confidence level.

        Returns
        -------
        Table
            group, level, term, estimate, std_error, lower, upper. Without residual degrees of freedom, and for
            coefficients that cannot be estimated, NaN.
        """
        normal_quantile(level)  # refuses a level outside (0, 1)
        tail = (1.0 - level) / 2.0
        found = self.regressions
        J, k = found.coef.shape
        std_error = found.std_errors(pool=pool)
        df = np.full(J, found.pooled_df) if pool else found.df_resid
        quantile = np.where(df > 0, t_upper_quantile(tail, np.maximum(df, 1)), np.nan)[:, None]
        columns: dict[str, Any] = {
            "group": np.full(J * k, self.factor.name, dtype=object),
            "level": np.repeat(self.factor.labels, k),
            "term": np.tile(np.array(self.names, dtype=object), J),
            "estimate": found.coef.ravel(),
            "std_error": std_error.ravel(),
            "lower": (found.coef - quantile * std_error).ravel(),
            "upper": (found.coef + quantile * std_error).ravel(),
        }
        return Table(columns=columns, text=("group", "level", "term"), notes=self.notes, kind=self.kind)


def lm_list(
    formula: str | Formula,
    data: Any,
    *,
    weights: str | Any | None = None,
    offset: str | Any | None = None,
    contrasts: Mapping[str, Any] | None = None,
    missing: str = "drop",
    functions: Functions | None = None,
) -> LmList:
    """Fit a regression to every group; see `mixedeffects.lm_list`.

    Raises
    ------
    FormulaError
        If the formula cannot be read or has not exactly one term with a bar.
    DataError
        If the data do not fit the formula.

    Warns
    -----
    RankDeficiencyWarning
        Once, if some groups do not determine all coefficients.
    DroppedRowsWarning
        If rows have missing values or a weight of zero.
    """
    parsed = read_formula(formula, data, functions)
    term = _only_term(parsed)
    frame, X, names = _columns(
        replace(parsed, fixed="1"), term, data, weights, offset, resolve(contrasts), missing, functions
    )
    frame.report_dropped()
    factor = frame.group(term.group)
    y = frame.y if frame.offset is None else frame.y - frame.offset
    found = level_regressions(y, list(X.T), factor.codes, factor.n_levels, frame.weights)
    notes = []
    if parsed.fixed not in ("1", "0", term.expr):
        notes.append(f"The columns are those of {term}; the fixed part {parsed.fixed!r} is not used.")
    deficient = _deficient(found, factor)
    if deficient:
        notes.append(deficient)
        warn(deficient, RankDeficiencyWarning)
    return LmList(
        formula=parsed.text, names=names, factor=factor, regressions=found, notes=tuple(notes), kind=frame.kind
    )


def read_formula(formula: str | Formula, data: Any, functions: Functions | None = None) -> Formula:
    """Parse a formula in which the one term with a bar may stand without its parentheses, ``y ~ x | g``."""
    if isinstance(formula, Formula):
        return formula
    if not isinstance(formula, str):
        raise FormulaError(f"a formula is a str such as 'y ~ x | g', not {type(formula).__name__}")
    depth, tilde, bare = 0, None, False
    for token in tokenize(formula):
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "~" and tilde is None:
            tilde = token
        bare = bare or (tilde is not None and depth == 0 and token.text in ("|", "||"))
    if tilde is None or not bare:
        return parse_for(formula, data, functions)
    parsed = parse_for(f"{formula[: tilde.end]} ({formula[tilde.end :].strip()})", data, functions)
    left, right = parsed.text.split(" ~ ", 1)
    return replace(parsed, text=f"{left} ~ {right[1:-1]}")


def _only_term(formula: Formula) -> RandomTerm:
    if len(formula.random) == 1:
        return formula.random[0]
    if not formula.random:
        raise FormulaError(f"{formula.text!r} names no groups; write y ~ x | g or y ~ (x | g)")
    terms = ", ".join(map(str, formula.random))
    raise FormulaError(f"{formula.text!r} has {len(formula.random)} terms with a bar ({terms}); separate fits need one")


def _columns(
    formula: Formula,
    term: RandomTerm,
    data: Any,
    weights: Any,
    offset: Any,
    contrasts: Mapping[str, Contrasts],
    missing: str,
    functions: Functions | None,
) -> tuple[ModelFrame, NDArray[np.float64], tuple[str, ...]]:
    """Read the complete rows, and encode the columns of the term over all of them."""
    frame = model_frame(formula, data, weights=weights, offset=offset, missing=missing, functions=functions)
    if "Intercept" in frame.columns:
        raise DataError("a column named 'Intercept' would be taken for the constant; rename it")
    elsewhere = set(formula.variables()).difference(term_columns(term.expr))
    coding = {name: contrasts[name] for name in contrasts if name not in elsewhere}
    while True:
        # An encoding that looks at a whole column (poly, scale) must see the complete rows only.
        incomplete = incomplete_arguments(formula, frame, functions)
        if incomplete is None:
            X, encoding = encode_columns(term.expr, frame.columns, frame.n_rows, contrasts=coding, functions=functions)
            incomplete = incomplete_columns(X, encoding.names, frame)
        if incomplete is None:
            if not encoding.names:
                raise DataError(f"the term {term} has no columns; write (1 | {term.group_name}) for group means")
            return frame, X, encoding.names
        frame = frame.drop(*incomplete, missing=missing)


def _deficient(found: LevelRegressions, factor: Factor) -> str:
    """Say which levels do not determine all their coefficients."""
    levels = np.flatnonzero(np.isnan(found.coef).any(axis=1))
    if not len(levels):
        return ""
    named = ", ".join(repr(str(label)) for label in factor.labels[levels[:_SHOWN]])
    more = ", ..." if len(levels) > _SHOWN else ""
    return (
        f"In {len(levels)} of {factor.n_levels} groups of {factor.name!r} ({named}{more}) there are too few rows, or "
        "columns that others determine: coefficients that cannot be estimated are NaN, and the others there are those "
        "of the model without them."
    )
