"""The profile deviance: derivatives against differences, minima against other optimizers, the signed root."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from support import fits, reference
from support.compare import assert_close, difference
from support.designs import criterion_of
from support.shapes import shapes, thetas
from support.singular import slopes_without_intercepts

import mixedeffects as me
from mixedeffects.criterion.reference import from_design
from mixedeffects.errors import ConvergenceError, DataError
from mixedeffects.inference.deviance import Deviance
from mixedeffects.inference.parameters import parameters
from mixedeffects.inference.profile import profile, signed_roots
from mixedeffects.inference.signed_root import SignedRoot, _inverse_hermite

SHAPES = [shape for shape in shapes() if shape.X.shape[1]]


def weighted_sleepstudy(formula="Reaction ~ Days + (Days | Subject)"):
    data = reference.load_data("sleepstudy")
    data["w"], data["o"] = np.resize([0.5, 1.0, 2.0], 180), np.resize([5.0, -3.0, 2.0, 8.0], 180)
    return me.lmer(formula, data, weights="w", offset="o", reml=False)


MODELS = {
    "correlated slope": lambda: fits.quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy", reml=False),
    "independent slope": lambda: fits.quiet_fit("Reaction ~ Days + (Days || Subject)", "sleepstudy", reml=False),
    "three columns": lambda: fits.quiet_fit("score ~ Machine + (Machine | Worker)", "Machines", reml=False),
    "crossed": lambda: fits.quiet_fit("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", reml=False),
    "nested": lambda: fits.quiet_fit("score ~ Machine + (1 | Worker/Machine)", "Machines", reml=False),
    "singular": lambda: fits.quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2", reml=False),
    "weights and offset": weighted_sleepstudy,
}


@pytest.fixture(params=MODELS)
def fit(request):
    return MODELS[request.param]()


def roots(fit):
    return [(p, root, estimate) for p, root, estimate in signed_roots(fit, parameters(fit)) if root is not None]


# The deviance of theta and log sigma ------------------------------------------------------------------------------


def inside(shape):
    kinds = thetas(shape.terms)
    return kinds["inside"] if "inside" in kinds else next(iter(kinds.values()))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_deviance_is_that_of_the_normal_density(shape):
    theta, sigma = inside(shape), 0.7
    criterion = criterion_of(shape, reml=False)
    dense = replace(shape.criterion(), reml=False)
    n = len(shape.y)
    V = np.diag(np.ones(n) if shape.weights is None else 1 / shape.weights)
    for t, F in zip(shape.terms, dense.factors(theta), strict=True):
        V = V + t.covariance(F @ F.T)
    r = shape.y - shape.X @ dense.evaluate(theta).beta
    expected = np.linalg.slogdet(2 * np.pi * sigma**2 * V)[1] + r @ np.linalg.solve(V, r) / sigma**2
    got = Deviance(criterion)(theta, np.log(sigma), criterion.transforms)
    assert got.value == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_derivatives_of_the_deviance(shape):
    """In rotated columns, away from the best sigma."""
    criterion = criterion_of(shape, reml=False)
    rng = np.random.default_rng(3)
    change = [np.linalg.qr(rng.normal(size=(k, k)))[0] for k in criterion.layout.block_widths]
    deviance, at = Deviance(criterion), np.append(inside(shape), 0.3)
    found = deviance(at[:-1], at[-1], change)
    for e, direction in enumerate(np.eye(len(at))):
        slope = difference(lambda z: deviance(z[:-1], z[-1], change).value, at, direction)
        row = difference(lambda z: deviance(z[:-1], z[-1], change).gradient, at, direction)
        assert slope == pytest.approx(found.gradient[e], abs=1e-8 * np.abs(found.gradient).max())
        assert_close(row, found.hessian[e], 1e-8, scale=np.abs(found.hessian).max())


# Coordinates ------------------------------------------------------------------------------------------------------


def test_coordinates_start_at_the_estimates(fit):
    for p, root, estimate in roots(fit):
        if p.kind == "coefficient":
            continue
        function = root.function
        assert function.reported(function.estimate) == pytest.approx(estimate, abs=1e-9)
        here = function.derivatives(function._coordinates.estimate)
        assert here.value == pytest.approx(fit.criterion, abs=1e-8)


def test_derivatives_in_the_coordinates(fit):
    rng = np.random.default_rng(5)
    for p, root, _ in roots(fit):
        if p.kind == "coefficient":
            continue
        function = root.function
        at = function._coordinates.estimate + rng.uniform(0.02, 0.1, len(function._coordinates.estimate))
        found = function.derivatives(at)
        for e, direction in enumerate(np.eye(len(at))):
            slope = difference(lambda z, f=function: f.derivatives(z).value, at, direction)
            row = difference(lambda z, f=function: f.derivatives(z).gradient, at, direction)
            assert slope == pytest.approx(found.gradient[e], abs=1e-7 * np.abs(found.gradient).max())
            assert_close(row, found.hessian[e], 1e-7, scale=np.abs(found.hessian).max())


def test_the_first_coordinate_is_the_parameter(fit):
    """Read off the covariance matrices, and away from the estimates."""
    rng = np.random.default_rng(6)
    criterion = fit.objective
    for p, root, _ in roots(fit):
        if p.kind == "coefficient":
            continue
        coordinates = root.function._coordinates
        psi = coordinates.estimate + rng.uniform(0.02, 0.2, len(coordinates.estimate))
        z, _ = coordinates.expand(psi)
        sigma = np.exp(z[-1])
        if p.kind == "sigma":
            assert coordinates.reported(psi[0]) == pytest.approx(sigma)
            continue
        place = criterion.layout.columns_of(p.term)
        change = coordinates.transforms[criterion.layout.block_of[p.term]][place, place]
        factor = sigma * np.linalg.solve(criterion.basis.T[p.term], change @ criterion.layout.factors(z[:-1])[p.term])
        S = factor @ factor.T
        sd = np.sqrt(np.diag(S))
        expected = sd[p.row] if p.kind == "sd" else S[p.row, p.column] / (sd[p.row] * sd[p.column])
        assert coordinates.reported(psi[0]) == pytest.approx(expected, rel=1e-10)


# Points of the profile --------------------------------------------------------------------------------------------


def test_slopes_and_curvatures_are_those_of_the_profile(fit):
    for p, root, _ in roots(fit):
        start = root.at_estimate()
        scale = 1.0 / start.slope
        position = start.position + 0.8 * scale
        if p.kind == "cor" and root.function.ceiling < np.inf:
            position = min(position, 0.9 * root.function.domain[1])
        point = root.at(position, start).point

        def deviance(x, root=root, start=start):
            return root.at(float(x[0]), start).point.deviance

        step = 1e-2 * scale
        slope = difference(deviance, np.array([position]), np.array([1.0]), step=step)
        assert slope == pytest.approx(point.slope, abs=1e-5 / scale)
        if p.kind != "coefficient":
            curvature = (deviance([position + step]) - 2 * point.deviance + deviance([position - step])) / step**2
            assert curvature == pytest.approx(point.curvature, abs=2e-3 / scale**2)


@pytest.mark.parametrize(("pair", "value"), [((2, 0), -0.8), ((1, 0), 0.8), ((2, 1), 0.9), ((2, 1), -0.7)])
def test_a_correlation_against_another_optimizer(pair, value):
    """All covariances are free here, where R's profile constrains the other correlations one by one."""
    fit = MODELS["three columns"]()
    criterion, (row, column) = fit.objective, pair

    def correlation(theta):
        L = criterion.layout.factors(theta)[0]
        S = L @ L.T
        return S[row, column] / np.sqrt(S[row, row] * S[column, column])

    found = minimize(
        lambda theta: criterion.evaluate(theta).value,
        fit.theta,
        jac=lambda theta: criterion.evaluate(theta).gradient,
        method="SLSQP",
        constraints={"type": "eq", "fun": lambda theta: correlation(theta) - value},
        options={"maxiter": 500, "ftol": 1e-13},
    )
    assert found.success
    root = next(root for p, root, _ in roots(fit) if p.kind == "cor" and (p.row, p.column) == pair)
    assert root.at(np.arcsin(value), root.at_estimate()).point.deviance == pytest.approx(found.fun, abs=1e-6)


@pytest.mark.parametrize("column", [0, 1])
def test_a_coefficient_against_the_dense_model(column):
    """With weights and an offset, for which R's profile of the coefficients is wrong."""
    fit = MODELS["weights and offset"]()
    root = next(root for p, root, _ in roots(fit) if p.kind == "coefficient" and p.row == column)
    value = root.function.estimate + 2.0 * fit.std_errors.iloc[column]
    dense = from_design(fit.model, reml=False)
    dense = replace(dense, y=dense.y - value * dense.X[:, column], X=np.delete(dense.X, column, axis=1))
    found = minimize(
        lambda theta: dense.evaluate(theta).value,
        fit.theta,
        jac=lambda theta: dense.evaluate(theta).gradient,
        method="BFGS",
        options={"gtol": 1e-7},
    )
    assert root.at(value, root.at_estimate()).point.deviance == pytest.approx(found.fun, abs=1e-7)


def test_points_are_minima_over_everything_else(fit):
    """Random moves of the other coordinates never go below a point."""
    rng = np.random.default_rng(11)
    for p, root, _ in roots(fit):
        if p.kind == "coefficient":
            continue
        function, start = root.function, root.at_estimate()
        knot = root.at(min(start.position + 1.5 / start.slope, 0.95 * function.domain[1]), start)
        for size in (1e-3, 1e-2, 1e-1):
            moved = np.append(knot.position, knot.point.others + size * rng.normal(size=len(knot.point.others)))
            moved = np.maximum(moved, function._coordinates.lower)
            assert function.derivatives(moved).value >= knot.point.deviance - 1e-9


def test_a_profile_of_a_correlation_stays_below_its_ceiling():
    """A model without one of the two effects comes near to every correlation."""
    fit = fits.quiet_fit("distance ~ age * Sex + (age | Subject)", "Orthodont", reml=False)
    without = fits.quiet_fit("distance ~ age * Sex + (1 | Subject)", "Orthodont", reml=False)
    curve = profile(fit, "cor_age.Intercept|Subject")["cor_age.Intercept|Subject"]
    assert curve.zeta[0] == pytest.approx(-np.sqrt(without.criterion - fit.criterion), abs=1e-6)
    assert (np.diff(curve.zeta) >= -1e-9).all()
    assert curve.value[[0, -1]] == pytest.approx([-1.0, 1.0])


def test_a_lower_minimum_is_an_error():
    fit = MODELS["nested"]()
    for p, root, _ in roots(fit):
        wrong = SignedRoot(root.function, fit.criterion + 1.0)
        with pytest.raises(ConvergenceError, match="local minimum") as error:
            wrong.at(root.function.estimate, root.at_estimate())
        assert p.name in str(error.value)


# The curves -------------------------------------------------------------------------------------------------------


def test_curves_rise_through_the_estimate(fit):
    for curve in profile(fit):
        assert (np.diff(curve.value) > 0).all()
        assert (np.diff(curve.zeta) > 0).all()
        assert curve.zeta[curve.value == curve.estimate] == pytest.approx([0.0])
        limits = {"sd": (0.0, np.inf), "cor": (-1.0, 1.0)}.get(curve.name.split("_")[0], (-np.inf, np.inf))
        assert curve.value[0] == pytest.approx(limits[0]) or curve.zeta[0] < -2.5
        assert curve.value[-1] == pytest.approx(limits[1]) or curve.zeta[-1] > 2.5
        assert 8 <= len(curve.value) <= 24


@pytest.mark.parametrize("case_id", ["sleep_dbar", "sleep_int", "dyestuff", "penicillin"])
def test_zeta_of_every_point_that_R_computed(case_id):
    case = reference.load_case(f"prof_{case_id}", "confint")
    formula, frame, keywords = reference.call(dict(case, REML=False))
    fit = me.lmer(formula, frame, **keywords)
    table = case["zeta_table"]
    for p, root, _ in roots(fit):
        name = p.name.replace("Intercept", "(Intercept)")
        knot = root.at_estimate()
        for focal, zeta, of in zip(table[".focal"], table[".zeta"], table[".par"], strict=True):
            if of == name and abs(zeta) > 1e-3 and (p.kind != "sd" or focal > 0.0):
                position = np.log(focal) if p.kind == "sigma" else focal
                if p.kind == "sd":
                    position = focal * root.function.estimate / root.function.reported(root.function.estimate)
                assert root.at(float(position), knot).zeta == pytest.approx(zeta, abs=2e-3)


def test_frame_of_points():
    fit = MODELS["crossed"]()
    whole = profile(fit)
    frame = whole.to_frame()
    assert list(frame.columns) == ["param", "value", "zeta"]
    assert list(dict.fromkeys(frame["param"])) == list(whole.names)
    assert len(frame) == sum(len(curve.value) for curve in whole)
    assert len(whole) == 4
    assert profile(fit, "sigma").names == ("sigma",)
    with pytest.raises(DataError, match="no profile of 'nothing'"):
        whole["nothing"]


def test_frame_in_the_library_of_the_data():
    pl = pytest.importorskip("polars")
    fit = me.lmer("Yield ~ 1 + (1 | Batch)", pl.from_pandas(reference.load_data("Dyestuff")), reml=False)
    assert isinstance(profile(fit, "sigma").to_frame(), pl.DataFrame)


def test_undefined_correlations_have_no_points():
    with pytest.warns(me.SingularFitWarning):
        fit = me.lmer("y ~ x + (x | g)", slopes_without_intercepts(), reml=False)
    curve = profile(fit, ["cor_x.Intercept|g"])["cor_x.Intercept|g"]
    assert np.isnan(curve.estimate)
    assert len(curve.value) == len(curve.zeta) == 0


def test_inverse_interpolation_is_exact_for_a_cubic():
    fit = MODELS["crossed"]()
    knot = roots(fit)[0][1].at_estimate()

    def cubic(zeta):
        return 1.0 + 2.0 * zeta + 0.3 * zeta**2 + 0.1 * zeta**3, 1.0 / (2.0 + 0.6 * zeta + 0.3 * zeta**2)

    a, b = (
        replace(knot, zeta=zeta, slope=cubic(zeta)[1], point=replace(knot.point, position=cubic(zeta)[0]))
        for zeta in (0.5, 2.5)
    )
    for target in (0.7, 1.96, 2.4):
        assert _inverse_hermite(target, a, b) == pytest.approx(cubic(target)[0], rel=1e-12)
