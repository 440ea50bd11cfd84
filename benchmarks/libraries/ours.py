"""mixedeffects: this package."""

from __future__ import annotations

import clock

import mixedeffects as me
from mixedeffects.fit.refitter import Refitter


def fit(problem, frame):
    if problem["family"] == "gaussian":
        return me.lmer(problem["formula"], frame, reml=problem["reml"])
    return me.glmer(problem["formula"], frame, family=problem["family"])


def refitter(problem, frame):
    return Refitter(fit(problem, frame))


clock.main("mixedeffects", fit, lambda fitted: fitted.criterion, refitter=refitter, generalized=True)
