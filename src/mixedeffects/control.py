"""How a model is fitted: the options that `lmer` takes as `control`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mixedeffects.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROCESSORS = os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Options of the optimizer and of the computation.

    Parameters
    ----------
    tolerance : float
        Stop when the Newton decrement, the gain in the criterion that one more step promises, is below this. It is in
        units of the criterion (twice a log-likelihood), so it depends on no unit of the data. Without effect in
        `glmer`, whose search goes on until the decrement by the exact Hessian is below 1e-9 whatever is asked for.
    max_evaluations : int
        Stop without convergence after so many evaluations of the criterion. In `glmer` it bounds each of the two
        searches by learnt curvature, that of the fast approximation and that of all parameters; at most 33 steps with
        the exact Hessian follow, and what they reach decides on convergence.
    start : sequence of float (d,), optional
        Starting value of theta, in the order of `fit.theta`; moment estimates by default.
    fixed_theta : sequence of float (d,), optional
        Evaluate the model at this theta and do not optimize it: a known relative covariance structure, or in a
        generalized model a known covariance. What else there is to estimate is estimated.
    threads : int, optional
        Threads for the pass over the rows and for large dense blocks; all processors by default. The answer does not
        depend on it. Threads of the BLAS are its own affair.
    solver : {"direct"}
        Direct factorisation.
    information : {"observed", "expected"}
        For `glmer` with ``nagq=1`` or 0: the weights in the log-determinant of the Laplace approximation, and in what
        follows from it (standard errors, conditional variances of the random effects). Without effect where the link
        is canonical.

    Raises
    ------
    DataError
        For a value that is not allowed, or both of `start` and `fixed_theta`.

    Notes
    -----
    With eta = offset + X beta + Z Lambda u, and u the mode of the first two terms, the Laplace approximation is

        -2 log L = -2 sum_i log p(y_i | eta_i) + u'u + log|Lambda'Z'WZ Lambda + I|.

    `observed`: W_i = -d^2 log p(y_i | eta_i) / d eta_i^2, which is Laplace's method [1]_ and what glmmTMB has.
    `expected`: W_i is the mean of that over y_i, the weight of iteratively reweighted least squares, which lme4 has
    [2]_. The two agree for canonical links; elsewhere the observed information comes closer to the integral.

    References
    ----------
    .. [1] Tierney & Kadane (1986), Journal of the American Statistical Association 81, 82-86,
       doi:10.1080/01621459.1986.10478240.
    .. [2] Breslow & Clayton (1993), Approximate inference in generalized linear mixed models, Journal of the American
       Statistical Association 88, 9-25, doi:10.1080/01621459.1993.10594284.
    """

    tolerance: float = 1e-11
    max_evaluations: int = 200
    start: Sequence[float] | None = None
    fixed_theta: Sequence[float] | None = None
    threads: int | None = None
    solver: Literal["direct"] = "direct"
    information: Literal["observed", "expected"] = "observed"

    def __post_init__(self) -> None:
        if isinstance(self.tolerance, bool) or not isinstance(self.tolerance, Real):
            raise DataError(f"tolerance must be a number, not {self.tolerance!r}")
        if not self.tolerance > 0:
            raise DataError(f"tolerance must be positive, not {self.tolerance!r}")
        for name in ("max_evaluations", "threads"):
            value = getattr(self, name)
            if value is None and name == "threads":
                continue
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise DataError(f"{name} must be a whole number, not {value!r}")
            if value < 1:
                raise DataError(f"{name} must be at least 1, not {value!r}")
        if self.solver != "direct":
            raise DataError(f"solver must be 'direct', not {self.solver!r}")
        if self.information not in ("observed", "expected"):
            raise DataError(f"information must be 'observed' or 'expected', not {self.information!r}")
        for name in ("start", "fixed_theta"):
            # Tuples: an option is a value, which can be compared, and which nobody else can change.
            object.__setattr__(self, name, _vector(name, getattr(self, name)))
        if self.start is not None and self.fixed_theta is not None:
            raise DataError("start and fixed_theta exclude each other: fixed_theta is not optimized")

    def with_start(self, start: Sequence[float]) -> Control:
        """Return the same options with a starting value.

        Parameters
        ----------
        start : sequence of float (d,)
            Starting value of theta.
        """
        return replace(self, start=start)

    @property
    def n_threads(self) -> int:
        """Threads in use."""
        return self.threads or _PROCESSORS


def _vector(name: str, values: Any) -> tuple[float, ...] | None:
    if values is None:
        return None
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(())
    if array.ndim != 1:
        raise DataError(f"{name} must be a sequence of numbers, one for each entry of theta, not {values!r}")
    return tuple(array.tolist())
