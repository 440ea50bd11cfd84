"""Errors of x'beta + z'b against Henderson's equations solved densely, and leverage against lme4's hat values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from support import reference
from support.cases import case_fit
from support.fits import reference_fit

import mixedeffects as me
from mixedeffects.fit.functionals import leverage, row_functionals

CASES = [
    "sleep_slope_REML",
    "sleep_two_terms_ML",
    "dyestuff2_REML",
    "cross_full_REML",
    "cross_wt_off_REML",
    "pastes_nested_REML",
    "pastes_batch_sample_REML",
    "machines_nested_REML",
    "machines_vec0_REML",
    "penicillin_REML",
    "rankdef_REML",
    "oats_REML",
    "cake_REML",
]
N_ROWS = 150


def henderson(fit) -> np.ndarray:
    """Inverse of the equations in (beta, u), with b = Lambda u: there whatever the variances, (p + q, p + q)."""
    design = fit.design
    columns = np.hstack([design.X, (design.Z @ design.Lambda).toarray()])
    weights = np.ones(fit.nobs) if design.weights is None else design.weights
    M = columns.T @ (weights[:, None] * columns)
    p = design.X.shape[1]
    M[p:, p:] += np.eye(len(M) - p)
    return np.linalg.inv(M)


def new_rows(fit) -> tuple[np.ndarray, list, np.ndarray]:
    """Rows with combinations of levels that need not have occurred, with levels left out; and their dense Z."""
    chosen = np.random.default_rng(3).integers(0, fit.nobs, N_ROWS)
    terms, Z = [], []
    for term in fit.model.terms:
        shuffled = np.random.default_rng(term.factor.n_levels).permutation(N_ROWS)
        codes = term.factor.codes[chosen][shuffled]
        codes[:: 3 + len(term.group)] = -1
        columns = [1.3 * column[chosen] for column in term.columns]
        block = np.zeros((N_ROWS, term.n_effects))
        rows = np.flatnonzero(codes >= 0)
        for a, column in enumerate(columns):
            block[rows, codes[rows] * term.n_columns + a] = column[rows]
        terms.append((codes, columns))
        Z.append(block)
    return fit.model.X[chosen], terms, np.hstack(Z)


@pytest.mark.parametrize("case_id", CASES)
def test_variance_of_any_functional_is_that_of_the_dense_equations(case_id):
    fit = reference_fit(case_id).fit
    X, terms, Z = new_rows(fit)
    rows = np.hstack([X, Z @ fit.design.Lambda.toarray()])
    expected = np.einsum("ni,ij,nj->n", rows, henderson(fit), rows)
    found = row_functionals(fit, X, terms)
    np.testing.assert_allclose(found.variance, expected, rtol=1e-9)


@pytest.mark.parametrize("case_id", CASES)
def test_the_parts_are_those_given_beta_and_the_coefficients_of_its_error(case_id):
    fit = reference_fit(case_id).fit
    X, terms, Z = new_rows(fit)
    design = fit.design
    ZL = (design.Z @ design.Lambda).toarray()
    weights = np.ones(fit.nobs) if design.weights is None else design.weights
    K = np.linalg.inv(ZL.T @ (weights[:, None] * ZL) + np.eye(ZL.shape[1]))
    zL = Z @ design.Lambda.toarray()
    found = row_functionals(fit, X, terms)
    np.testing.assert_allclose(found.conditional, np.einsum("ni,ij,nj->n", zL, K, zL), rtol=1e-9, atol=1e-14)
    expected = X - zL @ K @ (ZL.T @ (weights[:, None] * design.X))
    np.testing.assert_allclose(found.fixed, expected, rtol=0, atol=1e-9 * np.abs(X).max())


@pytest.mark.parametrize("case_id", reference.case_ids("diagnostics"))
def test_leverage_is_that_of_lme4(case_id):
    case = reference.load_case(case_id, "diagnostics")
    np.testing.assert_allclose(leverage(case_fit(case_id, "diagnostics")), case["hatvalues"], rtol=0, atol=1e-8)


def test_a_few_rows_of_a_large_crossed_model_are_those_of_a_sparse_solve():
    fit = reference_fit("insteval_REML").fit
    design = fit.design
    ZL = sp.csc_array(design.Z @ design.Lambda)
    columns = sp.csc_array(sp.hstack([sp.csc_array(design.X), ZL]))
    p = design.X.shape[1]
    ridge = sp.diags_array(np.r_[np.zeros(p), np.ones(ZL.shape[1])])
    factor = splu(sp.csc_matrix(columns.T @ columns + ridge))
    rows = np.random.default_rng(1).integers(0, fit.nobs, 12)
    dense = columns.tocsr()[rows].toarray()
    expected = np.einsum("ni,in->n", dense, factor.solve(np.ascontiguousarray(dense.T)))
    np.testing.assert_allclose(leverage(fit)[rows], expected, rtol=1e-8)


def test_threads_and_the_order_of_rows_do_not_matter(crossed):
    X, terms, _ = new_rows(crossed)
    X = np.vstack([X] * 40)  # more rows than one task has
    terms = [(np.tile(codes, 40), [np.tile(column, 40) for column in columns]) for codes, columns in terms]
    fits = [replace(crossed, control=me.Control(threads=n)) for n in (1, 2)]
    one, two = (row_functionals(fit, X, terms) for fit in fits)
    np.testing.assert_array_equal(one.variance, two.variance)
    np.testing.assert_array_equal(one.conditional[:N_ROWS], one.conditional[-N_ROWS:])


def test_a_leverage_of_one_leaves_no_residual_to_judge():
    frame = reference.load_data("sleepstudy")
    frame["only"] = (np.arange(len(frame)) == 7).astype(float)
    fit = me.lmer("Reaction ~ Days + only + (1 | Subject)", frame)
    assert leverage(fit)[7] == pytest.approx(1.0, abs=1e-12)
    assert np.isnan(fit.residuals("studentized")[7])
    assert np.isnan(fit.cooks_distance()[7])
    assert np.isfinite(np.delete(fit.cooks_distance(), 7)).all()
