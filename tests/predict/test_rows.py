"""What is read of new data: columns that are needed, missing values, infinite ones, offsets and weights."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me
from mixedeffects.errors import DataError, DroppedRowsWarning, RankDeficiencyWarning


@pytest.fixture(scope="module")
def cross():
    return reference.load_data("sim_cross")


class TestNeeded:
    def test_no_response_and_no_group_for_the_population(self, sleep):
        np.testing.assert_allclose(
            sleep.predict({"Days": [0, 2]}, random="population"),
            sleep.fixef["Intercept"] + [0, 2 * sleep.fixef["Days"]],
        )
        with pytest.raises(DataError, match="there is no column 'Subject' in the data, whose random effects"):
            sleep.predict({"Days": [0, 2]})
        with pytest.raises(DataError, match="there is no column 'Days'"):
            sleep.predict({"Subject": ["308"]})

    def test_only_the_columns_of_kept_terms(self, cross):
        fit = quiet_fit("rt ~ 1 + (B | subj) + (1 | item)", "sim_cross")
        fit.predict({"item": ["i01"]}, random=["item"])
        fit.predict({"item": ["i01"]}, random=["item"], se=True)
        with pytest.raises(DataError, match="no column 'B'"):  # an observation has the effect of B in a new subject
            fit.predict({"item": ["i01"]}, random=["item"], interval="prediction")
        fit.predict({"item": ["i01"], "B": [0.5]}, random=["item"], interval="prediction")

    def test_nothing_at_all(self):
        fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff")
        found = fit.predict({"anything": ["a", "b"]}, random="population")
        np.testing.assert_allclose(found, fit.fixef.iloc[[0, 0]])
        assert fit.predict(pd.DataFrame(index=range(3)), random="population").shape == (3,)

    def test_no_rows(self, sleep):
        assert sleep.predict({"Days": np.empty(0), "Subject": np.empty(0, dtype=object)}).shape == (0,)
        found = sleep.predict(pd.DataFrame({"Days": [], "Subject": []}), interval="prediction")
        assert found.shape == (0, 4)

    def test_data_that_are_no_frame(self, sleep):
        with pytest.raises(DataError, match="data of type list cannot be read"):
            sleep.predict([1, 2])


HOLES = {"Days": [0.0, np.nan, 2.0, 3.0], "Subject": ["308", "309", None, "310"]}


class TestMissing:
    def test_a_missing_value_gives_nan_and_one_warning(self, sleep):
        with pytest.warns(DroppedRowsWarning) as caught:
            found = sleep.predict(HOLES, interval="prediction")
        (message,) = [str(w.message) for w in caught]
        assert message == (
            "2 of 4 rows have a missing value and give NaN: 1 for want of 'Subject', 1 for want of 'Days'"
        )
        assert found.isna().all(axis=1).tolist() == [False, True, True, False]
        np.testing.assert_allclose(
            found.iloc[[0, 3]], sleep.predict({"Days": [0, 3], "Subject": [308, 310]}, interval="prediction")
        )

    def test_a_missing_group_is_no_new_group(self, sleep):
        with pytest.warns(DroppedRowsWarning, match="1 of 2 rows"):
            found = sleep.predict({"Days": [1, 1], "Subject": [None, "x"]}, new_levels="population")
        assert np.isnan(found).tolist() == [True, False]

    def test_a_missing_group_does_not_matter_for_the_population(self, sleep):
        with pytest.warns(DroppedRowsWarning, match="1 of 4 rows have a missing value and give NaN: 1 for want of 'D"):
            found = sleep.predict(HOLES, random="population")
        assert np.isnan(found).tolist() == [False, True, False, False]

    def test_all_rows(self, sleep):
        with pytest.warns(DroppedRowsWarning, match="2 of 2 rows"):
            found = sleep.predict({"Days": [np.nan, np.nan], "Subject": ["308", "309"]}, se=True)
        assert found.isna().all(axis=None)

    def test_an_unknown_level_in_an_incomplete_row_is_no_error(self, sleep):
        with pytest.warns(DroppedRowsWarning):
            found = sleep.predict({"Days": [np.nan, 1.0], "Subject": ["new", "308"]})
        assert np.isnan(found).tolist() == [True, False]

    def test_missing_integers_booleans_and_categories(self):
        frame = reference.load_data("Machines").assign(flag=lambda d: d["Worker"].cat.codes % 2 == 0)
        fit = me.lmer("score ~ Machine + flag + (1 | Worker)", frame)
        new = pd.DataFrame(
            {
                "Machine": pd.Categorical(["A", None, "C"], categories=["C", "B", "A"]),
                "flag": pd.array([True, False, None], dtype="boolean"),
                "Worker": pd.array([1, 2, 3], dtype="Int64"),
            }
        )
        with pytest.warns(DroppedRowsWarning, match="1 for want of 'Machine', 1 for want of 'flag'"):
            found = fit.predict(new)
        assert np.isnan(found).tolist() == [False, True, True]

    def test_an_expression_without_a_value(self, sleep):
        fit = quiet_fit("Reaction ~ log(Days + 1) + (1 | Subject)", "sleepstudy")
        with pytest.warns(DroppedRowsWarning, match=re.escape("1 for want of 'log(Days + 1)'")):
            found = fit.predict({"Days": [-2.0, 0.0], "Subject": ["308", "308"]}, se=True)
        assert found["estimate"].isna().tolist() == [True, False]
        with pytest.raises(DataError, match=re.escape("'log(Days + 1)' has the value -inf in row 1 of the new data")):
            fit.predict({"Days": [0.0, -1.0], "Subject": ["308", "308"]})

    @pytest.mark.parametrize("value", [np.inf, -np.inf])
    def test_infinite_values(self, sleep, value):
        with pytest.raises(DataError, match=f"'Days' has the value {value} in row 2 of the new data; replace or drop"):
            sleep.predict({"Days": [0.0, np.nan, value], "Subject": ["308"] * 3})
        fit = quiet_fit("Reaction ~ I(Days > 3) + (1 | Subject)", "sleepstudy")
        with pytest.raises(DataError, match="'Days' has the value"):
            fit.predict({"Days": [value], "Subject": ["308"]})


class TestReplay:
    @pytest.mark.parametrize(
        "formula",
        [
            "Reaction ~ bs(Days, df=4) + (1 | Subject)",
            "Reaction ~ poly(Days, 2) + (poly(Days, 2) | Subject)",
            "Reaction ~ scale(Days) + (scale(Days) || Subject)",
            "Reaction ~ C(Days) + (1 | Subject)",
            "Reaction ~ Days + (0 + Days | Subject) + (1 | Subject)",
        ],
    )
    def test_a_part_of_the_rows_in_another_order(self, formula):
        fit = quiet_fit(formula, "sleepstudy")
        frame = reference.load_data("sleepstudy")
        rows = [7, 3, 3, 179, 90]
        np.testing.assert_allclose(fit.predict(frame.iloc[rows]), fit.fitted[rows], rtol=1e-11)
        np.testing.assert_allclose(
            fit.predict(frame.iloc[rows], se=True)["std_error"], fit.predict(se=True)["std_error"].iloc[rows], rtol=1e-9
        )
        np.testing.assert_allclose(fit.predict(frame.iloc[[7]]), fit.fitted[[7]], rtol=1e-11)

    def test_contrasts_and_categories_in_another_order(self):
        frame = reference.load_data("cake")
        formula = "angle ~ recipe * temperature + (1 | recipe:replicate)"
        fit = me.lmer(formula, frame, contrasts={"recipe": "sum"})
        rows = [100, 5, 260, 5]
        part = frame.iloc[rows].astype(str).drop(columns="angle")
        np.testing.assert_allclose(fit.predict(part), fit.fitted[rows], rtol=1e-11)
        part["recipe"] = pd.Categorical(part["recipe"], categories=["C", "unused", "B", "A"])
        np.testing.assert_allclose(fit.predict(part), fit.fitted[rows], rtol=1e-11)

    def test_a_level_that_a_fixed_factor_does_not_have(self):
        fit = quiet_fit("score ~ Machine + (1 | Worker)", "Machines")
        with pytest.raises(DataError, match="'Machine' has levels that the model was not fitted with: 'D'"):
            fit.predict({"Machine": ["A", "D"], "Worker": [1, 2]}, new_levels="population")


class TestOffset:
    def test_an_offset_in_the_formula(self, cross):
        fit = me.lmer("rt ~ A + offset(off * 2) + (1 | subj)", cross)
        plain = me.lmer("rt ~ A + (1 | subj)", cross.assign(rt=cross["rt"] - 2 * cross["off"]))
        rows = cross.iloc[[3, 200, 90]]
        np.testing.assert_allclose(fit.predict(rows), plain.predict(rows) + 2 * rows["off"], rtol=1e-9)
        with pytest.raises(DataError, match="no column 'off'"):
            fit.predict(rows.drop(columns="off"))
        with pytest.raises(DataError, match="the fit has no argument offset"):
            fit.predict(rows, offset="off")

    def test_an_offset_by_name(self, cross):
        fit = me.lmer("rt ~ A + offset(B) + (1 | subj)", cross, offset="off")
        np.testing.assert_allclose(fit.predict(cross), fit.fitted, rtol=1e-12)
        with pytest.raises(DataError, match="no column 'off'"):
            fit.predict(cross.drop(columns="off"))
        moved = fit.predict(cross.drop(columns="off"), offset=cross["off"] + 5)
        np.testing.assert_allclose(moved, fit.fitted + 5, rtol=1e-12)
        with pytest.warns(DroppedRowsWarning, match="1 for want of 'offset'"):
            found = fit.predict(cross.iloc[:2].assign(off=[np.nan, 1.0]))
        assert np.isnan(found).tolist() == [True, False]

    @pytest.mark.parametrize("formula", ["rt ~ A + (1 | subj)", "rt ~ A + offset(B) + (1 | subj)"])
    def test_an_offset_as_values(self, cross, formula):
        fit = me.lmer(formula, cross, offset=cross["off"].to_numpy())
        with pytest.raises(DataError, match="the fit has an offset that was given as values: new rows need theirs"):
            fit.predict(cross)
        for offset in (cross["off"], cross["off"].tolist(), "off"):
            np.testing.assert_allclose(fit.predict(cross, offset=offset), fit.fitted, rtol=1e-12)
        zero = fit.predict(cross, offset=0)
        np.testing.assert_allclose(zero, fit.fitted - cross["off"], rtol=1e-9)
        with pytest.raises(DataError, match="offset has 2 values, but the new data have 320 rows"):
            fit.predict(cross, offset=[1, 2])
        with pytest.raises(DataError, match="offset must be numbers"):
            fit.predict(cross, offset="A")

    def test_after_an_update(self, cross):
        fit = me.lmer("rt ~ A + offset(off) + (1 | subj)", cross).update("rt ~ 1 + offset(off) + (1 | subj)")
        np.testing.assert_allclose(fit.predict(cross), fit.fitted, rtol=1e-12)


class TestWeights:
    def test_by_name(self, cross):
        fit = me.lmer("rt ~ A + (1 | subj)", cross, weights="w")
        rows = cross.iloc[:3]
        found = fit.predict(rows, interval="prediction")["std_error"]
        mean = fit.predict(rows, se=True)["std_error"]
        np.testing.assert_allclose(found**2 - mean**2, fit.sigma**2 / rows["w"], rtol=1e-9)
        np.testing.assert_allclose(fit.predict(interval="prediction")["std_error"].iloc[:3], found, rtol=1e-9)
        without = rows.drop(columns="w")
        fit.predict(without, interval="confidence")
        with pytest.raises(DataError, match="no column 'w'"):
            fit.predict(without, interval="prediction")
        other = fit.predict(rows, interval="prediction", weights=4)["std_error"]
        np.testing.assert_allclose(other**2 - mean**2, fit.sigma**2 / 4, rtol=1e-9)

    def test_as_values(self, cross):
        fit = me.lmer("rt ~ A + (1 | subj)", cross, weights=cross["w"].to_numpy())
        with pytest.raises(
            DataError, match="prior weights that were given as values: the variance of a new observation"
        ):
            fit.predict(cross, interval="prediction")
        expected = fit.predict(interval="prediction")["std_error"]
        for weights in (cross["w"], "w"):
            found = fit.predict(cross, interval="prediction", weights=weights)["std_error"]
            np.testing.assert_allclose(found, expected, rtol=1e-9)

    def test_a_fit_without_weights_may_predict_a_mean_of_several(self, cross):
        fit = me.lmer("rt ~ A + (1 | subj)", cross)
        rows = cross.iloc[:2]
        one, four = (fit.predict(rows, interval="prediction", weights=w)["std_error"] ** 2 for w in (1, 4))
        np.testing.assert_allclose(one - four, 0.75 * fit.sigma**2, rtol=1e-9)

    @pytest.mark.parametrize("wrong", [0.0, -1.0, np.inf])
    def test_weights_that_are_not_allowed(self, cross, wrong):
        fit = me.lmer("rt ~ A + (1 | subj)", cross, weights="w")
        with pytest.raises(DataError, match=f"weights: {wrong:g} in row 1 of the new data; the weight of a new"):
            fit.predict(cross.iloc[:2].assign(w=[1.0, wrong]), interval="prediction")

    def test_a_missing_weight(self, cross):
        fit = me.lmer("rt ~ A + (1 | subj)", cross, weights="w")
        with pytest.warns(DroppedRowsWarning, match="1 for want of 'weights'"):
            found = fit.predict(cross.iloc[:2].assign(w=[1.0, np.nan]), interval="prediction")
        assert found["estimate"].isna().tolist() == [False, True]


@pytest.fixture(scope="module")
def deficient():
    frame = reference.load_data("Machines")
    frame["number"] = frame["Machine"].cat.codes + 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.lmer("score ~ Machine + number + (1 | Worker)", frame)


class TestRankDeficiency:
    def test_rows_that_obey_the_relation(self, deficient):
        rows = {"Machine": ["A", "C", "B"], "number": [1.0, 3.0, 2.0], "Worker": [1, 2, 3]}
        plain = quiet_fit("score ~ Machine + (1 | Worker)", "Machines")
        np.testing.assert_allclose(deficient.predict(rows), plain.predict(rows), rtol=1e-9)

    def test_rows_that_do_not(self, deficient):
        rows = {"Machine": ["A", "C", "B"], "number": [1.0, 3.1, 2.0], "Worker": [1, 2, 3]}
        with pytest.warns(
            RankDeficiencyWarning, match=re.escape("1 of 3 predictions cannot be estimated: the columns")
        ):
            found = deficient.predict(rows)
        plain = quiet_fit("score ~ Machine + (1 | Worker)", "Machines")
        np.testing.assert_allclose(found, plain.predict(rows), rtol=1e-9)


def test_dropped_rows_of_the_fit_are_predicted_from_the_data():
    frame = reference.load_data("Gcsemv")
    fit = quiet_fit("course ~ gender + (1 | school)", "Gcsemv")
    assert fit.predict().shape == (1725,)
    found = fit.predict(frame)
    np.testing.assert_allclose(found[fit.rows], fit.fitted, rtol=1e-11)
    assert not np.isnan(found).any()


def test_columns_of_different_lengths_are_refused():
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    with pytest.raises(me.DataError, match="the columns differ in length: 'Days' has 2, 'Subject' has 1 rows"):
        fit.predict({"Days": [1, 2], "Subject": ["308"]})


def test_one_column_is_no_data_frame():
    frame = reference.load_data("sleepstudy")
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    for call in (lambda: fit.predict(frame.iloc[0]), lambda: me.lmer("Reaction ~ Days + (1 | Subject)", frame["Days"])):
        with pytest.raises(me.DataError, match="data of type Series cannot be read: it is one column"):
            call()


def test_a_missing_grouping_column_points_to_the_population():
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    with pytest.raises(me.DataError, match="there is no column 'Subject' in the data, whose random effects are wanted"):
        fit.predict({"Days": [1]})
    assert fit.predict({"Days": [1]}, random="population").shape == (1,)
