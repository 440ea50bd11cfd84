"""Populations: simulate data from a known truth, and see what a model makes of them.

The ideas are those of the R package regressinator: a population is a set of named distributions, from which predictors
and then responses are drawn; models are judged over many samples, or by hiding the true diagnostics in a line-up.
"""

from __future__ import annotations

from mixedeffects.population.diagnostics import (
    augment_longer,
    augment_quantile,
    binned_residuals,
    partial_residuals,
)
from mixedeffects.population.distributions import CustomFamily, OlsWithError, custom_family, ols_with_error
from mixedeffects.population.effects import RandomEffects, random_effects
from mixedeffects.population.factors import Factor, balanced, by_level, dirichlet, rfactor
from mixedeffects.population.lineups import Lineup, decrypt, lineup
from mixedeffects.population.model import Population, population
from mixedeffects.population.power import PowerCurve
from mixedeffects.population.predictors import Predictor, predictor
from mixedeffects.population.responses import Response, response
from mixedeffects.population.samples import Sample
from mixedeffects.population.sampling import parametric_boot_distribution, sampling_distribution

__all__ = [
    "CustomFamily",
    "Factor",
    "Lineup",
    "OlsWithError",
    "Population",
    "PowerCurve",
    "Predictor",
    "RandomEffects",
    "Response",
    "Sample",
    "augment_longer",
    "augment_quantile",
    "balanced",
    "binned_residuals",
    "by_level",
    "custom_family",
    "decrypt",
    "dirichlet",
    "lineup",
    "ols_with_error",
    "parametric_boot_distribution",
    "partial_residuals",
    "population",
    "predictor",
    "random_effects",
    "response",
    "rfactor",
    "sampling_distribution",
]
