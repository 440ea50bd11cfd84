"""The linear mixed model that stands for a generalized one at its conditional modes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.criterion import gaussian_criterion
from mixedeffects.crossproducts import cross_products
from mixedeffects.fit.effects import linear_predictor
from mixedeffects.fit.record import LmmFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.control import Control
    from mixedeffects.criterion import GaussianCriterion
    from mixedeffects.design import Design
    from mixedeffects.families import Family
    from mixedeffects.fit.glmm import GlmmFit

_LEAST_WEIGHT = 1e-12  # of the largest: rows that tell nothing more about the random effects keep a factor regular


def working_design(design: Design, family: Family[Any], eta: NDArray[np.float64], t: float, control: Control) -> Design:
    """The rows with the response eta + d1 / W and the weights W.

    Parameters
    ----------
    design : Design
        The rows of the generalized model.
    family : Family
        Response distribution and link.
    eta : ndarray (n,)
        Linear predictors at the modes.
    t : float
        Logarithm of the dispersion.
    control : Control
        Whether observed or expected weights are asked for.

    Notes
    -----
    d1 is the derivative of the log-density in eta, W minus the second one, or its expectation if that is asked for
    or an observed one is not positive.
    """
    found = family.derivatives(design.y, eta, design.row_weights, t)
    observed = control.information == "observed" and bool((found.d2 < 0.0).all())
    W = -found.d2 if observed else found.expected
    W = np.maximum(W, _LEAST_WEIGHT * W.max())
    return replace(design, y=eta + found.d1 / W, weights=W)


def working_criterion(
    design: Design, family: Family[Any], eta: NDArray[np.float64], t: float, control: Control
) -> GaussianCriterion:
    """The criterion of the linear mixed model of `working_design`."""
    return gaussian_criterion(cross_products(working_design(design, family, eta, t, control)), reml=False)


def working_model(fit: GlmmFit) -> LmmFit:
    """The linear mixed model at the modes as a fit with sigma = 1 and theta held at the estimate.

    Parameters
    ----------
    fit : GlmmFit
        The generalized fit. Its fixed effects are those of the working model where they belong to the mode (nagq=0);
        otherwise the two differ by what the log-determinant, or the quadrature, adds.
    """
    theta = fit.solution.theta
    design = working_design(fit.model, fit.distribution, linear_predictor(fit), fit.log_dispersion, fit.control)
    found = fit.objective.evaluate(theta)
    vcov = found.vcov / found.sigma**2
    solution = replace(fit.solution, beta=found.beta, vcov=vcov, rss=found.rss, b=found.b, u=found.u)
    control = replace(fit.control, start=None, fixed_theta=tuple(theta.tolist()))
    return LmmFit(model=design, profiled=fit.profiled, solution=solution, optimum=fit.optimum, control=control)
