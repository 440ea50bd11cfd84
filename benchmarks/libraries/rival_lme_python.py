"""lme-python, given the polars frame that it works on."""

from __future__ import annotations

import clock
import lme_python
import polars as pl


def fit(problem, frame):
    return lme_python.lmer(problem["formula"], frame, reml=problem["reml"])


def refitter(problem, frame):
    prepared = lme_python.prepare_lmer(problem["formula"], frame)
    return lambda y: prepared.fit(y=y.tolist(), reml=problem["reml"])


clock.main("lme-python", fit, lambda fitted: -2 * fitted.log_likelihood, refitter=refitter, prepare=pl.from_pandas)
