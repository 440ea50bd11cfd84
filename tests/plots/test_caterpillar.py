"""Conditional modes with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from support import reference

import mixedeffects as me
from mixedeffects.plots.caterpillar import caterpillar_data


def test_modes_and_intervals(crossed):
    frame = pd.DataFrame(caterpillar_data(crossed, level=0.9))
    assert frame.groupby(["group", "term"], sort=False).ngroups == 5
    for (group, term), part in frame.groupby(["group", "term"], sort=False):
        j = list(crossed.ranef[group].columns).index(term)
        np.testing.assert_allclose(part["estimate"], crossed.ranef[group][term], atol=1e-12)
        error = np.sqrt(crossed.ranef.condvar[group][:, j, j])
        np.testing.assert_allclose(part["std_error"], error, atol=1e-12)
        np.testing.assert_allclose(part["upper"] - part["lower"], 2 * norm.ppf(0.95) * error, atol=1e-9)


def test_modes_are_those_of_lme4(sleep):
    stored = reference.load_case("sleep_slope_REML")["ranef"]["Subject"]
    frame = pd.DataFrame(caterpillar_data(sleep, term="Days"))
    assert frame["level"].tolist() == stored["levels"]
    modes, variances = np.array(stored["values"]), np.array(stored["condVar"])
    np.testing.assert_allclose(frame["estimate"], modes[:, 1], atol=1e-5 * np.abs(modes[:, 1]).max())
    np.testing.assert_allclose(frame["std_error"], np.sqrt(variances[:, 1, 1]), rtol=1e-5)


def test_order_is_that_of_the_first_column_drawn(sleep):
    frame = pd.DataFrame(caterpillar_data(sleep))
    first, second = (part.set_index("level") for _, part in frame.groupby("term", sort=False))
    assert (np.diff(first.sort_values("position")["estimate"]) > 0).all()
    assert first["position"].equals(second["position"])
    days = pd.DataFrame(caterpillar_data(sleep, term="Days")).sort_values("position")
    assert (np.diff(days["estimate"]) > 0).all()
    plain = pd.DataFrame(caterpillar_data(sleep, order=False))
    assert plain["position"].tolist() == [*range(18)] * 2


def test_labels_at_their_modes(sleep, draw):
    axes = draw(sleep).caterpillar()
    assert [ax.get_title() for ax in axes] == ["Intercept", "Days"]
    assert axes[0].get_ylabel() == "Subject"
    labels = [text.get_text() for text in axes[0].get_yticklabels()]
    points = axes[0].lines[-1].get_xydata()
    drawn = {labels[round(y)]: x for x, y in points}
    assert drawn == pytest.approx(sleep.ranef["Subject"]["Intercept"].to_dict())
    assert len(axes[1].get_yticks()) == 0


def test_no_labels_where_there_is_no_room(sleep, draw):
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2, figsize=(3, 1))
    draw(sleep).caterpillar(ax=axes)
    assert axes[0].get_ylabel() == "Subject (18 levels)"
    assert len(axes[0].get_yticks()) == 0


def test_a_term_of_several_groups(crossed, draw):
    assert [ax.get_ylabel() for ax in draw(crossed).caterpillar(term="B")] == ["subj", "item"]
    assert len(draw(crossed).caterpillar(term="a")) == 1
    assert len(draw(crossed).caterpillar("item")) == 2


def test_refusals(crossed, draw):
    with pytest.raises(me.DataError, match=r"term='x' is no column .* of 'subj': 'Intercept', 'a', 'B'"):
        draw(crossed).caterpillar(term="x")
    with pytest.raises(me.DataError, match="group='x'"):
        draw(crossed).caterpillar("x")
    for level in (0.0, 1.0, 95):
        with pytest.raises(me.DataError, match="between 0 and 1"):
            draw(crossed).caterpillar(level=level)


def test_several_factors_are_named_and_have_one_scale(oats, crossed, sleep, draw):
    axes = draw(oats).caterpillar()
    assert [ax.get_title() for ax in axes] == ["Variety:Block:\nIntercept", "Block: Intercept"]
    assert axes[0].get_xlim() == axes[1].get_xlim()
    for ax in axes:
        ends = np.concatenate([segment[:, 0] for segment in ax.collections[0].get_segments()])
        assert ax.get_xlim()[0] < ends.min()
        assert ends.max() < ax.get_xlim()[1]
    panels = draw(crossed).caterpillar()
    names = [ax.get_title() for ax in panels]
    assert names == ["subj: Intercept", "subj: a", "subj: B", "item: Intercept", "item: B"]
    limits = dict(zip(names, [ax.get_xlim() for ax in panels], strict=True))
    assert limits["subj: Intercept"] == limits["item: Intercept"]
    assert limits["subj: B"] == limits["item: B"]
    assert limits["subj: B"] != limits["subj: Intercept"]
    first, second = draw(sleep).caterpillar()
    assert first.get_xlim() != second.get_xlim()


def test_a_variance_of_0_is_said(no_variance, draw):
    assert draw(no_variance).caterpillar()[0].get_title(loc="right") == "variance 0"
