"""Coverage of 95 % intervals by profile likelihood and by the parametric bootstrap, with 12 groups of 6.

With so few groups it is below 95 %: the chi-square and the normal distribution take no account of the degrees of
freedom of the estimated variances. In the balanced design the coverage is known, and the bands are around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import optimize, stats

from mixedeffects.fit import refit
from mixedeffects.inference.bootstrap import bootstrap
from mixedeffects.inference.intervals import confint_profile
from statistical.monte_carlo import band, fitted, one_way

if TYPE_CHECKING:
    from collections.abc import Callable

    import mixedeffects as me

pytestmark = pytest.mark.slow

LEVEL = 0.95
CHI2 = stats.chi2.ppf(LEVEL, 1)
GROUPS, ROWS = 12, 6
BALANCED = np.repeat(np.arange(GROUPS), ROWS)
WITHIN = np.tile(np.arange(ROWS) - 2.5, GROUPS)
BETA = np.array([3.0, -0.5])


def known_variance_coverage(n: int, df: int) -> float:
    """Coverage of n (r - 1 - log r) < CHI2 where n r is chi-square with df degrees of freedom."""

    def excess(r: float) -> float:
        return n * (r - 1.0 - np.log(r)) - CHI2

    low, high = optimize.brentq(excess, 1e-9, 1.0), optimize.brentq(excess, 1.0, 50.0)
    return float(stats.chi2.cdf(n * high, df) - stats.chi2.cdf(n * low, df))


def known_mean_coverage(n: int, df: int) -> float:
    """Coverage of n log(1 + t^2 / df) < CHI2 where t is Student's with df degrees of freedom."""
    return float(1.0 - 2.0 * stats.t.sf(np.sqrt(df * np.expm1(CHI2 / n)), df))


# Sums of squares with 11 (between) and 59 (within) degrees of freedom, which ML divides by 12 and 60. That of the group
# variance is for a known sigma, which hardly matters as sigma is known five times as well.
KNOWN = {
    "sd_Intercept|g": known_variance_coverage(12, 11),
    "sigma": known_variance_coverage(60, 59),
    "Intercept": known_mean_coverage(12, 11),
    "x": known_mean_coverage(60, 59),
}


def profile_coverage(
    fit: me.LmmResult, draw: Callable[[], np.ndarray], truth: dict[str, float], n: int
) -> dict[str, float]:
    """Shares of data sets in which the profile interval covers each of some parameters."""
    at = np.array(list(truth.values()))
    covered = np.zeros(len(at))
    for _ in range(n):
        found = confint_profile(refit(fit, draw()), LEVEL, list(truth))
        covered += (found.lower <= at) & (at <= found.upper)
    return dict(zip(truth, covered / n, strict=True))


def test_known_coverages() -> None:
    rounded = {name: round(coverage, 3) for name, coverage in KNOWN.items()}
    assert rounded == {"sd_Intercept|g": 0.930, "sigma": 0.946, "Intercept": 0.934, "x": 0.947}


class TestProfile:
    def test_balanced_design(self) -> None:
        rng, n = np.random.default_rng(701), 1500

        def draw() -> np.ndarray:
            return BETA[0] + BETA[1] * WITHIN + one_way(rng, BALANCED, 1.5)

        fit = fitted("y ~ x + (1 | g)", {"x": WITHIN, "g": BALANCED}, draw(), reml=False)
        truth = {"sd_Intercept|g": 1.5, "sigma": 1.0, "Intercept": BETA[0], "x": BETA[1]}
        found = profile_coverage(fit, draw, truth, n)
        for name, coverage in found.items():
            assert abs(coverage - KNOWN[name]) < band(KNOWN[name], n)

    def test_unbalanced_design(self) -> None:
        """Groups of 3 to 9: not above 95 %, not below what is known of the balanced design."""
        rng, n = np.random.default_rng(702), 1000
        g = np.repeat(np.arange(GROUPS), [3, 9, 4, 8, 5, 7, 6, 6, 3, 9, 4, 8])
        x = rng.normal(size=len(g))

        def draw() -> np.ndarray:
            return BETA[0] + BETA[1] * x + one_way(rng, g, 1.0)

        fit = fitted("y ~ x + (1 | g)", {"x": x, "g": g}, draw(), reml=False)
        found = profile_coverage(fit, draw, {"sd_Intercept|g": 1.0, "sigma": 1.0, "Intercept": 3.0, "x": -0.5}, n)
        for name, coverage in found.items():
            lowest = KNOWN["Intercept" if name == "x" else name]
            assert lowest - band(lowest, n) < coverage < LEVEL + band(LEVEL, n)

    def test_correlated_slopes(self) -> None:
        """Standard deviations, their correlation, sigma and both coefficients, not below what 12 groups can give."""
        rng, n = np.random.default_rng(703), 600
        L = np.linalg.cholesky([[2.25, 0.6], [0.6, 0.64]])

        def draw() -> np.ndarray:
            b = rng.normal(size=(GROUPS, 2)) @ L.T
            return BETA[0] + b[BALANCED, 0] + (BETA[1] + b[BALANCED, 1]) * WITHIN + rng.normal(size=len(BALANCED))

        fit = fitted("y ~ x + (x | g)", {"x": WITHIN, "g": BALANCED}, draw(), reml=False)
        truth = {"sd_Intercept|g": 1.5, "cor_x.Intercept|g": 0.5, "sd_x|g": 0.8, "sigma": 1.0, "Intercept": 3.0}
        found = profile_coverage(fit, draw, {**truth, "x": -0.5}, n)
        lowest = KNOWN["sd_Intercept|g"]
        for coverage in found.values():
            assert lowest - band(lowest, n) < coverage < LEVEL + band(LEVEL, n)

    def test_a_group_variance_of_zero(self) -> None:
        """An interval that ends at 0 covers 0: as often as the likelihood ratio at the boundary is below CHI2."""
        rng, n = np.random.default_rng(704), 1000
        between, within = rng.chisquare(11, 10**6), rng.chisquare(60, 10**6)
        null = 72 * np.log((between + within) / 72)
        free = 12 * np.log(between / 12) + 60 * np.log(within / 60)
        ratio = np.where(between / 12 > within / 60, null - free, 0.0)
        expected = float((ratio <= CHI2).mean())

        fit = fitted("y ~ 1 + (1 | g)", {"g": BALANCED}, one_way(rng, BALANCED, 1.0), reml=False)
        found = profile_coverage(fit, lambda: one_way(rng, BALANCED, 0.0), {"sd_Intercept|g": 0.0}, n)
        assert abs(found["sd_Intercept|g"] - expected) < band(expected, n)
        assert expected > 0.98  # the boundary makes the interval conservative


def test_bootstrap_intervals_of_the_coefficients() -> None:
    """Percentile and basic intervals are normal ones with REML's standard error: t with 11 and 59 df within 1.96."""
    rng, n, replicates = np.random.default_rng(705), 1200, 399

    def draw() -> np.ndarray:
        return BETA[0] + BETA[1] * WITHIN + one_way(rng, BALANCED, 1.5)

    fit = fitted("y ~ x + (1 | g)", {"x": WITHIN, "g": BALANCED}, draw())
    covered = {"percentile": np.zeros(2), "basic": np.zeros(2)}
    for seed in range(n):
        drawn = bootstrap(refit(fit, draw()), replicates, rng=seed, workers=1, progress=False)
        assert drawn.n_failed == 0
        for kind, counts in covered.items():
            found = drawn.intervals(LEVEL, kind, "beta_")
            counts += (found.lower <= BETA) & (found.upper >= BETA)
    for counts in covered.values():
        for coverage, df in zip(counts / n, (11, 59), strict=True):
            expected = 1.0 - 2.0 * stats.t.sf(stats.norm.ppf(0.975), df)
            assert abs(coverage - expected) < band(expected, n)
