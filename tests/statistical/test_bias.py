"""Bias of variance estimates: by maximum likelihood they are too small by a known factor, by REML they are not.

The factor grows without limit where the fixed effects grow with the rows (Neyman & Scott 1948, Econometrica 16, 1-32).
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mixedeffects as me
from mixedeffects.fit import refit
from mixedeffects.fit.refitter import Refitter
from statistical.monte_carlo import WIDTH, fitted, mean_band, one_way

pytestmark = pytest.mark.slow


def variances(formula: str, columns: dict, responses: np.ndarray, *, reml: bool) -> tuple[np.ndarray, np.ndarray]:
    """Estimates of the variance of a random intercept and of sigma^2, one for each row of responses."""
    fit = fitted(formula, columns, responses[0], reml=reml)
    refitter = Refitter(fit)
    refits = [refitter(y) for y in responses]
    assert all(r.converged for r in refits)
    sigma2 = np.array([r.rss for r in refits]) / fit.objective.degrees
    theta = np.array([r.theta[0] for r in refits])
    return sigma2 * theta**2, sigma2


def residual_variances(formula: str, columns: dict, responses: np.ndarray, theta: float, *, reml: bool) -> np.ndarray:
    """Estimates of sigma^2 at a given theta; theta = 0 is the ordinary linear model."""
    control = me.Control(fixed_theta=[theta], threads=1)
    fit = fitted(formula, columns, responses[0], reml=reml, control=control)
    return np.array([refit(fit, y).solution.sigma ** 2 for y in responses])


def in_band(values: np.ndarray, expected: float) -> bool:
    """Whether the mean is within four of its standard errors of what is expected."""
    return abs(values.mean() - expected) < mean_band(values)


class TestSmallBalancedDesign:
    """Ten groups of four, sigma 1 and group sd 2; 4 coefficients between the groups and 2 within them.

    In this design the estimates are known: sigma^2 is the sum of squares within groups over 28 (REML) or 30 (ML), and
    sigma^2 + 4 sd^2 that between groups over 6 or 10, where the group variance is not estimated as 0.
    """

    formula = "y ~ treatment + x + u + v + (1 | g)"
    n_sets = 20_000
    sd = 2.0

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls) -> tuple[dict, np.ndarray]:
        rng = np.random.default_rng(401)
        g = np.repeat(np.arange(10), 4)
        columns = {
            "g": g,
            "treatment": np.array(list("ABCABCABCA"))[g],
            "x": rng.normal(size=10)[g],
            "u": np.tile([-1.5, -0.5, 0.5, 1.5], 10),
            "v": np.tile([1.0, -1.0, -1.0, 1.0], 10),
        }
        return columns, np.array([one_way(rng, g, cls.sd) for _ in range(cls.n_sets)])

    def test_reml_has_no_bias(self, data: tuple[dict, np.ndarray]) -> None:
        group, residual = variances(self.formula, *data, reml=True)
        assert in_band(residual, 1.0)
        assert in_band(group, self.sd**2)

    def test_maximum_likelihood_has_a_known_bias(self, data: tuple[dict, np.ndarray]) -> None:
        group, residual = variances(self.formula, *data, reml=False)
        within = 28 / 30
        between = (1.0 + 4 * self.sd**2) * 6 / 10
        assert in_band(residual, within)
        assert in_band(group, (between - within) / 4)
        assert residual.mean() < 1.0 - 5.0 * mean_band(residual)
        assert group.mean() < 0.6 * self.sd**2


def test_reml_in_an_unbalanced_design() -> None:
    """Eight groups of 2 to 7 and 4 coefficients: REML stays within its Monte Carlo error, ML is far out."""
    rng = np.random.default_rng(402)
    g = np.repeat(np.arange(8), [2, 7, 3, 6, 4, 5, 2, 7])
    columns = {"g": g, "treatment": np.array(list("ABCABCAB"))[g], "x": rng.normal(size=len(g))}
    responses = np.array([one_way(rng, g, 2.0) for _ in range(10_000)])
    formula = "y ~ treatment + x + (1 | g)"
    group, residual = variances(formula, columns, responses, reml=True)
    assert in_band(residual, 1.0)
    assert in_band(group, 4.0)
    group, residual = variances(formula, columns, responses, reml=False)
    assert group.mean() < 4.0 - 5.0 * mean_band(group)
    assert residual.mean() < 1.0 - 2.0 * mean_band(residual)


@pytest.mark.parametrize("theta", [0.0, 2.0])
def test_the_factor_n_minus_p_over_n(theta: float) -> None:
    """At the true theta, 0 for the ordinary linear model, ML has the mean (n - p) / n sigma^2, in any design."""
    rng = np.random.default_rng(403)
    g = np.repeat(np.arange(4), [2, 5, 3, 6])
    columns = {"g": g, **{name: rng.normal(size=16) for name in "abcdef"}}
    responses = np.array([one_way(rng, g, theta) for _ in range(2000)])
    formula = "y ~ a + b + c + d + e + f + (1 | g)"
    ml, reml = (residual_variances(formula, columns, responses, theta, reml=reml) for reml in (False, True))
    assert in_band(ml, (16 - 7) / 16)
    assert in_band(reml, 1.0)
    assert ml.mean() < 1.0 - 5.0 * mean_band(ml)
    np.testing.assert_allclose(ml, reml * (16 - 7) / 16, rtol=1e-10)


class TestNeymanScott:
    """Pairs of rows with a mean of their own: half as many coefficients as rows, however many rows."""

    @pytest.mark.parametrize(("n_pairs", "n_sets"), [(10, 2000), (40, 500), (160, 125)])
    def test_fixed_effects_of_pairs(self, n_pairs: int, n_sets: int) -> None:
        """n_pairs S^2 is chi-square with n_pairs degrees of freedom: ML tends to 1/2 in probability, REML to 1."""
        rng = np.random.default_rng(500 + n_pairs)
        pair = np.repeat(np.arange(n_pairs), 2)
        columns = {"pair": pair, "side": np.arange(2 * n_pairs) % 2}
        responses = rng.normal(size=(n_sets, 2 * n_pairs)) + 10.0 * rng.normal(size=n_pairs)[pair]
        formula = "y ~ 0 + C(pair) + (1 | side)"
        ml, reml = (residual_variances(formula, columns, responses, 0.0, reml=reml) for reml in (False, True))
        error = np.sqrt(2.0 / n_pairs)
        assert abs(ml.mean() - 0.5) < WIDTH * 0.5 * error / np.sqrt(n_sets)
        assert abs(reml.mean() - 1.0) < WIDTH * error / np.sqrt(n_sets)
        spread = stats.chi2.ppf([1e-6, 1.0 - 1e-6], n_pairs) / n_pairs
        assert spread[0] < reml.min()
        assert reml.max() < spread[1]
        if n_pairs == 160:
            assert ml.max() < 0.5 * spread[1] < 0.9

    def test_with_a_variance_to_estimate_as_well(self) -> None:
        """A hundred pairs as fixed effects, 20 treatments with sd 2 at random, two to a pair."""
        rng = np.random.default_rng(601)
        pair = np.repeat(np.arange(100), 2)
        first = np.arange(100) % 20
        second = (first + 1 + np.arange(100) // 20) % 20
        treatment = np.column_stack([first, second]).ravel()
        responses = np.array([one_way(rng, treatment, 2.0) for _ in range(400)])
        columns, formula = {"pair": pair, "t": treatment}, "y ~ 0 + C(pair) + (1 | t)"
        group, residual = variances(formula, columns, responses, reml=True)
        assert in_band(residual, 1.0)
        assert in_band(group, 4.0)
        _, residual = variances(formula, columns, responses, reml=False)
        assert abs(residual.mean() - 0.5) < 0.1
        assert residual.max() < 0.8

    def test_random_effects_of_pairs_are_the_remedy(self) -> None:
        """With the pairs as random effects ML has three parameters, however many rows."""
        rng = np.random.default_rng(602)
        pair = np.repeat(np.arange(160), 2)
        responses = np.array([one_way(rng, pair, 2.0) for _ in range(1000)])
        group, residual = variances("y ~ 1 + (1 | pair)", {"pair": pair}, responses, reml=False)
        assert in_band(residual, 1.0)
        # Between pairs the sum of squares has 159 degrees of freedom and is divided by 160.
        assert in_band(group, (9.0 * 159 / 160 - 1.0) / 2)
