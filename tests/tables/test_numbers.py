"""Numbers as text, against what R wrote (numbers.R -> numbers.json)."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from mixedeffects.tables.numbers import format_p_values, r_format, r_round, significance_stars, zap_small

EXPECTED = json.loads((Path(__file__).parent / "numbers.json").read_text())


def floats(texts):
    return [float(x) for x in texts]


@pytest.mark.parametrize("digits", [1, 3, 4, 5, 7])
def test_format_of_a_vector_is_rs(digits):
    cases = [c for c in EXPECTED["format"] if c["digits"] == digits]
    assert len(cases) > 200
    wrong = [
        (c["values"], c["text"], got) for c in cases if (got := r_format(floats(c["values"]), digits)) != c["text"]
    ]
    assert wrong == []


def test_format_with_a_least_number_of_decimals_is_rs():
    for c in EXPECTED["nsmall"]:
        assert r_format(floats(c["values"]), c["digits"], nsmall=c["nsmall"]) == c["text"]


def test_rounding_is_rs():
    wrong = [c for c in EXPECTED["round"] if r_round(float(c["value"]), c["decimals"]) != float(c["result"])]
    assert wrong == []


def test_zapping_is_rs():
    for c in EXPECTED["zap"]:
        assert zap_small(floats(c["values"]), c["digits"]) == floats(c["result"])


def test_p_values_are_rs():
    wrong = [
        (c, got)
        for c in EXPECTED["p_values"]
        if (got := format_p_values(floats(c["values"]), c["digits"])) != c["text"]
    ]
    assert wrong == []


def test_an_empty_vector_has_no_texts():
    assert r_format([]) == []


def test_what_stands_for_a_missing_number():
    assert r_format([math.nan, 12.5], na="NA") == ["  NA", "12.5"]


def test_minus_zero_has_no_sign():
    assert r_format([-0.0, 1.5]) == ["0.0", "1.5"]


@pytest.mark.parametrize(
    ("p", "mark"),
    [(0.0, "***"), (0.001, "***"), (0.0011, "**"), (0.05, "*"), (0.07, "."), (0.2, ""), (math.nan, "")],
)
def test_stars(p, mark):
    assert significance_stars(p) == mark
