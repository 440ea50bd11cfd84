"""R's densities, distribution functions, deviances, variances and links (tests/reference/families/families.R)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.reference import ROOT

from mixedeffects.families import FAMILIES, Beta, NegativeBinomial, NegativeBinomial1, family_of
from mixedeffects.families.links import LINKS

R = json.loads((ROOT / "families" / "families.json").read_text(encoding="utf-8"))
each = pytest.mark.parametrize("name", R["families"])


def columns(name):
    case = R["families"][name]
    data = {column: np.array(values, dtype=float) for column, values in case.items() if values}
    data["t"] = np.log(data["phi"]) if "phi" in data else np.zeros_like(data["y"])
    return data


def test_every_family_has_its_reference():
    assert {cls.name for cls in FAMILIES.values()} == set(R["families"])
    assert set(LINKS) == set(R["links"])


@each
def test_density(name):
    case = columns(name)
    for link in family_of(name).allowed_links:
        family = family_of(name, link)
        eta = family.link.link(case["mu"])
        usable = family.valid(eta)
        got = family.loglik(case["y"], eta, case["w"], case["t"])[usable]
        # What goes with mu -> eta -> mu, and R's own digits: extended arithmetic finds 1.4e-10 at a size of 6e6.
        np.testing.assert_allclose(got, case["loglik"][usable], rtol=5e-11, atol=2e-11)
        assert usable.sum() >= case["y"].size // 2


@each
def test_cumulative_distribution(name):
    case = columns(name)
    got = family_of(name).cdf(case["y"], case["mu"], case["w"], case["t"])
    np.testing.assert_allclose(got.lower, case["lower"], rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(got.upper, case["upper"], rtol=1e-9, atol=1e-300)


@each
def test_deviance(name):
    case = columns(name)
    if "deviance" not in case:
        assert name == "beta"  # R has none
        return
    family = family_of(name)
    got = family.deviance(case["y"], case["mu"], case["w"], case["t"])
    # R subtracts terms of size y log y and (y + size) log(y + size)
    size = {"negative_binomial": case.get("phi"), "negative_binomial1": case["mu"] / case.get("phi", 1.0)}.get(
        name, 0.0
    )
    terms = np.abs(case["y"]) + size + 1.0
    rounding = 1e-15 * case["w"] * terms * np.log(1.0 + terms)
    wrong = np.abs(got - case["deviance"]) > 1e-12 * case["deviance"] + 4.0 * rounding
    assert not wrong.any(), (got[wrong], case["deviance"][wrong])
    assert (got >= 0.0).all()


@each
def test_variance(name):
    case = columns(name)
    if "variance" not in case:
        assert name == "beta"  # glmmTMB 1.1.5 leaves phi out
        return
    np.testing.assert_allclose(family_of(name).variance(case["mu"], case["t"]), case["variance"], rtol=1e-13)


@pytest.mark.parametrize("name", R["links"])
def test_links(name):
    case = {column: np.array(values) for column, values in R["links"][name].items()}
    link = LINKS[name]
    got = link.derivatives(case["eta"])
    np.testing.assert_allclose(link.inverse(case["eta"]), case["mu"], rtol=1e-14)
    np.testing.assert_allclose(got.d1, case["d1"], rtol=1e-13)
    # a mean near 1 has few digits left to tell eta by
    np.testing.assert_allclose(link.link(case["mu"]), case["eta"], rtol=1e-11)
    np.testing.assert_allclose(link.link(case["mu"]), case["back"], rtol=1e-11)


@pytest.mark.parametrize(
    ("key", "family", "response", "phi"),
    [
        ("negative_binomial1", NegativeBinomial1(), "counts", 1.7),
        ("negative_binomial", NegativeBinomial(), "counts", 1.7),
        ("negative_binomial_sqrt", NegativeBinomial("sqrt"), "counts", 1.7),
        ("beta_logit", Beta(), "shares", 6.0),
        ("beta_probit", Beta("probit"), "shares", 6.0),
        ("beta_cloglog", Beta("cloglog"), "shares", 6.0),
    ],
)
def test_parametrizations_and_weights_are_those_of_glmmtmb(key, family, response, phi):
    case = R["glmmTMB"]
    x, w, y = (np.array(case[name]) for name in ("x", "w", response))
    eta = case["beta"][0] + case["beta"][1] * x
    if key == "negative_binomial_sqrt":
        assert (eta < 0.0).any()  # glmmTMB squares a negative root, which is no link
        eta = np.abs(eta)
    assert -family.loglik(y, eta, w, np.log(phi)).sum() == pytest.approx(case[key], rel=1e-12)
