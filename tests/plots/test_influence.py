"""Needles of Cook's distance."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

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
    assert ax.get_xlabel() == "Subject"
    assert [text.get_text() for text in ax.get_xticklabels()] == measures.labels.tolist()
    assert {text.get_text() for text in ax.texts} == {"308", "309", "310", "335", "337"}
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


@pytest.mark.parametrize("by", ["g", "row"])
@pytest.mark.parametrize(
    "largest",
    [
        {50: 5.0, 51: 4.95, 52: 2.0, 10: 4.9, 53: 4.9},
        {50: 5.0, 51: 5.0, 52: 5.0, 53: 5.0, 54: 5.0},
        {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0, 4: 5.0},
        {99: 5.0, 98: 4.9, 97: 4.8, 96: 4.7, 95: 4.6},
    ],
)
def test_five_are_named_whatever_their_distance_and_do_not_touch(largest, by):
    distance = np.full(100, 0.1)
    distance[list(largest)] = list(largest.values())
    figure, ax = plt.subplots(figsize=(3.5, 2.6), layout="constrained")
    draw_needles(ax, influence_data(found(distance, by)), own=True)
    figure.canvas.draw()
    assert {text.get_text() for text in ax.texts} == {f"level{i}" for i in largest}
    boxes = [Text.get_window_extent(text) for text in ax.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert ax.bbox.y0 <= box.y0
        assert box.y1 <= ax.bbox.y1 + 1.0
    heads = ax.transData.transform(np.column_stack([list(largest), list(largest.values())]))
    for text, box in zip(ax.texts, boxes, strict=True):
        others = heads[[f"level{i}" != text.get_text() for i in largest]]
        assert not any(box.x0 < x < box.x1 and y > box.y0 for x, y in others)


def test_names_of_levels_without_room_are_left_out():
    _, ax = plt.subplots(figsize=(3.5, 2.6))
    draw_needles(ax, influence_data(found(np.ones(60))))
    assert ax.get_xlabel() == "g (60 levels)"
    assert len(ax.get_xticks()) == 0


@pytest.mark.parametrize("distance", [[0.0, 0.0, 0.0], [np.nan, 1.0, 2.0], [np.nan, np.nan]])
def test_nothing_to_name(distance):
    names = labelled(distance)
    assert "level0" not in names
