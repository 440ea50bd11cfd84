"""glmm: with lme4's standard errors, or (argument `defaults`) with all that it computes when nothing is said."""

from __future__ import annotations

import sys

import clock
import glmm

EXTRA = {} if "defaults" in sys.argv[2:] else {"wald_se": "rx", "satterthwaite": False}


def fit(problem, frame):
    if problem["family"] == "gaussian":
        return glmm.fit(frame, problem["formula"], reml=problem["reml"], **EXTRA)
    return glmm.fit(frame, problem["formula"], family=problem["family"], **EXTRA)


clock.main("glmm", fit, lambda fitted: -2 * fitted.loglik, generalized=True)
