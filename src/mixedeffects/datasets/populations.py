"""The two simulated populations of the lecture text on mixed models that the examples and tests share."""

from __future__ import annotations

from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixedeffects.population import Population


def county_population(rng: Any = None, *, dirichlet_shares: bool = False) -> Population:
    """Make a population of people in 26 counties with different mean incomes.

    Parameters
    ----------
    rng : None, int, Generator or SeedSequence
        Source of the county means, which belong to the population.
    dirichlet_shares : bool
        Draw the shares of the counties from a Dirichlet distribution with all parameters 2; else they are equal.

    Returns
    -------
    Population
        county (A to Z), and income, normal with standard deviation 2 around a county's mean; the means are normal
        around 50 with standard deviation 2.

    Examples
    --------
    >>> import mixedeffects as me
    >>> respondents = me.datasets.county_population(rng=1).sample_x(1000, rng=1).sample_y()
    >>> fit = me.lmer("income ~ (1 | county)", respondents)
    >>> fit.ngroups
    {'county': 26}
    """
    import numpy as np

    from mixedeffects.population import by_level, dirichlet, population, predictor, response, rfactor

    generator = np.random.default_rng(rng)
    counties = list(ascii_uppercase)
    means = dict(zip(counties, generator.normal(scale=2.0, size=len(counties)).tolist(), strict=True))
    shares = dirichlet([2.0] * len(counties), rng=generator) if dirichlet_shares else None
    return population(
        county=predictor(rfactor, levels=counties, prob=shares),
        income=response(lambda county: 50 + by_level(county, means), error_scale=2),
    )


def shrinkage_population() -> Population:
    """Make a population of four groups with given intercepts and slopes.

    Returns
    -------
    Population
        group (A to D), x standard normal, and y with intercepts 2, 3, 1, 2.5, slopes 1, 0.5, 1.2, 0 and errors with
        standard deviation 1. With so few groups the estimated covariance matrix is often singular.

    Examples
    --------
    >>> import mixedeffects as me
    >>> me.datasets.shrinkage_population().sample_x(100, rng=1).sample_y().shape
    (100, 3)
    """
    from mixedeffects.population import by_level, population, predictor, response, rfactor

    intercepts = {"A": 2.0, "B": 3.0, "C": 1.0, "D": 2.5}
    slopes = {"A": 1.0, "B": 0.5, "C": 1.2, "D": 0.0}
    return population(
        group=predictor(rfactor, levels=list(intercepts)),
        x=predictor("normal"),
        y=response(lambda group, x: by_level(group, intercepts) + x * by_level(group, slopes), error_scale=1),
    )
