"""Where each random-effects term lives: blocks of columns over one factor, and the free entries of their factors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mixedeffects.design import Design, RandomBlock


@lru_cache(maxsize=64)
def _lower(k: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of a lower triangle, column by column."""
    columns, rows = np.triu_indices(k)
    return rows, columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Terms, blocks and the order of theta.

    Terms on the same factor share a block: their columns stand side by side, so that the factor is eliminated once.

    Attributes
    ----------
    block_of : tuple of int
        For each term its block.
    offset_of : tuple of int
        For each term its first column in the block.
    widths : tuple of int
        For each term its number of columns k.
    terms_of : tuple of tuple of int
        For each block its terms.
    n_levels : tuple of int
        For each block its number of levels.
    """

    block_of: tuple[int, ...]
    offset_of: tuple[int, ...]
    widths: tuple[int, ...]
    terms_of: tuple[tuple[int, ...], ...]
    n_levels: tuple[int, ...]

    @property
    def n_theta(self) -> int:
        """Length of theta."""
        return sum(k * (k + 1) // 2 for k in self.widths)

    @property
    def block_widths(self) -> tuple[int, ...]:
        """For each block its number of columns."""
        return tuple(sum(self.widths[t] for t in terms) for terms in self.terms_of)

    def entries(self) -> list[list[int]]:
        """Block, row and column of each entry of theta: terms in order, lower triangles column by column."""
        return [
            [block, offset + row, offset + column]
            for block, offset, k in zip(self.block_of, self.offset_of, self.widths, strict=True)
            for column in range(k)
            for row in range(column, k)
        ]

    def factors(self, theta: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """The lower triangular Lambda_t (k, k) of each term."""
        out = []
        for k, part in zip(self.widths, self.split(theta), strict=True):
            Lambda = np.zeros((k, k))
            Lambda[_lower(k)] = part
            out.append(Lambda)
        return out

    def free(self, theta: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which entries of a canonical theta are parameters, (d,): those in a column of zeros of Lambda are none."""
        return np.array(
            [L[c, c] != 0.0 for L in self.factors(theta) for c in range(len(L)) for _ in range(c, len(L))], dtype=bool
        )

    def checked(self, theta: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a theta that was given, (d,), or raise DataError for another length or values that are not finite."""
        try:
            at = np.array(theta, dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(f"theta must be {self.n_theta} numbers, not {theta!r}") from None
        if at.shape != (self.n_theta,):
            raise DataError(f"theta has shape {at.shape}; this model needs {self.n_theta} values")
        if not np.isfinite(at).all():
            raise DataError(f"theta must be finite, not {at.tolist()}")
        return at

    def theta(self, factors: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """The inverse of `factors`."""
        parts = [Lambda[_lower(len(Lambda))] for Lambda in factors]
        return np.concatenate(parts) if parts else np.empty(0)

    def split(self, theta: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
        """The part of theta that belongs to each term."""
        at = 0
        for k in self.widths:
            size = k * (k + 1) // 2
            yield theta[at : at + size]
            at += size

    def columns_of(self, term: int) -> slice:
        """The columns of a term within its block."""
        return slice(self.offset_of[term], self.offset_of[term] + self.widths[term])


def layout_of(design: Design) -> Layout:
    """Put the terms of a design into blocks, one for each distinct factor."""
    return layout_of_terms(design.terms)


def layout_of_terms(terms: Sequence[RandomBlock]) -> Layout:
    """Put terms into blocks; terms belong together when they share the factor object."""
    blocks: list[list[int]] = []
    block_of, offset_of = [], []
    for t, term in enumerate(terms):
        for f, members in enumerate(blocks):
            if terms[members[0]].factor is term.factor:
                offset_of.append(sum(len(terms[m].columns) for m in members))
                members.append(t)
                block_of.append(f)
                break
        else:
            block_of.append(len(blocks))
            offset_of.append(0)
            blocks.append([t])
    return Layout(
        block_of=tuple(block_of),
        offset_of=tuple(offset_of),
        widths=tuple(len(term.columns) for term in terms),
        terms_of=tuple(tuple(members) for members in blocks),
        n_levels=tuple(terms[members[0]].factor.n_levels for members in blocks),
    )
