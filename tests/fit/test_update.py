"""`update`: a new fit on the same rows, from what the old one keeps."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me


def test_the_other_criterion(sleep):
    ml = sleep.update(reml=False)
    assert ml.reml is False
    assert sleep.reml is True
    assert isinstance(ml, me.LmmResult)
    assert ml.criterion == pytest.approx(1751.9393444632, rel=1e-10)
    assert ml.update(reml=True).criterion == pytest.approx(sleep.criterion, rel=1e-12)


def test_another_formula(sleep):
    fewer = sleep.update("Reaction ~ 1 + (1 | Subject)")
    again = quiet_fit("Reaction ~ 1 + (1 | Subject)", "sleepstudy")
    assert fewer.formula == "Reaction ~ 1 + (1 | Subject)"
    assert fewer.criterion == pytest.approx(again.criterion, rel=1e-12)
    assert fewer.fitted == pytest.approx(again.fitted, rel=1e-8)
    assert sleep.update(me.parse(fewer.formula)).criterion == fewer.criterion
    more = sleep.update("log(Reaction) ~ poly(Days, 2) + (Days || Subject)")
    assert more.criterion == pytest.approx(
        quiet_fit("log(Reaction) ~ poly(Days, 2) + (Days || Subject)", "sleepstudy").criterion, rel=1e-12
    )


def test_the_same_rows(gaps):
    """Rows dropped by the old model stay out, and are known as positions in the data of the old one."""
    smaller = gaps.update("course ~ 1 + (1 | school)")
    assert smaller.nobs == gaps.nobs
    np.testing.assert_array_equal(smaller.rows, gaps.rows)
    padded = smaller.residuals(pad=True)
    assert padded.shape == (1905,)
    np.testing.assert_array_equal(np.isnan(padded), np.isnan(gaps.residuals(pad=True)))


def test_rows_that_a_new_formula_loses_are_dropped_from_the_old_ones():
    frame = reference.load_data("sleepstudy")
    frame.loc[frame.index[5], "Reaction"] = np.nan
    with pytest.warns(me.DroppedRowsWarning):
        old = me.lmer("Reaction ~ Days + (1 | Subject)", frame)
    with pytest.warns(me.DroppedRowsWarning, match="18 of 179 rows"):
        new = old.update("Reaction ~ sqrt(Days - 1) + (1 | Subject)")
    kept = np.delete(np.arange(180), [5, *range(0, 180, 10)])
    np.testing.assert_array_equal(new.rows, kept)
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(new.residuals(pad=True))), kept)


def test_weights_offset_and_contrasts_stay_unless_changed(weighted):
    frame = reference.load_data("sim_cross")
    ml = weighted.update("rt ~ A + (1 | subj)", reml=False)
    direct = me.lmer("rt ~ A + (1 | subj)", frame, weights="w", offset="off", reml=False)
    assert ml.criterion == pytest.approx(direct.criterion, rel=1e-12)
    bare = weighted.update("rt ~ A + (1 | subj)", weights=None, offset=None)
    assert bare.criterion == pytest.approx(me.lmer("rt ~ A + (1 | subj)", frame).criterion, rel=1e-12)
    summed = weighted.update(contrasts={"A": "sum"})
    assert summed.fixef.index.tolist()[1] != weighted.fixef.index.tolist()[1]
    assert summed.update(reml=False).fixef.index.tolist() == summed.fixef.index.tolist()


def test_an_offset_of_the_formula_is_not_added_twice():
    frame = reference.load_data("sim_cross")
    fit = me.lmer("rt ~ A + offset(off) + (1 | subj)", frame, offset=2.0 * frame["off"].to_numpy())
    direct = me.lmer("rt ~ offset(off) + (1 | subj)", frame, offset=2.0 * frame["off"].to_numpy())
    assert fit.update("rt ~ offset(off) + (1 | subj)").criterion == pytest.approx(direct.criterion, rel=1e-12)


def test_functions_stay():
    frame = reference.load_data("sleepstudy")
    fit = me.lmer("Reaction ~ late(Days) + (1 | Subject)", frame, functions={"late": lambda x: 1.0 * (x > 4)})
    assert fit.update(reml=False).fixef.index.tolist() == ["Intercept", "late(Days)"]
    assert fit.update("Reaction ~ Days + late(Days) + (1 | Subject)").fixef.shape == (3,)


def test_control_can_change(sleep):
    fixed = sleep.update(control=me.Control(fixed_theta=[1.0, 0.0, 0.2]))
    np.testing.assert_allclose(fixed.theta, [1.0, 0.0, 0.2], rtol=1e-14, atol=1e-15)


def test_a_start_belongs_to_its_formula(sleep):
    fit = sleep.update(control=me.Control(start=np.array([1.0, 0.0, 0.2])))
    assert fit.update(reml=False).control.start == (1.0, 0.0, 0.2)
    fewer = fit.update("Reaction ~ 1 + (1 | Subject)")
    assert fewer.control.start is None
    assert fewer.theta.shape == (1,)


def test_the_callers_data_may_change_meanwhile():
    frame = reference.load_data("sleepstudy")
    data = {name: frame[name].to_numpy(copy=True) for name in frame}
    fit = me.lmer("Reaction ~ Days + (1 | Subject)", data)
    expected = fit.update("Reaction ~ Days + (Days | Subject)").criterion
    data["Reaction"][:] = 0.0
    data["Days"][:] = 0.0
    assert fit.update("Reaction ~ Days + (Days | Subject)").criterion == expected


def test_a_singular_update_says_so():
    fit = quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2")
    with pytest.warns(me.SingularFitWarning) as caught:
        fit.update(reml=False)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_what_cannot_be_changed(sleep):
    with pytest.raises(me.DataError, match="update cannot change 'data'; it takes a formula, reml, control, weights"):
        sleep.update(data=reference.load_data("sleepstudy"))
    with pytest.raises(me.DataError, match="reml='no'"):
        sleep.update(reml="no")
    with pytest.raises(me.DataError, match="control must be a Control"):
        sleep.update(control={"tolerance": 1.0})
    frame = reference.load_data("sim_cross")
    fit = me.lmer("rt ~ a + (1 | subj)", frame)
    with pytest.raises(me.DataError, match=r"the fit keeps no column 'B'; it has .* Fit the formula to the data"):
        fit.update("rt ~ a + B + (1 | subj)")


@pytest.mark.parametrize("formula", ["~ . - Days", ". ~ . - Days", "Reaction ~ .", ".~.+I(Days**2)"])
def test_dots_are_refused_with_the_formula_to_start_from(sleep, formula):
    with pytest.raises(me.FormulaError, match=r"'\.' does not stand for the old formula.*'Reaction ~ Days \+ \(Days"):
        sleep.update(formula)


def test_points_of_numbers_and_names_are_no_dots(sleep):
    halved = sleep.update("Reaction ~ I(Days * .5) + (I(0.5 * Days) | Subject)")
    assert halved.criterion == pytest.approx(sleep.criterion - 2.0 * np.log(2.0), abs=1e-6)
