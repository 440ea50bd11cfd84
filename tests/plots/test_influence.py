"""Needles of Cook's distance."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from mixedeffects.diagnostics.influence import influence
from mixedeffects.plots.influence import draw_needles, influence_data


def found(distance, by="g"):
    m = len(distance)
    nothing = np.zeros(m)
    labels = np.array([f"level{i}" for i in range(m)], dtype=object)
    return SimpleNamespace(
        by=by, labels=labels, cooks_distance=np.asarray(distance, float), mdffits=nothing, covratio=nothing
    )


def labelled(distance):
    _, ax = plt.subplots()
    draw_needles(ax, influence_data(found(distance)))
    return [text.get_text() for text in ax.texts]


def test_the_frame_is_that_of_the_diagnostic(sleep, draw):
    measures = influence(sleep, by="Subject")
    ax = draw(sleep).influence(by="Subject")
    assert ax.data["deleted"].tolist() == measures.labels.tolist()
    for name in ("cooks_distance", "mdffits", "covratio"):
        np.testing.assert_array_equal(ax.data[name], getattr(measures, name))
    assert ax.get_xlabel() == "Subject (18 levels, in order)"
    assert ax.get_ylabel() == "Cook's distance"


def test_rows_by_default(sleep, draw):
    ax = draw(sleep).influence()
    assert ax.get_xlabel() == "row"
    assert len(ax.data) == 180
    assert len(ax.get_xticks()) > 0


def test_the_largest_five_are_named():
    distance = np.zeros(100)
    distance[[5, 30, 50, 70, 90, 20]] = [6, 5, 4, 3, 2, 1]
    assert labelled(distance) == ["level5", "level30", "level50", "level70", "level90"]


def test_labels_do_not_touch():
    distance = np.zeros(100)
    distance[[50, 51, 52, 10]] = [5.0, 4.95, 2.0, 4.9]
    assert labelled(distance) == ["level50", "level10", "level52"]


@pytest.mark.parametrize("distance", [[0.0, 0.0, 0.0], [np.nan, 1.0, 2.0], [np.nan, np.nan]])
def test_nothing_to_name(distance):
    names = labelled(distance)
    assert "level0" not in names
