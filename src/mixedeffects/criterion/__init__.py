"""The profiled criterion: a pure function of theta."""

from __future__ import annotations

from mixedeffects.criterion.gaussian import Evaluation, GaussianCriterion, Solution, gaussian_criterion

__all__ = ["Evaluation", "GaussianCriterion", "Solution", "gaussian_criterion"]
