"""Factors: arrays of labels that know their levels, how they are drawn, and effects by level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.population.generators import generator_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PROBABILITY = 1e-8  # how far the sum of probabilities may be from 1


class Factor(np.ndarray[Any, np.dtype[np.str_]]):
    """Labels, (n,), that remember the order of all their levels; otherwise an array of text.

    Attributes
    ----------
    levels : tuple of str
        All levels in order, also those that no row has.
    """

    levels: tuple[str, ...]
    _codes: NDArray[np.int64] | None

    def __new__(cls, codes: Any, levels: Sequence[Any]) -> Factor:
        """Make a factor of the positions of its rows' levels, (n,)."""
        texts = tuple(str(level) for level in levels)
        out: Factor = np.array(texts)[codes].view(cls)
        out.levels, out._codes = texts, np.asarray(codes, dtype=np.int64)
        return out

    def __array_finalize__(self, parent: Any) -> None:
        self.levels = getattr(parent, "levels", ())
        self._codes = None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Comparisons and the like give plain arrays."""
        plain = [np.asarray(one) if isinstance(one, Factor) else one for one in inputs]
        return getattr(ufunc, method)(*plain, **options)

    @property
    def codes(self) -> NDArray[np.int64]:
        """Positions of the rows' levels, (n,)."""
        if self._codes is None:
            labels, inverse = np.unique(np.asarray(self), return_inverse=True)
            place = {level: code for code, level in enumerate(self.levels)}
            self._codes = np.array([place[label] for label in labels.tolist()], dtype=np.int64)[inverse]
        return self._codes


def factor_of(value: Any) -> Factor | None:
    """A factor as such, a pandas categorical as a factor; None for anything else.

    Raises
    ------
    DataError
        For a categorical with missing values.
    """
    if isinstance(value, Factor):
        return value
    inner = getattr(value, "array", value)  # of a pandas Series
    if hasattr(inner, "codes") and hasattr(inner, "categories"):
        codes = np.asarray(inner.codes)
        if len(codes) and codes.min() < 0:
            raise DataError(f"a factor has a missing value in row {int(np.argmin(codes))}; every row needs a level")
        return Factor(codes, list(inner.categories))
    return None


def rfactor(n: int, levels: Sequence[Any], prob: Any = None, *, rng: Any = None) -> Factor:
    """Draw the levels of a factor.

    Parameters
    ----------
    n : int
        Number of rows.
    levels : sequence
        All levels in their order; they become text.
    prob : array-like (k,), optional
        Their probabilities; equal ones by default.
    rng : None, int, Generator or SeedSequence
        Source of the draws.

    Returns
    -------
    Factor (n,)

    Raises
    ------
    DataError
        For levels that are repeated or missing, or probabilities that do not belong to them.

    Examples
    --------
    >>> from mixedeffects.population import predictor, rfactor
    >>> county = predictor(rfactor, levels=["A", "B", "C"], prob=[0.5, 0.25, 0.25])
    """
    names = _levels(levels)
    if prob is not None:
        prob = np.asarray(prob, dtype=np.float64)
        if prob.shape != (len(names),):
            raise DataError(f"rfactor: {prob.size} probabilities for {len(names)} levels; give one for each")
        if not (np.all(prob >= 0) and abs(prob.sum() - 1.0) <= _PROBABILITY):
            raise DataError(
                f"rfactor: the probabilities must not be negative and add up to 1; they add up to {prob.sum():g}"
            )
        prob = prob / prob.sum()
    return Factor(generator_of(rng).choice(len(names), size=n, p=prob), names)


def balanced(n: int, levels: Sequence[Any] | None = None, each: int = 1) -> Any:
    """Repeat levels in order, as in a designed experiment: row i has level (i // each) mod k.

    Parameters
    ----------
    n : int
        Number of rows.
    levels : sequence, optional
        The levels. Text makes a factor, numbers stay numbers. By default ``"1"``, ``"2"``, ... without repetition, as
        many as n needs.
    each : int
        How many rows in a row have the same level.

    Returns
    -------
    Factor or ndarray (n,)

    Raises
    ------
    DataError
        For an `each` that is no positive whole number, or no levels.

    Examples
    --------
    Eighteen subjects on ten days each:

    >>> from mixedeffects.population import balanced, predictor
    >>> subject = predictor(balanced, each=10)
    >>> day = predictor(balanced, levels=range(10))
    """
    if isinstance(each, bool) or not isinstance(each, int | np.integer) or each < 1:
        raise DataError(f"balanced: each={each!r} must be a positive whole number of rows")
    run = np.arange(n) // each
    if levels is None:
        return Factor(run, [str(j + 1) for j in range(-(-n // each))])
    values = np.asarray(levels)
    if values.ndim == 1 and values.dtype.kind in "iuf" and len(values):
        return values[run % len(values)]
    names = _levels(levels)
    return Factor(run % len(names), names)


def _levels(levels: Any) -> list[str]:
    if isinstance(levels, str) or not hasattr(levels, "__iter__"):
        raise DataError(f"levels={levels!r} must be a list of levels, such as ['A', 'B']")
    names = [str(level) for level in levels]
    if not names:
        raise DataError("levels is empty; a factor needs one level or more")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"the level {twice!r} is repeated; every level stands once")
    return names


def dirichlet(alpha: Any, n: int | None = None, *, rng: Any = None) -> NDArray[np.float64]:
    """Draw proportions that add up to 1 from a Dirichlet distribution.

    Parameters
    ----------
    alpha : array-like (k,)
        Its positive parameters.
    n : int, optional
        Number of rows; by default one draw, (k,), such as probabilities for `rfactor`.
    rng : None, int, Generator or SeedSequence
        Source of the draws.

    Returns
    -------
    ndarray (k,) or (n, k)

    Raises
    ------
    DataError
        For parameters that are not positive numbers.
    """
    try:
        found = np.asarray(alpha, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.ndim != 1 or not len(found) or not np.all((found > 0) & np.isfinite(found)):
        raise DataError(f"dirichlet: alpha={alpha!r} must be a list of positive numbers")
    return np.asarray(generator_of(rng).dirichlet(found, size=n))


def by_level(factor: Any, effects: Any) -> NDArray[np.float64]:
    """Give each row the effect of its level.

    Parameters
    ----------
    factor : Factor or array-like (n,)
        The level of each row.
    effects : mapping of level to number, or array-like (k,)
        A dict or a pandas Series by level; or numbers in the order of the levels, which the factor must know, as those
        of `rfactor` do.

    Returns
    -------
    ndarray (n,)

    Raises
    ------
    DataError
        For a level without an effect, another number of effects than levels, or effects that are not numbers.

    Examples
    --------
    >>> from mixedeffects.population import by_level
    >>> by_level(["A", "B", "A"], {"A": 2.0, "B": 3.0})
    array([2., 3., 2.])
    """
    known = factor_of(factor)
    if known is None:
        labels, codes = _unique(np.asarray(factor))
        levels = tuple(str(label) for label in labels.tolist())
        codes = codes.reshape(np.shape(factor))
    else:
        levels, codes = known.levels, known.codes
    if isinstance(effects, Mapping) or hasattr(effects, "items"):
        by_name = {str(level): effect for level, effect in effects.items()}
        for level in levels:
            if level not in by_name:
                raise DataError(f"by_level: the level {level!r} has no effect; there are effects of {_some(by_name)}")
        values: Any = [by_name[level] for level in levels]
    else:
        values = effects
        if known is None:
            raise DataError(
                "by_level: effects without names need a factor that knows the order of its levels, as those of rfactor "
                "do; give a dict of level: effect"
            )
        if np.ndim(values) != 1 or len(values) != len(levels):
            count = len(values) if np.ndim(values) == 1 else "no list of"
            raise DataError(f"by_level: {count} effects for the {len(levels)} levels {_some(levels)}")
    try:
        return np.asarray(values, dtype=np.float64)[codes]
    except (TypeError, ValueError):
        raise DataError("by_level: every effect must be one number") from None


def _unique(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The labels of an array and their positions, or DataError for a missing one."""
    lacks = [j for j, one in enumerate(values.ravel().tolist()) if one is None or one != one]
    if lacks:
        raise DataError(f"by_level: the factor has a missing value in row {lacks[0]}; every row needs a level")
    try:
        return np.unique(values, return_inverse=True)
    except TypeError:  # labels of several types have no order
        return np.unique(values.astype(str), return_inverse=True)


def _some(names: Any) -> str:
    listed = list(names)
    return ", ".join(map(repr, listed[:10])) + (f" and {len(listed) - 10} more" if len(listed) > 10 else "")
