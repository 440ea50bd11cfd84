"""Estimates and mean squared errors agree with R's package sae 1.3, and shrinkage with lme4."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference

import mixedeffects as me

CORN = "CornHec ~ CornPix + SoyBeansPix"


@pytest.mark.parametrize("method", ["reml", "ml", "fh"])
def test_milk(milk, values, method):
    expected = values[f"FH_milk_{method.upper()}"]
    found = me.sae.area_level("yi ~ MajorArea", milk, variance="variance", area="SmallArea", method=method, n="ni")
    np.testing.assert_allclose(found.eblup, expected["eblup"], atol=1e-6)
    np.testing.assert_allclose(found.mse, expected["mse"], atol=2e-7)
    fit = expected["fit"]
    assert found.variance_components["area"] == pytest.approx(fit["refvar"], abs=2e-7)
    np.testing.assert_allclose(found.fixef, [row["beta"] for row in fit["estcoef"]], atol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(found.vcov)), [row["std.error"] for row in fit["estcoef"]], atol=1e-6)
    np.testing.assert_allclose([found.loglik, found.aic, found.bic], fit["goodness"][:3], atol=2e-5)


def test_corn(corn, counties, values):
    expected = values["BHF_corn"]
    found = me.sae.unit_level(CORN, corn, area="County", population_means=counties, population_sizes="PopnSegments")
    np.testing.assert_allclose(found.eblup, [row["eblup"] for row in expected["eblup"]], atol=1e-5)
    np.testing.assert_array_equal(found.n, [row["sampsize"] for row in expected["eblup"]])
    components = [expected["refvar"], expected["errorvar"]]
    np.testing.assert_allclose(found.variance_components, components, rtol=1e-6)
    effects = [row["(Intercept)"] for row in expected["random"]]
    np.testing.assert_allclose(found.fit.ranef["County"]["Intercept"], effects, atol=1e-4)


def test_corn_by_bootstrap(corn, counties, values):
    """R's figures are from 200 replicates: each has a relative standard error of about sqrt(2 / 200) = 0.1."""
    expected = np.array([row["mse"] for row in values["BHF_corn"]["bootmse"]])
    found = me.sae.unit_level(
        CORN,
        corn,
        area="County",
        population_means=counties,
        population_sizes="PopnSegments",
        mse="bootstrap",
        n_bootstrap=600,
        rng=1,
    )
    ratio = expected / found.mse
    assert np.abs(ratio - 1.0).max() < 0.3
    assert np.mean(ratio) == pytest.approx(1.0, abs=3.0 * 0.1 / np.sqrt(12))


@pytest.mark.parametrize("case", ["counties_REML", "counties_ML"])
def test_shrinkage_of_simulated_counties(case):
    expected = reference.load_case(case, "sae")
    table = expected["area_table"]
    found = me.sae.unit_level(
        "income ~ 1", reference.load_data("sim_counties"), area="county", method=case.split("_")[1].lower()
    )
    assert list(found.areas) == table["area"]
    np.testing.assert_array_equal(found.n, table["n"])
    np.testing.assert_allclose(found.direct, table["direct_mean"], rtol=1e-12)
    np.testing.assert_allclose(found.gamma, table["shrinkage"], rtol=1e-6)
    np.testing.assert_allclose(found.eblup, table["coef_intercept"], rtol=1e-7)
    np.testing.assert_allclose(np.sqrt(found.parts["g1"]), table["cond_sd"], rtol=1e-6)
