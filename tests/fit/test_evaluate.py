"""`fit.evaluate`: the criterion as a function, its derivatives, and models at a given theta."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me

POINT = np.array([1.2, -0.1, 0.3])


def test_at_the_estimate_it_is_the_fit(sleep):
    at = sleep.evaluate()
    assert at.value == pytest.approx(sleep.criterion, rel=1e-13)
    np.testing.assert_allclose(at.beta, sleep.fixef, rtol=1e-10)
    assert at.sigma == pytest.approx(sleep.sigma, rel=1e-12)
    np.testing.assert_allclose(at.vcov, sleep.vcov, rtol=1e-9)
    assert [part.shape for part in at.u] == [part.shape for part in at.b] == [(18, 2)]
    np.testing.assert_allclose(at.gradient, 0.0, atol=1e-5)
    assert np.linalg.eigvalsh(at.hessian).min() > 0.0


def test_gradient_and_hessian_are_exact(sleep):
    at = sleep.evaluate(POINT)
    step = 1e-5
    moves = step * np.eye(3)
    values = [(sleep.evaluate(POINT + h).value - sleep.evaluate(POINT - h).value) / (2 * step) for h in moves]
    np.testing.assert_allclose(at.gradient, values, rtol=1e-6)
    rows = [(sleep.evaluate(POINT + h).gradient - sleep.evaluate(POINT - h).gradient) / (2 * step) for h in moves]
    np.testing.assert_allclose(at.hessian, rows, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(at.hessian, at.hessian.T, rtol=1e-10)


def test_the_sign_of_a_column_of_lambda_does_not_matter(sleep):
    flipped = sleep.evaluate(POINT * [-1, -1, 1])
    assert flipped.value == pytest.approx(sleep.evaluate(POINT).value, rel=1e-13)


def test_r_agrees_at_another_theta(sleep):
    """Theta of the ML fit is a point like any other for the REML criterion: lme4's devfun gives this value."""
    case = reference.load_case("sleep_slope_ML")
    at = quiet_fit(sleep.formula, "sleepstudy", reml=False).evaluate(reference.vector(case["theta"]))
    assert at.value == pytest.approx(-2 * case["logLik"], rel=1e-12)


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        ([1.0], r"theta has shape \(1,\); this model needs 3 values"),
        ([1.0, np.nan, 1.0], "theta must be finite"),
        (np.eye(3), r"theta has shape \(3, 3\)"),
    ],
)
def test_wrong_theta(sleep, theta, message):
    with pytest.raises(me.DataError, match=message):
        sleep.evaluate(theta)


# ---- a known covariance structure ------------------------------------------------------------------------------------


def test_fixed_theta_is_not_optimized(sleep):
    frame = reference.load_data("sleepstudy")
    fit = me.lmer(sleep.formula, frame, control=me.Control(fixed_theta=tuple(POINT)))
    np.testing.assert_allclose(fit.theta, POINT, rtol=1e-14)
    assert fit.criterion == pytest.approx(sleep.evaluate(POINT).value, rel=1e-13)
    assert fit.criterion > sleep.criterion
    assert fit.npar == 3
    assert fit.optimum.newton_decrement > 1.0
    assert not fit.optimum.converged
    assert "evaluated at the given theta" in fit.optimum.message


def test_the_chapters_identity_covariance():
    """The chapter's simplest assumption, var(gamma) = I in units of sigma^2: generalized least squares by hand."""
    frame = reference.load_data("sleepstudy")
    fit = me.lmer("Reaction ~ Days + (1 | Subject)", frame, control=me.Control(fixed_theta=[1.0]))
    Z, X, y = fit.design.Z.toarray(), fit.design.X, fit.design.y
    H = np.eye(180) + Z @ Z.T
    beta = np.linalg.solve(X.T @ np.linalg.solve(H, X), X.T @ np.linalg.solve(H, y))
    np.testing.assert_allclose(fit.fixef, beta, rtol=1e-12)
    r = y - X @ beta
    assert fit.sigma**2 == pytest.approx(r @ np.linalg.solve(H, r) / 178, rel=1e-12)
    np.testing.assert_allclose(fit.ranef["Subject"]["Intercept"], Z.T @ np.linalg.solve(H, r), rtol=1e-11)
    assert fit.varcorr.covariance["Subject"].iloc[0, 0] == pytest.approx(fit.sigma**2, rel=1e-13)


def test_a_fixed_theta_is_shown_in_canonical_form():
    frame = reference.load_data("sleepstudy")
    fit = me.lmer("Reaction ~ Days + (1 | Subject)", frame, control=me.Control(fixed_theta=[-1.0]))
    assert fit.theta.tolist() == [1.0]


def test_a_fixed_theta_on_the_boundary_gives_no_warning():
    frame = reference.load_data("sleepstudy")
    fit = me.lmer("Reaction ~ Days + (1 | Subject)", frame, control=me.Control(fixed_theta=[0.0]))
    X, y = fit.design.X, fit.design.y
    _, rss, *_ = np.linalg.lstsq(X, y)
    assert fit.sigma**2 == pytest.approx(rss[0] / 178, rel=1e-12)
    assert "falls as variance is allowed" in fit.optimum.message


def test_start_is_only_a_start(sleep):
    for start in ([0.1, 0.0, 0.1], [3.0, -1.0, 2.0], [1.0, 0.0, 0.0]):
        fit = quiet_fit(sleep.formula, "sleepstudy", start=tuple(start))
        assert fit.criterion == pytest.approx(sleep.criterion, rel=1e-12)
        assert fit.optimum.converged


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, "tolerance must be positive, not 0.0"),
        ({"max_evaluations": 0}, "max_evaluations must be at least 1, not 0"),
        ({"threads": 0}, "threads must be at least 1, not 0"),
        ({"solver": "magic"}, "solver must be 'direct', not 'magic'"),
        ({"start": "abc"}, "start must be a sequence of numbers, one for each entry of theta, not 'abc'"),
        ({"fixed_theta": np.eye(2)}, "fixed_theta must be a sequence of numbers"),
        ({"start": 1.0}, "start must be a sequence of numbers"),
        ({"start": [1.0], "fixed_theta": [1.0]}, "exclude each other"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(me.DataError, match=message):
        me.Control(**options)


def test_options_are_values():
    given = np.array([1.0, 2.0])
    control = me.Control(start=given)
    assert control == me.Control(start=[1.0, 2.0])
    assert hash(control) == hash(me.Control(start=(1.0, 2.0)))
    given[0] = 9.0
    assert control.start == (1.0, 2.0)
    assert control.with_start([3.0]) == me.Control(start=[3.0])


def test_the_answer_does_not_depend_on_the_number_of_threads():
    frame = reference.load_data("InstEval")
    fits = [me.lmer("y ~ service + (1 | dept)", frame, control=me.Control(threads=k)) for k in (1, 2, 3)]
    assert len({fit.criterion for fit in fits}) == 1
    assert len({fit.theta.tobytes() for fit in fits}) == 1
