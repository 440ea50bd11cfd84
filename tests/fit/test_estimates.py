"""Estimates on a fit: their types, names and shapes, and what ties them to one another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support import reference
from support.fits import quiet_fit


def test_fixed_effects_are_named_series(sleep):
    for series in (sleep.fixef, sleep.std_errors):
        assert isinstance(series, pd.Series)
        assert series.index.tolist() == ["Intercept", "Days"]
        assert series.dtype == np.float64
    assert sleep.fixef["Days"] == pytest.approx(10.4672859596, rel=1e-9)
    assert sleep.std_errors["Days"] == pytest.approx(1.5457889, rel=1e-6)


def test_vcov_belongs_to_the_standard_errors(sleep):
    vcov = sleep.vcov
    assert isinstance(vcov, pd.DataFrame)
    assert vcov.index.tolist() == vcov.columns.tolist() == ["Intercept", "Days"]
    np.testing.assert_allclose(np.sqrt(np.diag(vcov)), sleep.std_errors, rtol=1e-14)
    np.testing.assert_allclose(vcov, vcov.T, rtol=0, atol=0)


def test_dropped_coefficients_are_nan_and_not_in_vcov(deficient):
    assert deficient.fixef.index.tolist() == ["Intercept", "Machine[T.B]", "Machine[T.C]", "number"]
    assert deficient.fixef.isna().tolist() == [False, False, False, True]
    assert deficient.std_errors.isna().tolist() == [False, False, False, True]
    assert deficient.vcov.shape == (3, 3)
    assert "number" not in deficient.vcov.columns


def test_a_model_without_fixed_effects_has_none():
    fit = quiet_fit("Reaction ~ 0 + (1 | Subject)", "sleepstudy")
    assert fit.fixef.shape == fit.std_errors.shape == (0,)
    assert fit.vcov.shape == (0, 0)
    assert fit.npar == 2
    np.testing.assert_allclose(fit.coef["Subject"], fit.ranef["Subject"], rtol=0)
    assert "Fixed effects" not in str(fit)
    assert fit.criterion == pytest.approx(quiet_fit("Reaction ~ 0 + (1 | Subject)", "sleepstudy", reml=False).criterion)


def test_theta_is_canonical(sleep, crossed, independent):
    np.testing.assert_allclose(sleep.theta, [0.96673295, 0.01516905, 0.23090959], rtol=1e-6)
    assert independent.theta.shape == (3,)
    # subj has 20 levels, item 16: subj's six values first.
    assert crossed.theta.shape == (9,)
    item = crossed.theta[6:]
    assert item[0] > 0.0
    assert item[2] == 0.0, "the correlation is +1: the last pivot is exactly zero"


def test_theta_does_not_depend_on_the_sign_of_the_start(sleep):
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy", start=(-1.0, 0.3, -0.4))
    np.testing.assert_allclose(fit.theta, sleep.theta, rtol=1e-6)


def test_terms_are_ordered_by_decreasing_levels_and_ties_as_written():
    fit = quiet_fit("diameter ~ 1 + (1 | sample) + (1 | plate)", "Penicillin")
    assert [term.key for term in fit.design.terms] == ["plate", "sample"]
    frame = reference.load_data("sleepstudy")
    assert frame["Subject"].nunique() == 18
    tied = quiet_fit("Reaction ~ Days + (0 + Days | Subject) + (1 | Subject)", "sleepstudy")
    assert [term.names for term in tied.design.terms] == [("Days",), ("Intercept",)]


def test_sigma_and_dispersion(sleep):
    assert isinstance(sleep.sigma, float)
    assert sleep.sigma == pytest.approx(25.5918156, rel=1e-7)
    assert sleep.dispersion == sleep.sigma**2


def test_scalars(sleep):
    assert sleep.criterion == pytest.approx(1743.6282719585, rel=1e-11)
    assert sleep.loglik == -0.5 * sleep.criterion
    assert sleep.aic == pytest.approx(sleep.criterion + 2 * sleep.npar)
    assert sleep.bic == pytest.approx(sleep.criterion + np.log(180) * sleep.npar)
    assert (sleep.nobs, sleep.npar, sleep.df_resid) == (180, 6, 174)
    assert sleep.ngroups == {"Subject": 18}
    assert sleep.formula == "Reaction ~ Days + (Days | Subject)"
    assert sleep.reml is True
    assert sleep.family == "gaussian"
    assert sleep.is_singular is False


def test_npar_leaves_out_what_was_given_or_dropped(sleep, deficient):
    assert deficient.npar == 5  # three coefficients, theta, sigma
    import mixedeffects as me

    fixed = me.lmer(
        sleep.formula, reference.load_data("sleepstudy"), control=me.Control(fixed_theta=tuple(sleep.theta))
    )
    assert fixed.npar == 3


# ---- variances -------------------------------------------------------------------------------------------------------


def test_covariances_are_keyed_as_lme4_names_terms(sleep, independent):
    matrix = sleep.varcorr.covariance["Subject"]
    assert isinstance(matrix, pd.DataFrame)
    assert matrix.index.tolist() == matrix.columns.tolist() == ["Intercept", "Days"]
    assert list(independent.varcorr.covariance) == ["Worker", "Worker.1", "Worker.2"]
    assert independent.varcorr.covariance["Worker.1"].index.tolist() == ["Machine[T.B]"]


def test_covariance_is_sigma_squared_times_lambda_lambda(sleep):
    a, b, c = sleep.theta
    factor = np.array([[a, 0.0], [b, c]])
    expected = sleep.sigma**2 * factor @ factor.T
    np.testing.assert_allclose(sleep.varcorr.covariance["Subject"], expected, rtol=1e-13)


def test_tidy_variances(sleep):
    frame = sleep.varcorr.to_frame()
    assert frame.columns.tolist() == ["group", "term", "term2", "variance", "sd", "corr"]
    assert frame["group"].tolist() == ["Subject", "Subject", "Subject", "Residual"]
    assert frame["term2"].isna().tolist() == [True, True, False, True]
    assert frame.loc[2, ["term", "term2"]].tolist() == ["Intercept", "Days"]
    assert frame.loc[2, "corr"] == pytest.approx(0.0655513, abs=1e-6)
    np.testing.assert_allclose(frame["sd"] ** 2, frame["variance"], rtol=1e-14)
    assert frame.loc[3, "sd"] == sleep.sigma


# ---- random effects --------------------------------------------------------------------------------------------------


def test_conditional_modes_by_level_and_term(sleep, independent):
    modes = sleep.ranef["Subject"]
    assert isinstance(modes, pd.DataFrame)
    assert modes.shape == (18, 2)
    assert modes.columns.tolist() == ["Intercept", "Days"]
    assert modes.index.tolist()[:2] == ["308", "309"], "levels are text"
    assert independent.ranef["Worker"].columns.tolist() == ["Intercept", "Machine[T.B]", "Machine[T.C]"]
    assert list(independent.ranef) == ["Worker"], "terms of one factor stand side by side"


def test_levels_are_text_whatever_the_column_holds():
    fit = quiet_fit("y ~ 1 + (1 | dept)", "InstEval")
    assert all(type(level) is str for level in fit.ranef["dept"].index)


def test_conditional_variances(sleep):
    variances = sleep.ranef.condvar["Subject"]
    assert variances.shape == (18, 2, 2)
    np.testing.assert_allclose(variances, variances.transpose(0, 2, 1), rtol=1e-12)
    # Given beta: sigma^2 (Z_j'Z_j + (Lambda Lambda')^-1)^-1, the same for every subject of a balanced design.
    Z = np.column_stack([np.ones(10), np.arange(10.0)])
    S = sleep.varcorr.covariance["Subject"].to_numpy()
    expected = np.linalg.inv(Z.T @ Z / sleep.sigma**2 + np.linalg.inv(S))
    np.testing.assert_allclose(variances, np.broadcast_to(expected, (18, 2, 2)), rtol=1e-10)


def test_conditional_variances_are_filled_across_terms(independent):
    variances = independent.ranef.condvar["Worker"]
    Z = independent.design.Z.toarray()
    precision = Z.T @ Z / independent.sigma**2 + np.linalg.inv(independent.design.Sigma().toarray())
    joint = np.linalg.inv(precision)
    # Z's columns: all workers of the first term, of the second, of the third.
    for level in range(6):
        at = [level, 6 + level, 12 + level]
        np.testing.assert_allclose(variances[level], joint[np.ix_(at, at)], rtol=1e-9)


def test_conditional_variances_of_a_singular_term_are_finite(crossed):
    variances = crossed.ranef.condvar["item"]
    assert np.isfinite(variances).all()
    determinant = np.linalg.det(variances)
    scale = variances[:, 0, 0] * variances[:, 1, 1]
    np.testing.assert_allclose(determinant / scale, 0.0, atol=1e-9)


def test_tidy_random_effects(crossed):
    frame = crossed.ranef.to_frame()
    assert frame.columns.tolist() == ["group", "level", "term", "estimate", "std_error"]
    assert len(frame) == 20 * 3 + 16 * 2
    row = frame[(frame["group"] == "item") & (frame["level"] == "i02") & (frame["term"] == "B")].iloc[0]
    assert row["estimate"] == crossed.ranef["item"].loc["i02", "B"]
    assert row["std_error"] == pytest.approx(np.sqrt(crossed.ranef.condvar["item"][1, 1, 1]))


def test_coefficients_per_level_are_fixed_plus_random(sleep, crossed):
    expected = sleep.ranef["Subject"] + sleep.fixef
    pd.testing.assert_frame_equal(sleep.coef["Subject"], expected[["Intercept", "Days"]])
    item = crossed.coef["item"]
    assert item.columns.tolist() == ["Intercept", "a", "B", "a:B"]
    assert (item["a"] == crossed.fixef["a"]).all()
    np.testing.assert_allclose(item["B"], crossed.fixef["B"] + crossed.ranef["item"]["B"], rtol=1e-14)


def test_random_effects_without_a_fixed_one_have_mean_zero():
    fit = quiet_fit("Reaction ~ 1 + (Days | Subject)", "sleepstudy")
    coef = fit.coef["Subject"]
    assert coef.columns.tolist() == ["Intercept", "Days"]
    np.testing.assert_allclose(coef["Days"], fit.ranef["Subject"]["Days"], rtol=0)


def test_the_names_of_nested_factors_are_lme4s():
    fit = quiet_fit("strength ~ 1 + (1 | batch / cask)", "Pastes")
    assert fit.ngroups == {"cask:batch": 30, "batch": 10}
    assert list(fit.ranef) == ["cask:batch", "batch"]
    assert fit.ranef["cask:batch"].index[0] == "a:A"
    assert list(quiet_fit("strength ~ 1 + (1 | batch:cask)", "Pastes").ranef) == ["batch:cask"]


def test_an_unknown_factor_is_a_key_error_that_names_the_known_ones(crossed):
    for mapping in (crossed.ranef, crossed.coef, crossed.ranef.condvar):
        with pytest.raises(KeyError, match="no grouping factor 'Subject'; there are 'subj', 'item'"):
            mapping["Subject"]
