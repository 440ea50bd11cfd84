"""Nothing on a fit changes it: assignment raises, and what it gives out is a copy or read-only."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from support.fits import quiet_fit


@pytest.mark.parametrize("name", ["sigma", "fixef", "model", "solution", "something_new"])
def test_attributes_cannot_be_assigned(sleep, name):
    with pytest.raises(FrozenInstanceError, match=name):
        setattr(sleep, name, 1.0)


def test_records_are_frozen(sleep):
    with pytest.raises(FrozenInstanceError):
        sleep.optimum.converged = False
    with pytest.raises(FrozenInstanceError):
        sleep.control.tolerance = 1.0
    with pytest.raises(FrozenInstanceError):
        sleep.solution.sigma = 1.0


def test_frames_are_copies(sleep):
    fixef, vcov, modes = sleep.fixef, sleep.vcov, sleep.ranef["Subject"]
    covariance, coef, tidy = sleep.varcorr.covariance["Subject"], sleep.coef["Subject"], sleep.varcorr.to_frame()
    kept = [x.copy() for x in (fixef, vcov, modes, covariance, coef)]
    for frame in (fixef, vcov, modes, covariance, coef):
        frame.iloc[:] = 0.0
    tidy["sd"] = 0.0
    again = (
        sleep.fixef,
        sleep.vcov,
        sleep.ranef["Subject"],
        sleep.varcorr.covariance["Subject"],
        sleep.coef["Subject"],
    )
    for before, after in zip(kept, again, strict=True):
        assert before.equals(after)
    assert (sleep.varcorr.to_frame()["sd"].dropna() > 0).all()


def test_own_arrays_are_copies(sleep):
    for name in ("theta", "fitted"):
        array = getattr(sleep, name)
        kept = array.copy()
        array[:] = 0.0
        np.testing.assert_array_equal(getattr(sleep, name), kept)
    residuals = sleep.residuals()
    residuals[:] = 0.0
    assert np.abs(sleep.residuals()).max() > 1.0


def test_arrays_of_the_data_and_the_solution_are_read_only(weighted, gaps):
    design, solution = weighted.design, weighted.solution
    arrays = [design.X, design.y, design.weights, design.offset, weighted.model.X, weighted.model.columns["B"]]
    arrays += [column for term in design.terms for column in term.columns]
    arrays += [gaps.rows, weighted.ranef.condvar["subj"], solution.beta, solution.vcov, *solution.b, *solution.u]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_mappings_cannot_be_assigned(sleep):
    for mapping in (sleep.ranef, sleep.coef, sleep.ranef.condvar):
        with pytest.raises(TypeError):
            mapping["Subject"] = 1
    sleep.ngroups["Subject"] = 99
    assert sleep.ngroups == {"Subject": 18}


def test_the_callers_frame_is_neither_changed_nor_shared():
    from support import reference

    import mixedeffects as me

    frame = reference.load_data("sleepstudy")
    before = frame.copy(deep=True)
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", frame)
    assert frame.equals(before)
    kept = fit.fitted
    frame["Reaction"] = 0.0
    frame.loc[:, "Days"] = 0
    np.testing.assert_array_equal(fit.fitted, kept)
    np.testing.assert_array_equal(fit.design.y, before["Reaction"])


def test_asking_does_not_change_the_answer():
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy", reml=False)
    first = (fit.criterion, fit.theta.tolist(), str(fit))
    fit.evaluate([2.0, -1.0, 0.5])
    fit.ranef.condvar["Subject"]
    fit.design.V()
    assert (fit.criterion, fit.theta.tolist(), str(fit)) == first
