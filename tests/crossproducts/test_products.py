"""Cross-products against their definition, in batches, over threads, from arrays of every memory layout."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.compare import assert_close
from support.designs import ArrayDesign, ArrayFactor, ArrayTerm, design_of
from support.products import arrays, assert_same, pair_matrix, working_columns
from support.shapes import random_codes, shapes
from support.wide_shapes import wide_shapes

from mixedeffects import _core
from mixedeffects.control import Control
from mixedeffects.criterion import gaussian_criterion
from mixedeffects.crossproducts import basis, cross_products, row_arguments
from mixedeffects.crossproducts.layout import layout_of
from mixedeffects.errors import DataError
from mixedeffects.optimize import minimize

SHAPES = {shape.name: shape for shape in [*shapes(), *wide_shapes()]}


def fit(products):
    words = [(f"g{t}", tuple(f"x{c}" for c in range(k))) for t, k in enumerate(products.layout.widths)]
    return minimize(gaussian_criterion(products, reml=True), words, Control())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=lambda shape: shape.name)
def test_equal_the_dense_products_of_the_working_columns(shape):
    design = design_of(shape)
    products = cross_products(design)
    Zs, X, y = working_columns(design, products)
    n = len(y)
    assert products.n == n
    assert products.p == X.shape[1]
    assert products.core.yy == pytest.approx(y @ y, rel=1e-12)
    logs = 0.0 if shape.weights is None else np.log(shape.weights).sum()
    assert products.core.sum_log_weights == pytest.approx(logs, rel=1e-12, abs=1e-12)
    size = np.sqrt(n)
    assert_close(products.core.XX, X.T @ X, 1e-12)
    assert_close(products.core.Xy, X.T @ y, 1e-12, scale=np.linalg.norm(y))
    for f, Z in enumerate(Zs):
        ZZ, ZX, Zy = products.core.block(f)
        full = np.einsum("njk,nlm->jlkm", Z, Z)
        off = full.copy()
        off[np.arange(len(ZZ)), np.arange(len(ZZ))] = 0.0
        assert not off.any()
        assert_close(ZZ, full[np.arange(len(ZZ)), np.arange(len(ZZ))], 1e-12)
        assert_close(ZX, np.einsum("njk,np->jkp", Z, X), 1e-12, scale=1.0)
        assert_close(Zy, np.einsum("njk,n->jk", Z, y), 1e-12, scale=size)
        for g in range(f + 1, len(Zs)):
            actual, stored = pair_matrix(products, f, g)
            assert_close(actual, np.einsum("njk,nlm->jlkm", Z, Zs[g]), 1e-12)
            codes = [design.terms[products.layout.terms_of[b][0]].factor.codes for b in (f, g)]
            together = np.zeros(stored.shape, dtype=int)
            together[codes[0], codes[1]] = 1
            np.testing.assert_array_equal(stored, together, "a block is stored where the levels meet")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=lambda shape: shape.name)
def test_working_columns_are_scaled(shape):
    """X R^-1 orthonormal and orthogonal to y - X b0; the columns of a term orthonormal with unit mean square."""
    design = design_of(shape)
    products = cross_products(design)
    Zs, X, y = working_columns(design, products)
    p, n = X.shape[1], len(y)
    assert_close(X.T @ X, np.eye(p), 1e-12)
    assert_close(X.T @ y, np.zeros(p), 1e-11, scale=np.linalg.norm(y))
    _, logdet = np.linalg.slogdet(design.X.T @ ((1.0 if shape.weights is None else shape.weights[:, None]) * design.X))
    assert 2.0 * products.basis.log_det_R == pytest.approx(logdet, abs=1e-9)
    for terms, Z in zip(products.layout.terms_of, Zs, strict=True):
        for t in terms:
            block = Z.sum(axis=1)[:, products.layout.columns_of(t)]
            assert_close(block.T @ block / n, np.eye(block.shape[1]), 1e-11)


def test_a_column_that_another_determines_is_scaled_alone():
    x = np.linspace(1.0, 2.0, 12)
    factor = ArrayFactor((np.arange(12) % 4).astype(np.int32), 4)
    design = ArrayDesign(y=x**2, X=np.ones((12, 1)), terms=(ArrayTerm(factor, (x, 3.0 * x, 0.0 * x)),))
    (T,) = basis(design, layout_of(design)).T
    rms = np.sqrt((x**2).mean())
    assert_close(T[:2, :2], np.diag([rms, 3.0 * rms]), 1e-12)
    assert T[2, 2] > 0.0
    assert not (T - np.diag(np.diag(T))).any()


def test_terms_on_one_factor_share_a_block():
    products = cross_products(design_of(SHAPES["nested, two terms on the finer"]))
    assert products.layout.block_of == (0, 0, 1)
    assert products.layout.offset_of == (0, 1, 0)
    assert products.layout.block_widths == (2, 2)
    assert products.layout.entries() == [[0, 0, 0], [0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
    apart = cross_products(design_of(SHAPES["identical partitions"]))
    assert apart.layout.block_of == (0, 1), "equal partitions under different names are two factors"


def test_layout_turns_theta_into_factors_and_back():
    layout = layout_of(design_of(SHAPES["crossed, wider on fewer levels"]))
    theta = np.arange(1.0, 8.0)
    scalar, wide = layout.factors(theta)
    np.testing.assert_array_equal(scalar, [[1.0]])
    np.testing.assert_array_equal(wide, [[2.0, 0.0, 0.0], [3.0, 5.0, 0.0], [4.0, 6.0, 7.0]])
    np.testing.assert_array_equal(layout.theta([scalar, wide]), theta)


# ---- batches ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.sampled_from(["correlated slope", "weights", "partially crossed", "nested and crossed", "single rows, crossed"]),
    st.lists(st.integers(0, 150), max_size=4),
)
def test_batches_add_up(name, cuts):
    design = design_of(SHAPES[name])
    whole = cross_products(design)
    edges = [0, *sorted(min(c, len(design.y)) for c in cuts), len(design.y)]
    parts = [
        cross_products(design, layout=whole.layout, basis=whole.basis, rows=slice(a, b))
        for a, b in itertools.pairwise(edges)
    ]
    total = sum(parts[1:], parts[0])
    size = np.sqrt(whole.core.yy)  # X'y is 0 but for rounding
    for x, y in zip(arrays(total), arrays(whole), strict=True):
        assert_close(x, y, 1e-12, scale=size)
    theta = np.concatenate([F.T[np.triu_indices(len(F))] for F in (0.7 * np.eye(k) for k in whole.layout.widths)])
    a, b = (gaussian_criterion(p, reml=True).evaluate(theta) for p in (total, whole))
    assert a.value == pytest.approx(b.value, rel=1e-12)
    assert_close(a.gradient, b.gradient, 1e-9, scale=1.0)


@pytest.mark.parametrize("name", ["correlated slope", "nested and crossed", "partially crossed"])
def test_the_fit_from_batches_is_that_of_the_whole(name):
    design = design_of(SHAPES[name])
    whole = cross_products(design)
    rows = [slice(a, a + 13) for a in range(0, len(design.y), 13)]
    parts = [cross_products(design, layout=whole.layout, basis=whole.basis, rows=r) for r in rows]
    a, b = fit(sum(parts[1:], parts[0])), fit(whole)
    assert a.solution.value == pytest.approx(b.solution.value, abs=1e-9)
    assert_close(a.solution.theta, b.solution.theta, 1e-5)
    assert a.optimum.n_evaluations == b.optimum.n_evaluations


def test_batches_over_another_basis_or_other_levels_are_refused():
    design = design_of(SHAPES["crossed"])
    one, other = cross_products(design), cross_products(design)
    with pytest.raises(DataError, match="same basis and the same levels"):
        one + other
    with pytest.raises(DataError, match="same basis and the same levels"):
        one + replace(one, layout=replace(one.layout, n_levels=(12, 9)))
    with pytest.raises(ValueError, match="different levels"):
        one.core + cross_products(design_of(SHAPES["partially crossed"])).core
    with pytest.raises(ValueError, match="different designs"):
        one.core + cross_products(design_of(SHAPES["five fixed effects"])).core


# ---- threads ---------------------------------------------------------------------------------------------------------


def test_threads_change_nothing():
    """More than 200,000 rows: they are cut into several parts, the same ones whatever the number of threads."""
    rng = np.random.default_rng(8)
    n = 210_000
    x = rng.normal(size=n)
    one = np.ones(n)
    a, b = (ArrayFactor(random_codes(rng, n, J).astype(np.int32), J) for J in (3000, 40))
    design = ArrayDesign(
        y=2.0 * x + rng.normal(size=3000)[a.codes] + rng.normal(size=n),
        X=np.asfortranarray(np.column_stack([one, x])),
        terms=(ArrayTerm(a, (one, x)), ArrayTerm(b, (one,))),
        weights=rng.uniform(0.5, 2.0, n),
    )
    single, *others = (cross_products(design, n_threads=t) for t in (1, 2, 8))
    first = fit(single)
    for products in others:
        assert_same(products, single)
        np.testing.assert_array_equal(products.basis.R, single.basis.R)
        again = fit(products)
        np.testing.assert_array_equal(again.solution.theta, first.solution.theta)
        assert again.solution.value == first.solution.value
    residual = design.y - design.X @ single.basis.b0
    assert single.core.yy == pytest.approx(float(design.weights @ residual**2), rel=1e-12)


# ---- memory ----------------------------------------------------------------------------------------------------------


def every_other(a: np.ndarray) -> np.ndarray:
    return np.repeat(a, 2)[::2]


def read_only(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


def backwards(a: np.ndarray) -> np.ndarray:
    return a[::-1].copy()[::-1]


@pytest.mark.parametrize("change", [every_other, read_only, backwards])
def test_memory_layout_changes_nothing(change):
    design = design_of(SHAPES["chain of three, two dense, ML, weights"])
    X = np.empty((len(design.y), design.X.shape[1]))
    X[:] = design.X
    changed = replace(
        design,
        y=change(design.y),
        X=X,  # row by row
        terms=tuple(replace(t, columns=tuple(change(c) for c in t.columns)) for t in design.terms),
    )
    assert_same_in_any_memory(changed, design)


def assert_same_in_any_memory(changed, design):
    """To the bit in one basis; the basis itself to rounding, as columns that are found twice are scaled once."""
    expected = cross_products(design)
    assert_same(cross_products(changed, layout=expected.layout, basis=expected.basis), expected)
    size = np.sqrt(expected.core.yy)
    for x, y in zip(arrays(cross_products(changed)), arrays(expected), strict=True):
        assert_close(x, y, 1e-12, scale=size)


def test_columns_of_stride_zero():
    design = design_of(SHAPES["nested and crossed"])
    one = np.broadcast_to(np.float64(1.0), design.y.shape)
    terms = tuple(replace(t, columns=(one, *t.columns[1:])) for t in design.terms)
    assert_same_in_any_memory(replace(design, terms=terms), design)


def arguments(**changes):
    """What the core takes for twelve rows in three levels, with changes."""
    n = 12
    one, y = np.ones(n), np.arange(n, dtype=float)
    eye = np.asfortranarray([[1.0]])
    kept = {
        "X": [one], "y": y, "weights": None, "codes": [(np.arange(n) % 3).astype(np.int32)], "n_levels": [3],
        "columns": [[one]], "R": eye, "b0": np.zeros(1), "T": [eye], "n_threads": 1,
    }  # fmt: skip
    return kept | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.ones(11)}, "different lengths"),
        ({"X": [np.ones(13)]}, "different lengths"),
        ({"weights": np.ones(3)}, "different lengths"),
        ({"codes": [np.zeros(5, np.int32)]}, "different lengths"),
        ({"columns": [[np.ones(1)]]}, "different lengths"),
        ({"n_levels": [2]}, "a code outside its levels"),
        ({"codes": [np.arange(12, dtype=np.int32) % 3 - 1]}, "a code outside its levels"),
    ],
)
def test_wrong_lengths_and_codes_are_refused(changes, message):
    assert _core.cross_products(**arguments()).yy == pytest.approx(506.0)
    with pytest.raises(ValueError, match=message):
        _core.cross_products(**arguments(**changes))


@pytest.mark.parametrize(
    "changes", [{"y": np.ones((12, 1))}, {"y": np.array(["a"] * 12)}, {"X": np.ones((12, 1)).tolist()}]
)
def test_what_is_no_column_is_refused(changes):
    with pytest.raises(TypeError):
        _core.cross_products(**arguments(**changes))


def test_with_response_of_the_wrong_length_is_refused():
    design = design_of(SHAPES["crossed"])
    with pytest.raises(ValueError, match="different lengths"):
        cross_products(design).with_response(design, design.y[:-1])


def test_with_response_equals_products_of_the_other_response():
    design = design_of(SHAPES["nested and crossed"])
    y = np.random.default_rng(4).normal(size=len(design.y))
    products = cross_products(design)
    fresh = _core.cross_products(*row_arguments(design, products.layout, products.basis, y), 1)
    assert_same(products.with_response(design, y), replace(products, core=fresh))
