"""`area_level`: which areas are estimated, what is refused, and what the result offers."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixedeffects as me


@pytest.fixture
def estimate(milk):
    """Call `area_level` with some of its arguments changed."""

    def call(formula="yi ~ MajorArea", data=milk, **changes):
        return me.sae.area_level(formula, data, **{"variance": "variance", "area": "SmallArea", **changes})

    return call


def test_variances_as_an_array(estimate, milk):
    expected = estimate().eblup
    for variance in (
        milk["variance"],
        milk["variance"].to_numpy(),
        list(milk["variance"]),
        pl.Series(milk["variance"]),
        milk[["variance"]],
        milk["variance"].to_numpy()[:, None],
        milk["variance"].to_numpy().astype(object),
        [Decimal(value) for value in milk["variance"]],
    ):
        np.testing.assert_array_equal(estimate(variance=variance).eblup, expected)


def test_the_rows_may_be_in_any_order(estimate, milk):
    shuffled = milk.sample(frac=1.0, random_state=3)
    found, expected = estimate(data=shuffled, n="ni"), estimate(n="ni")
    pd.testing.assert_frame_equal(found.to_frame("area"), expected.to_frame(), rtol=1e-11)
    backwards = found.to_frame("area", descending=True)["area"]
    assert list(backwards) == list(expected.areas)[::-1]


def test_estimates_have_the_order_of_the_rows(estimate, milk):
    """Also where the order of the names is another: c1, c10, c11."""
    data = milk.assign(SmallArea=[f"c{i}" for i in milk["SmallArea"]]).sample(frac=1.0, random_state=3)
    data["yi"] = data["yi"].where(data["SmallArea"] != "c9")
    found = estimate(data=data, unsampled="drop", variance=data["variance"])
    kept = data[data["SmallArea"] != "c9"]
    assert found.areas == tuple(kept["SmallArea"]) == tuple(found.to_frame()["area"]) == tuple(found.mse_parts["area"])
    np.testing.assert_array_equal(data["SmallArea"].to_numpy()[found.rows], found.areas)
    np.testing.assert_array_equal(found.direct, kept["yi"])
    np.testing.assert_array_equal(found.direct_variance, kept["variance"])
    assert list(found.to_frame("area")["area"]) == sorted(kept["SmallArea"])
    again = estimate(data=kept.sort_values("SmallArea"))
    np.testing.assert_allclose(found.to_frame("area")["eblup"], again.eblup, rtol=1e-11)


def test_a_formula_means_columns_of_the_data_only():
    data = {"y": [1.0, 2.0, 4.0, 7.0, 8.0], "D": np.ones(5), "row_": [3.0, 1.0, 2.0, 5.0, 4.0]}
    for name in ("(row)", "row", "(any)"):
        with pytest.raises(
            me.DataError, match=r"no column .* in data; (it has 'y', 'D', 'row_'|did you mean 'row_'.)$"
        ):
            me.sae.area_level(f"y ~ `{name}`", data, variance="D")
    with pytest.raises(me.DataError, match="fixed part has 1 estimable columns for 1 rows"):
        me.sae.area_level("y ~ 1", {"y": [1.0], "D": [1.0]}, variance="D")
    own = me.sae.area_level("y ~ row", {**data, "row": data["row_"]}, variance="D")
    other = me.sae.area_level("y ~ x", {**data, "x": data["row_"]}, variance="D")
    np.testing.assert_array_equal(own.eblup, other.eblup)


def test_without_area_the_rows_name_them(estimate):
    assert estimate(area=None).areas == tuple(map(str, range(43)))


def test_areas_without_direct_estimate(estimate, milk):
    holes = milk.assign(yi=milk["yi"].where(~milk["SmallArea"].isin([4, 30])))
    with pytest.raises(me.DataError, match=r"no direct estimate \(yi is missing\) for areas 4, 30; unsampled="):
        estimate(data=holes)
    found, rest = estimate(data=holes, unsampled="synthetic"), estimate(data=holes, unsampled="drop")
    assert len(found.areas) == 43
    assert len(rest.areas) == 41
    assert found.loglik == rest.loglik == estimate(data=holes.dropna(subset=["yi"])).loglik
    frame = found.to_frame().set_index("area").loc[["4", "30"]]
    np.testing.assert_array_equal(frame["eblup"], frame["synthetic"])
    assert (frame["gamma"] == 0.0).all()
    assert frame["direct_variance"].isna().all()
    X = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0]])
    expected = found.variance_components["area"] + np.einsum("ip,pq,iq->i", X, found.vcov, X)
    np.testing.assert_allclose(frame["mse"], expected, rtol=1e-12)
    np.testing.assert_array_equal(found.to_frame().dropna()["eblup"], rest.eblup)
    assert "43 estimated (2 of them synthetic), 41 with direct estimates" in str(found)
    # their variances are not needed
    unknown = holes.assign(variance=holes["variance"].where(holes["yi"].notna()))
    np.testing.assert_array_equal(estimate(data=unknown, unsampled="synthetic").eblup, found.eblup)
    bootstrap = estimate(data=holes, unsampled="synthetic", mse="bootstrap", n_bootstrap=500, rng=1)
    np.testing.assert_allclose(bootstrap.mse, found.mse, rtol=0.15)


@pytest.mark.parametrize("method", ["reml", "ml", "fh"])
def test_the_bootstrap_is_reproducible_and_near_the_first_order_formula(estimate, method):
    one, two = (estimate(mse="bootstrap", n_bootstrap=800, rng=5, method=method) for _ in range(2))
    np.testing.assert_array_equal(one.mse, two.mse)
    parts = estimate(method=method).parts
    np.testing.assert_allclose(one.mse, parts["g1"] + parts["g2"] + parts["g3"], rtol=0.06)
    assert {"g1", "spread", "mc_error"} < set(one.mse_parts.columns)


def test_an_expression_as_response(milk, estimate):
    found = estimate("log(yi) ~ MajorArea", variance=(milk["SD"] / milk["yi"]) ** 2)
    np.testing.assert_allclose(found.direct, np.log(milk["yi"]), rtol=1e-14)


def test_rows_without_covariates_are_dropped_and_counted(estimate, milk):
    with pytest.warns(me.DroppedRowsWarning, match="1 of 43 rows"):
        found = estimate("yi ~ ni", data=milk.assign(ni=milk["ni"].where(milk["SmallArea"] != 7)))
    assert "7" not in found.areas
    assert len(found.areas) == 42


@pytest.mark.parametrize("library", ["polars", "pyarrow", "dict"])
def test_frames_of_other_libraries(estimate, milk, library):
    convert = {"polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas, "dict": dict}[library]
    found = estimate(data=convert(milk), n="ni")
    frame = found.to_frame()
    assert isinstance(frame, {"polars": pl.DataFrame, "pyarrow": pa.Table, "dict": pd.DataFrame}[library])
    back = frame.to_pandas() if library != "dict" else frame
    pd.testing.assert_frame_equal(back, estimate(n="ni").to_frame(), check_dtype=False)


def test_the_print(estimate):
    lines = str(estimate(n="ni")).splitlines()
    assert lines[:5] == [
        "Small areas from direct estimates: Fay-Herriot model fit by REML",
        "Formula: yi ~ MajorArea",
        "Areas: 43 estimated, 43 with direct estimates",
        "Variance between areas 0.01855",
        "logLik 12.6775, AIC -15.3549, BIC -6.5489",
    ]
    assert lines[13].split() == ["area", "n", "direct", "direct_variance", "direct_cv", "eblup", "mse", "cv", "gamma"]


WRONG = [
    ({"area": "Area"}, me.DataError, "no column 'Area' in data"),
    ({"variance": "var"}, me.DataError, "no column 'var' in data; it has 'SmallArea'"),
    ({"variance": 0.3}, me.DataError, "variance=0.3"),
    ({"variance": [0.1, 0.2]}, me.DataError, "2 values for 43 rows"),
    ({"variance": np.ones((43, 2))}, me.DataError, r"variance has the shape \(43, 2\); give one"),
    ({"variance": [[1.0], [1.0, 2.0]]}, me.DataError, "variance is no column of numbers"),
    ({"variance": np.array(["a"] * 43, dtype=object)}, me.DataError, "'variance' of the argument is not numeric"),
    ({"variance": "MajorArea"}, me.DataError, "'MajorArea' of data is not numeric"),
    ({"n": "m"}, me.DataError, "no column 'm' in data"),
    ({"formula": "yi ~ MajorArea + (1 | SmallArea)"}, me.FormulaError, r"take \(1 \| SmallArea\) out"),
    ({"formula": "yi ~ 1 + offset(ni)"}, me.FormulaError, "offset"),
    ({"formula": 3}, me.FormulaError, "a formula is a text"),
    ({"formula": "yi ~ major"}, me.DataError, "no column 'major'"),
    ({"formula": "MajorArea ~ 1"}, me.DataError, "MajorArea"),
    ({"data": 3}, me.DataError, "data of type int cannot be read"),
    ({"area": "MajorArea"}, me.DataError, "several rows for areas 1, 2, 3, 4; give one row for each area"),
    ({"method": "eb"}, me.DataError, "method='eb'"),
    ({"mse": "none"}, me.DataError, "mse='none'"),
    ({"unsampled": "keep"}, me.DataError, "unsampled='keep'"),
    ({"n_bootstrap": True}, me.DataError, "n_bootstrap=True"),
]


@pytest.mark.parametrize(("changes", "error", "says"), WRONG)
def test_refused(estimate, changes, error, says):
    with pytest.raises(error, match=says):
        estimate(**changes)


@pytest.mark.parametrize(
    ("value", "says"), [(0.0, "zero"), (-0.1, "negative"), (np.nan, "missing"), (np.inf, "infinite")]
)
def test_refused_variances(estimate, milk, value, says):
    wrong = milk["variance"].where(~milk["SmallArea"].isin([3, 8]), value)
    with pytest.raises(me.DataError, match=f"the sampling variance 'variance' is {says} for areas 3, 8; it must be"):
        estimate(data=milk.assign(variance=wrong))


def test_too_few_areas(estimate, milk):
    few = milk.assign(yi=milk["yi"].where(milk["MajorArea"] != "2"))
    with pytest.raises(me.DataError, match=r"cannot determine 4 coefficients \(Intercept, MajorArea"):
        estimate(data=few, unsampled="synthetic")
