"""What families return: derivatives of the log-likelihood, and limits of the distribution function."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.families.special import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivatives:
    """Derivatives of each row's log-likelihood in its linear predictor eta and in t = log(phi).

    Attributes
    ----------
    d1, d2, d3 : ndarray (n,)
        First, second and third derivative in eta, as observed.
    expected : ndarray (n,)
        Minus the expectation of d2 over the response (Fisher information, the weight of Fisher scoring); >= 0.
    expected_d1 : ndarray (n,)
        Its derivative in eta.
    dt : ndarray (n,) or None
        Derivative of the log-likelihood in t. This and the following are None for a family without a dispersion.
    dt_d1, dt_d2 : ndarray (n,) or None
        Derivatives of d1 and of d2 in t.
    expected_dt : ndarray (n,) or None
        Derivative of `expected` in t.
    """

    d1: Vector
    d2: Vector
    d3: Vector
    expected: Vector
    expected_d1: Vector
    dt: Vector | None = None
    dt_d1: Vector | None = None
    dt_d2: Vector | None = None
    expected_dt: Vector | None = None

    def where(self, valid: NDArray[np.bool_]) -> Derivatives:
        """Return the same with NaN in the other rows.

        Parameters
        ----------
        valid : ndarray of bool (n,)
            Rows to keep.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        kept: dict[str, Any] = {k: None if v is None else np.where(valid, v, np.nan) for k, v in values.items()}
        return Derivatives(**kept)


@dataclass(frozen=True, slots=True)
class Cumulative:
    """Both limits of the distribution function at each response.

    Attributes
    ----------
    lower, upper : ndarray (n,)
        P(Y < y) and P(Y <= y). The same array for a continuous distribution. A uniform draw between them, through the
        normal quantile, is a randomized quantile residual.
    """

    lower: Vector
    upper: Vector
