"""The table of data sets in the reference is complete and right."""

from __future__ import annotations

import re
from pathlib import Path

import mixedeffects as me

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "datasets.md"


def test_the_table_has_every_data_set_with_its_rows_and_groups():
    _, *lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [name for name, *_ in rows] == list(me.datasets.names())
    for name, n, groups, title, source, origin in rows:
        data = me.datasets.load(name)
        assert int(n.replace(",", "")) == len(data), name
        for column, levels in re.findall(r"(\w+) \(([\d,]+)\)", groups):
            assert int(levels.replace(",", "")) == data[column].nunique(), (name, column)
        described = me.datasets.describe(name)
        assert described.splitlines()[0].endswith(f": {title}")
        said = " ".join(described.split())
        parts = re.findall(r"[A-Z]\w+(?= (?:et al|&|\())|\d{4}", source)
        assert all(part in said for part in [*parts, origin.split()[0]]), (name, parts)
