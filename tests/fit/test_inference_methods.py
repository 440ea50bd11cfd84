"""The inference methods of a fit, as a user calls them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedeffects as me

SLEEP = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def fit():
    return me.lmer(SLEEP, me.datasets.load("sleepstudy"))


def test_coefficients_with_degrees_of_freedom(fit):
    table = fit.coef_table()
    assert list(table.columns) == ["term", "estimate", "std_error", "df", "statistic", "p_value"]
    np.testing.assert_allclose(table["df"], 17.0, rtol=1e-6)
    np.testing.assert_allclose(fit.coef_table(ddf="residual")["df"], 178.0)
    assert np.isinf(fit.coef_table(ddf="normal")["df"]).all()


def test_tests_of_hypotheses(fit):
    one = fit.test("Days = 10")
    assert one.estimate == pytest.approx(10.467286)
    assert one.statistic == pytest.approx((one.estimate - 10) / one.std_error)
    both = fit.test(np.eye(2), ddf="kenward-roger")
    assert (both.df_num, both.df_den) == pytest.approx((2.0, 16.0))  # pbkrtest: 18 subjects, two coefficients


def test_tables_of_terms(fit):
    table = fit.anova()
    assert list(table["term"]) == ["Days"]
    assert float(table["statistic"].iloc[0]) == pytest.approx(6.771485**2, rel=1e-5)
    assert list(fit.drop1()["term"]) == ["Days"]
    assert float(fit.drop1("lrt")["p_value"].iloc[-1]) == pytest.approx(1.226e-06, rel=1e-3)  # lme4's drop1
    assert {"npar", "loglik", "aic", "lrt", "df", "p_chisq", "p_mixture"} <= set(fit.ranova().columns)


def test_profile_limits_are_those_of_the_chapter(fit):
    limits = fit.confint()
    assert list(limits.columns) == ["lower", "upper"]
    expected = {
        "sd_Intercept|Subject": (14.381, 37.716),
        "cor_Days.Intercept|Subject": (-0.4815, 0.6850),
        "sd_Days|Subject": (3.801, 8.753),
        "sigma": (22.898, 28.858),
        "Intercept": (237.681, 265.130),
        "Days": (7.359, 13.576),
    }
    assert list(limits.index) == list(expected)
    np.testing.assert_allclose(limits.to_numpy(), list(expected.values()), atol=6e-4)


def test_limits_print_as_r_prints_them():
    data = me.datasets.load("Dyestuff")
    text = repr(me.lmer("Yield ~ 1 + (1 | Batch)", data, reml=False).confint())
    assert text.splitlines()[0].split() == ["2.5", "%", "97.5", "%"]
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["sd_Intercept|Batch", "sigma", "Intercept"]


def test_a_reml_fit_says_that_its_profile_is_by_maximum_likelihood(fit):
    assert "maximum likelihood" in repr(fit.confint(params="sigma")).splitlines()[-1]
    assert len(fit.profile(params="sigma").to_frame()) > 10


def test_bootstrap_agrees_with_the_standard_errors(fit):
    draws = fit.bootstrap(4000, rng=1)
    table = draws.replicates
    assert len(table) == 4000 - draws.n_failed
    np.testing.assert_allclose(table[["Intercept", "Days"]].std(), fit.std_errors, rtol=0.06)  # 4.5 standard errors
    limits = draws.confint()
    assert (limits["lower"] < limits["upper"]).all()
    again = fit.bootstrap(300, rng=1, workers=1)
    np.testing.assert_array_equal(again.values, draws.values[: len(again.values)])


@pytest.mark.parametrize("kind", ["percentile", "basic", "normal", "bca"])
def test_bootstrap_intervals(fit, kind):
    limits = fit.confint(method="bootstrap", n=500, rng=2, kind=kind, params="beta_")
    assert list(limits.index) == ["Intercept", "Days"]
    assert limits.loc["Days", "lower"] < 10.467 < limits.loc["Days", "upper"]


def test_bootstrap_resumes_to_the_same_result(fit, tmp_path):
    path = tmp_path / "replicates.npz"
    fit.bootstrap(300, rng=3, path=path)
    resumed = fit.bootstrap(700, rng=4, path=path)
    np.testing.assert_array_equal(resumed.values, fit.bootstrap(700, rng=3).values)
    other = me.lmer("Reaction ~ Days + (1 | Subject)", me.datasets.load("sleepstudy"))
    with pytest.raises(me.DataError, match="another fit"):
        other.bootstrap(10, path=path)


def test_bootstrap_over_rows_agrees_with_that_over_products(fit, monkeypatch):
    from mixedeffects.inference import bootstrap

    products = fit.bootstrap(3000, rng=5).values
    monkeypatch.setattr(bootstrap, "_SMALL", 0)
    rows = fit.bootstrap(3000, rng=6).values
    error = np.sqrt((products.var(axis=0) + rows.var(axis=0)) / 3000)
    assert (np.abs(products.mean(axis=0) - rows.mean(axis=0)) < 4.5 * error).all()
    np.testing.assert_allclose(products.std(axis=0), rows.std(axis=0), rtol=0.08)


def test_bootstrap_of_a_statistic(fit):
    draws = fit.bootstrap(40, rng=7, statistic=lambda refitted: {"ratio": refitted.sigma / 25.6})
    assert draws.names == ("ratio",)
    assert 0.9 < draws.values.mean() < 1.1


def test_marginal_means():
    fit = me.lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", me.datasets.load("cake"))
    means = fit.emmeans("recipe", ddf="kenward-roger")
    assert float(means["estimate"].iloc[0]) == pytest.approx(33.12, abs=0.005)
    assert float(means["std_error"].iloc[0]) == pytest.approx(1.737, abs=0.001)
    assert float(means["df"].iloc[0]) == pytest.approx(42.0, rel=1e-6)
    assert len(means.contrasts("pairwise", adjust="tukey")) == 3
    assert float(means.contrasts({"A less B": [1, -1, 0]})["estimate"].iloc[0]) == pytest.approx(1.4778, abs=1e-4)


def test_comparisons(fit):
    smaller = me.lmer("Reaction ~ Days + (1 | Subject)", me.datasets.load("sleepstudy"))
    table = me.anova(smaller, fit)
    assert float(table["chisq"].iloc[1]) == pytest.approx(42.1393, abs=1e-3)  # lme4's anova
    assert "maximum likelihood" in repr(table)
    assert me.exact_rlrt(smaller, n=2000, rng=1).statistic == pytest.approx(107.1986, abs=1e-3)
    assert me.bootstrap_lrt(smaller, fit, n=50, rng=1).p_value == pytest.approx(1 / 51)


def test_covariances(fit):
    assert isinstance(fit.vcov_kr(), pd.DataFrame)
    assert fit.vcov_robust().vcov.shape == (2, 2)
    with pytest.raises(me.MixedEffectsError, match="REML"):
        fit.update(reml=False).vcov_kr()


def test_shares_of_variance(fit):
    assert set(fit.r2()) == {"marginal", "conditional"}
    assert 0.0 < fit.icc().unadjusted < fit.icc().adjusted < 1.0


def test_bootstrap_interval_of_the_intraclass_correlation(fit):
    limits = fit.bootstrap(200, statistic=lambda f: f.icc().adjusted, rng=1).confint()
    assert limits.shape == (1, 2)
    lower, upper = limits.to_numpy()[0]
    assert 0.4 < lower < fit.icc().adjusted < upper < 0.9


def test_tables_come_in_the_library_of_the_data():
    fit = me.lmer(SLEEP, me.datasets.load("sleepstudy", as_="polars"))
    assert isinstance(fit.coef_table(), pl.DataFrame)
    assert isinstance(fit.anova(), pl.DataFrame)
    assert isinstance(fit.bootstrap(20, rng=1).replicates, pl.DataFrame)


def test_what_is_not_known_is_refused(fit):
    with pytest.raises(me.DataError, match="ddf='welch'"):
        fit.coef_table(ddf="welch")
    with pytest.raises(me.DataError, match="method='likelihood'"):
        fit.confint(method="likelihood")
    with pytest.raises(me.DataError, match="bootstrap only"):
        fit.confint(n=10)
