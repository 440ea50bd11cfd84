"""Cross-products as dense matrices: those of the core put together, and those of its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixedeffects.crossproducts import CrossProducts
    from support.designs import ArrayDesign


def working_columns(design: ArrayDesign, products: CrossProducts) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Z of each block (n, levels, k), X and y of the working basis, all times the root of the weights."""
    basis, layout = products.basis, products.layout
    n = len(design.y)
    root = np.ones(n) if design.weights is None else np.sqrt(design.weights)
    y = design.y if design.offset is None else design.y - design.offset
    Zs = []
    for terms, T in zip(layout.terms_of, basis.block_transforms(layout), strict=True):
        factor = design.terms[terms[0]].factor
        columns = np.column_stack([c for t in terms for c in design.terms[t].columns])
        Z = np.zeros((n, factor.n_levels, columns.shape[1]))
        Z[np.arange(n), factor.codes] = np.linalg.solve(T.T, columns.T).T * root[:, None]
        Zs.append(Z)
    X = np.linalg.solve(basis.R.T, design.X.T).T if products.p else np.empty((n, 0))
    return Zs, X * root[:, None], (y - design.X @ basis.b0) * root


def pair_matrix(products: CrossProducts, f: int, g: int) -> tuple[np.ndarray, np.ndarray]:
    """Z_f'W Z_g as (levels of f, levels of g, k of f, k of g), and which of its blocks are stored."""
    start, level, value = products.core.pair(f, g)
    n_f, n_g = products.layout.n_levels[f], products.layout.n_levels[g]
    assert len(start) == n_f + 1
    assert start[0] == 0
    assert start[-1] == len(level) == len(value)
    out, stored = np.zeros((n_f, n_g, *value.shape[1:])), np.zeros((n_f, n_g), dtype=int)
    for j in range(n_f):
        at = slice(start[j], start[j + 1])
        assert (np.diff(level[at]) > 0).all(), "levels ascend"
        out[j, level[at]] = value[at]
        stored[j, level[at]] += 1
    return out, stored


def arrays(products: CrossProducts) -> list[np.ndarray]:
    """Everything that the core holds, for comparisons to the bit."""
    core, n_blocks = products.core, len(products.layout.n_levels)
    out = [np.array([core.n, core.p, core.yy, core.sum_log_weights]), core.XX, core.Xy]
    for f in range(n_blocks):
        out += core.block(f)
        for g in range(f + 1, n_blocks):
            out += core.pair(f, g)
    return out


def assert_same(a: CrossProducts, b: CrossProducts) -> None:
    for x, y in zip(arrays(a), arrays(b), strict=True):
        np.testing.assert_array_equal(x, y)
