"""Predictions and simulations of generalized fits: against dense matrices, draws, and integrals of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import integrate, stats
from scipy.special import expit
from support import reference
from support.glmm import HERDS

import mixedeffects as me
from mixedeffects.errors import DataError, DroppedRowsWarning

N = 40_000  # brute draws


@pytest.fixture(scope="module")
def herds() -> me.GlmmResult:
    return me.glmer(HERDS, reference.load_data("cbpp"))


@pytest.fixture(scope="module")
def slopes() -> me.GlmmResult:
    """Counts with random slopes in 12 groups of 6, and a dispersion."""
    rng = np.random.default_rng(21)
    g, x = np.repeat(np.arange(12), 6), np.tile(np.linspace(-1.0, 1.0, 6), 12)
    b = rng.normal(size=(12, 2)) * [0.6, 0.4]
    y = families("negative_binomial").simulate(np.exp(1.5 + b[g, 0] + (0.5 + b[g, 1]) * x), 1.0, 1.5, rng)
    return me.glmer("y ~ x + (x || g)", pd.DataFrame({"y": y, "x": x, "g": g}), "negative_binomial")


def families(name):
    return me.families.family_of(name)


def predictor_moments(fit, rows, random):
    """Mean and standard deviation of eta at new rows, by dense matrices; other levels than those of the fit are new."""
    design, (group,) = fit.design, fit.model.factors
    labels = [str(label) for label in fit.model.factors[group].labels]
    t = fit.log_dispersion
    W = -fit.family.derivatives(design.y, fit.predict(kind="link"), fit.model.row_weights, t).d2
    X, Z = np.asarray(design.X), design.Z.toarray()
    K = np.linalg.inv(Z.T @ (W[:, None] * Z) + np.linalg.inv(design.Sigma().toarray()))
    Sigma = np.diag([part.iloc[0, 0] for part in fit.varcorr.covariance.values()])  # terms of one column each
    mean, variance = [], []
    for x, z, level in zip(rows["X"], rows["Z"], rows["level"], strict=True):
        full = np.zeros(Z.shape[1])  # term, level
        known = level in labels and random == "conditional"
        if known:
            full[[labels.index(level) + k * len(labels) for k in range(len(z))]] = z
        gap = x - X.T @ (W * (Z @ (K @ full)))
        variance.append(full @ K @ full + gap @ fit.vcov.to_numpy() @ gap + (0.0 if known else z @ Sigma @ z))
        mean.append(x @ fit.fixef.to_numpy() + (z @ fit.ranef[group].loc[level] if known else 0.0))
    return np.array(mean), np.sqrt(variance)


def assert_covers_as_drawn(fit, found, mean, sd, weights=1.0):
    """Limits and errors are those of responses drawn one by one from the stated distribution."""
    rng, t = np.random.default_rng(31), fit.log_dispersion
    for i in range(len(mean)):
        mu = fit.family.link.inverse(mean[i] + sd[i] * rng.standard_normal(N))
        y = fit.family.simulate(mu, weights, t, rng)
        squares = (y - found["estimate"].iloc[i]) ** 2
        assert found["std_error"].iloc[i] ** 2 == pytest.approx(squares.mean(), abs=5 * squares.std() / np.sqrt(N))
        error = 5 * np.sqrt(0.025 * 0.975 / N)
        for limit, p in ((found["lower"].iloc[i], 0.025), (found["upper"].iloc[i], 0.975)):
            assert (y <= limit + 1e-9).mean() >= p - error
            assert (y < limit - 1e-9).mean() <= p + error


def dense_rows(fit, frame):
    if "period" in frame:
        X = np.column_stack([np.ones(len(frame))] + [(frame["period"] == p).astype(float) for p in ("2", "3", "4")])
        return {"X": X, "Z": np.ones((len(frame), 1)), "level": frame["herd"].tolist()}
    X = np.column_stack([np.ones(len(frame)), frame["x"]])
    return {"X": X, "Z": X, "level": [str(value) for value in frame["g"]]}


@pytest.mark.parametrize("random", ["conditional", "population"])
def test_intervals_for_binomial_counts_are_those_of_draws(herds, random):
    frame = pd.DataFrame({"period": ["1", "3", "1"], "herd": ["1", "8", "new"]})
    found = herds.predict(frame, random=random, interval="prediction", new_levels="population", weights=12)
    mean, sd = predictor_moments(herds, dense_rows(herds, frame), random)
    np.testing.assert_allclose(found["estimate"], expit(mean), rtol=1e-10)
    assert_covers_as_drawn(herds, found, mean, sd, 12.0)
    counts = found[["lower", "upper"]] * 12
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)


@pytest.mark.parametrize("random", ["conditional", "population"])
def test_intervals_for_counts_with_slopes_are_those_of_draws(slopes, random):
    frame = pd.DataFrame({"x": [1.0, -0.5, 1.5], "g": ["3", "7", "new"]})
    found = slopes.predict(frame, random=random, interval="prediction", new_levels="population")
    mean, sd = predictor_moments(slopes, dense_rows(slopes, frame), random)
    link = slopes.predict(frame, random=random, kind="link", se=True, new_levels="population")
    np.testing.assert_allclose(link["estimate"], mean, rtol=1e-10)
    known = slice(0, 2) if random == "conditional" else slice(0, 0)
    np.testing.assert_allclose(link["std_error"][known], sd[known], rtol=1e-6)
    assert_covers_as_drawn(slopes, found, mean, sd)


@pytest.mark.parametrize(
    ("family", "link"),
    [
        ("poisson", "log"),
        ("negative_binomial1", "log"),
        ("gamma", "log"),
        ("inverse_gaussian", "log"),
        ("beta", "logit"),
        ("gaussian", "log"),
        ("gamma", "inverse"),
    ],
)
def test_every_family_has_intervals(family, link):
    """The limits are quantiles of a mixture over the predictor; here a plain sum over 2,001 of them."""
    rng = np.random.default_rng(7)
    chosen = me.families.family_of(family, link)
    g, x = np.repeat(np.arange(30), 10), rng.normal(size=300)
    eta = 1.0 + 0.05 * x + (0.2 if chosen.link.pole else 0.5) * rng.normal(size=30)[g]
    t = -2.0 if chosen.scaled else 1.0
    w = rng.uniform(0.5, 2.0, 300) if chosen.scaled else np.ones(300)
    y = chosen.simulate(chosen.link.inverse(eta), w, t, rng)
    fit = me.glmer("y ~ x + (1 | g)", {"y": y, "x": x, "g": g, "w": w}, chosen, weights="w")
    rows = {"x": [0.0, 0.5], "g": [3, 99], "w": [1.0, 2.0]}
    found = pd.DataFrame(fit.predict(rows, interval="prediction", new_levels="population"))
    link_scale = pd.DataFrame(fit.predict(rows, kind="link", se=True, new_levels="population"))
    z = np.linspace(-6.0, 6.0, 2001)
    p_z = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    for i in range(2):
        mu = chosen.link.inverse(link_scale["estimate"][i] + link_scale["std_error"][i] * z)
        weight = rows["w"][i] if chosen.scaled else 1.0
        for name, p in (("lower", 0.025), ("upper", 0.975)):
            at = chosen.cdf(np.full(2001, found[name][i]), mu, weight, fit.log_dispersion)
            assert at.upper @ p_z > p - 1e-6
            assert at.lower @ p_z < p + 1e-6
    assert np.isnan(found["std_error"]).all() == (link == "inverse")
    if not chosen.scaled:
        with pytest.raises(DataError, match="says how often a row counts in the fit"):
            fit.predict(rows, interval="prediction", weights=2.0)
        with pytest.raises(DataError, match="says how often a row counts in the fit"):
            fit.simulate(data=rows, weights=2.0)


def test_trials_are_asked_for_or_read(herds):
    rows = {"period": ["1"], "herd": ["1"]}
    with pytest.raises(DataError, match=r"the numbers of trials of the fit are those of 'cbind.*Use weights="):
        herds.predict(rows, interval="prediction")
    with pytest.raises(DataError, match="the numbers of trials of the fit"):
        herds.simulate(data=rows)
    for value, says in (
        (2.5, "2.5 in row 0 .*whole numbers"),
        (0, "0 in row 0 .* above 0"),
        ("size", "no column 'size'"),
    ):
        with pytest.raises(DataError, match=says):
            herds.predict(rows, interval="prediction", weights=value)
    frame = reference.load_data("cbpp")
    own = herds.predict(interval="prediction")
    pd.testing.assert_frame_equal(herds.predict(frame, interval="prediction", weights="size"), own)
    np.testing.assert_array_equal(
        herds.predict(frame, interval="prediction", weights=frame["size"])["upper"], own["upper"]
    )
    named = me.glmer(
        "share ~ period + (1 | herd)", frame.assign(share=frame["incidence"] / frame["size"]), weights="size"
    )
    np.testing.assert_allclose(named.predict(frame, interval="prediction"), own, atol=1e-6)
    rows_of_one = me.glmer("use ~ age + (1 | district)", reference.load_data("Contraception"))
    single = rows_of_one.predict({"age": [0.0], "district": [1]}, interval="prediction", level=0.3)
    assert set(np.ravel(single[["lower", "upper"]])) <= {0.0, 1.0}
    many = rows_of_one.predict({"age": [0.0], "district": [1]}, interval="prediction", weights=50)
    assert 0.0 < many["lower"][0] < many["upper"][0] < 1.0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": "link", "interval": "prediction"}, "another scale than kind='link'"),
        ({"kind": "link", "population_averaged": True}, "population_averaged=True is about responses"),
        ({"population_averaged": "yes"}, "use True or False"),
        ({"se": True, "uncertainty": "kackar-harville"}, "choose 'conditional' or 'bootstrap'"),
        ({"uncertainty": "bootstrap"}, "is about errors"),
        ({"weights": 3}, 'for interval="prediction" only'),
        ({"interval": "credible"}, "interval='credible' is not known"),
        ({"kind": "mean"}, "kind='mean' is not known"),
    ],
)
def test_arguments_that_are_not_allowed(herds, options, says):
    with pytest.raises(DataError, match=says):
        herds.predict({"period": ["1"], "herd": ["1"]}, **options)


def test_missing_values_and_other_libraries(herds):
    frame = pl.DataFrame({"period": ["1", None, "2"], "herd": ["1", "1", "2"], "n": [4, 5, None]})
    with pytest.warns(DroppedRowsWarning, match="2 of 3 rows"):
        found = herds.predict(frame, interval="prediction", weights="n")
    assert isinstance(found, pl.DataFrame)
    assert found["upper"].is_nan().to_list() == [False, True, True]
    indexed = herds.predict(pd.DataFrame({"period": ["1"], "herd": ["1"]}, index=["a"]), interval="confidence")
    assert list(indexed.index) == ["a"]


def test_the_population_average_is_an_integral_over_the_groups(herds, slopes):
    sd = np.sqrt(herds.varcorr.covariance["herd"].iloc[0, 0])
    eta = herds.predict({"period": ["1"]}, random="population", kind="link")[0]
    expected = integrate.quad(lambda z: expit(eta + sd * z) * stats.norm.pdf(z), -10, 10)[0]
    found = herds.predict({"period": ["1"]}, random="population", population_averaged=True, interval="confidence")
    assert found["estimate"][0] == pytest.approx(expected, rel=1e-8)
    inner = herds.predict({"period": ["1"]}, random="population", kind="link", interval="confidence")
    for name in ("lower", "upper"):
        at = inner[name][0]
        limit = integrate.quad(lambda z, at=at: expit(at + sd * z) * stats.norm.pdf(z), -10, 10)[0]
        assert found[name][0] == pytest.approx(limit, rel=1e-8)
    # a log link with slopes: exp(eta + z'Sigma z / 2); of a group that is known nothing is left to average over
    rows = {"x": [1.5, 1.5, -1.0], "g": [3, 99, 99]}
    S = slopes.varcorr.covariance
    variance = S["g"].iloc[0, 0] + np.array([1.5, 1.5, -1.0]) ** 2 * S["g.1"].iloc[0, 0]
    plain = slopes.predict(rows, new_levels="population")
    averaged = slopes.predict(rows, new_levels="population", population_averaged=True)
    np.testing.assert_allclose(averaged[1:], (plain * np.exp(variance / 2))[1:], rtol=1e-9)
    assert averaged[0] == pytest.approx(plain[0], rel=1e-12)
    everyone = slopes.predict(rows, random="population", population_averaged=True)
    np.testing.assert_allclose(everyone, np.exp(slopes.predict(rows, random="population", kind="link") + variance / 2))
    interval = slopes.predict(rows, random="population", population_averaged=True, interval="prediction")
    again = slopes.predict(rows, random="population", interval="prediction")
    np.testing.assert_allclose(
        interval[["lower", "upper"]] if isinstance(interval, pd.DataFrame) else interval["lower"],
        again[["lower", "upper"]] if isinstance(again, pd.DataFrame) else again["lower"],
    )


def test_the_mean_of_simulations_is_the_population_average(slopes):
    rows = {"x": [0.5, 0.5, -1.0], "g": ["new", "other", "other"]}
    y = slopes.simulate(20_000, rng=2, data=rows)
    expected = slopes.predict(rows, random="population", population_averaged=True)
    error = y.std(axis=1) / np.sqrt(y.shape[1])
    assert (np.abs(y.mean(axis=1) - expected) < 5 * error).all()
    rms = np.sqrt(((y - expected[:, None]) ** 2).mean(axis=1))
    S = slopes.varcorr.covariance
    tau2 = S["g"].iloc[0, 0] + np.array([0.5, 0.5, -1.0]) ** 2 * S["g.1"].iloc[0, 0]
    variance = expected + expected**2 * (np.exp(tau2) * (1 + np.exp(-slopes.log_dispersion)) - 1)
    np.testing.assert_allclose(rms**2, variance, rtol=0.15)
    # rows of one new level share its effects; those of two do not
    shared = S["g"].iloc[0, 0] + 0.5 * -1.0 * S["g.1"].iloc[0, 0]
    covariance = np.exp(shared) - 1
    found = np.cov(y / expected[:, None])
    assert found[1, 2] == pytest.approx(covariance, abs=0.06)
    assert abs(found[0, 1]) < 0.06


def test_conditional_simulations_at_new_rows(herds):
    rows = {"period": ["1", "1", "1"], "herd": ["1", "new", "new"]}
    with pytest.raises(DataError, match="1 level that the model was not fitted with: 'new'"):
        herds.simulate(data=rows, random="conditional", weights=10)
    y = herds.simulate(20_000, rng=3, data=rows, random="conditional", new_levels="population", weights=10)
    expected = np.r_[
        herds.predict({"period": ["1"], "herd": ["1"]}),
        np.repeat(herds.predict({"period": ["1"]}, random="population", population_averaged=True), 2),
    ]
    assert (np.abs(y.mean(axis=1) - expected) < 5 * y.std(axis=1) / np.sqrt(20_000)).all()
    assert y[0].var() == pytest.approx(expected[0] * (1 - expected[0]) / 10, rel=0.05)
    assert np.corrcoef(y)[1, 2] > 0.1
    assert abs(np.corrcoef(y)[0, 1]) < 0.03
    counts = 10 * y
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    with pytest.warns(DroppedRowsWarning):
        assert np.isnan(herds.simulate(data={"period": [None], "herd": ["1"]}, weights=3)).all()


def test_offsets_of_new_rows():
    frame = reference.load_data("sim_pois")
    fit = me.glmer("y ~ x + z + (1 | g)", frame, "poisson", offset="logexpo")
    inside = me.glmer("y ~ x + z + (1 | g) + offset(logexpo)", frame, "poisson")
    values = me.glmer("y ~ x + z + (1 | g)", frame, "poisson", offset=frame["logexpo"].to_numpy())
    rows = frame.iloc[:4]
    ask = {"interval": "prediction"}
    expected = fit.predict(rows, **ask)
    pd.testing.assert_frame_equal(inside.predict(rows, **ask), expected, rtol=1e-5)
    pd.testing.assert_frame_equal(values.predict(rows, offset="logexpo", **ask), expected, rtol=1e-5)
    np.testing.assert_allclose(
        fit.predict(rows.assign(logexpo=rows["logexpo"] + np.log(2.0))), 2.0 * expected["estimate"], rtol=1e-10
    )
    with pytest.raises(DataError, match="the fit has an offset that was given as values"):
        values.simulate(data=rows)
    with pytest.raises(DataError, match="offset has 3 values, but the new data have 4 rows"):
        values.predict(rows, offset=[0.0, 0.0, 0.0])
    y = values.simulate(5_000, rng=4, data=rows, offset="logexpo", random="conditional")
    assert (np.abs(y.mean(axis=1) / expected["estimate"] - 1.0) < 0.1).all()


def test_bootstrap_errors_with_known_variances_are_near_the_conditional_ones():
    fit = me.glmer(HERDS, reference.load_data("cbpp"), control=me.Control(fixed_theta=[0.6]))
    rows = {"period": ["1", "1"], "herd": ["1", "new"]}
    ask = {"new_levels": "population", "weights": 30, "interval": "prediction"}
    exact = pd.DataFrame(fit.predict(rows, **ask))
    drawn = pd.DataFrame(fit.predict(rows, uncertainty="bootstrap", n=400, rng=1, **ask))
    np.testing.assert_array_equal(drawn["estimate"], exact["estimate"])
    np.testing.assert_allclose(drawn["std_error"], exact["std_error"], rtol=0.12)
    np.testing.assert_allclose(drawn[["lower", "upper"]], exact[["lower", "upper"]], atol=0.07)
    link = {"kind": "link", "new_levels": "population", "interval": "confidence"}
    one, two = (
        pd.DataFrame(fit.predict(rows, **link, **more))
        for more in ({}, {"uncertainty": "bootstrap", "n": 400, "rng": 1})
    )
    np.testing.assert_allclose(two["std_error"], one["std_error"], rtol=0.15)
    mean = pd.DataFrame(
        fit.predict(rows, new_levels="population", interval="confidence", uncertainty="bootstrap", n=400, rng=1)
    )
    np.testing.assert_allclose(mean["upper"], expit(two["upper"]), rtol=1e-12)
    again = pd.DataFrame(fit.predict(rows, uncertainty="bootstrap", n=400, rng=1, **ask))
    pd.testing.assert_frame_equal(again, drawn)


def test_a_link_with_an_end_is_refused_where_it_matters():
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(20), 10)
    y = rng.poisson((1.5 + 0.7 * rng.normal(size=20)[g]) ** 2)
    fit = me.glmer("y ~ 1 + (1 | g)", {"y": y, "g": g}, "poisson", link="sqrt")
    with pytest.raises(DataError, match=r"lies with a probability of .* where the link 'sqrt'"):
        fit.predict({"any": [1]}, random="population", interval="prediction")
    big = int(np.argmax(fit.ranef["g"]["Intercept"]))
    assert fit.predict({"g": [int(fit.ranef["g"].index[big])]}, interval="prediction")["upper"][0] > 0


@pytest.mark.parametrize("options", [{"interval": "prediction"}, {"population_averaged": True, "random": "population"}])
def test_no_rows_give_no_predictions(options):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=60), "g": np.repeat(list("abcdef"), 10)})
    frame["y"] = rng.poisson(np.exp(0.5 * frame["x"] + rng.normal(size=6).repeat(10)))
    fit = me.glmer("y ~ x + (1 | g)", frame, "poisson")
    assert len(fit.predict(frame[["x", "g"]].iloc[:0], **options)) == 0
