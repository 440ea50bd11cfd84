"""The deviance as a function of theta and log sigma, with the fixed effects at their best, and exact derivatives."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.criterion import GaussianCriterion


class DevianceAt(NamedTuple):
    """Deviance at one point, its gradient (d + 1,) and Hessian (d + 1, d + 1) in theta and then log sigma."""

    value: float
    gradient: NDArray[np.float64]
    hessian: NDArray[np.float64]


class Deviance:
    """Minus twice the log-likelihood in theta and lambda = log sigma.

    Parameters
    ----------
    criterion : GaussianCriterion
        Maximum likelihood, not restricted.

    Notes
    -----
    D(theta, lambda) = log|V| + n log(2 pi) + 2 n lambda + r exp(-2 lambda) with r = y'Py; the criterion f is its
    minimum over lambda. With V_e the derivative of V in theta_e, E_e and E_ef those of S, q_e = y'P V_e Py,
    B_ef = y'P V_e P V_f Py and C = sum_j s_j s_j' for s = Z'Py,

        dr/dtheta_e = -q_e = -tr(E_e C),        d2r/dtheta_e dtheta_f = 2 B_ef - tr(E_ef C).

    B comes out of the average information n (B / r - q q' / r^2) of the core. Where the core calls the exact Hessian of
    f dear, the average information stands for it: then the Hessian here is an approximation, positive where it
    matters, and all else is exact.
    """

    def __init__(self, criterion: GaussianCriterion) -> None:
        layout = criterion.layout
        starts = np.concatenate([[0], np.cumsum(layout.block_widths)])
        entries = np.array(layout.entries(), dtype=np.intp).reshape(-1, 3)
        self._core = criterion.core
        self._n = criterion.products.n
        self._rows = starts[entries[:, 0]] + entries[:, 1]
        self._columns = starts[entries[:, 0]] + entries[:, 2]
        self._blocks = [slice(a, b) for a, b in pairwise(starts)]
        self._size = int(starts[-1])
        self._pairs = np.ix_(self._rows, self._rows)
        # Two for entries of one column of Lambda: second derivatives of S vanish for all others.
        self._twice = 2.0 * np.equal.outer(self._columns, self._columns)

    @property
    def exact(self) -> bool:
        """Whether the Hessian is the exact one."""
        return not self._core.hessian_is_dear

    def __call__(
        self, theta: NDArray[np.float64], log_sigma: float, transforms: Sequence[NDArray[np.float64]]
    ) -> DevianceAt | None:
        """Evaluate the deviance; None if a factorisation fails.

        Parameters
        ----------
        theta : ndarray (d,)
            Entries of Lambda, by term column by column.
        log_sigma : float
            Log of the residual standard deviation in units of y.
        transforms : sequence of ndarray (k, k)
            For each block the matrix that takes Lambda to the working columns.
        """
        change = list(transforms)
        raw = self._core.evaluate(theta, change, True)
        hessian = None
        if raw["ok"]:
            hessian = self._core.hessian(theta, change) if self.exact else raw["curvature"]
        if hessian is None:
            return None
        n, rss = self._n, raw["rss"]
        C, G, Lambda = np.zeros((3, self._size, self._size))
        Lambda[self._rows, self._columns] = theta
        for at, T, s, G_block in zip(self._blocks, change, raw["s"], raw["G"], strict=True):
            half = s @ T
            C[at, at] = half.T @ half
            G[at, at] = T.T @ G_block @ T
        q = 2.0 * (C @ Lambda)[self._rows, self._columns]
        qq = q[:, None] * q
        # 2 B - tr(E_ef C), with B from the average information n (B / r - q q' / r^2) + tr(E_ef G).
        second = (2.0 * rss / n) * raw["curvature"] + (2.0 / rss) * qq
        second -= self._twice * ((2.0 * rss / n) * G + C)[self._pairs]
        scaled = math.exp(-2.0 * log_sigma)
        off = scaled - n / rss  # 0 where sigma is the best one for this theta
        d = len(theta)
        gradient, H = np.empty(d + 1), np.empty((d + 1, d + 1))
        gradient[:d] = raw["gradient"] - off * q
        gradient[d] = 2.0 * n - 2.0 * rss * scaled
        H[:d, :d] = hessian + off * second + (n / rss**2) * qq
        H[:d, d] = H[d, :d] = 2.0 * scaled * q
        H[d, d] = 4.0 * rss * scaled
        ratio = rss * scaled / n
        return DevianceAt(raw["value"] + n * (ratio - 1.0 - math.log(ratio)), gradient, H)
