"""Influence of groups and rows: lme4's deletions, refits by hand, and the closed form against both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support import reference
from support.cases import case_fit
from support.fits import quiet_fit

import mixedeffects as me

SLEEP = "Reaction ~ Days + (Days | Subject)"
WITH_DELETIONS = [c for c in reference.case_ids("diagnostics") if "influence" in reference.load_case(c, "diagnostics")]


@pytest.mark.parametrize("case_id", WITH_DELETIONS)
def test_groups_as_deleted_by_lme4(case_id):
    stored = reference.load_case(case_id, "diagnostics")["influence"]
    found = case_fit(case_id, "diagnostics").influence(by=stored["group"])
    levels = stored["fixef_deleted"]["rows"]

    def ours(frame):
        return frame.loc[levels].to_numpy()

    errors = reference.matrix(stored["se_deleted"])
    np.testing.assert_allclose(ours(found.std_errors), errors, rtol=1e-6)
    assert (np.abs(ours(found.fixef) - reference.matrix(stored["fixef_deleted"])) <= 1e-7 * errors).all()
    np.testing.assert_allclose(ours(found.dfbeta), reference.matrix(stored["dfbeta"]), rtol=0, atol=1e-7 * errors.max())
    np.testing.assert_allclose(ours(found.dfbetas), reference.matrix(stored["dfbetas"]), rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours(found.cooks_distance), stored["cooks_over_p"], rtol=1e-7)
    np.testing.assert_allclose(ours(found.sigma), stored["sigma_deleted"], rtol=1e-6)


@pytest.mark.parametrize("case_id", reference.case_ids("diagnostics"))
def test_cooks_distance_and_studentized_residuals_of_rows_are_those_of_lme4(case_id):
    case = reference.load_case(case_id, "diagnostics")
    fit = case_fit(case_id, "diagnostics")
    cooks = np.array(case["cooks_distance"])
    np.testing.assert_allclose(fit.cooks_distance(), cooks, rtol=0, atol=1e-7 * cooks.max())
    np.testing.assert_allclose(fit.residuals("studentized"), case["rstudent"], rtol=0, atol=1e-7)


def test_the_measures_are_what_they_are_defined_to_be(sleep):
    frame = reference.load_data("sleepstudy")
    found = sleep.influence("Subject")
    V = sleep.vcov.to_numpy()
    for level in ("308", "335", "372"):
        hand = me.lmer(SLEEP, frame[frame["Subject"] != level])
        change, own = (hand.fixef - sleep.fixef).to_numpy(), hand.vcov.to_numpy()
        assert found.cooks_distance[level] == pytest.approx(change @ np.linalg.solve(V, change) / 2, rel=1e-6)
        assert found.mdffits[level] == pytest.approx(change @ np.linalg.solve(own, change) / 2, rel=1e-6)
        assert found.covratio[level] == pytest.approx(np.linalg.det(own) / np.linalg.det(V), rel=1e-6)
        assert found.covtrace[level] == pytest.approx(abs(np.trace(np.linalg.solve(V, own)) - 2), rel=1e-5)
        np.testing.assert_allclose(found.dfbetas.loc[level], change / hand.std_errors, rtol=1e-6)
        at = list(found.sigma.index).index(level)
        np.testing.assert_allclose(found.theta[at], hand.theta, rtol=1e-5)


CLOSED = {
    "slopes": (SLEEP, "sleepstudy", {}),
    "weights, offset": ("rt ~ A + B + (B | subj)", "sim_cross", {"weights": "w", "offset": "off"}),
    "crossed": ("rt ~ a*B + (1 + a + B | subj) + (1 + B | item)", "sim_cross", {}),
    "ml": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", {"reml": False}),
    "zero variance": ("Yield ~ 1 + (1 | Batch)", "Dyestuff2", {}),
    "nested": ("yield ~ nitro + (1 | Block/Variety)", "Oats", {}),
}


@pytest.mark.parametrize("model", CLOSED)
def test_the_closed_form_for_rows_is_the_fit_without_them_at_the_same_variances(model):
    formula, dataset, options = CLOSED[model]
    fit = quiet_fit(formula, dataset, **options)
    closed = fit.influence()
    assert (closed.by, closed.method) == ("row", "closed")
    held = fit.influence(by=np.arange(fit.nobs), method="closed")  # each row a group of its own
    order = held.cooks_distance.index.astype(int)
    for name in ("cooks_distance", "mdffits", "covratio", "covtrace", "sigma"):
        ours = getattr(closed, name).loc[order].to_numpy()
        theirs = getattr(held, name).to_numpy()
        np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-10)
    scale = np.abs(closed.dfbetas.to_numpy()).max()
    np.testing.assert_allclose(closed.dfbetas.loc[order], held.dfbetas, rtol=0, atol=1e-8 * scale)


def test_rows_refitted_are_lmer_on_the_data_without_them(sleep):
    frame = reference.load_data("sleepstudy")
    found = sleep.influence(method="refit")
    assert (found.by, found.method, len(found)) == ("row", "refit", 180)
    for row in (0, 57, 179):
        hand = me.lmer(SLEEP, frame.drop(index=row))
        np.testing.assert_allclose(found.fixef.loc[row], hand.fixef, rtol=1e-9)
        np.testing.assert_allclose(found.std_errors.loc[row], hand.std_errors, rtol=1e-6)


def test_rows_are_named_by_their_positions_in_the_data():
    fit = quiet_fit("course ~ gender + (1 | school)", "Gcsemv")
    np.testing.assert_array_equal(fit.influence().cooks_distance.index, fit.rows)


def test_any_column_or_labels_may_tell_the_groups(sleep):
    frame = reference.load_data("sleepstudy")
    by_day, by_labels = sleep.influence("Days"), sleep.influence(frame["Days"].to_numpy())
    assert by_day.cooks_distance.tolist() == by_labels.cooks_distance.tolist()
    assert by_day.by == "Days"
    hand = me.lmer(SLEEP, frame[frame["Days"] != 9])
    np.testing.assert_allclose(by_day.fixef.loc["9"], hand.fixef, rtol=1e-8)


def test_levels_of_a_nested_factor():
    fit = quiet_fit("strength ~ 1 + (1 | batch/cask)", "Pastes")
    found = fit.influence("cask:batch")
    assert len(found) == 30
    frame = reference.load_data("Pastes")
    hand = me.lmer("strength ~ 1 + (1 | batch/cask)", frame[(frame["cask"] != "b") | (frame["batch"] != "C")])
    np.testing.assert_allclose(found.fixef.loc["b:C"], hand.fixef, rtol=1e-8)


def test_closed_form_for_groups_is_near_the_refit(sleep):
    closed, refit = sleep.influence("Subject", "closed"), sleep.influence("Subject")
    assert np.corrcoef(closed.cooks_distance, refit.cooks_distance)[0, 1] > 0.99
    assert np.abs(closed.covratio - refit.covratio).max() > 1e-3, "the variances are held in one and not in the other"


def test_the_frame_is_of_the_library_of_the_data():
    frame = pl.from_pandas(reference.load_data("sleepstudy").astype({"Subject": str}))
    table = me.lmer(SLEEP, frame).influence("Subject").to_frame()
    assert isinstance(table, pl.DataFrame)
    assert table.columns[:5] == ["Subject", "cooks_distance", "mdffits", "covratio", "covtrace"]
    assert table.columns[5:] == ["dfbetas_Intercept", "dfbetas_Days"]
    assert len(table) == 18


def test_it_prints_the_largest(sleep):
    text = repr(sleep.influence("Subject"))
    assert text.splitlines()[0] == "Influence of 18 deletions by Subject (refit); largest Cook's distances:"
    assert text.splitlines()[1].split() == ["309", "0.1485"]


def test_what_cannot_be_estimated_is_nan_and_said():
    frame = reference.load_data("sleepstudy")
    frame["special"] = np.where(frame["Subject"].astype(str) == "309", frame["Days"] % 2, 0.0)
    found = me.lmer("Reaction ~ Days + special + (1 | Subject)", frame).influence("Subject")
    assert np.isnan(found.cooks_distance["309"])
    assert np.isnan(found.dfbetas.loc["309", "special"])
    assert np.isfinite(found.dfbetas.loc["309", "Days"])
    assert "1 deletions leave coefficients that cannot be estimated; theirs are NaN" in repr(found)
    assert isinstance(found.to_frame(), pd.DataFrame)


def test_errors_say_what_there_is(sleep):
    with pytest.raises(me.DataError, match="by='item' is no grouping factor and no column of the formula; those are"):
        sleep.influence("item")
    with pytest.raises(me.DataError, match=r"by has shape \(3,\); it needs a label for each of the 180 rows"):
        sleep.influence([1, 2, 3])
    with pytest.raises(me.DataError, match="method='one-step' is not known"):
        sleep.influence("Subject", "one-step")
    labels = ["a"] * 179 + [None]
    with pytest.raises(me.DataError, match="has no value in row 179"):
        sleep.influence(labels)
    bare = quiet_fit("Reaction ~ 0 + (Days | Subject)", "sleepstudy")
    with pytest.raises(me.MixedEffectsError, match="no fixed effects"):
        bare.influence("Subject")
