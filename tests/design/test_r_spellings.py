"""Columns called like Python's keywords, and R's factor() and as.numeric(), from a formula to its columns."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from support import reference

from mixedeffects.design import design, replay
from mixedeffects.errors import DataError, DroppedRowsWarning, RankDeficiencyWarning
from mixedeffects.formula import parse
from mixedeffects.frame import read_columns


@pytest.fixture
def data(small):
    return small.assign(k=small["z"].astype(int) % 3, text=small["f"].astype(str))


def replayed(made, frame):
    columns, complete = read_columns(frame, parse(f"y ~ {made.encoding.expr}").variables()[1:])
    return replay(made.encoding, columns, len(complete))


@pytest.mark.parametrize("word", ["yield", "class", "lambda", "from", "True", "None", "in", "not", "if", "or"])
@pytest.mark.parametrize(
    "right",
    [
        "z",
        "log(z) + I(z**2):f",
        "poly(z, 2) * f + (z | g)",
        "f + offset(log(z)) + (log(z) || g)",
        "z + scale(log(z) / z) + I(z > 5)",
        "{z + x} + C(z > 5) + where(f == 'a', z, 0)",
    ],
)
def test_a_keyword_in_backticks_is_a_column_like_any_other(data, word, right):
    plain = design(f"y ~ {right} + (1 | h)", data)
    renamed = data.rename(columns={"z": word})
    made = design(f"y ~ {right} + (1 | h)".replace("z", f"`{word}`"), renamed)
    np.testing.assert_array_equal(made.X, plain.X)
    np.testing.assert_array_equal(made.Z.toarray(), plain.Z.toarray())
    assert [name.replace("`", "") for name in made.names] == [re.sub(r"\bz\b", word, name) for name in plain.names]
    assert [label.replace("`", "") for label, _ in made.assign] == [re.sub(r"\bz\b", word, t) for t, _ in plain.assign]
    assert [b.names for b in made.terms[1:]] == [
        tuple(re.sub(r"\bz\b", f"`{word}`" if "log" in name else word, name) for name in b.names)
        for b in plain.terms[1:]
    ]
    if plain.offset is not None:
        np.testing.assert_array_equal(made.offset, plain.offset)
    np.testing.assert_allclose(replayed(made, renamed.iloc[:5]), made.X[:5], rtol=1e-12, atol=1e-13)


def test_keywords_without_backticks(data):
    renamed = data.rename(columns={"y": "yield", "z": "lambda", "f": "class", "g": "from"})
    made = design(
        "yield/10 ~ log(lambda) * class + C(class):x + offset(log(lambda)) + (lambda | from) + (1 | from:h)", renamed
    )
    plain = design("y/10 ~ log(z) * f + C(f):x + offset(log(z)) + (z | g) + (1 | g:h)", data)
    np.testing.assert_array_equal(made.X, plain.X)
    np.testing.assert_array_equal(made.Z.toarray(), plain.Z.toarray())
    np.testing.assert_array_equal(made.y, data["y"] / 10)
    assert made.names[:4] == ("Intercept", "log(`lambda`)", "class[T.b]", "class[T.c]")
    assert [block.group for block in made.terms] == ["from:h", "from"]
    assert made.terms[1].names == ("Intercept", "lambda")
    summed = design("yield ~ C(class) + (1 | from)", renamed, contrasts={"class": "sum"})
    assert summed.names == ("Intercept", "C(`class`)[S.a]", "C(`class`)[S.b]")


def test_a_keyword_inside_an_expression_in_messages(data):
    renamed = data.rename(columns={"f": "class", "z": "yield"})
    with pytest.raises(DataError, match=r"'log\(`class`\)' cannot be computed .*'class' holds categories"):
        design("y ~ log(class) + (1 | g)", renamed)
    with pytest.warns(DroppedRowsWarning, match=r"in 'log\(`yield` - 2.5\)'"):
        made = design("y ~ scale(log(yield - 2.5)) + (1 | g)", renamed)
    assert made.nobs == (data["z"] > 2.5).sum()
    with pytest.raises(DataError, match="no column 'import'"):
        design("y ~ log(import) + (1 | g)", renamed)


@pytest.mark.parametrize("call", ["factor", "as.factor"])
def test_factor_is_c(data, call):
    made = design(f"y ~ {call}(k) * x + ({call}(h) | {call}(g))", data)
    plain = design("y ~ C(k) * x + (C(h) | g)", data)
    np.testing.assert_array_equal(made.X, plain.X)
    np.testing.assert_array_equal(made.Z.toarray(), plain.Z.toarray())
    assert made.names == plain.names
    assert made.names[1] == "C(k)[T.1]"
    assert [block.group for block in made.terms] == ["g"]
    coded = design(f"y ~ {call}(k) + (1 | g)", data, contrasts={"k": "sum"})
    assert coded.names == ("Intercept", "C(k)[S.0]", "C(k)[S.1]")


@pytest.mark.parametrize("column", ["o", "f", "text", "k", "x"])
@pytest.mark.parametrize("call", ["as.numeric", "as.integer"])
def test_as_numeric(data, column, call):
    made = design(f"y ~ {call}({column}) + I({call}({column})**2) + (0 + {call}({column}) | g)", data)
    values = data[column]
    if column in ("o", "f", "text"):
        expected = pd.Categorical(values).codes + 1.0
    else:
        expected = np.trunc(values.astype(float)) if call == "as.integer" else values.astype(float)
    assert made.names == ("Intercept", f"{call}({column})", f"I({call}({column}) ** 2)")
    np.testing.assert_array_equal(made.X[:, 1], expected)
    np.testing.assert_array_equal(made.X[:, -1], expected**2)
    assert made.terms[0].names == (f"{call}({column})",)
    np.testing.assert_array_equal(made.terms[0].columns[0], expected)
    stored = pickle.loads(pickle.dumps(made.encoding))
    part = [30, 3]
    columns, _ = read_columns(data.iloc[part], [column])
    np.testing.assert_array_equal(replay(stored, columns, 2), made.X[part])


def test_as_numeric_of_an_expression_and_of_factor(data):
    made = design("y ~ as.numeric(x > 5) + as.numeric(factor(z)) + as.integer(t) + (1 | g)", data)
    np.testing.assert_array_equal(made.X[:, 1], data["x"] > 5)
    np.testing.assert_array_equal(made.X[:, 2], pd.Categorical(data["z"]).codes + 1)
    np.testing.assert_array_equal(made.X[:, 3], data["t"])
    assert made.names[2] == "as.numeric(C(z))"


def test_as_numeric_in_the_response_and_the_offset(data):
    made = design("as.numeric(o) ~ x + offset(2 * as.numeric(f)) + (1 | g)", data)
    np.testing.assert_array_equal(made.y, data["o"].cat.codes + 1)
    np.testing.assert_array_equal(made.offset, 2.0 * (pd.Categorical(data["f"]).codes + 1))


def test_as_numeric_of_new_data_of_another_kind(data):
    made = design("y ~ as.numeric(f) + as.numeric(x) + (1 | g)", data)
    for changes, match in (
        ({"f": 1.0}, "'f' held categories .* holds numbers now"),
        ({"x": "a"}, "'x' held numbers .* holds categories now"),
        ({"f": "new"}, "'f' has levels that the model was not fitted with: 'new'"),
    ):
        with pytest.raises(DataError, match=match):
            replayed(made, data.assign(**changes))


@pytest.mark.parametrize("case_id", ["rankdef_ML", "rankdef_cells_REML", "oats_factor_REML", "oats_REML"])
def test_reference_formulas_as_r_has_them(case_id):
    case = reference.load_case(case_id)
    formula = case["formula"]
    data = reference.load_data(case["dataset"])
    dropped = case.get("dropped_columns", [])
    if dropped:
        with pytest.warns(RankDeficiencyWarning, match=re.escape(dropped[0])):
            made = design(formula, data)
    else:
        made = design(formula, data)
    names = [re.sub(r"\[T\.(.*?)\]", r"\1", name).replace("C(", "factor(") for name in made.kept_names]
    assert names == [name.replace("(Intercept)", "Intercept") for name in case["fixef"]]
    assert [name for name, keep in zip(made.names, made.kept, strict=True) if not keep] == dropped
