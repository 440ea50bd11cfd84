"""Contrasts asked for by column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixedeffects.design import design
from mixedeffects.errors import DataError


@pytest.mark.parametrize("written", ["f", "C(f)"])
@pytest.mark.parametrize(
    ("contrasts", "names"),
    [
        ("treatment", ["[T.b]", "[T.c]"]),
        ("sum", ["[S.a]", "[S.b]"]),
        ("helmert", ["[H.b]", "[H.c]"]),
        ("poly", ["[.L]", "[.Q]"]),
        ([[1, 0], [0, 1], [-1, -1]], ["[1]", "[2]"]),
    ],
    ids=["treatment", "sum", "helmert", "poly", "matrix"],
)
def test_names_and_reduced_rank(small, written, contrasts, names):
    made = design(f"y ~ {written} + (1 | g)", small, contrasts={"f": contrasts})
    assert list(made.names) == ["Intercept", *(written + name for name in names)]
    # Without an intercept each level gets its indicator, whatever the contrasts.
    full = design(f"y ~ 0 + {written} + (1 | g)", small, contrasts={"f": contrasts})
    assert list(full.names) == [f"{written}[{level}]" for level in "abc"]
    np.testing.assert_array_equal(full.X.sum(axis=1), 1.0)
    np.testing.assert_array_equal(full.X[:, 0], small["f"] == "a")
    # Only the first of two factors takes the place of the intercept.
    both = design(f"y ~ 0 + t + {written} + (1 | g)", small, contrasts={"f": contrasts})
    assert list(both.names) == ["t[False]", "t[True]", *(written + name for name in names)]


def test_contrasts_of_a_numeric_column_marked_as_categorical(small):
    data = small.assign(k=small["z"].astype(int) % 3)
    made = design("y ~ C(k) + (1 | g)", data, contrasts={"k": "sum"})
    assert made.names == ("Intercept", "C(k)[S.0]", "C(k)[S.1]")
    with pytest.raises(DataError, match=r"given for 'k', which is no categorical column .*becomes one by C"):
        design("y ~ k + (1 | g)", data, contrasts={"k": "sum"})


def test_contrasts_of_what_only_the_random_part_uses_have_no_effect(small):
    made = design("y ~ x + (f | g)", small, contrasts={"f": "sum", "g": "poly"})
    assert made.names == ("Intercept", "x")
    assert made.terms[0].names == ("Intercept", "f[T.b]", "f[T.c]")


def test_contrasts_of_grouping_factors_and_the_response_have_no_effect(small):
    data = small.assign(number=np.tile(np.arange(6), 6))
    given = {"number": "poly", "g": "sum", "y": "helmert", "z": "sum"}
    made = design("y ~ f + offset(log(z)) + (1 | g) + (1 | number)", data, contrasts=given)
    assert made.names == ("Intercept", "f[T.b]", "f[T.c]")
    with pytest.raises(DataError, match="given for 'x', which is no categorical column"):
        design("y ~ f + (1 | g)", data, contrasts={"x": "sum"})


def test_contrasts_in_the_formula_go_first(small):
    made = design("y ~ C(f, contr.helmert) + f:x + (1 | g)", small, contrasts={"f": "sum"})
    assert made.names[1] == "C(f, contr.helmert)[H.b]"


def test_ordered_categories_can_be_told_otherwise(small):
    made = design("y ~ o + (1 | g)", small, contrasts={"o": "treatment"})
    assert made.names == ("Intercept", "o[T.some]", "o[T.more]", "o[T.most]")
    plain = small.assign(o=small["o"].cat.as_unordered())
    assert design("y ~ o + (1 | g)", plain).names == made.names


def test_levels_in_an_order_of_ones_own(small):
    made = design("y ~ C(f, levels=['c', 'a', 'b']) + (1 | g)", small)
    assert [name.split("[T.")[1] for name in made.names[1:]] == ["a]", "b]"]
    np.testing.assert_array_equal(made.X[:, 1], small["f"] == "a")
    with pytest.raises(DataError, match="leaves out 'b'"):
        design("y ~ C(f, levels=['c', 'a']) + (1 | g)", small)


def test_boolean_columns_are_two_levels_and_numbers_in_arithmetic(small):
    assert design("y ~ t + (1 | g)", small).names == ("Intercept", "t[T.True]")
    assert design("y ~ 0 + t + (1 | g)", small).names == ("t[False]", "t[True]")
    np.testing.assert_array_equal(design("y ~ I(2 * t) + (1 | g)", small).X[:, 1], 2 * small["t"])


def test_unused_levels_are_dropped(small):
    data = small.assign(f=small["f"].astype("category").cat.add_categories(["unused"]))
    assert design("y ~ 0 + f + (1 | g)", data).names == ("f[a]", "f[b]", "f[c]")
    data["y"] = data["y"].where(data["f"] != "a")
    with pytest.warns(match="were dropped"):
        assert design("y ~ 0 + f + (1 | g)", data).names == ("f[b]", "f[c]")


@pytest.mark.parametrize(
    ("contrasts", "match"),
    [
        ({"f": "Sum"}, "'Sum' is not known; it is one of 'treatment', 'sum', 'helmert', 'poly' or a matrix"),
        ({"nope": "sum"}, r"given for 'nope', which is no categorical column of the fixed part \(those are: 'f'\)"),
        ({"f": np.eye(3)}, r"has shape \(3, 3\); with 3 levels it must be \(3, 2\)"),
        ({"f": np.ones((3, 2))}, "linearly dependent"),
        ({"f": [[1, 2], [3]]}, "a matrix of finite numbers"),
        ({"f": [[1, 2], [3, np.nan], [1, 1]]}, "a matrix of finite numbers"),
        ({"f": 5}, "a matrix of finite numbers"),
    ],
)
def test_contrasts_that_cannot_be_used(small, contrasts, match):
    with pytest.raises(DataError, match=match):
        design("y ~ f + (1 | g)", small, contrasts=contrasts)


@pytest.mark.parametrize(
    "formula", ["y ~ one + (1 | g)", "y ~ C(one) + (1 | g)", "y ~ 0 + one + (1 | g)", "y ~ x + (one | g)"]
)
def test_a_predictor_with_one_level(small, formula):
    with pytest.raises(DataError, match=r"'one' has one level only \('k'\)"):
        design(formula, small.assign(one="k"))


def test_intervals_and_dates_as_categories(small):
    data = small.assign(i=pd.cut(small["x"], [0, 5, 10, 20]), d=pd.to_datetime(["2020-01-01", "2020-01-03"] * 18))
    data["d"] = data["d"].astype("category")
    made = design("y ~ d + C(i, contr.treatment) + (1 | g)", data)
    assert made.names[1:] == (
        "d[T.2020-01-03]",
        "C(i, contr.treatment)[T.(5, 10]]",
        "C(i, contr.treatment)[T.(10, 20]]",
    )
    np.testing.assert_array_equal(made.X[:, 2], (small["x"] > 5) & (small["x"] <= 10))
    assert design("y ~ i + (1 | g)", data).names[1:] == ("i[.L]", "i[.Q]")
