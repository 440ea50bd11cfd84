"""Factors and effects by level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me
from mixedeffects.population import Factor, balanced, by_level, dirichlet, rfactor


def test_a_factor_is_text_that_knows_its_levels():
    factor = Factor([2, 0, 2], ["low", "mid", "high"])
    assert factor.tolist() == ["high", "low", "high"]
    assert factor.codes.tolist() == [2, 0, 2]
    assert factor[1:].levels == ("low", "mid", "high")
    assert factor[1:].codes.tolist() == [0, 2]
    same = factor == "high"
    assert type(same) is np.ndarray
    assert same.tolist() == [True, False, True]


def test_rfactor_has_the_probabilities_asked_for():
    n, prob = 20_000, np.array([0.5, 0.3, 0.2])
    drawn = rfactor(n, ["a", "b", "c"], prob, rng=5)
    share = np.bincount(drawn.codes, minlength=3) / n
    np.testing.assert_array_less(np.abs(share - prob), 4.0 * np.sqrt(prob * (1 - prob) / n))
    equal = np.bincount(rfactor(n, range(4), rng=6).codes) / n
    np.testing.assert_array_less(np.abs(equal - 0.25), 4.0 * np.sqrt(0.25 * 0.75 / n))
    assert rfactor(5, range(4), rng=6).levels == ("0", "1", "2", "3")


def test_balanced_repeats_levels_in_order():
    assert balanced(7, ["x", "y"], each=2).tolist() == ["x", "x", "y", "y", "x", "x", "y"]
    assert balanced(5, range(3)).tolist() == [0, 1, 2, 0, 1]
    assert not isinstance(balanced(5, range(3)), Factor)
    own = balanced(7, each=3)
    assert own.levels == ("1", "2", "3")
    assert own.tolist() == ["1"] * 3 + ["2"] * 3 + ["3"]


def test_dirichlet_has_the_mean_of_its_parameters():
    alpha = np.array([2.0, 1.0, 5.0])
    drawn = dirichlet(alpha, 5000, rng=1)
    assert drawn.shape == (5000, 3)
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0)
    mean = alpha / alpha.sum()
    sd = np.sqrt(mean * (1 - mean) / (alpha.sum() + 1))
    np.testing.assert_array_less(np.abs(drawn.mean(axis=0) - mean), 4 * sd / np.sqrt(5000))
    assert dirichlet(alpha, rng=1).shape == (3,)


@pytest.mark.parametrize(
    "effects", [{"a": 1.0, "b": 2.0, "c": 4.0}, [1.0, 2.0, 4.0], pd.Series([4.0, 2.0, 1.0], index=["c", "b", "a"])]
)
def test_effects_by_name_or_in_the_order_of_the_levels(effects):
    factor = Factor([2, 0, 1, 2], ["a", "b", "c"])
    np.testing.assert_array_equal(by_level(factor, effects), [4.0, 1.0, 2.0, 4.0])
    np.testing.assert_array_equal(by_level(factor[1:3], effects), [1.0, 2.0])


def test_labels_of_any_kind():
    np.testing.assert_array_equal(by_level([1, 2, 1], {1: 0.5, "2": 3}), [0.5, 3.0, 0.5])
    categorical = pd.Categorical(["u", "v"], categories=["v", "u"])
    np.testing.assert_array_equal(by_level(categorical, [1.0, 2.0]), [2.0, 1.0])
    np.testing.assert_array_equal(by_level(pd.Series(categorical), [1.0, 2.0]), [2.0, 1.0])


FACTOR = Factor([0, 1], ["a", "b"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: by_level(FACTOR, {"a": 1.0}), "level 'b' has no effect; there are effects of 'a'"),
        (lambda: by_level(["a", "z"], {"a": 1.0}), "level 'z' has no effect"),
        (lambda: by_level(["a", None], {"a": 1.0}), "the factor has a missing value in row 1"),
        (lambda: by_level([1.0, np.nan], {"1.0": 1.0}), "the factor has a missing value in row 1"),
        (lambda: rfactor(3, ["a"], rng="a"), "rng='a' must be None"),
        (lambda: by_level(FACTOR, [1.0, 2.0, 3.0]), "3 effects for the 2 levels 'a', 'b'"),
        (lambda: by_level(FACTOR, 1.0), "no list of effects"),
        (lambda: by_level(["a"], [1.0]), "give a dict of level: effect"),
        (lambda: by_level(FACTOR, {"a": "x", "b": 1}), "every effect must be one number"),
        (lambda: by_level(pd.Categorical(["a", None]), {"a": 1.0}), "missing value in row 1"),
        (lambda: rfactor(3, ["a", "a"]), "'a' is repeated"),
        (lambda: rfactor(3, []), "levels is empty"),
        (lambda: rfactor(3, "abc"), "must be a list of levels"),
        (lambda: rfactor(3, ["a", "b"], [1.0]), "1 probabilities for 2 levels"),
        (lambda: rfactor(3, ["a", "b"], [0.5, 0.4]), "add up to 0.9"),
        (lambda: rfactor(3, ["a", "b"], [1.5, -0.5]), "must not be negative"),
        (lambda: balanced(3, ["a"], each=0), "each=0 must be a positive whole number"),
        (lambda: dirichlet([1.0, 0.0]), "list of positive numbers"),
        (lambda: dirichlet(["a"]), "list of positive numbers"),
    ],
)
def test_errors(call, message):
    with pytest.raises(me.DataError, match=message):
        call()
