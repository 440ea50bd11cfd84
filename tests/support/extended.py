"""The criterion in extended precision, for points where double precision with n x n matrices has too few digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from support.shapes import Shape

EXTENDED = np.longdouble


class ExtendedEvaluation(NamedTuple):
    value: float
    gradient: np.ndarray
    average_information: np.ndarray
    hessian: np.ndarray
    beta: np.ndarray
    sigma: float
    vcov: np.ndarray
    G: list[np.ndarray]


def cholesky(A: np.ndarray) -> np.ndarray:
    L, rest = np.zeros_like(A), A.copy()
    for j in range(len(A)):
        L[j:, j] = rest[j:, j] / np.sqrt(rest[j, j])
        rest[j + 1 :, j + 1 :] -= np.multiply.outer(L[j + 1 :, j], L[j + 1 :, j])
    return L


def forward(L: np.ndarray, B: np.ndarray) -> np.ndarray:
    X = B.copy()
    for i in range(len(L)):
        X[i] = (X[i] - L[i, :i] @ X[:i]) / L[i, i]
    return X


def inverse(A: np.ndarray) -> np.ndarray:
    half = forward(cholesky(A), np.eye(len(A), dtype=EXTENDED))
    return half.T @ half


def evaluate(shape: Shape, theta: np.ndarray) -> ExtendedEvaluation:
    """As `DenseCriterion.evaluate`, by the textbook formulas for P."""
    n, p = shape.X.shape
    m = n - p if shape.reml else n
    y, X = shape.y.astype(EXTENDED), shape.X.astype(EXTENDED)
    criterion = shape.criterion()
    factors = [F.astype(EXTENDED) for F in criterion.factors(theta)]
    Z = [t.columns.astype(EXTENDED) for t in shape.terms]
    same = [t.same_level() for t in shape.terms]
    weights = np.ones(n, EXTENDED) if shape.weights is None else shape.weights.astype(EXTENDED)

    def covariance(t: int, S: np.ndarray) -> np.ndarray:
        return np.where(same[t], Z[t] @ S @ Z[t].T, EXTENDED(0))

    V = np.diag(1 / weights) + sum(covariance(t, F @ F.T) for t, F in enumerate(factors))
    L = cholesky(V)
    X0 = X - 0 if p == 0 else X
    half = forward(L, np.eye(n, dtype=EXTENDED))
    V_inverse = half.T @ half
    VX = V_inverse @ X0
    information = X0.T @ VX
    XVX_inverse = inverse(information)
    P = V_inverse - VX @ XVX_inverse @ VX.T
    beta = XVX_inverse @ (VX.T @ y)
    Py = P @ y
    rss = y @ Py
    value = 2 * np.log(np.diag(L)).sum() + m * (1 + np.log(2 * EXTENDED(np.pi) * rss / m))
    if shape.reml and p:
        value += 2 * np.log(np.diag(cholesky(information))).sum()
    Q = P if shape.reml else V_inverse
    total = Q - m / rss * np.multiply.outer(Py, Py)
    G = [z.T @ np.where(s, total, EXTENDED(0)) @ z for z, s in zip(Z, same, strict=True)]
    derivatives = []
    for t, a, b in criterion.entries:
        E = np.zeros_like(factors[t])
        E[a] = factors[t][:, b]
        derivatives.append(covariance(t, E + E.T))
    moved = np.array([D @ Py for D in derivatives])
    q, B = moved @ Py, moved @ P @ moved.T
    products = [Q @ D for D in derivatives]
    traces = np.array([[np.sum(a * b.T) for b in products] for a in products])
    second = np.array(
        [
            [2 * G[t][a, c] if (t, b) == (s, d) else EXTENDED(0) for s, c, d in criterion.entries]
            for t, a, b in criterion.entries
        ]
    )
    information_part = m * (B / rss - np.multiply.outer(q, q) / rss**2)
    return ExtendedEvaluation(
        value=float(value),
        gradient=np.array([2 * (G[t] @ factors[t])[a, b] for t, a, b in criterion.entries], dtype=float),
        average_information=(information_part + second).astype(float),
        hessian=(information_part + m * B / rss - traces + second).astype(float),
        beta=beta.astype(float),
        sigma=float(np.sqrt(rss / m)),
        vcov=(rss / m * XVX_inverse).astype(float),
        G=[g.astype(float) for g in G],
    )
