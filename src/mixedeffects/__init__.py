"""Mixed-effects models: lme4's formulas and answers from a compiled core with exact derivatives.

import mixedeffects as me
fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
print(fit)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.api import glmer, lmer
from mixedeffects.control import Control
from mixedeffects.design import Design, design
from mixedeffects.errors import (
    ArgumentError,
    ConvergenceError,
    ConvergenceWarning,
    DataError,
    DroppedRowsWarning,
    FormulaError,
    MixedEffectsError,
    MixedEffectsWarning,
    RankDeficiencyWarning,
    SingularFitWarning,
    UnavailableError,
)
from mixedeffects.formula import Formula, RandomTerm, parse
from mixedeffects.results import LmmResult
from mixedeffects.results.compare import anova

if TYPE_CHECKING:
    from mixedeffects import datasets, families, population, sae
    from mixedeffects.inference.bootstrap_lrt import bootstrap_lrt
    from mixedeffects.inference.rlrt import exact_lrt, exact_rlrt
    from mixedeffects.population.power import power
    from mixedeffects.results.glmm import GlmmResult
    from mixedeffects.results.pooling import compare_pooling, hausman_test, lm_list, ridge_equivalent, within_between

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "Control",
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "Design",
    "DroppedRowsWarning",
    "Formula",
    "FormulaError",
    "GlmmResult",
    "LmmResult",
    "MixedEffectsError",
    "MixedEffectsWarning",
    "RandomTerm",
    "RankDeficiencyWarning",
    "SingularFitWarning",
    "UnavailableError",
    "anova",
    "bootstrap_lrt",
    "compare_pooling",
    "datasets",
    "design",
    "exact_lrt",
    "exact_rlrt",
    "families",
    "glmer",
    "hausman_test",
    "lm_list",
    "lmer",
    "parse",
    "population",
    "power",
    "ridge_equivalent",
    "sae",
    "within_between",
]


# Imported at first use: what a session may never need should not slow its start.
_LATER = {
    "bootstrap_lrt": "mixedeffects.inference.bootstrap_lrt",
    "GlmmResult": "mixedeffects.results.glmm",
    "exact_lrt": "mixedeffects.inference.rlrt",
    "exact_rlrt": "mixedeffects.inference.rlrt",
    "compare_pooling": "mixedeffects.results.pooling",
    "power": "mixedeffects.population.power",
    "hausman_test": "mixedeffects.results.pooling",
    "lm_list": "mixedeffects.results.pooling",
    "ridge_equivalent": "mixedeffects.results.pooling",
    "within_between": "mixedeffects.results.pooling",
}
# What other programs call it, in lower case.
_HERE = {
    "mixedlm": "me.lmer('y ~ x + (1 | school)', data), with the groups in the formula",
    "lme": "me.lmer('y ~ x + (1 | school)', data), with the groups in the formula",
    "lmm": "me.lmer(formula, data)",
    "glmm": "me.glmer(formula, data, family=...)",
    "glmmtmb": "me.glmer(formula, data, family=...)",
    "glmer_nb": "me.glmer(formula, data, family='negative_binomial')",
    "binomialbayesmixedglm": "me.glmer(formula, data, family='binomial')",
    "poissonbayesmixedglm": "me.glmer(formula, data, family='poisson')",
}


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in ("datasets", "families", "population", "sae"):
        return import_module(f"mixedeffects.{name}")
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    if name.lower() in _HERE:
        raise AttributeError(f"module 'mixedeffects' has no attribute {name!r}; here: {_HERE[name.lower()]}")
    raise AttributeError(f"module 'mixedeffects' has no attribute {name!r}")
