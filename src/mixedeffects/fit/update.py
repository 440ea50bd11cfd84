"""A changed model on the same rows, from the columns that the fit keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mixedeffects.design import design
from mixedeffects.errors import DataError
from mixedeffects.fit.fit_lmm import fit_lmm

if TYPE_CHECKING:
    from mixedeffects.control import Control
    from mixedeffects.design import Design
    from mixedeffects.fit.record import LmmFit

_DATA = ("weights", "offset", "contrasts", "functions")


def updated(fit: LmmFit, formula: str | None, changes: Mapping[str, Any]) -> LmmFit:
    """Fit a changed model to the rows of `fit`.

    Parameters
    ----------
    fit : LmmFit
        The fit to start from.
    formula : str or None
        A new formula over the columns that the old one uses; None keeps it.
    changes : mapping
        `reml`, `control`, and whatever `design` takes: `weights`, `offset`, `contrasts`, `functions`.

    Raises
    ------
    DataError
        For another change, or a formula that needs columns that the fit does not keep.
    """
    unknown = [name for name in changes if name not in ("reml", "control", *_DATA)]
    if unknown:
        raise DataError(f"update cannot change {unknown[0]!r}; it takes a formula, reml, control, {', '.join(_DATA)}")
    reml: bool = changes.get("reml", fit.reml)
    control: Control = changes.get("control", fit.control)
    data = {name: value for name, value in changes.items() if name in _DATA}
    arrays = fit.model if formula is None and not data else _redesigned(fit.model, formula, data)
    return fit_lmm(arrays, reml=reml, control=control)


def _redesigned(old: Design, formula: str | None, changes: Mapping[str, Any]) -> Design:
    options: dict[str, Any] = {
        "weights": old.weights,
        "offset": old.given_offset,
        "contrasts": old.given_contrasts,
        "functions": old.functions,
    }
    return design(formula or old.formula.text, old.source_columns(), **{**options, **changes})
