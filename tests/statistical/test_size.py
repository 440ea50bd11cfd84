"""Size at 5 % of tests of fixed effects in small samples: t and F with estimated degrees of freedom, and the normal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from mixedeffects.fit import refit
from mixedeffects.inference.dispatch import f_test, t_test
from statistical.monte_carlo import band, fitted, one_way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import mixedeffects as me

pytestmark = pytest.mark.slow

SIZE = 0.05
SETS = 3000
METHODS = ("satterthwaite", "kenward-roger", "normal")
NORMAL = stats.norm.isf(SIZE / 2)

Sizes = dict[tuple[str, str], float]


def sizes(
    fit: me.LmmResult, draw: Callable[[], np.ndarray], hypotheses: Mapping[str, np.ndarray], n: int = SETS
) -> Sizes:
    """Shares of data sets without any fixed effect in which each hypothesis is rejected by each method."""
    rejected = {(name, method): 0 for name in hypotheses for method in METHODS}
    for _ in range(n):
        again = refit(fit, draw())
        for (name, method), count in rejected.items():
            L = hypotheses[name]
            test = t_test if L.ndim == 1 else f_test
            rejected[name, method] = count + (test(again, L, ddf=method).p_value < SIZE)
    return {key: count / n for key, count in rejected.items()}


@pytest.mark.parametrize(("n_groups", "sd"), [(4, 8.0), (6, 4.0)])
def test_balanced_groups_of_four(n_groups: int, sd: float) -> None:
    """One covariate between the groups and one within: with a large group variance both are exactly t.

    The covariate between groups has n_groups - 2 degrees of freedom, the other 3 n_groups - 1, by both methods, and
    the normal test rejects as often as such a t exceeds 1.96: 19 % between 4 groups, 12 % between 6.
    """
    rng = np.random.default_rng(100 + n_groups)
    g = np.repeat(np.arange(n_groups), 4)
    columns = {"g": g, "x": g % 2 + 0.0, "w": np.tile([-1.5, -0.5, 0.5, 1.5], n_groups)}
    fit = fitted("y ~ x + w + (1 | g)", columns, one_way(rng, g, sd))
    hypotheses = {"x": np.array([0.0, 1.0, 0.0]), "w": np.array([0.0, 0.0, 1.0])}
    found = sizes(fit, lambda: one_way(rng, g, sd), hypotheses)
    for name, df in {"x": n_groups - 2, "w": 3 * n_groups - 1}.items():
        too_liberal = 2.0 * stats.t.sf(NORMAL, df)
        assert abs(found[name, "satterthwaite"] - SIZE) < band(SIZE, SETS)
        assert abs(found[name, "kenward-roger"] - SIZE) < band(SIZE, SETS)
        assert abs(found[name, "normal"] - too_liberal) < band(too_liberal, SETS)
    assert found["x", "normal"] > SIZE + 2.0 * band(SIZE, SETS)


@pytest.mark.parametrize("n_groups", [4, 5, 6, 8])
def test_between_balanced_groups_both_are_the_t_test_of_the_means(n_groups: int) -> None:
    """Data set by data set, with n_groups - 2 degrees of freedom: 2 and 4, too, where moments of F are infinite."""
    rng = np.random.default_rng(150 + n_groups)
    g, x = np.repeat(np.arange(n_groups), 4), rng.normal(size=n_groups)
    fit = fitted("y ~ x + (1 | g)", {"g": g, "x": x[g]}, one_way(rng, g, 8.0))
    compared = 0
    for _ in range(300):
        y = one_way(rng, g, 8.0)
        again = refit(fit, y)
        if again.is_singular:
            continue
        compared += 1
        expected = stats.linregress(x, y.reshape(n_groups, 4).mean(axis=1)).pvalue
        for method in METHODS[:2]:
            # A decrement of 1e-11 leaves theta some 1e-6 of its standard error from the minimum, and df as far off.
            found = t_test(again, np.array([0.0, 1.0]), ddf=method)
            assert found.df == pytest.approx(n_groups - 2, rel=1e-4)
            assert found.p_value == pytest.approx(expected, rel=1e-4)
            joint = f_test(again, np.array([[0.0, 1.0]]), ddf=method)
            assert joint.p_value == pytest.approx(expected, rel=1e-4)
    assert compared > 280


UNBALANCED = np.repeat(np.arange(8), [2, 7, 3, 6, 4, 5, 2, 7])
BETWEEN = {"treatment": np.eye(4)[1:3], "B - A": np.eye(4)[1], "B - C": np.array([0.0, 1.0, -1.0, 0.0])}
HYPOTHESES = {**BETWEEN, "x": np.eye(4)[3]}


class TestUnbalanced:
    """Eight groups of 2 to 7 rows, three treatments given to whole groups, a covariate that varies anyhow."""

    def found(self, seed: int, sd: float) -> Sizes:
        rng = np.random.default_rng(seed)
        columns = {
            "g": UNBALANCED,
            "treatment": np.array(list("ABCABCAB"))[UNBALANCED],
            "x": rng.normal(size=len(UNBALANCED)),
        }
        fit = fitted("y ~ treatment + x + (1 | g)", columns, one_way(rng, UNBALANCED, 2.0))
        return sizes(fit, lambda: one_way(rng, UNBALANCED, sd), HYPOTHESES)

    def test_a_large_group_variance(self) -> None:
        """Both methods keep 5 % (20,000 data sets give 5.1 to 5.5 %); the normal and the chi-square do not."""
        found = self.found(201, 2.0)
        for name in HYPOTHESES:
            assert abs(found[name, "satterthwaite"] - SIZE) < band(SIZE, SETS)
            assert abs(found[name, "kenward-roger"] - SIZE) < band(SIZE, SETS)
        for name in BETWEEN:
            assert found[name, "normal"] > SIZE + 2.0 * band(SIZE, SETS)

    def test_a_group_variance_often_estimated_as_zero(self) -> None:
        """Near the boundary Kenward-Roger errs on the safe side; the normal is as liberal as ever."""
        found = self.found(202, 0.7)
        for name in HYPOTHESES:
            assert found[name, "kenward-roger"] < SIZE + band(SIZE, SETS)
            assert found[name, "satterthwaite"] < found[name, "normal"]
        for name in BETWEEN:
            assert found[name, "normal"] > SIZE + 2.0 * band(SIZE, SETS)


def test_correlated_slopes() -> None:
    """Eight groups of five, each with its own line: the mean slope has about 7 degrees of freedom."""
    rng = np.random.default_rng(301)
    g, z = np.repeat(np.arange(8), 5), np.tile(np.arange(5.0) - 2.0, 8)

    def draw() -> np.ndarray:
        return one_way(rng, g, 1.5) + rng.normal(size=8)[g] * z

    fit = fitted("y ~ z + (z | g)", {"g": g, "z": z}, draw())
    found = sizes(fit, draw, {"z": np.array([0.0, 1.0])})
    too_liberal = 2.0 * stats.t.sf(NORMAL, 7)
    assert abs(found["z", "satterthwaite"] - SIZE) < band(SIZE, SETS)
    assert abs(found["z", "kenward-roger"] - SIZE) < band(SIZE, SETS)
    assert abs(found["z", "normal"] - too_liberal) < band(too_liberal, SETS)
    assert found["z", "normal"] > SIZE + band(SIZE, SETS)
