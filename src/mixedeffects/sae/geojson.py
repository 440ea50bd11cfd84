"""Outlines of areas from GeoJSON (RFC 7946) that the caller has."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError

from .frames import label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Polygon = list[NDArray[np.float64]]


def shapes(geojson: Any, key: str) -> dict[str, list[Polygon]]:
    """Read the outlines of the areas.

    Parameters
    ----------
    geojson : path, str or dict
        A file, the text itself, or what json has read: a FeatureCollection, or a list of features.
    key : str
        The property that names the area; ``"id"`` may be the feature's own.

    Returns
    -------
    dict of str to list of polygons
        Each polygon a list of closed rings, (k, 2): the outer one, then holes. Features of one name are joined; one
        without geometry has no polygon.

    Raises
    ------
    DataError
        If it cannot be read, no feature has the property, or a geometry is neither Polygon nor MultiPolygon.
    """
    out: dict[str, list[Polygon]] = {}
    others: dict[str, None] = {}
    for feature in _features(_loaded(geojson)):
        properties = feature.get("properties") or {}
        name = properties.get(key, feature.get("id") if key == "id" else None)
        if name is None:
            others.update(dict.fromkeys(map(str, properties)))
            continue
        out.setdefault(label(name), []).extend(_polygons(feature.get("geometry"), label(name)))
    if not out:
        have = f"they have {', '.join(map(repr, list(others)[:10]))}" if others else "they have no properties"
        raise DataError(f"no feature of the GeoJSON has the property {key!r} that should name its area; {have}")
    return out


def _loaded(geojson: Any) -> Any:
    if geojson is None:
        raise DataError("a map needs the outlines of the areas: give GeoJSON as a path, a text or a dict")
    is_text = isinstance(geojson, str) and geojson.lstrip()[:1] in ("{", "[")
    try:
        if is_text:
            return json.loads(geojson)
        if isinstance(geojson, str | os.PathLike):
            return json.loads(Path(geojson).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"the GeoJSON file {os.fspath(geojson)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DataError(f"the GeoJSON is no valid JSON: {error}") from None
    return geojson


def _features(loaded: Any) -> list[Mapping[str, Any]]:
    features = loaded.get("features") if isinstance(loaded, Mapping) else loaded
    if not isinstance(features, list) or not all(isinstance(feature, Mapping) for feature in features):
        kind = loaded.get("type") if isinstance(loaded, Mapping) else type(loaded).__name__
        raise DataError(f"the GeoJSON is of type {kind!r}; give a FeatureCollection (TopoJSON has to be converted)")
    return features


def _polygons(geometry: Any, area: str) -> list[Polygon]:
    if geometry is None:
        return []
    kind = geometry.get("type") if isinstance(geometry, Mapping) else geometry
    if kind not in ("Polygon", "MultiPolygon"):
        raise DataError(f"the geometry of area {area} is of type {kind!r}; a map needs Polygon or MultiPolygon")
    given = geometry.get("coordinates")
    try:
        return [[_ring(ring) for ring in polygon] for polygon in ([given] if kind == "Polygon" else given)]
    except (TypeError, ValueError, IndexError):
        raise DataError(f"the coordinates of area {area} are no rings of points (x, y), at least three each") from None


def _ring(points: Any) -> NDArray[np.float64]:
    ring = np.array([(point[0], point[1]) for point in points], dtype=np.float64)
    if len(ring) < 3 or not np.isfinite(ring).all():
        raise ValueError
    return ring if (ring[0] == ring[-1]).all() else np.vstack([ring, ring[:1]])
