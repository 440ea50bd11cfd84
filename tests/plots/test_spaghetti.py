"""The data as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me
from mixedeffects.plots.spaghetti import groups_data, spaghetti_data


def test_rows_by_level_and_x():
    data = me.datasets.load("sleepstudy").sample(frac=1.0, random_state=1).reset_index(drop=True)
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", data)
    frame = pd.DataFrame(spaghetti_data(fit))
    wanted = data.sort_values(["Subject", "Days"])
    assert frame["row"].tolist() == wanted.index.tolist()
    assert frame["level"].tolist() == wanted["Subject"].tolist()
    assert frame["y"].tolist() == wanted["Reaction"].tolist()
    assert frame["x"].tolist() == wanted["Days"].tolist()
    assert frame["line"].tolist() == wanted["Reaction"].tolist()


def test_lines_go_through_the_means_of_ties(deficient, draw):
    ax = draw(deficient).spaghetti(x="Machine")
    means = ax.data.groupby(["level", "x"])["y"].transform("mean")
    np.testing.assert_allclose(ax.data["line"], means, rtol=1e-12)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["A", "B", "C"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Machine", "score")


def test_figure_23_2(sleep, draw):
    ax = draw(sleep).spaghetti(line_at=2)
    lines = ax.collections[0].get_segments()
    assert len(lines) == 18
    np.testing.assert_array_equal(lines[0][:, 0], range(10))
    assert [line.get_xdata()[0] for line in ax.lines[1:]] == [2]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Days", "Reaction")
    assert ax.get_title(loc="right") == "one line per Subject (18)"
    assert len(draw(sleep).spaghetti(line_at=[2, 5]).lines) == 3


def test_a_single_row_is_a_point(gaps, draw):
    ax = draw(gaps).spaghetti()
    assert len(ax.lines[0].get_xdata()) == 1


def test_choice_of_x(plates, sleep, crossed, draw):
    with pytest.raises(me.DataError, match=r"no numeric covariate .* one of the columns 'plate', 'sample'"):
        draw(plates).spaghetti()
    with pytest.raises(me.DataError, match="x='age' is not among the columns that the fit keeps"):
        draw(sleep).spaghetti(x="age")
    with pytest.raises(me.DataError, match="several covariates have random slopes; choose one: x='a' or x='B'"):
        draw(crossed).spaghetti()
    assert draw(crossed).spaghetti(x="a", group="item").data["group"].unique().tolist() == ["item"]
    both = me.lmer("Reaction ~ Days + (1 | Subject)", me.datasets.load("sleepstudy"))
    assert draw(both).spaghetti().get_xlabel() == "Days"


def test_groups(batches, draw):
    frame = pd.DataFrame(groups_data(batches))
    assert frame["position"].tolist() == np.repeat(range(6), 5).tolist()
    np.testing.assert_allclose(frame["mean"], frame.groupby("level")["y"].transform("mean"))
    ordered = pd.DataFrame(groups_data(batches, order=True)).sort_values("position")
    assert (np.diff(ordered["mean"]) >= -1e-9).all()
    ax = draw(batches).groups()
    assert [text.get_text() for text in ax.get_xticklabels()] == list("ABCDEF")
    assert ax.get_title(loc="right") == f"bars: means; intraclass correlation {batches.icc().adjusted:.2f}"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Batch", "Yield")


def test_groups_with_weights(weighted):
    frame = pd.DataFrame(groups_data(weighted)).assign(w=weighted.model.weights)
    mean = frame.groupby("level").apply(lambda part: np.average(part["y"], weights=part["w"]), include_groups=False)
    np.testing.assert_allclose(frame["mean"], mean[frame["level"]], rtol=1e-10)


@pytest.mark.parametrize("day", [0.0, -30.0, 4.5])
def test_the_correlation_does_not_depend_on_the_origin_of_a_slope(day, sleep, draw):
    data = me.datasets.load("sleepstudy").assign(Days=lambda d: d["Days"] - day)
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", data)
    share = sleep.icc().adjusted
    assert fit.icc().adjusted == pytest.approx(share, rel=1e-4)
    assert draw(fit).groups().get_title(loc="right") == f"bars: means; adjusted ICC {share:.2f}"


def test_no_correlation_of_several_factors(oats, draw):
    assert draw(oats).groups().get_title(loc="right") == "bars: means"


def test_equal_values_stand_side_by_side(draw):
    y = np.array([1.0, 2.0, 1.0, 1.0, 3.0, 3.0, 1.0, 5.0, *np.arange(8.0), *[4.0] * 9])
    data = {"y": y, "g": np.repeat(list("abc"), [8, 8, 9])}
    fit = me.lmer("y ~ 1 + (1 | g)", data, control=me.Control(fixed_theta=[1.0]))
    frame = pd.DataFrame(groups_data(fit))
    np.testing.assert_allclose(frame["offset"][:8], [-0.18, 0.0, -0.06, 0.06, -0.06, 0.06, 0.18, 0.0], atol=1e-12)
    assert (frame["offset"][8:16] == 0).all()
    np.testing.assert_allclose(frame["offset"][16:], np.linspace(-0.38, 0.38, 9), atol=1e-12)
    drawn = draw(fit).groups().lines[0].get_xydata()
    np.testing.assert_allclose(drawn, np.column_stack([frame["position"] + frame["offset"], frame["y"]]))


def test_axes_carry_the_units_that_the_data_tell(draw):
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
    ax = draw(fit).spaghetti()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Days", "Reaction (ms)")  # "Days (days)" would say it twice
    assert draw(fit).residuals().get_xlabel() == "fitted Reaction (ms)"
    for unit, label in (("Day", "Days"), (" DAYS ", "Days"), ("d", "Days (d)"), ("", "Days")):
        frame = me.datasets.load("sleepstudy")
        frame.attrs["units"] = {"Days": unit}
        assert draw(me.lmer("Reaction ~ Days + (1 | Subject)", frame)).spaghetti().get_xlabel() == label
    bare = me.datasets.load("sleepstudy")
    bare.attrs.clear()
    assert draw(me.lmer("Reaction ~ Days + (1 | Subject)", bare)).spaghetti().get_ylabel() == "Reaction"
