"""Pairs of conditional modes and ellipses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import mixedeffects as me
from mixedeffects.plots.ranef_pairs import ranef_pairs_data


def test_modes_and_ellipses(sleep):
    frame = pd.DataFrame(ranef_pairs_data(sleep))
    modes = frame[frame["part"] == "mode"].set_index("level")
    np.testing.assert_allclose(modes[["x", "y"]], sleep.ranef["Subject"], atol=1e-12)
    inverse = np.linalg.inv(sleep.varcorr.covariance["Subject"].to_numpy())
    for share in (0.5, 0.95):
        v = frame[frame["part"] == f"{share:.0%} ellipse"][["x", "y"]].to_numpy()
        np.testing.assert_allclose(np.einsum("ni,ij,nj->n", v, inverse, v), chi2.ppf(share, 2), rtol=1e-9)


def test_the_ellipse_holds_its_share(sleep):
    Sigma = sleep.varcorr.covariance["Subject"].to_numpy()
    draws = np.random.default_rng(1).multivariate_normal([0, 0], Sigma, size=20_000)
    from matplotlib.path import Path

    frame = pd.DataFrame(ranef_pairs_data(sleep))
    ring = frame[frame["part"] == "95% ellipse"][["x", "y"]].to_numpy()
    assert Path(ring).contains_points(draws).mean() == pytest.approx(0.95, abs=0.006)


def test_every_pair(crossed, draw):
    axes = draw(crossed).ranef_pairs()
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in axes] == [("Intercept", "a"), ("Intercept", "B"), ("a", "B")]
    assert np.isfinite(axes.data[["x", "y"]]).all(axis=None)
    assert [ax.get_ylabel() for ax in draw(crossed).ranef_pairs("item")] == ["B"]


def test_columns_of_independent_terms_are_uncorrelated(draw):
    fit = me.lmer("Reaction ~ Days + (Days || Subject)", me.datasets.load("sleepstudy"))
    frame = draw(fit).ranef_pairs.data
    ring = frame[frame["part"] == "50% ellipse"].iloc[:-1]
    assert (ring["x"] * ring["y"]).sum() == pytest.approx(0.0, abs=1e-8 * (ring["x"].abs() * ring["y"].abs()).sum())


def test_one_column_has_no_pairs(plates, draw):
    with pytest.raises(me.DataError, match="'plate' have the column 'Intercept' only"):
        draw(plates).ranef_pairs()
