"""Where labels above needles go."""

from __future__ import annotations

from mixedeffects.plots.labels import place_labels


def test_alone_it_is_centred():
    (label,) = place_labels([50.0], [80.0], [20.0], 8.0, 100.0)
    assert (label.left, label.right, label.foot, label.lines) == (-10.0, 10.0, 3.0, 0)


def test_it_leans_away_from_a_side():
    left, right = place_labels([5.0, 95.0], [80.0, 40.0], [20.0, 20.0], 8.0, 100.0)
    assert left.left == -1.0
    assert right.right == 1.0


def test_it_leans_away_from_a_taller_needle_and_its_label():
    first, second, third = place_labels([50.0, 60.0, 40.0], [80.0, 79.0, 78.0], [14.0, 14.0, 14.0], 8.0, 100.0)
    assert first.left == -7.0
    assert (second.left, second.lines) == (-1.0, 0)
    assert (third.right, third.lines) == (1.0, 0)


def test_it_goes_up_where_both_sides_are_taken():
    labels = place_labels([50.0, 51.0, 52.0], [80.0, 80.0, 80.0], [30.0, 30.0, 30.0], 8.0, 200.0)
    assert labels[0].lines == 0
    assert all(label.lines > 0 for label in labels[1:])
    assert labels[1].lines != labels[2].lines


def test_none():
    assert place_labels([], [], [], 8.0, 100.0) == []
