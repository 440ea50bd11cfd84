"""Contrast matrices of types 1, 2 and 3: one for each term of the fixed part, over the estimated coefficients.

The three types are those of SAS, which lmerTest gives too [1]_, [2]_. Types 1 and 2 come from the triangular factor of
X, type 3 from the estimable functions of the model with one indicator column for every level, so that it does not
depend on how the factors were coded.

References
----------
.. [1] Kuznetsova, Brockhoff & Christensen (2017), lmerTest, Journal of Statistical Software 82(13),
   doi:10.18637/jss.v082.i13.
.. [2] SAS Institute, SAS/STAT User's Guide, The Four Types of Estimable Functions.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.design.encoding import encode_columns
from mixedeffects.design.rank import estimable, triangular_factor
from mixedeffects.errors import DataError
from mixedeffects.formula import python_names, restored
from mixedeffects.inference.fixed_terms import FixedTerm, estimability, has_intercept, tested_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.design import Design

_RANK = 1e-7  # relative to columns of unit length
_ZERO = 1e-11


def term_contrasts(design: Design, type: int = 3) -> dict[str, NDArray[np.float64]]:
    """Return the hypotheses of an analysis of variance.

    Parameters
    ----------
    design : Design
        The design of a fit.
    type : {1, 2, 3}
        1: every term adjusted for those before it. 2: adjusted for all terms that do not contain it. 3: not involving
        other terms than those that contain it, and orthogonal to their hypotheses.

    Returns
    -------
    dict of str to ndarray (q, p)
        For each term but the intercept, in order, rows L of the hypothesis L beta = 0 over the estimated coefficients
        (`Design.kept_names`); none for a term whose coefficients are all aliased.

    Raises
    ------
    DataError
        For another type.

    Notes
    -----
    A term contains another if it has all its variables and further ones that are categorical: ``age:Sex`` contains
    ``age``, but not ``Sex``.
    """
    if type not in (1, 2, 3) or isinstance(type, bool):
        raise DataError(f"type={type!r} is no type of an analysis of variance; choose 1, 2 or 3")
    terms = tested_terms(design)
    if type == 1:
        rows = _sequential(design.X, terms)
    elif type == 2:
        rows = _marginal(design.X, terms)
    else:
        rows = _estimable_functions(design, terms)
    return {term.label: L for term, L in zip(terms, rows, strict=True)}


def _sequential(X: NDArray[np.float64], terms: Sequence[FixedTerm]) -> list[NDArray[np.float64]]:
    """Rows of the unit triangular factor of X'X: each column adjusted for those before it."""
    factor = _unit_rows(triangular_factor(X))
    return [factor[term.columns] for term in terms]


def _marginal(X: NDArray[np.float64], terms: Sequence[FixedTerm]) -> list[NDArray[np.float64]]:
    """Each term adjusted for all that do not contain it."""
    R = triangular_factor(X)
    p = X.shape[1]
    out = []
    for term in terms:
        containing = [other.columns for other in terms if other.contains(term)]
        if not containing:
            out.append(np.eye(p)[term.columns])
            continue
        later = np.concatenate([term.columns, *containing])
        order = np.concatenate([np.setdiff1d(np.arange(p), later), later])
        factor = _unit_rows(np.asarray(np.linalg.qr(R[:, order], mode="r")))
        L = np.zeros((len(term.columns), p))
        first = p - len(later)
        L[:, order] = factor[first : first + len(term.columns)]
        out.append(L)
    return out


def _unit_rows(R: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = np.triu(R) / np.diag(R)[:, None]
    return scaled


def marginal_terms(design: Design) -> dict[str, NDArray[np.float64]]:
    """Return the terms that may be deleted, with the hypotheses of their deletion.

    Parameters
    ----------
    design : Design
        The design of a fit.

    Returns
    -------
    dict of str to ndarray (q, p)
        For each term whose variables are not all in a further term, rows L of the hypothesis L beta = 0 that its
        deletion is; none where columns of other terms that had been dropped for rank deficiency would take its place.
    """
    terms = tested_terms(design)
    identity = np.eye(design.X.shape[1])
    length = np.linalg.norm(design.X, axis=0)
    alias = estimability(design).alias * length[:, None]
    alias /= np.linalg.norm(alias, axis=0)
    slices = dict(design.assign)
    out = {}
    for term in terms:
        if any(other.extends(term) for other in terms):
            continue
        elsewhere = np.ones(len(design.names), dtype=bool)
        elsewhere[slices[term.label]] = False
        replacing = alias[term.columns][:, elsewhere[~design.kept]]
        own = identity[term.columns]
        out[term.label] = _left_null(replacing) @ own if np.abs(replacing).max(initial=0.0) > _RANK else own
    return out


# Type 3


def _estimable_functions(design: Design, terms: Sequence[FixedTerm]) -> list[NDArray[np.float64]]:
    """Estimable functions of each term that are orthogonal to those of the terms containing it.

    With X* the matrix that has a column for every level and X* = X A, a function l* of the coefficients of X* is
    estimable if l* = l A for some l, and l beta is its value. For a term F let V_F be the estimable functions that
    involve F and terms containing F only; its hypothesis is the complement of the sum of V_G, G containing F, in V_F.

    As in lmerTest, a term whose coefficients are all aliased is left out of the model first, and without a constant a
    term that no other contains is tested by its own coefficients. Where a term is aliased in part lmerTest goes on with
    the columns that were kept; here only estimable functions are tested, so that nothing depends on which were dropped.
    """
    expanded = _Expanded(design, terms)
    identity = np.eye(design.X.shape[1])
    own_zero = not has_intercept(design)
    spaces = {term.label: expanded.functions_of(term) for term in expanded.terms}
    out = []
    for term in terms:
        further = [spaces[other.label] for other in expanded.terms if other.contains(term)]
        if term.label not in spaces or (own_zero and not further):
            out.append(identity[term.columns])
            continue
        N = spaces[term.label]
        if further and len(N):
            inner = (N @ expanded.A) @ (np.vstack(further) @ expanded.A).T
            N = _left_null(inner) @ N
        out.append(expanded.readable(term, N))
    return out


class _Expanded:
    """The model with a column for every level: X* = X A, columns of X and X* at unit scale."""

    def __init__(self, design: Design, terms: Sequence[FixedTerm]) -> None:
        self.terms = [term for term in terms if len(term.columns)]
        self.length = np.linalg.norm(design.X, axis=0)
        Q, R = np.linalg.qr(design.X / self.length)
        variables = _Variables(design)
        blocks, scales, owners, reference = [], [], [], []
        for position, term in enumerate(self.terms):
            block, scale, is_reference = variables.columns_of(term)
            blocks.append(np.linalg.solve(R, Q.T @ block))
            scales.append(scale)
            owners.append(np.full(len(scale), position))
            reference.append(is_reference)
        p = design.X.shape[1]
        self.A = np.hstack([np.empty((p, 0)), *blocks])
        self.scale = np.concatenate([*scales, np.empty(0)])
        self.owner = np.concatenate([*owners, np.empty(0)])
        self.reference = np.concatenate([*reference, np.empty(0, dtype=bool)])
        # The constant is no term of the table, and no hypothesis may involve it.
        owned = np.concatenate([np.empty(0, dtype=np.intp), *(term.columns for term in self.terms)])
        self.constant = np.eye(p)[:, np.setdiff1d(np.arange(p), owned)]

    def functions_of(self, term: FixedTerm) -> NDArray[np.float64]:
        """Estimable functions that involve the term and those containing it only, as rows l, orthonormal."""
        allowed = [i for i, other in enumerate(self.terms) if other is term or other.contains(term)]
        excluded = self.A[:, ~np.isin(self.owner, allowed)]
        return _left_null(np.hstack([self.constant, excluded]))

    def readable(self, term: FixedTerm, N: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same functions, each with a one at a level of its own, as rows over the coefficients of X."""
        if len(N) == 0:
            return np.zeros((0, len(self.length)))
        values = _without_noise(N @ self.A)
        own = self.owner == self.terms.index(term)
        # Levels other than the first come first: with treatment contrasts the rows are then those of the coefficients.
        order = np.lexsort((self.reference, ~own))
        pivots = order[estimable(values[:, order])]
        L = np.linalg.solve(values[:, pivots] * self.scale[pivots], N)
        rows: NDArray[np.float64] = _without_noise(L) * self.length
        return rows


class _Variables:
    """The columns of each variable over the rows of the data, computed once."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self._spelled = python_names(design.encoding.expr)[1]
        self._made: dict[str, NDArray[np.float64]] = {}

    def __getitem__(self, variable: str) -> NDArray[np.float64]:
        if variable not in self._made:
            design = self._design
            text = f"`{variable}`" if variable in design.columns else restored(variable, self._spelled)
            self._made[variable], _ = encode_columns(
                f"0 + {text}", design.columns, design.nobs, functions=design.encoding.functions
            )
        return self._made[variable]

    def columns_of(self, term: FixedTerm) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Products of the numeric columns and the indicators of all combinations of levels.

        Returns
        -------
        columns : ndarray (n, m)
            The numeric part of each is at unit length, whatever the combination of levels.
        scale : ndarray (m,)
            That length.
        reference : ndarray of bool (m,)
            Whether the combination involves a first level.
        """
        n = self._design.nobs
        numeric = reduce(_products, (self[name] for name in term.numeric), np.ones((n, 1)))
        length = np.linalg.norm(numeric, axis=0)
        length[length == 0.0] = 1.0
        columns = numeric / length
        scale, reference = length, np.zeros(len(length), dtype=bool)
        for name in term.categorical:
            indicators = self[name]
            m = indicators.shape[1]
            columns = _products(columns, indicators)
            scale = np.tile(scale, m)
            first = np.repeat(np.arange(m) == 0, len(reference))
            reference = np.tile(reference, m) | first
        occurs = columns.any(axis=0)
        return columns[:, occurs], scale[occurs], reference[occurs]


def _products(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Products of every column on the left with every one on the right, the left ones running fastest."""
    out: NDArray[np.float64] = (right[:, :, None] * left[:, None, :]).reshape(len(left), -1)
    return out


def _without_noise(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(rows) < _ZERO * np.abs(rows).max(axis=1, keepdims=True), 0.0, rows)


def _left_null(M: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthonormal rows l with l M = 0."""
    if M.shape[1] == 0:
        return np.eye(len(M))
    U, values, _ = np.linalg.svd(M, full_matrices=True)
    rank = int((values > _RANK * max(1.0, values.max(initial=0.0))).sum())
    return U[:, rank:].T
