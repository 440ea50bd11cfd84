"""Profile zeta plots."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


def test_curves_and_frame(sleep, draw):
    axes = draw(sleep).profile()
    profile = sleep.profile()
    assert [ax.get_xlabel() for ax in axes] == list(profile.names)
    pd.testing.assert_frame_equal(axes.data, profile.to_frame())
    pd.testing.assert_frame_equal(profile.plot().data, profile.to_frame())
    np.testing.assert_array_equal(axes[3].lines[-1].get_xdata(), profile["sigma"].value)


def test_some_parameters(sleep, draw):
    axes = draw(sleep).profile("beta_")
    assert [ax.get_xlabel() for ax in axes] == ["Intercept", "Days"]


def test_lines_at_the_limits_end_on_the_curve(no_variance, draw):
    axes = draw(no_variance).profile("theta_")
    curve = axes[0].lines[-1].get_xydata()
    for line in axes[0].lines[1:-1]:  # the first is the zero line
        (x, _), (_, end) = line.get_xydata()
        assert end == pytest.approx(np.interp(x, *curve.T), abs=0.02)
