"""Fits that several tests look at, each made once in a session."""

from __future__ import annotations

import re
import warnings
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import mixedeffects as me
from support import reference

if TYPE_CHECKING:
    import pandas as pd


class Fitted(NamedTuple):
    """A reference case, our fit of it, and the warnings that fitting gave."""

    case: dict
    fit: me.LmmResult
    warnings: tuple[warnings.WarningMessage, ...]


@cache
def reference_fit(case_id: str) -> Fitted:
    """Fit a reference case; where its formula uses a basis that we do not have, from the stored columns of X."""
    case = reference.load_case(case_id)
    formula, frame, keywords = reference.call(case)
    if "ns(" in formula:
        formula = _with_stored_columns(case, formula, frame)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = me.lmer(formula, frame, **keywords)
    return Fitted(case, fit, tuple(caught))


def _with_stored_columns(case: dict, formula: str, frame: pd.DataFrame) -> str:
    """Put the columns of X into the frame, and return a formula that names them."""
    X = reference.matrix(case["X"])
    names = [f"column{j}" for j in range(X.shape[1])]
    frame[names] = X
    response, right = formula.split("~")
    random = " + ".join(re.findall(r"\([^()]*\|[^()]*\)", right))
    return f"{response}~ 0 + {' + '.join(names)} + {random}"


@cache
def quiet_fit(formula: str, dataset: str, **keywords: object) -> me.LmmResult:
    """Fit a formula to reference data without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.lmer(formula, reference.load_data(dataset), **keywords)


def largest(gap: np.ndarray | float) -> float:
    """Return the largest of some gaps, infinity if one is not a number."""
    gap = np.asarray(gap, dtype=float)
    return float(np.where(np.isnan(gap), np.inf, np.abs(gap)).max(initial=0.0))
