"""Data for which a generalized model has no finite estimates: what predicts the response without error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.families import Family

_FAR = 12.0  # linear predictors beyond this mean probabilities below 1e-5: worth a look
_WIDE = 15.0  # standard deviation of a random effect, for a column of unit mean square
_SMALL = 1e-7


def verdict(design: Design, family: Family[Any], eta: NDArray[np.float64], widest: float) -> str | None:
    """Say what separates the response, if the estimates look as if something did and it does.

    Parameters
    ----------
    design : Design
        The model.
    family : Family
        Only responses with a limit at an end of the linear predictor can be separated: binomial ones at both, counts
        of zero at the lower one.
    eta : ndarray (n,)
        Linear predictor at the estimates.
    widest : float
        Largest standard deviation of a random effect.

    Returns
    -------
    str or None
        In words; None where the estimates are finite.

    Notes
    -----
    A direction d with x_i'd >= 0 where the response can only rise, <= 0 where it can only fall and = 0 elsewhere, not 0
    for all rows, raises the likelihood without end [1]_. It is found by linear programming.

    References
    ----------
    .. [1] Albert & Anderson (1984), On the existence of maximum likelihood estimates in logistic regression models,
       Biometrika 71, 1-10, doi:10.1093/biomet/71.1.1.
    """
    if not family.discrete:
        return None
    if np.abs(eta).max() > _FAR:
        names = separating(design, binomial=family.name == "binomial")
        if names:
            those = "this column" if len(names) == 1 else "a combination of these columns"
            return (
                f"separation: {', '.join(names)}: {those} predicts the response without error in some rows, so that "
                "the estimates have no finite value. Leave columns out, or collect rows with other outcomes"
            )
    if widest > _WIDE and family.name == "binomial":
        for name, factor in design.factors.items():
            low = np.full(factor.n_levels, np.inf)
            high = np.full(factor.n_levels, -np.inf)
            np.minimum.at(low, factor.codes, design.y)
            np.maximum.at(high, factor.codes, design.y)
            if ((low == high) & ((low == 0.0) | (low == 1.0))).all():
                return (
                    f"separation: the response is constant within every level of {name!r}, so that its variance has no "
                    "finite estimate"
                )
    return None


def separating(design: Design, *, binomial: bool) -> tuple[str, ...]:
    """Columns of X in a direction that separates the response; none if there is no such direction."""
    from scipy.optimize import linprog

    X = design.X / np.maximum(np.abs(design.X).max(axis=0), 1e-300)
    rises = design.y == 1.0 if binomial else np.zeros(design.nobs, dtype=bool)
    falls = design.y == 0.0
    open_ended = rises | falls
    signed = np.where(rises[:, None], X, -X)[open_ended]
    fixed = X[~open_ended]
    bounds = [(-1.0, 1.0)] * X.shape[1]
    equal = {"A_eq": fixed, "b_eq": np.zeros(len(fixed))} if len(fixed) else {}
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=bounds, **equal)
    if not found.success or -found.fun <= _SMALL * len(signed):
        return ()
    return tuple(name for name, d in zip(design.kept_names, found.x, strict=True) if abs(d) > _SMALL)
