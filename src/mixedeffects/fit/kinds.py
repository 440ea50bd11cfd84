"""What differs between the kinds of models, by the type of the fit; `fit/glmm.py` registers its own."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.fit.draws import response_model
from mixedeffects.fit.effects import linear_predictor
from mixedeffects.fit.lmm import fit_lmm, refit
from mixedeffects.fit.refitter import Refitter
from mixedeffects.fit.residuals import residuals
from mixedeffects.frame import Factor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from mixedeffects.control import Control
    from mixedeffects.design import Design
    from mixedeffects.fit.record import LmmFit


@singledispatch
def fit_as(fit: LmmFit, design: Design, *, reml: bool, control: Control) -> LmmFit:
    """Fit another design as a model of the same kind.

    Parameters
    ----------
    fit : LmmFit
        Gives the kind; of a generalized one, family and approximation.
    design : Design
        With one random-effects term or more.
    reml : bool
        Restricted maximum likelihood, or ordinary; generalized models know the latter only.
    control : Control
        Options.
    """
    return fit_lmm(design, reml=reml, control=control)


@singledispatch
def draw_and_fit(fit: LmmFit, n: int, rng: np.random.Generator, workers: int) -> Iterator[LmmFit | None]:
    """Draw responses with new random effects, and fit the model to each.

    Parameters
    ----------
    fit : LmmFit
        The model and its parameters.
    n : int
        Number of responses.
    rng : Generator
        Source of the draws.
    workers : int
        Threads, where they help; the fits do not depend on them.

    Returns
    -------
    iterator of LmmFit or None
        None for a response to which the model cannot be fitted, such as failures only.
    """
    model = response_model(fit)
    for _ in range(n):
        yield refit(fit, model.draw(rng, 1).y[0])


@singledispatch
def response_drawer(fit: LmmFit, rng: np.random.Generator) -> Callable[[], NDArray[np.float64] | None]:
    """Draw responses from a fit, with new random effects, one at each call; None for one that cannot be.

    Parameters
    ----------
    fit : LmmFit
        The model and its parameters.
    rng : Generator
        Source of the draws.
    """
    mean = linear_predictor(fit, random=False)
    sigma, weights = fit.solution.sigma, fit.model.weights
    scale = sigma if weights is None else sigma / np.sqrt(weights)
    factors = [sigma * L for L in fit.objective.layout.factors(fit.solution.theta)]

    def draw() -> NDArray[np.float64]:
        y = mean + scale * rng.standard_normal(len(mean))
        for term, L in zip(fit.model.terms, factors, strict=True):
            b = rng.standard_normal((term.factor.n_levels, len(L))) @ L.T
            for column, effects in zip(term.columns, b.T, strict=True):
                y += column * effects[term.factor.codes]
        return y

    return draw


@singledispatch
def response_criterion(fit: LmmFit) -> Callable[[NDArray[np.float64]], float | None]:
    """The minimum of the criterion as a function of the response; None where the search did not end there.

    Parameters
    ----------
    fit : LmmFit
        The model; where theta was given it is held.
    """
    if fit.control.fixed_theta is None:
        refitter = Refitter(fit)

        def minimum(y: NDArray[np.float64]) -> float | None:
            found = refitter(y)
            return found.criterion if found.converged else None

        return minimum
    objective, model = fit.objective, fit.model

    def value(y: NDArray[np.float64]) -> float:
        at = objective.with_products(objective.products.with_response(model, y))
        return at.evaluate(fit.solution.theta).value

    return value


@singledispatch
def require_linear(fit: LmmFit, what: str) -> None:
    """Raise DataError for a generalized fit, to which what is for linear mixed models does not apply.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    what : str
        What was asked for, with what to use instead if there is something.
    """


@singledispatch
def drawn_at_theta(fit: LmmFit, n: int, rng: Any) -> Iterator[LmmFit]:
    """Yield n responses drawn from the fit as records of fits at its theta.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    n : int
        Number of draws.
    rng : None, int, Generator or SeedSequence
        Source of the draws, with new random effects.

    Notes
    -----
    theta (and a dispersion that is no function of the residuals) stay at their estimates; each response has the
    coefficients, modes and sigma that belong to it. Nothing is searched: one evaluation of the criterion for each draw.
    """
    generator = np.random.default_rng(rng)
    model = response_model(fit)
    for _ in range(n):
        y = model.draw(generator, 1).y[0]
        products = fit.objective.products.with_response(fit.model, y)
        solution = fit.objective.with_products(products).evaluate(fit.solution.theta)
        yield replace(fit, model=replace(fit.model, y=y), solution=solution)


@singledispatch
def standard_residuals(fit: LmmFit, rng: Any) -> NDArray[np.float64]:
    """Residuals that look standard normal if the model is true, (n,): scaled, or randomized quantile residuals.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    rng : None, int, Generator or SeedSequence
        Source of the draws of quantile residuals; linear mixed models have no use for it.
    """
    found: NDArray[np.float64] = residuals(fit, "scaled")
    return found


@singledispatch
def linear_equivalent(fit: LmmFit) -> LmmFit:
    """The linear mixed model with the same conditional modes: the fit, or the working model of a generalized one."""
    return fit


@singledispatch
def scale_parameter(fit: LmmFit) -> tuple[str, float] | None:
    """Name and estimate of the parameter beside covariances and coefficients: sigma, a dispersion, or none."""
    return "sigma", fit.solution.sigma


@singledispatch
def loglik_without_groups(fit: LmmFit) -> float:
    """Log-likelihood of the model without random effects: least squares, or a generalized linear model."""
    return -0.5 * fit.objective.evaluate(np.zeros(fit.objective.layout.n_theta)).value


def two_categories(model: Design) -> tuple[str, str] | None:
    """The two categories of a binomial response, failure and success; None for numbers."""
    column = model.columns.get(model.formula.response.strip("`"))
    if not isinstance(column, Factor) or column.n_levels != 2:
        return None
    failure, success = column.values.tolist()
    return failure, success
