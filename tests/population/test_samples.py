"""Samples and random effects: frames of every library, X held fixed, effects drawn when they should be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixedeffects as me
from mixedeffects.population import balanced, population, predictor, random_effects, response, rfactor

LEVELS = ["mid", "low", "high"]


def pop(**options):
    return population(
        g=predictor(rfactor, levels=LEVELS),
        x=predictor("normal"),
        y=response(lambda x: x, random=random_effects("g", sd=3, **options), error_scale=0),
    )


@pytest.mark.parametrize(("kind", "type_"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table)])
def test_ordinary_frames_of_the_chosen_library(kind, type_):
    sample = pop().sample_x(200, rng=1, frame=kind)
    drawn = sample.sample_y()
    assert type(drawn) is type_
    assert type(sample.frame) is type_
    reference = pop().sample_x(200, rng=1).sample_y()
    columns = drawn.to_pydict() if kind == "pyarrow" else {name: list(drawn[name]) for name in ("g", "x", "y")}
    for name in ("g", "x", "y"):
        assert list(columns[name]) == list(reference[name])
    fit = me.lmer("x ~ g + (1 | h)", _with_groups(drawn, kind))
    assert list(fit.fixef.index) == ["Intercept", "g[T.low]", "g[T.high]"]


def _with_groups(frame, kind):
    h = np.arange(200) % 20
    if kind == "pandas":
        return frame.assign(h=h)
    return frame.with_columns(pl.Series("h", h)) if kind == "polars" else frame.append_column("h", pa.array(h))


def test_a_dict_of_columns():
    drawn = pop().sample_x(5, rng=1, frame="dict").sample_y()
    assert list(drawn) == ["g", "x", "y"]
    assert drawn["g"].dtype.kind == "U"


def test_draws_follow_the_seed_of_the_sample():
    one, two = (pop().sample_x(30, rng=4) for _ in range(2))
    first, second = one.sample_y(), one.sample_y()
    pd.testing.assert_frame_equal(first, two.sample_y())
    pd.testing.assert_frame_equal(second, two.sample_y())
    assert not first["y"].equals(second["y"])
    pd.testing.assert_frame_equal(first[["g", "x"]], second[["g", "x"]])
    pd.testing.assert_frame_equal(first[["g", "x"]], one.frame)
    pd.testing.assert_frame_equal(one.sample_y(rng=9), two.sample_y(rng=9))
    assert not pop().sample_x(30, rng=5).frame.equals(one.frame)
    assert len(one) == 30


def effects_of(drawn):
    """The effect of each level, which is all that y holds beside x."""
    by_group = (drawn["y"] - drawn["x"]).groupby(drawn["g"], observed=True)
    assert by_group.std().max() < 1e-12
    return by_group.mean()


def test_effects_are_new_with_every_response():
    sample = pop().sample_x(50, rng=1)
    assert (effects_of(sample.sample_y()) != effects_of(sample.sample_y())).all()
    with pytest.raises(me.DataError, match="belong to no sample; use redraw='sample_x'"):
        sample.effects()


def test_effects_of_the_sample():
    sample = pop(redraw="sample_x").sample_x(50, rng=1)
    pd.testing.assert_series_equal(effects_of(sample.sample_y()), effects_of(sample.sample_y()))
    told = sample.effects()["g"].set_index("level")["Intercept"]
    np.testing.assert_allclose(effects_of(sample.sample_y())[LEVELS], told[LEVELS], atol=1e-12)
    again = pop(redraw="sample_x").sample_x(50, rng=2)
    assert (effects_of(sample.sample_y()) != effects_of(again.sample_y())).all()


def test_effects_of_the_population():
    one = pop(redraw="never", rng=8)
    effects = [effects_of(one.sample_x(50, rng=seed).sample_y()) for seed in (1, 2)]
    np.testing.assert_allclose(effects[0], effects[1], atol=1e-12)
    np.testing.assert_allclose(
        effects_of(pop(redraw="never", rng=8).sample_x(9, rng=3).sample_y())["low"], effects[0]["low"]
    )
    assert (effects_of(pop(redraw="never", rng=9).sample_x(50, rng=1).sample_y()) != effects[0]).all()


def test_functions_cannot_change_the_sample():
    def careless(x):
        x += 1
        return x

    sample = population(x=predictor("normal"), y=response(careless, error_scale=1)).sample_x(3, rng=1)
    with pytest.raises(me.DataError, match=r"response 'y', careless\(x\): ValueError: .*read-only"):
        sample.sample_y()
    frame = sample.frame
    frame.loc[:, "x"] = 0.0
    assert (sample.frame["x"] != 0).all()


def test_effects_have_their_covariance():
    """2,000 groups of two rows: effects and slopes are solved for and compared with the matrix."""
    covariance = np.array([[4.0, -1.2], [-1.2, 1.0]])
    terms = random_effects("g", covariance=covariance, names=["Intercept", "x"])
    one = population(
        g=predictor(balanced, each=2),
        x=predictor(balanced, levels=[0.0, 1.0]),
        y=response(7, random=terms, error_scale=0),
    )
    y = one.sample_x(4000, rng=3).sample_y()["y"].to_numpy().reshape(-1, 2)
    b = np.column_stack([y[:, 0] - 7, y[:, 1] - y[:, 0]])
    found = b.T @ b / len(b)
    band = 4.0 * np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / len(b))
    np.testing.assert_array_less(np.abs(found - covariance), band)
    assert np.all(np.abs(b.mean(axis=0)) < 4.0 * np.sqrt(np.diag(covariance) / len(b)))


def test_sd_and_correlation_are_a_covariance():
    one = random_effects("g", sd=[2, 1], corr=-0.6, names=["Intercept", "x"])
    np.testing.assert_allclose(one.covariance, [[4.0, -1.2], [-1.2, 1.0]])
    singular = random_effects("g", sd=[2, 1], corr=1, names=["Intercept", "x"])
    drawn = singular.draw(np.random.default_rng(1), ["1", "2", "3"])
    np.testing.assert_allclose(drawn[:, 0], 2 * drawn[:, 1])
    np.testing.assert_array_equal(random_effects("g", sd=0).draw(np.random.default_rng(1), ["1"]), [[0.0]])


def test_several_terms_and_combinations_of_groups():
    a, b, ab = random_effects("a", sd=1), random_effects("b", sd=2), random_effects("a:b", sd=3, redraw="sample_x")
    one = population(
        a=predictor(balanced, levels=["p", "q"]),
        b=predictor(balanced, levels=[10, 20, 30], each=2),
        y=response(0, random=[a, b, ab], error_scale=0),
    )
    sample = one.sample_x(12, rng=1)
    assert sorted(_joined(sample)) == ["p:10", "p:20", "p:30", "q:10", "q:20", "q:30"]
    y = sample.sample_y()["y"].to_numpy()
    np.testing.assert_allclose(y[:6], y[6:])
    assert len(np.unique(y[:6].round(9))) == 6


def _joined(sample):
    response_ = sample.population.responses["y"]
    return response_.random[2].levels(sample.values).levels


def test_two_terms_on_a_group():
    terms = [random_effects("g", sd=1, redraw="sample_x"), random_effects("g", sd=2, names="x", redraw="sample_x")]
    one = population(
        g=predictor(rfactor, levels=LEVELS), x=predictor("normal"), y=response(0, random=terms, error_scale=0)
    )
    sample = one.sample_x(30, rng=1)
    effects = sample.effects("y")
    assert list(effects) == ["g", "g.1"]
    assert list(effects["g.1"].columns) == ["level", "x"]
    drawn = sample.sample_y()
    b = [frame.set_index("level").iloc[:, 0].loc[drawn["g"].astype(str)].to_numpy() for frame in effects.values()]
    np.testing.assert_allclose(drawn["y"], b[0] + b[1] * drawn["x"])


def test_combinations_of_levels_are_told_apart():
    """a:b with c, and a with b:c, are two groups."""
    pair = random_effects("g:h", sd=1, redraw="never", rng=1)
    values = {"g": np.array(["a:b", "a", "a\\"]), "h": np.array(["c", "b:c", "c"])}
    levels = pair.levels(values)
    assert len(levels.levels) == 3
    assert len(np.unique(pair.draw(np.random.default_rng(1), levels.levels))) == 3
    assert pair.levels({"g": np.array(["a"]), "h": np.array(["c"])}).levels == ("a:c",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give sd="),
        ({"sd": [1, 1], "names": ["Intercept", "1"]}, "must be 2 different names"),
        ({"sd": 1, "redraw": "never", "rng": "a"}, "rng='a' must be None"),
        ({"sd": 1, "covariance": [[1]]}, "one of them"),
        ({"sd": -1}, "none negative"),
        ({"sd": "a"}, "must hold finite numbers"),
        ({"sd": [1, 2]}, "name the 2 effects"),
        ({"sd": [1, 2], "names": ["x"]}, "must be 2 different names"),
        ({"sd": [1, 2], "names": ["x", "x"]}, "must be 2 different names"),
        ({"covariance": [[1, 2], [2, 1]], "names": ["Intercept", "x"]}, "negative eigenvalue, -1"),
        ({"covariance": [[1, 2], [0, 1]]}, "square and symmetric"),
        ({"covariance": [[1]], "corr": 0.5}, "corr= goes with sd="),
        ({"sd": [1, 2, 3], "corr": 0.5}, "one number for two effects"),
        ({"sd": 1, "redraw": "often"}, "redraw='often' is not known"),
        ({"sd": 1, "rng": 1}, "rng= is for redraw='never'"),
    ],
)
def test_what_is_no_covariance(options, message):
    with pytest.raises(me.DataError, match=message):
        random_effects("g", **options)


def test_a_slope_needs_numbers():
    one = population(
        g=predictor(rfactor, levels=LEVELS), y=response(0, random=random_effects("g", sd=1, names="g"), error_scale=0)
    )
    with pytest.raises(me.DataError, match="random_effects of 'g': numbers are needed"):
        one.sample_x(3, rng=1).sample_y()
    with pytest.raises(me.DataError, match="response='z': give one of 'y'"):
        one.sample_x(3, rng=1).effects("z")
    with pytest.raises(me.DataError, match="group=3 must name a variable"):
        random_effects(3, sd=1)
