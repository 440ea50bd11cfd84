"""Models of the reference cases about tests and diagnostics: rows left out as the note says, other formulas."""

from __future__ import annotations

import re
import warnings
from functools import cache
from typing import TYPE_CHECKING

import mixedeffects as me
from support import reference

if TYPE_CHECKING:
    import pandas as pd

_REMOVED = re.compile(r"rows \(1-based\) ([\d,:]+) removed")


def case_data(case: dict) -> pd.DataFrame:
    """Return the data of a case without the rows that its note removes, numbered anew."""
    frame = reference.load_data(case["dataset"])
    match = _REMOVED.match(case.get("note") or "")
    if match is None:
        return frame
    rows: list[int] = []
    for part in match[1].split(","):
        first, *last = map(int, part.split(":"))
        rows += range(first - 1, last[0] if last else first)
    frame = frame.drop(index=rows).reset_index(drop=True)
    for column in frame.select_dtypes("category"):
        frame[column] = frame[column].cat.remove_unused_categories()
    return frame


@cache
def case_fit(case_id: str, topic: str, formula: str | None = None, *, reml: bool = True) -> me.LmmResult:
    """Fit the model of a case, or another formula to its data; warnings are left aside."""
    case = reference.load_case(case_id, topic)
    frame = case_data(case)
    text = reference.translate(formula or case["formula"], list(frame.columns)).replace("factor(", "C(")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.lmer(text, frame, reml=reml, contrasts=reference.contrasts(case, text) or None)
