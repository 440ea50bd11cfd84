"""EBLUPs and mean squared errors from the matrix formulas of Rao & Molina (2015), sections 5.2 and 5.3."""

from __future__ import annotations

import numpy as np
import pytest

import mixedeffects as me

STEP = 1e-5


def derivative(function, delta, j):
    """Central difference in the j-th variance."""
    up, down = np.array(delta), np.array(delta)
    up[j] += STEP * delta[j]
    down[j] -= STEP * delta[j]
    return (function(up) - function(down)) / (2.0 * STEP * delta[j])


def dense(y, X, Z, R_of, G_of, delta, m_vector, l_vector, *, correct):
    """EBLUP of l'beta + m'v and g1, g2, g3 and the correction for the bias of ML, at the variances delta."""

    def V(d):
        return Z @ G_of(d) @ Z.T + R_of(d)

    def b(d):
        return np.linalg.solve(V(d), Z @ G_of(d) @ m_vector)

    def g1(d):
        G = G_of(d)
        return m_vector @ (G - G @ Z.T @ np.linalg.solve(V(d), Z @ G)) @ m_vector

    W = np.linalg.inv(V(delta))
    vcov = np.linalg.inv(X.T @ W @ X)
    beta = vcov @ X.T @ W @ y
    d = l_vector - X.T @ b(delta)
    dV = [derivative(V, delta, j) for j in range(len(delta))]
    info = np.array([[0.5 * np.trace(W @ one @ W @ two) for two in dV] for one in dV])
    db = np.array([derivative(b, delta, j) for j in range(len(delta))])
    g3 = np.trace(db @ V(delta) @ db.T @ np.linalg.inv(info))
    correction = 0.0
    if correct:
        traces = np.array([-np.trace(vcov @ X.T @ W @ one @ W @ X) for one in dV])
        bias = 0.5 * np.linalg.solve(info, traces)
        correction = -bias @ np.array([derivative(g1, delta, j) for j in range(len(delta))])
    eblup = l_vector @ beta + b(delta) @ (y - X @ beta)
    return eblup, g1(delta), d @ vcov @ d, g3, correction


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_unit_level(unbalanced, method):
    x_bar = np.linspace(-1.0, 1.0, 8)
    means = {"g": np.arange(8), "x": x_bar}  # the last area has no sample
    found = me.sae.unit_level(
        "y ~ x", unbalanced, area="g", population_means=means, method=method, unsampled="synthetic"
    )
    y, x, g = unbalanced["y"], unbalanced["x"], unbalanced["g"]
    X, Z = np.column_stack([np.ones_like(x), x]), np.eye(8)[g]
    delta = found.variance_components.to_numpy()
    assert delta[0] > 0.1
    for i in range(8):
        eblup, g1, g2, g3, correction = dense(
            y,
            X,
            Z,
            lambda d: d[1] * np.eye(len(y)),
            lambda d: d[0] * np.eye(8),
            delta,
            np.eye(8)[i],
            np.array([1.0, x_bar[i]]),
            correct=method == "ml",
        )
        assert found.eblup[i] == pytest.approx(eblup, rel=1e-9)
        for name, value in {"g1": g1, "g2": g2, "g3": g3, "correction": correction}.items():
            assert found.parts[name][i] == pytest.approx(value, rel=1e-6, abs=1e-12), (name, i)
        assert found.mse[i] == pytest.approx(g1 + g2 + 2.0 * g3 + correction, rel=1e-6)
    assert (found.parts["correction"] > 0.0).all() == (method == "ml")


def test_finite_populations(unbalanced):
    """The best linear unbiased predictor of the mean of a listed population, from its covariance with the sample."""
    y, x, g = unbalanced["y"], unbalanced["x"], unbalanced["g"]
    rng = np.random.default_rng(3)
    rest = np.repeat(np.arange(7), [3, 9, 1, 4, 0, 20, 6])  # area 4 is observed completely
    x_rest = rng.normal(size=len(rest))
    N = np.bincount(g) + np.bincount(rest, minlength=7)
    x_bar = (np.bincount(g, x) + np.bincount(rest, x_rest, minlength=7)) / N
    found = me.sae.unit_level(
        "y ~ x", unbalanced, area="g", population_means={"g": np.arange(7), "x": x_bar, "N": N}, population_sizes="N"
    )
    s_v, s_e = found.variance_components
    every = np.concatenate([g, rest])
    X = np.column_stack([np.ones(len(every)), np.concatenate([x, x_rest])])
    V = s_v * (every[:, None] == every) + s_e * np.eye(len(every))
    n = len(g)
    W, X_s = np.linalg.inv(V[:n, :n]), X[:n]
    vcov = np.linalg.inv(X_s.T @ W @ X_s)
    beta = vcov @ X_s.T @ W @ y
    for i in range(7):
        a = (every == i) / N[i]
        b = W @ V[:n, n:] @ a[n:]
        assert found.eblup[i] == pytest.approx(a[:n] @ y + a[n:] @ X[n:] @ beta + b @ (y - X_s @ beta), rel=1e-10)
        known = a[n:] @ (V[n:, n:] - V[n:, :n] @ W @ V[:n, n:]) @ a[n:]
        d = X[n:].T @ a[n:] - X_s.T @ b
        parts = {name: values[i] for name, values in found.parts.items()}
        assert parts["g1"] + parts["g4"] == pytest.approx(known, rel=1e-10, abs=1e-14)
        assert parts["g2"] == pytest.approx(d @ vcov @ d, rel=1e-8, abs=1e-14)
    assert found.eblup[4] == pytest.approx(y[g == 4].mean(), rel=1e-14)
    assert found.mse[4] == 0.0


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_area_level(method):
    rng = np.random.default_rng(5)
    D, x = rng.uniform(0.2, 3.0, 12), rng.normal(size=12)
    y = 1.0 + x + rng.normal(size=12) * np.sqrt(2.5 + D)
    found = me.sae.area_level("y ~ x", {"y": y, "x": x, "D": D}, variance="D", method=method)
    X = np.column_stack([np.ones(12), x])
    A = found.variance_components["area"]
    assert A > 0.05
    for i in range(12):
        eblup, g1, g2, g3, correction = dense(
            y,
            X,
            np.eye(12),
            lambda d: np.diag(D),
            lambda d: d[0] * np.eye(12),
            np.array([A]),
            np.eye(12)[i],
            X[i],
            correct=method == "ml",
        )
        assert found.eblup[i] == pytest.approx(eblup, rel=1e-10)
        for name, value in {"g1": g1, "g2": g2, "g3": g3, "correction": correction}.items():
            assert found.parts[name][i] == pytest.approx(value, rel=1e-6, abs=1e-12), (name, i)


@pytest.mark.filterwarnings("ignore::mixedeffects.SingularFitWarning")
def test_the_bootstrap_estimates_what_drawing_effects_and_errors_estimates(unbalanced):
    """Both are means over the same law; the plain one draws the population's means themselves."""
    x_bar, N = np.linspace(-1.0, 1.0, 7), np.array([4.0, 5.0, 9.0, 8.0, 40.0, 50.0, 70.0])
    keywords = {"area": "g", "population_means": {"g": np.arange(7), "x": x_bar, "N": N}, "population_sizes": "N"}
    found = me.sae.unit_level("y ~ x", unbalanced, mse="bootstrap", n_bootstrap=1000, rng=1, **keywords)
    x, g = unbalanced["x"], unbalanced["g"]
    n = np.bincount(g)
    (s_v, s_e), beta = found.variance_components, found.fixef.to_numpy()
    rng, squares = np.random.default_rng(2), []
    for _ in range(1000):
        v, e = rng.normal(scale=np.sqrt(s_v), size=7), rng.normal(scale=np.sqrt(s_e), size=len(g))
        y = beta[0] + beta[1] * x + v[g] + e
        e_rest = rng.normal(size=7) * np.sqrt(s_e / (N - n))
        total = np.bincount(g, e) + (N - n) * e_rest
        truth = beta[0] + beta[1] * x_bar + v + total / N
        again = found.fit.refit(y)
        at = {"g": np.arange(7), "x": x_bar, "N": N}
        squares.append((eblup_of(again, y, unbalanced, at) - truth) ** 2)
    plain = np.mean(squares, axis=0)
    error = np.hypot(np.std(squares, axis=0) / np.sqrt(1000), found.parts["mc_error"])
    assert (np.abs(plain - found.mse) < 3.5 * error).all()
    assert (found.parts["mc_error"] < np.std(squares, axis=0) / np.sqrt(1000)).all()


def eblup_of(fit, y, data, at):
    """EBLUPs of finite populations, written out."""
    g, x, n = data["g"], data["x"], np.bincount(data["g"])
    effects = fit.ranef["g"]["Intercept"].to_numpy()
    beta = fit.fixef.to_numpy()
    y_bar, x_bar = np.bincount(g, y) / n, np.bincount(g, x) / n
    x_rest = (at["N"] * at["x"] - n * x_bar) / (at["N"] - n)
    return (n * y_bar + (at["N"] - n) * (beta[0] + beta[1] * x_rest + effects)) / at["N"]
