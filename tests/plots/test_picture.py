"""What all pictures have in common: frames, axes of the caller's, silence."""

from __future__ import annotations

import builtins
import inspect
import pickle

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support import reference

import mixedeffects as me
from mixedeffects.plots.picture import Panels
from mixedeffects.results.pictures import Pictures

NAMES = [name for name in dir(Pictures) if not name.startswith("_")]
PANELS = {"ranef_qq": 2, "caterpillar": 2, "trajectories": 18, "ranef_pairs": 1, "profile": 6, "lineup": 20}


def test_there_are_thirteen():
    assert len(NAMES) == 13
    assert set(PANELS) < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_returns_axes_with_their_frame(name, sleep, draw):
    drawn = getattr(draw(sleep), name)()
    if name in PANELS:
        assert isinstance(drawn, np.ndarray)
        assert len(drawn) == PANELS[name]
        assert all(isinstance(ax, plt.Axes) for ax in drawn)
    else:
        assert isinstance(drawn, plt.Axes)
    assert isinstance(drawn.data, pd.DataFrame)
    assert len(drawn.data) > 0


@pytest.mark.parametrize("name", [name for name in NAMES if name != "lineup"])
def test_data_without_drawing(name, sleep, draw):
    picture = getattr(draw(sleep), name)
    before = plt.get_fignums()
    frame = picture.data
    assert plt.get_fignums() == before
    pd.testing.assert_frame_equal(frame, picture().data)


@pytest.mark.parametrize("name", NAMES)
def test_axes_of_the_caller_are_used(name, sleep, draw):
    n = PANELS.get(name)
    _, axes = plt.subplots(1, n or 1, squeeze=False)
    given = axes[0] if n else axes[0, 0]
    figures = plt.get_fignums()
    drawn = getattr(draw(sleep), name)(ax=given)
    assert plt.get_fignums() == figures
    assert list(np.atleast_1d(drawn)) == list(axes[0])
    assert all(ax.has_data() for ax in axes[0])
    with pytest.raises(me.DataError, match=f"axes were given for {n or 1} "):
        getattr(draw(sleep), name)(ax=np.array([given if n is None else given[0]] * 7, dtype=object))


@pytest.mark.parametrize("name", NAMES)
def test_silent_and_without_traces(name, sleep, draw, capsys, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_: pytest.fail("show() was called"))
    settings = dict(mpl.rcParams)
    drawn = getattr(draw(sleep), name)()
    np.atleast_1d(drawn).flat[0].figure.canvas.draw()
    assert capsys.readouterr() == ("", "")
    assert dict(mpl.rcParams) == settings
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_letters_are_large_enough_and_labels_do_not_leave_the_figure(name, sleep, draw):
    drawn = getattr(draw(sleep), name)()
    figure = np.atleast_1d(drawn).flat[0].figure
    assert figure.get_size_inches()[0] <= 4.5
    figure.canvas.draw()
    assert all(text.get_fontsize() >= 7.0 for text in figure.findobj(mpl.text.Text) if text.get_text())
    used, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert used.x0 >= -0.01
    assert used.y0 >= -0.01
    assert used.x1 <= width + 0.01
    assert used.y1 <= height + 0.01


@pytest.mark.parametrize("name", NAMES)
def test_help_and_signature(name, sleep, draw):
    picture = getattr(draw(sleep), name)
    signature = inspect.signature(picture)
    assert "self" not in signature.parameters
    assert signature.parameters["ax"].default is None
    assert all(parameter.default is not inspect.Parameter.empty for parameter in signature.parameters.values())
    assert picture.__doc__ == getattr(Pictures, name).__doc__
    assert all(f"{word} : " in picture.__doc__ or f"{word}, " in picture.__doc__ for word in signature.parameters)
    assert name in repr(picture)
    with pytest.raises(TypeError):
        picture(colour="red")


@pytest.mark.parametrize(("kind", "library"), [("polars", pl.DataFrame), ("pyarrow", pa.Table), ("dict", pd.DataFrame)])
def test_frames_in_the_library_of_the_data(kind, library, draw):
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy", as_=kind))
    for name in NAMES:
        assert isinstance(getattr(draw(fit), name).data, library), name


def test_panels_keep_their_frame():
    panels = Panels([1, 2, 3], "frame", 2)
    assert panels.data == panels[1:].data == "frame"
    assert panels.position == 2
    assert panels[0] == 1
    assert Panels([1]).data is None


def test_says_which_pictures_there_are(sleep, draw):
    text = repr(draw(sleep))
    assert "Reaction ~ Days" in text
    assert all(name in text for name in NAMES)


def test_matplotlib_is_needed_for_drawing_only(sleep, draw, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **named):
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    for name in NAMES:
        picture = getattr(draw(sleep), name)
        assert len(picture.data)
        with pytest.raises(me.MixedEffectsError, match="pictures need matplotlib: pip install"):
            picture()


def test_a_pickled_fit_draws(sleep, draw):
    again = pickle.loads(pickle.dumps(sleep))
    pd.testing.assert_frame_equal(draw(again).residuals.data, draw(sleep).residuals.data)


@pytest.mark.parametrize("fit", ["no_variance", "crossed", "weighted", "deficient", "gaps", "plates", "batches"])
def test_every_model_has_its_pictures(fit, draw, request):
    fit = request.getfixturevalue(fit)
    one = max(fit.objective.layout.block_widths) == 1
    wanted = {"trajectories": {"x": list(fit.model.columns)[1]}, "spaghetti": {"x": list(fit.model.columns)[1]}}
    for name in NAMES:
        if name == "profile" or (name == "ranef_pairs" and one):
            continue
        drawn = getattr(draw(fit), name)(**wanted.get(name, {}), **({"n": 3, "rng": 1} if name == "lineup" else {}))
        np.atleast_1d(drawn).flat[0].figure.canvas.draw()
        plt.close("all")


def test_large_fits_are_drawn_in_pixels(pupils, draw):
    caterpillar = draw(pupils).caterpillar()
    assert [ax.get_ylabel() for ax in caterpillar] == ["school (2,410 levels)", "", "lea (131 levels)"]
    assert not any(len(ax.get_yticks()) for ax in caterpillar)
    assert caterpillar[0].collections[0].get_rasterized()
    assert "31,022 rows" in draw(pupils).residuals().get_title(loc="right")
    assert draw(pupils).groups().get_xlabel() == "school (2,410 levels)"
    trajectories = draw(pupils).trajectories()
    assert len(trajectories) == 30
    assert trajectories[0].figure.legends[0].get_title().get_text() == "30 of 2,410 levels of school"


def test_reference_frames_are_not_named(draw):
    frame = reference.load_data("Oats")
    fit = me.lmer("yield ~ nitro + (1 | Block/Variety)", frame)
    assert [ax.get_ylabel() for ax in draw(fit).caterpillar()] == ["Variety:Block", "Block"]


def test_panels_have_the_figure_of_their_axes(tmp_path):
    fit = me.lmer("y ~ 1 + (1 | g) + (1 | h)", crossed_rows())
    panels = fit.plot.caterpillar()
    panels.figure.savefig(tmp_path / "caterpillar.png")
    assert (tmp_path / "caterpillar.png").stat().st_size > 0


def crossed_rows():
    rng = np.random.default_rng(1)
    g, h = np.repeat(np.arange(8), 10), np.tile(np.arange(10), 8)
    return {"y": rng.normal(size=8)[g] + rng.normal(size=10)[h] + rng.normal(size=80), "g": g, "h": h}
