"""Checks of counts: their level where the model is true, and that they find what they look for."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixedeffects as me
from mixedeffects.plots.qq import qq_data
from statistical.monte_carlo import band, mean_band

pytestmark = pytest.mark.slow

GROUPS, ROWS, N, DRAWS = 30, 8, 200, 99
GROUP = np.repeat(np.arange(GROUPS), ROWS)


def fitted(rng: np.random.Generator, kind: str) -> me.GlmmResult:
    """A Poisson model fitted to Poisson counts, to overdispersed ones, or to counts with too many zeros."""
    x = rng.normal(size=len(GROUP))
    mu = np.exp(0.8 + 0.4 * x + 0.5 * rng.normal(size=GROUPS)[GROUP])
    if kind == "overdispersed":
        mu = mu * rng.gamma(2.0, 0.5, size=len(mu))
    y = rng.poisson(mu) * ((rng.uniform(size=len(mu)) > 0.2) if kind == "zeros" else 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        return me.glmer("y ~ x + (1 | g)", {"y": y, "x": x, "g": GROUP}, "poisson", control=me.Control(threads=1))


@pytest.fixture(scope="module")
def true_model() -> dict[str, np.ndarray]:
    """P-values of both checks, one-sided, and the share of residuals outside the band, for N true models."""
    rng = np.random.default_rng(906)
    found: dict[str, list[float]] = {"dispersion": [], "zeros": [], "pearson": [], "outside": []}
    for _ in range(N):
        fit = fitted(rng, "poisson")
        check = fit.check_dispersion(DRAWS, rng=rng, alternative="greater")
        found["dispersion"].append(check.p_simulated)
        found["pearson"].append(check.p_value)
        found["zeros"].append(fit.check_zero_inflation(DRAWS, rng=rng, alternative="greater").p_simulated)
        data = qq_data(fit, DRAWS, rng)
        found["outside"].append(float(np.mean((data["residual"] < data["lower"]) | (data["residual"] > data["upper"]))))
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("level", [0.05, 0.2])
@pytest.mark.parametrize("check", ["dispersion", "zeros"])
def test_a_true_model_is_flagged_as_often_as_the_level_says(
    true_model: dict[str, np.ndarray], check: str, level: float
) -> None:
    assert abs(np.mean(true_model[check] <= level) - level) < band(level, N)


def test_the_chi_square_alone_is_conservative(true_model: dict[str, np.ndarray]) -> None:
    assert np.mean(true_model["pearson"] <= 0.2) < 0.2 - band(0.2, N)


def test_of_a_true_model_one_residual_in_twenty_lies_outside_the_band(true_model: dict[str, np.ndarray]) -> None:
    outside = true_model["outside"]
    assert abs(outside.mean() - 0.05) < mean_band(outside)


@pytest.mark.parametrize(("kind", "power"), [("overdispersed", 0.95), ("zeros", 0.95)])
def test_what_is_wrong_is_found(kind: str, power: float) -> None:
    rng = np.random.default_rng(77)
    fits = [fitted(rng, kind) for _ in range(40)]
    zeros = [fit.check_zero_inflation(DRAWS, rng=rng).p_simulated <= 0.05 for fit in fits]
    dispersion = [fit.check_dispersion(DRAWS, rng=rng).p_simulated <= 0.05 for fit in fits]
    assert np.mean(dispersion) >= power
    assert np.mean(zeros) >= (power if kind == "zeros" else 0.5)
