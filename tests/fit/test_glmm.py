"""`glmer`: what it accepts, what it says, and what its numbers mean."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats
from support import reference

import mixedeffects as me

HERDS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def herds() -> pd.DataFrame:
    return reference.load_data("cbpp")


@pytest.fixture(scope="module")
def fit(herds) -> me.GlmmResult:
    return me.glmer(HERDS, herds)


def test_counts_proportions_and_rows_are_the_same_model(herds, fit):
    herds = herds.assign(share=herds["incidence"] / herds["size"])
    by_weights = me.glmer("share ~ period + (1 | herd)", herds, weights="size")
    assert by_weights.criterion == pytest.approx(fit.criterion, rel=1e-12)
    rows = herds.loc[herds.index.repeat(herds["size"])].reset_index(drop=True)
    within = rows.groupby(["herd", "period"], observed=True).cumcount()
    rows["ill"] = (within < rows["incidence"]).astype(int)
    single = me.glmer("ill ~ period + (1 | herd)", rows)
    np.testing.assert_allclose(single.fixef, fit.fixef, rtol=1e-5)
    np.testing.assert_allclose(single.std_errors, fit.std_errors, rtol=1e-4)
    rows["word"] = pd.Categorical(np.where(rows["ill"], "yes", "no"), categories=["no", "yes"])
    words = me.glmer("word ~ period + (1 | herd)", rows)
    assert words.criterion == pytest.approx(single.criterion, rel=1e-12)
    booleans = me.glmer("ill ~ period + (1 | herd)", rows.assign(ill=rows["ill"] == 1))
    assert booleans.criterion == pytest.approx(single.criterion, rel=1e-12)


def test_other_libraries(herds, fit):
    other = me.glmer(HERDS, pl.from_pandas(herds))
    assert other.criterion == pytest.approx(fit.criterion, rel=1e-13)
    assert isinstance(other.predict(interval="confidence"), pl.DataFrame)


def test_it_prints_as_lme4_does(fit):
    text = str(fit).splitlines()
    assert text[0] == "Generalized linear mixed model fit by maximum likelihood (Laplace Approximation) ['glmerMod']"
    assert text[1] == " Family: binomial  ( logit )"
    assert "     AIC      BIC   logLik deviance df.resid " in text
    assert "   194.1    204.2    -92.0    184.1       51 " in text
    assert "Intercept    -1.3985     0.2325  -6.016 1.79e-09 ***" in text
    assert not any("Residual" in line for line in text[8:])
    assert "Family: binomial" in fit._repr_html_()


def test_means_and_their_limits(fit):
    link = fit.predict(kind="link", interval="confidence")
    mean = fit.predict(interval="confidence")
    np.testing.assert_allclose(mean["estimate"], fit.fitted, rtol=1e-12)
    expit = 1.0 / (1.0 + np.exp(-link))
    for name in ("estimate", "lower", "upper"):
        np.testing.assert_allclose(mean[name], expit[name], rtol=1e-12)
    slope = expit["estimate"] * (1.0 - expit["estimate"])
    np.testing.assert_allclose(mean["std_error"], slope * link["std_error"], rtol=1e-10)


def test_conditional_variances_are_those_of_the_curvature_at_the_modes(fit):
    design, mu = fit.design, fit.fitted
    Z, Sigma = design.Z.toarray(), fit.varcorr.covariance["herd"].iloc[0, 0]
    W = design.weights * mu * (1.0 - mu)
    dense = 1.0 / (np.diag(Z.T @ (W[:, None] * Z)) + 1.0 / Sigma)
    np.testing.assert_allclose(fit.ranef.condvar["herd"].ravel(), dense, rtol=1e-6)


def test_quantile_residuals_lie_between_the_limits_of_each_count(fit):
    draws = np.array([fit.residuals("quantile", rng=seed) for seed in range(40)])
    trials = fit.design.weights
    counts = np.rint(fit.design.y * trials)
    low, high = (stats.norm.ppf(stats.binom.cdf(counts - shift, trials, fit.fitted)) for shift in (1, 0))
    assert (draws >= low - 1e-9).all()
    assert (draws <= high + 1e-9).all()
    np.testing.assert_array_equal(fit.residuals("quantile", rng=1), fit.residuals("quantile", rng=1))


def test_simulated_responses_have_the_moments_of_the_model():
    frame = reference.load_data("sim_pois")
    fit = me.glmer("y ~ x + z + (1 | g) + offset(logexpo)", frame, family="poisson")
    y = fit.simulate(4000, rng=3)
    variance = fit.varcorr.covariance["g"].iloc[0, 0]
    mean = np.exp(fit.predict(kind="link", random="population") + 0.5 * variance)
    np.testing.assert_allclose(y.mean(axis=1) / mean, 1.0, atol=0.25)
    assert abs((y.mean(axis=1) / mean).mean() - 1.0) < 0.02
    conditional = fit.simulate(4000, rng=3, random="conditional")
    assert abs((conditional.mean(axis=1) / fit.fitted).mean() - 1.0) < 0.01


def test_nested_models_are_compared_by_their_likelihoods(herds, fit):
    small = me.glmer("cbind(incidence, size - incidence) ~ 1 + (1 | herd)", herds)
    table = me.anova(small, fit)
    chisq = small.criterion - fit.criterion
    assert table["chisq"].iloc[1] == pytest.approx(chisq, rel=1e-12)
    assert table["p_value"].iloc[1] == pytest.approx(stats.chi2.sf(chisq, 3), rel=1e-10)


def test_wald_tests_and_intervals(fit):
    table = fit.coef_table()
    np.testing.assert_allclose(table["p_value"], 2 * stats.norm.sf(np.abs(table["statistic"])), rtol=1e-10)
    half = stats.norm.ppf(0.95) * fit.std_errors
    np.testing.assert_allclose(fit.confint("wald", level=0.9)["upper"], fit.fixef + half, rtol=1e-12)
    assert fit.test("period[T.2] - period[T.3] = 0").df == np.inf


@pytest.mark.parametrize(
    ("formula", "options", "says"),
    [
        ("incidence ~ period + (1 | herd)", {}, "the value 2 in row 0"),
        ("share ~ period + (1 | herd)", {}, "must be a whole number of successes"),
        ("share ~ period + (1 | herd)", {"family": "poisson"}, "counts must be whole numbers"),
        ("period ~ 1 + (1 | herd)", {}, "'period' has 4 categories; a binomial response has two"),
        (HERDS, {"weights": "size"}, "tells the numbers of trials; weights= must not be given besides"),
        ("cbind(incidence - 5, size) ~ 1 + (1 | herd)", {}, r"has the counts \[-3.0, 14.0\] in row 0"),
        (HERDS, {"nagq": 2.5}, "nagq=2.5"),
        (HERDS, {"nagq": 101}, "nagq=101: at most 100 nodes"),
        (HERDS, {"family": "gauss"}, "family='gauss' is not known"),
        (HERDS, {"link": "sqrt"}, "link 'sqrt' does not go with Binomial"),
    ],
)
def test_errors_name_what_is_wrong(herds, formula, options, says):
    herds = herds.assign(share=herds["incidence"] / herds["size"])
    with pytest.raises(me.DataError, match=says):
        me.glmer(formula, herds, **options)


def test_separation_is_a_verdict():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"g": np.repeat(np.arange(20), 10), "x": rng.normal(size=200), "w": rng.normal(size=200)})
    frame["y"] = (frame["x"] > 0).astype(int)
    with pytest.warns(me.ConvergenceWarning, match="separation: .*x.*: a combination of these columns predicts"):
        fit = me.glmer("y ~ x + w + (1 | g)", frame)
    assert not fit.optimum.converged
    frame["y"] = (frame["g"] < 10).astype(int)
    with pytest.warns(me.ConvergenceWarning, match="constant within every level of 'g'"):
        me.glmer("y ~ w + (1 | g)", frame)
    frame["y"] = rng.integers(0, 2, 200)
    frame.loc[frame["g"] == 3, "y"] = 1  # one level alone tells nothing wrong
    assert me.glmer("y ~ w + (1 | g)", frame).optimum.converged


def test_a_row_with_its_own_effect_is_allowed(herds):
    herds = herds.assign(obs=np.arange(len(herds)))
    fit = me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd) + (1 | obs)", herds)
    assert fit.ngroups == {"obs": 56, "herd": 15}


def test_fits_travel_as_those_of_lmer_do(fit):
    again = pickle.loads(pickle.dumps(fit))
    assert again.criterion == fit.criterion
    assert str(again) == str(fit)
    np.testing.assert_allclose(again.ranef.condvar["herd"], fit.ranef.condvar["herd"], rtol=1e-12)
    new = {"period": ["1", "4"], "herd": ["3", "3"]}
    pd.testing.assert_frame_equal(again.predict(new, se=True), fit.predict(new, se=True))


def test_quadrature_is_asked_for_by_its_nodes(herds, fit):
    exact = me.glmer(HERDS, herds, nagq=11)
    assert abs(exact.criterion - fit.criterion) > 0.05
    assert "(Adaptive Gauss-Hermite Quadrature, nAGQ = 11)" in str(exact)
    again = pickle.loads(pickle.dumps(exact))
    assert (again.nagq, str(again)) == (11, str(exact))
    with pytest.raises(me.DataError, match=r"one grouping factor; the model has 2 \(herd, period\)"):
        me.glmer("cbind(incidence, size - incidence) ~ 1 + (1 | herd) + (1 | period)", herds, nagq=2)


def test_likelihoods_of_other_kinds_are_not_compared(herds, fit):
    linear = me.lmer("size ~ period + (1 | herd)", herds)
    fast = me.glmer(HERDS, herds, nagq=0)
    for other in (linear, fast):
        with pytest.raises(me.DataError, match="are models of other kinds"):
            me.anova(fit, other)


def test_it_is_frozen(fit):
    with pytest.raises(AttributeError):
        fit.nagq = 0
    with pytest.raises(ValueError, match="read-only"):
        fit.solution.beta[0] = 0.0


def test_v_is_that_of_the_working_response(herds):
    """The generalized least squares estimate of the working model, and its covariance, are those of the fast fit."""
    fast = me.glmer(HERDS, herds, nagq=0)
    X, V = fast.design.X, fast.design.V()
    eta = fast.predict(kind="link")
    mu, trials = fast.fitted, herds["size"].to_numpy()
    W = trials * mu * (1.0 - mu)
    Z = fast.design.Z.toarray()
    np.testing.assert_allclose(V, Z @ fast.design.Sigma().toarray() @ Z.T + np.diag(1.0 / W), rtol=1e-10, atol=1e-12)
    cov = np.linalg.inv(X.T @ np.linalg.solve(V, X))
    np.testing.assert_allclose(cov, fast.vcov, rtol=1e-8)
    working = eta + (herds["incidence"] / trials - mu) * trials / W
    np.testing.assert_allclose(cov @ X.T @ np.linalg.solve(V, working), fast.fixef, rtol=1e-6)


@pytest.mark.parametrize("name", ["start", "fixed_theta"])
@pytest.mark.parametrize(
    ("values", "message"), [([1.0, 2.0], "this model needs 1 values"), ([np.nan], "finite"), ([np.inf], "finite")]
)
def test_a_theta_that_is_no_theta_is_refused_as_by_lmer(herds, name, values, message):
    control = me.Control(**{name: values})
    with pytest.raises(me.DataError, match=message) as refused:
        me.glmer(HERDS, herds, control=control)
    with pytest.raises(me.DataError, match=message) as linear:
        me.lmer("incidence ~ period + (1 | herd)", herds, control=control)
    assert str(refused.value) == str(linear.value)


@pytest.fixture(scope="module")
def ticks() -> pd.DataFrame:
    data = reference.load_data("grouseticks")
    return data.assign(YEAR=data["YEAR"].astype(str), share=(data["TICKS"] + 0.5) / (data["TICKS"].max() + 1.0))


def test_a_dispersion_is_printed_where_lme4_and_glmmtmb_print_it(ticks):
    """lme4's glmer.nb has 3.3032 in its line Family, glmmTMB's nbinom1 has 2.03 below the random effects."""
    as_lme4 = me.Control(information="expected")
    nb2 = me.glmer("TICKS ~ YEAR + (1 | BROOD)", ticks, "negative_binomial", control=as_lme4)
    assert nb2.dispersion == pytest.approx(3.3032, rel=2e-4)  # what glmer.nb's search reaches
    line = f"Family: Negative Binomial({nb2.dispersion:.4f})  ( log )"
    assert f" {line}" in str(nb2).splitlines()
    assert line in nb2._repr_html_()
    nb1 = me.glmer("TICKS ~ YEAR + (1 | BROOD)", ticks, "negative_binomial1")
    lines = str(nb1).splitlines()
    assert " Family: negative_binomial1  ( log )" in lines
    at = lines.index("Dispersion parameter for negative_binomial1 family (): 2.03")
    assert lines[at - 2].startswith("Number of obs: 403")
    assert "family (): 2.03" in nb1._repr_html_()
    share = me.glmer("share ~ YEAR + (1 | BROOD)", ticks, "beta")
    assert f"Dispersion parameter for beta family (): {share.dispersion:.3g}" in str(share)
    assert "ispersion param" not in str(me.glmer("TICKS ~ YEAR + (1 | BROOD)", ticks, "poisson"))


@pytest.mark.parametrize("family", ["negative_binomial", "negative_binomial1", "beta"])
def test_a_dispersion_is_in_tidy_and_glance(ticks, family):
    response = "share" if family == "beta" else "TICKS"
    fit = me.glmer(f"{response} ~ YEAR + (1 | BROOD)", ticks, family)
    table = fit.tidy(conf_int=True, method="profile")
    row = table[table["term"] == "dispersion"].iloc[0]
    assert row["effect"] == "ran_pars"
    assert row["estimate"] == fit.dispersion == fit.glance()["dispersion"][0]
    limits = fit.confint(params="dispersion").loc["dispersion"]
    np.testing.assert_allclose(row[["lower", "upper"]].astype(float), limits[["lower", "upper"]], rtol=1e-6)


def test_a_scale_of_the_variance_is_the_residual_standard_deviation(ticks):
    fit = me.glmer("share ~ YEAR + (1 | BROOD)", ticks, "gamma", link="log")
    table = fit.tidy("ran_pars").set_index("group")
    assert table.loc["Residual", "estimate"] == fit.sigma
    assert "dispersion" not in fit.glance()
    assert "dispersion" not in set(table["term"])


def test_refit_takes_successes_and_failures(herds, fit):
    drawn = fit.simulate(1, rng=1)[:, 0]
    trials = herds["size"].to_numpy()
    two = np.column_stack([drawn * trials, (1.0 - drawn) * trials])
    expected = fit.refit(drawn)
    for y in (two, pd.DataFrame(two)):
        again = fit.refit(y)
        assert again.criterion == pytest.approx(expected.criterion, rel=1e-12)
        np.testing.assert_allclose(again.fixef, expected.fixef, rtol=1e-8)
    doubled = me.glmer(HERDS, herds.assign(incidence=2 * herds["incidence"], size=2 * herds["size"]))
    other = fit.refit(2.0 * np.column_stack([herds["incidence"], trials - herds["incidence"]]))
    assert other.criterion == pytest.approx(doubled.criterion, rel=1e-12)
    np.testing.assert_allclose(other.fitted, doubled.fitted, rtol=1e-8)


def test_two_columns_that_are_no_counts_are_refused(herds, fit):
    two = np.column_stack([herds["incidence"], herds["size"] - herds["incidence"]]).astype(float)
    with pytest.raises(me.DataError, match=r"shape \(55, 2\)"):
        fit.refit(two[1:])
    two[3] = -1.0
    with pytest.raises(me.DataError, match="in row 3 of those used; they must be 0 or more"):
        fit.refit(two)
    share = herds.assign(share=herds["incidence"] / herds["size"])
    by_weights = me.glmer("share ~ period + (1 | herd)", share, weights="size")
    with pytest.raises(me.DataError, match=r"two columns are for fits of cbind"):
        by_weights.refit(np.abs(two))


def test_an_offset_as_values_goes_with_the_dropped_rows():
    frame = reference.load_data("sim_pois")
    frame.loc[[3, 50], "x"] = np.nan
    values = frame["logexpo"].where(frame["x"].notna()).to_numpy()
    with pytest.warns(me.DroppedRowsWarning, match="2 of"):
        by_values = me.glmer("y ~ x + (1 | g)", frame, "poisson", offset=values)
    with pytest.warns(me.DroppedRowsWarning, match="2 of"):
        by_name = me.glmer("y ~ x + (1 | g)", frame, "poisson", offset="logexpo")
    assert by_values.criterion == by_name.criterion
    np.testing.assert_array_equal(by_values.model.offset, by_name.model.offset)
    exposure = frame.assign(expo=np.exp(frame["logexpo"]))
    with pytest.warns(me.DroppedRowsWarning, match="2 of"):
        in_formula = me.glmer("y ~ x + (1 | g) + offset(log(expo))", exposure, "poisson")
    assert in_formula.criterion == pytest.approx(by_name.criterion, rel=1e-12)


@pytest.mark.parametrize(
    ("mean", "sd", "levels", "seed", "expected"),
    [(7.0, 2.5, 5, 1, 1.10468), (7.0, 3.0, 5, 2, 1.6873), (6.0, 2.0, 8, 0, 0.8677)],
)
def test_standard_errors_where_the_data_tell_the_groups_precisely(mean, sd, levels, seed, expected):
    """As by glmmTMB 1.1.5 and nagq=0: in a difference the modes move by many conditional standard deviations."""
    rng = np.random.default_rng(seed)
    g, x = rng.integers(levels, size=400), rng.normal(size=400)
    eta = np.clip(mean + 0.1 * x + sd * rng.normal(size=levels)[g], -5.0, 13.0)
    frame = pd.DataFrame({"x": x, "g": g, "y": rng.poisson(np.exp(eta))})
    fit = me.glmer("y ~ x + (1 | g)", frame, "poisson")
    assert fit.optimum.converged
    assert fit.std_errors["Intercept"] == pytest.approx(expected, rel=1e-4)
    fast = me.glmer("y ~ x + (1 | g)", frame, "poisson", nagq=0)
    np.testing.assert_allclose(fit.std_errors, fast.std_errors, rtol=1e-4)


def test_a_zero_variance_beside_a_small_one_is_on_the_boundary():
    zeros = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({"g": rng.integers(40, size=1200), "h": rng.integers(10, size=1200)})
        frame["y"] = rng.poisson(np.exp(5.0 + 0.015 * rng.normal(size=10)[frame["h"]]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", me.SingularFitWarning)
            fit = me.glmer("y ~ 1 + (1 | g) + (1 | h)", frame, "poisson")
        assert all(theta == 0.0 or theta > 1e-5 for theta in fit.theta)
        assert fit.is_singular == (fit.theta[0] == 0.0)
        zeros += fit.is_singular
    assert zeros == 3
