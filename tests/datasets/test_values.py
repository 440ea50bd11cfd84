"""Every packed data set equals the CSV it was made from (expected.json, written by make_expected.py)."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixedeffects import datasets

EXPECTED = json.loads(Path(__file__).with_name("expected.json").read_text(encoding="utf-8"))["datasets"]


def cells(column: pd.Series) -> list[str]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(str).tolist()
    return [f"{float(value):.17g}" for value in column]


def test_the_list_of_names():
    assert sorted(datasets.names()) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
class TestDataSet:
    def test_shape(self, name):
        frame = datasets.load(name)
        assert list(frame.columns) == list(EXPECTED[name]["columns"])
        assert len(frame) == EXPECTED[name]["rows"]
        assert isinstance(frame.index, pd.RangeIndex)
        assert not frame.isna().any(axis=None)

    def test_every_value(self, name):
        frame = datasets.load(name)
        digest = hashlib.sha256()
        for row in zip(*(cells(frame[column]) for column in frame), strict=True):
            digest.update(("\x1f".join(row) + "\n").encode())
        assert digest.hexdigest() == EXPECTED[name]["sha256"]

    def test_columns(self, name):
        frame = datasets.load(name)
        for column, expected in EXPECTED[name]["columns"].items():
            if expected["kind"] == "numeric":
                assert frame[column].dtype == np.dtype(expected["dtype"])
                assert math.fsum(frame[column]) == expected["sum"]
                continue
            levels = [str(level) for level in frame[column].cat.categories]
            assert len(levels) == expected["n_levels"]
            assert hashlib.sha256("\n".join(levels).encode()).hexdigest() == expected["levels_sha256"]
            assert frame[column].cat.ordered == (expected["kind"] == "ordered")
            if "counts" in expected:
                assert frame[column].value_counts().to_dict() == expected["counts"]

    def test_frame_is_named(self, name):
        assert datasets.load(name).attrs["name"] == name


@pytest.mark.parametrize("name", EXPECTED)
def test_codebook_agrees_with_the_data(name):
    entry = datasets.catalogue.CATALOGUE[name]
    assert entry.rows == EXPECTED[name]["rows"]
    frame = datasets.load(name)
    assert [variable.name for variable in entry.variables] == list(frame.columns)
    for variable in entry.variables:
        expected = EXPECTED[name]["columns"][variable.name]
        assert variable.kind == expected["kind"]
        if variable.kind == "numeric":
            assert variable.levels == 0
        elif isinstance(variable.levels, int):
            assert variable.levels == expected["n_levels"]
        else:
            assert variable.levels == tuple(frame[variable.name].cat.categories)


def test_known_values():
    sleepstudy = datasets.load("sleepstudy")
    assert sleepstudy["Reaction"].iloc[0] == 249.56
    assert list(datasets.load("Oats")["Block"].cat.categories) == ["VI", "V", "III", "IV", "II", "I"]
    assert datasets.load("cake")["temperature"].cat.ordered
