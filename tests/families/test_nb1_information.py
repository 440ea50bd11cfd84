"""The integral for the information of nb1 against the sum over counts that it replaces."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mixedeffects.families import nb1_information
from mixedeffects.families.nb1_information import size_information


def by_sum(k, phi):
    """sum_j P(Y > j) / (k + j)^2."""
    mean = k * phi
    j = np.arange(np.ceil(200.0 + 2.0 * mean + 80.0 * (1.0 + phi) + 40.0 * np.sqrt(mean * (1.0 + phi))))
    return float((stats.nbinom.sf(j, k, 1.0 / (1.0 + phi)) / (k + j) ** 2).sum())


@pytest.mark.parametrize("k", [1e-6, 1e-2, 0.7, 5.0, 300.0])
@pytest.mark.parametrize("phi", [1e-4, 0.2, 1.5, 30.0])
def test_information(k, phi):
    assert size_information(np.array([k]), np.array(phi))[0][0] == pytest.approx(by_sum(k, phi), rel=1e-10)


def test_limits():
    # nearly Poisson: phi / k
    assert size_information(np.array([1e9]), np.array(1e-9))[0][0] == pytest.approx(1e-18, rel=1e-8)
    # nearly always 0: log(1 + phi) / k
    assert size_information(np.array([1e-12]), np.array(2.0))[0][0] == pytest.approx(np.log(3.0) / 1e-12, rel=1e-10)


def test_rows_do_not_depend_on_each_other(monkeypatch):
    k = np.geomspace(1e-3, 1e3, 11)
    whole = size_information(k, np.array(0.8))
    monkeypatch.setattr(nb1_information, "_BLOCK", 3)
    for one, other in zip(whole, size_information(k, np.array(0.8)), strict=True):
        np.testing.assert_array_equal(one, other)
