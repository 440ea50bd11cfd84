"""A smooth curve through points, whatever their ties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POINTS = 60  # at which the curve is computed
_BINS = 1000  # of neighbouring points, where there are more than twice as many


def smooth(x: NDArray[np.float64], y: NDArray[np.float64], span: float = 2.0 / 3.0) -> NDArray[np.float64]:
    """Local straight lines at the points of a scatter.

    Parameters
    ----------
    x, y : ndarray (n,)
        The points, in any order.
    span : float
        Share of the points that has a say at each place.

    Returns
    -------
    ndarray (n,)
        Values of the curve at x. Where all x are equal it is the mean of y.

    Notes
    -----
    At up to 60 quantiles of x a line is fitted by least squares with the tricube weights (1 - (d/h)^3)^3, h the
    distance of the nearest span * n points [1]_, without its robustness iterations; between them the curve is
    interpolated. More than 2,000 points are first averaged in 1,000 bins of equally many neighbours.

    References
    ----------
    .. [1] Cleveland (1979), Journal of the American Statistical Association 74, 829-836,
       doi:10.1080/01621459.1979.10481038.
    """
    order = np.argsort(x, kind="stable")
    xs, ys, counts = _binned(x[order], y[order])
    at = np.unique(np.append(np.quantile(xs, np.linspace(0.0, 1.0, _POINTS)), [x.min(), x.max()]))
    return np.asarray(np.interp(x, at, _local_lines(xs, ys, counts, at, span)))


def _binned(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Means of neighbours where there are many points, and how many stand behind each."""
    n = len(x)
    if n <= 2 * _BINS:
        return x, y, np.ones(n)
    starts = np.arange(_BINS) * n // _BINS
    counts = np.diff(np.append(starts, n)).astype(np.float64)
    return np.add.reduceat(x, starts) / counts, np.add.reduceat(y, starts) / counts, counts


def _local_lines(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    counts: NDArray[np.float64],
    at: NDArray[np.float64],
    span: float,
) -> NDArray[np.float64]:
    """Values at `at` (m,) of weighted least-squares lines through the points (n,), x increasing."""
    gap = np.abs(x - at[:, None])
    nearest = max(int(np.ceil(span * len(x))), 1) - 1
    h = np.partition(gap, nearest, axis=1)[:, nearest]
    # Ties may fill the whole span: then only they count, and the line is their mean.
    scale = np.where(h > 0.0, h * (1.0 + 1e-9), 1.0)[:, None]
    weights = counts * np.clip(1.0 - (gap / scale) ** 3, 0.0, None) ** 3
    weights = np.where((h > 0.0)[:, None], weights, counts * (gap == 0.0))
    total = weights.sum(axis=1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    off = x - mean_x[:, None]
    sxx = (weights * off**2).sum(axis=1)
    sxy = (weights * off * (y - mean_y[:, None])).sum(axis=1)
    spread = total * (x[-1] - x[0]) ** 2
    slope = np.divide(sxy, sxx, out=np.zeros(len(at)), where=sxx > 1e-12 * spread)
    return np.asarray(mean_y + slope * (at - mean_x))
