"""Levels of grouping factors in new data, found among those of the fit by their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.frame.factor import Crossed, level_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.frame import Factor

_SHOWN = 10  # unknown levels that an error names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """A grouping factor over some rows.

    Attributes
    ----------
    codes : ndarray of int32 (n,)
        Levels of the fit; -1 where the fit has no such level.
    factor : Factor
        The rows' own levels.
    """

    codes: NDArray[np.int32]
    factor: Factor


def matched(fitted: Factor, new: Factor, *, allow_new: bool) -> Group:
    """Find the levels of new rows among those of the fit.

    Parameters
    ----------
    fitted : Factor
        The grouping factor of the fit.
    new : Factor
        The same columns in the new rows, none of them missing.
    allow_new : bool
        Give unknown levels the code -1.

    Returns
    -------
    Group

    Raises
    ------
    DataError
        For levels that the fit does not know, unless they are allowed.
    """
    table = _positions_of(fitted.levels, new.levels)
    unknown = np.flatnonzero(table < 0)
    if len(unknown) and not allow_new:
        labels = new.labels[unknown[:_SHOWN]]
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        several = "s" if len(unknown) > 1 else ""
        raise DataError(
            f"the grouping factor {new.name!r} has {len(unknown)} level{several} that the model was not fitted with: "
            f'{", ".join(map(repr, labels))}{more}. Use new_levels="population" for rows of new groups'
        )
    return Group(codes=table[new.codes], factor=new)


def _positions_of(fitted: NDArray[Any] | Crossed, new: NDArray[Any] | Crossed) -> NDArray[np.int32]:
    """For each new level its position among the fitted ones, -1 where it is not there."""
    if not isinstance(fitted, Crossed):
        assert not isinstance(new, Crossed)
        return _plain_positions(fitted, new)
    assert isinstance(new, Crossed)
    # Combinations as numbers, one part after the other; renumbered each time, so that they never overflow.
    ours = np.zeros(len(fitted), dtype=np.int64)
    theirs = np.zeros(len(new), dtype=np.int64)
    for part, index, new_part, new_index in zip(fitted.parts, fitted.index, new.parts, new.index, strict=True):
        code = _plain_positions(part, new_part)[new_index]
        known = (theirs >= 0) & (code >= 0)
        ours = ours * len(part) + index
        theirs = np.where(known, theirs * len(part) + code, -1)
        found, ours = np.unique(ours, return_inverse=True)
        theirs = _in_sorted(found, theirs).astype(np.int64)
    position = np.empty(len(fitted), dtype=np.int32)
    position[ours] = np.arange(len(fitted), dtype=np.int32)
    return np.where(theirs >= 0, position[theirs], np.int32(-1))


def _plain_positions(fitted: NDArray[Any], new: NDArray[Any]) -> NDArray[np.int32]:
    """By value between numbers or times; what is left, and all else, by label."""
    out = np.full(len(new), -1, dtype=np.int32)
    pair = _comparable(fitted, new)
    if pair is not None:
        out = _in_any_order(*pair)
    rest = np.flatnonzero(out < 0)
    if len(rest):
        out[rest] = _in_any_order(level_labels(fitted), level_labels(new[rest]))
    return out


def _comparable(fitted: NDArray[Any], new: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Levels in one type that holds all of them exactly, where there is one."""
    kinds = {fitted.dtype.kind, new.dtype.kind}
    if kinds in ({"M"}, {"m"}):
        unit = "datetime64[ns]" if kinds == {"M"} else "timedelta64[ns]"
        return fitted.astype(unit), new.astype(unit)
    if kinds <= {"i", "u"}:
        small = all(len(values) == 0 or int(values.max()) < 2**63 for values in (fitted, new))
        return (fitted.astype(np.int64), new.astype(np.int64)) if small else None
    if kinds <= {"i", "u", "f"}:
        ours, theirs = fitted.astype(np.float64), new.astype(np.float64)
        exact = kinds == {"f"} or all((np.abs(values) < 2.0**53).all() for values in (ours, theirs))
        return (ours, theirs) if exact else None
    return None


def _in_any_order(values: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int32]:
    order = np.argsort(values, kind="stable")
    place = _in_sorted(values[order], wanted)
    return np.where(place >= 0, order[place], -1).astype(np.int32)


def _in_sorted(values: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int32]:
    """Positions of some values among sorted ones, -1 for those that are not there."""
    if not len(values):
        return np.full(len(wanted), -1, dtype=np.int32)
    place = np.minimum(np.searchsorted(values, wanted), len(values) - 1)
    return np.where(values[place] == wanted, place, -1).astype(np.int32)
