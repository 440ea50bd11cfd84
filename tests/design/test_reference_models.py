"""Every reference model: rows, levels, terms, and estimable columns as lme4 has them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from support import reference

from mixedeffects.design import design
from mixedeffects.errors import DroppedRowsWarning, RankDeficiencyWarning

# ns() has no counterpart among the functions of a formula
CASES = [case_id for case_id in reference.case_ids("lmm") if not case_id.startswith("ns_")]


def read(case_id):
    case = reference.load_case(case_id)
    formula, data, keywords = reference.call(case)
    keywords.pop("reml", None)
    return case, formula, data, keywords


@pytest.mark.parametrize("case_id", CASES)
def test_sizes_and_levels(case_id):
    case, formula, data, keywords = read(case_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DroppedRowsWarning)
        warnings.simplefilter("ignore", RankDeficiencyWarning)
        made = design(formula, data, **keywords)
    assert made.nobs == case["nobs"]
    assert made.n_missing == len(data) - case["nobs"]
    assert {block.group: block.factor.n_levels for block in made.terms} == case["ngrps"]
    assert list(made.kept_names) == [name for name, keep in zip(made.names, made.kept, strict=True) if keep]
    assert made.X.shape[1] == sum(value is not None for value in case["fixef"].values())
    assert sum(block.n_columns * (block.n_columns + 1) // 2 for block in made.terms) == len(case["theta"])
    assert [block.key for block in made.terms] == list(case["varcorr"])[: len(made.terms)]
    for group, effects in case["ranef"].items():
        labels = made.factors[group].labels
        assert labels[: len(effects["levels"])].tolist() == effects["levels"]


@pytest.mark.parametrize("case_id", [case_id for case_id in CASES if "X" in reference.load_case(case_id)])
def test_stored_matrices(case_id):
    case, formula, data, keywords = read(case_id)
    np.testing.assert_allclose(design(formula, data, **keywords).X, reference.matrix(case["X"]), rtol=1e-9, atol=1e-12)
