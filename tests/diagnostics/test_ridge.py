"""The fit as a ridge regression: penalties, an independent solution, effective degrees of freedom."""

from __future__ import annotations

import numpy as np
import pytest
from support.compare import assert_close
from support.fits import quiet_fit
from support.reference import load_data

import mixedeffects as me
from mixedeffects.diagnostics import ridge
from mixedeffects.results.pooling import ridge_equivalent

CROSS = "rt ~ a*B + (1+a+B|subj) + (1+B|item)"


def weighted() -> me.LmmResult:
    data = load_data("sleepstudy").drop(index=[1, 2, 3, 40, 41, 77])
    data = data.assign(w=1.0 + np.arange(len(data)) % 4, o=np.arange(len(data)) % 7)
    return me.lmer("Reaction ~ Days + (Days | Subject)", data, weights="w", offset="o", reml=False)


MODELS = {
    "slopes": lambda: quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    "weights and offset": weighted,
    "independent": lambda: quiet_fit("Reaction ~ Days + (Days || Subject)", "sleepstudy"),
    "crossed": lambda: quiet_fit("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
    "crossed, singular": lambda: quiet_fit(CROSS, "sim_cross"),
    "zero variance": lambda: quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2"),
    "no fixed part": lambda: quiet_fit("Reaction ~ 0 + (Days | Subject)", "sleepstudy"),
}


def hat_trace(fit: me.LmmResult) -> tuple[float, np.ndarray]:
    """Trace of the hat matrix, dense, and the part of each random effect."""
    X, ZL = fit.design.X, fit.design.Z.toarray() @ fit.design.Lambda.toarray()
    w = np.ones(fit.nobs) if fit.design.weights is None else fit.design.weights
    C = np.hstack([X, ZL])
    inner = C.T @ (w[:, None] * C)
    penalized = inner.copy()
    penalized[X.shape[1] :, X.shape[1] :] += np.eye(ZL.shape[1])
    diagonal = np.diag(np.linalg.solve(penalized, inner))
    return float(diagonal.sum()), diagonal[X.shape[1] :]


@pytest.mark.parametrize("name", MODELS)
def test_the_fit_minimizes_the_penalized_sum_of_squares(name: str) -> None:
    fit = MODELS[name]()
    found = ridge_equivalent(fit)
    assert found.solver == "dense"
    assert found.max_difference < 1e-9
    eta = fit.design.X @ found.beta + fit.design.Z @ np.concatenate([b.ravel() for b in found.b])
    rest = fit.design.y - eta - (0.0 if fit.design.offset is None else fit.design.offset)
    w = np.ones(fit.nobs) if fit.design.weights is None else fit.design.weights
    value = w @ rest**2
    for penalty, b in zip(found.penalties, found.b, strict=True):
        if np.isfinite(penalty.matrix).all():
            value += np.einsum("ja,ab,jb->", b, penalty.matrix, b)
            Sigma = fit.varcorr.covariance[penalty.key].to_numpy()
            assert_close(penalty.matrix @ Sigma, fit.sigma**2 * np.eye(len(b[0])), 1e-9)
        else:
            value = np.nan
    if np.isfinite(value):
        assert value == pytest.approx(found.objective, rel=1e-9)
    m = fit.nobs - (len(fit.fixef) if fit.reml else 0)
    assert found.objective == pytest.approx(m * fit.sigma**2, rel=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_effective_degrees_of_freedom(name: str) -> None:
    fit = MODELS[name]()
    found = ridge_equivalent(fit)
    total, parts = hat_trace(fit)
    assert found.edf == pytest.approx(total, rel=1e-8)
    labels = fit.design.Z_labels()
    for penalty in found.penalties:
        assert penalty.edf == pytest.approx(parts[labels.key == penalty.key].sum(), rel=1e-7, abs=1e-8)


def test_scalar_penalty_is_the_ratio_of_variances() -> None:
    fit = MODELS["crossed"]()
    for penalty in ridge_equivalent(fit).penalties:
        ratio = fit.sigma**2 / fit.varcorr.covariance[penalty.key].iloc[0, 0]
        assert penalty.matrix[0, 0] == pytest.approx(ratio, rel=1e-10)
        assert penalty.rank == 1


def test_zero_variance_is_an_infinite_penalty() -> None:
    found = ridge_equivalent(MODELS["zero variance"]())
    penalty = found.penalties[0]
    assert penalty.matrix.tolist() == [[np.inf]]
    assert penalty.rank == 0
    assert penalty.edf == 0.0
    assert np.all(found.b[0] == 0.0)
    assert found.notes == ("Batch: the variance is 0, an infinite penalty: the effects are 0.",)
    assert found.to_frame()["penalty"].tolist() == [np.inf]


def test_infinite_only_where_there_is_no_variance() -> None:
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy", control=me.Control(fixed_theta=[1.0, 0.0, 0.0]))
    matrix = ridge_equivalent(fit).penalties[0].matrix
    assert matrix[0, 0] == pytest.approx(1.0)
    assert matrix[1, 1] == np.inf
    assert matrix[0, 1] == 0.0
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy", control=me.Control(fixed_theta=[1.0, 0.2, 0.0]))
    found = ridge_equivalent(fit)
    assert found.penalties[0].rank == 1
    assert found.penalties[0].matrix.tolist() == [[np.inf, -np.inf], [-np.inf, np.inf]]
    assert "singular" in found.notes[0]


def test_sparse_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ridge, "_DENSE_VALUES", 0)
    for name in ("weights and offset", "crossed", "zero variance"):
        found = ridge_equivalent(MODELS[name]())
        assert found.solver == "lsqr"
        assert found.max_difference < 1e-6


def test_ordinary_ridge_regression() -> None:
    """Many predictors with a common variance are a ridge regression with that penalty."""
    rng = np.random.default_rng(8)
    g, y = np.repeat(np.arange(12), [3, 5] * 6), rng.normal(size=48)
    control = me.Control(fixed_theta=[0.7])
    found = ridge_equivalent(me.lmer("y ~ 1 + (1 | g)", {"y": y, "g": g}, control=control))
    Z = np.eye(12)[g]
    C = np.column_stack([np.ones(48), Z])
    solution = np.linalg.solve(C.T @ C + np.diag([0.0] + [1 / 0.7**2] * 12), C.T @ y)
    assert_close(found.b[0][:, 0], solution[1:], 1e-10)
    assert found.beta[0] == pytest.approx(solution[0], rel=1e-10)
