"""Drawn responses: the model equation, and the order of the random numbers."""

from __future__ import annotations

import numpy as np
import pytest
from support.fits import quiet_fit

from mixedeffects.fit.draws import DrawnTerm, ResponseModel, add_effects, response_model


def test_a_response_is_its_mean_its_effects_and_its_errors(weighted):
    model = response_model(weighted)
    drawn = model.draw(np.random.default_rng(4), 1)
    generator = np.random.default_rng(4)
    y = weighted.design.X @ weighted.fixef.to_numpy() + weighted.model.offset
    for term, L in zip(weighted.model.terms, weighted.objective.layout.factors(weighted.theta), strict=True):
        b = weighted.sigma * generator.standard_normal((term.factor.n_levels, term.n_columns)) @ L.T
        np.testing.assert_allclose(drawn.effects[0][0], b, rtol=1e-14)
        y += (np.column_stack(term.columns) * b[term.factor.codes]).sum(axis=1)
    y += weighted.sigma * generator.standard_normal(weighted.nobs) / np.sqrt(weighted.model.weights)
    np.testing.assert_allclose(drawn.y[0], y, rtol=1e-13)
    assert model.size == weighted.nobs + 2 * 20


@pytest.mark.parametrize("name", ["sleep", "crossed", "independent"])
def test_many_at_once_are_many_single_ones(name, request):
    model = response_model(request.getfixturevalue(name))
    generator = np.random.default_rng(1)
    singles = [model.draw(generator, 1) for _ in range(5)]
    whole = model.draw(np.random.default_rng(1), 5)
    np.testing.assert_allclose(whole.y, [single.y[0] for single in singles], rtol=1e-13)
    for t, effects in enumerate(whole.effects):
        np.testing.assert_allclose(effects, [single.effects[t][0] for single in singles], rtol=1e-13, atol=1e-13)


def test_rows_without_an_effect():
    y = np.zeros((2, 3))
    add_effects(y, np.array([1, -1, 0], dtype=np.int32), (np.array([1.0, 5.0, 2.0]),), np.array([[[3.0], [4.0]]] * 2))
    np.testing.assert_array_equal(y, [[4.0, 0.0, 6.0]] * 2)
    term = DrawnTerm(
        codes=np.array([-1, -1], dtype=np.int32), columns=(np.ones(2),), n_levels=0, factor=np.array([[2.0]])
    )
    model = ResponseModel(mean=np.array([1.0, 2.0]), terms=(term,), sigma=1e-9, weights=None)
    np.testing.assert_allclose(model.draw(np.random.default_rng(1), 2).y, [[1.0, 2.0]] * 2, atol=1e-7)


def test_a_fit_is_not_changed():
    fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2")
    model = response_model(fit)
    before = model.mean.copy()
    model.draw(np.random.default_rng(1), 3)
    np.testing.assert_array_equal(model.mean, before)
