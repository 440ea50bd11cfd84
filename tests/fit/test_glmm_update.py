"""`update` of a generalized fit: what `glmer` gives for the changed model on the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference
from support.glmm import HERDS, measured

import mixedeffects as me


def same(one, two):
    assert one.criterion == pytest.approx(two.criterion, rel=1e-10)
    np.testing.assert_allclose(one.fixef, two.fixef, rtol=1e-5, atol=1e-8)
    assert (one.npar, one.nobs, repr(one.family), one.nagq) == (two.npar, two.nobs, repr(two.family), two.nagq)


def test_another_formula_on_counts_of_successes():
    frame = reference.load_data("cbpp")
    null = "cbind(incidence, size - incidence) ~ 1 + (1 | herd)"
    same(measured("herds").update(null), me.glmer(null, frame))
    same(measured("herds").update(null).update(HERDS.replace("period", "1")), me.glmer(null, frame))


def test_link_family_and_nodes():
    frame = reference.load_data("cbpp")
    herds = measured("herds")
    same(herds.update(link="probit"), me.glmer(HERDS, frame, link="probit"))
    same(herds.update(nagq=7), me.glmer(HERDS, frame, nagq=7))
    same(herds.update(link="probit").update(nagq=0), me.glmer(HERDS, frame, link="probit", nagq=0))
    same(measured("ticks").update(family="negative_binomial"), measured("ticks_nb2"))
    assert herds.update(family=me.families.Binomial("cloglog")).family.link.name == "cloglog"


def test_a_proportion_keeps_its_trials_and_a_row_that_was_dropped_stays_out():
    frame = reference.load_data("cbpp")
    frame["p"] = frame["incidence"] / frame["size"]
    frame["x"] = np.arange(56.0)
    frame.loc[4, "x"] = np.nan
    with pytest.warns(me.DroppedRowsWarning):
        fit = me.glmer("p ~ x + period + (1 | herd)", frame, weights="size")
    new = fit.update("p ~ period + (1 | herd)")
    same(new, me.glmer("p ~ period + (1 | herd)", frame.drop(index=4), weights="size"))
    assert 4 not in new.rows


def test_offset_contrasts_and_categories():
    frame = reference.load_data("epil").assign(off=0.1)
    fit = me.glmer("y ~ trt + lbase + (1 | subject)", frame, "poisson", offset="off")
    same(fit.update(offset=None), measured("epil"))
    assert fit.update(contrasts={"trt": "sum"}).fixef.index[1] == "trt[S.placebo]"
    women, null = reference.load_data("Contraception"), "use ~ 1 + (1 | district)"
    same(me.glmer("use ~ age + (1 | district)", women).update(null), me.glmer(null, women))


def test_theta_can_be_held_afterwards():
    herds = measured("herds")
    held = herds.update(control=me.Control(fixed_theta=[0.5]))
    assert held.npar == 4
    assert held.criterion > herds.criterion


def test_what_cannot_be_changed_is_refused():
    herds = measured("herds")
    with pytest.raises(me.DataError, match="update cannot change 'reml'; it takes a formula, family, link, nagq"):
        herds.update(reml=True)
    with pytest.raises(me.DataError, match="keeps no column 'age'"):
        herds.update("cbind(incidence, size - incidence) ~ age + (1 | herd)")
    with pytest.raises(me.DataError, match="nagq=-1"):
        herds.update(nagq=-1)
    with pytest.raises(me.DataError, match="'sqrt' does not go with"):
        herds.update(link="sqrt")
