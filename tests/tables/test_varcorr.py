"""Variance components: printed as lme4 prints them, as data frames, as HTML."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mixedeffects.tables import RandomTermCovariance, VarCorr
from tables import cases


@pytest.fixture
def machines() -> VarCorr:
    return cases.varcorr(cases.values("machines"))


@pytest.mark.parametrize("case", cases.names("varcorr"))
def test_text_is_lme4s(case):
    assert str(cases.varcorr(cases.values(case))) + "\n" == cases.printed(case, "varcorr")


def test_frame_has_a_row_per_sd_and_per_correlation(machines):
    frame = machines.to_frame()
    assert list(frame.columns) == ["group", "term", "term2", "variance", "sd", "corr"]
    assert len(frame) == 3 + 3 + 1
    on_diagonal = frame["term2"].isna()
    np.testing.assert_allclose(frame["variance"][on_diagonal], frame["sd"][on_diagonal] ** 2)
    assert frame["corr"][on_diagonal].isna().all()
    assert frame["corr"][~on_diagonal].notna().all()
    pair = frame[(frame["term"] == "MachineB") & (frame["term2"] == "MachineC")]
    assert pair["corr"].item() == pytest.approx(0.297, abs=5e-4)
    assert frame.iloc[-1]["group"] == "Residual"
    assert frame.iloc[-1]["sd"] == machines.sigma


def test_covariance_is_keyed_as_lme4_names_the_terms():
    varcorr = cases.varcorr(cases.values("sleep_independent"))
    assert list(varcorr.covariance) == ["Subject", "Subject.1"]
    assert varcorr.covariance["Subject.1"].loc["Days", "Days"] == pytest.approx(35.858, abs=1e-3)


def test_changing_a_frame_changes_nothing_here(machines):
    frame = machines.covariance["Worker"]
    frame.loc["Intercept", "Intercept"] = -1.0
    assert machines.covariance["Worker"].loc["Intercept", "Intercept"] > 0


def test_the_matrix_of_a_term_cannot_be_changed():
    given = np.eye(1)
    term = RandomTermCovariance(key="g", group="g", names=("Intercept",), covariance=given)
    given[0, 0] = 4.0
    assert term.sd.tolist() == [1.0]
    with pytest.raises(ValueError, match="read-only"):
        term.covariance[0, 0] = 4.0


def test_correlations_with_a_zero_sd_are_nan():
    term = RandomTermCovariance(
        key="Subject", group="Subject", names=("Intercept", "Days"), covariance=np.array([[4.0, 0.0], [0.0, 0.0]])
    )
    assert term.correlation[0, 0] == term.correlation[1, 1] == 1
    assert math.isnan(term.correlation[1, 0])
    # The layout of R for such a table.
    assert str(VarCorr(terms=(term,), sigma=1.0)).split("\n") == [
        " Groups   Name      Std.Dev. Corr ",
        " Subject  Intercept 2             ",
        "          Days      0          NaN",
        " Residual           1             ",
    ]


def test_without_a_residual_there_is_no_residual_row(machines):
    varcorr = VarCorr(terms=machines.terms, sigma=None)
    assert "Residual" not in str(varcorr)
    assert "Residual" not in set(varcorr.to_frame()["group"])


def test_html_has_the_same_cells(machines):
    html = machines._repr_html_()
    for cell in ("Worker", "MachineC", "3.68990", "-0.365", "Residual"):
        assert f">{cell}<" in html
