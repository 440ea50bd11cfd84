"""mixedeffects: this package."""

from __future__ import annotations

import clock

import mixedeffects as me


def fit(problem, frame):
    return me.lmer(problem["formula"], frame, reml=problem["reml"])


def refitter(problem, frame):
    return fit(problem, frame).refit


clock.main("mixedeffects", fit, lambda fitted: fitted.criterion, refitter=refitter)
