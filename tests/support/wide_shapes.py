"""Problems for the paths that the small shapes do not reach: wide terms, long chains, dense blocks by recursion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from support.shapes import Shape, balanced_codes, columns, intercept, make, random_codes, term


def wide_shapes() -> Iterator[Shape]:
    """Terms of four and more columns, eliminated or dense; chains below a dense block; single rows; many or no X."""
    rng = np.random.default_rng(20264)
    n = 150
    codes = random_codes(rng, n, 14)
    other = random_codes(rng, n, 6)
    two, four, five = columns(rng, n, 2), columns(rng, n, 4), columns(rng, n, 5)
    one = intercept(n)
    yield make(rng, "four columns", two, [term(codes, four)])
    yield make(rng, "five columns, ML, weights", two, [term(codes, five)], weights=rng.uniform(0.1, 9, n), reml=False)
    yield make(rng, "four eliminated, five dense", two, [term(codes, four), term(other, five)])
    three_terms = [term(codes, five[:, :1]), term(codes, five[:, 1:3]), term(codes, five[:, 3:])]
    yield make(rng, "three terms on one factor", four, three_terms)
    fine = rng.permutation(balanced_codes(n, 36))
    middle, coarse = fine // 3, fine // 12
    chain = [term(fine, two), term(middle, columns(rng, n, 3)), term(coarse, two)]
    yield make(rng, "chain of three and a dense vector", two, [*chain, term(other, two)])
    yield make(
        rng,
        "chain of three, two dense, ML, weights",
        columns(rng, n, 3),
        [term(fine, one), term(middle, four), term(coarse, one), term(other, two), term(random_codes(rng, n, 4), one)],
        weights=rng.uniform(0.2, 3, n),
        reml=False,
    )
    chain = [term(fine, one), term(middle, two), term(coarse, two)]
    yield make(rng, "chain of three without fixed effects", np.empty((n, 0)), [*chain, term(other, one)])
    eight = columns(rng, n, 8)
    yield make(rng, "eight fixed effects, crossed", eight, [term(codes, two), term(other, one)])
    yield make(rng, "eight fixed effects, nested, ML", eight, [term(fine, two), term(middle, two)], reml=False)
    lone = np.concatenate([random_codes(rng, n - 6, 20), 20 + np.arange(6)])
    yield make(rng, "single rows, crossed", two, [term(lone, two), term(other, two)])
    yield make(rng, "single rows, nested", two, [term(lone, columns(rng, n, 3)), term(np.minimum(lone // 2, 9), two)])
    apart = random_codes(rng, n, 11)
    yield make(rng, "same number of levels, crossed", two, [term(apart, one), term(rng.permutation(apart), two)])


def dense_shapes() -> Iterator[Shape]:
    """Dense blocks of 100 to 350 columns, so that their factorisation and inverse go by halves."""
    rng = np.random.default_rng(20265)
    n = 420
    two, three = columns(rng, n, 2), columns(rng, n, 3)
    one = intercept(n)
    many, some, few = random_codes(rng, n, 200), random_codes(rng, n, 113), random_codes(rng, n, 17)
    yield make(rng, "dense, scalar", two, [term(many, one), term(some, one), term(few, one)])
    most, more = random_codes(rng, n, 400), random_codes(rng, n, 345)
    weights = rng.uniform(0.3, 3, n)
    yield make(rng, "dense, vectors", two, [term(most, one), term(some, three)], weights=weights)
    yield make(
        rng, "dense, vector and scalar, ML", two, [term(most, one), term(some, three), term(few, one)], reml=False
    )
    yield make(rng, "dense, scalar, above 300", two, [term(more, one), term(random_codes(rng, n, 320), one)])


def crowded_shapes() -> Iterator[Shape]:
    """One eliminated factor whose levels touch much of the dense block, or so many that the work is split in two."""
    rng = np.random.default_rng(20266)
    n = 480
    two = columns(rng, n, 2)
    one = intercept(n)
    levels, crossing = random_codes(rng, n, 50), random_codes(rng, n, 45)
    yield make(rng, "crowded, scalar", two, [term(levels, one), term(crossing, one)])
    yield make(rng, "crowded, vectors, ML", two, [term(levels, two), term(crossing, two)], reml=False)
    n = 1000
    five = columns(rng, n, 5)
    yield make(
        rng,
        "split in two",
        five[:, :2],
        [term(random_codes(rng, n, 62), five[:, :1]), term(random_codes(rng, n, 55), five)],
    )
