"""Standard errors and intervals against dense matrices, and the arguments of `predict`."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats
from support import reference

import mixedeffects as me
from mixedeffects.errors import DataError, FormulaError, MixedEffectsError
from predict.cases import designs
from predict.dense import Dense, rows_of

DESIGNS = designs()
NAMES = list(DESIGNS)


NEW = {"Days": [0.0, 1.0, 12.0], "Subject": ["308", "371", "999"]}


def unknown_variance(fit, rows, *, keep=None):
    """z' Sigma z of unknown levels, row by row and term by term: (kept columns, all columns)."""
    model, kept_part, whole = fit.model, [], []
    n = len(next(iter(rows.values())))
    for i in range(n):
        one, every = 0.0, 0.0
        for term, L in zip(model.terms, fit.objective.layout.factors(fit.theta), strict=True):
            label = ":".join(str(rows[c][i]) for c in term.source.group)
            known = label in set(term.factor.labels)
            wanted = np.array([keep is None or name in keep.get(term.group, ()) for name in term.names])
            z = np.array([1.0 if name == "Intercept" else np.nan for name in term.names])
            z = columns_at(fit, term, rows, i) if np.isnan(z).any() else z
            Sigma = fit.sigma**2 * L @ L.T
            unseen = not known and wanted.any()
            one += (z * wanted) @ Sigma @ (z * wanted) if unseen else 0.0
            out = z if unseen else z * ~wanted
            every += out @ Sigma @ out
        kept_part.append(one)
        whole.append(every)
    return np.array(kept_part), np.array(whole)


def columns_at(fit, term, rows, i):
    from mixedeffects.design import replay
    from mixedeffects.frame import read_columns

    columns, _ = read_columns(rows, [name for name in rows if name in fit.model.columns])
    return replay(term.encoding, columns, len(rows[next(iter(rows))]))[i, list(term.positions)]


@pytest.mark.parametrize("name", NAMES)
def test_standard_errors_at_new_rows(name):
    fit, rows = DESIGNS[name]
    x, z = rows_of(fit, rows)
    extra, _ = unknown_variance(fit, rows)
    expected = np.sqrt(fit.sigma**2 * Dense.of(fit).error_variance(x, z) + extra)
    found = fit.predict(rows, se=True, new_levels="population")
    assert list(found.columns) == ["estimate", "std_error"]
    np.testing.assert_allclose(found["std_error"], expected, rtol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_intervals_for_new_observations(name):
    fit, rows = DESIGNS[name]
    for random in ("conditional", "population"):
        keep = None if random == "conditional" else {}
        x, z = rows_of(fit, rows, keep=keep)
        _, extra = unknown_variance(fit, rows, keep=keep)
        weights = 1.0 if fit.model.weights is None else np.array(rows["w"])
        variance = fit.sigma**2 * (Dense.of(fit).error_variance(x, z) + 1.0 / weights) + extra
        found = fit.predict(rows, random=random, interval="prediction", level=0.9, new_levels="population")
        np.testing.assert_allclose(found["std_error"], np.sqrt(variance), rtol=1e-8)
        half = stats.norm.ppf(0.95) * np.sqrt(variance)
        np.testing.assert_allclose(found["lower"], found["estimate"] - half, rtol=1e-9)
        np.testing.assert_allclose(found["upper"], found["estimate"] + half, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_standard_errors_at_the_fitted_rows(name):
    fit, _ = DESIGNS[name]
    variance = Dense.of(fit).error_variance(fit.model.X, fit.model.Z.toarray())
    found = fit.predict(se=True)
    np.testing.assert_allclose(found["std_error"], fit.sigma * np.sqrt(variance), rtol=1e-8)
    np.testing.assert_array_equal(found["estimate"], fit.fitted)


@pytest.mark.parametrize(
    ("random", "keep"),
    [
        ("(1 | subj)", {"subj": ("Intercept",)}),
        ("(0 + B | item) + (0 + a | subj)", {"item": ("B",), "subj": ("a",)}),
        (["item"], {"item": ("Intercept", "B")}),
        ([], {}),
    ],
)
def test_parts_of_the_random_effects(random, keep):
    """Known and unknown levels; effects that are left out count as new in an interval for an observation."""
    fit, rows = DESIGNS["singular"]
    x, z = rows_of(fit, rows, keep=keep)
    b = np.concatenate([modes.ravel() for modes in fit.solution.b])
    found = fit.predict(rows, random=random, interval="confidence", new_levels="population")
    np.testing.assert_allclose(found["estimate"], x @ fit.solution.beta + z @ b, rtol=1e-12)
    mean, observation = unknown_variance(fit, rows, keep=keep)
    variance = fit.sigma**2 * Dense.of(fit).error_variance(x, z)
    np.testing.assert_allclose(found["std_error"], np.sqrt(variance + mean), rtol=1e-8)
    found = fit.predict(rows, random=random, interval="prediction", new_levels="population")
    np.testing.assert_allclose(found["std_error"], np.sqrt(variance + observation + fit.sigma**2), rtol=1e-8)


def test_a_population_mean_has_the_error_of_the_coefficients(sleep):
    rows = {"Days": [0.0, 3.0, 9.0]}
    X = np.column_stack([np.ones(3), rows["Days"]])
    expected = np.sqrt(np.einsum("ij,jk,ik->i", X, sleep.vcov.to_numpy(), X))
    np.testing.assert_allclose(sleep.predict(rows, random="population", se=True)["std_error"], expected, rtol=1e-10)


def test_rows_do_not_know_of_each_other(sleep):
    once = sleep.predict(NEW, interval="prediction", new_levels="population")
    order = [2, 0, 0, 1, 2]
    again = sleep.predict(
        {name: [column[i] for i in order] for name, column in NEW.items()},
        interval="prediction",
        new_levels="population",
    )
    np.testing.assert_allclose(again, once.iloc[order], rtol=1e-13)
    alone = sleep.predict({"Days": [1.0], "Subject": ["371"]}, interval="prediction")
    np.testing.assert_allclose(alone, once.iloc[[1]], rtol=1e-13)


def test_a_frame_comes_back_in_its_own_library(sleep):
    frame = pd.DataFrame(NEW, index=["a", "b", "c"])
    expected = sleep.predict(frame, interval="confidence", new_levels="population")
    assert type(expected) is pd.DataFrame
    assert list(expected.index) == ["a", "b", "c"]
    for made, kind in ((pl.DataFrame(NEW), pl.DataFrame), (pa.table(NEW), pa.Table)):
        found = sleep.predict(made, interval="confidence", new_levels="population")
        assert isinstance(found, kind)
        np.testing.assert_array_equal(np.column_stack([np.asarray(found[c]) for c in expected]), expected)
        np.testing.assert_array_equal(sleep.predict(made, new_levels="population"), expected["estimate"])
    assert type(sleep.predict(NEW, se=True, new_levels="population")) is pd.DataFrame


def test_without_data_the_library_is_that_of_the_fit():
    data = pl.from_pandas(reference.load_data("Dyestuff").astype({"Batch": str}))
    fit = me.lmer("Yield ~ 1 + (1 | Batch)", data)
    found = fit.predict(se=True)
    assert isinstance(found, pl.DataFrame)
    assert found.columns == ["estimate", "std_error"]
    assert isinstance(fit.predict(), np.ndarray)


def test_response_and_link_are_the_same(sleep):
    np.testing.assert_array_equal(sleep.predict(kind="link"), sleep.predict())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "terms"}, "kind='terms' is not known; choose 'response' or 'link'"),
        ({"interval": "confint"}, "interval='confint' is not known; choose None or 'confidence' or 'prediction'"),
        ({"interval": True}, "interval=True is not known"),
        ({"new_levels": "zero"}, "new_levels='zero' is not known; choose 'error' or 'population'"),
        ({"level": 95, "interval": "confidence"}, "level=95: it must be a number above 0 and below 1"),
        ({"level": 1.0}, "level=1.0"),
        ({"level": "0.9"}, "level='0.9'"),
        ({"level": True}, "level=True"),
        ({"se": "yes"}, "se='yes': use True or False"),
        ({"uncertainty": "prasad"}, "uncertainty='prasad' is not known; choose 'conditional' or 'kackar-harville' or"),
        ({"uncertainty": "bootstrap"}, "uncertainty='bootstrap' is about errors: ask for them with se=True or"),
        ({"uncertainty": "bootstrap", "se": True, "n": 0}, "n=0: the number of draws must be a positive whole number"),
        ({"weights": 1.0, "interval": "confidence"}, "weights= is about new observations"),
        ({"weights": 1.0, "interval": "prediction"}, "weights= and offset= are for new data"),
        ({"offset": 1.0}, "weights= and offset= are for new data"),
        ({"random": "marginal"}, "random='marginal' is not known; choose 'conditional' (all random effects) or"),
        ({"random": 3}, "random=3: give 'conditional', 'population', a list of names"),
        ({"random": [1]}, "random=[1]: give 'conditional'"),
        ({"random": ["Item"]}, "names the grouping factor 'Item', which the fit does not have; it has 'Subject'"),
        ({"random": "(1 | Item)"}, "names the grouping factor 'Item'"),
        ({"random": "(Reaction | Subject)"}, "column 'Reaction' of (1 + Reaction | Subject), which the fit does not"),
        ({"random": "(1 + height | Subject)"}, "but the fit uses no column 'height'"),
        ({"random": "Days + (1 | Subject)"}, "holds more than random-effects terms"),
        ({"random": "offset(Days) + (1 | Subject)"}, "holds more than random-effects terms"),
    ],
)
def test_arguments_that_are_not_allowed(sleep, arguments, message):
    with pytest.raises(DataError, match=re.escape(message)):
        sleep.predict(**arguments)


def test_a_formula_that_cannot_be_read(sleep):
    with pytest.raises(FormulaError):
        sleep.predict(random="(1 | Subject")


def test_a_theta_that_was_given_has_no_uncertainty(sleep):
    fit = me.lmer(
        "Reaction ~ Days + (Days | Subject)",
        reference.load_data("sleepstudy"),
        control=me.Control(fixed_theta=sleep.theta),
    )
    np.testing.assert_allclose(fit.predict(se=True), sleep.predict(se=True), rtol=1e-9)
    with pytest.raises(MixedEffectsError, match="theta was given"):
        fit.predict(se=True, uncertainty="kackar-harville")
