"""`refit` of a binomial fit to booleans and to two categories: as `glmer` reads them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support import reference

import mixedeffects as me

FORMULA = "use ~ age + (1 | district)"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return reference.load_data("Contraception")


@pytest.fixture(scope="module")
def fit(frame) -> me.GlmmResult:
    return me.glmer(FORMULA, frame)


@pytest.fixture(scope="module")
def other(frame) -> np.ndarray:
    """Another response, of booleans."""
    return np.random.default_rng(3).uniform(size=len(frame)) < 0.4


def same(one, two):
    assert one.criterion == pytest.approx(two.criterion, rel=1e-10)
    np.testing.assert_allclose(one.fixef, two.fixef, rtol=1e-6)


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y,
        lambda y: y.astype(float),
        list,
        pd.Series,
        lambda y: np.where(y, "Y", "N"),
        lambda y: pl.Series(np.where(y, "Y", "N").tolist()),
        lambda y: pd.Categorical(np.where(y, "Y", "N"), categories=["Y", "N"]),  # the fit knows that Y is a success
        lambda y: np.where(y, "yes", "no").tolist(),
        lambda y: pd.Series(pd.Categorical(np.where(y, "a", "b"), categories=["b", "a"])),
    ],
)
def test_a_response_is_read_as_glmer_reads_it(fit, frame, other, convert):
    again = fit.refit(convert(other))
    same(again, me.glmer(FORMULA, frame.assign(use=other)))
    np.testing.assert_array_equal(again.model.y, other.astype(float))


def test_the_own_response_gives_the_fit_again(fit, frame):
    again = fit.refit(frame["use"])
    same(again, fit)
    same(again.refit(frame["use"].astype(str).to_numpy()), fit)


def test_rows_of_the_data_that_the_fit_left_out(frame, other):
    frame = frame.copy()
    frame.loc[[0, 9], "age"] = np.nan
    with pytest.warns(me.DroppedRowsWarning):
        short = me.glmer(FORMULA, frame)
    words = np.where(other, "Y", "N").astype(object)
    words[0] = None  # not among the rows used
    same(short.refit(words), short.refit(other[short.rows]))
    words[5] = None
    with pytest.raises(me.DataError, match="no value in row 4 of those used"):
        short.refit(words)


def test_what_is_no_yes_or_no_is_refused(fit, other):
    with pytest.raises(me.DataError, match="y has 3 categories"):
        fit.refit(np.where(np.arange(len(other)) == 0, "maybe", np.where(other, "yes", "no")))
    with pytest.raises(me.DataError, match="constant: Y in all"):
        fit.refit(["Y"] * len(other))
    with pytest.raises(me.DataError, match="y has 1 category"):
        fit.refit(["yes"] * len(other))
    herds = me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", reference.load_data("cbpp"))
    with pytest.raises(me.DataError, match="several trials"):
        herds.refit(["yes", "no"] * 28)
    counts = me.glmer("y ~ lbase + (1 | subject)", reference.load_data("epil"), "poisson")
    with pytest.raises(me.DataError, match="must be numeric"):
        counts.refit(["yes", "no"] * 118)
