"""What the certificate says of minima, saddles and boundaries, true and false."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from support import reference
from support.compare import assert_close
from support.singular import correlated_slopes, slopes_without_intercepts, symmetric_in_two_factors

import mixedeffects as me

CHEM97 = "score ~ gcsecnt + (1 | school) + (1 | lea)"


@pytest.fixture(scope="module")
def chem97():
    return me.datasets.load("Chem97")


@pytest.fixture(scope="module")
def false_boundary(chem97):
    """The best theta with the variance of `lea` at 0."""
    return [float(me.lmer("score ~ gcsecnt + (1 | school)", chem97).theta[0]), 0.0]


def test_a_false_boundary_is_no_minimum(chem97, false_boundary):
    fit = me.lmer(CHEM97, chem97, control=me.Control(fixed_theta=false_boundary))
    assert fit.criterion == pytest.approx(141698.62875849, abs=1e-6)
    assert not fit.optimum.converged
    (direction,) = fit.optimum.boundary
    assert (direction.term, direction.direction) == ("lea", "the variance of Intercept is 0")
    assert direction.derivative < -1000.0
    assert fit.optimum.newton_decrement < 1e-9, "the gradient does not tell"
    assert fit.optimum.min_eigenvalue > 0.0, "nor does the Hessian in the free parameters"
    assert "not a minimum: the criterion falls as variance is allowed where there is none (lea" in fit.optimum.message


def test_the_minimum_is_found_from_the_start_and_from_the_false_boundary(chem97, false_boundary):
    fit = me.lmer(CHEM97, chem97)
    assert fit.criterion == pytest.approx(141696.98814930, abs=1e-6)
    assert fit.optimum.converged
    assert not fit.optimum.boundary
    again = me.lmer(CHEM97, chem97, start=false_boundary)
    assert again.criterion == pytest.approx(fit.criterion, abs=1e-7)
    assert again.optimum.converged
    assert again.theta[1] > 0.05


def test_a_saddle_is_called_a_saddle_and_left():
    data = symmetric_in_two_factors()
    formula = "y ~ 1 + (1 | a) + (1 | b)"
    any_fit = me.lmer(formula, data, control=me.Control(fixed_theta=[0.4, 0.4]))
    equal = brentq(lambda t: any_fit.evaluate([t, t]).gradient[0], 0.3, 0.6, xtol=1e-13)
    saddle = me.lmer(formula, data, control=me.Control(fixed_theta=[equal, equal]))
    at = saddle.evaluate()
    assert_close(at.gradient, [0.0, 0.0], 1e-10, scale=1.0)
    low, high = np.linalg.eigvalsh(at.hessian)
    assert low < -5.0
    assert high > 5.0
    assert not saddle.optimum.converged
    assert saddle.optimum.newton_decrement < 1e-15
    assert "not a minimum but a saddle" in saddle.optimum.message
    with pytest.warns(me.SingularFitWarning):
        left = me.lmer(formula, data, start=[equal, equal])
    assert left.optimum.converged
    assert left.criterion < saddle.criterion - 0.5
    np.testing.assert_array_equal(np.sort(left.theta)[:1], [0.0])


# ---- singular fits ---------------------------------------------------------------------------------------------------


def singular(formula, data, **keywords):
    with pytest.warns(me.SingularFitWarning) as caught:
        fit = me.lmer(formula, data, **keywords)
    assert len(caught) == 1
    assert fit.is_singular
    assert fit.optimum.converged
    assert fit.optimum.newton_decrement <= 1e-9
    assert all(b.derivative >= 0.0 for b in fit.optimum.boundary)
    assert all(b.direction in str(caught[0].message) for b in fit.optimum.boundary)
    for L in fit.objective.layout.factors(fit.theta):
        np.testing.assert_array_equal(np.triu(L, 1), 0.0)
        assert (np.diag(L) >= 0.0).all()
        assert not L[:, np.diag(L) == 0.0].any()
    return fit


@pytest.mark.parametrize("reml", [True, False])
def test_a_variance_of_zero(reml):
    fit = singular("Yield ~ 1 + (1 | Batch)", me.datasets.load("Dyestuff2"), reml=reml)
    np.testing.assert_array_equal(fit.theta, [0.0])
    (direction,) = fit.optimum.boundary
    assert (direction.term, direction.direction) == ("Batch", "the variance of Intercept is 0")
    assert np.isnan(fit.optimum.min_eigenvalue)
    assert "a minimum on the boundary" in fit.optimum.message
    numeric = (fit.evaluate([1e-4]).value - fit.criterion) / 1e-8
    assert direction.derivative == pytest.approx(numeric, rel=1e-3), "the derivative in the relative variance"


@pytest.mark.parametrize(("seed", "slope", "sign"), [(1, 0.3, "+1"), (4, 0.3, "+1"), (0, -0.3, "-1"), (2, -0.3, "-1")])
def test_a_perfect_correlation(seed, slope, sign):
    data = correlated_slopes(seed, [[2.0 if slope < 0 else 1.0], [slope]])
    fit = singular("y ~ x + (x | g)", data)
    assert fit.theta[2] == 0.0
    assert fit.theta[0] > 0.0
    correlation = float(np.sign(fit.theta[1]))
    assert correlation == float(sign)
    (direction,) = fit.optimum.boundary
    assert direction.direction == f"the correlation of Intercept and x is {sign}"
    assert fit.optimum.min_eigenvalue > 0.0
    for interior in (1e-2, 1e-3):
        assert fit.evaluate([fit.theta[0], fit.theta[1], interior]).value > fit.criterion


def test_three_columns_of_rank_one():
    fit = singular("y ~ x + (x + z | g)", correlated_slopes(1, [[1.0], [0.3], [-0.8]]))
    np.testing.assert_array_equal(fit.theta[3:], 0.0)
    (direction,) = fit.optimum.boundary
    assert direction.direction.startswith("Intercept, x and z vary in 1 of 3 directions only: ")


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_three_columns_of_rank_two(seed):
    fit = singular("y ~ x + (x + z | g)", correlated_slopes(seed, [[1.0, 0.0], [0.3, 0.5], [-0.8, 0.7]]))
    assert fit.theta[5] == 0.0
    assert fit.theta[3] > 0.0
    (direction,) = fit.optimum.boundary
    assert direction.direction.startswith("Intercept, x and z vary in 2 of 3 directions only: ")


def test_only_the_first_variance_is_zero():
    fit = singular("y ~ x + (x | g)", slopes_without_intercepts())
    np.testing.assert_array_equal(fit.theta[:2], 0.0)
    assert fit.theta[2] > 0.5
    (direction,) = fit.optimum.boundary
    assert direction.direction == "the variance of Intercept is 0"
    alone = me.lmer("y ~ x + (0 + x | g)", slopes_without_intercepts())
    assert fit.criterion == pytest.approx(alone.criterion, rel=1e-12)
    assert fit.theta[2] == pytest.approx(float(alone.theta[0]), rel=1e-5)


def test_one_of_two_terms_is_zero():
    data = correlated_slopes(1, [[0.0], [0.5]])
    fit = singular("y ~ x + (x || g)", data)
    assert fit.theta[0] == 0.0
    assert fit.theta[1] > 0.0
    assert fit.criterion == pytest.approx(me.lmer("y ~ x + (0 + x | g)", data).criterion, rel=1e-12)


# ---- points that are not optimized -----------------------------------------------------------------------------------


@pytest.mark.parametrize("theta", [[1.0, 0.1, 0.3], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.2], [0.7, 0.2, 0.0]])
def test_fixed_theta_is_evaluated_and_not_optimized(theta):
    data = me.datasets.load("sleepstudy")
    formula = "Reaction ~ Days + (Days | Subject)"
    fit = me.lmer(formula, data, control=me.Control(fixed_theta=theta))
    expected = me.lmer(formula, data).evaluate(theta)
    assert fit.criterion == pytest.approx(expected.value, rel=1e-13)
    assert_close(fit.theta, theta, 1e-13)
    np.testing.assert_array_equal(fit.theta == 0.0, np.array(theta) == 0.0)
    assert fit.sigma == pytest.approx(expected.sigma, rel=1e-12)
    assert_close(fit.solution.beta, expected.beta, 1e-12)
    assert_close(fit.solution.vcov, expected.vcov, 1e-11)
    assert_close(fit.solution.b[0], expected.b[0], 1e-11, scale=1e-12)
    assert fit.optimum.n_evaluations == 1
    assert not fit.optimum.converged
    assert fit.npar == 3, "two fixed effects and sigma"


def test_fixed_theta_is_made_canonical():
    data = me.datasets.load("sleepstudy")
    formula = "Reaction ~ Days + (Days | Subject)"
    fit = me.lmer(formula, data, control=me.Control(fixed_theta=[-0.9, -0.1, -0.2]))
    assert_close(fit.theta, [0.9, 0.1, 0.2], 1e-12)
    fit = me.lmer(formula, data, control=me.Control(fixed_theta=[0.0, 0.3, 0.4]))
    assert_close(fit.theta, [0.0, 0.0, 0.5], 1e-12)


def test_fixed_theta_at_the_minimum_is_one():
    data = me.datasets.load("sleepstudy")
    formula = "Reaction ~ Days + (Days | Subject)"
    free = me.lmer(formula, data)
    fixed = me.lmer(formula, data, control=me.Control(fixed_theta=list(free.theta)))
    assert fixed.optimum.converged
    assert fixed.criterion == pytest.approx(free.criterion, rel=1e-14)


@pytest.mark.parametrize("option", ["start", "fixed_theta"])
@pytest.mark.parametrize("theta", [[1.0], [1.0, 0.0, 1.0, 1.0], [1.0, np.nan, 1.0]])
def test_theta_of_the_wrong_shape_is_refused(option, theta):
    data = me.datasets.load("sleepstudy")
    with pytest.raises(me.DataError, match=r"theta (has shape|must be finite)"):
        me.lmer("Reaction ~ Days + (Days | Subject)", data, control=me.Control(**{option: theta}))


@pytest.mark.parametrize(
    "start", [[0.0, 0.0, 0.0], [10.0, 0.0, 10.0], [1.0, -1.0, 0.0], [-0.5, 0.3, 1e-8], [100.0, 5.0, 1e-3]]
)
def test_any_start_leads_to_the_minimum(start):
    data = me.datasets.load("sleepstudy")
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", data, start=start)
    assert fit.optimum.converged
    assert fit.criterion == pytest.approx(reference.load_case("sleep_slope_REML")["REMLcrit"], rel=1e-10)


def test_too_few_evaluations_are_reported():
    data = me.datasets.load("sleepstudy")
    with pytest.warns(me.ConvergenceWarning, match="not converged: one Newton step promises"):
        fit = me.lmer(
            "Reaction ~ Days + (Days | Subject)", data, control=me.Control(max_evaluations=1, start=[5.0, 1.0, 2.0])
        )
    assert not fit.optimum.converged
    assert fit.optimum.newton_decrement > 1e-9
    assert fit.optimum.min_eigenvalue < 0.0, "a point on a slope is not called a saddle"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, "tolerance must be positive, not 0.0"),
        ({"tolerance": float("nan")}, "tolerance must be positive, not nan"),
        ({"max_evaluations": 0}, "max_evaluations must be at least 1, not 0"),
        ({"threads": 0}, "threads must be at least 1, not 0"),
        ({"solver": "iterative"}, "solver must be 'direct', not 'iterative'"),
        ({"start": [1.0], "fixed_theta": [1.0]}, "start and fixed_theta exclude each other"),
    ],
)
def test_control_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        me.Control(**options)
