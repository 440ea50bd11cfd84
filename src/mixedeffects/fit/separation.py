"""Data for which a generalized model has no finite estimates: what predicts the response without error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.families import Family

_FAR = 12.0  # linear predictors beyond this are worth a look,
_NEAR = 1e-5  # and means so close to a limit
_WIDE = 3.0  # standard deviation of a random effect, for a column of unit mean square
_SMALL = 1e-7
_ENDS = np.array([-30.0, 30.0])  # linear predictors far out, with means that are not yet the limits


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
    mu = family.link.inverse(eta)
    near = np.minimum(mu, 1.0 - mu) if family.name == "binomial" else mu
    far = np.abs(eta).max() > _FAR or near.min() < _NEAR
    by_columns = _by_columns(design, family) if far else None
    return by_columns or (_by_groups(design, family) if widest > _WIDE else None)


def verdict_without_estimates(design: Design, family: Family[Any]) -> str | None:
    """Say what separates the response, where the search for estimates failed; None if nothing does."""
    if not family.discrete:
        return None
    return _by_columns(design, family) or _at_an_end(design, family) or _by_groups(design, family)


def _at_an_end(design: Design, family: Family[Any]) -> str | None:
    """Rows of zeros whose mean can only be 0, where the link ends: there is a supremum, but no mode."""
    names = () if family.name == "binomial" else separating(design, family, at_ends=True)
    if not names:
        return None
    return (
        f"separation: {', '.join(names)}: all rows that only these columns tell from others are 0, and a mean of 0 "
        f"lies at the end of the {family.link.name} link, where the likelihood has no mode. Leave columns out, or "
        "collect rows with other outcomes"
    )


def _by_columns(design: Design, family: Family[Any]) -> str | None:
    names = separating(design, family)
    if not names:
        return None
    those = "this column" if len(names) == 1 else "a combination of these columns"
    return (
        f"separation: {', '.join(names)}: {those} predicts the response without error in some rows, so that the "
        "estimates have no finite value. Leave columns out, or collect rows with other outcomes"
    )


def _by_groups(design: Design, family: Family[Any]) -> str | None:
    # A level that is all successes is at most as probable as its first row; it is so only in the limit of a variance
    # without end, whatever the fixed effects. Levels of one trial tell nothing.
    if family.name != "binomial":
        return None
    trials = design.row_weights
    for name, factor in design.factors.items():
        low, high = np.full(factor.n_levels, np.inf), np.full(factor.n_levels, -np.inf)
        np.minimum.at(low, factor.codes, design.y)
        np.maximum.at(high, factor.codes, design.y)
        several = np.bincount(factor.codes, trials, factor.n_levels) > 1.0
        if ((low == high) & ((low == 0.0) | (low == 1.0))).all() and several.any():
            return (
                f"separation: the response is constant within every level of {name!r}, so that its variance has no "
                "finite estimate"
            )
    return None


def separating(design: Design, family: Family[Any], *, at_ends: bool = False) -> tuple[str, ...]:
    """Columns of X in a direction that separates the response; none if there is no such direction.

    Parameters
    ----------
    design : Design
        The model.
    family : Family
        Response distribution and link.
    at_ends : bool
        Count also limits at which the link ends at a finite linear predictor, such as counts of zero with a root link.
    """
    from scipy.optimize import linprog

    X = design.X / np.maximum(np.abs(design.X).max(axis=0), 1e-300)
    below, above = family.valid(_ENDS)  # a link that ends at a finite linear predictor has finite estimates there
    rises = (design.y == 1.0) & (family.name == "binomial" and bool(above))
    falls = (design.y == 0.0) & (at_ends or bool(below))
    open_ended = rises | falls
    signed = np.where(rises[:, None], X, -X)[open_ended]
    fixed = X[~open_ended]
    bounds = [(-1.0, 1.0)] * X.shape[1]
    equal = {"A_eq": fixed, "b_eq": np.zeros(len(fixed))} if len(fixed) else {}
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=bounds, **equal)
    if not found.success or -found.fun <= _SMALL * len(signed):
        return ()
    return tuple(name for name, d in zip(design.kept_names, found.x, strict=True) if abs(d) > _SMALL)
