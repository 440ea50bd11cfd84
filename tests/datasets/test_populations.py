"""The two populations of the lecture text: from population to confint, and how often the second fit is singular."""

from __future__ import annotations

import importlib.util
import json
import re
import string
import warnings
from pathlib import Path

import numpy as np
import pytest

import mixedeffects as me
from mixedeffects.population import Population, by_level, population, predictor, response, rfactor

REFERENCE = Path(__file__).parents[1] / "reference" / "population"
PRINTED = """\
Linear mixed model fit by REML ['lmerMod']
Formula: income ~ (1 | county)

REML criterion at convergence: N

Scaled residuals:
    Min      1Q  Median      3Q     Max
N N N N N

Random effects:
 Groups   Name      Variance Std.Dev.
 county   Intercept N N
 Residual           N N
Number of obs: 1000, groups:  county, 26

Fixed effects:
          Estimate Std. Error t value
Intercept N N N"""


def structure(text: str) -> list[list[str]]:
    """Words of each line, decimal numbers as N."""
    return [re.sub(r"-?\d+\.\d+|-?\d+\.?(?=$)", "N", line).split() for line in text.splitlines()]


class TestCounties:
    def test_from_population_to_confint(self):
        """As a user writes it; the printed page has the structure of lme4's, with our names."""
        counties = list(string.ascii_uppercase)
        county_means = dict(zip(counties, np.random.default_rng(1).normal(scale=2, size=26), strict=True))
        pop = population(
            county=predictor(rfactor, levels=counties),
            income=response(lambda county: 50 + by_level(county, county_means), error_scale=2),
        )
        respondents = pop.sample_x(1000, rng=1).sample_y()
        fit = me.lmer("income ~ (1 | county)", respondents)
        assert structure(str(fit)) == structure(PRINTED)
        limits = fit.confint()
        assert list(limits.index) == ["sd_Intercept|county", "sigma", "Intercept"]
        assert repr(limits).splitlines()[0].split() == ["2.5", "%", "97.5", "%"]
        shared = me.datasets.county_population(rng=1).sample_x(1000, rng=1).sample_y()
        assert shared.equals(respondents)

    def test_estimates_are_near_the_truth(self):
        fit = me.lmer("income ~ (1 | county)", me.datasets.county_population(rng=2).sample_x(1000, rng=2).sample_y())
        limits = fit.confint(level=0.999)
        for name, truth in (("sd_Intercept|county", 2.0), ("sigma", 2.0), ("Intercept", 50.0)):
            assert limits.loc[name, "lower"] < truth < limits.loc[name, "upper"]

    def test_shares_of_the_counties(self):
        equal = me.datasets.county_population(rng=1).sample_x(2600, rng=1).frame["county"].value_counts()
        drawn = me.datasets.county_population(rng=1, dirichlet_shares=True).sample_x(2600, rng=1).frame["county"]
        assert drawn.value_counts().std() > 3 * equal.std()
        assert isinstance(me.datasets.county_population(), Population)


class TestShrinkage:
    def test_the_truth_is_as_given(self):
        pop = me.datasets.shrinkage_population()
        drawn = pop.sample_x(20_000, rng=1).sample_y()
        truth = {"A": (2, 1), "B": (3, 0.5), "C": (1, 1.2), "D": (2.5, 0)}
        for level, rows in drawn.groupby("group", observed=True):
            slope, intercept = np.polyfit(rows["x"], rows["y"], 1)
            band = 4.0 / np.sqrt(len(rows))
            assert abs(intercept - truth[level][0]) < band
            assert abs(slope - truth[level][1]) < band
            assert abs(np.std(rows["y"] - intercept - slope * rows["x"]) - 1) < 4 / np.sqrt(2 * len(rows))
        assert abs(drawn["x"].mean()) < 4 / np.sqrt(20_000)

    def test_singular_fits_are_those_of_lme4(self):
        """On 1,000 samples. In five lme4 stops short of the boundary, each time at a higher criterion than ours."""
        path = REFERENCE / "make.py"
        spec = importlib.util.spec_from_file_location("population_reference", path)
        make = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(make)
        samples, digest = make.draws()
        reference = json.loads((REFERENCE / "singular.json").read_text(encoding="utf-8"))
        assert digest == reference["digest"], "NumPy draws other numbers than those fitted by lme4: run make.py"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", me.SingularFitWarning)
            fits = [me.lmer("y ~ (1 + x | group)", one) for one in samples]
        ours = np.array([fit.is_singular for fit in fits])
        theirs = np.array([flag == "1" for flag in reference["singular"]])
        excess = np.array([fit.criterion for fit in fits]) - np.array(reference["criterion"])
        assert all(fit.optimum.converged for fit in fits)
        assert excess.max() < 1e-7
        assert not np.any(theirs & ~ours)
        differ = ours & ~theirs
        assert differ.sum() == 5
        assert (excess[differ] < -1e-8).all()
        assert ours.sum() == 129

    def test_a_singular_fit_says_so(self):
        pop = me.datasets.shrinkage_population()
        for rng in np.random.default_rng(23).spawn(40):
            data = pop.sample_x(100, rng).sample_y()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                fit = me.lmer("y ~ (1 + x | group)", data)
            told = [str(one.message) for one in caught if issubclass(one.category, me.SingularFitWarning)]
            assert bool(told) == fit.is_singular
            assert ("singular" in str(fit)) == fit.is_singular
            if told:
                assert told[0].startswith("boundary (singular) fit: group: ")
                return
        pytest.fail("none of 40 fits is singular")
