"""The true diagnostics hidden among those of simulated data."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me
from mixedeffects.plots.lineup import hidden_place
from mixedeffects.population import Lineup, decrypt, lineup


def scaled(fit):
    return {"r": fit.residuals("scaled"), "fitted": fit.fitted}


def test_one_place_is_true_and_the_others_are_refits(sleep):
    found = lineup(sleep, scaled, nsim=5, rng=3)
    assert sorted(set(found.data[".sample"])) == [1, 2, 3, 4, 5]
    generator = np.random.default_rng(3)
    position = hidden_place(sleep, generator, 5, "table")
    assert decrypt(found) == decrypt(found.code) == f"True data in position {position}"
    generator.bytes(4)
    simulated = [sleep.refit(sleep.simulate(1, rng=one)[:, 0]) for one in generator.spawn(4)]
    simulated.insert(position - 1, sleep)
    for place, one in enumerate(simulated, start=1):
        rows = found.data[found.data[".sample"] == place]
        np.testing.assert_allclose(rows["r"], one.residuals("scaled"), atol=1e-9)


def test_the_default_is_the_data_with_residuals(sleep):
    found = lineup(sleep, nsim=3, rng=3)
    place = int(decrypt(found).split()[-1])
    rows = found.data[found.data[".sample"] == place].drop(columns=".sample").reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, sleep.augment().reset_index(drop=True), check_categorical=False)


def test_the_place_is_uniform():
    """Of 2 places, over 100 seeds."""
    fit = me.lmer("Yield ~ 1 + (1 | Batch)", me.datasets.load("Dyestuff"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        places = [int(decrypt(lineup(fit, lambda one: 0.0, nsim=2, rng=seed)).split()[-1]) for seed in range(100)]
    assert abs(np.mean(places) - 1.5) < 4 * 0.5 / np.sqrt(100)


def test_the_code_does_not_show_the_place(sleep):
    found = lineup(sleep, scaled, nsim=5, rng=3)
    same = [lineup(sleep, scaled, nsim=5, rng=seed) for seed in range(6)]
    places = [decrypt(one) for one in same]
    assert len({one.code for one in same}) == 6
    assert len(set(places)) < 6
    assert repr(found).endswith(f"The true data are among the 5: decrypt({found.code!r}) tells where.")
    assert "position" not in repr(found)


def test_drawn_line_ups(sleep):
    pytest.importorskip("matplotlib").use("Agg")
    axes = sleep.plot.lineup(n=4, rng=2)
    assert decrypt(axes) == f"True data in position {axes.position}"


def test_generalized_fits():
    fit = me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", me.datasets.load("cbpp"))
    found = lineup(fit, lambda one: {"r": one.residuals("pearson")}, nsim=2, rng=1)
    place = int(decrypt(found).split()[-1])
    np.testing.assert_allclose(found.data.loc[found.data[".sample"] == place, "r"], fit.residuals("pearson"))


@pytest.mark.parametrize("code", ["abc", "zz", "", 3, "00" * 10, None, Lineup(data=None, nsim=2, code="00")])
def test_what_is_no_code(code):
    with pytest.raises(me.DataError, match="is no code of a line-up"):
        decrypt(code)


def test_errors(sleep):
    with pytest.raises(me.DataError, match="fn='x' must be a function of a fit"):
        lineup(sleep, "x")
    with pytest.raises(me.DataError, match="lineup: give a fit of lmer or glmer, not int"):
        lineup(3)
    with pytest.raises(me.DataError, match="nsim=1 must be a whole number of at least 2"):
        lineup(sleep, nsim=1)
