"""Guides with executed cells: the cells run, and what the text says of their results is so."""

from __future__ import annotations

import os
import warnings
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from support.cells import run_cells

import mixedeffects as me

mpl.use("Agg")

DOCS = Path(__file__).parents[2] / "docs"


@cache
def run(page: str) -> SimpleNamespace:
    """Run a page; what it changes for its own sake (folder, format of warnings) is put back."""
    pytest.importorskip("jinja2", reason="pandas writes LaTeX with jinja2, which the group test has")
    folder, formatter = os.getcwd(), warnings.formatwarning
    try:
        return run_cells(DOCS / f"{page}.md", me.MixedEffectsWarning)
    finally:
        os.chdir(folder)
        warnings.formatwarning = formatter


def test_the_models_of_participants_and_items_are_as_the_text_says():
    page = run("participants-and-items")
    assert page.full.is_singular
    assert not page.fit.is_singular
    assert page.slopes.is_singular
    assert page.fit.nobs == len(page.right) == page.with_missing.nobs < len(page.every_row)
    assert page.fit.fixef.index.tolist() == ["Intercept", "prime[T.neutral]", "prime[T.related]"]
    np.testing.assert_allclose(page.same.fixef.index.str.count("Prime Condition"), [0, 1, 1])


def test_the_truth_lies_within_the_limits():
    page = run("participants-and-items")
    limits = page.fit.confint(params="beta_")
    assert ((limits["lower"] < page.truth) & (page.truth < limits["upper"])).all()
    low, high = page.odds.set_index("term").loc["prime[T.related]", ["lower", "upper"]]
    assert low < np.exp(0.5) < high


def test_differences_in_milliseconds_are_those_of_the_medians():
    page = run("participants-and-items")
    median = page.means.to_frame().set_index("prime")["estimate"]
    found = page.in_ms.set_index("contrast")
    for level in ("neutral", "related"):
        row = found.loc[f"{level} - unrelated"]
        np.testing.assert_allclose(row["estimate"], median[level] - median["unrelated"])
    assert (found["upper"] < 0).loc["related - unrelated"]


def test_padded_residuals_stand_in_their_rows():
    page = run("participants-and-items")
    assert page.every_row["residual"].isna().equals(page.every_row["rt"].isna())


@pytest.mark.parametrize(
    ("rhs", "contrasts", "names"),
    [
        ('C(prime, Treatment("related"))', None, ["[T.neutral]", "[T.unrelated]"]),
        ("prime", {"prime": "sum"}, ["[S.unrelated]", "[S.neutral]"]),
        ("prime", {"prime": [[-0.5, -1 / 3], [0.5, -1 / 3], [0, 2 / 3]]}, ["[1]", "[2]"]),
    ],
)
def test_the_ways_to_other_comparisons_work(rhs, contrasts, names):
    page = run("participants-and-items")
    fit = me.lmer(f"log(rt) ~ {rhs} + (1 | Participant) + (1 | Item)", page.right, contrasts=contrasts)
    found = fit.fixef.index[1:]
    assert all(any(name.endswith(end) for name in found) for end in names)
    np.testing.assert_allclose(fit.fitted, page.by_prime.fitted, rtol=1e-6)


def test_the_singular_fit_of_the_oats_is_as_the_text_says():
    page = run("singular-fits")
    assert [bool(fit.is_singular) for fit in page.fits.values()] == [True, True, False]
    assert page.full.varcorr.to_frame()["corr"].max() == 1.0
    estimates = [fit.fixef["nitro"] for fit in page.fits.values()]
    np.testing.assert_allclose(estimates, estimates[0], rtol=1e-6)
    without, none = page.fits["(nitro || Block)"], page.fits["(1 | Block)"]
    assert without.criterion == pytest.approx(none.criterion, abs=1e-6)
    assert all(at.derivative > 0 for at in page.full.optimum.boundary)
    assert page.full.confint(params="theta_").loc["cor_nitro.Intercept|Block"].tolist() == [-1.0, 1.0]
    assert not page.separated.optimum.converged
    error = page.separated.std_errors["treated"]
    assert np.isnan(error) or error > 1000


def test_nested_and_crossed_classes_are_as_the_text_says():
    page = run("pupils-and-schools")
    assert page.nested.ngroups == {"class:school": 36, "school": 12}
    assert page.crossed.ngroups == {"school": 12, "class": 3}
    assert page.nested.loglik > page.crossed.loglik + 5
    assert page.crossed.sigma > page.nested.sigma
    unique = page.tests.assign(number=page.tests["school"] * 10 + page.tests["class"])
    same = me.lmer("score ~ 1 + (1 | school) + (1 | number)", unique)
    assert same.loglik == pytest.approx(page.nested.loglik, abs=1e-8)


def test_the_shares_of_schools_and_pupils_are_as_the_text_says():
    page = run("pupils-and-schools")
    percent = [round(100 * share) for share in (page.icc.by_group["school"], page.icc.by_group["pupil"])]
    assert percent == [16, 56]
    assert round(100 * (1 - page.icc.adjusted)) == 29
    by_group = page.growth.icc().by_group
    components = page.growth.varcorr.covariance
    at_zero = page.shares_in(0)
    intercepts = sum(cov.loc["Intercept", "Intercept"] for cov in components.values())
    assert at_zero.sum() == pytest.approx(intercepts / (intercepts + page.growth.sigma**2))
    assert by_group["school"] / by_group["pupil"] == pytest.approx(at_zero["school"] / at_zero["pupil"])
    df = page.by_poverty.vcov_robust("school").coef_table()["df"]
    assert [round(df.min()), round(df.max())] == [14, 21]


def test_the_reliability_of_a_school_is_below_its_weight_with_known_pupils():
    page = run("pupils-and-schools")
    condvar = page.same_slope.ranef.condvar["school"][:, 0, 0]
    np.testing.assert_allclose(page.league["std_error"] ** 2, condvar, rtol=1e-10)
    assert (page.league["reliability"] < page.league["weight"]).all()
    assert page.league["reliability"].between(0, 1).all()


def test_the_side_by_side_table_holds_every_estimate():
    page = run("pupils-and-schools")
    assert page.table.columns.get_level_values(0).unique().tolist() == list(page.models)
    assert page.table.notna().sum().sum() == sum(page.column(fit).notna().sum().sum() for fit in page.models.values())
    assert len(page.lines) == 22
