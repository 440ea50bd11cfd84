"""Read the reference cases in tests/reference and state them in the terms of this package."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent / "reference"
CONTRASTS = {
    "contr.treatment": "treatment",
    "contr.sum": "sum",
    "contr.helmert": "helmert",
    "contr.poly": "poly",
}


def case_ids(topic: str = "lmm") -> list[str]:
    """Return the ids of a topic's cases, sorted."""
    return sorted(path.stem for path in (ROOT / topic).glob("*.json"))


def load_case(case_id: str, topic: str = "lmm") -> dict:
    """Return one case as R wrote it: a fresh dictionary that the caller may change."""
    return json.loads((ROOT / topic / f"{case_id}.json").read_text(encoding="utf-8"))


@cache
def schema(name: str) -> dict[str, dict]:
    """Return ``{column: {"kind": ..., "levels": [...]}}`` of a data set, in the order of its columns."""
    return json.loads((ROOT / "data" / f"{name}.schema.json").read_text(encoding="utf-8"))["columns"]


@cache
def _frame(name: str) -> pd.DataFrame:
    columns = schema(name)
    path = next(p for p in (ROOT / "data" / f"{name}.csv", ROOT / "data" / f"{name}.csv.gz") if p.exists())
    factors = [column for column, about in columns.items() if about["kind"] != "numeric"]
    # keep_default_na=False: a level may be called "NA"; only an empty field is missing.
    frame = pd.read_csv(path, dtype=dict.fromkeys(factors, str), keep_default_na=False, na_values=[""])
    for column in factors:
        frame[column] = pd.Categorical(frame[column], categories=[str(level) for level in columns[column]["levels"]])
    return frame


def load_data(name: str) -> pd.DataFrame:
    """Return a fresh frame: factors as categories in R's order of levels, ordered ones too (see `ordered_columns`).

    The categories are not marked as ordered, so that contrasts are what the caller asks for.
    """
    return _frame(name).copy()


def ordered_columns(name: str) -> list[str]:
    """Return the columns that R held as ordered factors."""
    return [column for column, about in schema(name).items() if about["kind"] == "ordered"]


def translate(formula: str, columns: list[str]) -> str:
    """Rewrite an R formula: names that Python cannot spell go into backticks, ``I(x^2)`` becomes ``I(x**2)``."""
    text = re.sub(r"\s+", " ", formula).strip()
    for column in sorted(columns, key=len, reverse=True):
        if not column.isidentifier():
            text = re.sub(r"(?<![`\w.])" + re.escape(column) + r"(?![\w.`])", f"`{column}`", text)
    return re.sub(r"I\(([^()]*)\^(\d+)\)", r"I(\1**\2)", text)


def contrasts(case: dict, formula: str) -> dict[str, str]:
    """Return the contrasts of a case: "poly" for ordered factors of the fixed part, then what the case names."""
    fixed = re.sub(r"\([^()]*\|[^()]*\)", "", formula)
    chosen = {c: "poly" for c in ordered_columns(case["dataset"]) if re.search(rf"(?<!\w){re.escape(c)}(?!\w)", fixed)}
    chosen.update({column: CONTRASTS[name] for column, name in (case.get("contrasts_arg") or {}).items()})
    return chosen


def call(case: dict) -> tuple[str, pd.DataFrame, dict]:
    """Return formula, frame and keywords: ``me.lmer(formula, frame, **keywords)`` fits the model of the case."""
    frame = load_data(case["dataset"])
    formula = translate(case["formula"], list(frame.columns))
    keywords = {
        "weights": case.get("weights"),
        "offset": case.get("offset"),
        "contrasts": contrasts(case, formula) or None,
    }
    keywords = {key: value for key, value in keywords.items() if value is not None}
    return formula, frame, {"reml": bool(case["REML"]), **keywords}


def matrix(stored: dict) -> np.ndarray:
    """Return a stored ``{rows, cols, values}`` as an array, null as NaN."""
    return np.array([[np.nan if value is None else value for value in row] for row in stored["values"]], dtype=float)


def vector(stored: dict | list) -> np.ndarray:
    """Return stored numbers, a list or a dictionary by name, as an array, null as NaN."""
    values = stored.values() if isinstance(stored, dict) else stored
    return np.array([np.nan if value is None else value for value in values], dtype=float)
