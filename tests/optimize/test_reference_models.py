"""The optimizer on every reference model: certificates, and how few evaluations it takes, in any units."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from support import reference
from support.compare import assert_close

import mixedeffects as me

FACTOR, SHIFT = 1e6, 1e9


@dataclass(frozen=True, eq=False)
class Run:
    case: dict
    fit: me.LmmResult


def run(case_id: str, change=None) -> Run | None:
    """Fit a reference model, its data changed; None where its formula is not read (R's own ns())."""
    case = reference.load_case(case_id)
    formula, frame, keywords = reference.call(case)
    if change is not None:
        frame = change(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        warnings.simplefilter("ignore", me.RankDeficiencyWarning)
        warnings.simplefilter("ignore", me.DroppedRowsWarning)
        try:
            return Run(case, me.lmer(formula, frame, **keywords))
        except me.FormulaError:
            return None


@cache
def runs() -> dict[str, Run]:
    found = {case_id: run(case_id) for case_id in reference.case_ids("lmm")}
    return {case_id: r for case_id, r in found.items() if r is not None}


def test_nearly_all_cases_run():
    assert len(runs()) >= 70


def test_certificates():
    for case_id, r in runs().items():
        optimum = r.fit.optimum
        assert optimum.converged, (case_id, optimum.message)
        assert 0.0 <= optimum.newton_decrement <= 1e-9, case_id
        assert np.isnan(optimum.min_eigenvalue) or optimum.min_eigenvalue > 0.0, case_id
        assert all(b.derivative >= 0.0 for b in optimum.boundary), case_id
        published = r.case["REMLcrit"] if r.case["REML"] else r.case["deviance"]
        assert r.fit.criterion <= published + 1e-8 * abs(published), case_id


def assert_few(counts: list[int]) -> None:
    assert np.median(counts) <= 6
    assert np.quantile(counts, 0.9) <= 10
    assert max(counts) <= 15


def test_few_evaluations():
    assert_few([r.fit.optimum.n_evaluations for r in runs().values()])


# ---- units -----------------------------------------------------------------------------------------------------------

# With the numeric predictors to scale; those of the random effects among them.
SCALED = {
    "sleep_slope_REML": ["Days"], "sleep_slope_ML": ["Days"], "sleep_dbar_REML": ["Days"],
    "sleep_nofixint_REML": ["Days"], "bodyweight_ML": ["Time"], "orthodont_REML": ["age"], "pixel_REML": ["day"],
    "egsingle_ML": ["year", "size"], "hsb82_REML": ["cses", "meanses"], "cross_int_REML": ["a", "B"],
    "cross_full_REML": ["a", "B"], "cake_temp_REML": ["temp"], "oxboys_quad_REML": ["age"], "machines_vec_ML": [],
    "dyestuff2_REML": [],
}  # fmt: skip


def response(case: dict) -> str:
    return case["formula"].split("~")[0].strip()


def scales(changed, original) -> np.ndarray:
    """How much longer each column became."""
    return np.array([np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(changed, original, strict=True)])


def assert_same_fit(fit, original, *, y_scale=1.0, tolerance=1e-9):
    """The same minimum in other units: the criterion up to the known shift, theta up to the scales of the columns."""
    columns = scales(fit.model.X.T, original.model.X.T)
    m = original.nobs - (len(columns) if original.reml else 0)
    shift = 2.0 * m * np.log(y_scale) + (2.0 * np.log(columns).sum() if original.reml else 0.0)
    assert fit.criterion - shift == pytest.approx(original.criterion, rel=tolerance)
    assert fit.optimum.converged
    assert fit.optimum.newton_decrement <= 1e-9
    assert abs(fit.optimum.n_evaluations - original.optimum.n_evaluations) <= 2
    factors = zip(
        fit.model.terms,
        original.model.terms,
        fit.objective.layout.factors(fit.theta),
        original.objective.layout.factors(original.theta),
        strict=True,
    )
    for changed, term, L, expected in factors:
        moved = scales(changed.columns, term.columns)[:, None] * L
        assert_close(moved @ moved.T, expected @ expected.T, 1e-4)
    assert len(fit.optimum.boundary) == len(original.optimum.boundary)


@pytest.mark.parametrize("case_id", SCALED)
def test_scaled_response(case_id):
    name = response(reference.load_case(case_id))
    r = run(case_id, lambda frame: frame.assign(**{name: frame[name] * FACTOR}))
    assert_same_fit(r.fit, runs()[case_id].fit, y_scale=FACTOR)


@pytest.mark.parametrize(("case_id", "column"), [(case_id, c) for case_id, cs in SCALED.items() for c in cs])
@pytest.mark.parametrize("factor", [FACTOR, 1 / FACTOR])
def test_scaled_predictor(case_id, column, factor):
    r = run(case_id, lambda frame: frame.assign(**{column: frame[column] * factor}))
    assert_same_fit(r.fit, runs()[case_id].fit)


@pytest.mark.parametrize("case_id", [c for c in SCALED if c != "sleep_nofixint_REML"])
def test_shifted_response(case_id):
    """Against the response less what rounding the shifted one took away."""
    name = response(reference.load_case(case_id))
    shifted = run(case_id, lambda frame: frame.assign(**{name: frame[name] + SHIFT}))
    rounded = run(case_id, lambda frame: frame.assign(**{name: (frame[name] + SHIFT) - SHIFT}))
    assert_same_fit(shifted.fit, rounded.fit, tolerance=1e-8)
    assert shifted.fit.fixef.iloc[0] - SHIFT == pytest.approx(rounded.fit.fixef.iloc[0], abs=1e-4)


def test_counts_in_other_units():
    counts = []
    for case_id in SCALED:
        name = response(reference.load_case(case_id))
        changed = run(case_id, lambda frame, name=name: frame.assign(**{name: FACTOR * frame[name] + SHIFT}))
        counts.append(changed.fit.optimum.n_evaluations)
    assert_few(counts)
