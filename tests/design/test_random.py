"""Blocks of random-effects terms: expansion, names, shared memory, and the checks on the grouping factors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixedeffects.design import design
from mixedeffects.errors import DataError, FormulaError


def names_of(made):
    return [(block.key, block.names) for block in made.terms]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("y ~ x + (x | g)", [("g", ("Intercept", "x"))]),
        ("y ~ x + (0 + x | g)", [("g", ("x",))]),
        ("y ~ x + (x || g)", [("g", ("Intercept",)), ("g.1", ("x",))]),
        ("y ~ x + (0 + x || g)", [("g", ("x",))]),
        ("y ~ x + (x + z || g)", [("g", ("Intercept",)), ("g.1", ("x",)), ("g.2", ("z",))]),
        ("y ~ 1 + (f || g)", [("g", ("Intercept",)), ("g.1", ("f[T.b]",)), ("g.2", ("f[T.c]",))]),
        ("y ~ 1 + (0 + f || g)", [("g", ("f[a]",)), ("g.1", ("f[b]",)), ("g.2", ("f[c]",))]),
        ("y ~ 1 + (0 + f | g)", [("g", ("f[a]", "f[b]", "f[c]"))]),
        ("y ~ 1 + (t | g)", [("g", ("Intercept", "t[T.True]"))]),
        ("y ~ 1 + (1 | g/s)", [("s:g", ("Intercept",)), ("g", ("Intercept",))]),
        ("y ~ 1 + (1 | s) + (1 | g)", [("g", ("Intercept",)), ("s", ("Intercept",))]),
        ("y ~ 1 + (poly(x, 2) | g)", [("g", ("Intercept", "poly(x, 2)[1]", "poly(x, 2)[2]"))]),
        ("y ~ 1 + (x * z | s)", [("s", ("Intercept", "x", "z", "x:z"))]),
    ],
)
def test_expansion_and_names(small, formula, expected):
    assert names_of(design(formula, small)) == expected


def test_the_random_part_keeps_its_own_coding(small):
    made = design("y ~ f + (f | g)", small, contrasts={"f": "sum"})
    assert made.names == ("Intercept", "f[S.a]", "f[S.b]")
    assert made.terms[0].names == ("Intercept", "f[T.b]", "f[T.c]")


def test_indicator_columns_of_a_split_factor(small):
    made = design("y ~ 1 + (f || g)", small)
    np.testing.assert_array_equal(made.terms[1].columns[0], small["f"] == "b")
    np.testing.assert_array_equal(made.terms[2].columns[0], small["f"] == "c")
    assert made.terms[2].positions == (2,)


def test_columns_share_memory_with_X(small):
    made = design("y ~ x + poly(z, 2) + (1 + x + poly(z, 2) | s)", small)
    constant, x, first, second = made.terms[0].columns
    assert constant.strides == (0,)
    assert (constant == 1).all()
    for column, j in ((x, 1), (first, 2), (second, 3)):
        assert np.shares_memory(column, made.X[:, j])


def test_a_column_that_X_lacks_is_a_copy(small):
    made = design("y ~ 1 + (0 + x | g)", small)
    x = small["x"].to_numpy()
    np.testing.assert_array_equal(made.terms[0].columns[0], x)
    assert not np.shares_memory(made.terms[0].columns[0], x)


def test_integer_and_aliased_columns(small):
    small = small.assign(k=small["z"].astype(int), k2=small["z"].astype(int) * 2)
    with pytest.warns(match=r"k2$"):
        made = design("y ~ k + k2 + (k + k2 | s)", small)
    assert [column.dtype for column in made.terms[0].columns] == [np.float64] * 3
    np.testing.assert_array_equal(made.terms[0].columns[2], small["k2"])


def test_names_with_blanks_and_dots(small):
    data = small.rename(columns={"x": "the x", "g": "the group", "z": "z.1"})
    made = design("y ~ `the x` + z.1 + (`the x` + z.1 | `the group`)", data)
    assert made.names == ("Intercept", "the x", "z.1")
    assert names_of(made) == [("the group", ("Intercept", "the x", "z.1"))]
    np.testing.assert_array_equal(made.terms[0].columns[1], small["x"])
    assert np.shares_memory(made.terms[0].columns[2], made.X)


@pytest.mark.parametrize(
    ("formula", "match"),
    [
        ("y ~ x + (1 | one)", r"factor 'one' of \(1 \| one\) has 1 level only \('k'\)"),
        ("y ~ x + (1 | row)", r"'row' of \(1 \| row\) has one level per observation \(36 levels, 36 rows\)"),
        ("y ~ x + (1 | g:row)", "one level per observation"),
        ("y ~ x + (x | pair)", r"term \(1 \+ x \| pair\) has 36 random effects \(2 for each of 18 levels"),
        ("y ~ x + (0 + f | pair)", "54 random effects"),
    ],
)
def test_terms_that_lme4_refuses(small, formula, match):
    data = small.assign(one="k", row=np.arange(36), pair=np.arange(36) // 2)
    with pytest.raises(DataError, match=match):
        design(formula, data)
    if "one)" not in formula:
        assert design(formula, data, allow_observation_level=True).nobs == 36
    else:
        with pytest.raises(DataError, match=match):
            design(formula, data, allow_observation_level=True)


def test_the_limits_are_those_of_lme4(small):
    data = small.assign(pair=np.minimum(np.arange(36) // 2, 16), near=np.minimum(np.arange(36), 34))
    assert design("y ~ x + (x | pair)", data).n_effects == 34
    assert design("y ~ x + (1 | near)", data).n_effects == 35
    assert design("y ~ x + (x || near)", data).n_effects == 70


def test_levels_are_counted_after_dropping_rows(small):
    data = small.assign(half=np.where(np.arange(36) < 18, "p", "q"))
    data.loc[data["half"] == "q", "x"] = np.nan
    with pytest.raises(DataError, match=r"'half' .* has 1 level only"):
        design("y ~ x + (1 | half)", data)


def test_a_formula_without_a_random_term(small):
    with pytest.raises(FormulaError, match="no random-effects term"):
        design("y ~ x", small)


def test_a_term_without_columns(small):
    with pytest.raises((DataError, FormulaError)):
        design("y ~ x + (0 | g)", small)


def test_a_million_levels():
    n = 2_000_000
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.normal(size=n), "g": rng.permutation(n) // 2, "h": rng.permutation(n) % 7})
    data["g"] = "level " + data["g"].astype(str)
    made = design("y ~ 1 + (1 | g) + (1 | h)", data)
    assert made.terms[0].factor.n_levels == 1_000_000
    assert len(str(made)) < 200
    assert len(repr(made.terms)) < 500
