"""Newton steps for a function that may have saddles."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mixedeffects import _core

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SaddleStep(NamedTuple):
    """A step, what it should gain, the Newton decrement, and the inverse curvature.

    The decrement is infinite if there is negative curvature.
    """

    step: NDArray[np.float64]
    gain: float
    decrement: float
    inverse: NDArray[np.float64]


def saddle_step(gradient: NDArray[np.float64], hessian: NDArray[np.float64], radius: float) -> SaddleStep:
    """Newton step within a radius; curvature below zero counts by its size, and is followed up to the radius.

    Parameters
    ----------
    gradient : ndarray (m,)
        Of the function.
    hessian : ndarray (m, m)
        Contiguous.
    radius : float
        In the units of the parameters.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the Hessian is not finite.
    """
    return SaddleStep(*_core.saddle_step(gradient, hessian, radius))
