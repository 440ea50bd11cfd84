"""Prediction errors by the parametric bootstrap: what refits predict, less what was drawn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import ConvergenceError, ConvergenceWarning
from mixedeffects.fit.draws import response_model
from mixedeffects.fit.effects import working_theta
from mixedeffects.fit.glmm import GlmmFit, refitted_or_none
from mixedeffects.fit.refitter import Refitter
from mixedeffects.frame import warn
from mixedeffects.inference.monte_carlo import checked_draws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit
    from mixedeffects.fit.functionals import TermRows

    Estimate = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], list[NDArray[np.float64]]] | None]

_VALUES = 1 << 22  # numbers in the work arrays at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionErrors:
    """Distribution of the prediction errors of some rows.

    Attributes
    ----------
    root_mean_square : ndarray (n,)
        In units of y.
    quantiles : ndarray (tails, n)
        Quantiles of the errors, prediction less truth.
    n_failed : int
        Refits that did not converge and are left out.
    """

    root_mean_square: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    n_failed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Coefficients:
    """Errors of the coefficients: beta (m, p), and for each term (m, levels that occur, k)."""

    beta: NDArray[np.float64]
    terms: list[NDArray[np.float64]]
    n_failed: int


def prediction_errors(
    fit: LmmFit,
    X: NDArray[np.float64],
    terms: TermRows,
    extra: NDArray[np.float64],
    tails: NDArray[np.float64],
    *,
    n: int,
    rng: Any,
) -> PredictionErrors:
    """Draw responses from a fit, refit, and compare what the refits predict with what was drawn.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    X : ndarray (n, p)
        The rows whose predictions are looked at.
    terms : sequence of (codes, columns)
        Their random part, as for `row_functionals`.
    extra : ndarray (n,)
        Variance of what is drawn anew and not predicted: new levels, a new observation.
    tails : ndarray
        Probabilities of the quantiles.
    n : int
        Number of replicates.
    rng : None, int, Generator or SeedSequence
        Source of the draws.

    Returns
    -------
    PredictionErrors

    Raises
    ------
    ConvergenceError
        If no refit converged.

    Warns
    -----
    ConvergenceWarning
        For refits that are left out.

    Notes
    -----
    y* = X beta + Z b* + e*, or for a generalized fit a response of the family with the linear predictor X beta + Z b* +
    offset; the refit to y* gives beta_hat* and b_hat*, and the error of a row is
    x'(beta_hat* - beta) + z'(b_hat* - b*), less a normal draw for what is not predicted.
    """
    rms, quantiles = np.empty(len(X)), np.empty((len(tails), len(X)))
    failed = 0
    for rows, errors, n_failed in error_draws(fit, X, terms, extra, n=n, rng=rng):
        failed = n_failed
        rms[rows] = np.sqrt((errors**2).mean(axis=0))
        quantiles[:, rows] = np.quantile(errors, tails, axis=0)
    return PredictionErrors(root_mean_square=rms, quantiles=quantiles, n_failed=failed)


def error_draws(
    fit: LmmFit, X: NDArray[np.float64], terms: TermRows, extra: NDArray[np.float64], *, n: int, rng: Any
) -> Iterator[tuple[slice, NDArray[np.float64], int]]:
    """Yield the errors of some rows at a time: which rows, the errors (m, rows), and how many refits are left out.

    Parameters
    ----------
    fit, X, terms, extra, n, rng
        As for `prediction_errors`.
    """
    n = checked_draws(n)
    generator = np.random.default_rng(rng)
    found = [np.unique(codes[codes >= 0], return_inverse=True) for codes, _ in terms]
    drawn = _coefficients(fit, [levels for levels, _ in found], generator, n)
    places = []
    for (codes, columns), (_, inverse) in zip(terms, found, strict=True):
        place = np.full(len(codes), -1, dtype=np.intp)
        place[codes >= 0] = inverse
        places.append((place, columns))
    step = max(1, _VALUES // len(drawn.beta))
    for start in range(0, len(X), step):
        rows = slice(start, min(start + step, len(X)))
        errors = drawn.beta @ X[rows].T
        for (place, columns), effects in zip(places, drawn.terms, strict=True):
            if effects.shape[1]:
                for column, b in zip(columns, np.moveaxis(effects, -1, 0), strict=True):
                    errors += np.where(place[rows] >= 0, column[rows], 0.0) * b[:, place[rows]]
        if extra[rows].any():
            errors -= np.sqrt(extra[rows]) * generator.standard_normal(errors.shape)
        yield rows, errors, drawn.n_failed


def _coefficients(
    fit: LmmFit, levels: Sequence[NDArray[np.int32]], generator: np.random.Generator, n: int
) -> _Coefficients:
    """Refit to n responses; the effects of those levels only that the rows have."""
    model, estimate = response_model(fit), _estimator(fit)
    beta: list[NDArray[np.float64]] = []
    terms: list[list[NDArray[np.float64]]] = [[] for _ in levels]
    step = max(1, min(n, _VALUES // model.size))
    with ThreadPoolExecutor(fit.control.n_threads) as pool:
        for start in range(0, n, step):
            draws = model.draw(generator, min(step, n - start))
            for j, found in enumerate(pool.map(estimate, draws.y)):
                if found is None:
                    continue
                beta.append(found[0] - fit.solution.beta)
                for t, own in enumerate(levels):
                    terms[t].append(found[1][t][own] - draws.effects[t][j][own])
    failed = n - len(beta)
    if not beta:
        raise ConvergenceError(f"none of {n} refits converged; no bootstrap errors exist")
    if failed:
        warn(f"{failed} of {n} refits did not converge and are left out", ConvergenceWarning)
    return _Coefficients(beta=np.array(beta), terms=[np.array(part) for part in terms], n_failed=failed)


@singledispatch
def _estimator(fit: LmmFit) -> Estimate:
    return _Estimator(fit)


@_estimator.register(GlmmFit)
def _generalized_estimator(fit: GlmmFit) -> Estimate:
    def estimate(y: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]] | None:
        found = refitted_or_none(fit, y)
        return None if found is None else (found.solution.beta, list(found.solution.b))

    return estimate


class _Estimator:
    """Estimates of beta and conditional modes from other responses, without the certificate of a fit.

    Parameters
    ----------
    fit : LmmFit
        Where theta was given it stays.
    """

    def __init__(self, fit: LmmFit) -> None:
        self._fit = fit
        self._known = working_theta(fit) if fit.control.fixed_theta is not None else None
        self._refitter = Refitter(fit)
        self._inverses = [np.linalg.inv(T) for T in fit.objective.basis.T]

    def __call__(self, y: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]] | None:
        """The coefficients (p,) and for each term the modes (J, k) in the units of the data; None on failure."""
        theta = self._known
        if theta is None:
            found = self._refitter(y)
            if not found.converged:
                return None
            theta = found.theta
        objective = self._fit.objective
        products = objective.products.with_response(self._fit.model, y)
        raw = objective.with_products(products).core.evaluate(theta, None, True)
        if not raw["ok"]:
            return None
        basis, layout = objective.basis, objective.layout
        beta = basis.b0 + np.linalg.solve(basis.R, raw["beta"]) if len(basis.b0) else basis.b0
        modes = [
            raw["modes"][block][:, layout.columns_of(t)] @ self._inverses[t].T
            for t, block in enumerate(layout.block_of)
        ]
        return beta, modes
