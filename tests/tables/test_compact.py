"""Tables of results in the width of the console."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support import reference

import mixedeffects as me
from mixedeffects.tables.compact import compact_lines
from mixedeffects.tables.frames import noted


@pytest.fixture(scope="module")
def cake():
    return me.lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", reference.load_data("cake"))


def test_tables_of_results_fit_eighty_columns(cake):
    means = cake.emmeans("recipe", by="temperature")
    tables = (cake.coef_table(), cake.anova(), cake.drop1(), cake.ranova(), means.to_frame(), means.contrasts())
    for table in tables:
        lines = str(table).splitlines()[: len(table) + 1]
        assert max(map(len, lines)) < 80
        for name in table.columns:
            assert name in lines[0], "no column is left out"
        for row, line in zip(table.itertuples(index=False), lines[1:], strict=True):
            assert line.startswith(str(row[0]))


def test_all_printed_digits_are_those_of_the_values(cake):
    table = cake.coef_table()
    for line, estimate, p_value in zip(str(table).splitlines()[1:], table["estimate"], table["p_value"], strict=False):
        cells = line.split()
        assert float(cells[1]) == pytest.approx(estimate, rel=2e-3)
        assert (
            ("< 2" in line or "<2" in line) if p_value < 2e-16 else float(cells[-1]) == pytest.approx(p_value, rel=1e-3)
        )


def test_the_values_keep_their_digits(cake):
    table = cake.anova()
    assert isinstance(table, pd.DataFrame)
    assert table["statistic"].iloc[0] != round(table["statistic"].iloc[0], 5)
    assert "..." not in table.to_string()


def test_a_wide_table_goes_on_below_with_its_names():
    columns = {"term": ["a", "bb"], **{f"a rather long head {j}": [0.5 * j, 1.25] for j in range(6)}}
    lines = compact_lines(columns)
    assert max(map(len, lines)) < 80
    assert [line.split()[0] for line in lines] == ["term", "a", "bb"] * 2


def test_remains_of_a_difference_are_no_reason_for_exponents():
    assert [line.split() for line in compact_lines({"estimate": [12.5, -1.8e-15]})] == [["estimate"], ["12.5"], ["0.0"]]
    assert "1.8e-05" in "".join(compact_lines({"estimate": [1.8e-5]}))


def test_missing_values_and_infinite_degrees_of_freedom_are_shown():
    lines = compact_lines(
        {"term": ["a", None], "estimate": [np.nan, 1.5], "df": [np.inf, 3.0], "p_value": [0.5, np.nan]}
    )
    assert [line.split() for line in lines[1:]] == [["a", "NaN", "Inf", "0.5"], ["1.5", "3", "NaN"]]


def test_models_stand_in_a_legend():
    herds = reference.load_data("cbpp")
    small = me.glmer("incidence ~ 1 + (1 | herd)", herds, "poisson")
    large = me.glmer("incidence ~ period + (1 | herd)", herds, "poisson")
    lines = str(me.anova(small, large)).splitlines()
    assert lines[:2] == ["fit0: incidence ~ 1 + (1 | herd)", "fit1: incidence ~ period + (1 | herd)"]
    assert lines[2].split() == ["model", "npar", "aic", "bic", "loglik", "deviance", "chisq", "df", "p_value"]


def test_long_tables_and_those_with_an_index_are_printed_by_pandas():
    long = pd.DataFrame({"x": np.arange(100.0)})
    assert str(noted(long, ["said below"])) == f"{long}\nsaid below"
    named = pd.DataFrame({"x": [1.0]}, index=["row"])
    assert str(noted(named, [])) == str(named)


def test_limits_have_percentages_as_heads_in_html(cake):
    html = cake.confint("wald", params="beta_")._repr_html_()
    assert "2.5 %" in html
    assert "97.5 %" in html
    assert "lower" not in html


def test_categories_that_are_neither_text_nor_numbers_are_printed_as_they_are():
    cuts = pd.cut(pd.Series([0.0, 4.0, 9.0]), 3).tolist()
    days = list(pd.date_range("2020-01-01", periods=3))
    lines = compact_lines({"cut": cuts, "day": days, "estimate": [1.0, 2.0, np.nan]})
    assert str(cuts[1]) in lines[2]
    assert "2020-01-02" in lines[2]
    assert compact_lines({"n": [1, pd.NA], "x": [1.0, 2.0]})[2].split() == ["2"]
