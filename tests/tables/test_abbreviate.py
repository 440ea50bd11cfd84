"""Abbreviations, against R's (abbreviate.R -> abbreviate.json)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mixedeffects.tables.abbreviate import abbreviate

CASES = json.loads((Path(__file__).parent / "abbreviate.json").read_text())["cases"]


@pytest.mark.parametrize("length", [4, 6, 11])
def test_abbreviations_are_rs(length):
    cases = [c for c in CASES if c["length"] == length]
    assert len(cases) > 150
    wrong = [(c["short"], got) for c in cases if (got := abbreviate(c["names"], length)) != c["short"]]
    assert wrong == []


def test_different_names_stay_different():
    names = [f"recipe[T.{a}]:temperature[T.{b}]" for a in "ABC" for b in range(175, 230, 5)]
    assert len(set(abbreviate(names, 6))) == len(names)


def test_no_names():
    assert abbreviate([], 6) == []
