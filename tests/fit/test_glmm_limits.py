"""Generalized fits without a finite estimate say so: dispersions at the end of their range, separation at a theta."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me
from mixedeffects.design import design
from mixedeffects.families import Poisson
from mixedeffects.fit.report import report_all
from mixedeffects.fit.separation import verdict_without_estimates

PHRASE = "the dispersion has no estimate within its range"


def said(formula: str, frame: pd.DataFrame, family: str, **options: object) -> tuple[me.GlmmResult, list[str]]:
    """The fit, and its ConvergenceWarnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = me.glmer(formula, frame, family, **options)
    return fit, [str(w.message) for w in caught if issubclass(w.category, me.ConvergenceWarning)]


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    """Counts that vary less than Poisson ones with the same mean."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=300), "g": rng.integers(0, 15, 300)})
    frame["y"] = np.random.default_rng(2).poisson(3, 300)
    return frame


@pytest.mark.parametrize("nagq", [0, 1, 5])
@pytest.mark.parametrize(("family", "end"), [("negative_binomial", "infinity"), ("negative_binomial1", "0")])
def test_a_negative_binomial_at_its_poisson_limit_says_so_and_has_the_poisson_estimates(counts, family, end, nagq):
    fit, texts = said("y ~ x + (1 | g)", counts, family, nagq=nagq)
    plain, quiet = said("y ~ x + (1 | g)", counts, "poisson", nagq=nagq)
    assert not quiet
    (text,) = texts
    assert text == fit.optimum.message == fit.optimum.no_estimate
    assert text.startswith(f"{PHRASE}: as it tends to {end} ")
    assert text in str(fit)
    assert fit.optimum.converged  # in all other parameters
    assert fit.criterion == pytest.approx(plain.criterion, abs=2e-4 if nagq == 0 else 1e-7)
    np.testing.assert_allclose(fit.fixef, plain.fixef, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.std_errors, plain.std_errors, rtol=1e-5)
    assert pickle.loads(pickle.dumps(fit)).optimum.no_estimate == text


@pytest.mark.parametrize("family", ["negative_binomial", "negative_binomial1"])
def test_a_little_overdispersion_is_no_limit(family):
    """The best dispersion is finite where counts vary only some percent more than Poisson ones."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"g": np.arange(4000) % 20})
    frame["y"] = rng.negative_binomial(40.0, 40.0 / 43.0, 4000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        fit, texts = said("y ~ 1 + (1 | g)", frame, family)
        plain, _ = said("y ~ 1 + (1 | g)", frame, "poisson")
    assert not texts
    assert fit.optimum.no_estimate == ""
    assert fit.criterion < plain.criterion - 1.0


def test_a_beta_response_that_is_fitted_exactly_is_named(counts):
    level = np.random.default_rng(5).normal(size=15)[counts["g"]]
    frame = counts.assign(y=1.0 / (1.0 + np.exp(-0.5 * counts["x"] - level)))
    fit, (text,) = said("y ~ x + (1 | g)", frame, "beta")
    assert text.startswith(f"{PHRASE}: the model fits the response exactly")
    assert not fit.optimum.converged


def test_several_refits_count_those_without_a_finite_estimate(counts):
    fit, _ = said("y ~ x + (1 | g)", counts, "negative_binomial")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report_all([fit, fit])
    assert "2 of 2 refits have parameters without a finite estimate" in [str(w.message) for w in caught]


@pytest.fixture(scope="module")
def separated() -> pd.DataFrame:
    """Rows with s = 1 are successes only, and have counts of 0 only."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"x": rng.normal(size=200), "g": rng.integers(0, 10, 200)})
    frame["s"] = (frame["x"] > 0.9).astype(float)
    frame["y"] = np.where(frame["s"] == 1.0, 1.0, rng.random(200) < 0.4)
    frame["count"] = np.where(frame["s"] == 1.0, 0, rng.poisson(3, 200))
    return frame


@pytest.mark.parametrize(
    ("link", "held"),
    [*((link, False) for link in ("logit", "probit", "cloglog", "cauchit")), ("logit", True), ("cloglog", True)],
)
def test_a_separating_column_warns_and_has_no_finite_standard_error(separated, link, held):
    control = me.Control(fixed_theta=[0.5]) if held else None
    fit, (text,) = said("y ~ x + s + (1 | g)", separated, "binomial", link=link, control=control)
    assert text.startswith("separation: s: this column predicts the response")
    assert text in str(fit)
    rest, _ = said("y ~ x + (1 | g)", separated[separated["s"] == 0.0], "binomial", link=link, control=control)
    np.testing.assert_allclose(fit.std_errors[:2], rest.std_errors, rtol=0.02)
    table = fit.coef_table()
    assert not (table["p_value"][2] < 0.9)  # NaN, or no evidence at all
    assert not fit.std_errors["s"] < 10.0 * abs(fit.fixef["s"])
    np.testing.assert_allclose(table["p_value"][:2], rest.coef_table()["p_value"], rtol=0.05)


def test_what_does_not_depend_on_a_flat_coefficient_keeps_its_error(separated):
    fit, _ = said("y ~ x + s + (1 | g)", separated, "binomial", link="cauchit")
    assert np.isnan(fit.std_errors["s"])
    assert np.isnan(fit.test("s = 0").p_value)
    assert np.isnan(fit.test(["x = 0", "s = 0"]).p_value)
    assert fit.test(["x = 0", "Intercept = 0"]).p_value < 1.0
    assert fit.test("x + Intercept = 0").std_error > 0.0
    table = fit.anova().set_index("term")["p_value"]
    assert np.isnan(table["s"])
    assert 0.0 < table["x"] < 1.0
    tidy = fit.tidy("fixed", conf_int=True).set_index("term")
    assert np.isnan(tidy.loc["s", ["std_error", "lower"]].astype(float)).all()
    assert tidy.loc["x", "lower"] < fit.fixef["x"] < tidy.loc["x", "upper"]
    new = pd.DataFrame({"x": [0.1, 0.2], "s": [0.0, 1.0]})
    errors = fit.predict(new, random="population", kind="link", se=True)["std_error"]
    assert errors[0] == pytest.approx(fit.test([[1.0, 0.1, 0.0]]).std_error, rel=1e-10)
    assert np.isnan(errors[1])


@pytest.mark.parametrize("link", ["sqrt", "identity"])
@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_zeros_at_the_end_of_a_link_are_named(separated, family, link):
    try:
        _, texts = said("count ~ s + (1 | g)", separated, family, link=link)
    except me.ConvergenceError as error:
        texts = [str(error)]
    (text,) = texts
    assert text.startswith("separation: s: ")
    assert f"the end of the {link} link" in text


def test_no_mode_without_separation_is_not_called_one(separated):
    frame = separated.assign(count=separated["count"] + 1.0)
    model = design("count ~ s + (1 | g)", frame)
    assert verdict_without_estimates(model, Poisson("sqrt")) is None
    assert verdict_without_estimates(design("count ~ x + (1 | g)", separated), Poisson("sqrt")) is None
