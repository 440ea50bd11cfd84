"""ICC and R squared of generalized fits: against insight and performance, and formulas written out here."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special
from support.glmm import measured
from support.reference import load_case

import mixedeffects as me
from mixedeffects.errors import DataError, MixedEffectsError
from mixedeffects.families import family_of
from mixedeffects.inference.latent_variance import distribution_variance, latent_variance, typical_mean

R = load_case("variance", "glmm_measures")
MU, PHI = 0.3, 0.7
# family, link: the delta variance as Nakagawa, Johnson & Schielzeth write it out, or by hand; c = V(mu) / mu^2.
DELTA = {
    ("binomial", "logit"): 1.0 / (MU * (1.0 - MU)),
    ("binomial", "probit"): MU * (1.0 - MU) * 2.0 * np.pi * np.exp(special.ndtri(MU) ** 2),
    ("binomial", "cloglog"): MU / ((1.0 - MU) * np.log(1.0 - MU) ** 2),
    ("binomial", "cauchit"): MU * (1.0 - MU) * (np.pi / np.cos(np.pi * (MU - 0.5)) ** 2) ** 2,
    ("binomial", "log"): (1.0 - MU) / MU,
    ("poisson", "log"): 1.0 / MU,
    ("poisson", "sqrt"): 0.25,
    ("poisson", "identity"): MU,
    ("negative_binomial", "log"): 1.0 / MU + 1.0 / PHI,
    ("negative_binomial", "sqrt"): 0.25 * (1.0 + MU / PHI),
    ("negative_binomial", "identity"): MU + MU**2 / PHI,
    ("negative_binomial1", "log"): (1.0 + PHI) / MU,
    ("negative_binomial1", "sqrt"): 0.25 * (1.0 + PHI),
    ("negative_binomial1", "identity"): MU * (1.0 + PHI),
    ("gamma", "log"): PHI,
    ("gamma", "inverse"): PHI / MU**2,
    ("gamma", "identity"): PHI * MU**2,
    ("inverse_gaussian", "log"): PHI * MU,
    ("inverse_gaussian", "1/mu^2"): 4.0 * PHI / MU**3,
    ("inverse_gaussian", "inverse"): PHI / MU,
    ("inverse_gaussian", "identity"): PHI * MU**3,
    ("beta", "logit"): 1.0 / ((1.0 + PHI) * MU * (1.0 - MU)),
    ("beta", "probit"): MU * (1.0 - MU) / (1.0 + PHI) * 2.0 * np.pi * np.exp(special.ndtri(MU) ** 2),
    ("beta", "cloglog"): MU / ((1.0 + PHI) * (1.0 - MU) * np.log(1.0 - MU) ** 2),
    ("gaussian", "identity"): PHI,
    ("gaussian", "log"): PHI / MU**2,
    ("gaussian", "inverse"): PHI / MU**4,
}


@pytest.mark.parametrize(("name", "link"), DELTA)
def test_the_variance_of_each_distribution_on_its_link(name, link):
    family = family_of(name, link)
    wanted = DELTA[name, link]
    assert distribution_variance(family, "delta", MU, np.log(PHI)) == pytest.approx(wanted, rel=1e-12)
    if link == "log":  # there the delta variance is V(mu) / mu^2
        assert distribution_variance(family, "lognormal", MU, np.log(PHI)) == pytest.approx(np.log(1.0 + wanted))


def test_every_pair_of_family_and_link_is_there():
    families = [family_of(name) for name in dict.fromkeys(name for name, _ in DELTA)]
    assert {(f.name, link.name) for f in families for link in f.allowed_links} == set(DELTA)


def test_trigamma_is_the_variance_of_a_log_gamma_variable():
    shape = 1.0 / PHI
    moments = [
        integrate.quad(lambda x, k=k: x**k * np.exp(shape * x - np.exp(x) - special.gammaln(shape)), -60, 6, limit=400)[
            0
        ]
        for k in (1, 2)
    ]
    found = distribution_variance(family_of("gamma", "log"), "trigamma", MU, np.log(PHI))
    assert found == pytest.approx(moments[1] - moments[0] ** 2, rel=1e-7)


def test_the_latent_errors_have_the_variances_of_their_distributions():
    def variance(link):
        density = {"logit": lambda x: np.exp(-x) / (1.0 + np.exp(-x)) ** 2, "cloglog": lambda x: np.exp(x - np.exp(x))}
        m1, m2 = (integrate.quad(lambda x, k=k: x**k * density[link](x), -35.0, 35.0, limit=400)[0] for k in (1, 2))
        return m2 - m1**2

    for link in ("logit", "cloglog"):
        found = distribution_variance(family_of("binomial", link), "theoretical", MU)
        assert found == pytest.approx(variance(link), rel=1e-8)
    assert distribution_variance(family_of("binomial", "probit"), "theoretical", MU) == 1.0


@pytest.mark.parametrize("name", R)
def test_shares_are_those_of_performance(name):
    fit, wanted = measured(name), R[name]
    found = latent_variance(fit, mean="median")  # insight takes the null model's mean at random effects of 0
    parts = found.components
    assert parts.fixed == pytest.approx(wanted["fixed"], rel=2e-5)
    assert parts.total_random == pytest.approx(wanted["random"], rel=2e-5)
    assert found.distribution == pytest.approx(wanted["distribution"], rel=2e-5)
    assert sum(found.overdispersion.values()) == pytest.approx(wanted["overdispersion"], rel=2e-5)
    icc, r2 = fit.icc(mean="median"), fit.r2(mean="median")
    assert (r2["marginal"], r2["conditional"]) == pytest.approx((wanted["marginal"], wanted["conditional"]), rel=2e-5)
    assert (icc.adjusted, icc.unadjusted) == pytest.approx((wanted["adjusted"], wanted["unadjusted"]), rel=2e-5)


def test_the_mean_is_that_of_the_null_model_over_its_random_effects():
    fit = measured("ticks")
    null = fit.model.source_columns()
    null = me.glmer("TICKS ~ 1 + (1 | LOCATION) + (1 | BROOD)", null, "poisson")
    total = sum(null.varcorr.covariance[g].to_numpy().sum() for g in ("LOCATION", "BROOD"))
    wanted = np.exp(null.fixef["Intercept"] + 0.5 * total)
    assert typical_mean(fit) == pytest.approx(wanted, rel=1e-6)
    assert typical_mean(fit, "median") == pytest.approx(np.exp(null.fixef["Intercept"]), rel=1e-6)
    assert typical_mean(fit, "response") == pytest.approx(fit.model.y.mean(), rel=1e-12)
    parts = latent_variance(fit).components
    assert fit.r2()["marginal"] == pytest.approx(
        parts.fixed / (parts.fixed + parts.total_random + np.log(1.0 + 1.0 / wanted)), rel=1e-6
    )


def test_the_mean_of_counts_is_that_of_all_trials():
    fit = measured("herds")
    data = fit.model.source_columns()
    assert typical_mean(fit, "response") == pytest.approx(data["incidence"].sum() / data["size"].sum(), rel=1e-12)


def test_groups_and_partition_add_up():
    fit = measured("ticks_nb2")
    icc, table = fit.icc(), fit.variance_partition()
    assert sum(icc.by_group.values()) == pytest.approx(icc.adjusted, rel=1e-12)
    assert list(table["component"]) == ["fixed", "(1 | BROOD)", "(1 | LOCATION)", "distribution"]
    assert table["share"].sum() == pytest.approx(1.0)
    r2 = fit.r2()
    assert table["share"].iloc[0] == pytest.approx(r2["marginal"])
    assert table["share"].iloc[:3].sum() == pytest.approx(r2["conditional"])
    with_rows = measured("herds_obs").variance_partition()
    assert list(with_rows["component"]) == ["fixed", "(1 | obs)", "(1 | herd)", "distribution"]
    assert set(measured("herds_obs").icc().by_group) == {"herd"}


def test_methods_that_do_not_exist_are_refused():
    fit = measured("herds")
    for method in ("lognormal", "trigamma", "latent"):
        with pytest.raises(DataError, match="does not go with Binomial"):
            fit.icc(method)
    with pytest.raises(DataError, match="mean='mode' is not known"):
        fit.r2("delta", mean="mode")
    heavy = me.glmer(fit.formula, fit.model.source_columns(), link="cauchit")
    with pytest.raises(MixedEffectsError, match="Cauchy and has no variance"):
        heavy.r2()
    assert 0.0 < heavy.r2("delta")["marginal"] < 1.0
