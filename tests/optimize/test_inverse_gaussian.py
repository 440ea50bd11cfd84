"""Inverse Gaussian models against likelihoods from the density alone (tests/reference/inverse_gaussian/make.py)."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from support.reference import ROOT

import mixedeffects as me
from mixedeffects.criterion.laplace import laplace_criterion
from mixedeffects.design import design
from mixedeffects.families import InverseGaussian

VALUES = json.loads((ROOT / "inverse_gaussian" / "values.json").read_text(encoding="utf-8"))
each_link = pytest.mark.parametrize("link", InverseGaussian.allowed_links, ids=lambda link: link.name)


NODES = {"log": 60}  # for a criterion to 1e-6; elsewhere 25


@cache
def fit(name: str, nagq: int) -> me.GlmmResult:
    data = VALUES[name]["data"]
    return me.glmer("y ~ x + (1 | g)", data, "inverse_gaussian", link=name, weights="w", nagq=nagq)


@each_link
def test_quadrature_is_maximum_likelihood(link):
    found, exact = fit(link.name, NODES.get(link.name, 25)), VALUES[link.name]["exact"]
    assert found.optimum.converged
    assert found.criterion == pytest.approx(exact["deviance"], abs=1e-6)
    sd, phi = np.sqrt(found.varcorr.covariance["g"].iloc[0, 0]), found.dispersion
    assert (np.abs(found.fixef - exact["beta"]) < 1e-4 * np.array(exact["se"])).all()
    assert abs(np.log(sd / exact["sd"])) < 1e-4 * exact["se_log_sd"]
    assert abs(np.log(phi / exact["phi"])) < 1e-4 * exact["se_log_phi"]


@each_link
def test_standard_errors_are_those_of_the_likelihood(link):
    found = fit(link.name, NODES.get(link.name, 25))
    np.testing.assert_allclose(found.std_errors, VALUES[link.name]["exact"]["se"], rtol=1e-4)


@each_link
@pytest.mark.parametrize("information", ["observed", "expected"])
def test_the_laplace_approximation_is_that_of_dense_differences(link, information):
    case = VALUES[link.name]
    rows = design("y ~ x + (1 | g) + (1 | h)", case["data"], weights="w")
    criterion = laplace_criterion(rows, InverseGaussian(link), expected=information == "expected")
    wanted, basis = case["laplace"], criterion.basis
    theta = [sd * T[0, 0] for sd, T in zip(wanted["sd"], basis.T, strict=True)]
    x = np.concatenate([theta, basis.R @ wanted["beta"], [np.log(wanted["phi"])]])
    assert [term.group for term in rows.terms] == ["g", "h"]
    assert criterion(x).value == pytest.approx(wanted[information], abs=1e-8)


def error(name: str, nagq: int) -> float:
    return abs(fit(name, nagq).criterion - VALUES[name]["exact"]["deviance"])


def test_more_nodes_come_closer_to_the_integral():
    """Under a log link the density of a row does not vanish as eta grows: 25 nodes are good to 1e-4 only."""
    errors = [error("log", n) for n in (1, 5, 10, 15, 25, 40, 60)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.5
    assert 1e-5 < errors[4] < 1e-4


def test_under_the_inverse_link_the_laplace_approximation_is_exact():
    """The log-density is a parabola in eta = 1 / mu."""
    assert error("inverse", 1) < 1e-8
