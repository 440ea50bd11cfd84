"""Fits travel: pickle and deepcopy."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import mixedeffects as me


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
        ("Yield ~ 1 + (1 | Batch)", "Dyestuff2"),
        ("strength ~ 1 + (1 | batch/cask)", "Pastes"),
    ],
)
@pytest.mark.parametrize("travel", [lambda fit: pickle.loads(pickle.dumps(fit)), copy.deepcopy], ids=["pickle", "copy"])
@pytest.mark.filterwarnings("ignore::mixedeffects.SingularFitWarning")
def test_a_fit_arrives_as_it_was(formula, name, travel):
    fit = me.lmer(formula, me.datasets.load(name))
    other = travel(fit)
    assert str(other) == str(fit)
    np.testing.assert_array_equal(other.theta, fit.theta)
    assert other.optimum.trace == fit.optimum.trace
    np.testing.assert_equal(other.optimum.min_eigenvalue, fit.optimum.min_eigenvalue)
    assert other.evaluate().value == pytest.approx(fit.criterion, rel=1e-12)
    np.testing.assert_allclose(other.coef_table()["df"], fit.coef_table()["df"], rtol=1e-8)
