"""What other programs have got wrong, number by number, and what data may look like."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support import reference
from support.fits import quiet_fit, reference_fit

import mixedeffects as me

# ---- estimation ------------------------------------------------------------------------------------------------------


def test_a_slope_implies_the_intercept():
    implied = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    assert round(implied.aic, 1) == 1755.6
    assert implied.criterion == quiet_fit("Reaction ~ Days + (1 + Days | Subject)", "sleepstudy").criterion
    without = quiet_fit("Reaction ~ Days + (0 + Days | Subject)", "sleepstudy")
    assert without.ranef["Subject"].columns.tolist() == ["Days"]
    assert round(without.aic, 1) == 1774.5


def test_the_global_minimum_of_chem97():
    fit = quiet_fit("score ~ gcsecnt + (1 | school) + (1 | lea)", "Chem97")
    assert fit.criterion == pytest.approx(141696.98815, abs=1e-5)
    assert fit.varcorr.covariance["lea"].iloc[0, 0] > 0.0


def test_the_criterion_with_weights_has_their_logarithms():
    """Doubling all weights changes sigma and nothing else: the term -sum(log w) makes up for it."""
    frame = reference.load_data("sleepstudy")
    frame["w"] = 0.5 + (frame["Days"] % 4)
    frame["w2"] = 2.0 * frame["w"]
    one = me.lmer("Reaction ~ Days + (Days | Subject)", frame, weights="w")
    two = me.lmer("Reaction ~ Days + (Days | Subject)", frame, weights="w2")
    assert two.criterion == pytest.approx(one.criterion, rel=1e-12)
    assert two.sigma == pytest.approx(np.sqrt(2.0) * one.sigma, rel=1e-9)
    np.testing.assert_allclose(two.fixef, one.fixef, rtol=1e-9)
    np.testing.assert_allclose(
        two.varcorr.covariance["Subject"], one.varcorr.covariance["Subject"], rtol=1e-7, atol=1e-7
    )
    V, X, y = one.design.V(), one.design.X, one.design.y
    r = one.residuals(marginal=True)
    density = np.linalg.slogdet(2 * np.pi * V)[1] + r @ np.linalg.solve(V, r)
    restricted = density + np.linalg.slogdet(X.T @ np.linalg.solve(V, X))[1] - 2 * np.log(2 * np.pi)
    assert one.criterion == pytest.approx(restricted, rel=1e-12)
    assert len(y) == 180


@pytest.mark.parametrize("factor", [1e6, 1e-6, 1e12])
def test_the_unit_of_a_predictor_changes_nothing_else(factor):
    """The restricted criterion has log|X'X|, so it moves by 2 log(factor); the fitted values stay."""
    base = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    frame = reference.load_data("sleepstudy")
    frame["Days"] = frame["Days"] * factor
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", frame)
    assert fit.criterion == pytest.approx(base.criterion + 2.0 * np.log(factor), rel=1e-12)
    assert not fit.is_singular
    assert fit.fixef["Days"] * factor == pytest.approx(base.fixef["Days"], rel=1e-9)
    np.testing.assert_allclose(fit.fitted, base.fitted, rtol=1e-8)
    np.testing.assert_allclose(fit.theta * [1.0, factor, factor], base.theta, rtol=1e-6)
    sd = fit.varcorr.to_frame()["sd"].to_numpy()
    assert sd[1] * factor == pytest.approx(base.varcorr.to_frame()["sd"][1], rel=1e-7)
    assert fit.optimum.n_evaluations == base.optimum.n_evaluations


@pytest.mark.parametrize(("factor", "shift"), [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e9), (1.0, -1e6)])
def test_the_unit_and_the_zero_of_the_response_change_nothing_else(factor, shift):
    base = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    frame = reference.load_data("sleepstudy")
    frame["Reaction"] = frame["Reaction"] * factor + shift
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", frame)
    assert fit.criterion == pytest.approx(base.criterion + 2.0 * 178 * np.log(factor), rel=1e-9)
    np.testing.assert_allclose(fit.theta, base.theta, rtol=1e-5)
    assert fit.fixef["Days"] == pytest.approx(factor * base.fixef["Days"], rel=1e-6)
    assert fit.optimum.converged


def test_of_aliased_columns_the_later_is_dropped():
    frame = reference.load_data("sleepstudy")
    frame["twice"] = 2.0 * frame["Days"]
    with pytest.warns(me.RankDeficiencyWarning, match="twice"):
        fit = me.lmer("Reaction ~ Days + twice + (1 | Subject)", frame)
    assert fit.fixef.isna().to_dict() == {"Intercept": False, "Days": False, "twice": True}
    with pytest.warns(me.RankDeficiencyWarning, match="Days"):
        other = me.lmer("Reaction ~ twice + Days + (1 | Subject)", frame)
    assert other.fixef.isna().to_dict() == {"Intercept": False, "twice": False, "Days": True}
    assert other.criterion == pytest.approx(fit.criterion - 2.0 * np.log(0.5), rel=1e-12)
    without = me.lmer("Reaction ~ Days + (1 | Subject)", frame)
    assert fit.criterion == without.criterion


def test_r_drops_the_same_columns():
    case, fit, _ = reference_fit("rankdef_cells_REML")
    assert [name for name, value in fit.fixef.items() if np.isnan(value)] == case["dropped_columns"] == ["nitro"]


def test_independent_effects_of_a_factor():
    """Intercept and treatment columns, all independent: 212.23, not 217.65 (indicators) or 208.31 (correlated)."""
    fit = quiet_fit("score ~ Machine + (Machine || Worker)", "Machines")
    assert fit.criterion == pytest.approx(212.234412, abs=1e-6)
    assert fit.theta.shape == (3,)
    frame = reference.load_data("Machines")
    frame["b"], frame["c"] = (1.0 * (frame["Machine"] == machine) for machine in "BC")
    by_hand = me.lmer("score ~ Machine + (1 | Worker) + (0 + b | Worker) + (0 + c | Worker)", frame)
    assert fit.criterion == pytest.approx(by_hand.criterion, rel=1e-12)
    correlated = quiet_fit("score ~ Machine + (Machine | Worker)", "Machines")
    assert correlated.criterion == pytest.approx(208.31, abs=0.005)


def test_coefficient_names_keep_the_level():
    fit = quiet_fit("Healing ~ Condition + (1 | Subject)", "healing")
    assert fit.fixef.index.tolist() == ["Intercept", "Condition[T.28]", "Condition[T.56]"]
    crossed = quiet_fit("angle ~ recipe * temperature + (1 | recipe:replicate)", "cake")
    assert crossed.fixef.index[-1] == "recipe[T.C]:temperature[T.225]"


def test_a_variance_near_zero_does_not_zero_coefficients_between_groups():
    """A predictor that is constant within groups, and groups that hardly differ."""
    rng = np.random.default_rng(11)
    groups = np.repeat(np.arange(40), 6)
    between = rng.normal(size=40)[groups]
    y = 2.0 + 3.0 * between + rng.normal(size=240)
    noise = y - np.array([y[groups == g].mean() for g in range(40)])[groups]
    nearly = 2.0 + 3.0 * between + noise  # no difference between groups beyond the predictor
    frame = pd.DataFrame({"y": y, "nearly": nearly, "between": between, "g": groups})
    with pytest.warns(me.SingularFitWarning):
        fit = me.lmer("nearly ~ between + (1 | g)", frame)
    X = np.column_stack([np.ones(240), between])
    np.testing.assert_allclose(fit.fixef, np.linalg.lstsq(X, nearly)[0], rtol=1e-10)
    assert fit.fixef["between"] == pytest.approx(3.0, rel=1e-9)
    theta = 1e-5
    small = me.lmer("y ~ between + (1 | g)", frame, control=me.Control(fixed_theta=[theta]))
    np.testing.assert_allclose(small.fixef, np.linalg.lstsq(X, y)[0], rtol=1e-6)


def test_a_mean_that_is_badly_wrong_at_the_start():
    fit = quiet_fit("Reaction ~ 0 + Days + (Days | Subject)", "sleepstudy")
    assert fit.criterion == pytest.approx(1828.33997538606, rel=1e-9)
    assert fit.optimum.n_evaluations <= 15


# ---- input -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sleepstudy() -> pd.DataFrame:
    return reference.load_data("sleepstudy")


@pytest.fixture(scope="module")
def base() -> me.LmmResult:
    return quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")


@pytest.mark.parametrize(
    "convert",
    [
        lambda s: s.astype(str),
        lambda s: s.astype(str).astype(object),
        lambda s: s.astype(str).astype(int),
        lambda s: s.astype(str).astype(float),
        lambda s: s.astype("category"),
        lambda s: pd.to_datetime("2020-01-01") + pd.to_timedelta(s.astype(str).astype(int), unit="D"),
    ],
    ids=["str", "object", "int", "float", "category", "date"],
)
def test_a_grouping_column_of_any_type(sleepstudy, base, convert):
    sleepstudy["Subject"] = convert(sleepstudy["Subject"])
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    assert fit.criterion == pytest.approx(base.criterion, rel=1e-13)
    assert fit.ngroups == {"Subject": 18}


def test_a_boolean_grouping_column(sleepstudy):
    sleepstudy["late"] = sleepstudy["Days"] > 4
    fit = me.lmer("Reaction ~ 1 + (1 | late)", sleepstudy)
    assert fit.ranef["late"].index.tolist() == ["False", "True"]


def test_names_with_spaces_and_dots(sleepstudy, base):
    frame = sleepstudy.rename(columns={"Reaction": "reaction time", "Days": "days.awake", "Subject": "the subject"})
    fit = me.lmer("`reaction time` ~ `days.awake` + (`days.awake` | `the subject`)", frame)
    assert fit.criterion == base.criterion
    assert list(fit.ranef) == ["the subject"]
    assert me.lmer("`reaction time` ~ days.awake + (days.awake | `the subject`)", frame).criterion == base.criterion


def test_unused_categories_are_dropped(sleepstudy, base):
    sleepstudy["Subject"] = sleepstudy["Subject"].cat.add_categories(["999"])
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    assert fit.criterion == base.criterion
    assert "999" not in fit.ranef["Subject"].index


def test_missing_rows_are_dropped_and_counted(sleepstudy):
    without = sleepstudy.drop(index=[3, 50, 99])
    sleepstudy["Subject"] = sleepstudy["Subject"].astype(str).astype(object)
    sleepstudy["Days"] = sleepstudy["Days"].astype(float)
    sleepstudy.loc[3, "Reaction"] = np.nan
    sleepstudy.loc[50, "Days"] = np.nan
    sleepstudy.loc[99, "Subject"] = None
    with pytest.warns(me.DroppedRowsWarning, match="3 of 180 rows were dropped: 3 with missing values") as caught:
        fit = me.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    for column in ("Reaction", "Days", "Subject"):
        assert f"1 in '{column}'" in str(caught[0].message)
    assert fit.nobs == 177
    expected = me.lmer("Reaction ~ Days + (Days | Subject)", without)
    assert fit.criterion == pytest.approx(expected.criterion, rel=1e-12)
    assert fit.ngroups == {"Subject": 18}, "no level called nan"


def test_missing_values_elsewhere_do_not_matter(sleepstudy, base):
    sleepstudy["other"] = np.nan
    assert me.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy).criterion == base.criterion


def test_the_order_of_rows_does_not_matter(sleepstudy, base):
    shuffled = sleepstudy.sample(frac=1.0, random_state=1)
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", shuffled)
    assert fit.criterion == pytest.approx(base.criterion, rel=1e-13)
    pd.testing.assert_frame_equal(fit.ranef["Subject"], base.ranef["Subject"], rtol=1e-8)


# ---- the cupping study -----------------------------------------------------------------------------------------------


def test_the_cupping_study_is_rs():
    """Conditions that vary by subject, and response occasions: 33 subjects, 25 occasions, 2425 ratings."""
    case, fit, caught = reference_fit("healing_slope_REML")
    assert fit.formula == "Healing ~ Condition + (1 + Condition | Subject) + (1 | ResponseId)"
    assert caught == ()
    assert fit.criterion == pytest.approx(case["REMLcrit"], rel=1e-12)
    assert fit.ngroups == {"Subject": 33, "ResponseId": 25}
    assert fit.fixef.tolist() == pytest.approx(list(case["fixef"].values()), rel=1e-6)
    assert fit.std_errors.tolist() == pytest.approx(list(case["se"].values()), rel=1e-6)
    frame = fit.varcorr.to_frame()
    subject = frame[frame["group"] == "Subject"]
    assert subject["sd"].dropna().tolist() == pytest.approx(case["varcorr"]["Subject"]["sd"], rel=1e-6)
    corr = np.array(case["varcorr"]["Subject"]["corr"])
    assert subject["corr"].dropna().tolist() == pytest.approx([corr[1, 0], corr[2, 0], corr[2, 1]], rel=1e-5)
    assert "Number of obs: 2425, groups:  Subject, 33; ResponseId, 25" in str(fit)


def test_the_cupping_study_from_the_data_sets():
    fit = me.lmer("Healing ~ Condition + (1 + Condition | Subject) + (1 | ResponseId)", me.datasets.load("healing"))
    assert fit.criterion == pytest.approx(reference_fit("healing_slope_REML").fit.criterion, rel=1e-12)
    published = fit.update("Healing ~ Condition + (1 | Subject) + (1 | ResponseId)")
    assert published.criterion == pytest.approx(reference_fit("healing_int_REML").fit.criterion, rel=1e-12)
    assert fit.criterion < published.criterion
