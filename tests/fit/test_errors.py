"""Every refusal: the right class, and a message that says what, which value, what is allowed, what to do."""

from __future__ import annotations

import datetime
import re

import numpy as np
import pandas as pd
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture
def frame() -> pd.DataFrame:
    frame = reference.load_data("sleepstudy")
    frame["Subject"] = frame["Subject"].astype(str)
    return frame


def put(value: float, row: int = 7, n: int = 180) -> np.ndarray:
    """Ones with another value in one row."""
    column = np.ones(n)
    column[row] = value
    return column


def refused(error: type[Exception], *words: str, **call: object) -> None:
    """Check that the call of `lmer` is refused with a message that holds all the words."""
    with pytest.raises(error) as caught:
        me.lmer(call.pop("formula", FORMULA), call.pop("data"), **call)
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value)


def test_the_tree_of_errors():
    for error, builtin in (
        (me.FormulaError, ValueError),
        (me.DataError, ValueError),
        (me.ConvergenceError, RuntimeError),
    ):
        assert issubclass(error, me.MixedEffectsError)
        assert issubclass(error, builtin)


# ---- columns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "missing", "match"),
    [
        ("Reaction ~ Dayz + (1 | Subject)", "Dayz", "Days"),
        ("Reaction ~ Days + (1 | subject)", "subject", "Subject"),
        ("Reaction ~ Days + (days | Subject)", "days", "Days"),
        ("reaction ~ Days + (1 | Subject)", "reaction", "Reaction"),
        ("log(Reactoin) ~ Days + (1 | Subject)", "Reactoin", "Reaction"),
        ("Reaction ~ Days + offset(Dais) + (1 | Subject)", "Dais", "Days"),
    ],
)
def test_a_column_that_does_not_exist(frame, formula, missing, match):
    refused(me.DataError, f"no column '{missing}'", f"did you mean '{match}'?", formula=formula, data=frame)


def test_a_missing_column_with_no_near_match_lists_what_there_is(frame):
    refused(me.DataError, "no column 'wt'", "'Reaction', 'Days', 'Subject'", data=frame, weights="wt")
    refused(me.DataError, "no column 'shift'", data=frame, offset="shift")


def test_names_that_are_not_text_are_no_near_match(frame):
    refused(me.DataError, "no column 'Reaction'", "0, 'Days'", data=frame.rename(columns={"Reaction": 0}))
    refused(me.DataError, "no column 'Reaction'", data=pd.concat({"a": frame}, axis=1))


def test_duplicated_column_names(frame):
    twice = pd.concat([frame, frame[["Days"]]], axis=1)
    refused(me.DataError, "2 columns named 'Days'", "rename or drop", data=twice)


def test_duplicated_names_of_other_columns_do_not_matter(frame):
    frame = pd.concat([frame, frame[["Days"]].set_axis(["z"], axis=1), frame[["Days"]].set_axis(["z"], axis=1)], axis=1)
    assert me.lmer(FORMULA, frame).nobs == 180


def test_a_column_called_intercept(frame):
    frame["Intercept"] = 2.0
    refused(me.DataError, "'Intercept'", "rename it", formula="Reaction ~ Intercept + (1 | Subject)", data=frame)


# ---- response --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert", [lambda s: s.astype(str), lambda s: s.astype("category"), lambda s: s.astype(object).map(str)]
)
def test_a_response_that_is_not_numeric(frame, convert):
    frame["y"] = convert(frame["Reaction"])
    refused(me.DataError, "response 'y' must be numeric", formula="y ~ Days + (1 | Subject)", data=frame)


def test_a_constant_response(frame):
    frame["y"] = 3.0
    refused(me.DataError, "response 'y' is constant: 3 in all 180 rows", formula="y ~ Days + (1 | Subject)", data=frame)


def test_an_infinite_response(frame):
    frame["y"] = put(np.inf)
    words = ("'y'", "inf in row 7", "replace or drop it")
    refused(me.DataError, *words, formula="y ~ Days + (1 | Subject)", data=frame)


def test_a_response_that_becomes_infinite(frame):
    frame["y"] = put(0.0) + frame["Reaction"] * put(0.0)
    frame.loc[7, "y"] = 0.0
    refused(me.DataError, "'log(y)'", "-inf in row 7", formula="log(y) ~ Days + (1 | Subject)", data=frame)


def test_a_response_that_is_the_grouping_factor(frame):
    words = ("response 'Reaction' is also a grouping factor", "group by another column")
    refused(me.DataError, *words, formula="Reaction ~ Days + (1 | Reaction)", data=frame)
    refused(me.DataError, *words, formula="Reaction ~ Days + (1 | Subject/Reaction)", data=frame)


# ---- missing values, infinite ones -----------------------------------------------------------------------------------


def test_missing_values_may_be_forbidden(frame):
    frame["Days"] = frame["Days"] * put(np.nan)
    words = ("column 'Days' has a missing value in row 7", 'missing="drop"')
    refused(me.DataError, *words, data=frame, missing="raise")
    refused(me.DataError, "missing='omit'", '"drop" or "raise"', data=frame, missing="omit")


def test_an_infinite_predictor(frame):
    frame["x"] = put(-np.inf, row=11)
    words = ("column 'x' has the value -inf in row 11", "replace or drop it")
    refused(me.DataError, *words, formula="Reaction ~ x + (1 | Subject)", data=frame)
    refused(me.DataError, *words, formula="Reaction ~ 1 + (x | Subject)", data=frame)


def test_an_expression_that_becomes_infinite(frame):
    words = ("'log(Days)' has the value -inf in row 0", "change the expression or drop the row")
    refused(me.DataError, *words, formula="Reaction ~ log(Days) + (1 | Subject)", data=frame)


def test_the_row_of_an_infinite_value_is_that_of_the_data_given(frame):
    frame["x"] = put(np.inf, row=11)
    frame["Reaction"] = frame["Reaction"] * put(np.nan, row=2)
    refused(me.DataError, "in row 11", formula="Reaction ~ x + (1 | Subject)", data=frame)


def test_no_rows_left(frame):
    refused(me.DataError, "the data have no rows", data=frame.iloc[:0])
    refused(me.DataError, "no rows are left", "'Days'", data=frame.assign(Days=np.nan))


# ---- weights and offset ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "shown"), [(-1.0, "-1"), (np.inf, "inf")])
def test_impossible_weights(frame, value, shown):
    words = (f"{shown} in row 7", "a weight is a finite number, 0 or greater")
    refused(me.DataError, "weights ('w')", *words, data=frame.assign(w=put(value)), weights="w")
    refused(me.DataError, "weights (as given)", *words, data=frame, weights=put(value))


def test_weights_given_as_an_array_have_no_gaps(frame):
    refused(me.DataError, "weights has a missing value in row 7", "give a number", data=frame, weights=put(np.nan))
    with pytest.warns(me.DroppedRowsWarning, match="1 in 'w'"):
        assert me.lmer(FORMULA, frame.assign(w=put(np.nan)), weights="w").nobs == 179


def test_weights_that_leave_nothing(frame):
    refused(me.DataError, "no rows are left: all weights are 0", data=frame, weights=np.zeros(180))


@pytest.mark.parametrize("name", ["weights", "offset"])
def test_arrays_of_the_wrong_kind(frame, name):
    refused(me.DataError, f"{name} has 10 values, but the data have 180 rows", data=frame, **{name: np.ones(10)})
    refused(me.DataError, f"{name} must be numbers; 'Subject' holds text", data=frame, **{name: "Subject"})
    refused(me.DataError, f"'{name}'", "one value a row", data=frame, **{name: 3.0})


def test_an_infinite_offset(frame):
    refused(me.DataError, "inf in row 7", data=frame, offset=put(np.inf))


# ---- grouping factors ------------------------------------------------------------------------------------------------


def test_one_level(frame):
    words = ("grouping factor 'g' of (1 | g) has 1 level only ('a')", "two or more")
    refused(me.DataError, *words, formula="Reaction ~ Days + (1 | g)", data=frame.assign(g="a"))


def test_one_level_after_dropping_rows(frame):
    frame["g"] = np.where(frame.index < 90, "a", "b")
    frame["x"] = np.where(frame.index < 90, 1.0 * frame["Days"], np.nan)
    refused(me.DataError, "has 1 level only", formula="Reaction ~ x + (1 | g)", data=frame)


def test_one_observation_per_level(frame):
    words = ("grouping factor 'g' of (1 | g)", "one level per observation (180 levels, 180 rows)", "residual")
    refused(me.DataError, *words, formula="Reaction ~ Days + (1 | g)", data=frame.assign(g=np.arange(180)))


def test_as_many_random_effects_as_observations(frame):
    words = ("(1 + Days | g) has 180 random effects (2 for each of 90 levels of 'g') for 180 rows", "simpler term")
    refused(me.DataError, *words, formula="Reaction ~ Days + (Days | g)", data=frame.assign(g=np.arange(180) // 2))


def test_a_million_level_names_are_fine():
    names = np.char.add("level ", np.arange(1_000_000).astype(str)).astype(object)
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"y": rng.normal(size=2_000_000), "g": np.concatenate([names, names])})
    frame["y"] += np.tile(rng.normal(size=1_000_000), 2)
    fit = me.lmer("y ~ 1 + (1 | g)", frame)
    assert fit.ngroups == {"g": 1_000_000}
    assert fit.sigma == pytest.approx(1.0, abs=0.01)


# ---- predictors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "days",
    [
        lambda d: pd.Timestamp("2020-01-01") + pd.to_timedelta(d, unit="D"),
        lambda d: pd.to_timedelta(d, unit="D"),
        lambda d: pd.Series([datetime.date(2020, 1, 1 + int(i)) for i in d], dtype=object),
    ],
    ids=["datetime", "timedelta", "date"],
)
def test_a_date_time_predictor(frame, days):
    frame["day"] = days(frame["Days"])
    words = ("column 'day' holds dates or times", "convert it to a number", "as a grouping factor it is fine")
    refused(me.DataError, *words, formula="Reaction ~ day + (1 | Subject)", data=frame)
    refused(me.DataError, *words, formula="Reaction ~ Days + (day | Subject)", data=frame)


def test_a_predictor_with_a_value_per_row(frame):
    frame["id"] = [f"row {i}" for i in range(180)]
    words = ("180 estimable columns for 180 rows", "fewer predictors")
    refused(me.DataError, *words, formula="Reaction ~ id + (1 | Subject)", data=frame)


def test_contrasts_that_cannot_be(frame):
    formula = "Reaction ~ Subject + (1 | Days)"
    refused(
        me.DataError,
        "'zum' is not known",
        "'treatment', 'sum'",
        formula=formula,
        data=frame,
        contrasts={"Subject": "zum"},
    )
    words = ("contrasts are given for 'Days', which is no categorical column", "C(...)")
    refused(me.DataError, *words, data=frame, contrasts={"Days": "sum"})


# ---- formulas --------------------------------------------------------------------------------------------------------


def marked(formula: str, error: str) -> str:
    """What the caret under the formula points at, to the end."""
    *_, shown, caret = error.splitlines()
    assert shown.strip() == formula
    return shown[caret.index("^") :]


@pytest.mark.parametrize(
    ("formula", "what", "at"),
    [
        ("Reaction ~ Days + (Days | Subject", "'(' is never closed", "(Days | Subject"),
        ("Reaction ~ Days + Days | Subject)", "')' closes nothing", ")"),
        ("Reaction ~ Days + Days | Subject", "a bar outside parentheses", "| Subject"),
        ("Reaction ~ Days * (1 | Subject)", "cannot be combined by '*'", "* (1 | Subject)"),
        ("Reaction ~ Days + (1 | Subject)^2", "cannot be combined by '^'", "^2"),
        ("(1 | Subject) ~ Days", "cannot stand on the left", "| Subject) ~ Days"),
        (
            "Reaction ~ exec('1') + (1 | Subject)",
            "'exec' is not a function that a formula may call",
            "exec('1') + (1 | Subject)",
        ),
    ],
)
def test_a_formula_that_cannot_be_read_is_marked(frame, formula, what, at):
    with pytest.raises(me.FormulaError, match=re.escape(what)) as caught:
        me.lmer(formula, frame)
    assert marked(formula, str(caught.value)) == at


def test_no_random_term(frame):
    words = ("'Reaction ~ Days' has no random-effects term such as (1 | group)", "ordinary regression")
    refused(me.FormulaError, *words, formula="Reaction ~ Days", data=frame)


def test_no_tilde(frame):
    refused(me.FormulaError, "'~'", formula="Reaction + (1 | Subject)", data=frame)
    refused(me.FormulaError, "'~'", formula="", data=frame)


def test_no_formula_runs_python(frame, tmp_path):
    target = tmp_path / "touched"
    for call in (f"__import__('pathlib').Path({str(target)!r}).touch()", f"open({str(target)!r}, 'w')"):
        refused(me.FormulaError, "not a function", formula=f"Reaction ~ {call} + (1 | Subject)", data=frame)
    assert not target.exists()


# ---- arguments -------------------------------------------------------------------------------------------------------


def test_arguments_of_the_wrong_type(frame):
    refused(me.FormulaError, "a formula is a text", "not int", formula=3, data=frame)
    refused(me.DataError, "reml='no'", "True", "False", data=frame, reml="no")
    refused(me.DataError, "control must be a Control", "not dict", data=frame, control={"tolerance": 1.0})
    refused(me.DataError, "data of type str cannot be read", "pandas DataFrame", data="sleepstudy.csv")
    refused(me.DataError, "data of type list cannot be read", data=[1, 2])


def test_a_parsed_formula_is_a_formula(frame):
    assert me.lmer(me.parse(FORMULA), frame).criterion == quiet_fit(FORMULA, "sleepstudy").criterion


def test_start_values_of_the_wrong_length(frame):
    refused(me.DataError, "theta has shape (1,); this model needs 3 values", data=frame, start=[1.0])
    refused(me.DataError, "theta must be finite", data=frame, start=[1.0, np.nan, 1.0])
    refused(me.DataError, "this model needs 3 values", data=frame, control=me.Control(fixed_theta=[1.0]))


def test_an_unknown_keyword_is_a_type_error_too(frame):
    with pytest.raises(TypeError, match="family"):
        me.lmer(FORMULA, frame, family="poisson")
    with pytest.raises(me.ArgumentError, match="family"):
        me.lmer(FORMULA, frame, family="poisson")
