"""The real picture among simulated ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me
from mixedeffects.fit.draws import response_model
from mixedeffects.fit.lmm import refit
from mixedeffects.plots.lineup import hidden_place, lineup_data


@pytest.mark.parametrize("kind", ["residuals", "scale_location", "qq", "ranef_qq"])
def test_one_panel_is_real(kind, sleep, draw):
    axes = draw(sleep).lineup(kind, n=6, rng=4)
    assert len(axes) == 6
    assert [ax.get_title() for ax in axes] == ["1", "2", "3", "4", "5", "6"]
    real = axes.data[axes.data["real"]]
    assert real["panel"].unique().tolist() == [axes.position]
    if kind == "residuals":
        np.testing.assert_allclose(real["x"], sleep.fitted)
        np.testing.assert_allclose(real["y"], sleep.residuals("scaled"))
    elif kind == "qq":
        np.testing.assert_allclose(real["y"], np.sort(sleep.residuals("scaled")))
    elif kind == "ranef_qq":
        np.testing.assert_allclose(real["y"], np.sort(sleep.ranef["Subject"]["Intercept"]))
    drawn = axes[axes.position - 1].lines[0].get_xydata()
    np.testing.assert_array_equal(drawn, real[["x", "y"]])


def test_the_others_are_refits_of_drawn_responses(batches):
    columns = pd.DataFrame(lineup_data(batches, n=3, rng=9))
    generator = np.random.default_rng(9)
    position = hidden_place(batches, generator, 3, "residuals")
    assert columns[columns["real"]]["panel"].iloc[0] == position
    model = response_model(batches)
    for panel in sorted({1, 2, 3} - {position}):
        again = refit(batches, model.draw(generator, 1).y[0])
        part = columns[columns["panel"] == panel]
        residual = again.model.y - part["x"].to_numpy()
        np.testing.assert_allclose(part["y"], residual / again.solution.sigma, atol=1e-9)


def test_the_place_is_uniform_and_the_draws_repeat(batches):
    places = [pd.DataFrame(lineup_data(batches, n=4, rng=seed)).query("real")["panel"].iloc[0] for seed in range(400)]
    counts = np.bincount(places, minlength=5)[1:]
    assert (np.abs(counts - 100) < 4 * np.sqrt(75)).all()
    first, again = lineup_data(batches, rng=1), lineup_data(batches, rng=1)
    np.testing.assert_array_equal(first["y"], again["y"])


def test_the_place_of_a_seed_is_another_one_for_other_data_and_pictures(sleep, batches):
    def places(fit, kind):
        return [hidden_place(fit, np.random.default_rng(seed), 20, kind) for seed in range(60)]

    first = places(sleep, "residuals")
    assert first == places(sleep, "residuals")
    changed = sleep.refit(np.r_[sleep.model.y[:-1], sleep.model.y[-1] + 1.0])
    for other in (places(batches, "residuals"), places(sleep, "qq"), places(changed, "residuals")):
        # Of 60 pairs of places among 20, 3 agree by chance.
        assert sum(a == b for a, b in zip(first, other, strict=True)) < 12


def test_a_column_of_choice(sleep, draw):
    axes = draw(sleep).lineup("ranef_qq", n=2, rng=1, term="Days")
    real = axes.data[axes.data["real"]]
    np.testing.assert_allclose(real["y"], np.sort(sleep.ranef["Subject"]["Days"]))
    assert axes[0].figure.get_supylabel() == "conditional mode (Days | Subject)"


def test_large_fits_show_a_thousand_points_a_panel(pupils, draw):
    columns = lineup_data(pupils, n=2, rng=1)
    assert np.bincount(columns["panel"])[1:].tolist() == [1_000, 1_000]
    figure = draw(pupils).lineup(n=2, rng=1)[0].figure
    assert figure.get_suptitle() == "1,000 of 31,022 points in each panel"


def test_no_numbers_give_the_game_away(sleep, draw):
    axes = draw(sleep).lineup(n=4, rng=1)
    assert not any(ax.get_xlabel() or ax.get_ylabel() for ax in axes)
    assert axes[0].figure.get_supxlabel() == "fitted Reaction"


@pytest.mark.parametrize("kind", ["residuals", "scale_location", "qq", "ranef_qq"])
def test_one_scale_with_room_at_its_ends(kind, sleep, draw):
    axes = draw(sleep).lineup(kind, n=4, rng=8)
    assert len({(*ax.get_xlim(), *ax.get_ylim()) for ax in axes}) == 1
    for name, (low, high) in (("x", axes[0].get_xlim()), ("y", axes[0].get_ylim())):
        room = 0.05 * (high - low)
        assert axes.data[name].between(low + room, high - room).all()
    if kind != "scale_location":
        assert axes[0].get_ylim()[0] == -axes[0].get_ylim()[1]


def test_refusals(sleep, no_variance, draw):
    with pytest.raises(me.DataError, match="kind='histogram' is no kind of line-up"):
        draw(sleep).lineup("histogram")
    for n in (1, 0, 2.5, True):
        with pytest.raises(me.DataError, match="at least 2"):
            draw(sleep).lineup(n=n)
    with pytest.raises(me.MixedEffectsError, match=r"variance of Intercept \| Batch is estimated as 0"):
        draw(no_variance).lineup("ranef_qq")
    fixed = me.lmer("Yield ~ 1 + (1 | Batch)", me.datasets.load("Dyestuff"), control=me.Control(fixed_theta=[1.0]))
    with pytest.raises(me.MixedEffectsError, match="nothing to fit again"):
        draw(fixed).lineup()
