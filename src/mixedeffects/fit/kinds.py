"""What differs between the kinds of models, by the type of the fit; `fit/glmm.py` registers its own."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.fit.draws import response_model
from mixedeffects.fit.lmm import fit_lmm, refit
from mixedeffects.fit.residuals import residuals

if TYPE_CHECKING:
    from collections.abc import Iterator

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
