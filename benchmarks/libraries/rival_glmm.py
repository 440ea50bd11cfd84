"""glmm, asked for the fit alone (its default also computes Satterthwaite degrees of freedom)."""

from __future__ import annotations

import clock
import glmm


def fit(problem, frame):
    return glmm.fit(frame, problem["formula"], reml=problem["reml"], satterthwaite=False)


clock.main("glmm", fit, lambda fitted: -2 * fitted.loglik)
