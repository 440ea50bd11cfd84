"""Leverage and influence in generalized fits: lme4's deletions, refits by hand, dense matrices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import expit
from support import reference
from support.glmm import HERDS, SEIZURES, measured

import mixedeffects as me
from mixedeffects.errors import DataError, MixedEffectsError

ROWS = reference.load_case("rows", "glmm_measures")


def dense(fit):
    """[X, Z Lambda], its penalty, and what multiplies the modes."""
    A = np.hstack([fit.design.X, (fit.design.Z @ fit.design.Lambda).toarray()])
    penalty = np.diag(np.r_[np.zeros(fit.design.X.shape[1]), np.ones(fit.design.Z.shape[1])])
    return A, penalty


@pytest.mark.parametrize("name", ["herds", "epil"])
def test_hat_values_and_cooks_distances_at_lme4s_modes(name):
    fit = measured(name)
    np.testing.assert_allclose(fit.leverage(), ROWS[name]["hat"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(fit.cooks_distance(), ROWS[name]["cooks"], rtol=2e-5)


@pytest.mark.parametrize("name", ["herds_cloglog", "ticks_nb2", "herds_obs"])
def test_hat_values_are_the_diagonal_of_a_projection(name):
    fit = measured(name)
    A, penalty = dense(fit)
    found = fit.family.derivatives(fit.model.y, fit.predict(kind="link"), fit.model.row_weights, fit.log_dispersion)
    W = -found.d2 if (found.d2 < 0.0).all() else found.expected
    C = np.linalg.inv(A.T @ (W[:, None] * A) + penalty)
    np.testing.assert_allclose(fit.leverage(), W * np.einsum("ij,jk,ik->i", A, C, A), rtol=1e-8)
    assert ((fit.leverage() > 0.0) & (fit.leverage() < 1.0)).all()


def test_with_a_canonical_link_leverage_is_the_derivative_of_the_mean_in_the_response():
    fit = me.glmer(HERDS, reference.load_data("cbpp"), nagq=0)  # beta belongs to the mode
    A, penalty = dense(fit)
    n = fit.model.weights

    def mean(y):
        s = np.zeros(A.shape[1])
        for _ in range(50):
            mu = expit(A @ s)
            gradient = A.T @ (n * (y - mu)) - penalty @ s
            s = s + np.linalg.solve(A.T @ ((n * mu * (1 - mu))[:, None] * A) + penalty, gradient)
        return expit(A @ s)

    for i in (0, 7, 30):
        step = np.zeros(fit.nobs)
        step[i] = 1e-5
        slope = (mean(fit.model.y + step)[i] - mean(fit.model.y - step)[i]) / 2e-5
        assert fit.leverage()[i] == pytest.approx(slope, rel=1e-6)


def test_herds_as_deleted_by_lme4():
    stored = reference.load_case("herds_deleted", "glmm_measures")
    found = measured("herds").influence("herd")
    levels = stored["fixef_deleted"]["rows"]
    errors = reference.matrix(stored["se_deleted"])
    gaps = np.abs(found.fixef.loc[levels].to_numpy() - reference.matrix(stored["fixef_deleted"]))
    assert (gaps <= 1e-6 * errors).all()
    np.testing.assert_allclose(found.std_errors.loc[levels], errors, rtol=2e-5)
    np.testing.assert_allclose(found.cooks_distance[levels], stored["cooks_over_p"], rtol=0, atol=2e-6)
    assert found.method == "refit"


@pytest.mark.parametrize(
    ("formula", "data", "family", "by", "labels"),
    [
        (HERDS, "cbpp", "binomial", "herd", ("3", "11")),
        (SEIZURES, "epil", "poisson", "subject", ("10", "49")),
        ("y ~ lbase + (1 | subject)", "epil", "negative_binomial", "subject", ("10", "49")),
    ],
)
def test_the_measures_are_those_of_fits_without_a_group(formula, data, family, by, labels):
    frame = reference.load_data(data)
    fit = me.glmer(formula, frame, family)
    found = fit.influence(by)
    V, p = fit.vcov.to_numpy(), len(fit.fixef)
    for label in labels:
        hand = me.glmer(formula, frame[frame[by].astype(str) != label], family)
        change, own = (hand.fixef - fit.fixef).to_numpy(), hand.vcov.to_numpy()
        at = [str(name) for name in found.cooks_distance.index].index(label)
        np.testing.assert_allclose(found.dfbeta.iloc[at], change, rtol=0, atol=2e-6 * hand.std_errors.max())
        np.testing.assert_allclose(found.dfbetas.iloc[at], change / hand.std_errors, rtol=0, atol=1e-5)
        assert found.cooks_distance.iloc[at] == pytest.approx(change @ np.linalg.solve(V, change) / p, rel=1e-4)
        assert found.mdffits.iloc[at] == pytest.approx(change @ np.linalg.solve(own, change) / p, rel=1e-4)
        assert found.covratio.iloc[at] == pytest.approx(np.linalg.det(own) / np.linalg.det(V), rel=1e-4)
        np.testing.assert_allclose(found.theta[at], hand.theta, rtol=1e-4)
        assert found.sigma.iloc[at] == hand.sigma == 1.0


def test_rows_by_refits_are_fits_without_the_row():
    frame = reference.load_data("cbpp")
    fit = measured("herds")
    found = fit.influence(method="refit")
    hand = me.glmer(HERDS, frame.drop(index=2))
    np.testing.assert_allclose(found.fixef.loc[2], hand.fixef, rtol=1e-6)
    assert len(found) == 56


@pytest.mark.parametrize("by", [None, "herd"])
@pytest.mark.parametrize("name", ["herds", "herds_obs"])
def test_one_step_is_a_newton_step_of_the_penalized_likelihood(name, by):
    fit = measured(name)
    found = fit.influence(by, method="one-step")
    A, penalty = dense(fit)
    eta = fit.predict(kind="link")
    mu = expit(eta)
    W = fit.model.weights * mu * (1 - mu)
    z = eta + (fit.model.y - mu) / (mu * (1 - mu))
    p = len(fit.fixef)

    def solved(keep):
        information = A[keep].T @ (W[keep, None] * A[keep]) + penalty
        return np.linalg.solve(information, A[keep].T @ (W[keep] * z[keep])), np.linalg.pinv(information)

    every, C = solved(np.ones(fit.nobs, dtype=bool))
    codes = np.arange(fit.nobs) if by is None else fit.model.columns[by].codes
    for level in (0, 5):
        one, own = solved(codes != level)
        np.testing.assert_allclose(found.dfbeta.iloc[level], (one - every)[:p], rtol=1e-6, atol=1e-9)
        ratio = np.linalg.det(own[:p, :p]) / np.linalg.det(C[:p, :p])
        assert found.covratio.iloc[level] == pytest.approx(ratio, rel=1e-6)


def test_one_step_finds_the_groups_that_refits_find():
    fit = measured("ticks")
    exact, quick = fit.influence("BROOD").cooks_distance, fit.influence("BROOD", "one-step").cooks_distance
    assert np.corrcoef(exact, quick)[0, 1] > 0.97
    assert exact.idxmax() in quick.sort_values().index[-3:]


def test_a_factor_with_one_level_left_and_a_coefficient_without_rows_are_nan():
    frame = reference.load_data("cbpp")
    frame = frame[frame["herd"].isin(["1", "3"])].assign(half=lambda d: (d["herd"] == "1").map({True: "a", False: "b"}))
    with pytest.warns(me.SingularFitWarning):
        fit = me.glmer("cbind(incidence, size - incidence) ~ 1 + (1 | half)", frame)
    found = fit.influence("half")
    assert found.fixef.isna().all(axis=None)
    assert "2 deletions leave no model" in repr(found)
    gone = measured("herds").influence("period").fixef
    assert gone.loc["2"].isna()["period[T.2]"]
    assert gone.loc["2"].notna()["Intercept"]


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas])
def test_the_table_is_in_the_library_of_the_data(convert):
    frame = reference.load_data("cbpp")
    table = me.glmer(HERDS, convert(frame)).influence("herd").to_frame()
    assert list(table.columns)[:5] == ["herd", "cooks_distance", "mdffits", "covratio", "covtrace"]
    assert isinstance(table, type(convert(frame)))


def test_unknown_arguments_are_refused():
    fit = measured("herds")
    with pytest.raises(DataError, match="'closed' is not known for a generalized model"):
        fit.influence("herd", method="closed")
    with pytest.raises(DataError, match="no grouping factor"):
        fit.influence("cow")
    bare = me.glmer("cbind(incidence, size - incidence) ~ 0 + (1 | herd)", reference.load_data("cbpp"))
    with pytest.raises(MixedEffectsError, match="no fixed effects"):
        bare.influence("herd")
    assert np.isnan(bare.cooks_distance()).all()


def test_augment_has_broom_mixeds_columns():
    table = measured("herds").augment()
    stored = pd.DataFrame(ROWS["herds"]["augment"])
    for name in stored.columns:
        np.testing.assert_allclose(table[name], stored[name], rtol=2e-6, atol=2e-6, err_msg=name)
    assert list(table.columns)[:4] == ["incidence", "size", "period", "herd"]
    np.testing.assert_allclose(table[".hat"], measured("herds").leverage(), rtol=1e-12)
    np.testing.assert_allclose(table[".cooksd"], measured("herds").cooks_distance(), rtol=1e-12)


def test_augment_of_a_fit_with_offset_and_dropped_rows():
    frame = reference.load_data("epil").assign(off=0.5)
    frame.loc[3, "lbase"] = np.nan
    with pytest.warns(me.DroppedRowsWarning):
        fit = me.glmer("y ~ lbase + offset(off) + (1 | subject)", pl.from_pandas(frame), "poisson")
    table = fit.augment(pl.from_pandas(frame))
    assert isinstance(table, pl.DataFrame)
    assert table.height == 235
    assert set(table[".offset"]) == {0.5}
    np.testing.assert_allclose(table[".mu"], fit.fitted, rtol=1e-12)
    np.testing.assert_allclose(np.exp(table[".eta"].to_numpy()), fit.fitted, rtol=1e-12)
