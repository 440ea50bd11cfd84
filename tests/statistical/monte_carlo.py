"""What the Monte Carlo checks share: bands around an expected value, and responses with known variances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import mixedeffects as me

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH = 4.0  # standard errors on either side: a right answer is outside once in 16,000 comparisons


def band(p: float, n: int) -> float:
    """Half-width of the band around a proportion p estimated from n data sets, from the binomial error."""
    return WIDTH * float(np.sqrt(p * (1.0 - p) / n))


def mean_band(values: np.ndarray) -> float:
    """Half-width of the band around the expected mean of values."""
    return WIDTH * float(np.std(values, ddof=1) / np.sqrt(len(values)))


def one_way(rng: np.random.Generator, groups: np.ndarray, sd: float) -> np.ndarray:
    """Group effects with standard deviation sd plus errors with standard deviation 1."""
    return sd * rng.normal(size=groups.max() + 1)[groups] + rng.normal(size=len(groups))


def fitted(formula: str, columns: Mapping[str, np.ndarray], y: np.ndarray, **keywords: object) -> me.LmmResult:
    """A fit in one thread, from which the model is refitted to other responses."""
    keywords = {"control": me.Control(threads=1), **keywords}
    return me.lmer(formula, {**columns, "y": y}, **keywords)
