"""Small random problems of every shape that the criterion distinguishes, and theta of every kind for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mixedeffects.criterion.reference import DenseCriterion, DenseTerm


class Shape(NamedTuple):
    """A problem: terms in theta order, by decreasing number of levels, ties as written."""

    name: str
    y: np.ndarray
    X: np.ndarray
    terms: tuple[DenseTerm, ...]
    weights: np.ndarray | None
    reml: bool

    def criterion(self) -> DenseCriterion:
        return DenseCriterion(y=self.y, X=self.X, terms=self.terms, weights=self.weights, reml=self.reml)


def random_codes(rng: np.random.Generator, n: int, levels: int) -> np.ndarray:
    """Codes in random order in which every level occurs."""
    return rng.permutation(np.concatenate([np.arange(levels), rng.integers(levels, size=n - levels)]))


def balanced_codes(n: int, levels: int) -> np.ndarray:
    return np.arange(n) % levels


def intercept(n: int) -> np.ndarray:
    return np.ones((n, 1))


def columns(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    """An intercept and k - 1 covariates of different size and mean."""
    return np.column_stack([np.ones(n), *(rng.normal(0.5 * j, 1 + j, n) for j in range(k - 1))])


def term(codes: np.ndarray, values: np.ndarray) -> DenseTerm:
    return DenseTerm(codes=codes.astype(np.int32), columns=values, n_levels=int(codes.max()) + 1)


def make(
    rng: np.random.Generator,
    name: str,
    X: np.ndarray,
    terms: list[DenseTerm],
    *,
    weights: np.ndarray | None = None,
    reml: bool = True,
) -> Shape:
    """Draw a response from the model itself, with random covariances, and put the terms in theta order."""
    n, p = X.shape
    noise = rng.normal(size=n) / (1.0 if weights is None else np.sqrt(weights))
    y = X @ rng.normal(1.0, 2.0, size=p) + noise
    for t in terms:
        k = t.columns.shape[1]
        effects = rng.normal(size=(t.n_levels, k)) @ (np.eye(k) + 0.4 * np.tril(rng.normal(size=(k, k)))).T
        y = y + np.sum(t.columns * effects[t.codes], axis=1)
    return Shape(name, y, X, tuple(sorted(terms, key=lambda t: -t.n_levels)), weights, reml)


def one_factor_shapes() -> Iterator[Shape]:
    rng = np.random.default_rng(20261)
    n = 80
    codes = random_codes(rng, n, 10)
    two, three = columns(rng, n, 2), columns(rng, n, 3)
    yield make(rng, "random intercept", two, [term(codes, intercept(n))])
    yield make(rng, "random intercept, ML", two, [term(codes, intercept(n))], reml=False)
    yield make(rng, "correlated slope", two, [term(codes, two)])
    yield make(rng, "correlated slope, ML", two, [term(codes, two)], reml=False)
    yield make(rng, "three columns", three, [term(codes, three)], reml=False)
    yield make(rng, "two terms on one factor", two, [term(codes, two[:, :1]), term(codes, two[:, 1:])])
    yield make(rng, "no intercept in the term", two, [term(codes, two[:, 1:])])
    yield make(rng, "no fixed effects", np.empty((n, 0)), [term(codes, two)])
    yield make(rng, "no fixed effects, ML", np.empty((n, 0)), [term(codes, two)], reml=False)
    yield make(rng, "five fixed effects", columns(rng, n, 5), [term(codes, two)])
    weights = rng.uniform(0.2, 4.0, n)
    yield make(rng, "weights", two, [term(codes, two)], weights=weights)
    yield make(rng, "weights, ML", two, [term(codes, two)], weights=weights, reml=False)
    lone = np.concatenate([random_codes(rng, n - 1, 9), [9]])
    yield make(rng, "a level with one row", two, [term(lone, two)])
    unbalanced = np.repeat(np.arange(8), [2, 3, 3, 5, 7, 10, 20, 30])
    yield make(rng, "unbalanced", two, [term(unbalanced, two)])
    renamed = rng.permutation(10)[codes]
    yield make(rng, "identical partitions", two, [term(codes, two), term(renamed, intercept(n))])


def crossed_shapes() -> Iterator[Shape]:
    rng = np.random.default_rng(20262)
    n = 96
    a, b = balanced_codes(n, 12), np.arange(n) // 12
    two = columns(rng, n, 2)
    yield make(rng, "crossed", two, [term(a, intercept(n)), term(b, intercept(n))])
    yield make(
        rng,
        "crossed, ML, weights",
        two,
        [term(a, intercept(n)), term(b, two)],
        weights=rng.uniform(0.5, 2.0, n),
        reml=False,
    )
    yield make(rng, "crossed, vectors on both", two, [term(a, two), term(b, two)])
    yield make(rng, "crossed, wider on fewer levels", two, [term(a, intercept(n)), term(b, columns(rng, n, 3))])
    pupils = random_codes(rng, n, 30)
    teachers = random_codes(rng, n, 7)
    yield make(rng, "partially crossed", two, [term(pupils, intercept(n)), term(teachers, two)])
    third = random_codes(rng, n, 5)
    yield make(rng, "three crossed factors", two, [term(a, intercept(n)), term(b, two), term(third, intercept(n))])


def nested_shapes() -> Iterator[Shape]:
    rng = np.random.default_rng(20263)
    n = 120
    fine = rng.permutation(balanced_codes(n, 24))
    middle, coarse = fine // 3, fine // 6
    two, three = columns(rng, n, 2), columns(rng, n, 3)
    one = intercept(n)
    yield make(rng, "nested", two, [term(fine, one), term(coarse, one)])
    yield make(rng, "three levels nested", two, [term(fine, one), term(middle, one), term(coarse, one)])
    yield make(rng, "nested, vectors on both", two, [term(fine, two), term(coarse, two)])
    yield make(rng, "nested, more effects on the coarser", three, [term(fine // 2, one), term(fine // 4, three)])
    yield make(
        rng, "nested, vectors on three", two, [term(fine, one), term(middle, two), term(coarse, two)], reml=False
    )
    yield make(rng, "nested, two terms on the finer", two, [term(fine, one), term(fine, two[:, 1:]), term(coarse, two)])
    other = random_codes(rng, n, 8)
    yield make(rng, "nested and crossed", two, [term(fine, two), term(coarse, one), term(other, one)])


def shapes() -> Iterator[Shape]:
    """All the problems, the same at every call."""
    yield from one_factor_shapes()
    yield from crossed_shapes()
    yield from nested_shapes()


def thetas(terms: tuple[DenseTerm, ...], seed: int = 7) -> dict[str, np.ndarray]:
    """One theta of each kind; "rank deficient" only where some term has two columns; its scalar terms stay inside."""
    rng = np.random.default_rng(seed)
    inside = []
    for t in terms:
        k = t.columns.shape[1]
        inside.append(np.tril(rng.normal(0, 0.4, (k, k)), -1) + np.diag(rng.uniform(0.4, 1.5, k)))
    without_first = [F * (np.arange(len(F)) > 0) for F in inside]
    kinds = {
        "interior": inside,
        "negative": [F - 2 * np.diag(np.diag(F)) for F in inside],
        "zero first columns": without_first,
        "one zero term": [*inside[:-1], np.zeros_like(inside[-1])],
        "start": [np.eye(len(F)) for F in inside],
    }
    if any(len(F) > 1 for F in inside):
        corner = [np.arange(F.size).reshape(F.shape) > 0 for F in inside]
        kinds["rank deficient"] = [F * c if len(F) > 1 else F for F, c in zip(inside, corner, strict=True)]
    return {kind: np.concatenate([F.T[np.triu_indices(len(F))] for F in factors]) for kind, factors in kinds.items()}
