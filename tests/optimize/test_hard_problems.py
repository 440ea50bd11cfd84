"""Problems on which the search, or what surrounds it, once went wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.designs import ArrayDesign, ArrayFactor, ArrayTerm

import mixedeffects as me
from mixedeffects import _core
from mixedeffects.criterion import gaussian_criterion
from mixedeffects.criterion.reference import from_design
from mixedeffects.crossproducts import cross_products
from mixedeffects.fit.refitter import Refitter


def two_crossed_factors_and_one_nested(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 120))
    g, h = rng.integers(8, size=n), rng.integers(5, size=n)
    k = 3 * g + rng.integers(3, size=n)
    x = rng.normal(1.0, 2.0, n)
    sizes = rng.choice([0.0, 0.5, 2.0], size=4)
    y = 3.0 - x + rng.normal(size=n)
    for codes, column, size in zip((g, g, h, k), (1.0, x, 1.0, 1.0), sizes, strict=True):
        y = y + size * column * rng.normal(size=codes.max() + 1)[codes]
    return pd.DataFrame({"y": y, "x": x, "g": g})


def test_a_start_from_which_average_information_leads_the_wrong_way():
    fit = me.lmer("y ~ x + (x | g)", two_crossed_factors_and_one_nested(613))
    assert fit.optimum.converged
    assert fit.criterion == pytest.approx(288.528883686, abs=1e-6)  # lme4 1.1-31
    assert fit.optimum.n_evaluations <= 30


@pytest.mark.parametrize("ratio", [1e2, 1e3, 1e4])
@pytest.mark.parametrize("seed", range(4))
def test_variances_of_very_different_size(ratio, seed):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(20), 6)
    y = ratio * rng.normal(size=20)[g] + rng.normal(size=120)
    within = np.sqrt(((y - np.bincount(g, y)[g] / 6) ** 2).sum() / 100)
    fit = me.lmer("y ~ 1 + (1 | g)", {"y": y, "g": g})
    assert fit.optimum.converged
    assert fit.optimum.n_evaluations <= 15
    assert fit.sigma == pytest.approx(within, rel=1e-5)


def test_an_exact_fit_is_an_error():
    rng = np.random.default_rng(1)
    x, g = rng.normal(size=60), np.repeat(np.arange(10), 6)
    with pytest.raises(me.DataError, match="fits the response exactly"):
        me.lmer("y ~ x + (1 | g)", {"y": 1 + 2 * x, "x": x, "g": g})


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("formula", ["y ~ x + (1 | g) + (1 | g)", "y ~ x + (1 | g) + (0 + z | g)"])
def test_variances_that_the_data_do_not_determine(formula, reml):
    rng = np.random.default_rng(1)
    x, g = rng.normal(size=60), np.repeat(np.arange(10), 6)
    data = {"y": x + rng.normal(size=10)[g] + rng.normal(size=60), "x": x, "g": g, "z": np.zeros(60)}
    with pytest.warns(me.ConvergenceWarning, match="not determined by the data"):
        fit = me.lmer(formula, data, reml=reml)
    assert not fit.optimum.converged


def test_a_refit_to_missing_values_says_so():
    data = me.datasets.load("sleepstudy")
    y = data["Reaction"].to_numpy().copy()
    y[3] = np.nan
    out = Refitter(me.lmer("Reaction ~ Days + (Days | Subject)", data))(y)
    assert not out.converged
    assert np.isnan(out.beta).all()
    assert np.isnan(out.criterion)


def test_levels_without_rows_are_not_nested():
    rng = np.random.default_rng(0)
    f = ArrayFactor(np.array([0, 0, 1, 2] * 3, dtype=np.int32), 4)
    g = ArrayFactor(np.array([0, 1, 2, 2] * 3, dtype=np.int32), 3)
    one = np.ones(12)
    design = ArrayDesign(
        y=rng.normal(size=12), X=np.asfortranarray(one[:, None]), terms=(ArrayTerm(f, (one,)), ArrayTerm(g, (one,)))
    )
    criterion = gaussian_criterion(cross_products(design), reml=True)
    value = from_design(design).evaluate(np.array([1.0, 0.7])).value
    assert criterion.evaluate([1.0, 0.7]).value == pytest.approx(value, rel=1e-12)


def test_the_core_converts_nothing():
    one, eye = np.ones(4), np.asfortranarray([[1.0]])
    codes = np.array([0, 1, 2, 0], dtype=np.int32)
    with pytest.raises(ValueError, match="weights of another length"):
        _core.triangular_factor([one], np.ones(3), 1)
    with pytest.raises(TypeError):
        _core.cross_products([one], one, None, [codes.astype(np.int64)], [3], [[one]], eye, np.zeros(1), [eye], 1)
    with pytest.raises(TypeError):
        _core.triangular_factor([one.astype(np.float32)], None, 1)
    with pytest.raises(ValueError, match="basis"):
        _core.cross_products([one], one, None, [codes], [3], [[one]], np.eye(2, order="F"), np.zeros(1), [eye], 1)


@pytest.mark.parametrize(
    "formula", ["y ~ C(g) + x + (1 | g)", "y ~ C(g) + x + (1 | g) + (1 | h)", "y ~ C(g) + (1 | g/h)"]
)
def test_a_factor_with_fixed_coefficients_for_all_levels_leaves_no_variance(formula):
    """REML does not depend on such a variance; by ordinary likelihood it is 0."""
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"g": np.repeat(np.arange(12), 20), "h": np.tile(np.repeat(np.arange(5), 4), 12)})
    data["x"] = rng.normal(size=240)
    data["y"] = (
        data["x"]
        + rng.normal(size=12)[data["g"]]
        + rng.normal(size=60)[5 * data["g"] + data["h"]]
        + rng.normal(size=240)
    )
    with pytest.warns(me.ConvergenceWarning, match="a grouping factor whose levels all have a fixed coefficient"):
        fit = me.lmer(formula, data)
    assert not fit.optimum.converged
    absorbed = [term.group == "g" for term in fit.model.terms]
    at = [fit.evaluate(np.where(absorbed, scale, fit.theta)).value for scale in (0.0, 7.0)]
    assert at[0] == pytest.approx(at[1], abs=1e-8)
    with pytest.warns(me.SingularFitWarning, match="g: the variance of Intercept is 0"):
        assert me.lmer(formula, data, reml=False).optimum.converged
    assert me.lmer(formula.replace("C(g) + ", "").replace("C(g)", "1"), data).optimum.converged
