"""mixedlm-rs: one grouping factor only."""

from __future__ import annotations

import clock
import mixedlm_rs


def fit(problem, frame):
    return mixedlm_rs.mixedlm(problem["fixed"], frame, groups=problem["group"], re_formula=problem["slopes"]).fit(
        reml=problem["reml"]
    )


clock.main("mixedlm-rs", fit, lambda fitted: -2 * fitted.llf, crossed=False)
