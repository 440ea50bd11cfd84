"""Errors of linear functionals x'beta + z'b: what prediction, leverage and influence have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit.record import LmmFit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Functionals:
    """For each row, what the error of x'beta + z'b is made of.

    Attributes
    ----------
    conditional : ndarray (n,)
        z'Kz: the variance of z'(b - E[b | y, beta]), in units of sigma^2.
    fixed : ndarray (n, p)
        x - X'WZ K z: what multiplies the error of the estimated fixed effects.
    relative : ndarray (p, p)
        (X'V^-1X)^-1, in units of sigma^2.
    """

    conditional: NDArray[np.float64]
    fixed: NDArray[np.float64]
    relative: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of the prediction error x'(beta_hat - beta) + z'(b_hat - b), (n,), in units of sigma^2."""
        spread: NDArray[np.float64] = np.einsum("np,pq,nq->n", self.fixed, self.relative, self.fixed, optimize=True)
        return self.conditional + spread
