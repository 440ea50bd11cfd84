"""Second derivatives by differences of an exact gradient."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


def hessian_by_differences(
    gradients: Sequence[Callable[[NDArray[np.float64]], NDArray[np.float64]]],
    x: NDArray[np.float64],
    step: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Hessian by central differences, (m, m).

    Parameters
    ----------
    gradients : sequence of callable
        Copies of one gradient, each used by one thread at a time; one is enough.
    x : ndarray (m,)
        Where.
    step : ndarray (m,)
        Half the distance between the two points of each parameter.
    """

    def row(gradient: Callable[[NDArray[np.float64]], NDArray[np.float64]], i: int) -> NDArray[np.float64]:
        e = np.zeros(len(x))
        e[i] = step[i]
        return np.asarray((gradient(x + e) - gradient(x - e)) / (2.0 * step[i]), dtype=np.float64)

    def share(k: int) -> list[NDArray[np.float64]]:
        return [row(gradients[k], i) for i in range(k, len(x), len(gradients))]

    if len(gradients) == 1:
        shares = [share(0)]
    else:
        with ThreadPoolExecutor(len(gradients)) as pool:
            shares = list(pool.map(share, range(len(gradients))))
    H = np.empty((len(x), len(x)))
    for k, rows in enumerate(shares):
        H[k :: len(gradients)] = np.array(rows).reshape(-1, len(x))
    return np.asarray(0.5 * (H + H.T), dtype=np.float64)
