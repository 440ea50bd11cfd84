"""Designs made from arrays: what the numerical layers read of a design, without formula or frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.criterion import GaussianCriterion, gaussian_criterion
from mixedeffects.crossproducts import cross_products

if TYPE_CHECKING:
    from support.shapes import Shape


@dataclass(frozen=True, eq=False)
class ArrayFactor:
    codes: np.ndarray
    n_levels: int


@dataclass(frozen=True, eq=False)
class ArrayTerm:
    factor: ArrayFactor
    columns: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class ArrayDesign:
    y: np.ndarray
    X: np.ndarray
    terms: tuple[ArrayTerm, ...]
    weights: np.ndarray | None = None
    offset: np.ndarray | None = None


def design_of(shape: Shape) -> ArrayDesign:
    """The design of a shape; terms with the same codes share one factor, as in a design made from a formula."""
    factors: list[ArrayFactor] = []
    terms = []
    for t in shape.terms:
        found = [f for f in factors if np.array_equal(f.codes, t.codes)]
        if not found:
            factors.append(ArrayFactor(t.codes, t.n_levels))
            found = factors[-1:]
        terms.append(ArrayTerm(found[0], tuple(np.ascontiguousarray(column) for column in t.columns.T)))
    return ArrayDesign(y=shape.y, X=np.asfortranarray(shape.X), terms=tuple(terms), weights=shape.weights)


def criterion_of(shape: Shape, *, reml: bool | None = None) -> GaussianCriterion:
    """The criterion of a shape, as the core computes it."""
    return gaussian_criterion(cross_products(design_of(shape)), reml=shape.reml if reml is None else reml)


def rows_of(design: ArrayDesign, rows: np.ndarray) -> ArrayDesign:
    """Some rows of a design, or its rows in another order."""
    factors = {id(t.factor): ArrayFactor(t.factor.codes[rows], t.factor.n_levels) for t in design.terms}
    return replace(
        design,
        y=design.y[rows],
        X=np.asfortranarray(design.X[rows]),
        terms=tuple(ArrayTerm(factors[id(t.factor)], tuple(c[rows] for c in t.columns)) for t in design.terms),
        weights=None if design.weights is None else design.weights[rows],
        offset=None if design.offset is None else design.offset[rows],
    )
