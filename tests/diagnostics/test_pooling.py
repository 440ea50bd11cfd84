"""No, complete and partial pooling: R, dense least squares, and the identity between modes and shrinkage matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from support.compare import assert_close
from support.fits import quiet_fit
from support.reference import load_case, load_data

import mixedeffects as me
from mixedeffects.diagnostics.grouping import group_effects
from mixedeffects.diagnostics.shrinkage import pooling_factors
from mixedeffects.results.pooling import compare_pooling, lm_list

if TYPE_CHECKING:
    import pandas as pd

R = load_case("pooling", "pooling")
CROSS = "rt ~ a*B + (1+a+B|subj) + (1+B|item)"


def uneven() -> pd.DataFrame:
    data = load_data("sleepstudy").drop(index=[*range(7), 14, 15, 32, 33, 34, 35, 69])
    return data.assign(w=(1.0 + np.arange(180) % 4)[data.index], o=(3.0 * np.arange(180) % 11)[data.index])


MODELS = {
    "slopes": lambda: quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    "weights and offset": lambda: me.lmer("Reaction ~ Days + (Days | Subject)", uneven(), weights="w", offset="o"),
    "intercepts, weights": lambda: me.lmer("Reaction ~ Days + (1 | Subject)", uneven(), weights="w", reml=False),
    "two terms": lambda: me.lmer("Reaction ~ Days + I(Days**2) + (Days || Subject)", uneven()),
    "the same column twice": lambda: quiet_fit("Reaction ~ Days + (1 | Subject) + (Days | Subject)", "sleepstudy"),
    "no fixed slope": lambda: me.lmer("Reaction ~ 1 + (Days | Subject)", uneven()),
    "no fixed part": lambda: quiet_fit("Reaction ~ 0 + (Days | Subject)", "sleepstudy"),
    "nested": lambda: quiet_fit("strength ~ 1 + (1 | batch/cask)", "Pastes"),
    "crossed": lambda: quiet_fit("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
    "crossed, singular": lambda: quiet_fit(CROSS, "sim_cross"),
    "zero variance": lambda: quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2"),
    "between levels": lambda: quiet_fit("distance ~ age*Sex + (age | Subject)", "Orthodont"),
    "factor": lambda: quiet_fit("score ~ Machine + (Machine | Worker)", "Machines"),
}
PAIRS = [(name, group) for name, make in MODELS.items() for group in make().ngroups]


@pytest.mark.parametrize(("name", "group"), PAIRS)
def test_modes_are_shrunken_own_estimates(name: str, group: str) -> None:
    """b_j = Lambda_j d_j, with any number of factors, weights, an offset and singular covariances."""
    fit = MODELS[name]()
    found = compare_pooling(fit, group=group).found
    k = len(found.effects.names)
    pulled = found.center + np.einsum("jab,jb->ja", found.matrices, found.own - found.center)
    assert_close(pulled, found.partial_pooling.value[:, :k], 1e-9)
    values = np.linalg.eigvals(found.matrices)
    assert np.abs(values.imag).max() < 1e-6
    assert values.real.min() > -1e-10
    assert values.real.max() < 1.0


@pytest.mark.parametrize(("name", "group"), PAIRS)
def test_matrices_by_their_definition(name: str, group: str) -> None:
    """Sigma (Sigma + sigma^2 (Z_j'WZ_j)^-1)^-1 from dense blocks, as (I + S A)^-1 S A where A has no inverse."""
    fit = MODELS[name]()
    found = compare_pooling(fit, group=group).found
    effects = found.effects
    w = np.ones(fit.nobs) if fit.design.weights is None else fit.design.weights
    for j in range(0, effects.factor.n_levels, 5):
        rows = effects.factor.codes == j
        Z = np.column_stack([column[rows] for column in effects.columns])
        A = Z.T @ (w[rows, None] * Z)
        S = effects.relative
        expected = np.linalg.solve(np.eye(len(S)) + S @ A, S @ A)
        assert_close(found.matrices[j], expected, 1e-8, scale=1.0)


FOLDED = {("between levels", "Subject"), ("crossed, singular", "item")}  # a fixed column is constant within the levels


@pytest.mark.parametrize(("name", "group"), [pair for pair in PAIRS if pair not in FOLDED])
def test_partial_pooling_is_coef(name: str, group: str) -> None:
    fit = MODELS[name]()
    found, frame = compare_pooling(fit, group=group), fit.coef[group]
    assert set(found.partial_pooling.columns) == set(frame.columns)
    assert_close(found.partial_pooling[list(frame.columns)], frame.to_numpy(), 1e-12)


def test_balanced_one_way_layout() -> None:
    fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    found = compare_pooling(fit)
    data = load_data("Dyestuff")
    means = data.groupby("Batch", observed=True)["Yield"].mean()
    s2, g2 = fit.sigma**2, fit.varcorr.covariance["Batch"].iloc[0, 0]
    weight = g2 / (g2 + s2 / 5)
    np.testing.assert_allclose(found.shrinkage, weight, rtol=1e-10)
    assert_close(found.no_pooling["Intercept"], means, 1e-12)
    assert_close(found.complete_pooling["Intercept"], np.full(6, data["Yield"].mean()), 1e-12)
    assert_close(found.partial_pooling["Intercept"], weight * means + (1 - weight) * means.mean(), 1e-12)
    # E V(b) = V(E b) + K (1 - 1/J) J / (J - 1) with K = g2 (1 - weight): the mean of the levels carries no information
    spread = (weight * means).var(ddof=1)
    expected = 1 - spread / (spread + g2 * (1 - weight))
    assert found.pooling_factors["Intercept"] == pytest.approx(expected, rel=1e-9)


def test_random_slopes_without_pooling_are_lm_list() -> None:
    found = compare_pooling(MODELS["weights and offset"]())
    separate = lm_list("Reaction ~ Days | Subject", uneven(), weights="w", offset="o")
    assert_close(found.no_pooling, separate.coef.to_numpy(), 1e-11)
    errors = found.to_frame()["no_pooling_se"].to_numpy().reshape(-1, 2)
    assert_close(errors, separate.std_errors.to_numpy(), 1e-9)
    assert found.found.sigma[0] == pytest.approx(separate.pooled_sd, rel=1e-10)
    assert_close(found.own, separate.coef.to_numpy(), 1e-10)


def test_random_intercepts_against_r() -> None:
    found = compare_pooling(
        "Reaction ~ Days + (1 | Subject)", uneven(), weights="w", control=me.Control(tolerance=1e-12)
    )
    dummies = R["dummies"]
    coef, se = np.array(dummies["coef"]), np.array(dummies["se"])
    assert_close(found.no_pooling["Intercept"], coef[:-1], 1e-11)
    assert_close(found.no_pooling["Days"], np.full(18, coef[-1]), 1e-11)
    frame = found.to_frame()
    assert_close(frame.loc[frame["term"] == "Intercept", "no_pooling_se"], se[:-1], 1e-10)
    assert_close(frame.loc[frame["term"] == "Days", "no_pooling_se"], np.full(18, se[-1]), 1e-10)
    assert found.found.sigma[0] == pytest.approx(dummies["sigma"], rel=1e-11)
    assert found.found.df_resid[0] == dummies["df"]
    complete = R["complete"]["coef"], R["complete"]["se"]
    assert_close(frame["complete_pooling"].to_numpy()[:2], complete[0], 1e-11)
    assert_close(frame["complete_pooling_se"].to_numpy()[:2], complete[1], 1e-11)
    assert_close(found.partial_pooling, R["partial"]["coef"], 1e-6)


def prediction_errors(fit: me.LmmResult) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of (beta_hat - beta, b_hat - b) from Henderson's equations, and the labels of b, dense."""
    X, Z = fit.design.X, fit.design.Z.toarray()
    w = np.ones(fit.nobs) if fit.design.weights is None else fit.design.weights
    L = fit.design.Lambda.toarray()
    p, C = X.shape[1], np.hstack([X, Z @ L])
    inner = C.T @ (w[:, None] * C)
    inner[p:, p:] += np.eye(L.shape[1])
    back = np.eye(len(inner))
    back[p:, p:] = L
    return fit.sigma**2 * back @ np.linalg.inv(inner) @ back.T, fit.design.Z_labels()


@pytest.mark.parametrize(("name", "group"), [pair for pair in PAIRS if pair not in FOLDED])
def test_standard_errors_of_partial_pooling(name: str, group: str) -> None:
    fit = MODELS[name]()
    errors, labels = prediction_errors(fit)
    found = compare_pooling(fit, group=group)
    frame = found.to_frame()
    names, p = list(fit.design.names), len(fit.design.names)
    keys = np.array([key.split(".")[0] for key in labels.key])
    for row in frame.iloc[:: max(1, len(frame) // 7)].itertuples():
        select = np.zeros(len(errors))
        if row.term in names:
            select[names.index(row.term)] = 1.0
        select[p:][(keys == group) & (labels.level == row.level) & (labels.column == row.term)] = 1.0
        assert row.partial_pooling_se == pytest.approx(np.sqrt(select @ errors @ select), rel=1e-7)


@pytest.mark.parametrize(("name", "group"), PAIRS)
def test_pooling_factors_by_dense_matrices(name: str, group: str) -> None:
    fit = MODELS[name]()
    errors, labels = prediction_errors(fit)
    effects = group_effects(fit, group)
    found = pooling_factors(effects)
    keys = np.array([key.split(".")[0] for key in labels.key])
    p, J = len(fit.design.names), effects.factor.n_levels
    for c, column in enumerate(effects.names):
        rows = np.zeros((J, len(errors)))
        for j, level in enumerate(effects.factor.labels):
            rows[j, p:][(keys == group) & (labels.level == level) & (labels.column == column)] = 1.0
        C = rows @ errors @ rows.T
        spread = effects.modes[:, c].var(ddof=1)
        center = np.eye(J) - 1.0 / J
        total = spread + np.trace(center @ C) / (J - 1)
        expected = 1.0 - spread / total if effects.relative[c, c] > 0 else 1.0
        # a variance that is all but 0 leaves few digits in the difference
        assert found[c] == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_columns_between_levels_are_counted_into_the_levels() -> None:
    """Sex is a property of the child: without pooling it cannot be told from the child's own line."""
    fit = MODELS["between levels"]()
    found = compare_pooling(fit)
    assert found.found.terms == ("Intercept", "age")
    assert "Sex[T.Female], age:Sex[T.Female]" in found.notes[0]
    coef, beta = fit.coef["Subject"], fit.fixef
    girls = [level for level in coef.index if level.startswith("F")]
    boys = [level for level in coef.index if level.startswith("M")]
    assert_close(found.partial_pooling.loc[boys, "age"], coef.loc[boys, "age"], 1e-10)
    shifted = coef.loc[girls, "age"] + beta["age:Sex[T.Female]"]
    assert_close(found.partial_pooling.loc[girls, "age"], shifted, 1e-10)
    separate = lm_list("distance ~ age | Subject", load_data("Orthodont"))
    assert_close(found.no_pooling, separate.coef.to_numpy(), 1e-10)
    errors, labels = prediction_errors(fit)
    select = np.zeros(len(errors))
    select[[list(fit.design.names).index(name) for name in ("age", "age:Sex[T.Female]")]] = 1.0
    select[4:][(labels.level == "F01") & (labels.column == "age")] = 1.0
    frame = found.to_frame()
    row = frame[(frame["level"] == "F01") & (frame["term"] == "age")].iloc[0]
    assert row["partial_pooling_se"] == pytest.approx(np.sqrt(select @ errors @ select), rel=1e-8)


def test_common_columns_without_pooling() -> None:
    """Levels' lines with a common square: against one dense regression."""
    data = uneven()
    found = compare_pooling("Reaction ~ Days + I(Days**2) + (Days | Subject)", data)
    codes = data["Subject"].cat.codes.to_numpy()
    own = np.eye(18)[codes]
    days = data["Days"].to_numpy(dtype=float)
    X = np.hstack([own, own * days[:, None], days[:, None] ** 2])
    b, *_ = np.linalg.lstsq(X, data["Reaction"].to_numpy(), rcond=None)
    s2 = np.sum((data["Reaction"].to_numpy() - X @ b) ** 2) / (len(X) - 37)
    se = np.sqrt(s2 * np.diag(np.linalg.inv(X.T @ X)))
    assert_close(found.no_pooling[["Intercept", "Days"]], b[:36].reshape(2, 18).T, 1e-9)
    frame = found.to_frame().pivot(index="level", columns="term", values="no_pooling_se")
    assert_close(frame[["Intercept", "Days"]], se[:36].reshape(2, 18).T, 1e-8)
    assert_close(frame["I(Days ** 2)" if "I(Days ** 2)" in frame else "I(Days**2)"], np.full(18, se[36]), 1e-8)


def test_a_level_of_one_row_has_no_estimate_of_its_own() -> None:
    data = load_data("sleepstudy")
    data = data.drop(index=data.index[(data["Subject"] == "308") & (data["Days"] != 5)])
    found = compare_pooling("Reaction ~ Days + (Days | Subject)", data)
    assert found.no_pooling.loc["308"].isna().all()
    assert found.partial_pooling.loc["308"].notna().all()
    assert found.no_pooling.drop(index="308").notna().all(axis=None)
    assert any("1 of 18 levels" in note for note in found.notes)
    # one row carries information in one direction only
    assert np.linalg.matrix_rank(found.shrinkage_matrix("308"), tol=1e-8) == 1
    assert found.shrinkage.loc["308", "mean"] < found.shrinkage["mean"].drop(index="308").min()


def test_zero_variance_is_complete_pooling() -> None:
    found = compare_pooling(MODELS["zero variance"]())
    assert (found.shrinkage == 0.0).all(axis=None)
    assert_close(found.partial_pooling, found.complete_pooling.to_numpy(), 1e-12)
    assert found.pooling_factors["Intercept"] == 1.0
    assert any("estimated as 0" in note for note in found.notes)


def test_weights_towards_the_limits() -> None:
    """A large variance is no pooling; the trace does not depend on where the slope's intercept lies."""
    large = compare_pooling(
        "Reaction ~ Days + (Days | Subject)", uneven(), control=me.Control(fixed_theta=[1e4, 0.0, 1e4])
    )
    assert_close(large.partial_pooling, large.no_pooling.to_numpy(), 1e-6)
    data = uneven().assign(Later=lambda d: d["Days"] - 4.5)
    early = compare_pooling("Reaction ~ Days + (Days | Subject)", data)
    late = compare_pooling("Reaction ~ Later + (Later | Subject)", data)
    assert_close(early.shrinkage["mean"], late.shrinkage["mean"], 1e-6)
    assert np.abs(early.shrinkage["Intercept"] - late.shrinkage["Intercept"]).max() > 0.01


def test_several_factors_are_named() -> None:
    fit = MODELS["crossed"]()
    with pytest.raises(me.DataError, match="plate, sample"):
        compare_pooling(fit)
    with pytest.raises(me.DataError, match="'batch' is no grouping factor"):
        compare_pooling(fit, group="batch")
    assert compare_pooling(fit, group="sample").notes == (
        "Only partial pooling takes account of plate.",
        "The weights (shrinkage) take the effects of plate as known; reliability counts their uncertainty.",
    )


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("intercepts, weights", "Subject"),
        ("nested", "cask:batch"),
        ("nested", "batch"),
        ("crossed", "plate"),
        ("crossed", "sample"),
        ("zero variance", "Batch"),
    ],
)
def test_reliability_is_the_share_of_the_variance_that_the_data_take_away(name: str, group: str) -> None:
    """From the dense var(b) - var(b | y) = Sigma Z'V^-1 Z Sigma, and from the conditional variances of `ranef`."""
    fit = MODELS[name]()
    found = compare_pooling(fit, group=group).to_frame()
    first = found[found["term"] == "Intercept"]
    reliability = first["reliability"].to_numpy()
    labels = fit.design.Z_labels()
    at = np.flatnonzero(labels.key == group)
    assert labels.level[at].tolist() == first["level"].tolist()
    variance = fit.varcorr.covariance[group].iloc[0, 0]
    if variance == 0.0:
        assert (reliability == 0.0).all()
        return
    Z = fit.design.Z.toarray()[:, at]
    assert_close(reliability, variance * np.diag(Z.T @ np.linalg.solve(fit.design.V(), Z)), 1e-9)
    condvar = fit.ranef.condvar[group]
    assert_close(reliability, 1.0 - np.asarray(condvar).reshape(-1) / variance, 1e-12)
    if len(fit.ngroups) == 1:
        assert_close(reliability, first["shrinkage"].to_numpy(), 1e-10)
        assert found.loc[found["term"] != "Intercept", "reliability"].isna().all()
    else:
        assert (reliability < first["shrinkage"].to_numpy()).all()


def test_reliability_is_that_of_a_random_intercept_by_itself() -> None:
    assert "reliability" not in compare_pooling(MODELS["slopes"]()).to_frame()
    assert compare_pooling(MODELS["crossed, singular"](), group="item").notes[-1].endswith("as known.")


def test_arguments() -> None:
    fit = MODELS["slopes"]()
    with pytest.raises(me.DataError, match="'reml' goes with a formula"):
        compare_pooling(fit, reml=False)
    with pytest.raises(me.DataError, match="'weight' is no option"):
        compare_pooling("Reaction ~ Days + (1 | Subject)", load_data("sleepstudy"), weight="w")
    with pytest.raises(me.DataError, match="needs data"):
        compare_pooling("Reaction ~ Days + (1 | Subject)")
    with pytest.raises(me.FormulaError, match="int"):
        compare_pooling(3)
    with pytest.raises(me.DataError, match="no level '999'"):
        compare_pooling(fit).shrinkage_matrix(999)


def test_a_formula_is_fitted_as_lmer_does() -> None:
    data = uneven()
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", data, reml=False, weights="w", offset="o")
    found = compare_pooling("Reaction ~ Days + (Days | Subject)", data, reml=False, weights="w", offset="o")
    assert found.fit.criterion == fit.criterion
    with pytest.warns(me.SingularFitWarning):
        compare_pooling("Yield ~ 1 + (1 | Batch)", load_data("Dyestuff2"))


def test_frames_and_print() -> None:
    pandas = load_data("sleepstudy").astype({"Subject": str})
    found = compare_pooling("Reaction ~ Days + (Days | Subject)", pandas)
    frame = found.to_frame()
    heads = ["group", "level", "term", "no_pooling", "complete_pooling", "partial_pooling", "shrinkage", "n"]
    assert list(frame.columns)[:8] == heads
    assert frame["n"].eq(10).all()
    other = compare_pooling("Reaction ~ Days + (Days | Subject)", pl.from_pandas(pandas))
    assert isinstance(other.to_frame(), pl.DataFrame)
    assert np.array_equal(other.to_frame()["shrinkage"].to_numpy(), frame["shrinkage"].to_numpy())
    assert list(found.wide.columns)[:2] == [("Intercept", "no_pooling"), ("Intercept", "complete_pooling")]
    assert_close(found.wide["Days", "partial_pooling"], found.partial_pooling["Days"], 0.0)
    assert "36 rows" in repr(found)
    assert "<table" in found._repr_html_()
    with pytest.raises(AttributeError):
        found.found = None
