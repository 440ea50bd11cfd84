"""Warnings: one of each kind, at the caller's line; singular fits are certified, not just suspected."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me


def here() -> int:
    """Return the line of the caller."""
    import sys

    return sys._getframe(1).f_lineno


@pytest.fixture
def recorded():
    """Record all warnings, repeated ones too."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def test_one_singular_warning_at_the_callers_line(recorded):
    frame = reference.load_data("Dyestuff2")
    fit = me.lmer("Yield ~ 1 + (1 | Batch)", frame); line = here()  # noqa: E702  # fmt: skip
    str(fit), fit.ranef.condvar["Batch"], fit.summary()
    (warning,) = recorded
    assert warning.category is me.SingularFitWarning
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert str(warning.message).startswith("boundary (singular) fit: Batch: the variance of Intercept is 0. ")


@pytest.mark.parametrize(
    ("formula", "data", "simpler"),
    [
        ("Yield ~ 1 + (1 | Batch)", "Dyestuff2", "without (1 | Batch)"),
        ("y ~ x + (x | g)", None, "with (1 + x || g)"),
        ("y ~ x + (x || g)", None, "without x of (1 + x || g)"),
    ],
)
def test_a_singular_fit_names_the_simpler_random_part(recorded, formula, data, simpler):
    frame = reference.load_data(data) if data else _without_slopes()
    fit = me.lmer(formula, frame)
    assert fit.is_singular
    (warning,) = recorded
    assert str(warning.message).endswith(f"It may be reported as it is; a simpler model is one {simpler}")


@pytest.mark.parametrize("part", ["(age | g)", "(age || g)", "(age + x | g)"])
def test_a_singular_fit_names_a_slope_of_what_does_not_vary_within_groups(recorded, part):
    frame = _without_slopes()
    codes = pd.factorize(frame["g"])[0]
    frame["age"] = np.random.default_rng(1).integers(20, 60, codes.max() + 1)[codes]
    fit = me.lmer(f"y ~ age + x + {part}", frame)
    assert fit.is_singular
    (warning,) = recorded
    told = "age does not vary within g: every g has one value of it, from which no slope can be told; leave age out"
    assert told in str(warning.message)
    assert "x does not vary" not in str(warning.message)


def test_variances_by_kinds_of_groups_are_no_such_slopes(recorded):
    frame = _without_slopes()
    codes = pd.factorize(frame["g"])[0]
    frame["kind"] = np.where(codes % 2, "a", "b")
    frame["y"] = frame["y"].where(frame["kind"] == "a", np.random.default_rng(2).normal(size=len(frame)))
    me.lmer("y ~ kind + (0 + kind || g)", frame)
    assert not any("does not vary" in str(one.message) for one in recorded)


def _without_slopes():
    """Groups that differ by their level and in nothing else."""
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(12), 5), np.tile(np.arange(5.0), 12)
    noise = rng.normal(size=60)
    noise -= np.concatenate([np.polyval(np.polyfit(x[:5], part, 1), x[:5]) for part in np.split(noise, 12)])
    return pd.DataFrame({"g": g, "x": x, "y": 3.0 * rng.normal(size=12)[g] + noise})


def test_dropped_rows_are_reported_at_the_callers_line(recorded):
    frame = reference.load_data("Gcsemv")
    me.lmer("course ~ gender + (1 | school)", frame); line = here()  # noqa: E702  # fmt: skip
    (warning,) = recorded
    assert warning.category is me.DroppedRowsWarning
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert str(warning.message) == "180 of 1905 rows were dropped: 180 with missing values (180 in 'course')"


def test_dropped_columns_are_reported_at_the_callers_line(recorded):
    frame = reference.load_data("sleepstudy")
    frame["late"] = 2.0 * frame["Days"] + 1.0
    me.lmer("Reaction ~ Days + late + (1 | Subject)", frame); line = here()  # noqa: E702  # fmt: skip
    (warning,) = recorded
    assert warning.category is me.RankDeficiencyWarning
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert str(warning.message) == "1 fixed-effects column dropped because earlier ones determine it: late"


def test_a_search_that_is_cut_short_says_so(recorded):
    frame = reference.load_data("sleepstudy")
    control = me.Control(max_evaluations=1)
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", frame, start=[3.0, 0.5, 2.0], control=control); line = here()  # noqa: E702  # fmt: skip
    assert [w.category for w in recorded] == [me.ConvergenceWarning]
    assert (recorded[0].filename, recorded[0].lineno) == (__file__, line)
    assert str(recorded[0].message) == fit.optimum.message
    assert not fit.optimum.converged
    assert fit.optimum.newton_decrement > 1e-9
    assert str(fit).splitlines()[-1] == fit.optimum.message, "the summary repeats it"


def test_all_warnings_have_one_base():
    for name in ("SingularFitWarning", "ConvergenceWarning", "RankDeficiencyWarning", "DroppedRowsWarning"):
        assert issubclass(getattr(me, name), me.MixedEffectsWarning)
    assert issubclass(me.MixedEffectsWarning, UserWarning)


def test_a_regular_fit_warns_about_nothing(recorded):
    me.lmer("Reaction ~ Days + (Days | Subject)", reference.load_data("sleepstudy"))
    assert recorded == []


# ---- the certificate -------------------------------------------------------------------------------------------------


def test_a_regular_optimum(sleep):
    optimum = sleep.optimum
    assert optimum.converged is True
    assert optimum.boundary == ()
    assert 0.0 <= optimum.newton_decrement <= 1e-9
    assert optimum.min_eigenvalue > 0.0
    assert 1 <= optimum.n_evaluations <= 15
    assert optimum.message.startswith("converged to a minimum")
    assert [point.value for point in optimum.trace][-1] == pytest.approx(sleep.criterion, rel=1e-9)


def test_a_zero_variance_is_exactly_zero_and_proved():
    fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2")
    assert fit.is_singular is True
    assert fit.theta.tolist() == [0.0]
    assert fit.varcorr.covariance["Batch"].iloc[0, 0] == 0.0
    assert (fit.ranef["Batch"] == 0.0).all(axis=None)
    (boundary,) = fit.optimum.boundary
    assert (boundary.term, boundary.direction) == ("Batch", "the variance of Intercept is 0")
    assert boundary.derivative > 0.0
    # The derivative in the relative variance, theta^2, by a difference at the boundary.
    step = 1e-6
    slope = (fit.evaluate([math.sqrt(step)]).value - fit.criterion) / step
    assert boundary.derivative == pytest.approx(slope, rel=1e-4)
    assert math.isnan(fit.optimum.min_eigenvalue), "nothing is left free"


def test_a_correlation_of_one_is_named(crossed):
    assert crossed.is_singular is True
    (boundary,) = crossed.optimum.boundary
    assert boundary.term == "item"
    assert boundary.direction == "the correlation of Intercept and B is +1"
    assert boundary.derivative > 0.0
    frame = crossed.varcorr.to_frame()
    corr = frame[(frame["group"] == "item") & frame["term2"].notna()]["corr"].item()
    assert corr == pytest.approx(1.0, abs=1e-12)
    assert crossed.optimum.min_eigenvalue > 0.0


def test_two_singular_terms_are_each_described():
    """One term of four columns that vary in three directions, one of a single column that does not vary."""
    fit = quiet_fit("rt ~ a*B + (a*B | subj) + (B || item)", "sim_cross")
    four, one = fit.optimum.boundary
    assert (one.term, one.direction) == ("item.1", "the variance of B is 0")
    assert four.term == "subj"
    assert four.direction.startswith(
        "Intercept, a, B and a:B vary in 3 of 4 directions only: 0.56 Intercept/sd - 0.48 a/sd"
    )
    assert min(four.derivative, one.derivative) > 0.0
    covariance = fit.varcorr.covariance["subj"].to_numpy()
    sd = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(sd, sd))
    assert values[0] == pytest.approx(0.0, abs=1e-12)
    assert values[1] > 0.1
    np.testing.assert_allclose(vectors[:, 0] / vectors[0, 0], np.array([0.56, -0.48, -0.02, 0.68]) / 0.56, atol=0.02)
    assert str(fit).splitlines()[-1] == f"boundary (singular) fit: subj: {four.direction}; item.1: {one.direction}"


def test_a_false_boundary_is_called_what_it_is():
    """Chem97 with the variance of `lea` at 0: two programs stop there and say that they have converged."""
    frame = reference.load_data("Chem97")
    optimum = me.lmer("score ~ gcsecnt + (1 | school) + (1 | lea)", frame)
    assert optimum.criterion == pytest.approx(141696.98815, abs=2e-5)
    assert optimum.is_singular is False
    fixed = me.Control(fixed_theta=[optimum.theta[0], 0.0])
    boundary = optimum.update(control=fixed)
    assert not boundary.optimum.converged
    assert boundary.optimum.boundary[0].derivative < 0.0
    assert boundary.optimum.message.startswith("not a minimum: the criterion falls as variance is allowed")
    restarted = optimum.update(control=me.Control(start=[optimum.theta[0], 0.0]))
    assert restarted.criterion == pytest.approx(optimum.criterion, rel=1e-12), "the search leaves it"
