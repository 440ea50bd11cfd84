"""`fit.design`: X, Z, Lambda, Sigma and V are those of y = X beta + Z gamma + e."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from support import reference

import mixedeffects as me


def stacked(parts) -> np.ndarray:
    """Random effects in the order of Z: term, level, column."""
    return np.concatenate([part.ravel() for part in parts])


def test_x_and_names(sleep, deficient):
    frame = reference.load_data("sleepstudy")
    np.testing.assert_array_equal(sleep.design.X, np.column_stack([np.ones(180), frame["Days"]]))
    assert sleep.design.names == ("Intercept", "Days")
    assert deficient.design.X.shape == (54, 3)
    assert deficient.design.names == ("Intercept", "Machine[T.B]", "Machine[T.C]")


def test_z_is_ordered_by_term_level_column(sleep):
    Z, labels = sleep.design.Z, sleep.design.Z_labels()
    assert sp.issparse(Z)
    assert Z.shape == (180, 36)
    assert list(zip(labels.key, labels.level, labels.column, strict=True))[:3] == [
        ("Subject", "308", "Intercept"),
        ("Subject", "308", "Days"),
        ("Subject", "309", "Intercept"),
    ]
    np.testing.assert_array_equal(Z[:10, [0]].toarray().ravel(), np.ones(10))
    np.testing.assert_array_equal(Z[:10, [1]].toarray().ravel(), np.arange(10.0))
    assert Z[10:, :2].nnz == 0


def test_z_by_column_is_the_chapters(sleep):
    """Example 23.4: the first 18 columns are intercepts, the others slopes."""
    Z, labels = sleep.design.Z_by_column(), sleep.design.Z_labels(by_column=True)
    assert labels.column.tolist() == ["Intercept"] * 18 + ["Days"] * 18
    assert labels.level.tolist() == sleep.ranef["Subject"].index.tolist() * 2
    np.testing.assert_array_equal(Z[:10, [0]].toarray().ravel(), np.ones(10))
    np.testing.assert_array_equal(Z[:10, [18]].toarray().ravel(), np.arange(10.0))


def test_z_of_crossed_factors_has_the_larger_one_first(crossed):
    labels = crossed.design.Z_labels()
    assert labels.key.tolist() == ["subj"] * 60 + ["item"] * 32
    assert crossed.design.Z.shape == (320, 92)


def test_fitted_values_come_from_x_and_z(sleep, crossed, independent):
    for fit in (sleep, crossed, independent):
        design = fit.design
        np.testing.assert_allclose(
            design.X @ fit.fixef.to_numpy() + design.Z @ stacked(fit.solution.b), fit.fitted, rtol=1e-12
        )


def test_modes_are_lambda_times_u(sleep, crossed, independent):
    for fit in (sleep, crossed, independent):
        at = fit.evaluate()
        np.testing.assert_allclose(fit.design.Lambda @ stacked(at.u), stacked(at.b), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(stacked(at.b), stacked(fit.solution.b), rtol=1e-8, atol=1e-9)


def test_sigma_of_the_random_effects_is_on_the_data_scale(sleep, crossed):
    for fit in (sleep, crossed):
        Lambda, Sigma = fit.design.Lambda, fit.design.Sigma()
        assert sp.issparse(Lambda)
        assert Lambda.shape == Sigma.shape == (fit.design.Z.shape[1],) * 2
        expected = fit.sigma**2 * (Lambda @ Lambda.T)
        np.testing.assert_allclose(Sigma.toarray(), expected.toarray(), rtol=1e-12, atol=1e-9)
    Sigma = sleep.design.Sigma().toarray()
    np.testing.assert_allclose(Sigma[2:4, 2:4], sleep.varcorr.covariance["Subject"], rtol=1e-13)
    assert not Sigma[:2, 2:].any(), "subjects are independent"


def test_v_is_the_covariance_of_the_response(sleep, weighted):
    for fit in (sleep, weighted):
        V = fit.design.V()
        w = np.ones(fit.nobs) if fit.design.weights is None else fit.design.weights
        Z = fit.design.Z.toarray()
        expected = Z @ fit.design.Sigma().toarray() @ Z.T + np.diag(fit.sigma**2 / w)
        np.testing.assert_allclose(V, expected, rtol=1e-12, atol=1e-9)


def test_generalized_least_squares_with_v_gives_the_coefficients(sleep, weighted, independent):
    for fit in (sleep, weighted, independent):
        X, V = fit.design.X, fit.design.V()
        y = fit.design.y - (0.0 if fit.design.offset is None else fit.design.offset)
        solved = np.linalg.solve(V, np.column_stack([X, y]))
        vcov = np.linalg.inv(X.T @ solved[:, :-1])
        np.testing.assert_allclose(vcov, fit.vcov, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(vcov @ X.T @ solved[:, -1], fit.fixef, rtol=1e-8)


def test_loglikelihood_is_that_of_a_normal_with_covariance_v():
    frame = reference.load_data("sleepstudy")
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", frame, reml=False)
    V = fit.design.V()
    r = fit.residuals(marginal=True)
    density = -0.5 * (np.linalg.slogdet(2 * np.pi * V)[1] + r @ np.linalg.solve(V, r))
    assert fit.loglik == pytest.approx(density, rel=1e-12)


def test_v_of_a_simulated_response(sleep):
    """Draws of Z gamma + e have the covariance V."""
    rng = np.random.default_rng(1)
    fit, n = sleep, 4000
    L = fit.design.Lambda.toarray() * fit.sigma
    draws = fit.design.Z @ L @ rng.normal(size=(36, n)) + fit.sigma * rng.normal(size=(180, n))
    V = fit.design.V()
    sample = draws @ draws.T / n
    error = np.sqrt((V**2 + np.outer(np.diag(V), np.diag(V))) / n)
    assert np.abs((sample - V) / error).max() < 5.5


def test_v_is_refused_where_it_would_not_fit():
    frame = reference.load_data("InstEval").head(20_001)
    fit = me.lmer("y ~ 1 + (1 | dept)", frame)
    with pytest.raises(me.DataError, match="V would have 20001 x 20001 entries"):
        fit.design.V()


def test_levels_terms_and_the_design_alone(crossed):
    assert list(crossed.design.levels) == ["subj", "item"]
    assert crossed.design.levels["item"][:2] == ["i01", "i02"]
    assert [term.names for term in crossed.design.terms] == [("Intercept", "a", "B"), ("Intercept", "B")]
    alone = me.design(crossed.formula, reference.load_data("sim_cross"))
    np.testing.assert_array_equal(alone.X, crossed.design.X)
    assert (alone.Z != crossed.design.Z).nnz == 0
