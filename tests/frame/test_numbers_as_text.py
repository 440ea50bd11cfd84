"""Numbers that were read as text, responses of the wrong kind: the error says what to do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedeffects as me
from mixedeffects.frame.numbers_as_text import numbers_as_text


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 60
    values = rng.normal(3.0, 1.0, n)
    return pd.DataFrame(
        {
            "g": np.repeat(list("abcdefghij"), 6),
            "x": rng.normal(size=n),
            "count": rng.poisson(3.0, n),
            "answer": np.where(rng.random(n) < 0.5, "yes", "no"),
            "comma": [f"{value:.2f}".replace(".", ",") for value in values],
            "marked": [*(f"{value:.2f}" for value in values[:-1]), "n/a"],
            "stored": [f"{value:.2f}" for value in values],
            "mixed": [*values[:-1].tolist(), "broken"],
        }
    )


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["3,5", "12", "0,25"], "its text has decimal commas ('3,5'): read the file with decimal=','"),
        (["1.234,5", "7,0"], "its text has decimal commas ('1.234,5')"),
        (["3.5", "4", "missing"], "most of its values are numbers, but 'missing' is text"),
        (["3.5", "4"], "its values are numbers stored as text ('3.5')"),
    ],
)
def test_text_that_should_be_numbers_is_recognised(texts, said):
    assert numbers_as_text(texts).startswith(said)


@pytest.mark.parametrize("texts", [["a", "b"], ["low", "mid", "1"], [], [1, 2], ["a,b", "c,d"], ["", " "]])
def test_other_text_is_left_alone(texts):
    assert numbers_as_text(texts) == ""


@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas])
@pytest.mark.parametrize(
    ("column", "said"),
    [("comma", "decimal commas"), ("marked", "but 'n/a' is text"), ("stored", "numbers stored as text")],
)
def test_a_response_read_as_text_says_why(frame, column, said, convert):
    data = convert(frame.drop(columns="mixed"))
    for formula in (f"{column} ~ x + (1 | g)", f"log({column}) ~ x + (1 | g)", f"x ~ log({column}) + (1 | g)"):
        with pytest.raises(me.DataError, match=said):
            me.lmer(formula, data)
    with pytest.raises(me.DataError, match=said):
        me.glmer(f"{column} ~ x + (1 | g)", data, "binomial")
    with pytest.raises(me.DataError, match=said):
        me.lmer("x ~ 1 + (1 | g)", data, weights=column)


def test_a_text_among_numbers_is_named_with_its_row(frame):
    with pytest.raises(me.DataError, match="row 59 has the text 'broken': correct it, or mark it as missing"):
        me.lmer("x ~ mixed + (1 | g)", frame)


def test_counts_without_a_family_are_told_theirs(frame):
    with pytest.raises(me.DataError, match="counts have family='poisson' or 'negative_binomial'"):
        me.glmer("count ~ x + (1 | g)", frame)


@pytest.mark.parametrize("fit", [me.lmer, lambda *call: me.glmer(*call, "poisson")])
def test_two_categories_are_told_the_binomial_family(frame, fit):
    with pytest.raises(me.DataError, match="it has 2 categories; one of two categories is modelled by me"):
        fit("answer ~ x + (1 | g)", frame)


def test_the_print_says_whose_probability_is_modelled(frame):
    fit = me.glmer("answer ~ x + (1 | g)", frame)
    assert fit.model.y.mean() == (frame["answer"] == "yes").mean()
    assert "  Means: probability of 'yes' (against 'no')" in str(fit).splitlines()
    assert "Means: probability of &#x27;yes&#x27; (against &#x27;no&#x27;)" in fit._repr_html_()
    numbers = frame.assign(answer=(frame["answer"] == "yes").astype(float))
    assert "Means" not in str(me.glmer("answer ~ x + (1 | g)", numbers))


def test_a_dropped_row_counts_at_every_column_that_lacks_a_value(frame):
    holes = frame.assign(count=frame["count"].astype(float)).drop(columns="mixed")
    holes.loc[[0, 1, 2], "x"] = np.nan
    holes.loc[[1, 2, 3, 7], "count"] = np.nan
    holes.loc[9, "g"] = None
    with pytest.warns(me.DroppedRowsWarning) as caught:
        fit = me.lmer("count ~ x + (1 | g)", holes)
    said = (
        "6 of 60 rows were dropped: 6 with missing values (4 in 'count', 3 in 'x', 1 in 'g', some in several of them)"
    )
    assert str(caught[0].message) == said
    assert (fit.nobs, fit.model.n_missing, fit.model.n_rows_given) == (54, 6, 60)
    assert not np.isin([0, 1, 2, 3, 7, 9], fit.rows).any()


@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas])
@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("stata", r"59 of its 60 distinct values are numbers, the other is '\.'\. .*na_values=\['\.'\].*C\(stata\)"),
        ("marked", r"the other is 'n/a'"),
        ("comma", r"numbers, 60 of them with a decimal comma .*decimal=','"),
    ],
)
def test_a_predictor_of_numbers_read_as_text_is_refused(frame, column, said, convert):
    distinct = [f"{value:.2f}" for value in np.linspace(1.0, 5.0, 60)]
    texts = {
        "stata": [*distinct[:-1], "."],
        "marked": [*distinct[:-1], "n/a"],
        "comma": [text.replace(".", ",") for text in distinct],
    }
    data = convert(frame.drop(columns="mixed").assign(**texts))
    for formula in (f"x ~ {column} + (1 | g)", f"x ~ count * {column} + (1 | g)"):
        with pytest.raises(me.DataError, match=said):
            me.design(formula, data)


def test_text_that_is_meant_as_categories_stays_so(frame):
    years = np.array([str(2000 + i % 15) for i in range(60)])
    other = np.where(np.arange(60) % 15 == 0, "none", years)
    data = frame.assign(year=years, other=other, dtype=pd.Categorical(other), few=np.where(years < "2005", years, "."))
    for part, n_columns in (("year", 15), ("C(other)", 15), ("factor(other)", 15), ("dtype", 15), ("few", 6)):
        assert me.design(f"x ~ {part} + (1 | g)", data).X.shape[1] == n_columns
    assert me.design("x ~ 1 + (1 | other)", data).X.shape[1] == 1
    with pytest.raises(me.DataError, match="'other' holds text: 14 of its 15"):
        me.design("x ~ C(other) + other + (1 | g)", data)
