"""The table of coefficients, against R's printCoefmat (coefmat.R -> coefmat.json)."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mixedeffects.tables import Coefficients
from mixedeffects.tables.coefficients import STARS_LEGEND
from mixedeffects.tables.text import matrix_lines
from tables import cases

TABLES = json.loads((cases.HERE / "coefmat.json").read_text())["cases"]


def array(texts: list[str] | None) -> np.ndarray | None:
    return None if texts is None else np.array([float(x) for x in texts])


@pytest.mark.parametrize("i", range(len(TABLES)))
def test_table_is_rs(i):
    case = TABLES[i]
    p = len(case["estimate"])
    coefficients = Coefficients(
        names=tuple(f"x{j + 1}" for j in range(p)),
        correlation=np.eye(p),
        **{name: array(case[name]) for name in ("estimate", "std_error", "statistic", "df", "p_value")},
    )
    heads, columns = coefficients.cells(4, stars=case["stars"])
    lines = matrix_lines(columns, heads=heads, row_names=coefficients.kept_names, right=True)
    expected = [line for line in case["text"] if line not in STARS_LEGEND]
    assert lines == expected
    assert (STARS_LEGEND[1] in case["text"]) == (case["stars"] and coefficients.has_stars)
