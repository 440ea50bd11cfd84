"""Cross-products of [Z X y] under the weights, in a basis where neither units nor shifts cost digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects import _core
from mixedeffects.crossproducts.layout import Layout, layout_of
from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.design import Design

_ALIASED = 1e-7  # of its norm is what a column must keep beside the ones before it, as in R's rank rule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """The working columns: X R^-1, Z_t T_t^-1 and y - X b0.

    X R^-1 is orthonormal under the weights, and so are the columns of each term with unit mean square. Within a term
    with free covariances any change of columns gives the same model, with S = T^-1 S_working T^-T.

    Attributes
    ----------
    R : ndarray (p, p)
        Upper triangular.
    b0 : ndarray (p,)
        Ordinary (weighted) least squares.
    T : tuple of ndarray (k, k)
        For each term, upper triangular.
    """

    R: NDArray[np.float64]
    b0: NDArray[np.float64]
    T: tuple[NDArray[np.float64], ...]

    @property
    def log_det_R(self) -> float:
        """Log of the absolute determinant of R."""
        return float(np.log(np.abs(np.diag(self.R))).sum())

    def block_transforms(self, layout: Layout) -> list[NDArray[np.float64]]:
        """For each block the T of its terms on the diagonal, (k, k)."""
        out = []
        for terms, width in zip(layout.terms_of, layout.block_widths, strict=True):
            T = np.zeros((width, width))
            for t in terms:
                T[layout.columns_of(t), layout.columns_of(t)] = self.T[t]
            out.append(T)
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossProducts:
    """All that a Gaussian fit needs of the rows; batches over the same layout and basis add up.

    Attributes
    ----------
    layout : Layout
        Terms and blocks.
    basis : Basis
        The working columns.
    core : _core.CrossProducts
        The blocks of [Z X y]'W[Z X y], n and the sum of log weights.
    """

    layout: Layout
    basis: Basis
    core: _core.CrossProducts

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.core.n

    @property
    def p(self) -> int:
        """Number of fixed-effects columns."""
        return self.core.p

    def __add__(self, other: CrossProducts) -> CrossProducts:
        """Cross-products of both batches of rows."""
        if self.basis is not other.basis or self.layout != other.layout:
            raise DataError("only cross-products over the same basis and the same levels can be added")
        return CrossProducts(layout=self.layout, basis=self.basis, core=self.core + other.core)

    def with_response(self, design: Design, y: NDArray[np.float64]) -> CrossProducts:
        """The same with another response on the rows of `design`; y has shape (n,), the offset not yet subtracted."""
        arguments = row_arguments(design, self.layout, self.basis, _less_offset(y, design.offset))
        core = _core.response_products(self.core, *arguments)
        return CrossProducts(layout=self.layout, basis=self.basis, core=core)


def basis(design: Design, layout: Layout, *, n_threads: int = 1) -> Basis:
    """Choose the working columns from all rows of a design.

    Parameters
    ----------
    design : Design
        With n rows, p columns of full rank in X.
    layout : Layout
        Its terms.
    n_threads : int
        Threads for the pass over the rows.

    Returns
    -------
    Basis

    Notes
    -----
    R'R = X'WX, T_t'T_t = C_t'W C_t / n for the columns C_t of a term, b0 = (X'WX)^-1 X'Wy. Where a column of a term is
    determined by the ones before it, T_t is diagonal. One QR factor of the distinct columns of X, Z and y serves all:
    the factor of a subset of columns is that of the same columns of R.
    """
    p = design.X.shape[1]
    y = _less_offset(design.y, design.offset)
    columns: list[NDArray[np.float64]] = [design.X[:, j] for j in range(p)]
    place = {_identity(column): j for j, column in enumerate(columns)}
    members = []
    for term in design.terms:
        for column in term.columns:
            if _identity(column) not in place:
                place[_identity(column)] = len(columns)
                columns.append(column)
        members.append([place[_identity(column)] for column in term.columns])
    full = _core.triangular_factor([*columns, y], design.weights, n_threads)
    R = full[:p, :p]
    b0 = np.asarray(np.linalg.solve(R, full[:p, -1]), dtype=np.float64) if p else np.empty(0)
    scale = np.sqrt(len(design.y))
    T = tuple(_term_transform(full[:, member]) / scale for member in members)
    return Basis(R=R, b0=b0, T=T)


def _term_transform(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Upper triangular factor of the columns, or their norms where one is determined by the ones before it."""
    norms = np.sqrt((columns**2).sum(axis=0))
    norms[norms == 0.0] = 1.0
    if columns.shape[1] == 1:
        return np.asarray(norms[:, None], dtype=np.float64)
    T = np.asarray(np.linalg.qr(columns, mode="r"), dtype=np.float64)
    if np.any(np.abs(np.diag(T)) < _ALIASED * norms):
        return np.diag(norms)
    signs = np.where(np.diag(T) < 0, -1.0, 1.0)
    return np.asarray(T * signs[:, None], dtype=np.float64)


def cross_products(
    design: Design,
    *,
    layout: Layout | None = None,
    basis: Basis | None = None,
    rows: slice = slice(None),
    n_threads: int = 1,
) -> CrossProducts:
    """Cross-products of a design in one pass over its rows.

    Parameters
    ----------
    design : Design
        The model matrices.
    layout, basis : Layout, Basis, optional
        Those of another batch to be added to; computed from all rows by default.
    rows : slice
        A batch of consecutive rows.
    n_threads : int
        Threads; the result does not depend on them.

    Returns
    -------
    CrossProducts

    Notes
    -----
    The blocks of [Z X y]'W[Z X y] for the working columns and y - X b0: per level Z_j'WZ_j (k, k), Z_j'WX (k, p) and
    Z_j'Wy (k,); per pair of levels that occur together Z_j'WZ_l; X'WX, X'Wy, y'Wy; n and the sum of log weights.
    """
    layout = layout_of(design) if layout is None else layout
    basis = _basis(design, layout, n_threads=n_threads) if basis is None else basis
    core = _core.cross_products(*row_arguments(design, layout, basis, rows=rows), n_threads)
    return CrossProducts(layout=layout, basis=basis, core=core)


_basis = basis


def row_arguments(
    design: Design,
    layout: Layout,
    basis: Basis,
    y: NDArray[np.float64] | None = None,
    rows: slice = slice(None),
) -> tuple[
    list[NDArray[np.float64]],
    NDArray[np.float64],
    NDArray[np.float64] | None,
    list[NDArray[np.int32]],
    list[int],
    list[list[NDArray[np.float64]]],
    NDArray[np.float64],
    NDArray[np.float64],
    list[NDArray[np.float64]],
]:
    """The rows of a design and the basis, as the core takes them; y less the offset unless given."""
    y = _less_offset(design.y, design.offset) if y is None else y
    codes = [design.terms[terms[0]].factor.codes[rows] for terms in layout.terms_of]
    columns = [[column[rows] for t in terms for column in design.terms[t].columns] for terms in layout.terms_of]
    return (
        [design.X[rows, j] for j in range(design.X.shape[1])],
        y[rows],
        None if design.weights is None else design.weights[rows],
        codes,
        list(layout.n_levels),
        columns,
        np.asfortranarray(basis.R),
        basis.b0,
        [np.asfortranarray(T) for T in basis.block_transforms(layout)],
    )


def _less_offset(y: NDArray[np.float64], offset: NDArray[np.float64] | None) -> NDArray[np.float64]:
    return y if offset is None else y - offset


def _identity(column: NDArray[np.float64]) -> tuple[int, Sequence[int]]:
    return column.__array_interface__["data"][0], column.strides
