"""Partial, binned and quantile residuals against their definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me
from mixedeffects.population import (
    augment_longer,
    augment_quantile,
    balanced,
    binned_residuals,
    partial_residuals,
    population,
    predictor,
    random_effects,
    response,
    rfactor,
)


def pop(family, **options):
    return population(
        g=predictor(balanced, each=10),
        f=predictor(rfactor, levels=["u", "v"]),
        x=predictor("normal"),
        z=predictor("uniform", low=1, high=3),
        y=response(
            lambda x, z: 0.5 * x - 0.2 * x**2 + np.log(z), family=family, random=random_effects("g", sd=0.7), **options
        ),
    )


@pytest.fixture(scope="module")
def data():
    return pop("gaussian", error_scale=1.0).sample_x(200, rng=1).sample_y()


@pytest.fixture(scope="module")
def fit(data):
    return me.lmer("y ~ x + I(x**2) + log(z) + f + (1 | g)", data)


@pytest.fixture(scope="module")
def counts():
    data = pop("poisson").sample_x(200, rng=2).sample_y()
    return me.glmer("y ~ x + I(x**2) + log(z) + (1 | g)", data, family="poisson")


def test_partial_residuals_by_hand(fit, data):
    found = partial_residuals(fit)
    assert list(found.columns) == [
        ".obs",
        ".predictor_name",
        ".predictor_value",
        ".predictor_effect",
        ".partial_resid",
    ]
    assert found[".predictor_name"].unique().tolist() == ["x", "z"]
    b = fit.fixef
    of_x = found[found[".predictor_name"] == "x"]
    effect = b["x"] * data["x"] + b["I(x ** 2)"] * data["x"] ** 2
    np.testing.assert_allclose(of_x[".predictor_value"], data["x"])
    np.testing.assert_allclose(of_x[".predictor_effect"], effect + b["Intercept"])
    np.testing.assert_allclose(of_x[".partial_resid"], b["Intercept"] + effect + fit.residuals())
    of_z = partial_residuals(fit, "z")
    np.testing.assert_allclose(of_z[".partial_resid"], of_z[".predictor_effect"] + fit.residuals())
    assert of_z[".obs"].tolist() == list(range(200))


def test_the_effect_is_the_prediction_at_zero_and_the_first_level(fit, data):
    """What regressinator calls it: here z is 1, where its logarithm is 0."""
    at = data.assign(z=1.0, f=pd.Categorical(["u"] * 200, categories=["u", "v"]))
    np.testing.assert_allclose(
        partial_residuals(fit, "x")[".predictor_effect"], fit.predict(at, random="population"), rtol=1e-10
    )


def test_partial_residuals_on_the_scale_of_the_link(counts):
    found = partial_residuals(counts, "z")
    z = np.asarray(counts.model.columns["z"])
    effect = counts.fixef["Intercept"] + counts.fixef["log(z)"] * np.log(z)
    y = counts.model.y
    np.testing.assert_allclose(found[".partial_resid"], effect + (y - counts.fitted) / counts.fitted)


def test_dropped_rows_keep_their_positions(data):
    holes = data.copy()
    holes.loc[[0, 7], "x"] = np.nan
    with pytest.warns(me.DroppedRowsWarning):
        fit = me.lmer("y ~ x + (1 | g)", holes)
    assert partial_residuals(fit)[".obs"].tolist() == [j for j in range(200) if j not in (0, 7)]
    assert augment_longer(fit)[".obs"].tolist() == [j for j in range(200) if j not in (0, 7)]


def test_binned_residuals_by_hand(fit, data):
    found = binned_residuals(fit, "x", breaks=4)
    place = pd.qcut(data["x"], 4, labels=False)
    assert found[".bin"].tolist() == [1, 2, 3, 4]
    assert found["n"].tolist() == [50] * 4
    by = pd.Series(fit.residuals()).groupby(place.to_numpy())
    np.testing.assert_allclose(found["resid_mean"], by.mean())
    np.testing.assert_allclose(found["resid_sd"], by.std())
    of_x = data["x"].groupby(place)
    for head, values in (("min", of_x.min()), ("max", of_x.max()), ("mean", of_x.mean()), ("sd", of_x.std())):
        np.testing.assert_allclose(found[f"predictor_{head}"], values)


def test_bins_of_equal_width(counts):
    found = binned_residuals(counts, ".fitted", breaks=5, kind="pearson", bins="interval")
    width = (counts.fitted.max() - counts.fitted.min()) / 5
    inside = counts.fitted <= counts.fitted.min() + width
    assert found["n"][0] == inside.sum()
    assert found["resid_mean"][0] == pytest.approx(counts.residuals("pearson")[inside].mean())
    assert found["n"].sum() == 200
    assert set(found["predictor_name"]) == {".fitted"}


def test_the_number_of_bins(fit):
    found = binned_residuals(fit)
    assert found.groupby("predictor_name")["n"].count().to_dict() == {"x": 14, "z": 14}


def test_ties_share_a_bin():
    fit = me.lmer("Reaction ~ Days + (1 | Subject)", me.datasets.load("sleepstudy"))
    found = binned_residuals(fit, breaks=7)
    assert (found["predictor_min"].to_numpy()[1:] > found["predictor_max"].to_numpy()[:-1]).all()
    assert found["n"].sum() == 180
    single = me.lmer("Yield ~ 1 + (1 | Batch)", me.datasets.load("Dyestuff"))
    assert binned_residuals(single, ".fitted", breaks=30)["n"].max() == 5


def test_longer(fit, data):
    found = augment_longer(fit)
    assert len(found) == 400
    assert found[".predictor_name"].unique().tolist() == ["x", "z"]
    assert not {"x", "z"} & set(found.columns)
    np.testing.assert_allclose(found[".predictor_value"], np.concatenate([data["x"], data["z"]]))
    np.testing.assert_allclose(found[".resid"], np.tile(fit.residuals(), 2))
    assert found["f"].tolist() == data["f"].tolist() * 2
    more = augment_longer(fit, data.assign(name="n"))
    assert set(more["name"]) == {"n"}


def test_quantile_residuals(fit, counts):
    found = augment_quantile(fit)
    np.testing.assert_allclose(found[".quantile.resid"], fit.residuals("quantile"))
    np.testing.assert_allclose(found[".fitted"], fit.fitted)
    drawn = augment_quantile(counts, rng=4)
    np.testing.assert_allclose(drawn[".quantile.resid"], counts.residuals("quantile", rng=4))
    np.testing.assert_allclose(drawn["y"], counts.model.y)
    assert abs(drawn[".quantile.resid"].std() - 1) < 0.2


def test_quantile_residuals_vary_less_in_small_groups():
    """A residual is b + e less k times the mean of its group; k = m / (m + 1) for m rows and variances of 1."""
    found = {}
    for each in (2, 20):
        one = population(
            g=predictor(balanced, each=each),
            x=predictor("normal"),
            y=response("0.5 * x", random=random_effects("g", sd=1), error_scale=1),
        )
        fit = me.lmer("y ~ x + (1 | g)", one.sample_x(600, rng=1).sample_y())
        found[each] = augment_quantile(fit)[".quantile.resid"].std()
    for each, sd in found.items():
        k = each / (each + 1)
        assert sd == pytest.approx(np.sqrt(1 - k * (2 - k) / each + (1 - k) ** 2), abs=0.03)


def test_generalized_fits_in_long_form(counts):
    found = augment_longer(counts)
    assert len(found) == 400
    np.testing.assert_allclose(found["y"], np.tile(counts.model.y, 2))
    assert {".fitted", ".resid"} <= set(found.columns)


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_other_libraries(kind):
    data = pop("gaussian", error_scale=1.0).sample_x(60, rng=1, frame=kind).sample_y()
    fit = me.lmer("y ~ x + f + (1 | g)", data)
    for table in (partial_residuals(fit), binned_residuals(fit), augment_longer(fit), augment_quantile(fit)):
        assert type(table) is type(data)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit: partial_residuals(fit, "f"), "'f' is no numeric predictor of the fixed part; those are 'x', 'z'"),
        (lambda fit: partial_residuals(fit, "g"), "'g' is no numeric predictor"),
        (lambda fit: partial_residuals(fit, ".fitted"), "'.fitted' is no numeric predictor"),
        (
            lambda fit: partial_residuals(fit.update("y ~ x * f + z + (1 | g)"), "x"),
            "partial_residuals: 'x' is in an interaction, where its effect depends",
        ),
        (lambda fit: partial_residuals(fit.update("y ~ x * f + (1 | g)")), "no numeric predictor outside interactions"),
        (lambda fit: binned_residuals(fit, "f"), "those are 'x', 'z', '.fitted'"),
        (lambda fit: binned_residuals(fit, breaks=0), "breaks=0 must be a whole number"),
        (lambda fit: binned_residuals(fit, bins="equal"), "bins='equal' is not known"),
        (lambda fit: binned_residuals(fit.update("y ~ f + (1 | g)")), "predictors='.fitted' bins the fitted values"),
        (lambda fit: augment_longer(fit.update("y ~ f + (1 | g)")), "no numeric predictor"),
        (lambda fit: augment_quantile(3), "augment_quantile: give a fit of lmer or glmer, not int"),
    ],
)
def test_errors(fit, call, message):
    with pytest.raises(me.DataError, match=message):
        call(fit)


def test_interactions_elsewhere_do_not_matter(fit):
    found = partial_residuals(fit.update("y ~ z * f + x + (1 | g)"))
    assert found[".predictor_name"].unique().tolist() == ["x"]
