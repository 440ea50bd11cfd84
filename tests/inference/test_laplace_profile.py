"""Profiles of generalized fits: against constrained minimization, the linear profile, R, and at the ends of ranges."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2
from support import reference
from support.compare import difference

import mixedeffects as me
from mixedeffects.inference.intervals import confint_profile
from mixedeffects.inference.laplace_profile import Estimates
from mixedeffects.inference.parameters import parameters
from mixedeffects.inference.profile import signed_roots

HERDS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
MODELS = {
    "binomial": (HERDS, "cbpp", "binomial", {}),
    "fast": (HERDS, "cbpp", "binomial", {"nagq": 0}),
    "quadrature": (HERDS, "cbpp", "binomial", {"nagq": 7}),
    "probit": (HERDS, "cbpp", "binomial", {"link": "probit"}),
    "poisson": ("y ~ trt + lbase + (1 | subject)", "epil", "poisson", {}),
    "slope": ("use ~ urban + (urban | district)", "Contraception", "binomial", {}),
    "slope by quadrature": ("use ~ urban + (urban | district)", "Contraception", "binomial", {"nagq": 5}),
    "independent slope": ("use ~ age + (age || district)", "Contraception", "binomial", {}),
    "gamma": ("y ~ x + tr + (1 | g)", "sim_gamma", "gamma", {"link": "log"}),
    "negative binomial": ("ynb ~ x + (1 | g)", "sim_count", "negative_binomial", {}),
    "gaussian": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian", {}),
}


THREE = "y ~ a + x + (a + x | g)"
MODELS |= {
    "three columns": (THREE, (0.5, 0.3, 0.3), "poisson", {}),
    "three columns by quadrature": (THREE, (0.5, 0.3, 0.3), "poisson", {"nagq": 3}),
    "three columns, singular": (THREE, (0.5, 0.1, 0.0), "poisson", {}),
    "three columns, singular, by quadrature": (THREE, (0.5, 0.1, 0.0), "poisson", {"nagq": 3}),
    "crossed, singular": ("y ~ a + x + (a | g) + (x || h)", (0.3, 0.0, 0.0), "poisson", {}),
}


def counts(sds: tuple[float, float, float]) -> pd.DataFrame:
    """Counts in 24 groups that vary in three columns, crossed with 10 levels that do not."""
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(24), 12)
    frame = pd.DataFrame({"g": g, "a": rng.normal(size=288), "x": 0.5 + rng.normal(size=288)})
    frame["h"] = rng.permutation(np.arange(288) % 10)
    b = rng.normal(size=(24, 3)) * np.array(sds)
    b[:, 1] += 0.5 * b[:, 0] * (sds[1] > 0.0)
    columns = np.column_stack([np.ones(288), frame["a"], frame["x"]])
    eta = columns @ [0.5, 0.3, -0.2] + (b[g] * columns).sum(axis=1)
    return frame.assign(y=rng.poisson(np.exp(eta)))


@cache
def fitted(name: str) -> me.GlmmResult:
    formula, dataset, family, options = MODELS[name]
    frame = reference.load_data(dataset) if isinstance(dataset, str) else counts(dataset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        return me.glmer(formula, frame.iloc[:800] if dataset == "Contraception" else frame, family, **options)


@pytest.fixture(params=MODELS)
def fit(request):
    return fitted(request.param)


def profiled(fit, kinds=("sd", "cor", "sigma", "coefficient")):
    chosen = [p for p in parameters(fit) if p.kind in kinds and not (fit.nagq == 0 and p.kind == "coefficient")]
    return list(signed_roots(fit, chosen))


def value_of(fit, parameter, x):
    """The parameter on its own scale, by its definition."""
    criterion = fit.likelihood
    theta, beta, t = criterion.split(x)
    if parameter.kind == "coefficient":
        return np.linalg.solve(criterion.basis.R, beta)[parameter.row]
    if parameter.kind == "sigma":
        return np.exp(0.5 * t) if fit.distribution.scaled else np.exp(t)
    L = np.linalg.solve(criterion.basis.T[parameter.term], criterion.layout.factors(theta)[parameter.term])
    S = L @ L.T
    sd = np.sqrt(np.diag(S))
    r, c = parameter.row, parameter.column
    return sd[r] if parameter.kind == "sd" else S[r, c] / (sd[r] * sd[c])


def constrained(fit, parameter, value):
    """The criterion minimized with the parameter fixed, by sequential quadratic programming from the estimates.

    Zeros of theta are left first, where the gradient vanishes whether there is a minimum or not.
    """
    criterion, near = fit.likelihood, Estimates(fit).point
    start = np.where(Estimates(fit).x == 0.0, 0.1, Estimates(fit).x)
    scale = np.sqrt(np.maximum(np.diag(fit.joint_vcov), 1e-4))

    def at(z):
        return criterion(z * scale, near)

    found = minimize(
        lambda z: at(z).value,
        start / scale,
        jac=lambda z: at(z).gradient * scale,
        method="SLSQP",
        constraints={"type": "eq", "fun": lambda z: value_of(fit, parameter, z * scale) - value},
        options={"maxiter": 500, "ftol": 1e-12},
    )
    return found.fun


# Against other computations ---------------------------------------------------------------------------------------


def gradient_in(root, psi, near):
    at = root.function._evaluate(psi, psi, np.arange(len(psi)), near)
    return at.value, at.whole


def test_derivatives_in_the_coordinates(fit):
    """Off the estimates, and in rotated columns."""
    rng = np.random.default_rng(6)
    for _, root, _ in profiled(fit):
        if root is None:
            continue
        coordinates, near = root.function._coordinates, root.function._first.at.point
        psi = coordinates.lifted(coordinates.estimate, 0.2)
        psi = psi + 20.0 * coordinates.step * rng.uniform(0.5, 1.0, len(psi))
        psi[0] = np.clip(psi[0], 0.9 * max(coordinates.domain[0], -1e9), 0.9 * min(coordinates.domain[1], 1e9))
        _, found = gradient_in(root, psi, near)
        for e, direction in enumerate(np.eye(len(psi))):
            step = coordinates.step[e]
            slope = difference(lambda z, r=root, n=near: gradient_in(r, z, n)[0], psi, direction, step=step)
            assert slope == pytest.approx(found[e], abs=1e-8 / step)


def test_the_first_coordinate_is_the_parameter(fit):
    rng = np.random.default_rng(7)
    for p, root, estimate in profiled(fit):
        if root is None:
            assert np.isnan(estimate)
            continue
        function, coordinates = root.function, root.function._coordinates
        assert function.reported(function.estimate) == pytest.approx(estimate, rel=1e-7, abs=1e-7)
        assert function.at_estimate().deviance == pytest.approx(fit.criterion, abs=1e-8)
        psi = coordinates.lifted(coordinates.estimate, 0.2)
        psi = psi + 20.0 * coordinates.step * rng.uniform(0.5, 1.0, len(psi))
        psi[0] = np.clip(psi[0], 0.9 * max(coordinates.domain[0], -1e9), 0.9 * min(coordinates.domain[1], 1e9))
        value = value_of(fit, p, coordinates.parameters(psi))
        assert function.reported(psi[0]) == pytest.approx(value, rel=1e-10)


@pytest.mark.parametrize("level", [0.95, 0.4])
def test_limits_are_where_the_constrained_minimum_is_the_quantile_above(fit, level):
    for p, root, _ in profiled(fit):
        if root is None:
            continue
        knot = root.at_estimate()
        for side in (-1.0, 1.0):
            quantile = np.sqrt(chi2.ppf(level, 1))
            position = root.solve(side * quantile, [knot])
            if position in root.function.domain:
                continue
            found = constrained(fit, p, root.function.reported(position))
            assert found == pytest.approx(fit.criterion + quantile**2, abs=1e-6), (p.name, side)


def test_gaussian_profiles_are_those_of_the_linear_model():
    """The Laplace approximation is exact there."""
    fit = fitted("gaussian")
    linear = me.lmer(fit.formula, reference.load_data("sleepstudy"), reml=False)
    for level in (0.95, 0.5):
        ours, theirs = confint_profile(fit, level), confint_profile(linear, level)
        assert ours.names == theirs.names
        width = theirs.upper - theirs.lower
        np.testing.assert_allclose(ours.lower / width, theirs.lower / width, rtol=0, atol=1e-7)
        np.testing.assert_allclose(ours.upper / width, theirs.upper / width, rtol=0, atol=1e-7)
    for ours, theirs in zip(fit.profile(), linear.profile(), strict=True):
        zeta = np.interp(ours.value, theirs.value, theirs.zeta)
        np.testing.assert_allclose(ours.zeta, zeta, rtol=0, atol=0.05)


R_CASES = {"binomial": "prof_cbpp", "poisson": "prof_epil", "slope": "prof_contraception"}


@pytest.mark.parametrize("name", R_CASES)
@pytest.mark.parametrize("level", ["0.95", "0.8"])
def test_limits_are_those_of_R(name, level):
    """R's own by splines, and the roots of its profile; its minima come out too high, so that it has shorter intervals.

    The spline of a correlation whose interval reaches to both ends is off by 0.016 of the width.
    """
    case = reference.load_case(R_CASES[name], "confint")
    found = fitted(name).confint(level=float(level)).to_numpy()
    by_spline, by_root = (reference.matrix(case[kind][level]) for kind in ("profile", "exact"))
    width = (by_root[:, 1] - by_root[:, 0])[:, None]
    assert np.abs((found - by_spline) / width).max() < (2e-2 if name == "slope" else 1e-3)
    longer = (found - by_root) / width * np.array([-1.0, 1.0])
    assert longer.min() > -2e-6
    assert longer.max() < 1e-3


@pytest.mark.parametrize("name", ["binomial", "poisson"])
def test_no_point_that_R_computed_is_lower(name):
    table = reference.load_case(R_CASES[name], "confint")["zeta_table"]
    gaps = []
    for p, root, _ in profiled(fitted(name)):
        knot = root.at_estimate()
        for focal, zeta, of in zip(table[".focal"], table[".zeta"], table[".par"], strict=True):
            if of.replace("(Intercept)", "Intercept") == p.name.replace("[T.", "").replace("]", ""):
                position = focal if p.kind != "sd" else focal / root.function.reported(1.0)
                gaps.append(zeta**2 - root.at(float(position), knot).zeta ** 2)
    assert len(gaps) == len(table[".zeta"])
    assert min(gaps) > -1e-6
    assert max(gaps) < 1e-2
    assert np.median(gaps) < 2e-4
