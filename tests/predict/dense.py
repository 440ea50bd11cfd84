"""Prediction errors from plain n x n matrices and the weights of the predictor, without Henderson's equations.

The predictor of x'beta + z'b is l'y with l' = x'D X'V^-1 + z'S Z'P; its error is l'y - x'beta - z'b.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.design import replay
from mixedeffects.frame import read_columns

if TYPE_CHECKING:
    import mixedeffects as me


@dataclass(frozen=True)
class Dense:
    """The matrices of a fit in the units of the data, V and S relative to sigma^2."""

    X: np.ndarray
    Z: np.ndarray
    S: np.ndarray
    W_inverse: np.ndarray

    @classmethod
    def of(cls, fit: me.LmmResult, theta: np.ndarray | None = None) -> Dense:
        model = fit.model
        factors = fit.objective.layout.factors(fit.theta if theta is None else np.asarray(theta))
        blocks = [np.kron(np.eye(t.factor.n_levels), L @ L.T) for t, L in zip(model.terms, factors, strict=True)]
        q = sum(len(block) for block in blocks)
        S = np.zeros((q, q))
        at = 0
        for block in blocks:
            S[at : at + len(block), at : at + len(block)] = block
            at += len(block)
        weights = np.ones(model.nobs) if model.weights is None else model.weights
        return cls(model.X, model.Z.toarray(), S, np.diag(1.0 / weights))

    @property
    def V(self) -> np.ndarray:
        return self.W_inverse + self.Z @ self.S @ self.Z.T

    def weights(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The l of each row, (rows, n)."""
        Vi = np.linalg.inv(self.V)
        D = np.linalg.inv(self.X.T @ Vi @ self.X)
        P = Vi - Vi @ self.X @ D @ self.X.T @ Vi
        return x @ D @ self.X.T @ Vi + z @ self.S @ self.Z.T @ P

    def error_variance(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Variance of l'y - x'beta - z'b in units of sigma^2, from its definition."""
        left = self.weights(x, z)
        variance = np.einsum("rn,nm,rm->r", left, self.V, left)
        return (
            variance - 2 * np.einsum("rn,nq,rq->r", left, self.Z @ self.S, z) + np.einsum("rq,qs,rs->r", z, self.S, z)
        )


def rows_of(fit: me.LmmResult, frame, *, keep=None) -> tuple[np.ndarray, np.ndarray]:
    """X (rows, p) and Z (rows, q) of new rows, levels found one by one; 0 for unknown levels and what is not kept.

    `keep` maps a grouping factor to the names of its kept columns; None keeps all.
    """
    model = fit.model
    columns, _ = read_columns(frame, [name for name in frame if name in model.columns])
    n = len(frame[next(iter(frame))])
    X = replay(model.encoding, columns, n)[:, model.kept]
    parts = []
    for term in model.terms:
        values = replay(term.encoding, columns, n)[:, list(term.positions)]
        labels = [":".join(str(frame[c][i]) for c in term.source.group) for i in range(n)]
        Z = np.zeros((n, term.factor.n_levels, term.n_columns))
        known = {label: j for j, label in enumerate(term.factor.labels)}
        for i, label in enumerate(labels):
            if label in known:
                kept = [keep is None or name in keep.get(term.group, ()) for name in term.names]
                Z[i, known[label]] = np.where(kept, values[i], 0.0)
        parts.append(Z.reshape(n, -1))
    return X, np.hstack(parts)
