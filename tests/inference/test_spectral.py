"""Eigenvalues of designs, and the supremum in the null distribution, against dense computation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

import mixedeffects as me
from mixedeffects.inference.spectral import null_sample, spectrum

rng = np.random.default_rng(20)


def designs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Z (n, J) and X (n, p), rows already multiplied by the roots of the weights."""
    balanced = np.kron(np.eye(7), np.ones((4, 1)))
    sizes = np.repeat(np.arange(9), [2, 2, 2, 2, 5, 5, 5, 9, 1])
    unbalanced = np.eye(9)[sizes]
    n = len(sizes)
    X = np.column_stack([np.ones(n), rng.normal(size=n), rng.normal(size=n)])
    root = np.sqrt(rng.uniform(0.5, 3.0, size=n))[:, None]
    return {
        "balanced": (balanced, np.ones((28, 1))),
        "no fixed part": (balanced, np.empty((28, 0))),
        "sizes in groups": (unbalanced, X),
        "slope and weights": (root * unbalanced * rng.normal(size=(n, 1)), root * X),
        "column of X inside Z": (unbalanced, np.column_stack([X, unbalanced[:, 0]])),
    }


@pytest.mark.parametrize("name", designs())
def test_eigenvalues_are_those_of_the_dense_matrix(name: str) -> None:
    Z, X = designs()[name]
    q = np.linalg.qr(X)[0]
    dense = np.linalg.eigvalsh(Z.T @ Z - Z.T @ q @ (q.T @ Z))
    dense = dense[dense > 1e-8 * dense[-1]]
    found = spectrum((Z**2).sum(axis=0), Z.T @ q)
    np.testing.assert_allclose(np.repeat(found.values, found.counts.astype(int)), dense, rtol=1e-9)
    plain = spectrum((Z**2).sum(axis=0))
    np.testing.assert_allclose(np.repeat(plain.values, plain.counts.astype(int)), np.sort((Z**2).sum(axis=0)))


def test_balanced_groups_have_one_eigenvalue() -> None:
    found = spectrum(np.full(50_000, 4.0), np.full((50_000, 1), 4.0 / np.sqrt(200_000)))
    np.testing.assert_allclose(found.values, [4.0])
    assert found.counts.tolist() == [49_999.0]


def test_too_many_levels_of_their_own_are_refused() -> None:
    diagonal = np.linspace(1.0, 2.0, 10_001)
    with pytest.raises(me.DataError, match="order 10001; at most 10000"):
        spectrum(diagonal, np.zeros((10_001, 1)))


def test_random_effects_inside_the_fixed_part_are_refused() -> None:
    with pytest.raises(me.DataError, match="determine all random effects"):
        spectrum(np.full(3, 4.0), 2.0 * np.eye(3))


def test_supremum_is_that_of_a_fine_search() -> None:
    """Each draw again, from the same squares of normal variates, by numerical maximization."""
    Z, X = designs()["sizes in groups"]
    q = np.linalg.qr(X)[0]
    mu, n, p = spectrum((Z**2).sum(axis=0), Z.T @ q), len(Z), X.shape[1]
    sample = null_sample(mu, mu, degrees=n - p, multiplier=n - p, n_restrictions=0, n=60, rng=np.random.default_rng(3))
    again = np.random.default_rng(3)
    squares = again.chisquare(mu.counts, size=(60, len(mu.counts)))
    total = squares.sum(axis=1) + again.chisquare(n - p - mu.counts.sum(), size=60)

    def statistic(log_ratio: float, i: int) -> float:
        x = np.exp(log_ratio) * mu.values
        return -(n - p) * np.log1p(-(squares[i] @ (x / (1 + x))) / total[i]) - mu.counts @ np.log1p(x)

    for i in range(60):
        grid = np.linspace(-16, 14, 3001)
        values = [statistic(v, i) for v in grid]
        best = grid[int(np.argmax(values))]
        found = optimize.minimize_scalar(
            lambda v, i=i: -statistic(v, i), bounds=(best - 0.02, best + 0.02), method="bounded"
        )
        assert sample[i] == pytest.approx(max(0.0, -found.fun), rel=1e-4, abs=2e-4)


def test_draws_in_pieces_are_the_draws_of_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    mu = spectrum(np.full(8, 5.0), np.full((8, 1), 5.0 / np.sqrt(40)))
    options = {"degrees": 39, "multiplier": 39, "n_restrictions": 0, "n": 4000}
    whole = null_sample(mu, mu, rng=np.random.default_rng(1), **options)
    monkeypatch.setattr("mixedeffects.inference.spectral._ENTRIES", 281 * 100)
    pieces = null_sample(mu, mu, rng=np.random.default_rng(1), **options)
    assert len(whole) == len(pieces) == 4000
    np.testing.assert_allclose(np.quantile(whole, [0.8, 0.9]), np.quantile(pieces, [0.8, 0.9]), atol=0.3)
