"""`result.plot`: the pictures of small areas."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError, DroppedRowsWarning
from mixedeffects.plots.areas import area_caterpillar_picture
from mixedeffects.plots.choropleth import choropleth_picture
from mixedeffects.plots.picture import Picture, picture

from .frames import listed
from .geojson import shapes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .results import SmallAreas

_LABELS = {
    "eblup": "EBLUP",
    "mse": "mean squared error",
    "cv": "coefficient of variation (%)",
    "gamma": "shrinkage factor",
    "direct": "direct estimate",
    "direct_variance": "sampling variance",
    "direct_cv": "coefficient of variation of the direct estimate (%)",
    "synthetic": "synthetic estimate",
    "n": "units in the sample",
    "population": "units in the population",
}


class AreaPictures:
    """Pictures of small areas: call one to draw it, or take its ``data``.

    Each returns Axes whose attribute ``data`` is the frame that was drawn, in the library of the data, and takes
    ``ax=``; a new figure is made otherwise. matplotlib is needed for drawing only.

    Parameters
    ----------
    result : SmallAreas
        The estimates.
    """

    __slots__ = ("_result",)

    def __init__(self, result: SmallAreas) -> None:
        self._result = result

    def __repr__(self) -> str:
        return f"<pictures of {len(self._result.areas)} areas: caterpillar, map>"

    @picture
    def caterpillar(self, *, order: bool = True, direct: bool = True, level: float = 0.95, ax: Any = None) -> Picture:
        """EBLUPs with normal intervals from their mean squared errors, beside the direct estimates.

        Parameters
        ----------
        order : bool
            Order the areas by their EBLUPs; else as the table has them.
        direct : bool
            Show the direct estimates.
        level : float
            Of the intervals.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: area, eblup, lower, upper, direct, position.

        Raises
        ------
        DataError
            If the level is outside (0, 1).
        """
        found = self._result
        return area_caterpillar_picture(
            found.areas,
            found.eblup,
            np.sqrt(found.mse),
            found.direct,
            kind=found.kind,
            order=order,
            show_direct=direct,
            level=level,
        )

    @picture
    def map(
        self,
        geojson: Any = None,
        key: str = "id",
        *,
        value: str = "eblup",
        aspect: float | None = None,
        limits: tuple[float, float] | None = None,
        ax: Any = None,
    ) -> Picture:
        """The areas coloured by a column of the table; those without a value are grey and hatched.

        Parameters
        ----------
        geojson : path, str or dict
            Outlines: a GeoJSON file, its text, or what json has read; Polygon and MultiPolygon, with holes.
        key : str
            The property of a feature that names its area, compared as text with the area of the table: 1001 and
            "1001" are the same, 1001 and "01001" are not.
        value : str
            A column of the table, such as ``"eblup"``, ``"cv"`` or ``"gamma"``.
        aspect : float, optional
            Height of a unit of y over that of x; by default 1 / cos(middle latitude) for coordinates that can be
            degrees, as GeoJSON has them, and 1 for others.
        limits : (float, float), optional
            Values of the lightest and the darkest colour, for maps to be compared; by default those that occur.
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            ``data``: area, value, status: "drawn", "no estimate" (an outline without value), "no outline".

        Raises
        ------
        DataError
            If the GeoJSON cannot be read or matches no area, or there is no such column.

        Warns
        -----
        DroppedRowsWarning
            If areas with a value have no outline and are not on the map.
        """
        columns = self._result._columns()
        if value not in columns or value == "area":
            raise DataError(f"value={value!r} is no column of numbers; choose one of {', '.join(list(columns)[1:])}")
        values = np.asarray(columns[value], dtype=np.float64)
        outlines = shapes(geojson, key)
        if not set(outlines) & set(self._result.areas):
            raise DataError(
                f"no {key!r} of the GeoJSON is an area of the table: it has {', '.join(list(outlines)[:5])}, the table "
                f"{', '.join(self._result.areas[:5])}"
            )
        if not any(outlines.get(name) and np.isfinite(x) for name, x in zip(self._result.areas, values, strict=True)):
            raise DataError(f"no outline in the GeoJSON is that of an area with a value of {value!r}: nothing to draw")
        _warn_left_out(self._result.areas, values, outlines)
        return choropleth_picture(
            self._result.areas,
            values,
            outlines,
            name=_LABELS[value],
            kind=self._result.kind,
            aspect=aspect,
            limits=_checked(limits),
        )


def _warn_left_out(areas: Sequence[str], values: NDArray[np.float64], outlines: Mapping[str, Any]) -> None:
    """Name the areas that have a value and no outline, and outlines that differ from them by leading zeros."""
    valued = [area for area, value in zip(areas, values.tolist(), strict=True) if np.isfinite(value)]
    left_out = [area for area in valued if not outlines.get(area)]
    if not left_out:
        return
    bare = {name.lstrip("0"): name for name in outlines if name not in set(areas)}
    padded = next(((area, bare[area.lstrip("0")]) for area in left_out if area.lstrip("0") in bare), None)
    hint = (
        f"; the GeoJSON has {padded[1]!r} for {padded[0]!r}: leading zeros count, so keep codes as text in the data"
        if padded
        else ""
    )
    warnings.warn(
        f"{len(left_out)} of {len(valued)} areas with a value have no outline and are not drawn: "
        f"{listed(left_out)}{hint}",
        DroppedRowsWarning,
        stacklevel=4,
    )


def _checked(limits: Any) -> tuple[float, float] | None:
    """The limits of the colours as two numbers.

    Raises
    ------
    DataError
        If they are not, or the first is not smaller.
    """
    if limits is None:
        return None
    try:
        low, high = (float(value) for value in limits)
    except (TypeError, ValueError):
        low = high = np.nan
    if not low < high:
        raise DataError(f"limits={limits!r}: give two numbers, the smaller one first")
    return low, high
