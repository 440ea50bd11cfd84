"""Whether two fits can be compared by their likelihoods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.inference.reduction import spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.design import Design, RandomBlock
    from mixedeffects.fit import LmmFit


def _approximation(fit: LmmFit) -> str:
    """The kind of likelihood: that of a linear model, or of which approximation."""
    nagq = getattr(fit, "nagq", None)
    if nagq is None:
        return "linear"
    return f"generalized, nagq={nagq}" + (", expected information" if fit.control.information == "expected" else "")


def check_same_data(fits: Sequence[LmmFit], labels: Sequence[str]) -> None:
    """Refuse fits of different rows, responses or weights.

    Parameters
    ----------
    fits : sequence of LmmFit
        Two or more.
    labels : sequence of str
        What the message calls them.

    Raises
    ------
    DataError
        Naming the two fits and what differs.
    """
    first = fits[0].model
    for fit, label in zip(fits[1:], labels[1:], strict=True):
        model = fit.model
        pair = f"{labels[0]} and {label}"
        if _approximation(fit) != _approximation(fits[0]):
            raise DataError(
                f"{pair} are models of other kinds ({_approximation(fits[0])} and {_approximation(fit)}); their "
                "likelihoods cannot be compared"
            )
        if model.nobs != first.nobs:
            raise DataError(
                f"{pair} use different rows: {first.nobs} and {model.nobs}. Likelihoods of different data cannot be "
                "compared; fit both to the rows that are complete for both"
            )
        if not np.array_equal(model.y, first.y):
            if model.n_rows_given == first.n_rows_given and not np.array_equal(model.rows, first.rows):
                raise DataError(f"{pair} use different rows of the data; fit both to the rows complete for both")
            raise DataError(
                f"{pair} have different responses ({first.formula.response!r} and {model.formula.response!r}); "
                "likelihoods of different responses cannot be compared"
            )
        if not same_weights(model, first):
            raise DataError(f"{pair} have different prior weights; likelihoods under different weights are no test")
        if _discrete(fit) != _discrete(fits[0]):
            raise DataError(
                f"{pair} are {family_label(fits[0])} and {family_label(fit)}: probabilities of counts and densities of "
                "continuous responses cannot be compared, not even by AIC"
            )


def _discrete(fit: LmmFit) -> bool:
    family = getattr(fit, "distribution", None)
    return family is not None and family.discrete


def family_label(fit: LmmFit) -> str:
    """Family and link of a fit, ``"poisson (log)"``; the normal distribution of a linear mixed model."""
    family = getattr(fit, "distribution", None)
    return "gaussian (identity)" if family is None else f"{family.name} ({family.link.name})"


def family_nested(small: LmmFit, large: LmmFit) -> bool:
    """Whether the family of the small model is that of the large one, or Poisson beside a negative binomial."""
    a, b = getattr(small, "distribution", None), getattr(large, "distribution", None)
    if a is None or b is None:
        return a is None and b is None
    if a.link != b.link:
        return False
    return a.name == b.name or (a.name == "poisson" and b.name in ("negative_binomial", "negative_binomial1"))


def same_weights(a: Design, b: Design) -> bool:
    """Whether the prior weights of two designs over the same rows agree; none are weights of 1."""
    if a.weights is None and b.weights is None:
        return True
    ones = np.ones(a.nobs)
    return np.array_equal(ones if a.weights is None else a.weights, ones if b.weights is None else b.weights)


def same_fixed_part(a: Design, b: Design) -> bool:
    """Whether X and the offset are equal: then REML criteria can be compared."""
    return (
        a.X.shape == b.X.shape and np.allclose(a.X, b.X, rtol=1e-12, atol=0.0) and not np.any(_offset(a) - _offset(b))
    )


def fixed_nested(small: Design, large: Design) -> bool:
    """Whether every mean that the small model allows is one of the large model, the offsets included."""
    columns: NDArray[np.float64] = small.X
    shift = _offset(small) - _offset(large)
    if np.any(shift):
        columns = np.column_stack([columns, shift])
    return spans(large.X, columns)


def _offset(design: Design) -> NDArray[np.float64]:
    return np.zeros(design.nobs) if design.offset is None else design.offset


def random_nested(small: Design, large: Design) -> bool:
    """Whether each random-effects term of the small model is part of a term of the large one on the same groups."""
    return all(any(_part_of(term, other) for other in large.terms) for term in small.terms)


def _part_of(term: RandomBlock, other: RandomBlock) -> bool:
    ours, theirs = term.factor, other.factor
    if ours is not theirs:
        if ours.n_levels != theirs.n_levels:
            return False
        pairs = ours.codes.astype(np.int64) * theirs.n_levels + theirs.codes
        if len(np.unique(pairs)) != ours.n_levels:
            return False
    return spans(np.column_stack(other.columns), np.column_stack(term.columns))
