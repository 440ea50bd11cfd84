"""Binary data in small clusters: the Laplace approximation is biased, quadrature is not; coverage of intervals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixedeffects as me
from statistical.monte_carlo import band, mean_band

pytestmark = pytest.mark.slow

GROUPS, ROWS, N = 200, 4, 300
BETA, SD = np.array([-0.3, 0.5]), 1.5


@pytest.fixture(scope="module")
def estimates() -> dict[int, np.ndarray]:
    """For 1 node and 15: the standard deviation, coefficients and standard errors of each data set, (N, 5)."""
    rng = np.random.default_rng(811)
    g = np.repeat(np.arange(GROUPS), ROWS)
    x = rng.normal(size=len(g))
    control = me.Control(threads=1)
    found: dict[int, list[list[float]]] = {1: [], 15: []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        for _ in range(N):
            eta = BETA[0] + BETA[1] * x + SD * rng.normal(size=GROUPS)[g]
            data = {"y": (rng.uniform(size=len(g)) < 1.0 / (1.0 + np.exp(-eta))).astype(float), "x": x, "g": g}
            for nagq, rows in found.items():
                fit = me.glmer("y ~ x + (1 | g)", data, nagq=nagq, control=control)
                rows.append([np.sqrt(fit.varcorr.covariance["g"].iloc[0, 0]), *fit.fixef, *fit.std_errors])
    return {nagq: np.array(rows) for nagq, rows in found.items()}


def test_the_standard_deviation_by_laplace_is_too_small(estimates: dict[int, np.ndarray]) -> None:
    sd = estimates[1][:, 0]
    assert sd.mean() < SD - mean_band(sd)
    assert sd.mean() / SD == pytest.approx(0.933, abs=0.001)  # docs/limitations.md says so


def test_quadrature_has_the_right_one(estimates: dict[int, np.ndarray]) -> None:
    sd = estimates[15][:, 0]
    assert abs(sd.mean() - SD) < mean_band(sd)


def test_coefficients_by_quadrature_are_unbiased(estimates: dict[int, np.ndarray]) -> None:
    for j, truth in enumerate(BETA):
        values = estimates[15][:, 1 + j]
        assert abs(values.mean() - truth) < mean_band(values)


@pytest.mark.parametrize("nagq", [1, 15])
def test_wald_intervals_cover(estimates: dict[int, np.ndarray], nagq: int) -> None:
    for j, truth in enumerate(BETA):
        estimate, error = estimates[nagq][:, 1 + j], estimates[nagq][:, 3 + j]
        coverage = (np.abs(estimate - truth) < 1.959964 * error).mean()
        assert abs(coverage - 0.95) < band(0.95, N)


def test_standard_errors_are_the_spread_of_the_estimates(estimates: dict[int, np.ndarray]) -> None:
    spread, errors = estimates[15][:, 1:3].std(axis=0, ddof=1), estimates[15][:, 3:].mean(axis=0)
    assert np.all(np.abs(spread / errors - 1.0) < 4.0 / np.sqrt(2.0 * N))


DATA_SETS, DRAWS = 120, 99


@pytest.fixture(scope="module")
def by_bootstrap() -> dict[str, np.ndarray]:
    """For each kind of interval: whether it covers the sd of the groups, intercept and slope, (DATA_SETS, 3)."""
    rng = np.random.default_rng(812)
    g = np.repeat(np.arange(40), 8)
    x = rng.normal(size=len(g))
    control, truth = me.Control(threads=1), np.array([1.0, *BETA])
    found: dict[str, list[np.ndarray]] = {"percentile": [], "basic": []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        for _ in range(DATA_SETS):
            eta = BETA[0] + BETA[1] * x + rng.normal(size=40)[g]
            data = {"y": (rng.uniform(size=len(g)) < 1.0 / (1.0 + np.exp(-eta))).astype(float), "x": x, "g": g}
            draws = me.glmer("y ~ x + (1 | g)", data, control=control).bootstrap(DRAWS, rng=rng, workers=1)
            assert draws.names == ("sd_Intercept|g", "Intercept", "x")
            for kind, rows in found.items():
                limits = draws.confint(kind=kind)
                rows.append(np.array((limits["lower"] < truth) & (truth < limits["upper"])))
    return {kind: np.array(rows) for kind, rows in found.items()}


@pytest.mark.parametrize("kind", ["percentile", "basic"])
def test_bootstrap_intervals_cover(by_bootstrap: dict[str, np.ndarray], kind: str) -> None:
    coverage = by_bootstrap[kind].mean(axis=0)
    assert (np.abs(coverage - 0.95) < band(0.95, DATA_SETS)).all()
