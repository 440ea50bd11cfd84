"""Names in backticks as arguments of pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(2)
    site = np.repeat(np.arange(8), 10)
    x = np.tile(np.arange(10.0), 8)
    y = 3.0 + x + (1.0 + 0.3 * x) * rng.normal(size=8)[site] + rng.normal(size=80)
    return me.lmer("y ~ `day no.` + (1 | `Test Site`)", pd.DataFrame({"y": y, "day no.": x, "Test Site": site}))


@pytest.mark.parametrize("picture", ["caterpillar", "trajectories", "spaghetti", "groups", "shrinkage", "ranef_qq"])
def test_pictures_take_a_group_with_and_without_backticks(fit, picture):
    draw = getattr(fit.plot, picture)
    pd.testing.assert_frame_equal(draw(group="`Test Site`").data, draw(group="Test Site").data)


@pytest.mark.parametrize("picture", ["trajectories", "spaghetti"])
def test_pictures_take_a_column_with_and_without_backticks(fit, picture):
    draw = getattr(fit.plot, picture)
    pd.testing.assert_frame_equal(draw(x="`day no.`").data, draw(x="day no.").data)
