"""Integrals over a normal linear predictor: nodes that follow a steep place of the integrand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from mixedeffects.families import Family

_ENDS = np.array([-12.0, -8.0, -6.0, -4.5, -3.0, -1.5, 0.0, 1.5, 3.0, 4.5, 6.0, 8.0, 12.0])  # in standard deviations
_STEPS = np.array(
    [-27.0, -9.0, -3.0, -1.0, 1.0, 3.0, 9.0, 27.0]
)  # ends of further panels, in widths of the steep place
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)  # of each panel
_ROUGH, _SHARES = np.polynomial.hermite_e.hermegauss(16)
_ROUGH_WEIGHTS = _SHARES / _SHARES.sum()
_HALVINGS = 50
_OUTSIDE = 1e-4  # probability of predictors without a mean that is still left out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalPredictor:
    """Linear predictors with normal distributions, over those values that belong to a mean.

    Attributes
    ----------
    mean, sd : ndarray (n,)
        Of each; sd may be 0.
    lower, upper : ndarray (n,)
        The limits of the values that are possible, in standard deviations from the mean; infinite in most cases.
    """

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    def nodes(
        self, centre: NDArray[np.float64], width: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and weights of a quadrature for functions that are steep around one value.

        Parameters
        ----------
        centre, width : ndarray (n,)
            Where on the scale of the linear predictor, and how wide the steep place is.

        Returns
        -------
        values, weights : ndarray (n, nodes)
            Weights add up to 1 in each row.

        Notes
        -----
        Gauss-Legendre panels whose ends are fixed multiples of the standard deviation and of the width, so that a
        narrow step inside a wide distribution is met as well as a wide one.
        """
        sd = np.where(self.sd > 0.0, self.sd, 1.0)
        steep = np.clip((centre - self.mean) / sd, -20.0, 20.0)[:, None] + (width / sd)[:, None] * _STEPS
        low, high = np.maximum(self.lower, _ENDS[0]), np.minimum(self.upper, _ENDS[-1])
        ends = np.hstack([np.broadcast_to(_ENDS, (len(sd), len(_ENDS))), steep])
        ends = np.sort(np.clip(np.nan_to_num(ends), low[:, None], high[:, None]), axis=1)
        half = 0.5 * np.diff(ends, axis=1)[:, :, None]
        z = (0.5 * (ends[:, 1:] + ends[:, :-1]))[:, :, None] + half * _NODES
        nodes = (len(sd), z.shape[1] * z.shape[2])
        weights = (half * _WEIGHTS * np.exp(-0.5 * z**2)).reshape(nodes)
        values = self.mean[:, None] + self.sd[:, None] * z.reshape(nodes)
        return values, weights / weights.sum(axis=1, keepdims=True)

    def few_nodes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and weights of Gauss-Hermite quadrature, (n, 16) each, for a first approximation."""
        z = np.clip(_ROUGH, self.lower[:, None], self.upper[:, None])
        return self.mean[:, None] + self.sd[:, None] * z, np.broadcast_to(_ROUGH_WEIGHTS, z.shape)

    def rows(self, which: Any) -> NormalPredictor:
        """Some of the rows."""
        return NormalPredictor(
            mean=self.mean[which], sd=self.sd[which], lower=self.lower[which], upper=self.upper[which]
        )


def normal_predictor(family: Family[Any], mean: NDArray[np.float64], sd: NDArray[np.float64]) -> NormalPredictor:
    """Restrict normal linear predictors to those that belong to a mean of a family.

    Parameters
    ----------
    family : Family
        Response distribution and link.
    mean, sd : ndarray (n,)
        Of the linear predictors.

    Raises
    ------
    DataError
        If the mean belongs to none, or with a probability above 0.0001 the linear predictor does not.
    """
    possible = family.valid(mean)
    lower, upper = _limit(family, mean, sd, -1.0), _limit(family, mean, sd, 1.0)
    outside = np.where(possible, ndtr(lower) + ndtr(-upper), 1.0)
    wrong = np.flatnonzero(outside > _OUTSIDE)
    if len(wrong):
        i = wrong[0]
        raise DataError(
            f"the linear predictor of row {i}, {mean[i]:.4g} with a standard deviation of {sd[i]:.3g}, lies with a "
            f"probability of {outside[i]:.2g} where the link {family.link.name!r} has no mean of {family.name}: a new "
            "response has no distribution there. Fit with a link that allows all values, such as log"
        )
    return NormalPredictor(mean=mean, sd=sd, lower=lower, upper=upper)


def _limit(family: Family[Any], mean: NDArray[np.float64], sd: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """Where on one side of the mean the possible values end, in standard deviations; infinite where they do not."""
    near, far = np.zeros(len(mean)), np.full(len(mean), side * _ENDS[-1])
    ends = ~_same_side(family, mean, mean + far * sd)
    if not ends.any():
        return np.full(len(mean), side * np.inf)
    for _ in range(_HALVINGS):
        middle = 0.5 * (near + far)
        inside = _same_side(family, mean, mean + middle * sd)
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    return np.where(ends, near, side * np.inf)


def _same_side(family: Family[Any], mean: NDArray[np.float64], eta: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a predictor is possible and not beyond a pole of the link."""
    same = family.valid(eta)
    return same & (np.sign(eta) == np.sign(mean)) if family.link.pole else same
