"""Draws of the sufficient statistics of a response: products with Z and X and the sum of squares, not the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.fit.effects import working_theta

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

_RANK = 1e-11  # of the largest eigenvalue of the scaled cross-products


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Products of simulated responses, less X beta, in the working columns.

    Attributes
    ----------
    Zy : list of ndarray (n, J k)
        For each block.
    Xy : ndarray (n, p)
        With X.
    yy : ndarray (n,)
        Sums of squares.
    """

    Zy: list[NDArray[np.float64]]
    Xy: NDArray[np.float64]
    yy: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampler:
    """Draws products of responses from the fitted model without touching rows.

    Attributes
    ----------
    A : ndarray (q + p, q + p)
        [Z X]'W[Z X].
    L : ndarray (q + p, r)
        A factor of it, of its rank r.
    Lambda : list of ndarray (k, k)
        For each block the relative covariance factor.
    widths : list of (int, int)
        For each block its number of levels and columns.
    sigma : float
        Residual standard deviation.
    n : int
        Number of rows.
    """

    A: NDArray[np.float64]
    L: NDArray[np.float64]
    Lambda: list[NDArray[np.float64]]
    widths: list[tuple[int, int]]
    sigma: float
    n: int

    def draw(self, n: int, rng: np.random.Generator) -> Draws:
        """Draw n responses.

        Notes
        -----
        With y - X beta = Z gamma + e: the products of e with [Z X] are N(0, sigma^2 A), drawn through L; what is left
        of e'We is sigma^2 times a chi-square with n - r degrees of freedom, independent of them.
        """
        q = sum(J * k for J, k in self.widths)
        gamma = np.zeros((n, len(self.A)))
        at = 0
        for (J, k), Lambda in zip(self.widths, self.Lambda, strict=True):
            u = rng.standard_normal((n, J, k))
            gamma[:, at : at + J * k] = (u @ Lambda.T).reshape(n, J * k)
            at += J * k
        r = self.L.shape[1]
        z = rng.standard_normal((n, r))
        rest = rng.chisquare(self.n - r, n) if self.n > r else np.zeros(n)
        e = z @ self.L.T
        Ag = gamma @ self.A
        products = self.sigma * (Ag + e)
        yy = (gamma * (Ag + 2.0 * e)).sum(axis=1) + (z**2).sum(axis=1) + rest
        Zy, at = [], 0
        for J, k in self.widths:
            Zy.append(np.ascontiguousarray(products[:, at : at + J * k]))
            at += J * k
        return Draws(Zy=Zy, Xy=np.ascontiguousarray(products[:, q:]), yy=self.sigma**2 * yy)


def gram(fit: LmmFit) -> NDArray[np.float64]:
    """[Z X]'W[Z X] in the working columns, (q + p, q + p), dense: blocks in order, in each level by level, then X."""
    layout, core = fit.objective.layout, fit.objective.products.core
    widths = list(zip(layout.n_levels, layout.block_widths, strict=True))
    starts = np.concatenate([[0], np.cumsum([J * k for J, k in widths])])
    q, p = int(starts[-1]), core.p
    A = np.zeros((q + p, q + p))
    for f, (J, k) in enumerate(widths):
        ZZ, ZX, _ = core.block(f)
        for a in range(k):
            rows = starts[f] + k * np.arange(J) + a
            A[rows, q:] = ZX[:, a]
            for b in range(k):
                A[rows, starts[f] + k * np.arange(J) + b] = ZZ[:, a, b]
        for g in range(f + 1, len(widths)):
            start, level, value = core.pair(f, g)
            row = np.repeat(np.arange(J), np.diff(start))
            for a in range(k):
                for b in range(widths[g][1]):
                    A[starts[f] + k * row + a, starts[g] + widths[g][1] * level + b] = value[:, a, b]
    A[q:, q:] = core.XX
    upper = np.triu(A)
    return np.asarray(upper + np.triu(upper, 1).T, dtype=np.float64)


def block_factors(fit: LmmFit) -> list[NDArray[np.float64]]:
    """For each block the relative covariance factor Lambda in the working columns, (k, k)."""
    layout = fit.objective.layout
    factors = layout.factors(working_theta(fit))
    out = []
    for terms, width in zip(layout.terms_of, layout.block_widths, strict=True):
        block = np.zeros((width, width))
        for t in terms:
            block[layout.columns_of(t), layout.columns_of(t)] = factors[t]
        out.append(block)
    return out


def sampler(fit: LmmFit) -> Sampler:
    """A sampler at the estimates of a fit."""
    layout = fit.objective.layout
    A = gram(fit)
    scale = np.sqrt(np.maximum(np.diag(A), 1e-300))
    values, vectors = np.linalg.eigh(A / np.outer(scale, scale))
    kept = values > _RANK * values[-1]
    return Sampler(
        A=A,
        L=scale[:, None] * vectors[:, kept] * np.sqrt(values[kept]),
        Lambda=block_factors(fit),
        widths=list(zip(layout.n_levels, layout.block_widths, strict=True)),
        sigma=fit.solution.sigma,
        n=fit.nobs,
    )
