"""Response distributions and links of generalized linear mixed models.

Each family is a small immutable object that holds a link: ``Binomial(link="probit")``. It gives densities, their
derivatives in the linear predictor and in the log of the dispersion, and what else a fit needs of a distribution. It
knows nothing of models.
"""

from __future__ import annotations

from mixedeffects.families.base import Family
from mixedeffects.families.beta import Beta
from mixedeffects.families.binomial import Binomial
from mixedeffects.families.gamma import Gamma
from mixedeffects.families.gaussian import Gaussian
from mixedeffects.families.inverse_gaussian import InverseGaussian
from mixedeffects.families.link import Interval, Jet
from mixedeffects.families.links import (
    Cauchit,
    Cloglog,
    Identity,
    Inverse,
    InverseSquared,
    Link,
    Log,
    Logit,
    Probit,
    Sqrt,
    link_of,
)
from mixedeffects.families.negative_binomial import NegativeBinomial
from mixedeffects.families.negative_binomial1 import NegativeBinomial1
from mixedeffects.families.poisson import Poisson
from mixedeffects.families.resolve import FAMILIES, family_of
from mixedeffects.families.results import Cumulative, Derivatives

__all__ = [
    "FAMILIES",
    "Beta",
    "Binomial",
    "Cauchit",
    "Cloglog",
    "Cumulative",
    "Derivatives",
    "Family",
    "Gamma",
    "Gaussian",
    "Identity",
    "Interval",
    "Inverse",
    "InverseGaussian",
    "InverseSquared",
    "Jet",
    "Link",
    "Log",
    "Logit",
    "NegativeBinomial",
    "NegativeBinomial1",
    "Poisson",
    "Probit",
    "Sqrt",
    "family_of",
    "link_of",
]
