"""Tests and marginal means of generalized fits: against emmeans, dense formulas, and fits made by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support import reference
from support.reference import load_case, vector

import mixedeffects as me

HERDS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
COLUMNS = {"std_error": "SE", "lower": "asymp.LCL", "upper": "asymp.UCL"}


@pytest.fixture(scope="module")
def herds() -> pd.DataFrame:
    return reference.load_data("cbpp")


@pytest.fixture(scope="module")
def fit(herds) -> me.GlmmResult:
    return me.glmer(HERDS, herds)


@pytest.fixture(scope="module")
def epil() -> me.GlmmResult:
    return me.glmer("y ~ trt + lbase + (1 | subject)", reference.load_data("epil"), "poisson")


def check(table, wanted, estimate):
    errors = vector(wanted["SE"])
    for ours, theirs in {"estimate": estimate, **COLUMNS}.items():
        np.testing.assert_allclose(table[ours] / errors, vector(wanted[theirs]) / errors, rtol=0, atol=2e-4)
    assert np.isinf(table["df"]).all()


@pytest.mark.parametrize(("case_id", "response"), [("emm_cbpp", "prob"), ("emm_epil", "rate")])
def test_means_and_differences_are_those_of_emmeans(case_id, response, fit, epil):
    fitted = fit if case_id == "emm_cbpp" else epil
    for wanted in load_case(case_id, "emmeans")["results"]:
        check(fitted.emmeans(wanted["specs"]), wanted["emmeans"]["columns"], "emmean")
        means = fitted.emmeans(wanted["specs"], scale="response")
        check(means, wanted["response"]["columns"], response)
        for adjust in ("tukey", "none"):
            table = fitted.emmeans(wanted["specs"]).contrasts("pairwise", adjust=adjust)
            expected = wanted[f"pairs_{adjust}"]["columns"]
            assert list(table["contrast"]) == expected["contrast"]
            check(table, expected, "estimate")
            np.testing.assert_allclose(table["p_value"], vector(expected["p.value"]), rtol=0, atol=1e-5)
            ratios = means.contrasts("pairwise", adjust=adjust)
            assert list(ratios["contrast"]) == [name.replace(" - ", " / ") for name in expected["contrast"]]
            for name in ("estimate", "lower", "upper"):
                np.testing.assert_allclose(ratios[name], np.exp(table[name]), rtol=1e-12)
            np.testing.assert_allclose(ratios["std_error"], np.exp(table["estimate"]) * table["std_error"], rtol=1e-12)
            np.testing.assert_allclose(ratios["p_value"], table["p_value"], rtol=1e-12)


def test_notes_say_on_which_scale(fit, herds):
    means = fit.emmeans("period", scale="response")
    assert "means through the inverse of the link logit, averages taken before" in means.to_frame().notes
    assert "odds ratios; tests are on the scale of the link, logit" in means.contrasts().notes
    single = means.contrasts({"first": [1, 0, 0, 0]})
    assert "contrasts are on the scale of the link, logit" in single.notes
    assert single["estimate"][0] == pytest.approx(fit.fixef["Intercept"], rel=1e-12)
    probit = me.glmer(HERDS, herds, link="probit").emmeans("period", scale="response")
    assert probit.contrasts()["contrast"][0] == "period1 - period2"
    assert "contrasts are on the scale of the link, probit" in probit.contrasts().notes
    with pytest.raises(me.DataError, match="scale='mean' is not known"):
        fit.emmeans("period", scale="mean")


def test_limits_of_a_falling_link_change_places():
    data = reference.load_data("sim_gamma")
    name = next(c for c in data.columns if c not in ("y", "g"))
    fit = me.glmer(f"y ~ {name} + (1 | g)", data, "gamma", link="inverse")
    means, link = fit.emmeans(name, scale="response"), fit.emmeans(name)
    assert means["lower"][0] < means["estimate"][0] < means["upper"][0]
    np.testing.assert_allclose(means["lower"], 1.0 / link["upper"], rtol=1e-12)
    np.testing.assert_allclose(means["std_error"], link["std_error"] / link["estimate"] ** 2, rtol=1e-12)


@pytest.mark.parametrize("type", [1, 2, 3])
def test_wald_tests_of_terms(fit, type):
    table = fit.anova(type)
    beta, V = fit.fixef.to_numpy()[1:], fit.vcov.to_numpy()[1:, 1:]
    assert list(table["term"]) == ["period"]
    assert table["statistic"][0] == pytest.approx(beta @ np.linalg.solve(V, beta), rel=1e-10)
    assert table["df"][0] == 3
    assert table["p_value"][0] == pytest.approx(stats.chi2.sf(table["statistic"][0], 3), rel=1e-10)


@pytest.mark.parametrize("nagq", [0, 1, 5])
def test_deletions_are_fits_without_the_term(herds, nagq):
    whole = me.glmer(HERDS, herds, nagq=nagq)
    small = me.glmer("cbind(incidence, size - incidence) ~ 1 + (1 | herd)", herds, nagq=nagq)
    table = whole.drop1()
    assert list(table["term"]) == ["<none>", "period"]
    assert list(table["npar"]) == [5, 2]
    np.testing.assert_allclose(table["loglik"], [whole.loglik, small.loglik], rtol=1e-10)
    assert table["lrt"][1] == pytest.approx(small.criterion - whole.criterion, rel=1e-8)
    assert table["p_value"][1] == pytest.approx(stats.chi2.sf(table["lrt"][1], 3), rel=1e-8)
    compared = me.anova(small, whole)
    assert compared["chisq"][1] == pytest.approx(table["lrt"][1], rel=1e-8)


def test_a_term_within_another_stays(herds):
    herds = herds.assign(big=(herds["size"] > 10).astype(float))
    table = me.glmer("cbind(incidence, size - incidence) ~ period * big + (1 | herd)", herds).drop1()
    assert list(table["term"]) == ["<none>", "period:big"]


@pytest.mark.parametrize("nagq", [0, 1, 5])
def test_refit_is_a_fit_to_the_other_response(herds, nagq):
    fit = me.glmer(HERDS, herds, nagq=nagq)
    y = fit.simulate(2, rng=4)[:, 1]
    again = fit.refit(pd.Series(y))
    counts = herds.assign(incidence=np.round(y * herds["size"]))
    by_hand = me.glmer(HERDS, counts, nagq=nagq)
    assert again.criterion == pytest.approx(by_hand.criterion, rel=1e-10)
    np.testing.assert_allclose(again.fixef, by_hand.fixef, rtol=1e-7)
    assert fit.refit(fit.model.y).criterion == pytest.approx(fit.criterion, rel=1e-12)


def test_refit_keeps_the_offset_and_checks_the_response(epil):
    data = reference.load_data("epil").assign(weeks=2.0)
    data["log_weeks"] = np.log(data["weeks"] + data["period"].astype(float) % 2)
    fit = me.glmer("y ~ trt + (1 | subject)", data, "poisson", offset="log_weeks")
    assert fit.refit(data["y"]).criterion == pytest.approx(fit.criterion, rel=1e-12)
    with pytest.raises(me.DataError, match=r"counts must be whole numbers"):
        fit.refit(data["y"] + 0.5)
    with pytest.raises(me.DataError, match="y has 3 values"):
        fit.refit([1, 2, 3])


def test_a_dropped_column_stays_dropped(herds):
    herds = herds.assign(twice=2.0 * (herds["period"] == "2"))
    with pytest.warns(me.RankDeficiencyWarning):
        fit = me.glmer("cbind(incidence, size - incidence) ~ period + twice + (1 | herd)", herds)
    assert fit.refit(fit.simulate(1, rng=0)[:, 0]).model.kept.sum() == 4
    assert np.isfinite(fit.emmeans("period")["estimate"]).sum() < 4


def test_bootstrap_draws_and_refits(fit, herds):
    found = fit.bootstrap(40, rng=3, workers=1)
    assert (found.n_done, found.n_failed) == (40, 0)
    assert found.names == ("sd_Intercept|herd", "Intercept", "period[T.2]", "period[T.3]", "period[T.4]")
    np.testing.assert_allclose(found.estimate[1:], fit.fixef, rtol=1e-12)
    np.testing.assert_array_equal(found.values, fit.bootstrap(40, rng=3, workers=2).values)
    seed = np.random.SeedSequence(3).spawn(1)[0]
    for y, values in zip(fit.simulate(40, rng=seed).T[:3], found.values, strict=False):
        again = me.glmer(HERDS, herds.assign(incidence=np.round(y * herds["size"])))
        np.testing.assert_allclose(values[1:], again.fixef, rtol=0, atol=1e-5)
        np.testing.assert_allclose(values[0], np.sqrt(again.varcorr.covariance["herd"].iloc[0, 0]), rtol=0, atol=1e-5)


def test_bootstrap_of_a_statistic_and_its_intervals(fit):
    by_statistic = fit.bootstrap(30, rng=3, statistic=lambda again: {"second": again.fixef["period[T.2]"]})
    every = fit.bootstrap(30, rng=3)
    np.testing.assert_array_equal(by_statistic.values[:, 0], every.values[:, 2])
    limits = fit.confint("bootstrap", n=30, rng=3, level=0.8, params="beta_")
    np.testing.assert_allclose(limits["lower"], np.quantile(every.values[:, 1:], 0.1, axis=0, method="weibull"))
    assert np.isfinite(fit.confint("bootstrap", n=30, rng=3, kind="bca")).all().all()
    with pytest.raises(me.DataError, match="'n' is an option of the bootstrap only"):
        fit.confint(n=3)


@pytest.mark.parametrize(
    ("family", "name"), [("negative_binomial", "dispersion"), ("gaussian", "sigma"), ("poisson", None)]
)
def test_the_dispersion_is_a_parameter(family, name):
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(12), 10)
    data = pd.DataFrame({"g": g, "y": rng.negative_binomial(2, 0.3, 120) + rng.poisson(np.exp(rng.normal(size=12)))[g]})
    fit = me.glmer("y ~ 1 + (1 | g)", data, family)
    found = fit.bootstrap(5, rng=1)
    assert found.names == ("sd_Intercept|g", *([name] if name else []), "Intercept")
    if name:
        assert found.estimate[1] == (fit.sigma if name == "sigma" else fit.dispersion)
        assert len(np.unique(found.values[:, 1])) == 5


def test_responses_without_a_fit_are_counted():
    data = pd.DataFrame({"g": np.repeat(np.arange(4), 3), "y": [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]})
    with pytest.warns(me.SingularFitWarning):
        fit = me.glmer("y ~ 1 + (1 | g)", data)
    found = fit.bootstrap(60, rng=2)
    y = fit.simulate(60, rng=np.random.SeedSequence(2).spawn(1)[0])
    constant = int(((y == 0).all(axis=0) | (y == 1).all(axis=0)).sum())
    assert constant > 0
    assert found.n_failed >= constant
    assert f"{found.n_failed} of 60 refits did not converge" in found.message


@pytest.mark.parametrize("nagq", [0, 1, 9])
def test_ranova_of_a_single_intercept_is_against_a_generalized_linear_model(herds, nagq):
    table = me.glmer(HERDS, herds, nagq=nagq).ranova()
    X = pd.get_dummies(herds["period"], drop_first=True).to_numpy(float)
    X = np.column_stack([np.ones(len(X)), X])
    y, n, beta = herds["incidence"].to_numpy(float), herds["size"].to_numpy(float), np.zeros(4)
    for _ in range(30):  # iteratively reweighted least squares
        mu = 1.0 / (1.0 + np.exp(-X @ beta))
        W = n * mu * (1.0 - mu)
        beta += np.linalg.solve((X.T * W) @ X, X.T @ (y - n * mu))
    assert table["loglik"][1] == pytest.approx(stats.binom.logpmf(y, n, mu).sum(), rel=1e-10)
    assert list(table["npar"]) == [5, 4]
    assert table["p_mixture"][1] == pytest.approx(0.5 * stats.chi2.sf(table["lrt"][1], 1), rel=1e-8)


def test_ranova_without_groups_has_its_own_dispersion():
    rng = np.random.default_rng(7)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 15), "x": rng.normal(size=300)})
    mu = np.exp(1.0 + 0.3 * data["x"] + 0.6 * rng.normal(size=20)[data["g"]])
    data["y"] = rng.gamma(2.0, mu / 2.0)
    fit = me.glmer("y ~ x + (1 | g)", data, "gaussian", link="identity")
    linear = me.lmer("y ~ x + (1 | g)", data, reml=False)
    np.testing.assert_allclose(fit.ranova()["loglik"], linear.ranova()["loglik"], rtol=1e-9)
    table = me.glmer("y ~ x + (1 + x | g)", data, "gamma", link="log").ranova()
    small = me.glmer("y ~ x + (1 | g)", data, "gamma", link="log")
    assert list(table["term"]) == ["<none>", "x in (x | g)"]
    assert table["loglik"][1] == pytest.approx(small.loglik, rel=1e-9)
    assert list(table["npar"]) == [6, 4]


def test_tidy_tables(fit):
    table = fit.tidy(conf_int=True)
    fixed = table[table["effect"] == "fixed"]
    tests = fit.coef_table()
    for name in ("estimate", "std_error", "statistic", "p_value"):
        np.testing.assert_allclose(fixed[name].astype(float), tests[name], rtol=1e-12)
    assert list(fixed["term"]) == list(tests["term"])
    np.testing.assert_allclose(fixed["lower"].astype(float), fit.confint("wald")["lower"], rtol=1e-12)
    sd = table[table["effect"] == "ran_pars"]
    assert list(sd["term"]) == ["sd__Intercept"]
    assert sd["estimate"].iloc[0] == pytest.approx(np.sqrt(fit.varcorr.covariance["herd"].iloc[0, 0]), rel=1e-12)
    modes = fit.tidy("ran_vals")
    np.testing.assert_allclose(modes["estimate"], fit.ranef["herd"]["Intercept"], rtol=1e-12)
    row = fit.glance().iloc[0]
    assert (row["nobs"], row["df_resid"], row["sigma"]) == (56, 51, 1.0)
    assert row["deviance"] == fit.criterion


@pytest.fixture(scope="module")
def flat() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 8), "x": rng.normal(size=160)})
    return data.assign(y=np.random.default_rng(0).poisson(np.exp(0.3 + 0.5 * data["x"])))


@pytest.fixture(scope="module")
def singular(flat) -> me.GlmmResult:
    with pytest.warns(me.SingularFitWarning):
        return me.glmer("y ~ x + (x || g)", flat, "poisson")


def test_replicates_of_a_singular_fit_leave_the_boundary(singular):
    assert singular.theta[0] == 0.0
    found = singular.bootstrap(60, rng=1)
    assert found.n_failed == 0
    positive = found.values[:, 0] > 0.0
    assert 0 < positive.sum() < 60
    responses = singular.simulate(60, rng=np.random.SeedSequence(1).spawn(1)[0]).T
    j = int(np.argmax(found.values[:, 0]))
    afresh = singular.refit(responses[j])  # from the default start
    assert np.sqrt(afresh.varcorr.covariance["g"].iloc[0, 0]) == pytest.approx(found.values[j, 0], rel=1e-5)


def test_a_start_on_the_boundary_is_left(singular, flat):
    y = singular.simulate(40, rng=8).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        afresh = max((singular.refit(one) for one in y), key=lambda fit: fit.theta[0])
        again = me.glmer("y ~ x + (x || g)", flat.assign(y=afresh.model.y), "poisson", start=[0.0, 0.0])
    assert again.criterion == pytest.approx(afresh.criterion, rel=1e-10)
    assert again.theta[0] > 0.01


def test_draws_that_the_family_does_not_have():
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(20), 8)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=160)})
    data["share"] = np.clip(rng.beta(0.2, 0.2, 160), 1e-6, 1.0 - 1e-6)
    eta = np.clip(1.0 + 0.5 * data["x"] + 0.35 * rng.normal(size=20)[g], 0.15, None)
    data["y"] = rng.gamma(2.0, 1.0 / eta / 2.0)
    with pytest.warns(me.SingularFitWarning):
        shares = me.glmer("share ~ x + (1 | g)", data, "beta")
    found = shares.bootstrap(100, rng=1)  # some draws round to 1
    assert found.n_done == 100
    assert 0 < found.n_failed < 50
    inverse = me.glmer("y ~ x + (1 | g)", data, "gamma", link="inverse")
    with pytest.raises(me.DataError, match="the link 'inverse' does not take to a mean of gamma"):
        inverse.simulate(100, rng=1)
    assert inverse.bootstrap(20, rng=1).n_failed > 0


def test_weights_that_add_up_to_zero_but_for_rounding_give_ratios(fit):
    thirds = {"first": [1, -1 / 3, -1 / 3, -1 / 3], "pair": [1, -1, 0, 0]}
    ratios = fit.emmeans("period", scale="response").contrasts(thirds)
    np.testing.assert_allclose(ratios["estimate"], np.exp(fit.emmeans("period").contrasts(thirds)["estimate"]))


def test_bca_names_the_level_without_which_nothing_can_be_told(flat):
    data = flat.assign(own=(flat["g"] == 0).astype(float))
    with pytest.warns(me.SingularFitWarning):
        fit = me.glmer("y ~ own + (1 | g)", data, "poisson")
    with pytest.raises(me.DataError, match="without '0' not all coefficients can be estimated"):
        fit.confint("bootstrap", n=5, rng=1, kind="bca")


def test_workers_are_threads(fit):
    with pytest.raises(me.DataError, match="workers=0: give the number of threads"):
        fit.bootstrap(5, workers=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda fit, **ddf: fit.coef_table(**ddf),
        lambda fit, **ddf: fit.anova(**ddf),
        lambda fit, **ddf: fit.emmeans("period", **ddf).to_frame(),
    ],
)
def test_degrees_of_freedom_are_infinite_or_refused(fit, call):
    pd.testing.assert_frame_equal(call(fit, ddf="normal"), call(fit))
    with pytest.raises(me.DataError, match=r"ddf='kenward-roger' is not available .*choose 'normal'"):
        call(fit, ddf="kenward-roger")


def test_tests_of_other_kinds_are_refused(fit):
    L = [0.0, 1.0, 0.0, 0.0]
    assert fit.test(L, ddf="normal") == fit.test(L)
    with pytest.raises(me.DataError, match="ddf='satterthwaite' is not available"):
        fit.test(L, ddf="satterthwaite")
    pd.testing.assert_frame_equal(fit.drop1(test="lrt"), fit.drop1())
    with pytest.raises(me.DataError, match=r"test='satterthwaite' is not available .*choose 'lrt'"):
        fit.drop1(test="satterthwaite")
