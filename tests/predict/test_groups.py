"""Levels are found by label, whatever the type of the column."""

from __future__ import annotations

import datetime
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedeffects as me
from mixedeffects.errors import DataError
from mixedeffects.frame import cross, encode
from mixedeffects.frame.source import read_array
from mixedeffects.predict.groups import matched

RNG = np.random.default_rng(5)
CODES = np.repeat(np.arange(8), 6)
Y = RNG.normal(size=48) + 3.0 * RNG.normal(size=8)[CODES]


def fit_with(labels):
    values = [labels[code] for code in CODES]
    return me.lmer("y ~ 1 + (1 | g)", {"y": Y, "g": values})


INTEGERS = [11, 2, 30, 4, 55, 6, 7, 8]
EXPECTED = dict(zip(map(str, INTEGERS), fit_with(INTEGERS).fitted[::6], strict=True))


@pytest.mark.parametrize(
    "fitted",
    [INTEGERS, [float(i) for i in INTEGERS], [str(i) for i in INTEGERS]],
    ids=["integers", "floats", "strings"],
)
@pytest.mark.parametrize(
    "new",
    [
        [2, 55, 11],
        [2.0, 55.0, 11.0],
        ["2", "55", "11"],
        np.array([2, 55, 11], dtype=np.uint8),
        np.array([2, 55, 11], dtype=np.int32),
        pd.Categorical(["2", "55", "11"], categories=["55", "unused", "11", "2"]),
        pd.Categorical([2, 55, 11], categories=[99, 55, 11, 2]),
        pd.Series([2, 55, 11], dtype="Int64"),
        pl.Series(["2", "55", "11"]).cast(pl.Categorical),
    ],
    ids=str,
)
def test_integers_strings_floats_and_categories_match(fitted, new):
    found = fit_with(fitted).predict({"g": new})
    np.testing.assert_allclose(found, [EXPECTED["2"], EXPECTED["55"], EXPECTED["11"]], rtol=1e-9)


def test_categories_in_another_order_in_the_fit():
    labels = pd.Categorical([str(INTEGERS[c]) for c in CODES], categories=[str(i) for i in reversed(INTEGERS)])
    fit = me.lmer("y ~ 1 + (1 | g)", pd.DataFrame({"y": Y, "g": labels}))
    np.testing.assert_allclose(fit.predict({"g": ["2", "55"]}), [EXPECTED["2"], EXPECTED["55"]], rtol=1e-9)


def test_a_missing_value_makes_integers_floats():
    fit = fit_with(INTEGERS)
    with pytest.warns(me.DroppedRowsWarning, match="1 of 3 rows"):
        found = fit.predict(pd.DataFrame({"g": [2, None, 11]}))
    np.testing.assert_allclose(found, [EXPECTED["2"], np.nan, EXPECTED["11"]], rtol=1e-9)


def test_numbers_beyond_the_exact_floats_are_not_confused():
    big = [2**53 + 2 * i for i in range(8)]
    fit = fit_with(big)
    np.testing.assert_allclose(fit.predict({"g": big[2:4]}), fit.fitted[12:24:6], rtol=1e-12)
    np.testing.assert_allclose(fit.predict({"g": [str(big[3])]}), fit.fitted[18], rtol=1e-12)
    with pytest.raises(DataError, match="has 1 level that the model was not fitted with"):
        fit.predict({"g": [2**53 + 1]})
    with pytest.raises(DataError, match="was not fitted with"):  # the float may stand for other integers too
        fit.predict({"g": [float(big[1])]})
    unsigned = np.array([2**64 - 1 - i for i in range(8)], dtype=np.uint64)
    fit = me.lmer("y ~ 1 + (1 | g)", {"y": Y, "g": unsigned[CODES]})
    np.testing.assert_allclose(fit.predict({"g": unsigned[[3]]}), fit.fitted[18], rtol=1e-12)


def test_dates_match_dates_and_their_text():
    days = [datetime.date(2024, 1, day) for day in range(1, 9)]
    fit = fit_with(days)
    expected = fit.fitted[[6, 18]]
    np.testing.assert_allclose(fit.predict({"g": [days[1], days[3]]}), expected)
    np.testing.assert_allclose(fit.predict({"g": ["2024-01-02", "2024-01-04"]}), expected)
    moment = np.array(["2024-01-02T00:00", "2024-01-04T00:00", "2024-01-04T12:30"], dtype="datetime64[s]")
    found = fit.predict({"g": moment}, new_levels="population")
    np.testing.assert_allclose(found[:2], expected)
    assert found[2] == fit.fixef.iloc[0]


def test_booleans():
    values = [bool(code % 2) for code in CODES]
    fit = me.lmer("y ~ 1 + (1 | g) + (1 | h)", {"y": Y, "g": CODES, "h": values})
    np.testing.assert_allclose(
        fit.predict({"g": [1, 2], "h": ["True", "False"]}), fit.predict({"g": [1, 2], "h": [True, False]})
    )


@pytest.fixture(scope="module")
def nested():
    a = np.array(["x:1", "x", "y"], dtype=object)[np.repeat([0, 1, 2], 16)]
    b = np.array(["1", "1:1", "2", "3"], dtype=object)[np.tile(np.repeat(np.arange(4), 4), 3)]
    y = np.random.default_rng(2).normal(size=48) + np.repeat(np.random.default_rng(3).normal(size=12) * 3, 4)
    return me.lmer("y ~ 1 + (1 | a:b)", {"y": y, "a": a, "b": b})


def test_interactions_are_matched_part_by_part(nested):
    """The labels "x:1" with "1" and "x" with "1:1" look the same when they are joined."""
    labels = nested.model.factors["a:b"].labels
    assert len(set(labels)) < len(labels)
    rows = {"a": ["x:1", "x", "y"], "b": ["1", "1:1", "3"]}
    np.testing.assert_allclose(nested.predict(rows), nested.fitted[[0, 20, 44]], rtol=1e-12)
    data = nested.model.source_columns()
    order = np.random.default_rng(0).permutation(48)
    shuffled = {name: np.asarray(data[name])[order] for name in ("a", "b")}
    np.testing.assert_allclose(nested.predict(shuffled), nested.fitted[order], rtol=1e-12)


def test_combinations_that_the_fit_does_not_have(nested):
    rows = {"a": ["x", "x", "q"], "b": ["3", "9", "3"]}
    message = "'a:b' has 2 levels that the model was not fitted with: 'q:3', 'x:9'. Use new_levels=\"population\""
    with pytest.raises(DataError, match=re.escape(message)):
        nested.predict(rows)
    mean = nested.fixef.iloc[0]
    np.testing.assert_allclose(nested.predict(rows, new_levels="population"), [nested.fitted[28], mean, mean])


def test_an_error_names_ten_levels():
    fit = fit_with(INTEGERS)
    with pytest.raises(DataError, match=r"has 12 levels .*: '100', .*, '109' and 2 more"):
        fit.predict({"g": list(range(100, 112))})


def test_many_parts_do_not_overflow():
    """Four parts of 70,000 levels each have more combinations than 64 bits hold."""
    n = 70_000
    rng = np.random.default_rng(1)
    parts = [rng.permutation(n) for _ in range(4)]
    whole = cross(tuple(encode(read_array(f"p{j}", part)) for j, part in enumerate(parts)))
    some = rng.integers(n, size=500)
    new = [part[some].copy() for part in parts]
    new[2][:5] = parts[2][some[:5] - 1]
    found = matched(
        whole, cross(tuple(encode(read_array(f"p{j}", part)) for j, part in enumerate(new))), allow_new=True
    )
    assert (found.codes[:5] == -1).all()
    np.testing.assert_array_equal(found.codes[5:], whole.codes[some[5:]])
