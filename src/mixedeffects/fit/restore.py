"""Fits travel to other processes as their design and estimates; the compiled parts are made anew there."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from mixedeffects.criterion import gaussian_criterion
from mixedeffects.crossproducts import cross_products
from mixedeffects.optimize import Optimum
from mixedeffects.optimize.record import Known

if TYPE_CHECKING:
    from mixedeffects.control import Control
    from mixedeffects.criterion import Solution
    from mixedeffects.design import Design
    from mixedeffects.fit.record import LmmFit


def reduced(fit: LmmFit) -> tuple[Any, ...]:
    """What `pickle` and `copy` keep of a fit."""
    optimum = {
        field.name: getattr(fit.optimum, field.name) for field in fields(fit.optimum) if field.name != "smallest"
    }
    smallest = fit.optimum.min_eigenvalue
    return restored, (type(fit), fit.model, fit.reml, fit.solution, optimum, smallest, fit.control)


def restored(
    kind: type[LmmFit],
    model: Design,
    reml: bool,
    solution: Solution,
    optimum: dict[str, Any],
    smallest: float,
    control: Control,
) -> LmmFit:
    """Make a fit of what `reduced` kept; one pass over the rows, no search."""
    products = cross_products(model, n_threads=control.n_threads)
    return kind(
        model=model,
        profiled=gaussian_criterion(products, reml=reml),
        solution=solution,
        optimum=Optimum(**optimum, smallest=Known(smallest)),
        control=control,
    )
