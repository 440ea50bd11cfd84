"""Pictures of small areas: the frames behind them, what is drawn, and GeoJSON that is refused."""

from __future__ import annotations

import json

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest
from matplotlib.colors import to_rgb
from scipy.special import ndtri

import mixedeffects as me
from mixedeffects.plots import style

mpl.use("Agg")

# Most maps here are of some of the areas only.
pytestmark = pytest.mark.filterwarnings("ignore:.*have no outline:mixedeffects.DroppedRowsWarning")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def found(milk):
    """Milk expenditures; area 4 has no direct estimate."""
    milk["yi"] = milk["yi"].where(milk["SmallArea"] != 4)
    return me.sae.area_level("yi ~ MajorArea", milk, variance="variance", area="SmallArea", unsampled="synthetic")


def square(x, y, size=1.0, *, turn=1):
    """Corners of a square, counter-clockwise, or clockwise with turn=-1."""
    corners = [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]
    return corners[::turn]


def feature(name, coordinates, kind="Polygon", key="code"):
    return {"type": "Feature", "properties": {key: name}, "geometry": {"type": kind, "coordinates": coordinates}}


def grid(names):
    """A row of eight squares below another, named."""
    features = [feature(name, [square(i % 8, i // 8)]) for i, name in enumerate(names)]
    return {"type": "FeatureCollection", "features": features}


def pixels(ax):
    """The drawn figure, and how to find the colour at a point of the axes."""
    canvas = ax.figure.canvas
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3] / 255.0

    def colour(x, y):
        column, row = ax.transData.transform((x, y))
        return image[int(image.shape[0] - 1 - row), int(column)]

    return colour


def test_caterpillar(found):
    ax = found.plot.caterpillar(level=0.9)
    frame = ax.data
    half = ndtri(0.95) * np.sqrt(found.mse)
    np.testing.assert_allclose(frame["upper"] - frame["eblup"], half, rtol=1e-12)
    np.testing.assert_allclose(frame["eblup"] - frame["lower"], half, rtol=1e-12)
    assert (np.diff(frame.sort_values("position")["eblup"]) >= 0.0).all()
    direct, eblup = ax.lines
    np.testing.assert_array_equal(eblup.get_xdata(), frame["eblup"])
    np.testing.assert_array_equal(eblup.get_ydata(), frame["position"])
    assert np.isnan(direct.get_xdata()[3])
    assert len(found.plot.caterpillar(direct=False).lines) == 1
    np.testing.assert_array_equal(found.plot.caterpillar(order=False).data["position"], np.arange(43)[::-1])
    assert list(found.plot.caterpillar.data.columns) == list(frame.columns)
    with pytest.raises(me.DataError, match="level=2"):
        found.plot.caterpillar(level=2)


def test_caterpillar_of_unit_level_in_the_library_of_the_data(corn, counties):
    result = me.sae.unit_level(
        "CornHec ~ CornPix + SoyBeansPix", pl.from_pandas(corn), area="County", population_means=counties
    )
    _, ax = plt.subplots()
    assert result.plot.caterpillar(ax=ax) is ax
    assert isinstance(ax.data, pl.DataFrame)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        result.areas[i] for i in np.argsort(result.eblup, kind="stable")
    ]


def test_map_statuses_and_colours(found):
    outlines = grid([*range(1, 15), 99])
    outlines["features"].append({"type": "Feature", "properties": {"code": 20}, "geometry": None})
    ax = found.plot.map(outlines, key="code", value="direct")
    frame = ax.data.set_index("area")
    assert (frame.loc[[str(i) for i in (1, 2, 3, 14)], "status"] == "drawn").all()
    assert frame.loc["4", "status"] == frame.loc["99", "status"] == "no estimate"
    assert frame.loc["20", "status"] == frame.loc["40", "status"] == "no outline"
    assert frame.loc["1", "value"] == found.direct[0]
    assert len(frame) == 44
    filled, hatched = ax.collections
    np.testing.assert_array_equal(filled.get_array(), np.delete(found.direct[:14], 3))
    assert hatched.get_hatch()
    assert len(hatched.get_paths()) == 2
    colour = pixels(ax)
    for i in (0, 1, 13):
        expected = filled.cmap(filled.norm(found.direct[i]))[:3]
        np.testing.assert_allclose(colour(i % 8 + 0.5, i // 8 + 0.5), expected, atol=0.01)


@pytest.fixture
def fips():
    """Six areas with codes as numbers, which have lost their leading zeros."""
    data = {"code": [1001, 4001, 9001, 10001, 12001, 13001], "y": [1.0, 3.0, 2.0, 5.0, 4.0, 6.0], "D": [0.3] * 6}
    return me.sae.area_level("y ~ 1", data, variance="D", area="code")


def test_areas_with_a_value_that_are_not_drawn_are_named(fips):
    outlines = grid(["01001", "04001", "09001", "10001", "12001", "99001"])
    says = (
        r"4 of 6 areas with a value have no outline and are not drawn: areas 1001, 4001, 9001, 13001; "
        r"the GeoJSON has '01001' for '1001': leading zeros count"
    )
    with pytest.warns(me.DroppedRowsWarning, match=says) as caught:
        frame = fips.plot.map(outlines, key="code").data
    assert [one.filename for one in caught] == [__file__]
    assert list(frame["area"][frame["status"] == "drawn"]) == ["10001", "12001"]
    with pytest.warns(me.DroppedRowsWarning, match="1 of 6 .*: area 4001$"):
        fips.plot.map(grid([1001, 9001, 10001, 12001, 13001]), key="code")


@pytest.mark.filterwarnings("error")
def test_a_complete_map_warns_of_nothing(fips):
    fips.plot.map(grid([*fips.areas, "99001"]), key="code")


@pytest.mark.parametrize("turn", [1, -1])
def test_holes_stay_empty_and_parts_are_joined(found, turn):
    """Whichever way the rings turn."""
    with_hole = [square(0, 0, 4.0, turn=turn), square(1, 1, 2.0, turn=turn)]
    island = [square(1.5, 1.5, 1.0, turn=turn)]
    outlines = {"type": "FeatureCollection", "features": [feature(1, [with_hole, island], "MultiPolygon")]}
    outlines["features"].append(feature(2, [square(5, 0, 4.0)]))
    ax = found.plot.map(outlines, key="code", aspect=1.0)
    colour = pixels(ax)
    filled = ax.collections[0]
    expected = filled.cmap(filled.norm(found.eblup[0]))[:3]
    for inside in ((0.5, 0.5), (3.5, 2.0), (2.0, 2.0)):
        np.testing.assert_allclose(colour(*inside), expected, atol=0.01)
    for outside in ((1.2, 2.0), (2.8, 2.0), (4.5, 2.0)):
        np.testing.assert_allclose(colour(*outside), 1.0, atol=0.01)


def test_missing_areas_are_grey(found):
    ax = found.plot.map(grid([1, 2, 4, "none"]), key="code", value="direct")
    colour = pixels(ax)
    patch = [colour(x, 0.5) for x in np.linspace(2.1, 2.9, 60)]
    greys = [to_rgb(style.LIGHT), to_rgb(style.GREY)]
    assert all(np.abs(p - p[0]).max() < 0.02 for p in patch)
    assert min(np.abs(p - greys[0]).max() for p in patch) < 0.02
    assert ax.get_legend().get_texts()[0].get_text() == "no estimate"


def test_geojson_in_every_form_is_the_same(found, tmp_path):
    outlines = grid(range(1, 9))
    path = tmp_path / "areas.geojson"
    path.write_text(json.dumps(outlines))
    expected = found.plot.map(outlines, key="code").data
    for form in (path, str(path), json.dumps(outlines), outlines["features"]):
        assert found.plot.map(form, key="code").data.equals(expected)
    by_id = {"type": "FeatureCollection", "features": []}
    for one in outlines["features"]:
        by_id["features"].append({**one, "id": str(one["properties"]["code"]), "properties": None})
    assert found.plot.map(by_id).data.equals(expected)


def test_limits_of_the_colours(found):
    outlines = grid(range(1, 9))
    ax = found.plot.map(outlines, key="code")
    assert ax.collections[0].get_clim() == (found.eblup[:8].min(), found.eblup[:8].max())
    assert ax.collections[0].colorbar.extend == "neither"
    ax = found.plot.map(outlines, key="code", limits=(0.9, 3.0))
    assert ax.collections[0].get_clim() == (0.9, 3.0)
    assert ax.collections[0].colorbar.extend == "min"


def test_degrees_are_drawn_as_high_as_they_are_on_the_ground(found):
    outlines = grid([1, 2])
    for one in outlines["features"]:
        one["geometry"]["coordinates"][0] = [[x, y + 59.5] for x, y in one["geometry"]["coordinates"][0]]
    assert found.plot.map(outlines, key="code").get_aspect() == pytest.approx(2.0, rel=1e-12)
    assert found.plot.map(outlines, key="code", aspect=1.5).get_aspect() == 1.5
    metres = {"type": "FeatureCollection", "features": [feature(1, [square(5e5, 6e6, 1e3)])]}
    assert found.plot.map(metres, key="code").get_aspect() == 1.0


@pytest.mark.parametrize(
    ("geojson", "options", "says"),
    [
        (None, {}, "a map needs the outlines"),
        ("nowhere.geojson", {}, "'nowhere.geojson' cannot be read"),
        ('{"type": ', {}, "no valid JSON"),
        ({"type": "Topology", "objects": {}}, {}, "of type 'Topology'; give a FeatureCollection"),
        (grid([1]), {"key": "fips"}, "no feature of the GeoJSON has the property 'fips'.*they have 'code'"),
        (grid(["A", "B"]), {}, "no 'code' of the GeoJSON is an area of the table: it has A, B, the table 1, 2, 3"),
        (grid([1]), {"value": "income"}, "value='income' is no column of numbers"),
        (grid([1]), {"value": "area"}, "value='area' is no column of numbers"),
        ({"features": [feature(1, [0.0, 1.0], "Point")]}, {}, "area 1 is of type 'Point'"),
        ({"features": [feature(1, [[[0.0, 1.0]]])]}, {}, "coordinates of area 1 are no rings"),
        ({"features": [feature(1, [["x"]])]}, {}, "coordinates of area 1 are no rings"),
        (3, {}, "of type 'int'"),
        (grid([1]), {"limits": (2.0, 1.0)}, "limits=.* the smaller one first"),
        (grid([1]), {"limits": 3}, "limits=3"),
    ],
)
def test_refused(found, geojson, options, says):
    with pytest.raises(me.DataError, match=says):
        found.plot.map(geojson, **{"key": "code", **options})


def test_a_map_without_any_outline_is_refused(found):
    outlines = {"features": [{"type": "Feature", "properties": {"code": 1}, "geometry": None}]}
    with pytest.raises(me.DataError, match="no outline"):
        found.plot.map(outlines, key="code")
