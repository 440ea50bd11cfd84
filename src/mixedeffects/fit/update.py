"""A changed model on the same rows, from the columns that the fit keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.design import design
from mixedeffects.errors import DataError, FormulaError
from mixedeffects.families import family_of
from mixedeffects.fit.arguments import checked_control, checked_nagq, checked_reml
from mixedeffects.fit.glmm import fit_glmm
from mixedeffects.fit.lmm import fit_lmm
from mixedeffects.formula import Formula, evaluate, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.fit.glmm import GlmmFit
    from mixedeffects.fit.record import LmmFit

_DOT = re.compile(r"(?<![\w.])\.(?![\w.])")  # one that stands alone
_QUOTED = re.compile("`[^`]*`|'[^']*'|\"[^\"]*\"")
_GENERALIZED = ("family", "link", "nagq", "control")
_DATA = ("weights", "offset", "contrasts", "functions")


def updated(fit: LmmFit, formula: str | Formula | None, changes: Mapping[str, Any]) -> LmmFit:
    """Fit a changed model to the rows of `fit`.

    Parameters
    ----------
    fit : LmmFit
        The fit to start from.
    formula : str, Formula or None
        A new formula over the columns that the old one uses; None keeps it.
    changes : mapping
        `reml`, `control`, and whatever `design` takes: `weights`, `offset`, `contrasts`, `functions`.

    Returns
    -------
    LmmFit

    Raises
    ------
    DataError
        For another change, or a formula that needs columns that the fit does not keep.
    FormulaError
        For a formula that cannot be read, such as one with R's dots.
    """
    unknown = [name for name in changes if name not in ("reml", "control", *_DATA)]
    if unknown:
        raise DataError(f"update cannot change {unknown[0]!r}; it takes a formula, reml, control, {', '.join(_DATA)}")
    reml = checked_reml(changes.get("reml", fit.reml))
    control = checked_control(changes.get("control", fit.control))
    if formula is not None and "control" not in changes and control.start is not None:
        control = replace(control, start=None)  # theta of another formula may have another length and meaning
    data = {name: value for name, value in changes.items() if name in _DATA}
    arrays = fit.model if formula is None and not data else _redesigned(fit.model, formula, data)
    return fit_lmm(arrays, reml=reml, control=control)


def updated_glmm(fit: GlmmFit, formula: str | Formula | None, changes: Mapping[str, Any]) -> GlmmFit:
    """Fit a changed generalized model to the rows of `fit`.

    Parameters
    ----------
    fit : GlmmFit
        The fit to start from.
    formula : str, Formula or None
        A new formula over the columns that the old one uses; None keeps it.
    changes : mapping
        `family`, `link`, `nagq`, `control`, and whatever `design` takes: `weights`, `offset`, `contrasts`, `functions`.
        Numbers of trials that ``cbind`` tells go with it.

    Returns
    -------
    GlmmFit

    Raises
    ------
    DataError
        As `updated`; also for a family or link that is not known.
    """
    unknown = [name for name in changes if name not in (*_GENERALIZED, *_DATA)]
    if unknown:
        allowed = ", ".join((*_GENERALIZED, *_DATA))
        raise DataError(f"update cannot change {unknown[0]!r}; it takes a formula, {allowed}")
    old, control = fit.distribution, checked_control(changes.get("control", fit.control))
    if formula is not None and "control" not in changes and control.start is not None:
        control = replace(control, start=None)
    family = old
    if "family" in changes or "link" in changes:
        family = family_of(changes.get("family", old.name), changes.get("link"))
    data = {name: value for name, value in changes.items() if name in _DATA}
    arrays = fit.model
    if formula is not None or data or family.name != old.name:
        responses = [fit.model.formula.response, str(formula or "")]
        if "weights" not in data and any(text.startswith("cbind(") for text in responses):
            data["weights"] = None
        binomial = family.name == "binomial"
        arrays = _redesigned(fit.model, formula, data, allow_observation_level=True, successes=binomial)
    return fit_glmm(arrays, family, nagq=checked_nagq(changes.get("nagq", fit.nagq)), control=control)


def _redesigned(old: Design, formula: str | Formula | None, changes: Mapping[str, Any], **kind: Any) -> Design:
    functions = changes.get("functions", old.encoding.functions)
    if formula is None or isinstance(formula, Formula):
        parsed = formula or old.formula
    else:
        _refuse_dots(formula, old)
        parsed = parse(formula, functions=functions)
    missing = [name for name in parsed.variables() if name not in old.columns]
    if missing:
        raise DataError(
            f"the fit keeps no column {missing[0]!r}; it has {', '.join(old.columns)}. Fit the formula to the data"
        )
    options: dict[str, Any] = {
        "weights": old.weights,
        "offset": _given_offset(old),
        "contrasts": {name: value for name, value in old.contrasts.items() if name in parsed.variables()},
        "functions": functions,
    }
    fresh = design(parsed, old.source_columns(), **{**options, **changes}, **kind)
    return replace(
        fresh,
        kept_rows=old.rows[fresh.rows],
        n_missing=old.n_missing + fresh.n_missing,
        n_zero_weight=old.n_zero_weight + fresh.n_zero_weight,
        data_kind=old.data_kind,
        data_name=old.data_name,
        units=old.units,
        weights_name=fresh.weights_name if "weights" in changes else old.weights_name,
        offset_name=fresh.offset_name if "offset" in changes else old.offset_name,
    )


def _refuse_dots(formula: str, old: Design) -> None:
    """Say how a formula with R's dots is written here."""
    if _DOT.search(_QUOTED.sub("", formula)):
        raise FormulaError(
            f"{formula!r}: '.' does not stand for the old formula. Write the new one in full, starting from "
            f"{old.formula.text!r}"
        )


def _given_offset(old: Design) -> NDArray[np.float64] | None:
    """The offset that was an argument, without those of the formula."""
    if old.offset is None or not old.formula.offsets:
        return old.offset
    columns = {name: column for name, column in old.columns.items() if isinstance(column, np.ndarray)}
    inside = sum(evaluate(expr, columns, old.encoding.functions) for expr in old.formula.offsets)
    return old.offset - inside
