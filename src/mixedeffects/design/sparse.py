"""Z as a sparse matrix, for those who ask: the fit itself never forms it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design.random import RandomBlock


class ZLabels(NamedTuple):
    """What each column of Z stands for: three arrays of strings, (q,)."""

    key: NDArray[np.object_]
    level: NDArray[np.object_]
    column: NDArray[np.object_]


def z_matrix(blocks: tuple[RandomBlock, ...], n_rows: int, *, by_column: bool = False) -> sp.csc_array:
    """Build Z, (n, q).

    Parameters
    ----------
    blocks : tuple of RandomBlock
        The terms.
    n_rows : int
        Number of rows.
    by_column : bool
        Within a term, all levels of the first column, then all of the second; else all columns of the first level,
        then all of the second, as lme4 has them.
    """
    width = sum(block.n_columns for block in blocks)
    indices = np.empty((n_rows, width), dtype=np.int32 if _n_effects(blocks) < 2**31 else np.int64)
    values = np.empty((n_rows, width))
    at = start = 0
    for block in blocks:
        k, levels, codes = block.n_columns, block.factor.n_levels, block.factor.codes
        for c, column in enumerate(block.columns):
            values[:, at] = column
            indices[:, at] = start + (c * levels + codes if by_column else codes.astype(indices.dtype) * k + c)
            at += 1
        start += k * levels
    pointers = np.arange(0, n_rows * width + 1, max(width, 1)) if width else np.zeros(n_rows + 1, dtype=np.int64)
    rows = sp.csr_array((values.ravel(), indices.ravel(), pointers), shape=(n_rows, start))
    return rows.tocsc()


def _n_effects(blocks: tuple[RandomBlock, ...]) -> int:
    return sum(block.n_effects for block in blocks)


def z_labels(blocks: tuple[RandomBlock, ...], *, by_column: bool = False) -> ZLabels:
    """Name the columns of `z_matrix`."""
    keys, levels, columns = [], [], []
    for block in blocks:
        labels, names = block.factor.labels, np.array(block.names, dtype=object)
        keys.append(np.full(block.n_effects, block.key, dtype=object))
        if by_column:
            levels.append(np.tile(labels, block.n_columns))
            columns.append(np.repeat(names, len(labels)))
        else:
            levels.append(np.repeat(labels, block.n_columns))
            columns.append(np.tile(names, len(labels)))
    empty = [np.empty(0, dtype=object)]
    return ZLabels(*(np.concatenate(parts or empty) for parts in (keys, levels, columns)))
