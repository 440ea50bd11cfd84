"""Coverage of 95 % intervals for predictions: old and new groups, and few groups, where estimated variances matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from mixedeffects.fit import refit
from mixedeffects.predict.prediction import predict
from statistical.monte_carlo import band, fitted, one_way

if TYPE_CHECKING:
    import mixedeffects as me

pytestmark = pytest.mark.slow

LEVEL = 0.95


def inside(found: object, truth: float) -> bool:
    """Whether the interval of the one row covers the truth."""
    return bool(found.lower[0] <= truth <= found.upper[0])


class TestManyGroups:
    """60 groups of 5 with slopes: the normal quantile and estimated variances cost less than half a percent."""

    GROUPS, ROWS = 60, 5

    def coverage(self, n: int, seed: int, *, random: str, known: bool) -> float:
        rng = np.random.default_rng(seed)
        g = np.repeat(np.arange(self.GROUPS), self.ROWS)
        x = np.tile(np.arange(self.ROWS) - 2.0, self.GROUPS)
        L = np.linalg.cholesky([[2.25, 0.6], [0.6, 0.64]])

        def draw() -> tuple[np.ndarray, np.ndarray]:
            b = rng.normal(size=(self.GROUPS + 1, 2)) @ L.T
            return 3.0 + b[g, 0] + (b[g, 1] - 0.5) * x + rng.normal(size=len(g)), b

        fit = fitted("y ~ x + (x | g)", {"x": x, "g": g}, draw()[0])
        row = {"x": [1.5], "g": [17 if known else self.GROUPS]}
        covered = 0
        for _ in range(n):
            y, b = draw()
            own = b[17 if known else self.GROUPS]
            observation = 3.0 + own[0] + (own[1] - 0.5) * 1.5 + rng.normal()
            found = predict(refit(fit, y), row, random=random, interval="prediction", new_levels="population")
            covered += inside(found, observation)
        return covered / n

    def test_a_new_observation_in_an_old_group(self) -> None:
        n = 2000
        assert abs(self.coverage(n, 801, random="conditional", known=True) - LEVEL) < band(LEVEL, n)

    def test_a_new_observation_in_a_new_group(self) -> None:
        n = 2000
        assert abs(self.coverage(n, 802, random="conditional", known=False) - LEVEL) < band(LEVEL, n)

    def test_the_population_interval_covers_a_new_group(self) -> None:
        n = 2000
        assert abs(self.coverage(n, 803, random="population", known=False) - LEVEL) < band(LEVEL, n)


def test_the_mean_of_balanced_data_is_students() -> None:
    """Over 8 groups the error of the grand mean over its standard error is t with 7 degrees of freedom."""
    rng, n = np.random.default_rng(804), 3000
    g = np.repeat(np.arange(8), 20)
    fit = fitted("y ~ 1 + (1 | g)", {"g": g}, one_way(rng, g, 3.0))
    expected = float(1.0 - 2.0 * stats.t.sf(stats.norm.ppf(0.975), 7))
    covered = 0
    for _ in range(n):
        found = predict(refit(fit, one_way(rng, g, 3.0)), {"any": [1]}, random="population", interval="confidence")
        covered += inside(found, 0.0)
    assert abs(covered / n - expected) < band(expected, n)


class TestFewGroups:
    """8 groups of 3 with as much variance between as within: what the conditional error leaves out can be seen."""

    @staticmethod
    def coverages(n: int, seed: int, methods: tuple[str, ...], replicates: int = 1) -> dict[str, float]:
        rng = np.random.default_rng(seed)
        g = np.repeat(np.arange(8), 3)
        fit: me.LmmResult = fitted("y ~ 1 + (1 | g)", {"g": g}, one_way(rng, g, 1.0))
        counts = dict.fromkeys(methods, 0)
        for j in range(n):
            b = rng.normal(size=8)
            again = refit(fit, b[g] + rng.normal(size=len(g)))
            for method in methods:
                found = predict(again, {"g": [0]}, interval="confidence", uncertainty=method, n=replicates, rng=j)
                counts[method] += inside(found, b[0])
        return {method: count / n for method, count in counts.items()}

    def test_kackar_and_harville(self) -> None:
        n = 3000
        found = self.coverages(n, 805, ("conditional", "kackar-harville"))
        assert found["conditional"] < LEVEL - 2 * band(LEVEL, n)
        gain = found["kackar-harville"] - found["conditional"]  # never negative: the interval is wider
        assert gain > band(gain, n)
        assert found["kackar-harville"] < LEVEL

    def test_bootstrap(self) -> None:
        """The gain is a difference of dependent shares; a fifth of the gap to 95 % is well outside its error."""
        found = self.coverages(2500, 806, ("conditional", "bootstrap"), 199)
        gap = LEVEL - found["conditional"]
        assert 0.2 * gap < found["bootstrap"] - found["conditional"] < gap
