"""What is known of the population: means of the covariates, and sizes, by area."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError

from .frames import check_unique, column, labels, listed, numbers, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    import narwhals.stable.v2 as nw
    from numpy.typing import NDArray

    import mixedeffects as me

_MEANS, _SIZES = "population_means", "population_sizes"
CONSTANT = "Intercept"
_ROUNDING = 0.005  # of a published share
_PARTS = re.compile(r":(?![^\[\]]*\])")  # at the colons of an interaction, not those in the name of a level


def means(frame: nw.DataFrame[Any] | None, area: str, names: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    """Read the areas of the population and the means of the columns of X there.

    Parameters
    ----------
    frame : data frame or None
        One row for each area; None where there are no covariates.
    area : str
        The column of the areas.
    names : sequence of str (p,)
        The columns of X; the constant needs no column.

    Returns
    -------
    (list of str (t,), ndarray (t, p))
        No areas without a frame.

    Raises
    ------
    DataError
        If a column is missing or not numeric, an area occurs twice, or a mean is missing.
    """
    needed = [name for name in names if name != CONSTANT]
    if frame is None:
        if needed:
            raise DataError(
                f"the formula has covariates, so population_means must give the means of {', '.join(needed)} in each "
                "area's population"
            )
        return [], np.ones((0, len(names)))
    areas = labels(column(frame, area, _MEANS), area, _MEANS)
    check_unique(areas, _MEANS)
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise DataError(
            f"population_means has no column {', '.join(map(repr, missing))}: it needs one for each coefficient but "
            "the constant, named as the coefficient, with the mean of that column of X in the area's population (for "
            "an indicator such as 'service[T.1]' the share of the units)"
        )
    out = np.ones((len(areas), len(names)))
    for j, name in enumerate(names):
        if name == CONSTANT:
            continue
        out[:, j] = numbers(column(frame, name, _MEANS), name, _MEANS)
        unknown = [areas[i] for i in np.flatnonzero(~np.isfinite(out[:, j]))]
        if unknown:
            raise DataError(
                f"column {name!r} of population_means is missing or infinite for {listed(unknown)}; give the mean or "
                "drop the row"
            )
    return areas, out


def check_shares(areas: Sequence[str], X_bar: NDArray[np.float64], design: me.Design) -> None:
    """Refuse means that indicators cannot have.

    An indicator is a column of X with nothing but 0 and 1 in the sample that belongs to a level of a factor, as
    ``service[T.1]`` does, or is a column of the data itself.

    Parameters
    ----------
    areas : sequence of str (t,)
        The areas of the population.
    X_bar : ndarray (t, p)
        The means there.
    design : Design
        The sample.

    Raises
    ------
    DataError
        If a mean is outside [0, 1], or those of levels that exclude each other sum above 1.
    """
    names = design.kept_names
    shares = {name: j for j, name in enumerate(names) if _is_indicator(name, design.X[:, j], design.columns)}
    for name, j in shares.items():
        wrong = np.flatnonzero((X_bar[:, j] < 0.0) | (X_bar[:, j] > 1.0 + 1e-9)).tolist()
        if wrong:
            escape = "" if "[" in name else f"; if it is a count, write I({name}), here and in the formula"
            raise DataError(
                f"column {name!r} of population_means is {X_bar[wrong[0], j]:g} for {listed(areas[i] for i in wrong)}: "
                f"its values in the data are 0 and 1, so its mean is a share between 0 and 1, not a percentage{escape}"
            )
    for term, part in design.assign:
        together = [shares[name] for name in design.names[part] if name in shares]
        if len(together) < 2 or design.X[:, together].sum(axis=1).max() > 1.0:
            continue
        total = X_bar[:, together].sum(axis=1)
        wrong = np.flatnonzero(total > 1.0 + _ROUNDING * len(together)).tolist()
        if wrong:
            raise DataError(
                f"the shares {', '.join(names[j] for j in together)} in population_means sum to {total[wrong[0]]:g} "
                f"for {listed(areas[i] for i in wrong)}; those of the levels of {term} cannot sum above 1"
            )


def _is_indicator(name: str, values: NDArray[np.float64], columns: Mapping[str, Any]) -> bool:
    of_levels = all(part.endswith("]") for part in _PARTS.split(name))
    return name != CONSTANT and (of_levels or name in columns) and bool(((values == 0.0) | (values == 1.0)).all())


def sizes(given: Any, area: str, frame: nw.DataFrame[Any] | None) -> dict[str, float] | None:
    """Read the numbers of units of the areas' populations.

    Parameters
    ----------
    given : str, mapping, data frame or None
        A column of `population_means`, area -> size, or a frame with the column of the areas and one other.
    area : str
        The column of the areas.
    frame : data frame or None
        The `population_means`.

    Raises
    ------
    DataError
        If it cannot be read or a size is not positive.
    """
    if given is None:
        return None
    if isinstance(given, str):
        if frame is None:
            raise DataError(f"population_sizes={given!r} names a column of population_means, which is not given")
        areas = labels(column(frame, area, _MEANS), area, _MEANS)
        values = numbers(column(frame, given, _MEANS), given, _MEANS)
    else:
        areas, values = _by_area(given, area)
    check_unique(areas, _SIZES)
    wrong = [areas[i] for i in np.flatnonzero(~(values > 0) | np.isinf(values))]
    if wrong:
        raise DataError(f"population_sizes is not a positive number for {listed(wrong)}; give the number of units")
    return dict(zip(areas, values.tolist(), strict=True))


def _by_area(given: Any, area: str) -> tuple[list[str], NDArray[np.float64]]:
    if isinstance(given, Mapping) and area not in given:
        given = {area: list(given), _SIZES: list(given.values())}
    elif hasattr(given, "index") and hasattr(given, "to_numpy") and not hasattr(given, "columns"):  # a pandas Series
        given = {area: given.index.to_numpy(), _SIZES: given.to_numpy()}
    table = read(given, _SIZES)
    others = [name for name in table.columns if name != area]
    if len(others) != 1:
        raise DataError(
            f"population_sizes has the columns {', '.join(table.columns)}; give {area!r} and one other, a mapping of "
            "areas to sizes, or the name of a column of population_means"
        )
    areas = labels(column(table, area, _SIZES), area, _SIZES)
    return areas, numbers(column(table, others[0], _SIZES), others[0], _SIZES)


def sizes_of(areas: Sequence[str], n: NDArray[np.float64], known: Mapping[str, float] | None) -> NDArray[np.float64]:
    """Sizes of these areas, (t,); infinite where none are given.

    Parameters
    ----------
    areas : sequence of str (t,)
        The areas.
    n : ndarray (t,)
        Units of each in the sample.
    known : mapping or None
        What `sizes` has read.

    Raises
    ------
    DataError
        If an area has no size, or one smaller than its sample.
    """
    if known is None:
        return np.full(len(areas), np.inf)
    missing = [area for area in areas if area not in known]
    if missing:
        raise DataError(f"population_sizes has no size for {listed(missing)}; give the number of units")
    out = np.array([known[area] for area in areas])
    small = np.flatnonzero(out < n).tolist()
    if small:
        i = small[0]
        raise DataError(
            f"population_sizes is smaller than the sample for {listed(areas[j] for j in small)}: {out[i]:g} units, "
            f"{n[i]:g} in the sample"
        )
    return out
