"""Design -> fit: the numerical steps in order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.criterion import gaussian_criterion
from mixedeffects.crossproducts import cross_products
from mixedeffects.errors import DataError
from mixedeffects.fit.record import LmmFit
from mixedeffects.optimize import certify, minimize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.control import Control
    from mixedeffects.criterion import GaussianCriterion
    from mixedeffects.design import Design


_NOTHING = 1e-10  # of the range of the response


def fit_lmm(design: Design, *, reml: bool, control: Control) -> LmmFit:
    """Fit a linear mixed model to a design.

    Parameters
    ----------
    design : Design
        The model matrices.
    reml : bool
        Restricted maximum likelihood, or ordinary.
    control : Control
        Options.

    Returns
    -------
    LmmFit

    Raises
    ------
    DataError
        If crossed factors have too many levels, `start` or `fixed_theta` does not fit the model, or the expected
        information is asked for, which only generalized models have.
    ConvergenceError
        If the criterion cannot be computed at the starting value.
    """
    if control.information != "observed":
        raise DataError(
            f"information={control.information!r} is for glmer: the likelihood of a linear mixed model is exact and "
            "has no such weights; leave the option out"
        )
    products = cross_products(design, n_threads=control.n_threads)
    return _fit(design, gaussian_criterion(products, reml=reml), control)


def refit(fit: LmmFit, y: NDArray[np.float64]) -> LmmFit:
    """Fit the same design to another response, from the moment estimates that belong to it.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    y : ndarray (n,)
        The new response, on the rows that the fit used; an offset is subtracted from it.

    Returns
    -------
    LmmFit
    """
    products = fit.objective.products.with_response(fit.model, y)
    return _fit(replace(fit.model, y=y), fit.objective.with_products(products), fit.control)


def _fit(design: Design, criterion: GaussianCriterion, control: Control) -> LmmFit:
    terms = [(term.key, term.names) for term in design.terms]
    find = minimize if control.fixed_theta is None else certify
    minimum = find(criterion, terms, control)
    spread = float(design.y.max() - design.y.min())
    if design.weights is not None:  # sigma is that of a row of weight 1
        spread *= float(np.sqrt(design.weights.mean()))
    if minimum.solution.sigma < _NOTHING * spread:
        raise DataError(
            f"the model fits the response exactly: the residual standard deviation is 0 beside a range of {spread:.3g} "
            "in the response. There is no random error left to estimate; look for the response among the predictors"
        )
    return LmmFit(model=design, profiled=criterion, solution=minimum.solution, optimum=minimum.optimum, control=control)
