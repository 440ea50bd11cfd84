"""What the optimizer reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixedeffects.optimize.certificate import BoundaryDirection


class TracePoint(NamedTuple):
    """One evaluated point.

    Attributes
    ----------
    value : float
        The criterion there.
    newton_decrement : float
        What the next Newton step promises, at the best point so far.
    radius : float
        Radius of the trust region afterwards.
    step : float
        Length of the step that led there.
    accepted : bool
        Whether the criterion fell enough.
    exact : bool
        Whether the curvature is the exact Hessian (else average information).
    """

    value: float
    newton_decrement: float
    radius: float
    step: float
    accepted: bool
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """The certificate of a fit.

    Attributes
    ----------
    converged : bool
        Whether the point is a minimum by everything below.
    n_evaluations : int
        Evaluations of the criterion of any kind, those at the boundary included.
    n_hessians : int
        Exact Hessians computed besides, each by one directional derivative of the gradient per parameter.
    newton_decrement : float
        Half of g' H^-1 g, in units of the criterion: what one more Newton step would gain.
    boundary : tuple of BoundaryDirection
        For each term with a singular covariance matrix, the directions without variance and the derivative that proves
        that variance in them would raise the criterion.
    message : str
        The verdict in words.
    trace : tuple of TracePoint
        The evaluated points of the search.
    smallest : callable returning float
        Computes `min_eigenvalue`.
    no_estimate : str
        What has no finite estimate, in words: a separated response, a dispersion at the end of its range. Empty where
        nothing of the kind was found.
    """

    converged: bool
    n_evaluations: int
    n_hessians: int
    newton_decrement: float
    boundary: tuple[BoundaryDirection, ...]
    message: str
    trace: tuple[TracePoint, ...]
    smallest: Callable[[], float] = field(repr=False)
    no_estimate: str = ""

    @property
    def min_eigenvalue(self) -> float:
        """Smallest eigenvalue of the exact Hessian in the free parameters, for columns of unit mean square.

        Free are the entries of Lambda in columns whose pivot is not zero; NaN if there are none. Positive at a minimum.
        Where a large dense block or many parameters make the exact Hessian dearer than the search, it is computed
        when first asked for, by differences of the exact gradient (one evaluation per parameter, not in
        `n_evaluations`); the verdict `converged` then rests on average information with the exact second part.
        """
        return self.smallest()


@dataclass(frozen=True, slots=True)
class Known:
    """A function of nothing that returns a value computed before; it can be pickled."""

    value: float

    def __call__(self) -> float:
        """Return the value."""
        return self.value
