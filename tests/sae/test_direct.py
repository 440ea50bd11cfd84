"""Direct estimators against their formulas, written out area by area."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import mixedeffects as me


def test_simple_random_sampling(unbalanced):
    N = np.array([4.0, 2.0, 9.0, 8.0, 40.0, 50.0, 7.0])
    plain = me.sae.direct("y", unbalanced, area="g")
    finite = me.sae.direct("y", unbalanced, area="g", population_sizes=dict(enumerate(N)))
    assert list(plain.columns) == ["area", "n", "mean", "variance", "sd", "cv"]
    for i in range(7):
        y = unbalanced["y"][unbalanced["g"] == i]
        assert plain["mean"][i] == finite["mean"][i] == pytest.approx(y.mean(), rel=1e-13)
        if len(y) == 1:
            assert np.isnan(plain["variance"][i])
            continue
        variance = y.var(ddof=1) / len(y)
        assert plain["variance"][i] == pytest.approx(variance, rel=1e-12)
        assert finite["variance"][i] == pytest.approx(variance * (1.0 - len(y) / N[i]), rel=1e-12, abs=1e-15)
        assert plain["cv"][i] == pytest.approx(100.0 * np.sqrt(variance) / abs(y.mean()), rel=1e-12)
    np.testing.assert_array_equal(plain["n"], np.bincount(unbalanced["g"]))


def test_sampling_weights(unbalanced):
    w = np.random.default_rng(1).uniform(1.5, 9.0, len(unbalanced["g"]))
    N = np.full(7, 30.0)
    data = {**unbalanced, "w": w}
    ratio = me.sae.direct("y", data, area="g", weights="w")
    total = me.sae.direct("y", data, area="g", weights=w, population_sizes=dict(enumerate(N)))
    for i in range(7):
        rows = unbalanced["g"] == i
        y, v = unbalanced["y"][rows], w[rows]
        assert total["mean"][i] == pytest.approx(np.sum(v * y) / 30.0, rel=1e-12)
        assert total["variance"][i] == pytest.approx(np.sum(v * (v - 1.0) * y**2) / 900.0, rel=1e-12)
        mean, n = np.average(y, weights=v), len(y)
        assert ratio["mean"][i] == pytest.approx(mean, rel=1e-12)
        if n > 1:
            variance = n / (n - 1) * np.sum(v**2 * (y - mean) ** 2) / np.sum(v) ** 2
            assert ratio["variance"][i] == pytest.approx(variance, rel=1e-12)


def test_equal_weights_are_no_weights(unbalanced):
    plain = me.sae.direct("y", unbalanced, area="g")
    weighted = me.sae.direct("y", unbalanced, area="g", weights=np.full(len(unbalanced["g"]), 7.0))
    np.testing.assert_allclose(weighted["variance"], plain["variance"], rtol=1e-12)


def test_areas_of_one_unit_each():
    found = me.sae.direct("y", {"y": [1.0, 2.0, 4.0], "g": ["a", "b", "c"]}, area="g")
    assert list(found["mean"]) == [1.0, 2.0, 4.0]
    assert found["sd"].isna().all()


@pytest.mark.parametrize("y", [[1.0, 2.0, 6.0], [4.0, 4.0, 4.0], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("g", [["a", "a", "a"], ["a", "a", "b"]])
def test_one_area_or_one_value_is_estimated(y, g):
    found = me.sae.direct("y", {"y": y, "g": g}, area="g")
    first = np.array([value for value, area in zip(y, g, strict=True) if area == "a"])
    assert found["mean"][0] == pytest.approx(first.mean(), rel=1e-14)
    assert found["variance"][0] == pytest.approx(first.var(ddof=1) / len(first), rel=1e-14)
    assert len(found) == len(set(g))
    assert me.sae.direct("y", {"y": [3.0], "g": ["a"]}, area="g")["mean"][0] == 3.0


def test_areas_without_any_value_are_named():
    data = {"y": [1.0, 2.0, None, None, 5.0, None], "g": ["a", "a", "b", "b", "c", "c"]}
    with pytest.warns(me.DroppedRowsWarning) as caught:
        found = me.sae.direct("y", pl.DataFrame(data), area="g")
    assert found["area"].to_list() == ["a", "c"]
    assert str(caught[-1].message) == "no row of area b has y and all else that is needed: not in the table"
    with pytest.warns(me.DroppedRowsWarning) as caught:  # no area is lost
        me.sae.direct("y", {"y": data["y"], "g": ["a", "a", "a", None, "c", "c"]}, area="g")
    assert len(caught) == 1


def test_an_area_whose_whole_population_is_one_unit_has_no_variance():
    data = {"y": [1.0, 4.0, 4.2, 9.0, 9.1], "g": ["a", "b", "b", "c", "c"]}
    sizes = {"a": 1, "b": 20, "c": 20}
    assert me.sae.direct("y", data, area="g", population_sizes=sizes)["variance"][0] == 0.0
    found = me.sae.unit_level("y ~ 1", data, area="g", population_sizes=sizes)
    assert found.direct_variance[0] == found.mse[0] == 0.0


def test_weights_below_one_have_no_horvitz_thompson_variance(unbalanced):
    w = np.where(np.arange(len(unbalanced["g"])) > 4, 0.5, 2.0)
    sizes = dict.fromkeys(range(7), 30)
    with pytest.raises(me.DataError, match=r"weights are below 1, the first 0\.5 in row 5; with population_sizes"):
        me.sae.direct("y", unbalanced, area="g", weights=w, population_sizes=sizes)
    ratio, scaled = (me.sae.direct("y", unbalanced, area="g", weights=v) for v in (w, 8.0 * w))
    np.testing.assert_allclose(ratio["variance"], scaled["variance"], rtol=1e-12)
    me.sae.direct("y", unbalanced, area="g", weights=2.0 * w, population_sizes=sizes)


def test_the_table_is_in_the_library_of_the_data(unbalanced):
    found = me.sae.direct("log(y + 10)", pl.DataFrame(unbalanced), area="g")
    assert isinstance(found, pl.DataFrame)
    assert found["area"].to_list() == list("0123456")


def test_direct_estimates_feed_the_area_level_model():
    table = me.sae.direct("Reaction", me.datasets.load("sleepstudy"), area="Subject")
    found = me.sae.area_level("mean ~ 1", table, variance="variance", area="area", n="n")
    assert found.nobs == 18
    assert ((found.gamma > 0.0) & (found.gamma < 1.0)).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"area": "h"}, "no column 'h'"),
        ({"y": "z"}, "no column 'z'"),
        ({"weights": "w"}, "no column 'w'"),
        ({"population_sizes": dict.fromkeys(range(7), 5)}, "smaller than the sample for area 6: 5 units, 6 in"),
        ({"population_sizes": "N"}, "names a column of population_means"),
        ({"population_sizes": {"g": [1, 1], "N": [5, 5]}}, "several rows for area 1"),
        ({"population_sizes": {"g": [1], "N": [5], "M": [5]}}, "has the columns g, N, M; give 'g' and one other"),
        ({"population_sizes": dict.fromkeys(range(7), "many")}, "is not numeric"),
    ],
)
def test_refused(unbalanced, changes, says):
    arguments = {"y": "y", "area": "g", **changes}
    with pytest.raises(me.DataError, match=says):
        me.sae.direct(arguments.pop("y"), unbalanced, **arguments)
