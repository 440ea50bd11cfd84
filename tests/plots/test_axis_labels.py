"""Labels of axes: one on a single panel, titles and ticks with room, and the covariate that is drawn by default."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me

mpl = pytest.importorskip("matplotlib")
mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    mpl.pyplot.close("all")


@pytest.fixture(scope="module")
def words():
    rng = np.random.default_rng(1)
    participant, item = np.repeat(np.arange(12), 18), np.tile(np.arange(18), 12)
    prime = np.array(["unrelated", "neutral", "related"])[(participant + item) % 3]
    slopes, means = rng.normal(scale=0.1, size=(12, 2)), rng.normal(scale=0.2, size=12)
    log = 6 + means[participant] - 0.1 * (prime == "related") + rng.normal(scale=0.2, size=216)
    log += slopes[participant, 0] * (prime == "neutral") + slopes[participant, 1] * (prime == "related")
    return pd.DataFrame(
        {
            "participant": [f"P{i}" for i in participant],
            "prime": pd.Categorical(prime, ["unrelated", "neutral", "related"]),
            "age": rng.integers(18, 60, 12).astype(float)[participant],
            "trial": item + 1.0,
            "rt": np.exp(log),
            "right": np.where(rng.random(216) < 0.8, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def fit(words):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.MixedEffectsWarning)
        return me.lmer("log(rt) ~ prime + age + trial + (prime | participant)", words)


def boxes(texts):
    shown = [one for one in texts if one.get_text()]
    return [one.get_window_extent() for one in shown]


def drawn(axes):
    figure = np.atleast_1d(axes).ravel()[0].figure
    figure.canvas.draw()
    return figure


def test_a_single_panel_has_one_label_which_can_be_replaced(fit, words):
    for ax in (fit.emmeans("prime", scale="response").plot(), fit.plot.caterpillar(term="Intercept")[0]):
        assert ax.get_xlabel() in ("marginal median of rt", "conditional mode")
        assert ax.figure.get_supxlabel() == ""
    panels = fit.plot.caterpillar()
    assert panels[0].figure.get_supxlabel() == "conditional mode"
    assert panels[0].get_xlabel() == ""
    one = fit.plot.trajectories(n=1)
    assert (one[0].get_xlabel(), one[0].get_ylabel()) == ("trial", "log(rt)")


def test_titles_stand_within_the_figure(fit):
    axes = fit.plot.ranef_qq(n=39)
    figure = drawn(axes)
    assert [ax.get_title() for ax in axes][1] == "participant:\nprime[T.neutral]"
    for box in boxes([ax.title for ax in axes]):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize("n", [12, 4, 1])
def test_categories_below_the_panels_do_not_meet_and_are_not_cut(fit, n):
    axes = fit.plot.trajectories(x="prime", n=n)
    figure = drawn(axes)
    found = boxes([label for label in axes[-1].get_xticklabels() if label.get_visible()])
    assert len(found) == 3
    assert all(right.x0 >= left.x1 for left, right in pairwise(found))
    assert min(box.y0 for box in found) >= 0
    assert max(box.x1 for box in found) <= figure.bbox.x1


def test_numbers_below_the_panels_of_a_caterpillar_do_not_meet(fit):
    axes = fit.plot.caterpillar()
    drawn(axes)
    found = []
    for ax in axes:
        low, high = ax.get_xlim()
        found += boxes(
            [label for at, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True) if low <= at <= high]
        )
    assert len(found) >= 6
    assert all(right.x0 > left.x1 + 2 for left, right in pairwise(found))


def test_trajectories_are_drawn_along_what_varies_within_groups(fit, words):
    assert fit.plot.trajectories(n=2)[0].figure.get_supxlabel() == "trial"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.MixedEffectsWarning)
        category = me.lmer("rt ~ age + prime + (1 | participant)", words)
        neither = me.lmer("rt ~ age + (1 | participant)", words)
    assert category.plot.trajectories(n=2)[0].figure.get_supxlabel() == "prime"
    assert neither.plot.trajectories(n=2)[0].figure.get_supxlabel() == "age"


def test_means_of_yes_and_no_are_probabilities(words):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.MixedEffectsWarning)
        text = me.glmer("right ~ prime + (1 | participant)", words, "binomial")
        number = me.glmer("y ~ prime + (1 | participant)", words.assign(y=(words["right"] == "yes") * 1), "binomial")
    assert text.emmeans("prime", scale="response").plot().get_xlabel() == "probability of 'yes'"
    assert number.emmeans("prime", scale="response").plot().get_xlabel() == "probability of y = 1"
    assert number.emmeans("prime").plot().get_xlabel() == "marginal mean (logit)"
