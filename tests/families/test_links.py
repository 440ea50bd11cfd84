"""Links: inverses, three derivatives, logarithms and powers of the mean, tails."""

from __future__ import annotations

import numpy as np
import pytest

from families.test_derivatives import slope
from mixedeffects.families.link import POSITIVE, REAL, UNIT, Interval, Link, PositiveLink, UnitLink
from mixedeffects.families.links import LINKS, Log

ETA = np.array([-30.0, -6.0, -5.0 - 1e-9, -5.0, -1.5, -0.3, 0.1, 0.8, 2.5, 5.0, 30.0])
each = pytest.mark.parametrize("link", LINKS.values(), ids=list(LINKS))
positive = pytest.mark.parametrize("link", [v for v in LINKS.values() if isinstance(v, PositiveLink)], ids=repr)
unit = pytest.mark.parametrize("link", [v for v in LINKS.values() if isinstance(v, UnitLink)], ids=repr)


def etas(link):
    return ETA[link.valid(ETA)]


def assert_jet(function, eta):
    """Each derivative is the slope of the one before."""
    step = 2e-4 * np.minimum(np.abs(eta), 1.0)
    jet = function(eta)
    for lower, upper in (("value", "d1"), ("d1", "d2"), ("d2", "d3")):
        expected = slope(lambda x, lower=lower: getattr(function(x), lower), eta, step)
        noise = 2e-15 * np.abs(getattr(jet, lower)) / step
        got = getattr(jet, upper)
        wrong = np.abs(got - expected) > 1e-9 * np.abs(expected) + 4.0 * noise + 1e-100
        assert not wrong.any(), (upper, eta[wrong], got[wrong], expected[wrong])


def leaves(cls):
    children = cls.__subclasses__()
    return {cls} if not children else set().union(*(leaves(child) for child in children))


def test_every_link_is_registered():
    assert {type(link) for link in LINKS.values()} == leaves(Link)


@each
def test_inverse_and_derivatives(link):
    eta = etas(link)
    assert_jet(link.derivatives, eta)
    np.testing.assert_array_equal(link.inverse(eta), link.derivatives(eta).value)
    assert (np.diff(link.inverse(eta[eta > 0])) != 0.0).any()


@each
def test_link_and_inverse_undo_each_other(link):
    if link.range == UNIT:
        mu = np.array([1e-300, 1e-12, 0.01, 0.3, 0.5, 0.8, 0.999])
    else:
        mu = np.array([1e-12, 0.01, 0.5, 1.0, 3.0, 1e6])
    eta = link.link(mu)
    assert link.valid(eta).all()
    np.testing.assert_allclose(link.inverse(eta), mu, rtol=1e-12)
    assert link.range.contains(mu).all()


@positive
def test_logarithm_and_powers_of_the_mean(link):
    eta = np.abs(etas(link)) if not isinstance(link, Log) else etas(link)
    assert_jet(link.log_mean, eta)
    np.testing.assert_allclose(link.log_mean(eta).value, np.log(link.inverse(eta)), rtol=1e-14, atol=1e-15)
    for p in (-2.0, -1.0, 1.0):
        assert_jet(lambda x, p=p: link.power(x, p), eta)
        np.testing.assert_allclose(link.power(eta, p).value, link.inverse(eta) ** p, rtol=1e-13)


@unit
def test_logarithms_of_both_shares(link):
    eta = etas(link)
    if isinstance(link, Log):
        eta = eta[eta < 0.0]
    assert_jet(link.log_mean, eta)
    assert_jet(link.log_complement, eta)
    mu = link.inverse(eta)
    inner = mu < 0.999
    np.testing.assert_allclose(link.log_mean(eta).value, np.log(mu), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(link.log_complement(eta).value[inner], np.log1p(-mu[inner]), rtol=1e-11)
    # the slopes of both are mu' over mu and over mu - 1
    np.testing.assert_allclose(link.log_mean(eta).d1 * mu, link.derivatives(eta).d1, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("name", ["logit", "probit", "cloglog", "cauchit"])
@pytest.mark.parametrize("eta", [-1e4, -40.0, 40.0, 1e4])
def test_far_tails(name, eta):
    """Finite, or the limit; warnings would be errors here."""
    link = LINKS[name]
    mean = link.derivatives(np.array([eta]))
    assert mean.value[0] == pytest.approx(0.0 if eta < 0 else 1.0, abs=0.02)
    for jet in (mean, link.log_mean([eta]), link.log_complement([eta])):
        values = np.array([jet.value, jet.d1, jet.d2, jet.d3])
        assert not np.isnan(values).any()
    limits = {
        "logit": (1.0, 0.0, 0.0, 0.0),
        "cloglog": (1.0, 0.0, 0.0, 0.0),
        "probit": (abs(eta), -1.0, 0.0, 1 / abs(eta)),
        "cauchit": (0.0, 0.0, 0.0, 0.0),
    }
    if eta < 0:
        jet = link.log_mean([eta])
        np.testing.assert_allclose(np.ravel([jet.d1, jet.d2, jet.d3]), limits[name][:3], atol=0.03)


def test_the_probit_tail_to_all_digits():
    """-x, Mills' ratio and its derivatives at x = 1e4 from their expansions in 1 / x."""
    x = 1e4
    jet = LINKS["probit"].log_mean([-x])
    assert jet.d1[0] == pytest.approx(x + 1 / x - 2 / x**3, rel=1e-15)
    assert jet.d2[0] == pytest.approx(-1 + 1 / x**2 - 6 / x**4, rel=1e-15)
    assert jet.d3[0] == pytest.approx(2 / x**3 - 24 / x**5, rel=1e-14)


def test_domains():
    assert LINKS["identity"].range == REAL
    assert LINKS["log"].range == POSITIVE
    assert LINKS["logit"].range == UNIT
    np.testing.assert_array_equal(LINKS["inverse"].valid([-1.0, 0.0, 2.0, np.inf, np.nan]), [1, 0, 1, 0, 0])
    for name in ("sqrt", "1/mu^2"):
        np.testing.assert_array_equal(LINKS[name].valid([-1.0, 0.0, 2.0, np.inf, np.nan]), [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(UNIT.contains([0.0, 0.5, 1.0, np.nan]), [0, 1, 0, 0])
    assert REAL.includes(UNIT)
    assert not UNIT.includes(POSITIVE)
    assert str(Interval(0.0, np.inf)) == "(0, inf)"


def test_means_outside_the_range_have_no_linear_predictor():
    for name in ("logit", "probit", "cloglog", "cauchit"):
        assert np.isnan(LINKS[name].link([-0.5, 1.5])).all(), name
    assert np.isnan(LINKS["log"].link([-1.0]))[0]
    assert np.isnan(LINKS["sqrt"].link([-1.0]))[0]
