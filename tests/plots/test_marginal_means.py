"""Marginal means: the picture, and the file."""

from __future__ import annotations

import csv

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from support import reference

import mixedeffects as me

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cake():
    return me.lmer("log(angle) ~ recipe * temperature + (1 | recipe:replicate)", reference.load_data("cake"))


@pytest.fixture(scope="module")
def herds():
    return me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", reference.load_data("cbpp"))


def test_the_picture_shows_estimates_and_limits_in_the_order_of_the_levels(herds):
    means = herds.emmeans("period", scale="response")
    ax = means.plot()
    table = means.to_frame()
    pd.testing.assert_frame_equal(pd.DataFrame(ax.data), pd.DataFrame(table))
    (points,) = ax.lines
    np.testing.assert_array_equal(points.get_xdata(), table["estimate"])
    segments = np.array(ax.collections[0].get_segments())
    np.testing.assert_array_equal(segments[:, :, 0], table[["lower", "upper"]])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["1", "2", "3", "4"]
    low, high = ax.get_ylim()
    assert low > high, "the first level stands on top"
    assert ax.get_xlabel() == "marginal proportion of successes"


def test_there_is_a_panel_for_each_combination_of_by_on_one_scale(cake):
    means = cake.emmeans("recipe", by="temperature", scale="response")
    axes = means.plot()
    assert [ax.get_title() for ax in axes] == [f"temperature {t}" for t in (175, 185, 195, 205, 215, 225)]
    assert len({ax.get_xlim() for ax in axes}) == 1
    shown = np.concatenate([ax.lines[0].get_xdata() for ax in axes])
    np.testing.assert_array_equal(shown, means["estimate"])
    assert axes.figure.get_supxlabel() == "marginal median of angle"


@pytest.mark.parametrize(("scale", "label"), [("link", "marginal mean (logit)"), ("response", "marginal proportion")])
def test_axes_of_the_callers_are_labelled(herds, scale, label):
    _, ax = plt.subplots()
    assert herds.emmeans("period", scale=scale).plot(ax=ax) is ax
    assert ax.get_xlabel().startswith(label)
    assert ax.get_ylabel() == "period"


def test_two_specs_and_numbers_stand_in_the_labels(cake):
    ax = cake.emmeans(["recipe", "temperature"]).plot()
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels[:4] == ["A, 175", "B, 175", "C, 175", "A, 185"]
    assert ax.get_xlabel() == "marginal mean of log(angle)"


@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas])
def test_the_file_has_all_columns_with_all_digits(tmp_path, convert):
    data = convert(reference.load_data("cake"))
    means = me.lmer("angle ~ recipe + (1 | replicate)", data).emmeans("recipe")
    means.to_csv(tmp_path / "means.csv")
    with (tmp_path / "means.csv").open(encoding="utf-8", newline="") as file:
        heads, *rows = csv.reader(file)
    assert heads == ["recipe", "estimate", "std_error", "df", "lower", "upper"]
    assert [row[0] for row in rows] == ["A", "B", "C"]
    for j, name in enumerate(heads[1:], start=1):
        assert [float(row[j]) for row in rows] == list(means.columns[name])


def test_means_are_a_table_with_notes_in_a_notebook():
    means = me.lmer("Reaction ~ Days + (1 | Subject)", me.datasets.load("sleepstudy")).emmeans(
        "Days", at={"Days": [0, 9]}
    )
    html = means._repr_html_()
    assert html.count("<tr") >= 3
    for name in means.columns:
        assert f"<th>{name}</th>" in html
    for note in means.notes:
        assert note.split(",")[0] in html
