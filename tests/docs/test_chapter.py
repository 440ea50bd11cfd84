"""The course in docs/chapter: every item of the text is there once, and the pages state what their cells give."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from support import reference
from support.cells import run_cells

import mixedeffects as me

mpl.use("Agg")

CHAPTER = Path(__file__).parents[2] / "docs" / "chapter"
PAGES = sorted(path.stem for path in CHAPTER.glob("[0-9]*.md"))
ITEMS = [
    *(f"Definition 23.{i}" for i in (1, 2)),
    *(f"Example 23.{i}" for i in range(1, 11)),
    *(f"Figure 23.{i}" for i in (1, 2)),
    *(f"Exercise 23.{i}" for i in (1, 2)),
]


def text_of(page: str) -> str:
    return (CHAPTER / f"{page}.md").read_text(encoding="utf-8")


@cache
def run(number: int) -> SimpleNamespace:
    """Run the cells of a page in order and give its names, and the figures it drew."""
    (page,) = (name for name in PAGES if name.startswith(f"{number:02}-"))
    return run_cells(CHAPTER / f"{page}.md")


def rows_of_the_item_table() -> list[list[str]]:
    index = text_of("index")
    table = index[index.index("| item |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


# ---- the table of items ----------------------------------------------------------------------------------------------


def test_every_item_of_the_chapter_is_in_the_table_once():
    assert sorted(row[0] for row in rows_of_the_item_table()) == sorted(ITEMS)


def test_every_item_has_its_place_on_the_page_that_the_table_names():
    pages = {page: text_of(page) for page in PAGES}
    for item, _, link, _, _ in rows_of_the_item_table():
        label = item.lower().replace(" ", "-").replace(".", "-")
        number, page, anchor = re.fullmatch(r"\[(\d+)\]\((.+)\.md#(.+)\)", link).groups()
        assert page.startswith(f"{int(number):02}-")
        assert anchor == label
        assert [name for name, text in pages.items() if f"({label})=\n" in text] == [page]
        assert re.search(rf"\({label}\)=\n#+ {re.escape(item)}: ", pages[page])


def test_every_item_has_a_test_of_its_own():
    named = [re.fullmatch(r"`(test_\w+)`", row[4]).group(1) for row in rows_of_the_item_table()]
    assert len(set(named)) == len(ITEMS)
    for (item, *_), name in zip(rows_of_the_item_table(), named, strict=True):
        assert name.startswith("test_" + item.lower().replace(" ", "_").replace(".", "_") + "_")
        assert callable(globals()[name])


def test_the_code_that_the_table_names_is_on_the_page():
    for _, _, link, code, _ in rows_of_the_item_table():
        page = text_of(re.search(r"\((.+)\.md#", link).group(1))
        for call in re.findall(r"`([^`]+)`", code):
            name = re.search(r"(\w+)(?:\(.*\))?$", call).group(1)
            assert re.search(rf"\b{name}\b", page), call


def test_all_pages_are_in_the_table_of_contents():
    listed = re.search(r"```\{toctree\}\n:maxdepth: 1\n\n(.*?)\n```", text_of("index"), re.DOTALL).group(1).split()
    assert listed == PAGES


@pytest.mark.parametrize("number", range(1, len(PAGES) + 1))
def test_the_cells_of_the_page_run(number):
    assert run(number) is not None


# ---- page 1 ----------------------------------------------------------------------------------------------------------


def test_example_23_1_small_areas():
    page = run(1)
    assert page.respondents.shape == (1000, 2)
    assert page.by_county["size"].min() == 4
    assert page.by_county["std_error"].max() == 1.0
    assert page.by_county["size"].nlargest(3).min() > 90


def test_example_23_2_sleep_study():
    page = run(1)
    assert page.sleep.groupby("Subject", observed=True)["Days"].nunique().tolist() == [10] * 18
    np.testing.assert_allclose(page.beta, page.model.fixef, rtol=1e-8)
    assert (round(page.se[1], 2), round(page.model.std_errors["Days"], 2)) == (1.24, 1.55)


def test_figure_23_2_data():
    axes = run(1).all_figures[0].axes[0]
    xs = [np.asarray(line.get_xdata(), dtype=float) for line in axes.lines]
    segments = sum(len(c.get_segments()) for c in axes.collections if hasattr(c, "get_segments"))
    assert segments + sum(len(x) == 10 for x in xs) == 18
    assert [x[0] for x in xs if len(x) == 2 and x[0] == x[1]] == [2.0]


# ---- page 2 ----------------------------------------------------------------------------------------------------------


def test_definition_23_1_mixed_model():
    page = run(2)
    design, fit = page.design, page.fit
    b = fit.ranef["Subject"].to_numpy().T.ravel()
    assert (design.X.shape, page.Z.shape) == ((180, 2), (180, 36))
    y = design.X @ fit.fixef.to_numpy() + page.Z @ b + fit.residuals()
    np.testing.assert_allclose(y, page.sleep["Reaction"], rtol=1e-12)


def test_example_23_3_random_intercepts():
    Z = run(2).survey.Z.toarray()
    assert Z.shape == (1000, 26)
    assert set(np.unique(Z)) == {0.0, 1.0}
    assert (Z.sum(axis=1) == 1).all()


def test_example_23_4_random_slopes():
    shown = run(2).shown.to_numpy().tolist()
    assert shown == [[1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 8], [0, 0, 1, 0, 0, 9]]


def test_example_23_5_variance_of_intercepts():
    Sigma = run(2).Sigma.toarray()
    np.testing.assert_array_equal(Sigma, Sigma[0, 0] * np.eye(26))


def test_example_23_6_variance_of_slopes():
    Sigma = run(2).by_column
    case = reference.load_case("sleep_slope_REML")["varcorr"]["Subject"]["cov"]
    i, j = np.indices((36, 36))
    expected = np.where((i == j) & (i < 18), case[0][0], 0.0)
    expected = np.where((i == j) & (i >= 18), case[1][1], expected)
    expected = np.where(abs(i - j) == 18, case[0][1], expected)
    np.testing.assert_allclose(Sigma, expected, rtol=1e-6)


# ---- page 3 ----------------------------------------------------------------------------------------------------------


def test_example_23_7_variance_components():
    fit = run(3).dyestuff
    case = reference.load_case("dyestuff_REML")
    between, within = case["varcorr"]["Batch"]["cov"][0][0], case["sigma"] ** 2
    batch = np.repeat(np.arange(6), 5)
    expected = np.where(np.equal.outer(batch, batch), between, 0.0) + within * np.eye(30)
    np.testing.assert_allclose(fit.design.V(), expected, rtol=1e-6)


def test_figure_23_1_two_kinds_of_groups():
    figure = run(3).all_figures[1]
    titles = [ax.get_title(loc="right") for ax in figure.axes]
    assert [re.search(r"correlation (\S+)", title).group(1) for title in titles] == ["0.99", "0.02"]


def test_definition_23_2_intraclass_correlation():
    fit = run(3).dyestuff
    V = fit.design.V()
    assert fit.icc().adjusted == pytest.approx(V[0, 1] / np.sqrt(V[0, 0] * V[1, 1]), abs=1e-12)
    assert round(fit.icc().adjusted, 4) == 0.4185


def test_effects_within_and_between_schools_are_as_stated():
    found = me.within_between(run(3).schools).to_frame().set_index("effect")["estimate"]
    assert [round(found[name], 2) for name in ("within", "between", "given", "contextual")] == [2.45, 2.61, 2.47, 0.16]
    assert round(me.hausman_test(run(3).schools).p_value, 3) == 0.002


# ---- page 4 ----------------------------------------------------------------------------------------------------------


def test_example_23_8_likelihood():
    page = run(4)
    blocks = page.loglik(page.var_e * np.eye(30) + page.var_b * page.Z @ page.Z.T)
    assert blocks == pytest.approx(reference.load_case("dyestuff_ML")["logLik"], abs=1e-6)
    assert page.loglik((page.var_e + page.var_b) * np.eye(30)) < blocks - 2


def test_sums_of_squares_are_reml_in_balanced_data_and_not_beyond():
    page = run(4)
    reml = page.reml.varcorr.covariance["Batch"].iloc[0, 0]
    assert (page.between - page.within) / 5 == pytest.approx(reml, rel=1e-9)
    assert page.between2 < page.within2
    assert page.flat.is_singular
    unbalanced = me.lmer("Yield ~ 1 + (1 | Batch)", page.part)
    assert abs((page.b - page.w) / page.m - unbalanced.varcorr.covariance["Batch"].iloc[0, 0]) > 10


def test_at_zero_the_derivative_in_the_sd_vanishes_and_that_in_the_variance_decides():
    page = run(4)
    for fit, sign in ((page.reml, -1), (page.flat, 1)):
        at0, step = fit.evaluate([0.0]), 1e-4
        assert at0.gradient[0] == 0.0
        difference = (fit.evaluate([np.sqrt(step)]).value - at0.value) / step
        assert at0.G[0][0, 0] == pytest.approx(difference, rel=2e-3)
        assert np.sign(difference) == sign


def test_with_known_variances_sigma_has_no_better_value():
    page = run(4)
    design, y = page.fit.design, page.fit.design.y
    Z = design.Z.toarray()
    variances = np.where(design.Z_labels().column == "Days", 6.0**2, 25.0**2)

    def dense(sigma):
        V = sigma**2 * np.eye(180) + Z * variances @ Z.T
        X = design.X
        r = y - X @ np.linalg.solve(X.T @ np.linalg.solve(V, X), X.T @ np.linalg.solve(V, y))
        return np.linalg.slogdet(V)[1] + 180 * np.log(2 * np.pi) + r @ np.linalg.solve(V, r)

    assert page.deviance(page.best.x) == pytest.approx(dense(page.best.x), abs=1e-8)
    assert min(dense(page.best.x - 0.1), dense(page.best.x + 0.1)) > page.best.fun


def test_maximum_likelihood_fails_where_the_coefficients_grow_with_the_data():
    rows = run(4).rows
    for blocks in (10, 40, 160):
        assert rows[f"{blocks} blocks", "ML"]["plots"] < 0.4
        assert 0.8 < rows[f"{blocks} blocks", "REML"]["plots"] < 1.25


# ---- page 5 ----------------------------------------------------------------------------------------------------------


def test_exercise_23_1_posterior_mean():
    page = run(5)
    weight = page.weight.to_numpy()
    raw = (page.batch.mean() - page.fit.fixef["Intercept"]).to_numpy()
    np.testing.assert_allclose(page.m, weight * raw, rtol=1e-10)
    np.testing.assert_allclose(page.fit.ranef["Batch"]["Intercept"], page.m, rtol=1e-8)
    case = reference.load_case("dyestuff_REML")
    np.testing.assert_allclose(np.ravel(case["ranef"]["Batch"]["values"]), page.m, rtol=1e-5)
    variance = 1 / (5 / page.fit.sigma**2 + 1 / page.g2)
    np.testing.assert_allclose(page.fit.ranef.condvar["Batch"].ravel(), variance, rtol=1e-8)
    assert round(weight[0], 2) == 0.78


def test_posterior_of_slopes_in_both_forms():
    page = run(5)
    np.testing.assert_allclose(page.first, page.ours, atol=1e-8)
    np.testing.assert_allclose(page.second, page.ours, atol=1e-8)
    np.testing.assert_allclose(page.blocks, page.sleep.ranef.condvar["Subject"], atol=1e-8)


def test_ridge_regression_gives_the_same_effects():
    page = run(5)
    np.testing.assert_allclose(page.solution[1:], page.m, rtol=1e-8)


# ---- page 6 ----------------------------------------------------------------------------------------------------------


def test_degrees_of_freedom_are_those_of_r():
    page = run(6)
    case = reference.load_case("t_sleep_missing", "tests")
    theirs = case["satterthwaite"]["coef"]["columns"]["df"]
    np.testing.assert_allclose(page.tables["satterthwaite"]["df"], theirs, rtol=1e-4)
    np.testing.assert_allclose(page.fit.coef_table()["df"], [17, 17], rtol=1e-6)


def test_the_likelihood_ratio_at_the_boundary_is_zero_more_than_half_of_the_time():
    page = run(6)
    assert 0.5 < (page.null == 0).mean() < 0.65
    assert (page.null > 3.84).mean() < 0.025
    assert page.exact.p_value < page.rows["p_mixture"].iloc[-1] < page.rows["p_chisq"].iloc[-1]


# ---- pages 7 and 8 ---------------------------------------------------------------------------------------------------


def test_example_23_9_simulated_counties():
    page = run(7)
    limits = page.survey.confint()
    for name, truth in (("sd_Intercept|county", 2.0), ("sigma", 2.0), ("Intercept", 50.0)):
        assert limits["lower"][name] < truth < limits["upper"][name]
    assert page.survey.ngroups == {"county": 26}
    assert page.error(page.table["estimate"]) < page.error(page.table["mean"])
    assert page.inside == 23


def test_example_23_10_printed_numbers():
    page = run(8)
    different = page.compared[~page.compared["equal"]]
    assert different.iloc[:, 0].tolist() == ["variance of intercepts", "sd of intercepts"]
    assert different["here"].tolist() == ["612.09", "24.740"]
    assert len(page.compared) == 20
    assert abs(page.fit.ranef["Subject"] - page.printed).max().max() < 0.0005
    case = reference.load_case("sleep_slope_REML")
    assert f"{case['varcorr']['Subject']['cov'][0][0]:.4f}" == "612.0899"
    np.testing.assert_allclose(page.fit.fixef, list(case["fixef"].values()), rtol=1e-8)
    np.testing.assert_allclose(page.fit.std_errors, list(case["se"].values()), rtol=1e-6)
    near = page.fit.theta * [24.741 / page.effects["sd"][0], 1, 1]
    assert 0 < page.fit.evaluate(near).value - page.fit.criterion < 1e-7


# ---- pages 9, 10, 11 -------------------------------------------------------------------------------------------------


def test_a_new_subject_is_predicted_with_the_variation_between_subjects():
    page = run(9)
    z = np.array([1.0, 5.0])
    known = page.fit.vcov.to_numpy()
    Sigma = page.fit.varcorr.covariance["Subject"].to_numpy()
    found = page.fit.predict(page.new, new_levels="population", se=True)["std_error"][1]
    assert found == pytest.approx(np.sqrt(z @ (known + Sigma) @ z), rel=1e-8)
    assert round(np.mean(page.inside), 3) == 0.917
    later = page.partial
    assert (page.own["Reaction"].to_numpy()[3:] > later["upper"].to_numpy()).sum() == 5


def test_reml_chooses_a_penalty_near_the_best():
    page = run(10)
    assert page.low < page.penalties[page.error.argmin()] < page.high
    assert page.error.min() < 0.7 * page.own
    assert page.mixed.is_singular


def test_partial_pooling_of_four_groups_pays_in_small_samples_only():
    page = run(10)
    found = page.summaries
    assert found[40, "partial_pooling"]["error"] < found[40, "no_pooling"]["error"]
    assert found[100, "partial_pooling"]["error"] > found[100, "no_pooling"]["error"]


def test_no_subject_decides_the_slope():
    page = run(11)
    assert (round(page.found.fixef["Days"].min(), 1), round(page.found.fixef["Days"].max(), 2)) == (9.8, 11.25)
    assert abs(page.found.dfbetas).max().max() < 0.6
    assert page.rows[abs(page.rows["scaled"]) > 3]["Subject"].tolist() == ["308", "332", "332"]
    assert page.slopes.std() > np.std(page.drawn, axis=1, ddof=1).max()


# ---- page 12 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "case_id"), [("published", "healing_int_REML"), ("varying", "healing_slope_REML")])
def test_exercise_23_2_agrees_with_r(name, case_id):
    fit, case = getattr(run(12), name), reference.load_case(case_id)
    assert fit.criterion == pytest.approx(case["REMLcrit"], abs=1e-6)
    np.testing.assert_allclose(fit.fixef, list(case["fixef"].values()), atol=1e-6)
    np.testing.assert_allclose(fit.std_errors, list(case["se"].values()), rtol=1e-6)
    assert fit.sigma == pytest.approx(case["sigma"], rel=1e-6)
    for group, term in case["varcorr"].items():
        np.testing.assert_allclose(fit.varcorr.covariance[group], term["cov"], rtol=1e-5)
    for group, modes in case["ranef"].items():
        ours = fit.ranef[group].loc[modes["levels"]].to_numpy()
        np.testing.assert_allclose(ours, np.array(modes["values"], dtype=float), atol=1e-5)


def test_exercise_23_2_cupping():
    page = run(12)
    t = [fit.fixef["Condition[T.56]"] / fit.std_errors["Condition[T.56]"] for fit in (page.published, page.varying)]
    assert [round(value, 1) for value in t] == [11.1, 2.9]
    stated = {"published": [[0.04, 0.41], [0.86, 1.23]], "varying": [[-0.47, 0.97], [0.35, 1.83]]}
    for name, limits in stated.items():
        assert page.intervals[name].to_numpy().round(2).tolist() == limits
    assert round(page.published.criterion - page.varying.criterion) == 832
    assert (len(page.difference), (page.difference < 0).sum()) == (31, 13)
    # The mean of a mark's ratings is all that a model with an intercept for each mark uses.
    lines = page.rows
    overall = [round(lines[name]["p, all conditions"], 3) for name in ("condition by subject", "with sessions")]
    assert overall == [0.010, 0.024]
    honest = [lines[name]["statistic"] for name in lines if name != "published"]
    assert 2.7 < min(honest) < max(honest) < 3.15
    averaged = me.lmer("Healing ~ Condition + (1 | Subject)", page.averages).coef_table("kenward-roger")
    std_error = averaged.set_index("term")["std_error"]["Condition[T.56]"]
    assert std_error == pytest.approx(lines["marks"]["std_error"], rel=1e-4)


# ---- page 13 ---------------------------------------------------------------------------------------------------------


def test_a_poisson_model_of_overdispersed_counts_claims_too_much():
    page = run(13)
    assert page.negative.std_errors["windy"] > 1.8 * page.poisson.std_errors["windy"]
    assert page.negative.std_errors["forest"] == pytest.approx(page.poisson.std_errors["forest"], rel=0.05)
    assert page.claims["poisson"].power[0] > 0.3
    assert 0.02 < page.claims["negative_binomial"].power[0] < 0.1
    assert page.poisson.check_dispersion(rng=1).p_value < 0.01 < page.negative.check_dispersion(rng=1).p_value


def test_rate_ratios_have_the_truth_within_their_limits():
    ratios = run(13).ratios
    assert (ratios["lower"] < np.exp([0.5, 1, -0.4])).all()
    assert (ratios["upper"] > np.exp([0.5, 1, -0.4])).all()


def test_the_mean_over_sites_is_that_of_drawn_sites():
    page = run(13)
    rng, sds = np.random.default_rng(0), page.spread["sd"].to_numpy()
    drawn = np.exp(np.log(page.median) + rng.normal(size=(400_000, 2)) @ sds)
    assert page.mean == pytest.approx(drawn.mean(), rel=0.01)
    assert page.mean == pytest.approx(page.median * np.exp(page.variances / 2), rel=1e-6)
    assert (page.counts[["lower", "upper"]] % 1 == 0).all(axis=None)
    assert page.found["upper"].to_numpy()[2] / page.found["lower"].to_numpy()[2] > 9
