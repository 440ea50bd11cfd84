"""Coverage of 95 % prediction intervals for counts: at least 95 % by what discreteness adds, old and new groups."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest

import mixedeffects as me
from statistical.monte_carlo import mean_band

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

GROUPS, ROWS, SETS, NEW = 60, 6, 250, 8
TRIALS, SIZE = 25, 3.0
BETA, SD = (0.4, 0.5), 0.7


def shares(
    family: str, draw: Callable[[np.random.Generator, np.ndarray], np.ndarray], seed: int
) -> dict[str, np.ndarray]:
    """For old and new groups: the shares of new responses below and above the limits, one data set each, (SETS, 2)."""
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(GROUPS), ROWS), np.tile(np.linspace(-1.0, 1.0, ROWS), GROUPS)
    weights = np.full(len(g), float(TRIALS)) if family == "binomial" else None
    ask = {"weights": TRIALS} if family == "binomial" else {}
    found: dict[str, list] = {"old": [], "new": []}
    for _ in range(SETS):
        b = SD * rng.normal(size=GROUPS + NEW)
        data = {"y": draw(rng, BETA[0] + BETA[1] * x + b[g]), "x": x, "g": g}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = me.glmer("y ~ x + (1 | g)", data, family, weights=weights, control=me.Control(threads=1))
        for kind, first in (("old", 0), ("new", GROUPS)):
            rows = {"x": rng.uniform(-1.0, 1.0, NEW), "g": first + np.arange(NEW)}
            limits = fit.predict(rows, interval="prediction", new_levels="population", **ask)
            y = draw(rng, BETA[0] + BETA[1] * rows["x"] + b[rows["g"]])
            below, above = y < limits["lower"] - 1e-9, y > limits["upper"] + 1e-9
            found[kind].append((np.mean(below), np.mean(above)))
    return {kind: np.array(values) for kind, values in found.items()}


def binomial(rng: np.random.Generator, eta: np.ndarray) -> np.ndarray:
    return rng.binomial(TRIALS, 1.0 / (1.0 + np.exp(-eta))) / TRIALS


def poisson(rng: np.random.Generator, eta: np.ndarray) -> np.ndarray:
    return rng.poisson(np.exp(eta + 1.0)).astype(float)


def nb2(rng: np.random.Generator, eta: np.ndarray) -> np.ndarray:
    return rng.poisson(rng.gamma(SIZE, np.exp(eta + 1.0) / SIZE)).astype(float)


@pytest.mark.parametrize(
    ("family", "draw", "seed"),
    [("binomial", binomial, 821), ("poisson", poisson, 822), ("negative_binomial", nb2, 823)],
)
def test_each_side_misses_at_most_what_it_may(family: str, draw: Callable, seed: int) -> None:
    """A limit is the smallest count at which the level is reached, so that a side misses 2.5 % or less of them."""
    for kind, missed in shares(family, draw, seed).items():
        for side in missed.T:
            assert side.mean() < 0.025 + mean_band(side), kind
        assert missed.sum(axis=1).mean() > 0.015, kind
