"""Means over normal random effects on the scale of the response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.families.link import quiet
from mixedeffects.predict.normal_nodes import normal_predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.families import Family

    Vector = NDArray[np.float64]


def averaged_means(family: Family[Any], eta: Vector, sd: Vector) -> Vector:
    """E g^-1(eta + sd Z), Z standard normal, (n,).

    Parameters
    ----------
    family : Family
        Response distribution and link.
    eta, sd : ndarray (n,)
        Linear predictors, and standard deviations of the random effects.

    Raises
    ------
    DataError
        If the expectation does not exist.
    """
    return _averaged(family, eta, sd, slope=False)


def averaged_slopes(family: Family[Any], eta: Vector, sd: Vector) -> Vector:
    """The derivative in eta of `averaged_means`, (n,); same parameters."""
    return _averaged(family, eta, sd, slope=True)


@quiet
def _averaged(family: Family[Any], eta: Vector, sd: Vector, *, slope: bool) -> Vector:
    link = family.link
    if link.pole and sd.any():
        raise DataError(
            f"the link {link.name!r} has no mean over normal random effects: means grow without bound as the linear "
            "predictor comes near 0. Use population_averaged=False, or fit with a link such as log"
        )
    predictor = normal_predictor(family, eta, sd)
    # Links between 0 and 1 bend around 0 over a few units.
    values, weights = predictor.nodes(np.zeros(len(eta)), np.ones(len(eta)))
    jet = link.derivatives(values)
    return np.asarray(((jet.d1 if slope else jet.value) * weights).sum(axis=1), dtype=np.float64)
