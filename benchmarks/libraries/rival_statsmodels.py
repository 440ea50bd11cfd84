"""statsmodels: crossed factors would need one dense matrix over all rows, so they are left out."""

from __future__ import annotations

import clock
import statsmodels.formula.api as smf


def fit(problem, frame):
    return smf.mixedlm(problem["fixed"], frame, groups=problem["group"], re_formula=problem["slopes"]).fit(
        reml=problem["reml"]
    )


clock.main("statsmodels", fit, lambda fitted: -2 * fitted.llf, crossed=False)
