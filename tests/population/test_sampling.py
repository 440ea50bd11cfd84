"""Sampling distributions and the parametric bootstrap against the same steps by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedeffects as me
from mixedeffects.population import (
    balanced,
    parametric_boot_distribution,
    population,
    predictor,
    random_effects,
    response,
    rfactor,
    sampling_distribution,
)

FORMULA = "y ~ x + (1 | g)"


@pytest.fixture(scope="module")
def design():
    return population(
        g=predictor(balanced, each=6),
        x=predictor("normal"),
        y=response(lambda x: 1 + 0.5 * x, random=random_effects("g", sd=1.5), error_scale=1),
    )


@pytest.fixture(scope="module")
def sample(design):
    return design.sample_x(60, rng=1)


@pytest.fixture(scope="module")
def fit(sample):
    return me.lmer(FORMULA, sample.sample_y())


def coefficients(fit):
    return fit.fixef


def test_direct_simulation_gives_the_same(fit, sample):
    found = sampling_distribution(fit, sample, coefficients, nsim=5, rng=3)
    assert list(found.columns) == [".sample", "Intercept", "x"]
    assert found[".sample"].tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(found.loc[0, "x"], fit.fixef["x"])
    for j, rng in enumerate(np.random.default_rng(3).spawn(5), start=1):
        by_hand = me.lmer(FORMULA, sample.sample_y(rng))  # from another start, to a Newton decrement of 1e-9
        np.testing.assert_allclose(found.loc[j, ["Intercept", "x"]].astype(float), by_hand.fixef, rtol=1e-6)


def test_new_predictors(fit, sample):
    found = sampling_distribution(fit, sample, coefficients, nsim=3, rng=3, fixed_x=False)
    for j, rng in enumerate(np.random.default_rng(3).spawn(3), start=1):
        by_hand = me.lmer(FORMULA, sample.population.sample_x(60, rng).sample_y(rng))
        np.testing.assert_allclose(found.loc[j, ["Intercept", "x"]].astype(float), by_hand.fixef, rtol=1e-12)


def test_the_default_is_tidy(fit, sample):
    found = sampling_distribution(fit, sample, nsim=2, rng=3)
    assert len(found) == 3 * len(fit.tidy())
    pd.testing.assert_frame_equal(found[found[".sample"] == 0].drop(columns=".sample"), fit.tidy())


@pytest.mark.parametrize("formula", [FORMULA, "y ~ x + (x | g)", "y ~ 0 + x + (1 | g)"])
def test_estimates_are_those_of_whole_fits(sample, formula):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        fit = me.lmer(formula, sample.sample_y(rng=0))
    found = sampling_distribution(fit, sample, "estimates", nsim=20, rng=3)
    names = [name for name in found.columns if name != ".sample"]
    assert set(names) == set(fit.confint(method="wald").index) | {n for n in names if "|" in n or n == "sigma"}
    for j, rng in enumerate([None, *np.random.default_rng(3).spawn(20)]):
        y = fit.model.y if rng is None else sample.draw_y(rng)["y"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", me.SingularFitWarning)
            again = fit.refit(y)
        np.testing.assert_allclose(found.loc[j, list(again.fixef.index)].astype(float), again.fixef, atol=1e-6)
        assert found.loc[j, "sigma"] == pytest.approx(again.sigma, rel=1e-6)
        sd = again.varcorr.to_frame()
        assert found.loc[j, "sd_" + names[0].removeprefix("sd_")] == pytest.approx(sd["sd"].iloc[0], abs=1e-4)


def test_estimates_with_new_predictors_and_of_single_fits(fit, sample):
    by_fit = sampling_distribution(fit, sample, "estimates", nsim=2, rng=3, fixed_x=False)
    by_hand = sampling_distribution(fit, sample, coefficients, nsim=2, rng=3, fixed_x=False)
    np.testing.assert_allclose(by_fit["x"], by_hand["x"], rtol=1e-8)


def test_any_function_of_a_frame(sample):
    found = sampling_distribution(
        lambda frame: {"slope": np.polyfit(frame["x"], frame["y"], 1)[0]}, sample, nsim=4, rng=3
    )
    assert found[".sample"].tolist() == [1, 2, 3, 4]
    frame = sample.sample_y(np.random.default_rng(3).spawn(1)[0])
    assert found["slope"][0] == pytest.approx(np.polyfit(frame["x"], frame["y"], 1)[0])
    numbers = sampling_distribution(lambda frame: frame, sample, lambda frame: frame["y"].mean(), nsim=2, rng=3)
    assert numbers["value"][0] == pytest.approx(frame["y"].mean())
    frames = sampling_distribution(lambda frame: frame.head(2), sample, nsim=2, rng=3)
    assert frames.shape == (4, 4)


def test_a_frame_with_its_population(design):
    """Other libraries than pandas, and categories."""
    pop = population(**{**dict(design.variables), "f": predictor(rfactor, levels=["u", "v"])})
    one = pop.sample_x(60, rng=1, frame="polars")
    data = one.sample_y()
    fit = me.lmer("y ~ x + f + (1 | g)", data)
    found = sampling_distribution(fit, data, coefficients, nsim=2, rng=3, population=pop)
    assert isinstance(found, pl.DataFrame)
    same = sampling_distribution(fit, one, coefficients, nsim=2, rng=3)
    assert found.equals(same)


def test_effects_of_the_population_belong_to_the_levels_of_the_data():
    """Text in the data has its levels in another order than the factor that was drawn, and perhaps fewer."""
    pop = population(
        g=predictor(rfactor, levels=["mid", "low", "high"]),
        x=predictor("normal"),
        y=response("x", random=random_effects("g", sd=3, redraw="never", rng=1), error_scale=0.1),
    )
    sample = pop.sample_x(60, rng=1)
    data = sample.sample_y()
    for given in (data, data.assign(g=data["g"].astype(str)), data[data["g"] != "mid"].reset_index(drop=True)):
        fit = me.lmer("y ~ x + (1 | g)", given)
        found = sampling_distribution(
            lambda frame: (frame["y"] - frame["x"]).groupby(frame["g"].astype(str)).mean(),
            given,
            nsim=1,
            rng=2,
            population=pop,
        )
        effects = sample.effects()["g"].set_index("level")["Intercept"]
        for level in found.columns.drop(".sample"):
            assert found[level][0] == pytest.approx(effects[level], abs=0.15)
        assert sampling_distribution(fit, given, coefficients, nsim=1, rng=2, population=pop).shape == (2, 3)


@pytest.mark.parametrize("option", ["weights", "offset"])
def test_weights_and_offsets_that_are_drawn(option, design):
    """Another response as weights or offset is another one in every sample."""
    pop = population(**dict(design.variables), w=response(1.0, family="gamma", dispersion=0.5, link="log"))
    sample = pop.sample_x(60, rng=1)
    fit = me.lmer(FORMULA, sample.sample_y(), **{option: "w"})
    found = sampling_distribution(fit, sample, coefficients, nsim=2, rng=3)
    by_hand = me.lmer(FORMULA, sample.sample_y(np.random.default_rng(3).spawn(1)[0]), **{option: "w"})
    assert found.loc[1, "x"] == pytest.approx(by_hand.fixef["x"], rel=1e-9)
    fast = sampling_distribution(fit, sample, "estimates", nsim=2, rng=3)
    assert fast.loc[1, "x"] == pytest.approx(by_hand.fixef["x"], rel=1e-9)


def test_responses_that_the_formula_changes(sample):
    """Not the response as it is drawn: every sample is fitted from its frame."""
    fit = me.lmer("exp(y) ~ x + (1 | g)", sample.sample_y(rng=1))
    found = sampling_distribution(fit, sample, coefficients, nsim=2, rng=3)
    rng = np.random.default_rng(3).spawn(1)[0]
    by_hand = me.lmer("exp(y) ~ x + (1 | g)", sample.sample_y(rng))
    assert found.loc[1, "x"] == pytest.approx(by_hand.fixef["x"], rel=1e-9)


def test_generalized_fits():
    pop = population(
        g=predictor(balanced, each=10),
        x=predictor("normal"),
        y=response("0.3 * x", family="binomial", size=4, random=random_effects("g", sd=0.8)),
    )
    sample = pop.sample_x(150, rng=1)
    fit = me.glmer("cbind(y, 4 - y) ~ x + (1 | g)", sample.sample_y())
    found = sampling_distribution(fit, sample, coefficients, nsim=2, rng=3)
    by_hand = me.glmer("cbind(y, 4 - y) ~ x + (1 | g)", sample.sample_y(np.random.default_rng(3).spawn(1)[0]))
    assert found.loc[1, "x"] == pytest.approx(by_hand.fixef["x"], rel=1e-6)
    booted = parametric_boot_distribution(fit, fn=coefficients, nsim=2, rng=3)
    y = fit.simulate(1, rng=np.random.default_rng(3).spawn(1)[0])[:, 0]
    assert booted.loc[0, "x"] == pytest.approx(fit.refit(y).fixef["x"], rel=1e-9)


def test_the_parametric_bootstrap_is_simulate_and_refit(fit, sample):
    found = parametric_boot_distribution(fit, fn=coefficients, nsim=4, rng=5)
    assert found[".sample"].tolist() == [1, 2, 3, 4]
    fast = parametric_boot_distribution(fit, fn="estimates", nsim=4, rng=5)
    for j, rng in enumerate(np.random.default_rng(5).spawn(4)):
        again = fit.refit(fit.simulate(1, rng=rng)[:, 0])
        np.testing.assert_allclose(found.loc[j, ["Intercept", "x"]].astype(float), again.fixef, rtol=1e-12)
        np.testing.assert_allclose(fast.loc[j, ["Intercept", "x"]].astype(float), again.fixef, atol=1e-7)


def test_an_alternative_is_fitted_to_what_the_fit_simulates(fit):
    null = fit.update("y ~ 1 + (1 | g)")
    found = parametric_boot_distribution(null, fit, coefficients, nsim=3, rng=5)
    y = null.simulate(1, rng=np.random.default_rng(5).spawn(1)[0])[:, 0]
    np.testing.assert_allclose(found.loc[0, ["Intercept", "x"]].astype(float), fit.refit(y).fixef, rtol=1e-12)


def test_the_distribution_has_the_right_centre_and_spread(fit, sample):
    """The slope within groups: mean 0.5; its standard error is known from X."""
    found = sampling_distribution(fit, sample, "estimates", nsim=1000, rng=6)["x"][1:]
    V = np.kron(np.eye(10), 2.25 * np.ones((6, 6)) + np.eye(6))
    X = fit.model.X
    variance = np.linalg.inv(X.T @ np.linalg.solve(V, X))[1, 1]  # of the estimate with known variances
    assert abs(found.mean() - 0.5) < 4 * np.sqrt(variance / 1000)
    assert found.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / 1000) + 0.02)


def test_what_happened_is_told_once():
    sample = me.datasets.shrinkage_population().sample_x(40, rng=1)
    fit = me.lmer("y ~ x + (1 | group)", sample.sample_y(rng=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        larger = fit.update("y ~ x + (x | group)")
    with pytest.warns(me.SingularFitWarning, match=r"\d+ of 30 refits are singular") as caught:
        found = sampling_distribution(larger, sample, lambda one: {"flat": one.is_singular}, nsim=30, rng=1)
    assert len(caught) == 1
    assert f"{int(found['flat'][1:].sum())} of 30" in str(caught[0].message)


def test_failures_are_counted_and_have_no_rows(sample):
    def picky(frame):
        if frame["y"].mean() > 1:
            raise me.DataError("too high")
        return {"mean": frame["y"].mean()}

    with pytest.warns(me.ConvergenceWarning, match="of 20 samples could not be fitted and have no rows: too high"):
        found = sampling_distribution(picky, sample, nsim=20, rng=1)
    assert 0 < len(found) < 20
    assert (found["mean"] <= 1).all()

    def never(frame):
        raise me.DataError("no")

    with pytest.raises(me.ConvergenceError, match="none of 3 samples could be fitted: no"):
        sampling_distribution(never, sample, nsim=3, rng=1)


def test_refits_that_do_not_converge_are_missing_and_counted(sample):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.ConvergenceWarning)
        hasty = me.lmer("y ~ x + (x | g)", sample.sample_y(rng=1), control=me.Control(max_evaluations=3))
    with pytest.warns(me.ConvergenceWarning, match=r"\d+ of 10 refits did not converge") as caught:
        found = sampling_distribution(hasty, sample, "estimates", nsim=10, rng=1)
    assert f"{int(found['sigma'].isna().sum())} of 10" in str(caught[0].message)
    assert len(found) == 11


def test_random_numbers_are_the_callers(fit, sample):
    one = sampling_distribution(fit, sample, coefficients, nsim=2, rng=np.random.default_rng(3))
    pd.testing.assert_frame_equal(one, sampling_distribution(fit, sample, coefficients, nsim=2, rng=3))
    assert not one.equals(sampling_distribution(fit, sample, coefficients, nsim=2, rng=4))


def test_a_seed_sequence_gives_the_same_each_time(fit, sample):
    seeds = np.random.SeedSequence(3, spawn_key=(1,))
    one, two = (sampling_distribution(fit, sample, "estimates", nsim=2, rng=seeds) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert seeds.n_children_spawned == 0
    assert not one.equals(sampling_distribution(fit, sample, "estimates", nsim=2, rng=np.random.SeedSequence(3)))
    one, two = (parametric_boot_distribution(fit, fn="estimates", nsim=2, rng=seeds) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


def test_what_no_draw_can_mend_is_raised_as_it_is(sample):
    calls = []

    def no_column(frame):
        calls.append(1)
        return me.lmer("y ~ dose + (1 | g)", frame)

    with pytest.raises(me.DataError, match="there is no column 'dose'"):
        sampling_distribution(no_column, sample, nsim=1000, rng=1)
    assert len(calls) == 20
    fit = me.lmer("y ~ x + z + (1 | g)", sample.sample_y(rng=1).assign(z=np.arange(60.0) % 7))
    assert sampling_distribution(fit, sample, "estimates", nsim=1, rng=1).shape[0] == 2
    with pytest.raises(me.DataError, match=r"the fit reads 'z', which the population does not have \(g, x, y\)"):
        sampling_distribution(fit, sample, nsim=1, fixed_x=False)


ERRORS = {
    "rng='a' must be None": lambda f, s: sampling_distribution(f, s, nsim=1, rng="a"),
    "rng=-1 must be None": lambda f, s: s.sample_y(-1),
    "rng=1.5 must be None": lambda f, s: parametric_boot_distribution(f, nsim=1, rng=1.5),
    "data must be a sample, what sample_x returns; a data frame does not know": lambda f, s: sampling_distribution(
        f, s.sample_y(), nsim=1
    ),
    "the fit has 60 rows of data and the sample 12": lambda f, s: sampling_distribution(
        f, s.population.sample_x(12, rng=1), nsim=1
    ),
    "fit must be a fit of lmer or glmer, or a function": lambda f, s: sampling_distribution(3, s, nsim=1),
    "nsim=0 must be a whole number of at least 1": lambda f, s: sampling_distribution(f, s, nsim=0),
    "fn=3 must be a function of a fit": lambda f, s: sampling_distribution(f, s, 3, nsim=1),
    'fn="estimates" is for fits of lmer': lambda f, s: sampling_distribution(lambda d: d, s, "estimates", nsim=1),
    "the function of a fit returns list": lambda f, s: sampling_distribution(f, s, lambda one: [1, 2], nsim=1),
    "values of different lengths": lambda f, s: sampling_distribution(f, s, lambda one: {"a": 1, "b": [1, 2]}, nsim=1),
    "gives the columns": lambda f, s: sampling_distribution(
        f, s, lambda one: {"a": 1} if one is f else {"b": 1}, nsim=1
    ),
    "the data have no column 'x'": lambda f, s: sampling_distribution(
        f, s.sample_y().drop(columns="x"), nsim=1, population=s.population
    ),
    "population=3 must be what": lambda f, s: sampling_distribution(f, s.sample_y(), nsim=1, population=3),
    "not int": lambda f, s: sampling_distribution(f, 3, nsim=1, population=s.population),
    "fit must be a fit of lmer or glmer, not int": lambda f, s: parametric_boot_distribution(3),
    "alternative must be a fit": lambda f, s: parametric_boot_distribution(f, 3),
    "both must be fitted to the same ones": lambda f, s: parametric_boot_distribution(
        f, me.lmer(FORMULA, s.sample_y(rng=1).iloc[:30])
    ),
    "no column of its data; give a function": lambda f, s: sampling_distribution(
        me.lmer(FORMULA, s.sample_y(rng=1), weights=np.arange(1, 61.0)), s, nsim=1, fixed_x=False
    ),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors(message, fit, sample):
    with pytest.raises((me.DataError, me.ConvergenceError), match=message):
        ERRORS[message](fit, sample)


class TestRefitEstimates:
    def test_threads_do_not_matter(self, fit, sample):
        Y = np.column_stack([sample.draw_y(seed)["y"] for seed in range(8)])
        one, two = fit.refit_estimates(Y), fit.refit_estimates(Y, workers=2)
        pd.testing.assert_frame_equal(one, two)
        assert list(one.columns) == ["sd_Intercept|g", "sigma", "Intercept", "x"]
        assert fit.refit_estimates(Y[:, :0]).shape == (0, 4)

    def test_weights_and_offsets(self, sample):
        data = sample.sample_y(rng=2).assign(w=np.linspace(1, 3, 60), o=np.linspace(-1, 1, 60))
        fit = me.lmer(FORMULA, data, weights="w", offset="o")
        y = sample.draw_y(3)["y"]
        again, found = fit.refit(y), fit.refit_estimates(y[:, None])
        np.testing.assert_allclose(found.loc[0, ["Intercept", "x"]].astype(float), again.fixef, atol=1e-7)
        assert found["sigma"][0] == pytest.approx(again.sigma, rel=1e-7)

    @pytest.mark.parametrize(
        ("y", "message"),
        [
            (np.zeros(60), r"y has shape \(60,\); it must have \(60, m\)"),
            (np.zeros((3, 2)), r"y has shape \(3, 2\)"),
            ("y", "y must hold numbers"),
            (np.full((60, 2), np.nan), "y has nan in row 0, column 0"),
        ],
    )
    def test_errors(self, fit, y, message):
        with pytest.raises(me.DataError, match=message):
            fit.refit_estimates(y)
        with pytest.raises(me.DataError, match="workers=0"):
            fit.refit_estimates(np.zeros((60, 1)), workers=0)

    def test_a_theta_that_was_given(self, sample):
        fit = me.lmer(FORMULA, sample.sample_y(rng=2), control=me.Control(fixed_theta=[1.0]))
        with pytest.raises(me.MixedEffectsError, match="nothing to refit"):
            fit.refit_estimates(np.ones((60, 1)))


class TestOtherData:
    """A fit to other rows, or to these in another order, would get responses that belong to other predictors."""

    @pytest.mark.parametrize("fn", ["estimates", coefficients])
    @pytest.mark.parametrize("fixed_x", [True, False])
    def test_another_order_of_rows(self, sample, fn, fixed_x):
        fit = me.lmer(FORMULA, sample.sample_y(rng=1).sort_values("x"))
        with pytest.raises(me.DataError, match="the fit is not to this sample: in row 0 its 'x' is "):
            sampling_distribution(fit, sample, fn, nsim=1, fixed_x=fixed_x)

    def test_other_groups(self, sample):
        data = sample.sample_y(rng=1)
        fit = me.lmer(FORMULA, data.assign(g=data["g"].astype(str).to_numpy()[::-1]))
        with pytest.raises(me.DataError, match="in row 0 its 'g' is '10' and the sample's '1'"):
            sampling_distribution(fit, sample, nsim=1)

    def test_changed_predictors_and_a_data_frame(self, sample, fit):
        data = sample.sample_y(rng=1)
        other = me.lmer(FORMULA, data.assign(x=data["x"] - 1))
        with pytest.raises(me.DataError, match="its predictors unchanged"):
            sampling_distribution(other, sample, nsim=1)
        with pytest.raises(me.DataError, match="the fit is not to this sample"):
            sampling_distribution(fit, data.sort_values("x"), nsim=1, population=sample.population)

    def test_rows_that_were_left_out_are_no_difference(self, sample):
        data = sample.sample_y(rng=1)
        data = data.assign(y=data["y"].where(np.arange(60) != 3), g=data["g"].astype(str))
        with pytest.warns(me.DroppedRowsWarning):
            fit = me.lmer(FORMULA, data)
        found = sampling_distribution(fit, sample, lambda one: {"n": one.nobs}, nsim=1, rng=1)
        assert found["n"].tolist() == [59, 60]

    def test_alternatives(self, sample, fit):
        data = sample.sample_y(rng=1)
        null = me.lmer("y ~ 1 + (1 | g)", data)
        with pytest.raises(me.DataError, match="different responses"):
            parametric_boot_distribution(null, me.lmer(FORMULA, data.sort_values("x")), nsim=1)
        same = data.assign(y=np.tile([0.0, 1.0, 3.0, 0.0, 1.0, 3.0], 10))
        shuffled = same.assign(x=same["x"].to_numpy()[::-1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", me.SingularFitWarning)
            one, two = me.lmer(FORMULA, same), me.lmer(FORMULA, shuffled)
        with pytest.raises(me.DataError, match="different values of 'x'"):
            parametric_boot_distribution(one, two, nsim=1)
