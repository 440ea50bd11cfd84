"""Cluster-robust covariance against a dense computation, balanced closed forms and its own expectation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from support.fits import quiet_fit
from support.reference import load_data

import mixedeffects as me
from mixedeffects.fit import fit_lmm
from mixedeffects.inference.robust import vcov_robust

KINDS = ("CR0", "CR1", "CR2")


def uneven() -> object:
    data = load_data("sleepstudy").drop(index=[3, 4, 5, 17, 44, 45, 90, 91, 92, 93, 130, 151, 152])
    data["w"] = 1.0 + np.arange(len(data)) % 4
    data["o"] = 3.0 * np.arange(len(data)) % 11
    return data.reset_index(drop=True)


MODELS = {
    "balanced slopes": lambda: me.lmer("Reaction ~ Days + (Days | Subject)", load_data("sleepstudy")),
    "weights and offset": lambda: me.lmer("Reaction ~ Days + (Days | Subject)", uneven(), weights="w", offset="o"),
    "nested": lambda: me.lmer("score ~ Machine + (1 | Worker/Machine)", load_data("Machines").iloc[3:]),
    "two terms": lambda: me.lmer("Reaction ~ Days + I(Days**2) + (Days || Subject)", uneven(), reml=False),
}


def dense(fit: me.LmmResult, codes: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The same by n x n matrices: every quantity from its definition."""
    V, X, n = fit.design.V() / fit.sigma**2, fit.design.X, fit.nobs
    M = np.linalg.inv(X.T @ np.linalg.solve(V, X))
    offset = 0.0 if fit.design.offset is None else fit.design.offset
    e = fit.design.y - offset - X @ fit.solution.beta
    residual_maker = np.eye(n) - X @ M @ np.linalg.solve(V, X).T
    meat, loadings = np.zeros_like(M), []
    for cluster in np.unique(codes):
        rows = np.flatnonzero(codes == cluster)
        V_i, X_i, maker = V[np.ix_(rows, rows)], X[rows], residual_maker[rows]
        A = np.eye(len(rows))
        if kind == "CR2":
            D = np.linalg.cholesky(V_i).T
            values, Q = np.linalg.eigh(D @ maker @ V @ maker.T @ D.T)
            A = D.T @ (Q / np.sqrt(values)) @ Q.T @ D
        weighted = A @ np.linalg.solve(V_i, X_i)
        score = weighted.T @ e[rows]
        meat += np.outer(score, score)
        loadings.append(maker.T @ weighted @ M)
    m, df = len(loadings), []
    for j in range(X.shape[1]):
        P = np.array([loading[:, j] for loading in loadings])
        Q = P @ V @ P.T
        df.append(np.trace(Q) ** 2 / np.sum(Q * Q))
    return (m / (m - 1) if kind == "CR1" else 1.0) * M @ meat @ M, np.array(df)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_dense_computation_agrees(name: str, kind: str) -> None:
    fit = MODELS[name]()
    found = vcov_robust(fit, kind=kind)
    vcov, df = dense(fit, fit.design.arrays.factors[found.cluster].codes, kind)
    np.testing.assert_allclose(found.vcov, vcov, rtol=1e-9, atol=1e-10 * np.abs(vcov).max())
    np.testing.assert_allclose(found.df, df, rtol=1e-9)
    assert found.names == fit.design.names


@pytest.mark.parametrize("name", MODELS)
def test_cr2_is_unbiased_under_the_working_model(name: str) -> None:
    """vcov is a quadratic form of y, so its expectation is the sum over the columns of a root of var(y)."""
    fit = MODELS[name]()
    control = me.Control(fixed_theta=fit.theta)
    root = np.linalg.cholesky(fit.design.V())
    total = np.zeros_like(fit.solution.vcov)
    for y in root.T:
        model = replace(fit.design.arrays, y=y.copy(), offset=None)
        total += vcov_robust(fit_lmm(model, reml=fit.reml, control=control)).vcov
    np.testing.assert_allclose(total, fit.solution.vcov, rtol=1e-7, atol=1e-9 * np.abs(total).max())


def test_mean_of_balanced_groups() -> None:
    """CR2 is the variance of the group means divided by their number, with one degree of freedom less than groups."""
    fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    means = load_data("Dyestuff").groupby("Batch", observed=True)["Yield"].mean().to_numpy()
    found = vcov_robust(fit)
    assert found.vcov[0, 0] == pytest.approx(means.var(ddof=1) / 6, rel=1e-10)
    assert found.df[0] == pytest.approx(5.0, rel=1e-10)
    assert vcov_robust(fit, kind="CR1").vcov[0, 0] == pytest.approx(found.vcov[0, 0], rel=1e-10)
    assert vcov_robust(fit, kind="CR0").vcov[0, 0] == pytest.approx(found.vcov[0, 0] * 5 / 6, rel=1e-10)


def test_two_groups_of_clusters() -> None:
    """The difference of two means has Welch's variance, and the degrees of freedom of two unequal groups."""
    few, many, size = 4, 9, 3
    g = np.repeat(np.arange(few + many), size)
    rng = np.random.default_rng(5)
    y = rng.normal(size=few + many)[g] + rng.normal(size=g.size)
    fit = me.lmer("y ~ x + (1 | g)", {"y": y, "g": g, "x": (g < few) + 0.0}, control=me.Control(fixed_theta=[1.3]))
    means = y.reshape(-1, size).mean(axis=1)
    found = vcov_robust(fit)
    welch = means[:few].var(ddof=1) / few + means[few:].var(ddof=1) / many
    assert found.vcov[1, 1] == pytest.approx(welch, rel=1e-10)
    df = (1 / few + 1 / many) ** 2 / (1 / few**2 / (few - 1) + 1 / many**2 / (many - 1))
    assert found.df[1] == pytest.approx(df, rel=1e-10)


@pytest.mark.parametrize("theta", [1e-6, 1.0, 1e3])
def test_large_and_small_variances_cost_no_digits(theta: float) -> None:
    """Balanced groups: the estimate does not depend on the working variance."""
    fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff", control=me.Control(fixed_theta=[theta]))
    reference = vcov_robust(quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff"))
    assert vcov_robust(fit).vcov[0, 0] == pytest.approx(reference.vcov[0, 0], rel=1e-7)
    assert vcov_robust(fit).df[0] == pytest.approx(5.0, rel=1e-7)


def test_balanced_slopes_have_the_degrees_of_freedom_of_their_groups() -> None:
    found = vcov_robust(MODELS["balanced slopes"]())
    np.testing.assert_allclose(found.df, 17.0, rtol=1e-10)


def test_default_cluster_is_the_coarsest() -> None:
    assert vcov_robust(MODELS["nested"]()).cluster == "Worker"
    fit = quiet_fit("yield ~ nitro + (1 | Block/Variety)", "Oats")
    assert vcov_robust(fit).cluster == "Block"


def test_cluster_by_name_column_and_values() -> None:
    data = load_data("Pastes")
    fit = me.lmer("strength ~ 1 + (1 | sample)", data)
    values = data["batch"].to_numpy()
    by_batch = vcov_robust(fit, values)
    assert by_batch.n_clusters == 10
    wider = me.lmer("strength ~ 1 + (1 | batch/cask)", data, control=me.Control(fixed_theta=[fit.theta[0], 0.0]))
    np.testing.assert_allclose(vcov_robust(wider, "batch").vcov, by_batch.vcov, rtol=1e-9)
    assert vcov_robust(fit).cluster == "sample"
    assert vcov_robust(fit, "sample").vcov[0, 0] != by_batch.vcov[0, 0]


def test_values_over_all_rows_of_the_data_are_cut_to_those_used() -> None:
    data = load_data("sleepstudy").copy()
    data.loc[[0, 50, 179], "Reaction"] = np.nan
    weights = np.ones(180)
    weights[7] = 0.0
    with pytest.warns(me.DroppedRowsWarning):
        fit = me.lmer("Reaction ~ Days + (1 | Subject)", data, weights=weights)
    values = np.array([f"s{i // 10 // 2}" for i in range(180)])
    used = fit.vcov_robust(values[fit.model.rows])
    np.testing.assert_array_equal(fit.vcov_robust(values).vcov, used.vcov)
    assert fit.vcov_robust(values).coef_table()["df"].tolist() == used.coef_table()["df"].tolist()
    with pytest.raises(me.DataError, match="each of the 176 rows used, or of the 180 rows of the data"):
        fit.vcov_robust(values[:100])


def test_direction_without_residuals_is_left_out() -> None:
    """A fixed effect for each cluster: its residuals vary in one direction less, and nothing overflows."""
    fit = me.lmer("Reaction ~ C(Subject) + Days + (1 | Subject)", uneven(), control=me.Control(fixed_theta=[0.7]))
    found = vcov_robust(fit)
    assert np.isfinite(found.vcov).all()
    plain = me.lmer("Reaction ~ Days + (1 | Subject)", uneven(), control=me.Control(fixed_theta=[1e3]))
    assert found.std_errors[-1] == pytest.approx(vcov_robust(plain).std_errors[-1], rel=0.01)


def test_table() -> None:
    found = vcov_robust(MODELS["balanced slopes"]())
    columns = found.table().columns
    assert list(columns["term"]) == ["Intercept", "Days"]
    statistic = found.estimate / found.std_errors
    np.testing.assert_allclose(columns["p_value"], 2 * stats.t.sf(np.abs(statistic), found.df))
    assert found.table().notes == ("CR2, 18 clusters by Subject",)


class TestRefusals:
    def test_crossed(self) -> None:
        fit = quiet_fit("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin")
        with pytest.raises(me.DataError, match="plate, sample are crossed"):
            vcov_robust(fit)
        with pytest.raises(me.DataError, match="levels of 'sample' occur in several clusters of 'plate'"):
            vcov_robust(fit, "plate")

    def test_cluster(self) -> None:
        fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff")
        with pytest.raises(me.DataError, match="knows no column 'batch'; it has Batch, Yield"):
            vcov_robust(fit, "batch")
        with pytest.raises(me.DataError, match=r"shape \(3,\)"):
            vcov_robust(fit, [1, 2, 3])
        with pytest.raises(me.DataError, match="one level only"):
            vcov_robust(fit, np.ones(30))
        with pytest.raises(me.DataError, match="missing values"):
            vcov_robust(fit, [None] + ["a"] * 29)

    def test_kind(self) -> None:
        with pytest.raises(me.DataError, match=r"kind='CR3'.*'CR2', 'CR0', 'CR1'"):
            vcov_robust(quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff"), kind="CR3")

    def test_no_fixed_effects(self) -> None:
        fit = quiet_fit("Reaction ~ 0 + (Days | Subject)", "sleepstudy")
        with pytest.raises(me.DataError, match="no fixed effects"):
            vcov_robust(fit)

    def test_large_cluster(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mixedeffects.inference.robust._LARGEST_ORDER", 4)
        data = load_data("Dyestuff")
        weighted = me.lmer("Yield ~ 1 + (1 | Batch)", data, weights=1.0 + np.arange(30) % 2)
        with pytest.raises(me.DataError, match="matrix of order 5 for a cluster of 'Batch' with 5 rows; at most 4"):
            vcov_robust(weighted)
        assert vcov_robust(weighted, kind="CR1").n_clusters == 6
        assert vcov_robust(me.lmer("Yield ~ 1 + (1 | Batch)", data)).n_clusters == 6  # order 2 is enough


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::mixedeffects.errors.SingularFitWarning")
def test_coverage_where_the_working_model_is_wrong() -> None:
    """Slopes vary but the model has random intercepts only: CR2 covers, the model's own standard errors do not."""
    n_sets, groups = 2000, 12
    rng = np.random.default_rng(41)
    g, x = (a.ravel() for a in np.indices((groups, 6)))
    x = x - 2.5
    start = me.lmer("y ~ x + (1 | g)", {"y": rng.normal(size=g.size), "g": g, "x": x})
    covered = np.zeros(2)
    for _ in range(n_sets):
        y = rng.normal(size=groups)[g] + rng.normal(size=groups)[g] * x + 0.5 * rng.normal(size=g.size)
        fit = fit_lmm(replace(start.design.arrays, y=y), reml=True, control=start.control)
        robust = vcov_robust(fit)
        slope = fit.solution.beta[1]
        covered[0] += abs(slope) < stats.t.isf(0.025, robust.df[1]) * robust.std_errors[1]
        covered[1] += abs(slope) < stats.norm.isf(0.025) * np.sqrt(fit.solution.vcov[1, 1])
    band = 4 * np.sqrt(0.05 * 0.95 / n_sets)
    assert abs(covered[0] / n_sets - 0.95) < band
    assert covered[1] / n_sets < 0.90
