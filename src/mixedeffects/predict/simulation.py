"""Simulated responses of a fit, at its own or at new rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.fit.draws import DrawnTerm, FamilyModel, ResponseModel, drawn_from, response_model
from mixedeffects.inference.monte_carlo import checked_draws
from mixedeffects.predict.arguments import checked_choice
from mixedeffects.predict.extras import refuse_weights, weighted
from mixedeffects.predict.kept import kept_columns
from mixedeffects.predict.rows import Needs, fitted_rows, new_rows
from mixedeffects.predict.terms import linear_predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit
    from mixedeffects.predict.rows import Rows

_VALUES = 1 << 20  # random numbers drawn at a time


def simulate(
    fit: LmmFit,
    n: int = 1,
    *,
    rng: Any = None,
    random: str = "new",
    data: Any = None,
    new_levels: str = "error",
    weights: Any = None,
    offset: Any = None,
) -> NDArray[np.float64]:
    """Draw responses y = X beta + Z b + offset + e, or of the family with mean g^-1(X beta + Z b + offset).

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    n : int
        Number of simulations.
    rng : None, int, Generator or SeedSequence
        Source of the draws.
    random : {"new", "conditional"}
        New random effects for every level in every simulation, or the conditional modes of the fit.
    data : data frame or dict of columns, optional
        New rows; by default those that the fit used.
    new_levels : {"error", "population"}
        With ``random="conditional"``, whether levels that the fit does not know get new effects.
    weights, offset : str, array-like (n,) or number, optional
        Of the new rows, where the fit did not name a column; the weights of a binomial response are its numbers of
        trials.

    Returns
    -------
    ndarray (rows, n)
        In units of y, proportions of successes for a binomial response; NaN in rows with a missing value.

    Raises
    ------
    DataError
        For an argument that is not allowed, or data that do not fit the model.
    """
    n = checked_draws(n)
    checked_choice("new_levels", new_levels, ("error", "population"))
    fresh = checked_choice("random", random, ("new", "conditional")) == "new"
    generator = np.random.default_rng(rng)
    if weights is not None:
        refuse_weights(fit)
    if data is None:
        if weights is not None or offset is not None:
            raise DataError("weights= and offset= are for new data; the rows of the fit have their own")
        rows = fitted_rows(fit)
        model = response_model(fit) if fresh else _conditional(fit, rows)
    else:
        needs = Needs(
            columns=(True,) * len(fit.model.terms),
            groups=frozenset(fit.model.factors),
            weights=weighted(fit),
            allow_new=fresh or new_levels == "population",
        )
        rows = new_rows(fit, data, needs, weights=weights, offset=offset)
        model = _new(fit, rows) if fresh else _conditional(fit, rows)
    out = np.empty((rows.n, n))
    step = max(1, _VALUES // max(1, model.size))
    for start in range(0, n, step):
        m = min(step, n - start)
        draws = model.draw(generator, m)
        if isinstance(model, FamilyModel):
            model.refuse_impossible(draws)
        out[:, start : start + m] = draws.y.T
    return rows.spread(out)


def _new(fit: LmmFit, rows: Rows) -> ResponseModel | FamilyModel:
    """New effects for the levels that the rows have, known or not."""
    mean = linear_predictor(fit, rows, kept_columns(fit, "population"))
    codes = {name: (group.factor.codes, group.factor.n_levels) for name, group in rows.groups.items()}
    return drawn_from(fit, mean, _drawn(fit, rows, codes), rows.weights)


def _conditional(fit: LmmFit, rows: Rows) -> ResponseModel | FamilyModel:
    """The conditional modes for the levels of the fit, new effects for others."""
    codes = {}
    for name, group in rows.groups.items():
        unknown, own = np.unique(np.where(group.codes < 0, group.factor.codes, -1), return_inverse=True)
        shift = int(len(unknown) > 0 and unknown[0] < 0)  # known levels come first, as -1
        codes[name] = (own.astype(np.int32) - np.int32(shift), len(unknown) - shift)
    mean = linear_predictor(fit, rows, kept_columns(fit, "conditional"))
    return drawn_from(fit, mean, _drawn(fit, rows, codes), rows.weights)


def _drawn(fit: LmmFit, rows: Rows, codes: dict[str, tuple[NDArray[np.int32], int]]) -> tuple[DrawnTerm, ...]:
    factors = fit.objective.layout.factors(fit.solution.theta)
    return tuple(
        DrawnTerm(codes=codes[term.group][0], columns=columns, n_levels=codes[term.group][1], factor=L)
        for term, columns, L in zip(fit.model.terms, rows.columns, factors, strict=True)
        if codes[term.group][1]
    )
