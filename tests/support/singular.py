"""Data whose best covariance matrix is singular, and data with a saddle."""

from __future__ import annotations

import numpy as np
import pandas as pd


def correlated_slopes(seed: int, directions: list[list[float]], *, n_groups: int = 20, n_rows: int = 8) -> pd.DataFrame:
    """Effects of (1, x, z), as many as there are rows in `directions`, that vary in its columns only."""
    rng = np.random.default_rng(seed)
    g, x, z = (
        np.repeat(np.arange(n_groups), n_rows),
        np.tile(np.arange(n_rows), n_groups),
        rng.normal(size=n_groups * n_rows),
    )
    factor = np.array(directions)
    columns = np.column_stack([np.ones(len(g)), x, z])[:, : len(factor)]
    effects = rng.normal(size=(n_groups, factor.shape[1])) @ factor.T
    y = 10.0 + x + (columns * effects[g]).sum(axis=1) + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x.astype(float), "z": z, "g": [f"s{j:02d}" for j in g]})


def slopes_without_intercepts(n_groups: int = 12) -> pd.DataFrame:
    """A response that is odd in x within every group: all group means are 0, the slopes differ."""
    rng = np.random.default_rng(3)
    x = np.array([1.0, 2.0, 3.0])
    half = rng.normal(size=n_groups)[:, None] * x + rng.normal(size=(n_groups, 3))
    y = np.hstack([half, -half]).ravel()
    return pd.DataFrame({"y": y, "x": np.tile(np.r_[x, -x], n_groups), "g": np.repeat(np.arange(n_groups), 6)})


def symmetric_in_two_factors() -> pd.DataFrame:
    """Exchanging a and b gives the same data, but the best model has variance in one of them only.

    So the best of the points with equal variances is stationary, and a saddle.
    """
    diagonal = {0: [2, 4, 3, 0], 1: [2, 0, 0, -1], 2: [1, 1, 0, 1], 3: [-7, -8, -5, -8]}
    off = [(2, 1, -1), (1, 0, -6), (2, 0, -7)]
    cells = [(level, level, y) for level, values in diagonal.items() for y in values]
    cells += [cell for a, b, y in off for cell in ((a, b, y), (b, a, y))]
    a, b, y = zip(*cells, strict=True)
    return pd.DataFrame({"y": np.array(y, float), "a": [f"a{i}" for i in a], "b": [f"b{i}" for i in b]})
