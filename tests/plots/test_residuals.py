"""Residuals against fitted values, and their size."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference

import mixedeffects as me
from mixedeffects.plots.residuals import MOST_POINTS, residuals_data, scale_location_data
from mixedeffects.plots.smoother import smooth


def test_as_lme4_has_them(sleep):
    case = reference.load_case("sleep_slope_REML")
    columns = residuals_data(sleep)
    np.testing.assert_allclose(columns["fitted"][:20], case["fitted_first20"], rtol=1e-6)
    quantiles = np.quantile(columns["residual"], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(quantiles, case["resid_pearson_scaled_quantiles"], rtol=1e-5, atol=1e-6)


def test_weights_and_offset(weighted):
    model, sigma = weighted.model, weighted.sigma
    columns = residuals_data(weighted)
    Zb = model.Z @ np.concatenate([b.ravel() for b in weighted.solution.b])
    fixed = model.X @ weighted.solution.beta + model.offset
    np.testing.assert_allclose(columns["fitted"], fixed + Zb, rtol=1e-10)
    np.testing.assert_allclose(columns["residual"], np.sqrt(model.weights) * (model.y - fixed - Zb) / sigma, atol=1e-9)
    marginal = residuals_data(weighted, "response", marginal=True)
    np.testing.assert_allclose(marginal["fitted"], fixed, rtol=1e-10)
    np.testing.assert_allclose(marginal["residual"], model.y - fixed, atol=1e-9 * np.ptp(model.y))


def test_rows_are_positions_in_the_data(gaps):
    columns = residuals_data(gaps)
    assert set(range(4)) - set(columns["row"].tolist()) == {0, 3}
    assert len(columns["row"]) == gaps.nobs


def test_curve_and_roots(sleep):
    columns = scale_location_data(sleep)
    np.testing.assert_allclose(columns["root"] ** 2, np.abs(sleep.residuals("scaled")), atol=1e-12)
    np.testing.assert_array_equal(columns["smooth"], smooth(columns["fitted"], columns["root"]))


def test_constant_fitted_values(no_variance):
    np.testing.assert_allclose(residuals_data(no_variance)["smooth"], 0.0, atol=1e-9)


def test_labels_points_and_kinds(sleep, draw):
    ax = draw(sleep).residuals()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("fitted Reaction", "scaled residual")
    zero, points, curve = ax.lines
    assert zero.get_ydata()[0] == 0.0
    np.testing.assert_array_equal(points.get_xydata(), ax.data[["fitted", "residual"]])
    assert (np.diff(curve.get_xdata()) > 0).all()
    ax = draw(sleep).residuals("response", marginal=True)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("fitted Reaction (fixed effects only)", "response residual")
    with pytest.raises(me.DataError, match="no kind of residual"):
        draw(sleep).residuals("raw")
    assert draw(sleep).scale_location().get_ylim()[0] == 0.0


def test_cells_for_many_rows(pupils, draw):
    ax = draw(pupils).residuals()
    assert pupils.nobs > MOST_POINTS
    assert len(ax.data) == pupils.nobs
    assert len(ax.collections) == 1
    assert len(ax.lines) == 2
