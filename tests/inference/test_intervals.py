"""Profile and Wald intervals, compared with R's and with what must hold of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from support import fits, reference
from support.singular import correlated_slopes, slopes_without_intercepts

import mixedeffects as me
from mixedeffects.errors import DataError
from mixedeffects.inference.intervals import confint_profile, confint_wald
from mixedeffects.inference.parameters import parameters
from mixedeffects.inference.profile import profile, signed_roots

CASES = [c for c in reference.case_ids("confint") if reference.load_case(c, "confint")["family"] == "gaussian"]
SLEEP = "Reaction ~ Days + (Days | Subject)"


def limits(intervals):
    return np.column_stack([intervals.lower, intervals.upper])


def reference_fit(case):
    formula, frame, keywords = reference.call(dict(case, REML=False))
    return me.lmer(formula, frame, **keywords)


@pytest.mark.parametrize("level", ["0.95", "0.8"])
@pytest.mark.parametrize("case_id", CASES)
def test_reference_cases(case_id, level):
    case = reference.load_case(case_id, "confint")
    fit = reference_fit(case)
    got = limits(confint_profile(fit, float(level)))
    exact, spline, wald = (reference.matrix(case[kind][level]) for kind in ("exact", "profile", "wald"))
    width = (exact[:, 1] - exact[:, 0])[:, None]
    assert np.abs((got - exact) / width).max() < 1e-8
    assert np.abs((got - spline) / width).max() < 2e-3
    ours = limits(confint_wald(fit, float(level)))
    assert (np.isnan(ours) == np.isnan(wald)).all()
    assert np.nanmax(np.abs((ours - wald) / width)) < 1e-6


def test_there_are_reference_cases():
    assert len(CASES) == 10


def test_the_sleep_study_of_the_chapter():
    fit = fits.quiet_fit(SLEEP, "sleepstudy")
    intervals = confint_profile(fit)
    expected = {
        "sd_Intercept|Subject": (14.381, 37.716),
        "cor_Days.Intercept|Subject": (-0.4815, 0.6850),
        "sd_Days|Subject": (3.801, 8.753),
        "sigma": (22.898, 28.858),
        "Intercept": (237.681, 265.130),
        "Days": (7.359, 13.576),
    }
    assert intervals.names == tuple(expected)
    assert np.abs(limits(intervals) - np.array(list(expected.values()))).max() < 6e-4
    assert intervals.heads == ("2.5 %", "97.5 %")
    assert (intervals.level, intervals.method) == (0.95, "profile")


def test_a_fit_by_reml_is_refitted_and_says_so():
    by_reml, by_ml = (fits.quiet_fit(SLEEP, "sleepstudy", reml=reml) for reml in (True, False))
    first, second = confint_profile(by_reml), confint_profile(by_ml)
    np.testing.assert_allclose(limits(first), limits(second), rtol=1e-7)
    assert "refitted by maximum likelihood" in first.message
    assert second.message == ""
    assert first.estimate[3] == pytest.approx(by_ml.sigma, rel=1e-6)


def test_wald_takes_the_fit_as_it_is():
    fit = fits.quiet_fit(SLEEP, "sleepstudy")
    intervals = confint_wald(fit, 0.9)
    half = 1.6448536269514722 * fit.std_errors.to_numpy()
    np.testing.assert_allclose(intervals.upper[-2:], fit.fixef.to_numpy() + half, rtol=1e-12)
    np.testing.assert_allclose(intervals.lower[-2:], fit.fixef.to_numpy() - half, rtol=1e-12)
    assert np.isnan(limits(intervals)[:-2]).all()
    assert intervals.estimate[3] == pytest.approx(fit.sigma)
    assert intervals.heads == ("5 %", "95 %")


@pytest.mark.parametrize("formula", [SLEEP, "Reaction ~ 1 + (Days || Subject)"])
def test_curves_and_limits_agree(formula):
    fit = fits.quiet_fit(formula, "sleepstudy", reml=False)
    curves = profile(fit)
    for level in (0.5, 0.95, 0.999):
        direct, from_curves = limits(confint_profile(fit, level)), limits(curves.confint(level))
        width = (direct[:, 1] - direct[:, 0])[:, None]
        assert np.abs((direct - from_curves) / width).max() < 1e-8


def test_zeta_at_the_limits_is_the_quantile():
    """Each limit put into a model that has it: sigma^2 and the intercept are known in closed form here."""
    frame = reference.load_data("Dyestuff")
    fit = me.lmer("Yield ~ 1 + (1 | Batch)", frame, reml=False)
    intervals = confint_profile(fit, params="sigma")
    groups = frame["Yield"].to_numpy().reshape(6, 5)
    within = ((groups - groups.mean(axis=1, keepdims=True)) ** 2).sum()
    between = 5.0 * ((groups.mean(axis=1) - groups.mean()) ** 2).sum()

    def deviance(sigma):
        """The variance of the group means is at its best: between / 6."""
        return 24 * np.log(sigma**2) + within / sigma**2 + 6 * np.log(between / 6)

    for limit in (intervals.lower[0], intervals.upper[0]):
        assert deviance(limit) - deviance(fit.sigma) == pytest.approx(1.959963984540054**2, rel=1e-9)


# Boundaries -------------------------------------------------------------------------------------------------------


def test_a_variance_estimated_as_zero():
    """The sd as in lme4 1.1-31 (2.0840435), the mean in closed form: far from its estimate the variance is not 0."""
    fit = fits.quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2")
    intervals = confint_profile(fit)
    assert intervals.estimate[0] == intervals.lower[0] == 0.0
    assert intervals.upper[0] == pytest.approx(2.0840435, abs=2e-5)
    groups = reference.load_data("Dyestuff2")["Yield"].to_numpy().reshape(6, 5)
    within = ((groups - groups.mean(axis=1, keepdims=True)) ** 2).sum()

    def deviance(mean):
        between = 5.0 * ((groups.mean(axis=1) - mean) ** 2).sum()
        inflation = max(1.0, between / 6 / (within / 24))
        return 6 * np.log(inflation) + 30 * np.log(within + between / inflation)

    for limit in (intervals.lower[2], intervals.upper[2]):
        assert deviance(limit) - deviance(groups.mean()) == pytest.approx(1.959963984540054**2, rel=1e-9)


def test_a_limit_at_zero_without_a_zero_estimate():
    fit = fits.quiet_fit("strength ~ 1 + (1 | batch/cask)", "Pastes", reml=False)
    intervals = confint_profile(fit, params="sd_Intercept|batch")
    assert intervals.lower[0] == 0.0
    assert intervals.estimate[0] > 1.0


def test_a_correlation_may_reach_its_ends():
    """lme4 1.1-31: -1 and 1, sd of the slopes from 0 to 0.33857989."""
    fit = fits.quiet_fit("distance ~ age * Sex + (age | Subject)", "Orthodont")
    intervals = confint_profile(fit, params="theta_")
    assert limits(intervals)[1] == pytest.approx([-1.0, 1.0])
    assert limits(intervals)[2] == pytest.approx([0.0, 0.33857989], abs=1e-4)
    assert limits(intervals)[3] == pytest.approx([1.0970265, 1.5885138], abs=5e-4)


def test_a_correlation_estimated_as_one():
    data = correlated_slopes(4, [[1.0], [0.5]])
    with pytest.warns(me.SingularFitWarning):
        fit = me.lmer("y ~ x + (x | g)", data, reml=False)
    intervals = confint_profile(fit)
    place = intervals.names.index("cor_x.Intercept|g")
    assert intervals.estimate[place] == intervals.upper[place] == 1.0
    assert 0.5 < intervals.lower[place] < 1.0
    assert np.isfinite(limits(intervals)).all()


def test_an_undefined_correlation_has_no_limits():
    with pytest.warns(me.SingularFitWarning):
        fit = me.lmer("y ~ x + (x | g)", slopes_without_intercepts(), reml=False)
    intervals = confint_profile(fit)
    assert np.isnan(limits(intervals)[1]).all()
    assert np.isnan(intervals.estimate[1])
    assert np.isfinite(np.delete(limits(intervals), 1, axis=0)).all()
    assert limits(intervals)[0, 0] == 0.0


@pytest.mark.parametrize("seed", [318, 345])
def test_limits_are_not_those_of_a_local_minimum(seed):
    """Small groups, three effects: with an sd fixed there are minima for either sign of a correlation."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(30, 120))
    g, h = rng.integers(0, int(rng.integers(4, 12)), n), rng.integers(0, int(rng.integers(3, 8)), n)
    x, z = rng.normal(rng.choice([0, 3]), 1, n), rng.normal(size=n)
    s = rng.choice([0, 0.05, 0.3, 1, 3], size=4)
    y = 1 + x + s[0] * rng.normal(size=20)[g] + s[1] * rng.normal(size=20)[g] * x
    y += s[2] * rng.normal(size=20)[h] + s[3] * rng.normal(size=20)[h] * z + rng.normal(size=n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        fit = me.lmer("y ~ x + z + (x + z | g)", {"y": y, "x": x, "z": z, "g": g}, reml=False)
    spread = []
    for p, root, _ in signed_roots(fit, parameters(fit)):
        if p.kind == "sd":
            start = root.at_estimate()
            limit = root.solve(1.959963984540054, [start])
            others = start.point.others
            starts = [others + rng.normal(size=len(others)) * rng.choice([0.3, 1.5]) for _ in range(8)]
            found = np.array([root.function.at(limit, other).deviance for other in starts])
            assert found.min() - fit.criterion > 1.959963984540054**2 - 2e-3
            spread.append(found.max() - found.min())
    assert max(spread) > 0.1


# Invariance -------------------------------------------------------------------------------------------------------


def sleepstudy(**changes):
    data = reference.load_data("sleepstudy")
    data["w"], data["o"] = np.resize([0.5, 1.0, 2.0], 180), np.resize([5.0, -3.0, 2.0, 8.0], 180)
    return data.assign(**changes)


def test_weights_times_a_constant_scale_sigma_only():
    first = confint_profile(me.lmer(SLEEP, sleepstudy(), weights="w"))
    data = sleepstudy()
    second = confint_profile(me.lmer(SLEEP, data.assign(w=4.0 * data["w"]), weights="w"))
    factor = np.array([1.0, 1.0, 1.0, 2.0, 1.0, 1.0])
    np.testing.assert_allclose(limits(second), limits(first) * factor[:, None], rtol=1e-7)


def test_an_offset_is_a_part_of_the_response():
    data = sleepstudy()
    first = confint_profile(me.lmer(SLEEP, data, offset="o"))
    second = confint_profile(me.lmer(SLEEP, data.assign(Reaction=data["Reaction"] - data["o"])))
    np.testing.assert_allclose(limits(first), limits(second), rtol=1e-8)


def test_weights_and_offset_as_in_R():
    """lme4 1.1-31 by its splines; its profile of the coefficients leaves the offset out and is not compared."""
    intervals = confint_profile(me.lmer(SLEEP, sleepstudy(), weights="w", offset="o"), params="theta_")
    expected = [[10.49329117, 34.9601999], [-0.44414618, 1.0], [3.62203381, 8.8551411], [27.41743402, 34.5673281]]
    width = np.diff(expected, axis=1)
    assert np.abs((limits(intervals) - expected) / width).max() < 2e-3


def test_units_of_a_predictor():
    data = sleepstudy()
    first = confint_profile(me.lmer(SLEEP, data))
    second = confint_profile(me.lmer(SLEEP, data.assign(Days=data["Days"] * 1e4)))
    factor = np.array([1.0, 1.0, 1e-4, 1.0, 1.0, 1e-4])
    np.testing.assert_allclose(limits(second), limits(first) * factor[:, None], rtol=1e-7)


def test_a_shift_of_the_response():
    first = confint_profile(me.lmer(SLEEP, sleepstudy()))
    second = confint_profile(me.lmer(SLEEP, sleepstudy(Reaction=sleepstudy()["Reaction"] + 1e6)))
    shift = np.array([0.0, 0.0, 0.0, 0.0, 1e6, 0.0])
    np.testing.assert_allclose(limits(second) - shift[:, None], limits(first), atol=1e-5)


# Names and arguments ----------------------------------------------------------------------------------------------


def test_names_follow_the_lower_triangle():
    fit = fits.quiet_fit("score ~ Machine + (Machine | Worker)", "Machines")
    assert confint_wald(fit).names == (
        "sd_Intercept|Worker",
        "cor_Machine[T.B].Intercept|Worker",
        "cor_Machine[T.C].Intercept|Worker",
        "sd_Machine[T.B]|Worker",
        "cor_Machine[T.C].Machine[T.B]|Worker",
        "sd_Machine[T.C]|Worker",
        "sigma",
        "Intercept",
        "Machine[T.B]",
        "Machine[T.C]",
    )


def test_a_second_term_on_a_factor_has_a_key_of_its_own():
    fit = fits.quiet_fit("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", "sleepstudy")
    assert confint_profile(fit, params="theta_").names == ("sd_Intercept|Subject", "sd_Days|Subject.1", "sigma")


def test_dropped_coefficients_are_left_out():
    data = sleepstudy()
    with pytest.warns(me.RankDeficiencyWarning):
        fit = me.lmer("Reaction ~ Days + twice + (1 | Subject)", data.assign(twice=2.0 * data["Days"]))
    plain = fits.quiet_fit("Reaction ~ Days + (1 | Subject)", "sleepstudy")
    assert confint_profile(fit).names == confint_profile(plain).names
    np.testing.assert_allclose(limits(confint_profile(fit)), limits(confint_profile(plain)), rtol=1e-8)


def test_parameters_by_name():
    fit = fits.quiet_fit(SLEEP, "sleepstudy")
    whole = confint_profile(fit)
    some = confint_profile(fit, params=["Days", "sd_Days|Subject"])
    assert some.names == ("Days", "sd_Days|Subject")
    np.testing.assert_allclose(limits(some), limits(whole)[[5, 2]], rtol=1e-12)
    assert confint_profile(fit, params="beta_").names == ("Intercept", "Days")
    assert confint_wald(fit, params="sigma").names == ("sigma",)
    assert profile(fit, "beta_").confint(0.9, "Days").names == ("Days",)


def test_refusals():
    fit = fits.quiet_fit(SLEEP, "sleepstudy")
    for level in (0.0, 1.0, 95, "high", None, float("nan")):
        for function in (confint_profile, confint_wald):
            with pytest.raises(DataError, match=r"level=.*between 0 and 1"):
                function(fit, level)
    with pytest.raises(DataError, match=r"no parameter 'sd_Day'.*sd_Days\|Subject"):
        confint_profile(fit, params="sd_Day")
    fixed = me.lmer(SLEEP, sleepstudy(), control=me.Control(fixed_theta=[1.0, 0.0, 0.2]))
    with pytest.raises(DataError, match="fixed theta"):
        profile(fixed)
