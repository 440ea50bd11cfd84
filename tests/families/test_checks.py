"""Responses and weights that a family refuses."""

from __future__ import annotations

import numpy as np
import pytest

from families.cases import CLASSES, DATA
from mixedeffects import families as fam
from mixedeffects.errors import DataError

ONES = np.ones(3)


def refused(family, y, w, match):
    with pytest.raises(DataError, match=match):
        family.check_response(np.array(y), np.array(w, dtype=float), "resp")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
def test_good_data_pass(cls):
    y, w = (np.array(column) for column in DATA[cls.name])
    cls().check_response(y, w, "resp")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_responses_must_be_finite(cls, bad):
    refused(cls(), [0.5, bad], [1, 1], rf"the response 'resp' has the value {bad} in row 1; it must be a finite number")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_weights_must_be_positive(cls, bad):
    y = [1.0, 1.0] if cls is not fam.Beta else [0.5, 0.5]
    refused(cls(), y, [1, bad], rf"a weight has the value {bad:.12g} in row 1; weights must be positive")


@pytest.mark.parametrize("bad", [2.0, -0.1, 1.0000001])
def test_binomial_proportions(bad):
    refused(
        fam.Binomial(),
        [0.0, 1.0, bad],
        ONES,
        rf"the binomial response 'resp' has the value {bad:.12g} in row 2; it must be a proportion of successes "
        r"between 0 and 1 \(weights= gives the numbers of trials\), or cbind\(successes, failures\)",
    )


def test_binomial_trials():
    refused(
        fam.Binomial(), [0.5, 0.5], [4, 2.5], r"a weight has the value 2.5 in row 1; .*numbers of trials.*whole numbers"
    )
    refused(
        fam.Binomial(),
        [0.5, 0.5],
        [4, 3],
        r"response 'resp' times its trials has the value 1.5 in row 1; .*whole number of successes",
    )
    refused(fam.Binomial(), [0.3], [1], r"times its trials has the value 0.3 in row 0")
    # a third of 3, as floating point has it
    fam.Binomial().check_response(np.array([1 / 3, 2 / 3, 1 / 7]), np.array([3.0, 3.0, 7.0]), "resp")


@pytest.mark.parametrize("cls", [fam.Poisson, fam.NegativeBinomial, fam.NegativeBinomial1])
def test_counts(cls):
    refused(cls(), [0.0, -1.0, -2.0], ONES, r"response 'resp' has the value -1 in row 1; counts cannot be negative")
    refused(
        cls(),
        [0.0, 1.0, 2.5],
        ONES,
        r"has the value 2.5 in row 2; counts must be whole numbers .*offset\(log\(exposure\)\)",
    )


@pytest.mark.parametrize("cls", [fam.Gamma, fam.InverseGaussian])
@pytest.mark.parametrize("bad", [0.0, -3.0])
def test_positive_responses(cls, bad):
    refused(cls(), [1.0, bad], ONES[:2], rf"response 'resp' has the value {bad:.12g} in row 1; .* must be over 0")


@pytest.mark.parametrize("bad", [0.0, 1.0, 1.5, -0.2])
def test_beta_responses(bad):
    refused(fam.Beta(), [0.5, bad], ONES[:2], rf"'resp' has the value {bad:.12g} in row 1; .* strictly between 0 and 1")


def test_gaussian_takes_any_number():
    fam.Gaussian("log").check_response(np.array([-5.0, 0.0, 1e300]), ONES, "resp")
