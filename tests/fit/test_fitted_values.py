"""Fitted values and residuals: kinds, weights, offsets, margins, and rows that were not used."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from support import reference

import mixedeffects as me


def test_fitted_values_are_fixed_plus_random(sleep):
    frame = reference.load_data("sleepstudy")
    coef = sleep.coef["Subject"].loc[frame["Subject"].astype(str)]
    expected = coef["Intercept"].to_numpy() + coef["Days"].to_numpy() * frame["Days"].to_numpy()
    assert isinstance(sleep.fitted, np.ndarray)
    assert sleep.fitted.shape == (180,)
    np.testing.assert_allclose(sleep.fitted, expected, rtol=1e-13)


def test_response_residuals(sleep):
    frame = reference.load_data("sleepstudy")
    residuals = sleep.residuals()
    np.testing.assert_allclose(residuals, frame["Reaction"] - sleep.fitted, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(sleep.residuals("response"), residuals)
    np.testing.assert_array_equal(sleep.residuals("working"), residuals)


def test_marginal_residuals_leave_the_random_effects_out(sleep):
    frame = reference.load_data("sleepstudy")
    mean = sleep.fixef["Intercept"] + sleep.fixef["Days"] * frame["Days"]
    np.testing.assert_allclose(sleep.residuals(marginal=True), frame["Reaction"] - mean, rtol=0, atol=1e-10)


def test_fitted_values_hold_the_offset(weighted):
    frame = reference.load_data("sim_cross")
    design = weighted.design
    expected = design.X @ weighted.fixef.to_numpy() + frame["off"].to_numpy() + design.Z @ weighted_modes(weighted)
    np.testing.assert_allclose(weighted.fitted, expected, rtol=1e-12)
    np.testing.assert_allclose(weighted.residuals(), frame["rt"] - weighted.fitted, atol=1e-10)


def weighted_modes(fit):
    return np.concatenate([modes.ravel() for modes in fit.solution.b])


@pytest.mark.parametrize("marginal", [False, True])
def test_weighted_kinds(weighted, marginal):
    w = reference.load_data("sim_cross")["w"].to_numpy()
    response = weighted.residuals(marginal=marginal)
    root = np.sqrt(w) * response
    for kind in ("pearson", "deviance"):
        np.testing.assert_allclose(weighted.residuals(kind, marginal=marginal), root, rtol=1e-13)
    np.testing.assert_allclose(weighted.residuals("scaled", marginal=marginal), root / weighted.sigma, rtol=1e-13)
    np.testing.assert_array_equal(weighted.residuals("working", marginal=marginal), response)


def test_without_weights_pearson_residuals_are_the_response_ones(sleep):
    np.testing.assert_array_equal(sleep.residuals("pearson"), sleep.residuals())
    np.testing.assert_allclose(sleep.residuals("scaled"), sleep.residuals() / sleep.sigma, rtol=1e-15)


def test_an_unknown_kind_names_the_known_ones(sleep):
    with pytest.raises(me.DataError, match="kind='student' is no kind of residual; choose one of 'response'"):
        sleep.residuals("student")


def test_quantile_residuals_are_normal_scores_of_the_law_they_belong_to(weighted):
    design = weighted.design
    response = reference.load_data("sim_cross")["rt"].to_numpy()
    given = stats.norm.cdf(response, weighted.fitted, weighted.sigma / np.sqrt(design.weights))
    np.testing.assert_allclose(weighted.residuals("quantile"), stats.norm.ppf(given), rtol=1e-9)
    mean = design.X @ weighted.fixef.to_numpy() + design.offset
    marginal = stats.norm.cdf(response, mean, np.sqrt(np.diag(design.V())))
    np.testing.assert_allclose(weighted.residuals("quantile", marginal=True), stats.norm.ppf(marginal), rtol=1e-9)


def test_marginal_studentized_residuals_are_divided_by_their_own_standard_deviation(weighted):
    design = weighted.design
    V, X = design.V(), design.X
    raw = weighted.residuals(marginal=True)
    sd = np.sqrt(np.diag(V - X @ np.linalg.solve(X.T @ np.linalg.solve(V, X), X.T)))
    np.testing.assert_allclose(weighted.residuals("studentized", marginal=True), raw / sd, rtol=1e-9)


def test_rows_are_positions_in_the_data(gaps):
    frame = reference.load_data("Gcsemv")
    present = np.flatnonzero(frame["course"].notna())
    np.testing.assert_array_equal(gaps.rows, present)
    assert gaps.rows.dtype == np.int64
    assert gaps.nobs == len(present) == 1725
    np.testing.assert_allclose(gaps.residuals(), frame["course"].to_numpy()[present] - gaps.fitted, atol=1e-12)


def test_rows_do_not_depend_on_the_index_of_the_frame():
    frame = reference.load_data("Gcsemv").iloc[::-1]
    with pytest.warns(me.DroppedRowsWarning):
        fit = me.lmer("course ~ gender + (1 | school)", frame)
    np.testing.assert_array_equal(fit.rows, np.flatnonzero(frame["course"].notna()))


def test_padded_residuals_have_all_rows(gaps):
    frame = reference.load_data("Gcsemv")
    padded = gaps.residuals(pad=True)
    assert padded.shape == (1905,)
    np.testing.assert_array_equal(np.isnan(padded), frame["course"].isna())
    np.testing.assert_array_equal(padded[gaps.rows], gaps.residuals())
    scaled = gaps.residuals("scaled", pad=True, marginal=True)
    np.testing.assert_array_equal(scaled[gaps.rows], gaps.residuals("scaled", marginal=True))


def test_padding_without_dropped_rows_changes_nothing(sleep):
    np.testing.assert_array_equal(sleep.residuals(pad=True), sleep.residuals())


def test_rows_of_weight_zero_are_left_out():
    frame = reference.load_data("sleepstudy")
    frame["w"] = 1.0
    frame.loc[frame.index[3], "w"] = 0.0
    with pytest.warns(me.DroppedRowsWarning, match="1 of 180 rows were dropped: 1 with weight 0"):
        fit = me.lmer("Reaction ~ Days + (Days | Subject)", frame, weights="w")
    without = me.lmer("Reaction ~ Days + (Days | Subject)", frame.drop(index=frame.index[3]))
    assert fit.nobs == 179
    assert fit.criterion == pytest.approx(without.criterion, rel=1e-12)
    assert 3 not in fit.rows


def test_weights_and_offset_as_arrays_are_those_of_the_columns(weighted):
    frame = reference.load_data("sim_cross")
    arrays = {"weights": frame["w"].to_numpy(), "offset": frame["off"].tolist()}
    fit = me.lmer("rt ~ A + B + (B | subj)", frame.drop(columns=["w", "off"]), **arrays)
    assert fit.criterion == weighted.criterion
    in_formula = me.lmer("rt ~ A + B + offset(off) + (B | subj)", frame, weights="w")
    assert in_formula.criterion == pytest.approx(weighted.criterion, rel=1e-13)


def test_an_offset_is_a_shift_of_the_response(weighted):
    frame = reference.load_data("sim_cross")
    frame["rt"] -= frame["off"]
    fit = me.lmer("rt ~ A + B + (B | subj)", frame, weights="w")
    assert fit.criterion == pytest.approx(weighted.criterion, rel=1e-12)
    np.testing.assert_allclose(fit.fixef, weighted.fixef, rtol=1e-8)
