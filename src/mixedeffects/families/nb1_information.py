"""Expected information of a negative binomial distribution in its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixedeffects.families.special import Vector

_STEP = 0.21  # of the trapezoidal rule in log u: errors of 5e-15 of the values, for sizes from 1e-8 to 1e8
_UPPER = 3.75  # exp(-exp(3.75)) = 3e-19
_LOWER = -18.5  # exp(2 * -18.5) = 9e-17
_BLOCK = 4096  # rows at a time: the nodes of all rows together would fill the memory


def size_information(k: Vector, phi: Vector) -> tuple[Vector, Vector, Vector]:
    """Return I(k, phi) = E[psi'(k) - psi'(Y + k)] for Y of size k and variance mu (1 + phi), with its derivatives.

    Parameters
    ----------
    k : ndarray (n,)
        Sizes, mu / phi.
    phi : ndarray, scalar or (n,)
        Dispersions.

    Returns
    -------
    information, by_k, by_phi : ndarray (n,)
        I and its derivatives in k and in phi.

    Notes
    -----
    With psi'(z) = int_0^inf u exp(-z u) / (1 - exp(-u)) du and E exp(-u Y) = exp(-k L(u)), L = log(1 + phi (1 -
    exp(-u))), which is the generating function,

        I = int_0^inf u / (1 - exp(-u)) exp(-k u) [1 - exp(-k L)] du.

    Nothing in it cancels. In log u the integrand is analytic in a strip of half-width pi / 2 and dies away at both
    ends, so the trapezoidal rule converges geometrically. It replaces the sum over counts j of P(Y > j) / (k + j)^2,
    which is as long as the mean is large.
    """
    k, phi = np.broadcast_arrays(k, phi)
    results = np.empty((3, *k.shape))
    flat, flat_k, flat_phi = results.reshape(3, -1), k.reshape(-1), phi.reshape(-1)
    for start in range(0, flat_k.size, _BLOCK):
        rows = slice(start, start + _BLOCK)
        flat[:, rows] = _block(flat_k[rows, None], flat_phi[rows, None])
    return results[0], results[1], results[2]


def _block(k: Vector, phi: Vector) -> Vector:
    """The three integrals of some rows, (3, rows), from columns of sizes and dispersions."""
    # Sizes that underflow would give 0 times infinity; their information is multiplied by as small a number.
    k = np.maximum(k, 1e-150)
    # On the left the integrand changes where u k phi is about 1, on the right where u k is.
    left = _LOWER - float(np.log1p(np.max(phi, initial=0.0, where=np.isfinite(phi))))
    x = np.arange(left, _UPPER + _STEP, _STEP)
    u = np.exp(x) / k
    survival = -np.expm1(-u)
    L = np.log1p(phi * survival)
    both = np.exp(-k * (u + L))
    one = np.exp(-k * u) * -np.expm1(-k * L)
    kernel = np.where(u > 0.0, u / survival, 1.0)
    by_k = kernel * (L * both - u * one)
    by_phi = u * k * both / (1.0 + phi * survival)
    # du = u dlog(u)
    return _STEP * np.stack([(f * u).sum(axis=1) for f in (kernel * one, by_k, by_phi)])
