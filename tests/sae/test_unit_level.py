"""`unit_level`: which areas are estimated, what is refused, and what the result offers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixedeffects as me

CORN = "CornHec ~ CornPix + SoyBeansPix"


@pytest.fixture
def estimate(corn, counties):
    """Call `unit_level` with some of its arguments changed."""

    def call(formula=CORN, data=corn, area="County", **changes):
        return me.sae.unit_level(formula, data, area=area, **{"population_means": counties, **changes})

    return call


def test_without_sizes_the_mean_is_that_of_an_infinite_population(estimate, counties):
    found = estimate()
    large = estimate(population_sizes={i: 1e9 for i in counties["County"]})
    np.testing.assert_allclose(found.eblup, large.eblup, rtol=1e-7)
    np.testing.assert_allclose(found.mse, large.mse, rtol=1e-6)
    assert found.population_sizes is None
    assert "population" not in found.to_frame()


def test_sizes_in_every_form_are_the_same(estimate, counties):
    by_name = estimate(population_sizes="PopnSegments")
    series = counties.set_index("County")["PopnSegments"]
    for sizes in (
        counties[["County", "PopnSegments"]],
        series,
        dict(series),
        {str(k): v for k, v in series.items()},
        pl.DataFrame({"County": series.index.to_numpy(), "N": series.to_numpy()}),
        {"County": list(series.index), "N": list(series)},
    ):
        np.testing.assert_array_equal(estimate(population_sizes=sizes).eblup, by_name.eblup)
    np.testing.assert_array_equal(by_name.population_sizes, series)


def test_areas_are_matched_as_text_and_in_any_order(estimate, counties):
    shuffled = counties.sample(frac=1.0, random_state=1).assign(County=lambda d: d["County"].astype(float))
    np.testing.assert_array_equal(estimate(population_means=shuffled).eblup, estimate().eblup)
    as_text = counties.assign(County=lambda d: d["County"].astype(str))
    assert estimate(population_means=as_text).areas == tuple(map(str, range(1, 13)))


def test_the_area_term_may_be_written(estimate):
    np.testing.assert_array_equal(estimate(f"{CORN} + (1 | County)").eblup, estimate().eblup)
    np.testing.assert_array_equal(estimate(me.parse(CORN)).eblup, estimate().eblup)


def test_unsampled_areas(estimate, counties):
    more = pd.concat([counties, pd.DataFrame({"County": [5.5, 0.0], "CornPix": 300.0, "SoyBeansPix": [200.0, 150.0]})])
    with pytest.raises(me.DataError, match=r"no unit of areas 5.5, 0 is in the sample; unsampled='synthetic'"):
        estimate(population_means=more)
    found = estimate(population_means=more, unsampled="synthetic")
    assert found.areas[0] == "0"
    assert found.areas[6] == "5.5"
    frame = found.to_frame()
    empty = frame[frame["n"] == 0]
    assert list(empty["area"]) == ["0", "5.5"]
    assert (empty["gamma"] == 0.0).all()
    assert empty["direct"].isna().all()
    np.testing.assert_array_equal(empty["eblup"], empty["synthetic"])
    assert "14 estimated (2 of them synthetic), 12 with sample" in str(found)
    assert (empty["mse"] > found.variance_components["area"]).all()
    dropped = estimate(population_means=more, unsampled="drop")
    np.testing.assert_array_equal(dropped.eblup, estimate().eblup)
    assert any("left out: areas 5.5, 0" in note for note in dropped.notes)


def test_sampled_areas_without_means(estimate, counties):
    fewer = counties.iloc[2:]
    with pytest.raises(me.DataError, match="population_means lacks areas 1, 2 of the data"):
        estimate(population_means=fewer)
    found = estimate(population_means=fewer, without_means="drop")
    np.testing.assert_array_equal(found.eblup, estimate().eblup[2:])
    assert "10 estimated, 12 with sample" in str(found)


def test_factors_are_named_as_their_coefficients(unbalanced):
    rng = np.random.default_rng(1)
    kind = rng.choice(["a", "b", "c"], len(unbalanced["g"]))
    data = {**unbalanced, "kind": kind}
    shares = {"g": np.arange(7), "kind[T.b]": np.linspace(0.1, 0.7, 7), "kind[T.c]": np.full(7, 0.2), "x": np.zeros(7)}
    found = me.sae.unit_level("y ~ kind + x", data, area="g", population_means=shares)
    beta = found.fixef
    expected = beta["Intercept"] + shares["kind[T.b]"] * beta["kind[T.b]"] + 0.2 * beta["kind[T.c]"]
    np.testing.assert_allclose(found.synthetic, expected, rtol=1e-12)
    del shares["kind[T.c]"]
    with pytest.raises(me.DataError, match=r"no column 'kind\[T.c\]'.*the share of the units"):
        me.sae.unit_level("y ~ kind + x", data, area="g", population_means=shares)


@pytest.fixture
def services():
    """Eight areas with ten units each: a factor of three levels, an indicator, and a measurement."""
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(8), 10)
    data = {"g": g, "s": np.tile(list("RTQRT"), 16), "d": np.tile([0, 1, 1, 0], 20), "x": rng.normal(size=80)}
    data["y"] = rng.normal(size=8)[g] + rng.normal(size=80)
    means = {"g": np.arange(8), "s[T.R]": 0.3, "s[T.T]": 0.4, "d": 0.5, "x": 30.0}
    return data, pd.DataFrame(means)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"s[T.R]": 30.0}, r"'s\[T.R\]' of population_means is 30 for areas 2, 3, 4, 5, 6 and 1 more: .* share"),
        ({"s[T.T]": -0.1}, r"'s\[T.T\]' of population_means is -0.1 for areas 2"),
        ({"s[T.R]": 0.7}, r"shares s\[T.R\], s\[T.T\] in population_means sum to 1.1 for areas 2, .* levels of s "),
        ({"d": 50.0}, r"'d' of population_means is 50 for areas 2, .*; if it is a count, write I\(d\)"),
    ],
)
def test_shares_that_cannot_be_are_refused(services, changes, says):
    data, means = services
    for column, value in changes.items():
        means.loc[2:, column] = value
    with pytest.raises(me.DataError, match=says):
        me.sae.unit_level("y ~ s + d + x", data, area="g", population_means=means)


def test_shares_that_can_be_are_taken(services):
    data, means = services
    for changes in ({}, {"s[T.R]": 0.0, "s[T.T]": 1.0}, {"s[T.R]": 0.604}, {"d": 1.0}):  # 1.004 is rounding
        given = means.assign(**changes)
        me.sae.unit_level("y ~ s + d + x", data, area="g", population_means=given)
    counts = means.rename(columns={"d": "I(d)"}).assign(**{"I(d)": 1.5})
    me.sae.unit_level("y ~ s + I(d) + x", data, area="g", population_means=counts)
    products = means.assign(**{"s[T.R]:x": 20.0, "s[T.T]:x": -3.0})
    me.sae.unit_level("y ~ s * x", data, area="g", population_means=products)


def test_without_covariates_no_means_are_needed(unbalanced):
    found = me.sae.unit_level("y ~ 1", unbalanced, area="g")
    effects = found.fit.ranef["g"]["Intercept"].to_numpy()
    np.testing.assert_allclose(found.eblup, found.fixef["Intercept"] + effects, rtol=1e-12)
    sizes = dict.fromkeys(range(8), 30)
    with pytest.raises(me.DataError, match="no unit of area 7"):
        me.sae.unit_level("y ~ 1", unbalanced, area="g", population_sizes=sizes)
    found = me.sae.unit_level("y ~ 1", unbalanced, area="g", population_sizes=sizes, unsampled="synthetic")
    assert found.areas == tuple("01234567")


def test_ml_is_the_ml_fit(estimate, corn):
    fit = me.lmer(f"{CORN} + (1 | County)", corn, reml=False)
    assert estimate(method="ml").fit.criterion == fit.criterion


def test_the_bootstrap_is_reproducible_and_near_the_first_order_formula(estimate):
    one, two = (estimate(mse="bootstrap", n_bootstrap=300, rng=5) for _ in range(2))
    np.testing.assert_array_equal(one.mse, two.mse)
    assert (estimate(mse="bootstrap", n_bootstrap=300, rng=6).mse != one.mse).all()
    parts = estimate().parts
    np.testing.assert_allclose(one.mse, parts["g1"] + parts["g2"] + parts["g3"], rtol=0.1)
    assert {"g1", "spread", "mc_error"} < set(one.mse_parts.columns)
    np.testing.assert_allclose(one.mse_parts["g1"] + one.mse_parts["spread"], one.mse, rtol=1e-14)


def test_the_table(estimate):
    found = estimate(population_sizes="PopnSegments")
    frame = found.to_frame()
    assert list(frame.columns) == [
        "area", "n", "population", "direct", "direct_variance", "direct_cv", "eblup", "mse", "cv", "gamma", "synthetic",
    ]  # fmt: skip
    np.testing.assert_allclose(frame["cv"], 100.0 * np.sqrt(frame["mse"]) / frame["eblup"], rtol=1e-14)
    direct = me.sae.direct("CornHec", data_of(found), area="County", population_sizes=sizes_of(found))
    np.testing.assert_allclose(frame["direct_variance"], direct["variance"], rtol=1e-12)
    np.testing.assert_allclose(frame["direct_cv"], direct["cv"], rtol=1e-12)
    by_mse = found.table(sort_by="mse", descending=True)
    assert by_mse["mse"].is_monotonic_decreasing
    assert found.to_frame("direct_variance")["direct_variance"].isna().to_list() == [False] * 9 + [True] * 3
    assert list(found.to_frame(descending=True)["area"]) == list(frame["area"])[::-1]
    with pytest.raises(me.DataError, match="sort_by='eblups' is no column"):
        found.to_frame("eblups")


def data_of(found):
    return {"CornHec": found.fit.design.y, "County": found.fit.design.arrays.columns["County"].categorical()}


def sizes_of(found):
    return dict(zip(found.areas, found.population_sizes, strict=True))


def test_frozen(estimate):
    found = estimate()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.eblup = 1
    with pytest.raises(ValueError, match="read-only"):
        found.eblup[0] = 1.0


@pytest.mark.parametrize("library", ["polars", "pyarrow", "dict"])
def test_frames_of_other_libraries(estimate, corn, counties, library):
    convert = {"polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas, "dict": lambda d: d.to_dict("list")}[library]
    found = estimate(data=convert(corn), population_means=convert(counties), population_sizes="PopnSegments")
    expected = estimate(population_sizes="PopnSegments")
    np.testing.assert_allclose(found.eblup, expected.eblup, rtol=1e-14)
    frame = found.to_frame()
    assert isinstance(frame, {"polars": pl.DataFrame, "pyarrow": pa.Table, "dict": pd.DataFrame}[library])
    assert type(found.mse_parts) is type(frame)
    back = frame.to_pandas() if library != "dict" else frame
    pd.testing.assert_frame_equal(back, expected.to_frame(), check_dtype=False)


def test_the_print(estimate):
    text = str(estimate(population_sizes="PopnSegments"))
    assert text.splitlines()[:4] == [
        "Small areas from units: nested-error model fit by REML",
        "Formula: CornHec ~ CornPix + SoyBeansPix + (1 | County)",
        "Areas: 12 estimated, 12 with sample; 36 units",
        "Variance between areas 140.02, of units 147.27",
    ]
    assert text == repr(estimate(population_sizes="PopnSegments"))
    assert estimate()._repr_html_().startswith("<pre>Small areas")


def test_a_long_table_is_cut(unbalanced):
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(50), 3)
    found = me.sae.unit_level("y ~ 1", {"g": g, "y": rng.normal(size=50)[g] + rng.normal(size=150)}, area="g")
    assert "... 50 areas; all of them by to_frame()" in str(found)
    assert len(str(found).splitlines()) < 40


def test_a_variance_of_zero_is_said():
    y = np.array([1.0, 2.0, 3.0] * 4)
    with pytest.warns(me.SingularFitWarning):
        found = me.sae.unit_level("y ~ 1", {"y": y, "g": np.repeat(np.arange(4), 3)}, area="g")
    assert "estimated as 0" in str(found)
    np.testing.assert_allclose(found.eblup, 2.0, rtol=1e-12)
    assert np.isfinite(found.mse).all()
    assert (found.mse > 0.0).all()


WRONG = [
    ({"area": "county"}, me.DataError, "no column 'county' in the data; did you mean 'County'"),
    ({"area": 3}, me.DataError, "area=3"),
    ({"formula": "CornHec ~ Corn"}, me.DataError, "no column 'Corn'"),
    ({"formula": "CornHec ~ CornPix + offset(SoyBeansPix)"}, me.FormulaError, "offset"),
    ({"formula": "CornHec ~ CornPix + (CornPix | County)"}, me.FormulaError, "one random effect"),
    ({"formula": 3}, me.FormulaError, "a formula is a text"),
    ({"population_means": None}, me.DataError, "population_means must give the means of CornPix, SoyBeansPix"),
    ({"population_means": 3}, me.DataError, "population_means of type int cannot be read"),
    ({"population_sizes": "N"}, me.DataError, "no column 'N' in population_means"),
    ({"population_sizes": {1: 500}}, me.DataError, "no size for areas 2, 3, 4, 5, 6 and 6 more"),
    ({"population_sizes": dict.fromkeys(range(1, 13), 3)}, me.DataError, "smaller than the sample for areas 9, 10"),
    ({"population_sizes": dict.fromkeys(range(1, 13), 0)}, me.DataError, "not a positive number for areas 1, 2"),
    ({"method": "REML"}, me.DataError, "method='REML' is not known; choose 'reml' or 'ml'"),
    ({"mse": "jackknife"}, me.DataError, "mse='jackknife'"),
    ({"unsampled": "keep"}, me.DataError, "unsampled='keep'"),
    ({"without_means": "keep"}, me.DataError, "without_means='keep'"),
    ({"n_bootstrap": 1}, me.DataError, "n_bootstrap=1"),
]


@pytest.mark.parametrize(("changes", "error", "says"), WRONG)
def test_refused(estimate, changes, error, says):
    with pytest.raises(error, match=says):
        estimate(**changes)


def test_refused_population_means(estimate, counties):
    def changed(**columns):
        return counties.assign(**columns)

    for frame, says in (
        (pd.concat([counties, counties.iloc[:1]]), "several rows for area 1;"),
        (counties.drop(columns="CornPix"), "has no column 'CornPix': it needs one for each coefficient"),
        (changed(CornPix=counties["CornPix"].astype(str)), "'CornPix' of population_means is not numeric"),
        (changed(CornPix=counties["CornPix"].where(counties["County"] > 2)), "missing or infinite for areas 1, 2;"),
        (changed(CornPix=np.inf), "missing or infinite for areas 1, 2, 3, 4, 5 and 7 more"),
        (changed(County=counties["County"].where(counties["County"] != 4)), "has no area in row 3"),
        (changed(County=[f"c{i}" for i in range(12)]), "lacks areas 1, 2, 3, 4, 5 and 7 more"),
        (counties.drop(columns="County"), "no column 'County' in population_means"),
    ):
        with pytest.raises(me.DataError, match=says):
            estimate(population_means=frame)
    with pytest.raises(me.DataError, match="no area of population_means is in the data"):
        estimate(population_means=changed(County=[f"c{i}" for i in range(12)]), without_means="drop", unsampled="drop")
