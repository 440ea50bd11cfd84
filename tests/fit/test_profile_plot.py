"""The profile zeta plot."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

import mixedeffects as me

mpl.use("Agg")


def test_one_curve_on_each_axes():
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"), reml=False)
    profile = fit.profile()
    axes = profile.plot()
    assert [ax.get_xlabel() for ax in axes] == list(profile.names)
    curve = profile["sigma"]
    drawn = axes[3].lines[-1].get_xydata()
    np.testing.assert_array_equal(drawn, np.column_stack([curve.value, curve.zeta]))
    with pytest.raises(me.DataError, match="1 axes were given for 6 parameters"):
        profile.plot(ax=axes[0])
    mpl.pyplot.close("all")
