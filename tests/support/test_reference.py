from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from support import reference


def test_every_case_has_its_data_and_columns():
    for case_id in reference.case_ids("lmm"):
        case = reference.load_case(case_id)
        _, frame, keywords = reference.call(case)
        assert len(frame) >= case["nobs"]
        for role in ("weights", "offset"):
            assert keywords.get(role) is None or keywords[role] in frame.columns


def test_there_are_cases():
    assert len(reference.case_ids("lmm")) >= 77
    assert "sleep_slope_REML" in reference.case_ids("lmm")


def test_levels_are_in_the_order_of_the_schema():
    frame = reference.load_data("Oats")
    assert list(frame["Block"].cat.categories) == ["VI", "V", "III", "IV", "II", "I"]
    assert not frame["Block"].cat.ordered
    assert reference.ordered_columns("Oats") == ["Block"]


def test_compressed_and_plain_files_read_alike():
    assert (reference.ROOT / "data" / "InstEval.csv.gz").exists()
    frame = reference.load_data("InstEval")
    assert frame.shape == (73421, 7)
    assert isinstance(frame["d"].dtype, pd.CategoricalDtype)
    assert frame["d"].cat.categories.size == 1128


def test_only_empty_fields_are_missing():
    frame = reference.load_data("Gcsemv")
    assert frame["course"].isna().sum() == 180
    assert not frame["school"].isna().any()


def test_frames_are_fresh():
    first = reference.load_data("sleepstudy")
    first["Reaction"] = 0.0
    assert reference.load_data("sleepstudy")["Reaction"].iloc[0] == 249.56


@pytest.mark.parametrize(
    ("formula", "columns", "ours"),
    [
        ("y ~ I(x^2) + (x | g)", ["y", "x", "g"], "y ~ I(x**2) + (x | g)"),
        ("Informed.liking ~ a + (1 | g)", ["Informed.liking", "a", "g"], "`Informed.liking` ~ a + (1 | g)"),
        ("a.b.c ~ a.b", ["a.b", "a.b.c"], "`a.b.c` ~ `a.b`"),
    ],
)
def test_translation(formula, columns, ours):
    assert reference.translate(formula, columns) == ours


def test_contrasts_of_a_case():
    case = reference.load_case("cake_REML")
    assert reference.contrasts(case, case["formula"]) == {"temperature": "poly"}
    case = reference.load_case("cake_sum_REML")
    assert reference.contrasts(case, case["formula"]) == {"temperature": "sum", "recipe": "sum"}
    case = reference.load_case("oats_REML")
    assert reference.contrasts(case, case["formula"]) == {}, "Block is ordered, but only a grouping factor"


def test_stored_matrices_and_vectors():
    case = reference.load_case("ns_bodyweight_REML")
    X = reference.matrix(case["X"])
    assert X.shape == (case["nobs"], len(case["fixef"]))
    assert np.isnan(reference.vector([1.0, None])[1])


def test_fixtures(load_case, case_ids, load_data):
    assert load_data(load_case(case_ids("lmm")[0])["dataset"]).shape[0] > 0
