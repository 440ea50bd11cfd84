"""The term for estimated variances: against finite differences of the predictor's weights, and in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference

import mixedeffects as me
from mixedeffects.errors import MixedEffectsError
from mixedeffects.fit.effects import working_theta
from mixedeffects.inference.information import information
from mixedeffects.predict import kackar_harville
from predict.cases import designs
from predict.dense import Dense, rows_of

DESIGNS = designs()


def theta_of_working(fit, working):
    """A theta of the data's columns with the same covariances as one of the working columns."""
    factors = []
    for T, L in zip(fit.objective.basis.T, fit.objective.layout.factors(working), strict=True):
        factors.append(np.linalg.solve(T, L))  # lower triangular or not: only L L' matters
    return factors


def dense_with(fit, working):
    """The dense matrices at a theta of the working columns."""
    dense = Dense.of(fit)
    S, at = np.zeros_like(dense.S), 0
    for term, F in zip(fit.model.terms, theta_of_working(fit, working), strict=True):
        q = term.n_effects
        S[at : at + q, at : at + q] = np.kron(np.eye(term.factor.n_levels), F @ F.T)
        at += q
    return Dense(dense.X, dense.Z, S, dense.W_inverse)


@pytest.mark.parametrize("name", list(DESIGNS))
def test_against_differences_of_the_weights(name):
    """sum_ef A_ef (dl/de)' sigma^2 V (dl/df), the weights l differenced in theta of the working columns."""
    fit, rows = DESIGNS[name]
    x, z = rows_of(fit, rows)
    theta = working_theta(fit)
    step = 1e-5 * max(1.0, np.abs(theta).max())
    derivatives = []
    for e in range(len(theta)):
        change = np.zeros_like(theta)
        change[e] = step
        high, low = (dense_with(fit, theta + sign * change).weights(x, z) for sign in (1, -1))
        derivatives.append((high - low) / (2 * step))
    V = dense_with(fit, theta).V
    A = information(fit).covariance[: len(theta), : len(theta)]
    products = np.einsum("ern,nm,frm->efr", np.array(derivatives), V, np.array(derivatives))
    expected = fit.sigma**2 * np.einsum("ef,efr->r", A, products)
    plain = fit.predict(rows, se=True, new_levels="population")["std_error"].to_numpy()
    more = fit.predict(rows, se=True, new_levels="population", uncertainty="kackar-harville")["std_error"].to_numpy()
    np.testing.assert_allclose(more**2 - plain**2, expected, rtol=1e-6, atol=1e-9 * plain.max() ** 2)
    if name == "zero variance":
        np.testing.assert_allclose(more, plain, rtol=1e-12)
    else:
        assert (more > plain).any()


def test_balanced_one_way_layout():
    """b_hat_j = gamma (mean_j - mean), and gamma is one less a ratio of mean squares with known variances."""
    fit = me.lmer("Yield ~ 1 + (1 | Batch)", reference.load_data("Dyestuff"))
    J, n = 6, 5
    between = fit.sigma**2 * (1 + n * fit.theta[0] ** 2)
    ratio = fit.sigma**2 / between
    variance = ratio**2 * (2 / (J - 1) + 2 / (J * (n - 1)))
    expected = variance * (1 - 1 / J) * between / n
    plain, more = (fit.predict(se=True, uncertainty=u)["std_error"] for u in ("conditional", "kackar-harville"))
    np.testing.assert_allclose(more**2 - plain**2, expected, rtol=1e-7)


def test_balanced_population_mean_owes_nothing():
    """The grand mean of balanced data has the same weights whatever the variances."""
    fit = me.lmer("Yield ~ 1 + (1 | Batch)", reference.load_data("Dyestuff"))
    plain, more = (
        fit.predict(se=True, random="population", uncertainty=u)["std_error"]
        for u in ("conditional", "kackar-harville")
    )
    np.testing.assert_allclose(more, plain, rtol=1e-10)


def test_one_factor_both_ways():
    """The form of one factor, level by level, and the dense one are the same where both exist."""
    fit, _rows = DESIGNS["weights and offset"]
    levels, dense = kackar_harville._of_levels(fit), kackar_harville._of_all(fit)
    J, k, _ = levels.E.shape
    for j in range(J):
        at = slice(j * k, (j + 1) * k)
        np.testing.assert_allclose(levels.E[j], dense.E[at, at], rtol=1e-8, atol=1e-12 * np.abs(dense.E).max())
        np.testing.assert_allclose(levels.F[j], dense.F[at], rtol=1e-8, atol=1e-12 * np.abs(dense.F).max())
    np.testing.assert_allclose(levels.G, dense.G, rtol=1e-8, atol=1e-12 * np.abs(dense.G).max())


def test_too_many_effects_of_several_factors(monkeypatch):
    fit, rows = DESIGNS["nested"]
    monkeypatch.setattr(kackar_harville, "_LARGEST", 39)
    with pytest.raises(MixedEffectsError, match=r'over all 40 random effects.*at most 39. Use uncertainty="bootstrap"'):
        fit.predict(rows, se=True, uncertainty="kackar-harville", new_levels="population")


def test_many_rows_in_pieces(monkeypatch):
    fit, _ = DESIGNS["singular"]
    whole = fit.predict(se=True, uncertainty="kackar-harville")
    monkeypatch.setattr(kackar_harville, "_VALUES", 500)
    np.testing.assert_allclose(fit.predict(se=True, uncertainty="kackar-harville"), whole, rtol=1e-13)
