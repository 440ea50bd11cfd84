"""Profiles of generalized fits: against constrained minimization, the linear profile, R, and at the ends of ranges."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2
from support import reference
from support.compare import difference
from support.singular import slopes_without_intercepts

import mixedeffects as me
from mixedeffects.inference.constrained import ProfilePoint
from mixedeffects.inference.intervals import confint_profile
from mixedeffects.inference.laplace_profile import Estimates
from mixedeffects.inference.parameters import parameters
from mixedeffects.inference.profile import signed_roots
from mixedeffects.inference.signed_root import SignedRoot

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
    scale = np.sqrt(np.maximum(np.nan_to_num(np.diag(fit.joint_vcov), nan=1.0), 1e-4))

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


# Ends of ranges ---------------------------------------------------------------------------------------------------


def ends_of_the_range(name, kind):
    fit = fitted(name)
    for p, root, _ in profiled(fit, (kind,)):
        for side, end in zip((-1.0, 1.0), root.function.domain, strict=True):
            if np.isfinite(end) and root.solve(1.96 * side, [root.at_estimate()]) == end:
                yield fit, p, root, end


@pytest.mark.parametrize("name", ["slope", "slope by quadrature", "three columns, singular", "crossed, singular"])
def test_limits_at_the_end_of_a_range(name):
    """The deviance next to the end is below the cut-off, or the limit would be before."""
    found = [*ends_of_the_range(name, "sd"), *ends_of_the_range(name, "cor")]
    assert found
    for fit, p, root, end in found:
        limit = root.function.reported(end)
        assert limit in (0.0, -1.0, 1.0)
        value = 1e-3 if p.kind == "sd" else 0.999 * limit
        assert constrained(fit, p, value) < fit.criterion + 1.96**2
        assert root.at(end, root.at_estimate()).point.deviance <= fit.criterion + 1.96**2


def test_correlations_with_a_variance_of_zero_have_no_profile():
    data = slopes_without_intercepts()
    with pytest.warns(me.SingularFitWarning):
        fit = me.glmer("y ~ x + (x | g)", data, "gaussian")
    assert fit.theta[0] < 1e-6 * np.hypot(*fit.theta[1:])  # the criterion is even in it, and flat to the last digit
    exact = replace(fit.solution, theta=np.array([0.0, 0.0, np.hypot(*fit.theta[1:])]))
    fit = replace(fit, solution=exact)
    with pytest.warns(me.SingularFitWarning):
        linear = me.lmer("y ~ x + (x | g)", data, reml=False)
    assert np.isnan(fit.confint(params="cor_x.Intercept|g")).all().all()
    np.testing.assert_allclose(fit.confint(), linear.confint(), rtol=1e-5, atol=1e-8)
    assert len(fit.profile("cor_x.Intercept|g")["cor_x.Intercept|g"].value) == 0


@pytest.fixture(scope="module")
def groups() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(np.arange(15), 10), "x": rng.normal(size=150)})
    data["all"] = (np.arange(150) % 10 < 2).astype(float)
    data["eta"] = 0.2 + data["x"] + 1.2 * rng.normal(size=15)[data["g"]]
    success = rng.random(150) < 1.0 / (1.0 + np.exp(-data["eta"]))
    data["separated"] = np.where(data["all"] == 1.0, 1.0, success)
    data["complete"] = (data["x"] > 0.0).astype(float)
    data["count"] = rng.poisson(np.exp(0.4 * data["eta"]))
    data["none"] = np.where(data["all"] == 1.0, 0, data["count"])
    return data


@pytest.mark.parametrize(
    ("response", "family", "options", "side"),
    [
        ("separated", "binomial", {}, 1),
        ("separated", "binomial", {"nagq": 5}, 1),
        ("separated", "binomial", {"link": "probit"}, 1),
        ("none", "poisson", {}, 0),
    ],
)
def test_a_separated_coefficient_has_one_finite_limit(groups, response, family, options, side):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.ConvergenceWarning)
        fit = me.glmer(f"{response} ~ x + all + (1 | g)", groups, family, **options)
    limits = confint_profile(fit)
    rows = np.column_stack([limits.lower, limits.upper])
    assert rows[3, side] == (np.inf if side else -np.inf)
    assert np.isfinite(np.delete(rows.ravel(), 6 + side)).all()
    assert "the profile of all levels off below the cut-off" in limits.message
    assert ("did not converge" in limits.message) == (not fit.optimum.converged)
    place = next(p for p in parameters(fit) if p.name == "all")
    found = constrained(fit, place, rows[3, 1 - side])
    assert found == pytest.approx(fit.criterion + chi2.ppf(0.95, 1), abs=1e-6)
    curve = fit.profile("all")["all"]
    assert np.abs(curve.zeta[-side]) < 2.0
    assert curve.limits(1.0)[side] == rows[3, side]


def test_completely_separated_data(groups):
    with pytest.warns(me.ConvergenceWarning):
        fit = me.glmer("complete ~ x + (1 | g)", groups)
    limits = fit.confint()
    assert list(limits["upper"]) == [np.inf, np.inf, np.inf]
    assert list(limits["lower"])[:2] == [0.0, -np.inf]
    slope = next(p for p in parameters(fit) if p.name == "x")
    found = constrained(fit, slope, limits["lower"]["x"])
    assert found == pytest.approx(fit.criterion + chi2.ppf(0.95, 1), abs=1e-6)


def test_a_dispersion_without_limit(groups):
    """Counts without overdispersion are as likely under a dispersion of the Poisson distribution."""
    with pytest.warns(me.ConvergenceWarning, match="becomes the Poisson model, which fits as well"):
        fit = me.glmer("count ~ x + (1 | g)", groups, "negative_binomial")
    poisson = me.glmer("count ~ x + (1 | g)", groups, "poisson")
    limits = fit.confint(params="dispersion")
    assert 0.0 < limits["lower"]["dispersion"] < fit.dispersion
    assert limits["upper"]["dispersion"] == np.inf
    assert "the profile of dispersion levels off" in repr(limits)
    curve = fit.profile("dispersion")["dispersion"]
    assert curve.zeta[-1] == pytest.approx(np.sqrt(max(poisson.criterion - fit.criterion, 0.0)), abs=1e-3)


# The public face --------------------------------------------------------------------------------------------------


def test_profiles_are_the_default():
    fit = fitted("binomial")
    limits = fit.confint()
    names = ["sd_Intercept|herd", "Intercept", "period[T.2]", "period[T.3]", "period[T.4]"]
    assert list(limits.index) == names
    pd.testing.assert_frame_equal(fit.profile().confint(), limits, rtol=1e-7)
    table = fit.tidy(conf_int=True, method="profile")
    np.testing.assert_allclose(table["lower"].astype(float), np.roll(limits["lower"], -1), rtol=1e-12)
    assert list(fit.confint(params="beta_").index) == names[1:]
    with pytest.raises(me.DataError, match="choose 'profile', 'wald' or 'bootstrap'"):
        fit.confint("likelihood")


@pytest.mark.parametrize("name", MODELS)
def test_curves_rise_through_the_estimate(name):
    fit = fitted(name)
    for curve in fit.profile("theta_" if fit.nagq == 0 else None):
        assert (np.diff(curve.value) > 0).all()
        assert (np.diff(curve.zeta) > -1e-7).all()
        if len(curve.value):
            assert curve.zeta[curve.value == curve.estimate] == pytest.approx([0.0])
            limits = {"sd": (0.0, np.inf), "cor": (-1.0, 1.0)}.get(curve.name.split("_")[0], (-np.inf, np.inf))
            assert curve.value[0] == pytest.approx(limits[0]) or curve.zeta[0] < -2.5
            assert curve.value[-1] == pytest.approx(limits[1]) or curve.zeta[-1] > 2.5
            assert len(curve.value) <= 24


def test_the_fast_approximation_has_no_profile_of_coefficients():
    fit = fitted("fast")
    for call in (fit.confint, fit.profile):
        with pytest.raises(
            me.DataError, match=r"with nagq=0 coefficients have no profile \(Intercept, period.*'theta_'"
        ):
            call()
    assert list(fit.confint(params="theta_").index) == ["sd_Intercept|herd"]


def test_names_of_the_scale():
    assert fitted("gamma").profile("theta_").names == ("sd_Intercept|g", "sigma")
    assert fitted("negative binomial").profile("theta_").names == ("sd_Intercept|g", "dispersion")
    assert fitted("poisson").profile("theta_").names == ("sd_Intercept|subject",)


def test_frame_in_the_library_of_the_data():
    pl = pytest.importorskip("polars")
    fit = me.glmer("y ~ lbase + (1 | subject)", pl.from_pandas(reference.load_data("epil")), "poisson")
    frame = fit.profile("lbase").to_frame()
    assert isinstance(frame, pl.DataFrame)
    assert frame.columns == ["param", "value", "zeta"]


def test_a_lower_minimum_is_an_error():
    fit = fitted("binomial")
    for p, root, _ in profiled(fit):
        wrong = SignedRoot(root.function, fit.criterion + 1.0)
        with pytest.raises(me.ConvergenceError, match="local minimum") as error:
            wrong.at(root.function.estimate, root.at_estimate())
        assert p.name in str(error.value)


def test_a_loaded_fit_has_the_same_profile():
    fit = fitted("slope")
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_allclose(again.confint(), fit.confint(), rtol=1e-7)


def test_profiles_do_not_depend_on_units():
    data = counts((0.5, 0.3, 0.3))
    fit = me.glmer("y ~ a + (a | g)", data, "poisson")
    other = me.glmer("y ~ a + (a | g)", data.assign(a=1e4 * data["a"]), "poisson")
    factor = np.array([1.0, 1.0, 1e4, 1.0, 1e4])[:, None]
    np.testing.assert_allclose(other.confint() * factor, fit.confint(), rtol=1e-6)
    linear = me.glmer("Reaction ~ Days + (Days | Subject)", reference.load_data("sleepstudy"), "gaussian")
    data = reference.load_data("sleepstudy").assign(Reaction=lambda d: 1e-5 * d["Reaction"])
    small = me.glmer("Reaction ~ Days + (Days | Subject)", data, "gaussian")
    factor = np.array([1e5, 1.0, 1e5, 1e5, 1e5, 1e5])[:, None]
    np.testing.assert_allclose(small.confint() * factor, linear.confint(), rtol=1e-5)


def test_the_picture():
    plt = pytest.importorskip("matplotlib.pyplot")
    axes = fitted("slope").profile().plot()
    assert [ax.get_xlabel() for ax in axes[:2]] == ["sd_Intercept|district", "cor_urban[T.Y].Intercept|district"]
    plt.close("all")


# The search along a profile ---------------------------------------------------------------------------------------


class Curve:
    """A profile deviance without other parameters, given by a function and its derivative."""

    name, domain, reach, ceiling, uncorrelated = "curve", (-np.inf, np.inf), 1.0, np.inf, np.zeros(0)

    def __init__(self, function, derivative, estimate=0.0):
        self.function, self.derivative, self.estimate = function, derivative, estimate

    def reported(self, position):
        return position

    def at_estimate(self):
        return self.at(self.estimate, self.uncorrelated)

    def at(self, position, others, *, rough=False):
        return ProfilePoint(
            position=position,
            others=others,
            deviance=self.function(position),
            slope=self.derivative(position),
            curvature=2.0,
            tangent=np.zeros(0),
        )


def solved(curve, target):
    root = SignedRoot(curve, curve.function(curve.estimate))
    return root.solve(target, [root.at_estimate()])


def test_a_profile_that_rises_slowly_has_its_limit():
    curve = Curve(lambda x: 0.4 * np.log1p(x**2), lambda x: 0.8 * x / (1.0 + x**2))
    assert solved(curve, 1.96) == pytest.approx(np.sqrt(np.expm1(1.96**2 / 0.4)), rel=1e-6)


@pytest.mark.parametrize("top", [3.7, 3.84])
def test_a_profile_that_levels_off_just_below_has_none(top):
    curve = Curve(lambda x: top * x**2 / (1.0 + x**2), lambda x: 2.0 * top * x / (1.0 + x**2) ** 2)
    assert solved(curve, 1.96) == np.inf
    assert solved(curve, -1.96) == -np.inf
    assert solved(curve, 1.9) == pytest.approx(np.sqrt(1.9**2 / (top - 1.9**2)), rel=1e-6)


def test_an_estimate_far_out_is_left_for_the_limit_on_the_other_side():
    curve = Curve(lambda x: 2.0 * np.logaddexp(0.0, -3.0 * x), lambda x: -6.0 * expit(-3.0 * x), estimate=2000.0)
    assert solved(curve, 1.96) == np.inf
    assert solved(curve, -1.96) == pytest.approx(-np.log(np.expm1(1.96**2 / 2.0)) / 3.0, rel=1e-6)
