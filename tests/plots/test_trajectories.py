"""Data, own line and common line in small panels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.fits import quiet_fit

import mixedeffects as me
from mixedeffects.plots.trajectories import trajectories_data


def part(frame, name, level=None):
    chosen = frame[frame["part"] == name]
    return chosen if level is None else chosen[chosen["level"] == level]


def test_lines_are_those_of_the_coefficients(sleep):
    frame = pd.DataFrame(trajectories_data(sleep))
    coef = sleep.coef["Subject"]
    for level in ("308", "335"):
        own = part(frame, "own", level)
        np.testing.assert_allclose(own["y"], coef.loc[level, "Intercept"] + coef.loc[level, "Days"] * own["x"])
        common = part(frame, "common", level)
        np.testing.assert_allclose(common["y"], sleep.fixef["Intercept"] + sleep.fixef["Days"] * common["x"])
        data = me.datasets.load("sleepstudy").query("Subject == @level")
        np.testing.assert_array_equal(part(frame, "data", level)["y"], data["Reaction"])


def test_panels_are_ordered_by_slope(sleep, draw):
    panels = draw(sleep).trajectories()
    wanted = sleep.coef["Subject"]["Days"].sort_values().index.tolist()
    assert [ax.get_title() for ax in panels] == wanted
    assert panels.data.drop_duplicates("panel")["level"].tolist() == wanted
    assert panels.data["panel"].min() == 1


def test_some_are_taken_evenly(sleep, draw):
    panels = draw(sleep).trajectories(n=3)
    order = sleep.coef["Subject"]["Days"].sort_values().index
    assert [ax.get_title() for ax in panels] == [order[0], order[8], order[17]]
    assert panels[0].figure.legends[0].get_title().get_text() == "3 of 18 levels of Subject"
    assert len(draw(sleep).trajectories(n=100)) == 18
    for n in (0, -2, 1.5, True):
        with pytest.raises(me.DataError, match="whole number of at least 1"):
            draw(sleep).trajectories(n=n)


def test_curves_of_a_basis_are_drawn_on_a_grid():
    fit = me.lmer("Reaction ~ poly(Days, 2) + (Days | Subject)", me.datasets.load("sleepstudy"))
    frame = pd.DataFrame(trajectories_data(fit))
    own = part(frame, "own", "308")
    assert len(own) == 60
    rows = part(frame, "data", "308")
    fitted = fit.fitted[me.datasets.load("sleepstudy")["Subject"] == "308"]
    np.testing.assert_allclose(np.interp(rows["x"], own["x"], own["y"]), fitted, rtol=1e-4)


def test_other_predictors_are_as_observed(draw):
    data = me.datasets.load("Orthodont")
    fit = me.lmer("distance ~ age * Sex + (age | Subject)", data)
    frame = draw(fit).trajectories.data
    own = part(frame, "own", "F10")
    rows = (data["Subject"] == "F10").to_numpy()
    np.testing.assert_allclose(own["y"], fit.fitted[rows], rtol=1e-10)
    np.testing.assert_allclose(part(frame, "common", "F10")["y"], fit.augment()[".fixed"][rows], rtol=1e-10)
    assert draw(fit).trajectories()[0].lines[1].get_linestyle() == "-"  # Sex is the same in all rows of a subject


def test_dashes_where_another_predictor_varies(weighted, draw):
    axes = draw(weighted).trajectories(x="B", n=2, at="observed")
    assert [line.get_linestyle() for line in axes[0].lines] == ["None"] * 3
    frame = axes.data
    level = frame["level"].iloc[0]
    rows = weighted.model.factors["subj"].labels[weighted.model.factors["subj"].codes] == level
    np.testing.assert_allclose(np.sort(part(frame, "own", level)["y"]), np.sort(weighted.fitted[rows]), rtol=1e-9)


def rows_of(fit, group, level):
    factor = fit.model.factors[group]
    return np.flatnonzero(factor.labels[factor.codes] == level)


def test_effects_of_crossed_factors_are_subtracted_from_the_points(plates, draw):
    frame = pd.DataFrame(trajectories_data(plates, x="sample", group="plate"))
    assert set(frame["part"]) == {"partial", "own", "common"}
    coef, effect = plates.coef["plate"]["Intercept"], plates.ranef["sample"]["Intercept"]
    residual = plates.model.y - np.asarray(plates.fitted)
    for level in ("a", "g"):
        own, points = part(frame, "own", level), part(frame, "partial", level)
        np.testing.assert_allclose(own["y"], coef[level], rtol=1e-10)
        rows = rows_of(plates, "plate", level)
        samples = plates.model.factors["sample"]
        wanted = plates.model.y[rows] - effect[samples.labels[samples.codes[rows]]].to_numpy()
        np.testing.assert_allclose(points["y"], wanted, rtol=1e-12)
        np.testing.assert_allclose(points["y"].to_numpy() - own["y"].to_numpy(), residual[rows], atol=1e-9)
    legend = draw(plates).trajectories(x="sample")[0].figure.legends[0]
    assert legend.get_texts()[0].get_text() == "partial residuals"
    assert legend.get_title().get_text() == "points: response less the effects of sample"


def test_effects_of_enclosing_factors_are_in_the_line(oats, draw):
    """The block is the same in all rows of a variety in it: the own line is the fitted one, and the points are data."""
    frame = pd.DataFrame(trajectories_data(oats))
    own, points = part(frame, "own", "Victory:I"), part(frame, "data", "Victory:I")
    assert np.round(own["y"]).tolist() == [115, 130, 145, 160]
    for level in ("Victory:I", "Marvellous:V"):
        rows = rows_of(oats, "Variety:Block", level)
        np.testing.assert_allclose(np.sort(part(frame, "own", level)["y"]), np.sort(oats.fitted[rows]), rtol=1e-10)
        assert sorted(part(frame, "data", level)["y"]) == sorted(oats.model.y[rows])
    assert points["y"].tolist() == [111, 130, 157, 174]
    effects = oats.ranef["Variety:Block"]["Intercept"]
    total = effects + oats.ranef["Block"]["Intercept"][[level.split(":")[1] for level in effects.index]].to_numpy()
    assert frame.drop_duplicates("panel")["level"].tolist() == total.sort_values(kind="stable").index.tolist()
    assert draw(oats).trajectories()[0].figure.legends[0].get_title().get_text() == ""


def test_of_the_outer_factor_the_inner_one_is_subtracted(oats):
    frame = pd.DataFrame(trajectories_data(oats, group="Block", at="observed"))
    rows = rows_of(oats, "Block", "I")
    points, own = part(frame, "partial", "I")["y"], part(frame, "own", "I")["y"]
    residual = oats.model.y - np.asarray(oats.fitted)
    np.testing.assert_allclose(np.sort(points.to_numpy() - own.to_numpy()), np.sort(residual[rows]), atol=1e-9)


def test_enclosing_slopes_make_the_line_and_the_order():
    """Curves over the range of x, where all of them depend on it alone."""
    fit = quiet_fit("yield ~ nitro + (nitro | Block) + (1 | Block:Variety)", "Oats")
    inner = next(name for name in fit.model.factors if ":" in name)
    frame = pd.DataFrame(trajectories_data(fit, group=inner))
    slopes = []
    for _, panel in frame.groupby("panel"):
        level = panel["level"].iloc[0]
        own = panel[panel["part"] == "own"]
        rows = rows_of(fit, inner, level)
        at = np.interp(fit.model.columns["nitro"][rows], own["x"], own["y"])
        np.testing.assert_allclose(at, fit.fitted[rows], rtol=1e-9)
        slopes.append(np.polyfit(own["x"], own["y"], 1)[0])
    assert (np.diff(slopes) > -1e-9).all()
    assert np.ptp(slopes) > 1.0


def test_categories_have_their_names(deficient, draw):
    axes = draw(deficient).trajectories(x="Machine")
    assert [text.get_text() for text in axes[-1].get_xticklabels()] == ["A", "B", "C"]


def test_independent_terms_of_one_factor():
    fit = me.lmer("Reaction ~ Days + (Days || Subject)", me.datasets.load("sleepstudy"))
    frame = pd.DataFrame(trajectories_data(fit))
    coef = fit.coef["Subject"]
    own = part(frame, "own", "309")
    np.testing.assert_allclose(own["y"], coef.loc["309", "Intercept"] + coef.loc["309", "Days"] * own["x"])


def test_the_group_with_the_slope_is_chosen(draw):
    fit = quiet_fit("rt ~ B + (1 | subj) + (B | item)", "sim_cross")
    assert draw(fit).trajectories.data["group"].unique().tolist() == ["item"]


def test_the_last_row_stands_as_near_as_the_others(sleep, draw):
    """18 panels in rows of 4: two panels of the last row but one carry numbers below them."""
    axes = draw(sleep).trajectories()
    axes[0].figure.draw_without_rendering()
    gaps = -np.diff([axes[i].get_position().y0 for i in (0, 4, 8, 12, 16)])
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-6)
    shown = [[text.get_text() for text in axes[i].get_xticklabels() if text.get_visible()] for i in (13, 14, 17)]
    assert [bool(texts) for texts in shown] == [False, True, True]


def test_labels_around(sleep, draw):
    figure = draw(sleep).trajectories()[0].figure
    assert figure.get_supxlabel() == "Days"
    assert figure.get_supylabel() == "Reaction"
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["data", "own line", "common line"]


@pytest.fixture(scope="module")
def counts():
    """Counts with an exposure in the formula, a covariate and a category that vary within groups."""
    rng = np.random.default_rng(4)
    g, x = np.repeat(np.arange(8), 12), np.tile(np.linspace(0.0, 2.0, 12), 8)
    frame = pd.DataFrame({"g": g, "x": x, "z": rng.normal(size=96), "effort": rng.uniform(1.0, 5.0, 96)})
    frame["site"] = np.where(rng.uniform(size=96) < 0.5, "north", "south")
    frame["size"] = np.array(["big", "small"])[g % 2]
    frame["log_effort"] = np.log(frame["effort"])
    eta = 0.3 + 0.5 * x + 0.2 * frame["z"] + 0.4 * (frame["site"] == "south") + 0.5 * rng.normal(size=8)[g]
    frame["y"] = rng.poisson(frame["effort"] * np.exp(eta))
    return frame


COUNTS = "y ~ x + z + site + size + offset(log(effort)) + (x || g)"


def test_other_predictors_are_held_along_curves(counts, draw):
    fit = me.glmer(COUNTS, counts, "poisson")
    axes = draw(fit).trajectories(x="x", at={"effort": 1, "site": "south"})
    assert [line.get_linestyle() for line in axes[0].lines[1:]] == ["-", "--"]
    title = axes[0].figure.legends[0].get_title().get_text()
    assert title == f"lines at z = {counts['z'].mean():.3g}, site = south, effort = 1"
    frame = axes.data
    own, common = part(frame, "own", "3"), part(frame, "common", "3")
    assert len(own) == 60
    rows = pd.DataFrame(
        {"x": own["x"], "z": counts["z"].mean(), "site": "south", "size": "small", "effort": 1.0, "g": 3}
    )
    np.testing.assert_allclose(own["y"], fit.predict(rows), rtol=1e-10)
    np.testing.assert_allclose(common["y"], fit.predict(rows, random="population"), rtol=1e-10)
    points = part(frame, "data", "3")
    assert sorted(points["y"]) == sorted(counts["y"][counts["g"] == 3])
    default = part(pd.DataFrame(trajectories_data(fit, "x")), "own", "3")
    rows = rows.assign(site="north", effort=counts["effort"].mean())
    np.testing.assert_allclose(default["y"], fit.predict(rows), rtol=1e-10)


def test_an_offset_that_was_an_argument_is_held_by_its_name(counts, draw):
    formula = "y ~ x + (1 | g)"
    named = me.glmer(formula, counts, "poisson", offset="log_effort")
    values = me.glmer(formula, counts, "poisson", offset=counts["log_effort"].to_numpy())
    rows = {"x": [0.0, 2.0], "g": [5, 5], "log_effort": [0.7, 0.7]}
    for fit, name in ((named, "log_effort"), (values, "offset")):
        own = part(pd.DataFrame(trajectories_data(fit, "x", at={name: 0.7})), "own", "5")
        np.testing.assert_allclose(own["y"].iloc[[0, -1]], named.predict(rows), rtol=1e-10)
        legend = draw(fit).trajectories("x")[0].figure.legends[0].get_title().get_text()
        assert legend == f"lines at offset = {counts['log_effort'].mean():.3g}"


def test_points_of_a_linear_model_are_held_too(counts):
    fit = quiet_fit("distance ~ age + Sex + (age | Subject)", "Orthodont")
    frame = pd.DataFrame(trajectories_data(fit, "age", at={"Sex": "Female"}))
    own = part(frame, "own", "M01")
    rows = {"age": own["x"], "Sex": ["Female"] * len(own), "Subject": ["M01"] * len(own)}
    np.testing.assert_allclose(own["y"], fit.predict(rows), rtol=1e-10)
    points, mine = part(frame, "partial", "M01"), rows_of(fit, "Subject", "M01")
    residual = np.asarray(fit.residuals())[mine]
    np.testing.assert_allclose(points["y"] - np.interp(points["x"], own["x"], own["y"]), residual, atol=1e-9)
    linear = me.lmer("y ~ C(k) + z + (1 | g)", counts.assign(k=counts["x"].round()))
    steps = part(pd.DataFrame(trajectories_data(linear, "k")), "own", "1")
    assert steps["x"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ({"x": 1}, "'x' is no predictor of the lines beside 'x'; those are 'z', 'site', 'size', 'effort'"),
        ({"site": "east"}, "'east' is no level of 'site'"),
        ({"z": [1, 2]}, "'z' must have one value, not 2"),
        ({"z": "much"}, "must be finite numbers"),
        ("mean", "give values by predictor"),
    ],
)
def test_values_that_cannot_be_held(counts, at, says):
    fit = me.glmer(COUNTS, counts, "poisson")
    with pytest.raises(me.DataError, match=says):
        trajectories_data(fit, "x", at=at)
