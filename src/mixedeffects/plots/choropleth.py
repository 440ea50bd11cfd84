"""A map of areas coloured by a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.plots import style
from mixedeffects.plots.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Polygon = list[NDArray[np.float64]]

_MOST_EDGES = 400  # areas from which on their outlines are hairlines
_TALLEST = 5.0  # inches


def choropleth_picture(
    areas: Sequence[str],
    values: NDArray[np.float64],
    outlines: Mapping[str, list[Polygon]],
    *,
    name: str,
    kind: str,
    aspect: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Picture:
    """Areas coloured by a value; outlines without one are grey and hatched.

    Parameters
    ----------
    areas : sequence of str (t,)
        The areas.
    values : ndarray (t,)
        Their values.
    outlines : mapping of str to list of polygons
        By area; each polygon a list of closed rings (k, 2), the outer one first.
    name : str
        What the values are, for the colour bar.
    kind : str
        The library of the data.
    aspect : float, optional
        Height of a unit of y over that of x; by default from the middle latitude if the coordinates can be degrees.
    limits : (float, float), optional
        Values of the lightest and the darkest colour, which those beyond get too.
    """
    known = {area: value for area, value in zip(areas, values.tolist(), strict=True) if np.isfinite(value)}
    others = [area for area in outlines if area not in set(areas)]
    status = ["no outline" if not outlines.get(area) else "drawn" if area in known else "no estimate" for area in areas]
    columns = {
        "area": [*areas, *others],
        "value": np.concatenate([values, np.full(len(others), np.nan)]),
        "status": [*status, *["no estimate"] * len(others)],
    }

    def paint(ax: Any) -> Any:
        box = _box(outlines)
        ratio = _aspect(box) if aspect is None else aspect
        tall = (box[1, 1] - box[0, 1]) / max(box[1, 0] - box[0, 0], 1e-300) * ratio
        one = style.one_axes(ax, float(np.clip(0.8 * style.WIDTH * tall + 0.2, 1.2, _TALLEST)))
        _draw(one, outlines, known, name, limits)
        one.set_aspect(ratio)
        one.autoscale_view()
        one.set_axis_off()
        return one

    return Picture(columns=columns, kind=kind, paint=paint, text=("area", "status"))


def _draw(
    ax: Any,
    outlines: Mapping[str, list[Polygon]],
    known: Mapping[str, float],
    name: str,
    limits: tuple[float, float] | None,
) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Patch, PathPatch

    drawn = [area for area, polygons in outlines.items() if polygons and area in known]
    empty = [area for area, polygons in outlines.items() if polygons and area not in known]
    width = 0.4 if len(outlines) <= _MOST_EDGES else 0.1
    filled = PatchCollection(
        [PathPatch(_path(outlines[area])) for area in drawn], cmap=style.shades(), edgecolor="white", linewidth=width
    )
    values = np.array([known[area] for area in drawn])
    filled.set_array(values)
    low, high = (values.min(), values.max()) if limits is None else limits
    filled.set_clim(low, high)
    ax.add_collection(filled)
    if empty:
        hatched: dict[str, Any] = {
            "facecolor": style.LIGHT,
            "edgecolor": style.GREY,
            "hatch": "////",
            "linewidth": width,
        }
        ax.add_collection(PatchCollection([PathPatch(_path(outlines[area])) for area in empty], **hatched))
        ax.legend(
            handles=[Patch(label="no estimate", **hatched)],
            loc="upper left",
            bbox_to_anchor=(0.0, 0.0),
            borderaxespad=0.2,
            fontsize=style.SMALL,
            frameon=False,
        )
    bar = ax.figure.colorbar(filled, ax=ax, shrink=0.8, pad=0.02, aspect=25, extend=_beyond(values, low, high))
    bar.set_label(name, size=style.TEXT)
    bar.ax.tick_params(labelsize=style.SMALL, length=2.5)
    bar.outline.set_visible(False)


def _beyond(values: NDArray[np.float64], low: float, high: float) -> str:
    """At which ends of the colour bar there are values beyond."""
    below, above = bool((values < low).any()), bool((values > high).any())
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")


def _path(polygons: Sequence[Polygon]) -> Any:
    """One path of all rings; outer ones turn to the left and holes to the right, so that holes stay empty."""
    from matplotlib.path import Path

    rings = [_turned(ring, left=j == 0) for polygon in polygons for j, ring in enumerate(polygon)]
    return Path.make_compound_path(*[Path(ring, closed=True) for ring in rings])


def _turned(ring: NDArray[np.float64], *, left: bool) -> NDArray[np.float64]:
    x, y = (ring - ring[0]).T
    doubled_area = float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
    return ring if (doubled_area > 0.0) == left else ring[::-1]


def _box(outlines: Mapping[str, list[Polygon]]) -> NDArray[np.float64]:
    """Lower left and upper right corner, (2, 2)."""
    outer = np.vstack([polygon[0] for polygons in outlines.values() for polygon in polygons])
    return np.array([outer.min(axis=0), outer.max(axis=0)])


def _aspect(box: NDArray[np.float64]) -> float:
    """As high as wide on the ground in the middle, for degrees; 1 for other units."""
    if np.abs(box[:, 0]).max() > 360.0 or np.abs(box[:, 1]).max() >= 90.0:
        return 1.0
    return float(1.0 / np.cos(np.radians(box[:, 1].mean())))
