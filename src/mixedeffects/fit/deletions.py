"""The model without some of its rows, for many sets of rows; formulas are never read again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects import _core
from mixedeffects.crossproducts import row_arguments
from mixedeffects.design.rank import estimable
from mixedeffects.errors import MixedEffectsError
from mixedeffects.fit.effects import working_theta
from mixedeffects.fit.level_deletions import applies, delete_levels
from mixedeffects.fit.lmm import fit_lmm
from mixedeffects.optimize.canonical import transformed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.fit.record import LmmFit

_WEAK = 1e-9  # of the largest eigenvalue of X'V^-1X: below it the rank of what is left of X is looked at
_FEW = 2000  # random effects
_OFF = 0.1  # relative standard deviation, for a column of unit mean square, at which a search leaves the boundary
_MEANING = 1e-6  # share of an aliased column that a coefficient may have and mean what it did
_DIGITS = 1e-8  # of all rows' sum of squares: a smaller one is not to be had by subtraction
_MANY = 300  # levels from which it pays to refit without all of them at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowSets:
    """Sets of rows, each to be left out in turn.

    Attributes
    ----------
    order : ndarray of int64 (total,)
        Rows, those of one set together.
    start : ndarray of int64 (m + 1,)
        Where each set begins in `order`.
    """

    order: NDArray[np.int64]
    start: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start) - 1

    def rows(self, i: int) -> NDArray[np.int64]:
        """The rows of one set."""
        return self.order[self.start[i] : self.start[i + 1]]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of rows of each set, (m,)."""
        return np.diff(self.start)


def sets_of_codes(codes: NDArray[Any], n_sets: int) -> RowSets:
    """One set for each code 0 .. n_sets - 1."""
    order = np.argsort(codes, kind="stable").astype(np.int64)
    counts = np.bincount(codes, minlength=n_sets)
    return RowSets(order=order, start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deletions:
    """Estimates without each of m sets of rows, in the units of the data. NaN where there is no such model.

    Attributes
    ----------
    beta : ndarray (m, p)
        Fixed effects; NaN for a coefficient that the rows left cannot estimate.
    vcov : ndarray (m, p, p)
        Their covariance, with the sigma of the rows left.
    sigma : ndarray (m,)
        Residual standard deviation.
    theta : ndarray (m, d)
        Relative covariance factors, canonical.
    criterion : ndarray (m,)
        At the estimates.
    n_refused : int
        Sets without which there is no model to fit: a factor with one level, no residual degrees of freedom.
    n_unconverged : int
        Refits whose certificate does not hold.
    """

    beta: NDArray[np.float64]
    vcov: NDArray[np.float64]
    sigma: NDArray[np.float64]
    theta: NDArray[np.float64]
    criterion: NDArray[np.float64]
    n_refused: int
    n_unconverged: int


def delete(fit: LmmFit, sets: RowSets, *, refit: bool = True, observation_level: bool = False) -> Deletions:
    """Fit the model without each set of rows.

    Parameters
    ----------
    fit : LmmFit
        The fit of all rows.
    sets : RowSets
        What to leave out.
    refit : bool
        Estimate theta anew, starting at the estimate of all rows; otherwise theta is held there.
    observation_level : bool
        Allow as many random effects as rows, where the residual variance is known.

    Returns
    -------
    Deletions

    Notes
    -----
    The products of the rows that go are subtracted from the cross-products; no other row is read. Where what is left
    of X seems to lack rank, or a warm-started search does not end, the rows left are fitted from the beginning.
    """
    found = _all_levels(fit, sets) if refit else None
    if found is None:
        found = _from_products(fit, sets, refit=refit)
    refused = _refused(fit.model, sets, observation_level=observation_level)
    again = np.flatnonzero(_doubtful(fit, found) & ~refused)
    if refit and fit.control.fixed_theta is None:
        theta = np.array([_to_data(fit, working) for working in found["theta"]]).reshape(len(sets), -1)
    else:
        theta = np.tile(fit.solution.theta, (len(sets), 1))
    R = fit.objective.basis.R
    p = len(fit.solution.beta)
    beta, vcov = np.full((len(sets), p), np.nan), np.full((len(sets), p, p), np.nan)
    sizes = fit.nobs - sets.sizes - (p if fit.reml else 0)
    sigma = np.sqrt(found["rss"] / np.maximum(sizes, 1))
    sound = np.ones(len(sets), dtype=bool)
    sound[again] = False
    sound &= ~refused
    if p:
        beta[sound] = fit.objective.basis.b0 + np.linalg.solve(R, found["beta"][sound].T).T
        half = np.linalg.solve(R, np.linalg.inv(np.linalg.cholesky(found["XVX"][sound])).swapaxes(1, 2))
        vcov[sound] = sigma[sound, None, None] ** 2 * (half @ half.swapaxes(1, 2))
    criterion = found["value"].copy()
    for array in (sigma, criterion, theta):
        array[~sound] = np.nan
    unconverged = 0
    for i in again:
        one = _from_rows(fit, sets.rows(int(i)), refit=refit)
        if one is None:
            refused[i] = True
            continue
        own, kept = shared_coefficients(fit.model, one.model, sets.rows(int(i)))
        beta[i, kept] = one.solution.beta[own]
        vcov[i, kept[:, None], kept] = one.solution.vcov[np.ix_(own, own)]
        sigma[i], theta[i], criterion[i] = one.solution.sigma, one.solution.theta, one.criterion
        unconverged += refit and not one.optimum.converged
    return Deletions(
        beta=beta,
        vcov=vcov,
        sigma=sigma,
        theta=theta,
        criterion=criterion,
        n_refused=int(refused.sum()),
        n_unconverged=unconverged,
    )


def _all_levels(fit: LmmFit, sets: RowSets) -> dict[str, NDArray[Any]] | None:
    """All levels of the model's one factor at once, if that is what the sets are and there are many."""
    factor = fit.model.terms[0].factor
    if len(sets) < _MANY or len(sets) != factor.n_levels or fit.control.fixed_theta is not None or not applies(fit):
        return None
    owner = np.repeat(np.arange(len(sets)), sets.sizes)
    if len(owner) != fit.nobs or not np.array_equal(factor.codes[sets.order], owner):
        return None
    theta = working_theta(fit)
    curvature = _curvature(fit, theta)
    return None if curvature is None else delete_levels(fit, theta, curvature)


def _from_products(fit: LmmFit, sets: RowSets, *, refit: bool) -> dict[str, NDArray[Any]]:
    objective, control = fit.objective, fit.control
    refit = refit and control.fixed_theta is None
    theta = working_theta(fit)
    if refit and fit.is_singular:
        theta = _off_the_boundary(fit, theta)
    return _core.deletions(
        objective.products.core,
        objective.core,
        *row_arguments(fit.model, objective.layout, objective.basis),
        sets.order,
        sets.start,
        theta,
        _curvature(fit, theta) if refit else None,
        refit,
        # One more step costs little where there are few effects, and few groups are where it tells.
        control.tolerance * (0.01 if fit.model.n_effects < _FEW else 1.0),
        control.max_evaluations,
        control.n_threads,
    )


def _off_the_boundary(fit: LmmFit, theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """A start from which a search can reach variances that the estimate of all rows has not."""
    factors = fit.objective.layout.factors(theta)
    return fit.objective.layout.theta([L + _OFF * np.diag(np.abs(np.diag(L)) < _OFF) for L in factors])


def _curvature(fit: LmmFit, theta: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The Hessian at the estimate, if it is positive definite: exact, or average information where that is dear.

    There is none for a singular fit: on the boundary the gradient vanishes by symmetry, whatever the rows left say.
    """
    if fit.is_singular:
        return None
    core = fit.objective.core
    hessian = core.evaluate(theta, None, True)["curvature"] if core.hessian_is_dear else core.hessian(theta, None)
    if hessian is None:
        return None
    values = np.linalg.eigvalsh(hessian)
    return hessian if values[0] > _WEAK * values[-1] else None


def _doubtful(fit: LmmFit, found: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Where the numbers from the products may not be those of the rows left."""
    doubtful = ~(found["converged"].astype(bool) & np.isfinite(found["value"]))
    doubtful |= ~(found["rss"] > _DIGITS * fit.objective.products.core.yy)
    XVX = found["XVX"]
    if XVX.shape[1]:
        sound = ~doubtful
        values = np.linalg.eigvalsh(XVX[sound])
        doubtful[np.flatnonzero(sound)[values[:, 0] < _WEAK * values[:, -1]]] = True
    return np.asarray(doubtful, dtype=bool)


def _refused(model: Design, sets: RowSets, *, observation_level: bool) -> NDArray[np.bool_]:
    """Sets without which `lmer` would refuse the model: one level of a factor, or as many random effects as rows."""
    left = model.nobs - sets.sizes
    refused = left <= model.X.shape[1]
    owner = np.repeat(np.arange(len(sets)), sets.sizes)
    seen: dict[int, NDArray[np.int64]] = {}
    for term in model.terms:
        if id(term.factor) not in seen:
            J, codes = term.factor.n_levels, term.factor.codes
            cells, counts = np.unique(owner * np.int64(J) + codes[sets.order], return_counts=True)
            emptied = counts == np.bincount(codes, minlength=J)[cells % J]
            seen[id(term.factor)] = J - np.bincount(cells[emptied] // J, minlength=len(sets))
        levels = seen[id(term.factor)]
        refused |= levels < 2
        if not observation_level:
            refused |= levels * term.n_columns >= left
    return np.asarray(refused, dtype=bool)


def _to_data(fit: LmmFit, theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Canonical theta in the units of the data, from one of the working columns."""
    if not np.isfinite(theta).all():
        return theta
    layout = fit.objective.layout
    inverse = [np.asarray(np.linalg.inv(T), dtype=np.float64) for T in fit.objective.basis.T]
    return layout.theta([transformed(T, L) for T, L in zip(inverse, layout.factors(theta), strict=True)])


def _from_rows(fit: LmmFit, gone: NDArray[np.int64], *, refit: bool) -> LmmFit | None:
    """The model of the rows left, from the beginning; None where it cannot be fitted."""
    control = replace(fit.control, start=None)
    if not refit and control.fixed_theta is None:
        control = replace(control, fixed_theta=tuple(fit.solution.theta.tolist()))
    try:
        return fit_lmm(without_rows(fit.model, gone), reml=fit.reml, control=control)
    except MixedEffectsError:
        return None


def without_rows(model: Design, gone: NDArray[np.int64]) -> Design:
    """The design without some rows; levels that no longer occur and columns that become aliased are left out.

    Parameters
    ----------
    model : Design
        The design.
    gone : ndarray of int64
        Positions among its rows.
    """
    stay = np.ones(model.nobs, dtype=bool)
    stay[gone] = False
    X = model.X[stay]
    kept = estimable(X)
    every = model.kept.copy()
    every[np.flatnonzero(every)[~kept]] = False
    factors = {id(term.factor): term.factor.take(stay) for term in model.terms}
    terms = tuple(
        replace(term, factor=factors[id(term.factor)], columns=tuple(column[stay] for column in term.columns))
        for term in model.terms
    )
    rows = np.arange(model.nobs) if model.kept_rows is None else model.kept_rows
    return replace(
        model,
        y=model.y[stay],
        weights=None if model.weights is None else model.weights[stay],
        offset=None if model.offset is None else model.offset[stay],
        X=np.asfortranarray(X[:, kept]),
        kept=every,
        terms=terms,
        kept_rows=rows[stay],
        n_missing=model.n_missing + len(gone),
        columns={
            name: column[stay] if isinstance(column, np.ndarray) else column.take(stay)
            for name, column in model.columns.items()
        },
    )


def shared_coefficients(
    full: Design, reduced: Design, gone: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Coefficients that mean the same with and without some rows: their places in the reduced and in the full design.

    Where a column is aliased among the rows left, the coefficients of the columns that determine it change their
    meaning with it; the others are the ones that the rows left can estimate.
    """
    place = {name: j for j, name in enumerate(full.kept_names)}
    kept = np.array([place[name] for name in reduced.kept_names], dtype=np.intp)
    stay = np.ones(full.nobs, dtype=bool)
    stay[gone] = False
    X = full.X[stay]
    aliased = np.setdiff1d(np.arange(X.shape[1]), kept)
    solved = np.linalg.lstsq(X[:, kept], X[:, aliased], rcond=None)[0]  # what stands for each aliased column
    sizes = np.linalg.norm(X[:, kept], axis=0)[:, None] / np.maximum(np.linalg.norm(X[:, aliased], axis=0), 1e-300)
    free = ~(np.abs(solved) * sizes > _MEANING).any(axis=1)
    return np.flatnonzero(free), kept[free]
