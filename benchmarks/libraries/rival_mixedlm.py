"""mixedlm."""

from __future__ import annotations

import clock
import mixedlm


def fit(problem, frame):
    return mixedlm.lmer(problem["formula"], frame, REML=problem["reml"])


def refitter(problem, frame):
    return fit(problem, frame).refit


clock.main("mixedlm", fit, lambda fitted: -2 * fitted.logLik().value, refitter=refitter)
