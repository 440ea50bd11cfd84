"""Within and between effects: lme4's fits, the fixed-effects regression, and what cannot be estimated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.compare import assert_close
from support.reference import load_case, load_data

import mixedeffects as me
from mixedeffects.diagnostics.hausman import within_regression
from mixedeffects.results.pooling import hausman_test, within_between

R = load_case("pooling", "pooling")
FORMULA = "mAch ~ ses + female + (1 | school)"
TIGHT = me.Control(tolerance=1e-12)


def school() -> pd.DataFrame:
    data = load_data("Hsb82")
    return data.assign(female=(data["sx"] == "Female") * 1.0, w=1.0 + np.arange(len(data)) % 3)


def pick(found: object, effect: str, column: str = "estimate") -> np.ndarray:
    frame = found.to_frame()
    return frame.loc[frame["effect"] == effect, column].to_numpy()


def test_lme4() -> None:
    found = within_between(FORMULA, school(), control=TIGHT)
    mundlak, hybrid = R["mundlak"], R["hybrid"]
    assert found.covariates == ("ses", "female")
    for effect, case, at in (("within", hybrid, slice(1, 3)), ("between", hybrid, slice(3, 5))):
        assert_close(pick(found, effect), case["coef"][at], 1e-7)
        assert_close(pick(found, effect, "std_error"), case["se"][at], 1e-6)
    assert_close(pick(found, "contextual"), mundlak["coef"][3:], 1e-7)
    assert_close(pick(found, "contextual", "std_error"), mundlak["se"][3:], 1e-6)
    assert found.test.statistic == pytest.approx(R["wald"]["statistic"], rel=1e-6)
    assert found.test.df == 2
    assert found.f_test.statistic * 2 == pytest.approx(found.test.statistic, rel=1e-9)


def test_lme4_with_random_slopes() -> None:
    found = within_between("mAch ~ ses + (ses | school)", school(), control=TIGHT)
    assert_close(pick(found, "within"), R["slopes"]["coef"][1:2], 1e-6)
    assert_close(pick(found, "contextual"), R["slopes"]["coef"][2:], 1e-6)
    assert_close(pick(found, "contextual", "std_error"), R["slopes"]["se"][2:], 1e-5)


def test_both_models_are_the_same() -> None:
    found = within_between(FORMULA, school())
    assert found.mundlak.criterion == pytest.approx(found.within_between.criterion, rel=1e-12)
    assert_close(pick(found, "between") - pick(found, "within"), pick(found, "contextual"), 1e-8)
    assert_close(pick(found, "given"), found.given.fixef[["ses", "female"]].to_numpy(), 1e-12)
    assert_close(pick(found, "within"), found.mundlak.fixef[["ses", "female"]].to_numpy(), 1e-8)


@pytest.mark.parametrize("theta", [0.0, 0.3, 10.0])
def test_within_effects_are_those_of_the_fixed_effects_regression(theta: float) -> None:
    """Whatever the variance ratio is; with prior weights for weighted group means."""
    data = school()
    control = me.Control(fixed_theta=[theta])
    for weights, means in ((None, "unweighted"), ("w", "weighted")):
        fit = me.lmer("mAch ~ ses + female + sector + (1 | school)", data, weights=weights, control=control)
        found = within_between(fit, means=means, ddf="normal")
        expected = within_regression(fit.model, fit.model.terms[0].factor)
        assert_close(pick(found, "within"), expected.coef, 1e-9)
    assert "Group means are weighted." in found.notes
    if theta == 0.3:  # unweighted means leave something of the groups in the deviations
        other = within_between(fit, ddf="normal")
        assert np.abs(pick(other, "within") - expected.coef).max() > 1e-4


@pytest.mark.parametrize("theta", [0.2, 1.0, 3.0])
def test_hausman_is_the_wald_test_at_the_same_variances(theta: float) -> None:
    """Both are quadratic forms in the same difference; only the residual variance differs at a given theta."""
    fit = me.lmer(FORMULA, school(), control=me.Control(fixed_theta=[theta]))
    found = within_between(fit, ddf="normal")
    hausman = hausman_test(fit, sigma="random")
    expected = found.test.statistic * found.mundlak.sigma**2 / fit.sigma**2
    assert hausman.statistic == pytest.approx(expected, rel=1e-8)
    assert hausman.df == found.test.df


def test_the_models_are_fits_like_others() -> None:
    """The added columns are data of these fits: refitted from their own formula they are the same."""
    data = school()
    found = within_between("mAch ~ ses*sx + offset(female) + (ses | school)", data, reml=False, weights="w")
    for fit in (found.mundlak, found.within_between):
        again = fit.update(fit.formula)
        assert again.criterion == pytest.approx(fit.criterion, rel=1e-10)
        assert_close(again.fixef, fit.fixef.to_numpy(), 1e-6)
        assert list(again.fixef.index) == list(fit.fixef.index)
        assert not fit.reml
        assert len(fit.anova()) == len(fit.fixef) - 1


def test_categorical_columns_are_split_if_named() -> None:
    data = school()
    found = within_between("mAch ~ ses + sx + (1 | school)", data)
    assert found.covariates == ("ses",)
    assert "categorical: sx[T.Female]." in found.notes[0]
    both = within_between("mAch ~ ses + sx + (1 | school)", data, ["sx", "ses"])
    numeric = within_between("mAch ~ ses + I(1*female) + (1 | school)", data)
    assert both.covariates == ("ses", "sx[T.Female]")
    assert_close(pick(both, "contextual"), pick(numeric, "contextual"), 1e-6)
    with pytest.raises(me.DataError, match=r"sx\[T.Female\] can be named"):
        within_between("mAch ~ sx + (1 | school)", data)


def test_columns_are_split_and_not_variables() -> None:
    data = school()
    found = within_between("mAch ~ ses + I(ses**2) + (1 | school)", data, ddf="normal")
    square = found.covariates[1]
    means = (data["ses"] ** 2).groupby(data["school"], observed=True).transform("mean")
    assert_close(found.mundlak.design.X[:, -1], means, 1e-12)
    assert f"mean({square})" == found.mundlak.design.names[-1]


def test_equal_means_have_no_effect_between() -> None:
    data = load_data("sleepstudy")
    found = within_between("Reaction ~ Days + (Days | Subject)", data)
    assert pick(found, "within")[0] == pytest.approx(10.46728596, rel=1e-8)
    assert np.isnan(pick(found, "between")).all()
    assert np.isnan(found.test.p_value)
    assert found.f_test is None
    assert found.notes[-1] == (
        "The means of Days are equal in all levels of Subject: the given model has the effects within groups, there is "
        "nothing to test."
    )
    assert_close(pick(found, "given"), pick(found, "within"), 1e-10)
    assert "nothing to test" in repr(found)
    both = within_between("Reaction ~ Days + x + (1 | Subject)", data.assign(x=np.sin(np.arange(180.0) ** 2)))
    assert "there is no effect between groups to estimate or test" in both.notes[-1]


def test_a_mean_that_is_in_the_model_already() -> None:
    data = school()
    data["own"] = data["ses"].groupby(data["school"], observed=True).transform("mean")
    found = within_between("mAch ~ ses + own + (1 | school)", data)
    assert np.isnan(pick(found, "contextual")[0])
    assert found.covariates == ("ses",)
    assert "means of ses over the levels of school are determined by other columns" in found.notes[-1]


def test_several_factors_and_the_group() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 30, 400), rng.integers(0, 20, 400)
    x = rng.normal(size=30)[a] + rng.normal(size=20)[b] + rng.normal(size=400)
    y = x + 2 * rng.normal(size=30)[a] + rng.normal(size=20)[b] + rng.normal(size=400)
    fit = me.lmer("y ~ x + (1 | a) + (1 | b)", {"y": y, "x": x, "a": a, "b": b})
    with pytest.raises(me.DataError, match="a, b"):
        within_between(fit)
    by_a, by_b = within_between(fit, group="a"), within_between(fit, group="b")
    assert_close(by_a.mundlak.design.X[:, 2], pd.Series(x).groupby(a).transform("mean"), 1e-12)
    assert pick(by_a, "contextual")[0] != pick(by_b, "contextual")[0]
    assert list(by_a.mundlak.ngroups) == list(fit.ngroups)


def test_degrees_of_freedom() -> None:
    """Between groups there are few, as many as schools, whatever the number of pupils."""
    fit = me.lmer("mAch ~ ses + (1 | school)", school())
    found = within_between(fit)
    assert pick(found, "between", "df")[0] < 160
    assert pick(found, "within", "df")[0] > 6000
    assert np.isinf(pick(within_between(fit, ddf="normal"), "between", "df")).all()


def test_missing_rows_and_singular_fits() -> None:
    data = school()
    data.loc[[5, 6, 99], "ses"] = np.nan
    with pytest.warns(me.DroppedRowsWarning, match="3 of 7185"):
        found = within_between(FORMULA, data)
    expected = within_between(FORMULA, data.drop(index=[5, 6, 99]))
    assert_close(pick(found, "contextual"), pick(expected, "contextual"), 1e-9)
    dye = load_data("Dyestuff2").assign(x=np.sin(np.arange(30.0)) + np.arange(30) // 5 % 3)
    with pytest.warns(me.SingularFitWarning):
        flat = within_between("Yield ~ x + (1 | Batch)", dye, ddf="normal")
    assert np.isfinite(pick(flat, "contextual")).all()
    assert "singular" in flat.notes[-1]


def test_too_few_groups() -> None:
    rng = np.random.default_rng(3)
    data = {"y": rng.normal(size=24), "x": rng.normal(size=24), "g": np.repeat([0, 1], 12)}
    fit = me.lmer("y ~ x + (1 | g)", data, control=me.Control(fixed_theta=[1.0]))
    with pytest.raises(me.DataError, match="2 groups of 'g' for 2 columns"):
        within_between(fit, ddf="normal")


def test_rank_deficiency() -> None:
    data = school()
    data["twice"] = 2 * data["ses"]
    with pytest.warns(me.RankDeficiencyWarning):
        found = within_between("mAch ~ ses + twice + female + (1 | school)", data)
    assert_close(pick(found, "within"), pick(within_between(FORMULA, data), "within"), 1e-6)
    with pytest.raises(me.DataError, match="'twice' is no estimated column"):
        within_between(found.given, covariates="twice")


@pytest.mark.parametrize(
    ("covariates", "options", "match"),
    [
        ("sector", {}, "sector.*does not vary"),
        ("income", {}, "'income' is no estimated column"),
        ([], {}, "empty"),
        (None, {"means": "median"}, "means='median'"),
        (None, {"ddf": "exact"}, "ddf='exact'"),
        (None, {"group": "class"}, "no grouping factor"),
        (None, {"reml": False}, "goes with a formula"),
    ],
)
def test_arguments(covariates: object, options: dict, match: str) -> None:
    fit = me.lmer("mAch ~ ses + sector + (1 | school)", school())
    with pytest.raises(me.DataError, match=match):
        within_between(fit, covariates=covariates, **options)


def test_frames_and_print() -> None:
    data = pl.from_pandas(school()[["mAch", "ses", "female", "school"]].astype({"school": str}))
    found = within_between(FORMULA, data)
    assert isinstance(found.to_frame(), pl.DataFrame)
    assert "chi-square" in repr(found)
    assert "<table" in found._repr_html_()


def test_a_far_origin_changes_nothing() -> None:
    """Seconds since 1970 that vary by a minute within the groups."""
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(30), 8)
    day = np.round(rng.normal(size=30)[g] * 3e5 + rng.normal(size=240) * 60)
    x = rng.normal(size=240)
    y = x + day / 1e5 + rng.normal(size=240) + rng.normal(size=30)[g]
    data = pd.DataFrame({"y": y, "near": day, "far": day + 1.7e9, "x": x, "g": g})
    near, far = (me.lmer(f"y ~ {name} + x + (1 | g)", data) for name in ("near", "far"))
    for test in (lambda fit: me.within_between(fit).test, me.hausman_test):
        assert test(near).df == test(far).df == 2
        assert_close(test(far).statistic, test(near).statistic, tolerance=1e-6)
    assert_close(pick(me.within_between(far), "within"), pick(me.within_between(near), "within"), tolerance=1e-6)
    slopes = [me.lm_list(f"y ~ {name} | g", data).coef[name] for name in ("near", "far")]
    assert_close(slopes[1], slopes[0], tolerance=1e-5)
