"""tidy, glance, augment: broom.mixed's columns, in the caller's own data-frame library."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats
from support import reference

import mixedeffects as me

FORMULA = "course ~ gender + (1 | school)"
LIBRARIES = {
    "pandas": (lambda frame: frame, pd.DataFrame),
    "polars": (pl.from_pandas, pl.DataFrame),
    "pyarrow": (lambda frame: pa.Table.from_pandas(frame, preserve_index=False), pa.Table),
    "dict": (lambda frame: {name: frame[name].to_numpy() for name in frame}, pd.DataFrame),
}


@pytest.fixture(scope="module", params=LIBRARIES)
def library(request):
    """The data in one library, the fit to them, and the type that tables must have."""
    convert, expected = LIBRARIES[request.param]
    frame = reference.load_data("Gcsemv")[["school", "gender", "course"]]
    frame[["school", "gender"]] = frame[["school", "gender"]].astype(object)
    data = convert(frame)
    with pytest.warns(me.DroppedRowsWarning, match="180 of 1905 rows"):
        return data, me.lmer(FORMULA, data), expected


def columns(table) -> list[str]:
    return table.column_names if isinstance(table, pa.Table) else list(table.columns)


def values(table, name) -> list:
    return table[name].to_pylist() if isinstance(table, pa.Table) else table[name].to_list()


def n_rows(table) -> int:
    return table.num_rows if isinstance(table, pa.Table) else len(table)


def test_tables_come_in_the_library_of_the_data(library):
    data, fit, expected = library
    for table in (
        fit.tidy(),
        fit.glance(),
        fit.augment(),
        fit.augment(data),
        fit.varcorr.to_frame(),
        fit.ranef.to_frame(),
        fit.coef.to_frame(),
    ):
        assert type(table) is expected


def test_named_vectors_and_matrices_are_pandas_for_all(library):
    _, fit, _ = library
    assert isinstance(fit.fixef, pd.Series)
    assert isinstance(fit.vcov, pd.DataFrame)
    assert isinstance(fit.ranef["school"], pd.DataFrame)


def test_the_numbers_are_the_same_in_all(library, gaps):
    _, fit, _ = library
    assert fit.criterion == pytest.approx(gaps.criterion, rel=1e-12)
    assert values(fit.tidy(), "estimate") == pytest.approx(gaps.tidy()["estimate"].tolist(), rel=1e-8)
    by_level = dict(zip(values(fit.ranef.to_frame(), "level"), values(fit.ranef.to_frame(), "estimate"), strict=True))
    modes = gaps.ranef["school"]["Intercept"]
    assert by_level == pytest.approx(modes.to_dict(), rel=1e-6, abs=1e-8)


def test_tidy_columns_and_nulls(library):
    _, fit, expected = library
    table = fit.tidy()
    assert columns(table) == ["effect", "group", "term", "estimate", "std_error", "statistic"]
    assert values(table, "effect") == ["fixed", "fixed", "ran_pars", "ran_pars"]
    assert values(table, "term") == ["Intercept", "gender[T.M]", "sd__Intercept", "sd__Observation"]
    assert values(table, "group") == [None, None, "school", "Residual"]
    last = values(table, "std_error")[-1]
    assert np.isnan(last) if expected is pd.DataFrame else last is None
    assert values(table, "statistic")[1] == fit.fixef["gender[T.M]"] / fit.std_errors["gender[T.M]"]
    assert values(table, "estimate")[-1] == fit.sigma


def test_glance_is_one_row(library):
    _, fit, _ = library
    table = fit.glance()
    assert columns(table) == ["nobs", "sigma", "loglik", "aic", "bic", "reml_criterion", "df_resid"]
    assert n_rows(table) == 1
    assert values(table, "reml_criterion") == [fit.criterion]
    assert values(table, "nobs") == [1725]


def test_augment_has_a_row_for_every_row_used(library):
    data, fit, _ = library
    added = [".fitted", ".resid", ".hat", ".cooksd", ".fixed", ".mu", ".offset"]
    added += [".sqrtXwt", ".sqrtrwt", ".weights", ".wtres"]
    given, kept = fit.augment(data), fit.augment()
    assert columns(given) == ["school", "gender", "course", *added]
    assert sorted(columns(kept)[:3]) == ["course", "gender", "school"]
    assert columns(kept)[3:] == added
    for table in (given, kept):
        assert n_rows(table) == fit.nobs
        response = np.array(values(table, "course"))
        np.testing.assert_allclose(response, np.array(values(table, ".fitted")) + values(table, ".resid"), rtol=1e-12)
        assert values(table, ".fitted") == fit.fitted.tolist()
        assert values(table, ".weights") == [1.0] * fit.nobs
        assert values(table, ".offset") == [0.0] * fit.nobs
    assert values(given, "school") == [str(level) for level in values(kept, "school")]


def test_glance_of_maximum_likelihood_has_the_deviance():
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", reference.load_data("sleepstudy"), reml=False)
    table = fit.glance()
    assert table.columns.tolist() == ["nobs", "sigma", "loglik", "aic", "bic", "deviance", "df_resid"]
    assert table["deviance"].item() == pytest.approx(1751.9393444632, rel=1e-10)


def test_tidy_of_correlated_effects_as_broom_mixed_orders_them(sleep):
    assert sleep.tidy()["term"].tolist() == [
        "Intercept",
        "Days",
        "sd__Intercept",
        "sd__Days",
        "cor__Intercept.Days",
        "sd__Observation",
    ]


def test_tidy_of_several_terms_on_one_factor(independent):
    table = independent.tidy()
    assert table["group"].tolist()[3:] == ["Worker", "Worker.1", "Worker.2", "Residual"]


def test_tidy_leaves_dropped_coefficients_out(deficient):
    assert "number" not in deficient.tidy()["term"].tolist()


def test_augment_with_weights_and_offset(weighted):
    frame = reference.load_data("sim_cross")
    table = weighted.augment(frame)
    np.testing.assert_allclose(table[".fixed"], weighted.fitted - weighted.design.Z @ modes(weighted), rtol=1e-10)
    np.testing.assert_array_equal(table[".weights"], frame["w"])
    np.testing.assert_array_equal(table[".offset"], frame["off"])
    np.testing.assert_allclose(table[".wtres"], np.sqrt(frame["w"]) * table[".resid"], rtol=1e-12)
    assert ".fitted" not in frame, "the frame given is not changed"


def modes(fit) -> np.ndarray:
    return np.concatenate([part.ravel() for part in fit.solution.b])


@pytest.mark.parametrize("convert", [lambda f: f, pl.from_pandas, lambda f: pa.Table.from_pandas(f), lambda f: dict(f)])
def test_augment_needs_the_rows_that_were_fitted(sleep, convert):
    frame = reference.load_data("sleepstudy")
    assert n_rows(sleep.augment(convert(frame))) == 180
    with pytest.raises(me.DataError, match="data has 10 rows; the model was fitted to data with 180 rows"):
        sleep.augment(convert(frame.head(10)))
    with pytest.raises(me.DataError, match="data of type str cannot be read"):
        sleep.augment("sleepstudy")


def test_augment_of_a_narwhals_frame_is_what_is_inside(sleep):
    import narwhals as nw

    assert isinstance(sleep.augment(nw.from_native(reference.load_data("sleepstudy"))), pd.DataFrame)


def test_augment_keeps_the_index_of_a_pandas_frame():
    frame = reference.load_data("sleepstudy").set_index(np.arange(1000, 1180))
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", frame)
    assert fit.augment(frame).index.tolist() == frame.index.tolist()


def test_tidy_of_conditional_modes_and_of_coefficients_by_level(sleep):
    table = sleep.tidy(["ran_vals", "ran_coefs"], conf_int=True, level=0.9)
    assert table.columns.tolist()[:5] == ["effect", "group", "level", "term", "estimate"]
    modes = table[table["effect"] == "ran_vals"].reset_index(drop=True)
    long = sleep.ranef.to_frame()
    assert modes["estimate"].tolist() == long["estimate"].tolist()
    np.testing.assert_allclose(modes["upper"] - modes["lower"], 2 * 1.6448536269514722 * long["std_error"], rtol=1e-12)
    coefficients = table[table["effect"] == "ran_coefs"]
    assert coefficients["estimate"].tolist() == sleep.coef.to_frame()["estimate"].tolist()


def test_tidy_with_limits_are_those_of_confint(sleep):
    table = sleep.tidy(conf_int=True, method="profile")
    limits = sleep.confint()
    names = ["Intercept", "Days", "sd_Intercept|Subject", "sd_Days|Subject", "cor_Days.Intercept|Subject", "sigma"]
    np.testing.assert_allclose(table[["lower", "upper"]], limits.loc[names], rtol=1e-6)


def test_tidy_with_degrees_of_freedom(sleep):
    table, tests = sleep.tidy("fixed", conf_int=True, ddf="kenward-roger"), sleep.coef_table("kenward-roger")
    for name in ("df", "p_value", "statistic", "std_error"):
        np.testing.assert_allclose(table[name], tests[name], rtol=1e-12)
    half = stats.t.ppf(0.975, tests["df"]) * tests["std_error"]
    np.testing.assert_allclose(table["upper"], tests["estimate"] + half, rtol=1e-12)


def test_tidy_options_that_are_not_known(sleep):
    with pytest.raises(me.DataError, match="effects='random' is not known; choose among 'fixed'"):
        sleep.tidy("random")
    with pytest.raises(me.DataError, match=r"level=95 must lie between 0 and 1"):
        sleep.tidy(level=95)


def test_augment_holds_leverage_and_cooks_distance(weighted):
    table = weighted.augment()
    assert table[".hat"].tolist() == weighted.leverage().tolist()
    assert table[".cooksd"].tolist() == weighted.cooks_distance().tolist()
    np.testing.assert_allclose(table[".sqrtXwt"] ** 2, table[".weights"], rtol=1e-14)


def test_tables_of_parts_can_be_put_under_one_another():
    frame = pl.from_pandas(reference.load_data("sleepstudy").astype({"Subject": str}))
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", frame)
    parts = [fit.tidy(effect, conf_int=True) for effect in ("fixed", "ran_pars")]
    both = pl.concat(parts)
    assert both["group"].dtype == pl.String
    assert both["std_error"].null_count() == both["lower"].null_count() == 4
    assert not both["lower"].is_nan().any()
