"""The unbalanced Oats data with further columns, and R's tables of models of them (tests/reference/contrasts)."""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

import mixedeffects as me
from support import reference

if TYPE_CHECKING:
    import pandas as pd

ANOVA_COLUMNS = {
    "sum_sq": "Sum Sq",
    "mean_sq": "Mean Sq",
    "df_num": "NumDF",
    "df_den": "DenDF",
    "statistic": "F value",
    "p_value": "Pr(>F)",
}


def oats(*, hole: bool = False) -> pd.DataFrame:
    """Return the data as make.R has them; with `hole` the combination of n = a and V = B does not occur."""
    removed = [row - 1 for row in (2, 5, 9, 14, 33, 34, 51, 60, 71)]
    frame = reference.load_data("Oats").drop(index=removed).reset_index(drop=True)
    i = np.arange(1, len(frame) + 1)
    frame["n"] = frame["nitro"].map({0.0: "a", 0.2: "b", 0.4: "c", 0.6: "d"})
    frame["V"] = frame["Variety"].astype(str).map({"Golden Rain": "A", "Marvellous": "B", "Victory": "C"})
    frame["x"] = i * 37 % 11 / 3
    frame["w"] = i * 29 % 67 / 10
    frame["z"] = 2 * frame["x"] + 1
    frame["two"] = i % 2
    frame["o"] = 2 * frame["x"]
    return frame[~((frame["n"] == "a") & (frame["V"] == "B"))].reset_index(drop=True) if hole else frame


@cache
def r_tables() -> dict:
    """Return what R found; to be left unchanged."""
    return json.loads((reference.ROOT / "contrasts" / "oats.json").read_text(encoding="utf-8"))


def oats_fit(formula: str, *, hole: bool = False, **keywords: object) -> me.LmmResult:
    """Fit a model to the data, warnings left aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.lmer(formula, oats(hole=hole), **keywords)
