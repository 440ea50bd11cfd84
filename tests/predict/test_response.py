"""The same model fitted to other responses."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me
from mixedeffects.errors import DataError, SingularFitWarning


@pytest.fixture(scope="module")
def other(sleep):
    return sleep.simulate(rng=1)[:, 0]


@pytest.mark.parametrize("kind", [np.asarray, list, pd.Series, pl.Series])
def test_a_refit_is_a_fit_to_the_other_response(sleep, other, kind):
    found = sleep.refit(kind(other))
    fresh = me.lmer("Reaction ~ Days + (Days | Subject)", reference.load_data("sleepstudy").assign(Reaction=other))
    assert isinstance(found, me.LmmResult)
    np.testing.assert_allclose(found.criterion, fresh.criterion, rtol=1e-10)
    np.testing.assert_allclose(found.theta, fresh.theta, rtol=1e-5)
    np.testing.assert_allclose(found.fitted, fresh.fitted, rtol=1e-6)
    assert found.formula == sleep.formula


def test_its_own_response_gives_the_same_fit(sleep):
    found = sleep.refit(sleep.model.y)
    np.testing.assert_allclose(found.theta, sleep.theta, rtol=1e-6)
    np.testing.assert_allclose(found.criterion, sleep.criterion, rtol=1e-12)


def test_weights_and_an_offset_stay():
    fit = quiet_fit("rt ~ A + B + (B | subj)", "sim_cross", weights="w", offset="off")
    np.testing.assert_allclose(fit.refit(fit.model.y).criterion, fit.criterion, rtol=1e-11)
    moved = fit.refit(fit.model.y + 10)
    np.testing.assert_allclose(moved.fixef["Intercept"], fit.fixef["Intercept"] + 10, rtol=1e-7)


def test_several_responses(sleep):
    Y = sleep.simulate(3, rng=2)
    for given in (Y, pd.DataFrame(Y), Y.tolist()):
        found = sleep.refit(given)
        assert [type(fit) for fit in found] == [me.LmmResult] * 3
        for fit, y in zip(found, Y.T, strict=True):
            np.testing.assert_allclose(fit.criterion, sleep.refit(y).criterion, rtol=1e-12)


def test_all_rows_of_the_data_or_those_used():
    fit = quiet_fit("course ~ gender + (1 | school)", "Gcsemv")
    whole = reference.load_data("Gcsemv")["course"].to_numpy()
    assert len(whole) == 1905
    assert np.isnan(whole).any()
    np.testing.assert_allclose(fit.refit(whole + 1).criterion, fit.criterion, rtol=1e-11)
    np.testing.assert_allclose(fit.refit(fit.model.y).criterion, fit.criterion, rtol=1e-11)
    with pytest.raises(DataError, match="y has 1000 values; it must have 1725, one for each row used, or 1905 as"):
        fit.refit(whole[:1000])


def test_the_new_response_is_in_the_data_of_the_fit(sleep, other):
    found = sleep.refit(other)
    np.testing.assert_array_equal(found.model.y, other)
    np.testing.assert_array_equal(found.augment()["Reaction"], other)
    np.testing.assert_allclose(found.residuals(), other - found.fitted)
    updated = found.update("Reaction ~ Days + (1 | Subject)")
    fresh = me.lmer("Reaction ~ Days + (1 | Subject)", reference.load_data("sleepstudy").assign(Reaction=other))
    np.testing.assert_allclose(updated.criterion, fresh.criterion, rtol=1e-10)
    assert (sleep.model.y != other).all()
    assert not found.model.y.flags.writeable


def test_a_computed_response_is_not_computed_anew(sleep):
    """The old columns would give the old response."""
    fit = quiet_fit("log(Reaction) ~ Days + (1 | Subject)", "sleepstudy")
    found = fit.refit(np.log(sleep.simulate(rng=3)[:, 0]))
    np.testing.assert_allclose(found.update(reml=False).model.y, found.model.y)
    with pytest.raises(DataError, match="keeps no column 'Reaction'"):
        found.update("log(Reaction) ~ 1 + (1 | Subject)")


def test_a_singular_fit_warns(sleep):
    y = np.random.default_rng(1).normal(size=180)
    y -= pd.Series(y).groupby(np.asarray(sleep.model.factors["Subject"].codes)).transform("mean").to_numpy()
    with pytest.warns(SingularFitWarning, match="boundary"):
        sleep.refit(y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sleep.refit(sleep.model.y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(3), "y has 3 values; it must have 180, one for each row used"),
        (
            np.where(np.arange(180) == 7, np.nan, np.arange(180.0)),
            "y has 1 value that is not finite, the first of them nan in row 7",
        ),
        (
            np.where(np.arange(180) > 177, np.inf, np.arange(180.0)),
            "y has 2 values that are not finite, the first of them inf in row 178",
        ),
        (["a"] * 180, "the response must be numeric"),
        (np.ones(180), "the response y is constant: 1 in all 180 rows"),
        (np.zeros((180, 2, 2)), "y has shape (180, 2, 2)"),
        ([[1.0], [1.0, 2.0]], "y has rows of different lengths"),
        (np.zeros((2, 180)), "y has 2 values"),
        (3.0, "column 'y' is a single float"),
    ],
)
def test_responses_that_are_not_allowed(sleep, y, message):
    with pytest.raises(DataError, match=re.escape(message)):
        sleep.refit(y)


def test_many_refits_warn_once():
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    with pytest.warns(me.SingularFitWarning, match=r"\d+ of 100 refits are singular") as caught:
        fits = fit.refit(fit.simulate(100, rng=1))
    assert len(caught) == 1
    assert len(fits) == 100


def test_a_name_is_no_response():
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    with pytest.raises(me.DataError, match="y='Reaction': the response is given by its values"):
        fit.refit("Reaction")
