"""What the pictures read from a fit: names, factors, blocks of random effects, covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.design.random import varies_within
from mixedeffects.errors import DataError
from mixedeffects.fit.effects import block_names, covariances
from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.fit.kinds import two_categories
from mixedeffects.formula import bare, nested_hint, same_group, term_columns
from mixedeffects.frame import Factor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit
    from mixedeffects.frame import Column


def response_name(fit: LmmFit) -> str:
    """The response as the formula spells it."""
    return fit.model.formula.response.strip("`")


def axis_label(fit: LmmFit, name: str) -> str:
    """A column with its unit where the data tell it, ``Reaction (ms)``; a unit that repeats the name is left out."""
    unit = fit.model.units.get(name)
    return f"{name} ({unit})" if unit and _singular(unit) != _singular(name) else name


def _singular(word: str) -> str:
    return word.strip().casefold().removesuffix("s")


def response_label(fit: LmmFit) -> str:
    """The response with its unit where the data tell it; counts of successes are shown as proportions."""
    if response_name(fit).startswith("cbind("):
        return "proportion of successes"
    return axis_label(fit, response_name(fit))


def modelled_category(fit: GlmmFit) -> str | None:
    """What a binomial response of yes and no has its probability modelled of; None for other responses.

    The second of two categories, in quotes, or ``"y = 1"`` of the numbers 0 and 1.
    """
    if fit.distribution.name != "binomial":
        return None
    categories = two_categories(fit.model)
    if categories is not None:
        return repr(categories[1])
    name = response_name(fit)
    return f"{name} = 1" if name in fit.model.columns and np.isin(fit.model.y, (0.0, 1.0)).all() else None


def predictor_label(fit: LmmFit) -> str:
    """What fitted values are called on an axis: those of the response, or the linear predictor of a generalized fit."""
    if isinstance(fit, GlmmFit):
        return f"linear predictor ({fit.distribution.link.name})"
    return f"fitted {response_label(fit)}"


def scale_name(fit: LmmFit) -> str:
    """The scale of the fixed effects: that of the response, or of the link."""
    return fit.distribution.link.name if isinstance(fit, GlmmFit) else response_name(fit)


def mean_function(fit: LmmFit) -> Callable[[NDArray[np.float64]], NDArray[np.float64]] | None:
    """What takes linear predictors to means; None where they are the same."""
    return fit.distribution.link.inverse if isinstance(fit, GlmmFit) else None


def residual_kind(fit: LmmFit) -> str:
    """The residuals that look standard normal if the model is true."""
    return "quantile" if isinstance(fit, GlmmFit) else "scaled"


def block_of(fit: LmmFit, group: str | None) -> int:
    """Position of a grouping factor among those of the fit, the first (of most levels) by default.

    Raises
    ------
    DataError
        For a factor that the fit does not have.
    """
    names = list(fit.model.factors)
    if group is None:
        return 0
    found = same_group(group, names)
    if found is None:
        raise DataError(
            f"group={group!r} is no grouping factor of the fit; choose one of {', '.join(map(repr, names))}"
            f"{nested_hint(group, names)}"
        )
    return names.index(found)


def blocks_of(fit: LmmFit, group: str | None) -> list[int]:
    """Position of a grouping factor, or of all."""
    return list(range(len(fit.model.factors))) if group is None else [block_of(fit, group)]


def block_group(fit: LmmFit, block: int) -> str:
    """Name of the factor of a block."""
    return list(fit.model.factors)[block]


def block_factor(fit: LmmFit, block: int) -> Factor:
    """The factor of a block."""
    return fit.model.factors[block_group(fit, block)]


def block_labels(fit: LmmFit, block: int) -> list[str]:
    """Levels of a block as text, (J,)."""
    return [str(label) for label in block_factor(fit, block).labels]


def block_columns(fit: LmmFit, block: int) -> NDArray[np.float64]:
    """The columns of all terms of a block side by side, (n, k)."""
    terms = fit.objective.layout.terms_of[block]
    return np.column_stack([column for t in terms for column in fit.model.terms[t].columns])


def block_covariance(fit: LmmFit, block: int) -> NDArray[np.float64]:
    """Covariance of the random effects of one level, (k, k), on the data scale; zero between terms."""
    layout = fit.objective.layout
    out = np.zeros((layout.block_widths[block],) * 2)
    every = covariances(fit)
    for t in layout.terms_of[block]:
        out[layout.columns_of(t), layout.columns_of(t)] = every[t]
    return out


def chosen_columns(fit: LmmFit, block: int, term: str | None) -> list[int]:
    """Positions of the columns of a block that have a name, or of all of them.

    Raises
    ------
    DataError
        If there is none of the name.
    """
    names = block_names(fit, block)
    if term is None:
        return list(range(len(names)))
    found = [j for j, name in enumerate(names) if name == term]
    if not found:
        known = ", ".join(map(repr, names))
        raise DataError(f"term={term!r} is no column of the random effects of {block_group(fit, block)!r}: {known}")
    return found


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One set of columns from several with the same names: arrays joined, lists too."""
    return {
        name: np.concatenate([part[name] for part in parts])
        if isinstance(first, np.ndarray)
        else [value for part in parts for value in part[name]]
        for name, first in parts[0].items()
    }


def numeric_covariates(fit: LmmFit, expr: str) -> list[str]:
    """Names of the numeric columns that an expression uses, in order."""
    columns = fit.model.columns
    return [
        name
        for name in dict.fromkeys(term_columns(expr))
        if isinstance(columns.get(name), np.ndarray) and columns[name].dtype.kind in "iuf"  # type: ignore[union-attr]
    ]


def default_x(fit: LmmFit, factor: Factor | None = None) -> str:
    """The only numeric covariate with a random slope, else the first numeric covariate of the fixed part.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    factor : Factor, optional
        In place of the first the first that varies within levels of this factor, or the first category that does.

    Raises
    ------
    DataError
        If there is none, or several have a random slope.
    """
    terms = fit.model.formula.random
    slopes = list(dict.fromkeys(name for term in terms for name in numeric_covariates(fit, term.expr)))
    if len(slopes) == 1:
        return slopes[0]
    if len(slopes) > 1:
        raise DataError(f"several covariates have random slopes; choose one: x={' or x='.join(map(repr, slopes))}")
    fixed = numeric_covariates(fit, fit.model.formula.fixed)
    if not fixed:
        known = ", ".join(
            repr(name) for name in fit.model.columns if name not in term_columns(fit.model.formula.response)
        )
        raise DataError(f"the model has no numeric covariate to draw against; give x=, one of the columns {known}")
    if factor is None:
        return fixed[0]
    columns = fit.model.columns
    categories = [name for name in term_columns(fit.model.formula.fixed) if isinstance(columns.get(name), Factor)]
    varying = (name for name in (*fixed, *categories) if varies_within(factor.codes, positions(columns[name])))
    return next(varying, fixed[0])


def column(fit: LmmFit, x: str) -> Column:
    """A column of the data that the formula names.

    Raises
    ------
    DataError
        If the formula does not name it.
    """
    x = bare(x)
    if x not in fit.model.columns:
        known = ", ".join(map(repr, fit.model.columns))
        raise DataError(f"x={x!r} is not among the columns that the fit keeps, those of its formula: {known}")
    return fit.model.columns[x]


def positions(values: Column) -> NDArray[np.float64]:
    """Where the values of a column stand on an axis, (n,): numbers at themselves, levels at 0, 1, 2, ..."""
    return np.asarray(values.codes if isinstance(values, Factor) else values, dtype=np.float64)
