"""Separate regressions against lme4's lmList, R's lm, and least squares group by group."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.compare import assert_close
from support.reference import load_case, load_data

import mixedeffects as me
from mixedeffects.diagnostics.level_qr import level_qr, level_regressions
from mixedeffects.results.pooling import lm_list

R = load_case("pooling", "pooling")


def ragged(seed: int = 3, sizes: tuple[int, ...] = (1, 2, 3, 5, 9, 4, 12, 3)) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    n = g.size
    data = {"y": 1e3 + rng.normal(size=n), "x": 50 + rng.normal(size=n), "z": rng.normal(size=n), "g": g}
    return pd.DataFrame(data).assign(w=rng.uniform(0.5, 3, n), o=rng.normal(size=n))


@pytest.mark.parametrize("formula", ["Reaction ~ Days | Subject", "Reaction ~ (Days | Subject)"])
def test_lme4_sleepstudy(formula: str) -> None:
    case = load_case("lmlist_sleep", "pooling")
    found = lm_list(formula, load_data("sleepstudy"))
    assert list(found.coef.index) == case["coef"]["rows"]
    assert list(found.coef.columns) == ["Intercept", "Days"]
    assert_close(found.coef, case["coef"]["values"], 1e-12)
    assert found.pooled_sd == pytest.approx(case["pooled_sd"], rel=1e-12)
    assert found.formula == formula


def test_lme4_orthodont() -> None:
    case = load_case("lmlist_orthodont", "pooling")
    found = lm_list("distance ~ I(age-11) | Subject", load_data("Orthodont"))
    assert_close(found.coef.loc[case["coef"]["rows"]], case["coef"]["values"], 1e-12)
    assert found.pooled_sd == pytest.approx(case["pooled_sd"], rel=1e-12)


@pytest.mark.parametrize(("name", "dropped"), [("sleep", []), ("unbalanced", [*range(7), 14, 15, 32, 33, 34, 35, 69])])
def test_intervals_of_lme4(name: str, dropped: list[int]) -> None:
    data = load_data("sleepstudy")
    found = lm_list("Reaction ~ Days | Subject", data.drop(index=dropped))
    assert_close(found.coef, R[name]["coef"], 1e-11)
    for pool, key in ((True, "pooled"), (False, "own")):
        frame = found.to_frame(pool=pool)
        # R's columns: lower and upper of the intercept, then of the slope
        limits = frame[["lower", "upper"]].to_numpy().reshape(-1, 4)
        assert_close(limits, np.array(R[name][key], dtype=float), 1e-10)


def test_weights_as_lm_has_them() -> None:
    data = load_data("sleepstudy").assign(w=1 + np.arange(180) % 4)
    found = lm_list("Reaction ~ Days | Subject", data, weights="w")
    expected = np.array(R["weighted"])
    own = found.to_frame(pool=False)["std_error"].to_numpy().reshape(-1, 2)
    assert_close(np.column_stack([found.coef, own, found.sigma]), expected, 1e-12)
    rss = (expected[:, 4] ** 2 * 8).sum()
    assert found.pooled_sd == pytest.approx(np.sqrt(rss / (18 * 8)), rel=1e-12)


@pytest.mark.filterwarnings("ignore::mixedeffects.RankDeficiencyWarning")
@pytest.mark.parametrize("weighted", [False, True])
def test_group_by_group(weighted: bool) -> None:
    """Ragged groups with an offset, in mixed order: a loop of least squares, by R's rule where deficient."""
    data = ragged()
    found = lm_list("y ~ x + z | g", data, offset="o", weights="w" if weighted else None)
    for level, part in data.groupby("g"):
        root = np.sqrt(part["w"].to_numpy()) if weighted else np.ones(len(part))
        X = root[:, None] * np.column_stack([np.ones(len(part)), part["x"], part["z"]])
        kept = min(3, len(part))
        b, *_ = np.linalg.lstsq(X[:, :kept], root * (part["y"] - part["o"]).to_numpy(), rcond=None)
        coef = found.coef.loc[str(level)].to_numpy()
        np.testing.assert_allclose(coef[:kept], b, rtol=1e-8)
        assert np.isnan(coef[kept:]).all()
        rest = root * (part["y"] - part["o"]).to_numpy() - X[:, :kept] @ b
        assert found.df_resid[str(level)] == len(part) - kept
        if len(part) > kept:
            assert found.sigma[str(level)] == pytest.approx(np.sqrt(rest @ rest / (len(part) - kept)), rel=1e-7)
    assert found.pooled_df == found.df_resid.sum()


def test_deficient_groups_are_counted_once() -> None:
    with pytest.warns(me.RankDeficiencyWarning, match=r"In 2 of 8 groups of 'g' \('0', '1'\)") as caught:
        found = lm_list("y ~ x + z | g", ragged())
    assert len(caught) == 1
    assert found.notes
    assert "2 of 8 groups" in repr(found)
    frame = found.to_frame(pool=False)
    assert frame.loc[frame["level"] == "2", "std_error"].isna().all()  # three rows for three coefficients
    assert frame.loc[frame["level"] == "2", "estimate"].notna().all()
    assert found.std_errors.loc["2"].notna().all()  # from the pooled standard deviation


def test_a_column_that_is_constant_in_a_group_is_aliased_there() -> None:
    data = pd.DataFrame({"y": [1.0, 2.0, 4.0, 1.0, 3.0, 2.5], "x": [1.0, 2.0, 3.0, 7.0, 7.0, 7.0], "g": list("aaabbb")})
    with pytest.warns(me.RankDeficiencyWarning):
        found = lm_list("y ~ x | g", data)
    assert found.coef.loc["b"].tolist() == pytest.approx([6.5 / 3, np.nan], nan_ok=True)
    assert found.df_resid.tolist() == [1, 2]


def test_encodings_look_at_all_rows() -> None:
    """Levels, knots and polynomials are those of the whole data, as in one regression with interactions."""
    data = load_data("sleepstudy")
    found = lm_list("Reaction ~ poly(Days, 2) | Subject", data)
    quadratic = lm_list("Reaction ~ Days + I(Days**2) | Subject", data)
    assert found.pooled_sd == pytest.approx(quadratic.pooled_sd, rel=1e-10)
    assert_close(found.coef.mean()["Intercept"], data["Reaction"].mean(), 1e-12)
    machines = lm_list("score ~ Machine | Worker", load_data("Machines"), contrasts={"Machine": "sum"})
    means = load_data("Machines").groupby("Worker", observed=True)["score"].mean()
    assert_close(machines.coef["Intercept"].loc[means.index], means, 1e-12)


def test_interaction_of_groups_one_level_and_one_row() -> None:
    data = load_data("Machines")
    found = lm_list("score ~ 1 | Worker:Machine", data)
    cells = data.groupby(["Worker", "Machine"], observed=True)["score"].mean()
    assert_close(found.coef["Intercept"], cells, 1e-12)
    assert found.coef.index.name == "Worker:Machine"
    one = lm_list("Reaction ~ Days | g", load_data("sleepstudy").assign(g="all"))
    assert one.coef.shape == (1, 2)
    assert_close(one.coef.to_numpy()[0], [251.40510485, 10.46728596], 1e-9)
    single = lm_list("y ~ 1 | g", {"y": [1.0, 2.0, 4.0], "g": [1, 2, 3]})
    assert single.coef["Intercept"].tolist() == [1.0, 2.0, 4.0]
    assert np.isnan(single.pooled_sd)
    assert single.to_frame()["lower"].isna().all()


def test_missing_rows_and_zero_weights() -> None:
    data = load_data("sleepstudy")
    data["w"] = 1.0
    data.loc[[3, 4], "w"] = 0.0
    data.loc[20, "Reaction"] = np.nan
    with pytest.warns(me.DroppedRowsWarning, match="3 of 180 rows"):
        found = lm_list("Reaction ~ Days | Subject", data, weights="w")
    expected = lm_list("Reaction ~ Days | Subject", data.drop(index=[3, 4, 20]))
    assert_close(found.coef, expected.coef, 1e-12)
    with pytest.raises(me.DataError, match="row 20"):
        lm_list("Reaction ~ Days | Subject", data, missing="raise")
    with pytest.warns(me.DroppedRowsWarning):
        logs = lm_list("Reaction ~ log(Days - 0.5) | Subject", load_data("sleepstudy"))
    assert logs.nobs.eq(9).all()


def test_a_fixed_part_is_said_to_be_unused() -> None:
    data = load_data("sleepstudy")
    same = lm_list("Reaction ~ Days + (Days | Subject)", data)
    assert same.notes == ()
    other = lm_list("Reaction ~ I(Days**2) + (Days | Subject)", data)
    assert "is not used" in other.notes[0]
    assert_close(other.coef, same.coef, 1e-14)


@pytest.mark.parametrize(
    ("formula", "match"),
    [
        ("Reaction ~ Days", "names no groups"),
        ("Reaction ~ (1 | Subject) + (Days | Subject)", "2 terms with a bar"),
        ("Reaction ~ Days | Subject | Days", "bar"),
        ("Reaction ~ Days |", "grouping|after|bar"),
        (3, "a formula is a str"),
    ],
)
def test_formulas_that_are_refused(formula: object, match: str) -> None:
    with pytest.raises(me.FormulaError, match=match):
        lm_list(formula, load_data("sleepstudy"))


def test_the_callers_library() -> None:
    pandas = load_data("sleepstudy").astype({"Subject": str})
    polars = pl.from_pandas(pandas)
    expected = lm_list("Reaction ~ Days | Subject", pandas)
    for data, kind in ((polars, pl.DataFrame), (polars.to_arrow(), type(polars.to_arrow()))):
        found = lm_list("Reaction ~ Days | Subject", data)
        frame = found.to_frame()
        assert isinstance(frame, kind)
        assert np.array_equal(np.array(frame["estimate"]), expected.to_frame()["estimate"].to_numpy())
        assert isinstance(found.coef, pd.DataFrame)
    assert "<table" in expected._repr_html_()


def test_shift_and_scale_cost_no_digits() -> None:
    """A far origin of x and y within R's rule: the slope keeps its digits."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(30), 7), rng.normal(size=210)
    y = 2 * x + rng.normal(size=210)
    near = level_regressions(y, [np.ones(210), x], g, 30)
    far = level_regressions(y + 1e6, [np.ones(210), x + 1e5], g, 30)
    np.testing.assert_allclose(far.coef[:, 1], near.coef[:, 1], rtol=1e-8)
    np.testing.assert_allclose(far.rss, near.rss, rtol=1e-8)


def test_qr_reproduces_the_columns() -> None:
    rng = np.random.default_rng(2)
    g, w = np.repeat(np.arange(5), 6), rng.uniform(1, 2, 30)
    Z = rng.normal(size=(30, 3))
    Z[g == 2, 1] = 3 * Z[g == 2, 0]
    qr = level_qr(list(Z.T), g, 5, w)
    rebuilt = np.einsum("nk,nkl->nl", qr.Q, qr.R[g])
    np.testing.assert_allclose(rebuilt, np.sqrt(w)[:, None] * Z, atol=1e-13)
    assert qr.kept.tolist() == [[True, j != 2, True] for j in range(5)]
    assert qr.estimable().tolist() == [[j != 2, j != 2, True] for j in range(5)]


def test_ten_thousand_groups_in_a_moment() -> None:
    rng = np.random.default_rng(4)
    n = 100_000
    data = {"y": rng.normal(size=n), "x": rng.normal(size=n), "g": rng.integers(0, 10_000, n)}
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lm_list("y ~ x | g", data).to_frame()
    assert time.perf_counter() - start < 5.0


def test_a_name_without_its_backticks_is_told():
    frame = pd.DataFrame({"RT ms": [1.0, 2.0, 3.0, 5.0] * 2, "x": [0.0, 1.0, 2.0, 3.0] * 2, "g": [1] * 4 + [2] * 4})
    with pytest.raises(me.FormulaError, match=r"write\n  `RT ms` ~ \(x \| g\)"):
        me.lm_list("RT ms ~ x | g", frame)
