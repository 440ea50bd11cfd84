"""Rendering of fits: plain values in, text, HTML and data frames out."""

from __future__ import annotations

from mixedeffects.tables.ranef import GroupCoefficients, GroupValues, RandomEffects
from mixedeffects.tables.summary import Coefficients, InformationCriteria, Summary, glmm_family, glmm_title, lmm_title
from mixedeffects.tables.varcorr import RandomTermCovariance, VarCorr

__all__ = [
    "Coefficients",
    "GroupCoefficients",
    "GroupValues",
    "InformationCriteria",
    "RandomEffects",
    "RandomTermCovariance",
    "Summary",
    "VarCorr",
    "glmm_family",
    "glmm_title",
    "lmm_title",
]
