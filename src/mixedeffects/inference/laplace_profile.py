"""The profile deviance of the parameters of a generalized model, by its criterion with the exact gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.criterion.differences import hessian_by_differences
from mixedeffects.criterion.laplace import LaplacePoint
from mixedeffects.errors import DataError
from mixedeffects.fit.effects import predictor_of
from mixedeffects.inference.constrained import ProfilePoint, flat, no_minimum
from mixedeffects.inference.coordinates import CorrelationCoordinates, SdCoordinates
from mixedeffects.inference.laplace_coordinates import STEP, CovarianceCoordinates, LinearCoordinates
from mixedeffects.optimize.canonical import transformed
from mixedeffects.optimize.quasi_newton import descend, learnt, units

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit.glmm import GlmmFit
    from mixedeffects.inference.laplace_coordinates import ParameterCoordinates
    from mixedeffects.inference.parameters import Parameter
    from mixedeffects.optimize.laplace import Criterion

_TOLERANCE = 1e-10  # decrement, in units of the deviance
_ROUGH_TOLERANCE = 1e-2
_EVALUATIONS, _RESTARTS = 60, 4  # of a search, which begins again with the exact curvature
_FLAT = 1e-9  # of the largest eigenvalue of a scaled curvature
_LEAST = 0.05  # standard deviation relative to the unit, for a column of unit mean square, to begin with
_WIDE = 30.0  # root mean square change of the linear predictor, relative to its error in one row, that is a large one
_LARGEST_LOG = 700.0  # of a number
_WIDE_LOG = 2.0  # change of the logarithm of a dispersion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _At:
    """The criterion with its gradient in the coordinates that are free, in all of them, and as it was evaluated."""

    value: float
    gradient: NDArray[np.float64]
    whole: NDArray[np.float64]
    point: LaplacePoint


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _State:
    """A point of the profile in all coordinates, with the curvature in them, (m, m), as far as it is known."""

    psi: NDArray[np.float64]
    at: _At
    curvature: NDArray[np.float64]


class Estimates:
    """The parameters of a criterion at the estimates of a fit, and how far each is from certain.

    Attributes
    ----------
    x : ndarray (m,)
        Theta, beta, t in the working columns.
    point : LaplacePoint
        The criterion there.
    spread : ndarray (m,)
        Rough standard deviations of x.
    unit : float
        The error of the linear predictor in one row, 1 / sqrt(W) for the weight W at the mean of the response.
    """

    def __init__(self, fit: GlmmFit) -> None:
        criterion, family, model = fit.likelihood, fit.distribution, fit.model
        layout, basis = criterion.layout, criterion.basis
        eta, t = predictor_of(model, fit.solution), fit.log_dispersion
        found = family.derivatives(model.y, eta, model.row_weights, t)
        # At the mean of the response, as there is no information where separated data put the linear predictor.
        mean = np.full(model.nobs, family.link.link(np.array([model.y.mean()]))[0])
        weight = family.derivatives(model.y, mean, model.row_weights, t).expected.mean()
        self.unit = float(1.0 / math.sqrt(max(weight, 1e-300)))
        beta = basis.R @ fit.solution.beta
        working = [transformed(T, L) for T, L in zip(basis.T, layout.factors(fit.solution.theta), strict=True)]
        parts = [layout.theta(working), beta[: criterion.sizes[1]], np.array([t][: criterion.sizes[2]])]
        self.x: NDArray[np.float64] = np.concatenate(parts)
        near = LaplacePoint(
            value=math.inf, gradient=np.empty(0), raw={"beta": beta, "s": _scores(fit, criterion, found.d1)}
        )
        self.point = criterion(self.x, near)
        theta = [
            np.full(len(L) * (len(L) + 1) // 2, max(self.unit, np.abs(L).max()) / math.sqrt(layout.n_levels[block]))
            for L, block in zip(working, layout.block_of, strict=True)
        ]
        rest = [self.unit] * criterion.sizes[1] + [math.sqrt(2.0 / model.nobs)] * criterion.sizes[2]
        self.spread = np.concatenate([*theta, rest])


class LaplaceProfile:
    """Profile deviance of one parameter of a generalized model.

    Parameters
    ----------
    name : str
        The parameter.
    criterion : LaplaceCriterion or AgqCriterion
        The deviance.
    estimates : Estimates
        Where its minimum is.
    coordinates : ParameterCoordinates
        The change of variables that makes the parameter the first one.
    reach : float
        A change of the position that is large, for want of a curvature.
    ceiling : float
        A deviance that is reached, or come near to, at every position.

    Notes
    -----
    With the first coordinate fixed, a trust region with learnt curvature finds the minimum over the others. The
    curvature is the exact one at the estimates (differences of the gradient) and goes on from point to point, and so
    does the mode from which the inner iteration starts. The Newton decrement at the end is below 1e-10.
    """

    def __init__(
        self,
        name: str,
        criterion: Criterion,
        estimates: Estimates,
        coordinates: ParameterCoordinates,
        *,
        reach: float,
        ceiling: float = math.inf,
    ) -> None:
        self.name = name
        self.domain = coordinates.domain
        self.estimate = float(coordinates.estimate[0])
        self.ceiling = ceiling
        self.uncorrelated = coordinates.uncorrelated
        self._criterion, self._coordinates = criterion, coordinates
        self._least = _LEAST * estimates.unit
        psi, _ = coordinates.reduced(coordinates.estimate)
        every = np.arange(len(psi))
        first = self._evaluate(psi, psi, every, estimates.point)

        hessian = hessian_by_differences(
            [lambda x: self._evaluate(psi, x, every, first.point).whole], psi, coordinates.step
        )
        if not np.isfinite(hessian).all():
            hessian = np.diag(2.0 * (STEP / coordinates.step) ** 2)
        self._first = self._last = _State(psi=psi, at=first, curvature=hessian)
        curvature = self.at_estimate().curvature
        self.reach = min(reach, 3.0 * math.sqrt(2.0 / curvature)) if curvature > 0.0 else reach

    def reported(self, position: float) -> float:
        """Return the parameter on its own scale."""
        return self._coordinates.reported(position)

    def at_estimate(self) -> ProfilePoint:
        """Return the point of the estimate."""
        return self._point(self._first, 0.0)

    def at(self, position: float, others: NDArray[np.float64], *, rough: bool = False) -> ProfilePoint:
        """Minimize the deviance over the other parameters.

        Parameters
        ----------
        position : float
            Where the parameter is fixed.
        others : ndarray (m - 1,)
            Start of the other coordinates.
        rough : bool
            Stop as soon as the minimum is known to about 1e-2.

        Returns
        -------
        ProfilePoint
            With an infinite deviance where the criterion cannot be computed at the start.

        Raises
        ------
        ConvergenceError
            If no minimum is found.
        """
        origin = min(self._first, self._last, key=lambda state: abs(float(state.psi[0]) - position))
        for start in (others, origin.psi[1:]):
            psi, redundant = self._coordinates.reduced(np.append(position, start))
            psi = self._coordinates.lifted(psi, self._least)
            free = _free(len(psi), redundant)
            at = self._evaluate(psi, psi[free], free, origin.at.point)
            if math.isfinite(at.value):
                break
        else:
            unknown = np.zeros(len(others))
            return ProfilePoint(
                position=position, others=others, deviance=math.inf, slope=math.nan, curvature=math.nan, tangent=unknown
            )

        def function(x: NDArray[np.float64], near: _At | None) -> _At:
            return self._evaluate(psi, x, free, None if near is None else near.point)

        search = partial(
            descend, function, tolerance=_ROUGH_TOLERANCE if rough else _TOLERANCE, max_evaluations=_EVALUATIONS
        )
        found = search(psi[free], origin.curvature[np.ix_(free, free)], first=at)
        for _ in range(_RESTARTS):
            if found.converged:
                break
            # A bent valley, of which the curvature learnt so far tells little.
            gradient = partial(self._gradient, psi, free, found.point.point)
            exact = hessian_by_differences([gradient], found.x, self._coordinates.step[free])
            found = search(found.x, exact if np.isfinite(exact).all() else found.curvature, first=found.point)
        if not found.converged:
            raise no_minimum(self.name, self.reported(position))
        state = _state(origin, psi, found.x, free, found.point, found.curvature)
        if not rough:
            self._last = state
        point = self._point(state, found.decrement)
        return point if point.deviance < self.ceiling else flat(point, self.ceiling)

    def _evaluate(
        self, psi: NDArray[np.float64], y: NDArray[np.float64], free: NDArray[np.intp], near: LaplacePoint | None
    ) -> _At:
        """The criterion at psi with y for the free coordinates."""
        moved = psi.copy()
        moved[free] = y
        with np.errstate(over="ignore", invalid="ignore"):
            point = self._criterion(self._coordinates.parameters(moved), near)
        if not math.isfinite(point.value):
            whole = np.full(len(psi), np.nan)
            return _At(value=math.inf, gradient=whole[free], whole=whole, point=point)
        whole = self._coordinates.gradient(moved, point)
        return _At(value=point.value, gradient=whole[free], whole=whole, point=point)

    def _gradient(
        self, psi: NDArray[np.float64], free: NDArray[np.intp], near: LaplacePoint, y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return self._evaluate(psi, y, free, near).gradient

    def _point(self, state: _State, decrement: float) -> ProfilePoint:
        psi, whole, B = state.psi, state.at.whole, state.curvature
        free = _free(len(psi), self._coordinates.reduced(psi)[1])
        tangent = np.zeros_like(psi)
        tangent[free] = -_solved(B[np.ix_(free, free)], B[free, 0])
        return ProfilePoint(
            position=float(psi[0]),
            others=psi[1:],
            deviance=state.at.value - decrement,
            slope=float(whole[0] + tangent[free] @ whole[free]),
            curvature=float(B[0, 0] + B[0, free] @ tangent[free]),
            tangent=tangent[1:],
        )


def laplace_functions(fit: GlmmFit, chosen: Sequence[Parameter]) -> Iterator[LaplaceProfile]:
    """Yield the profile deviance of each parameter; correlations must be defined.

    Parameters
    ----------
    fit : GlmmFit
        A fit.
    chosen : sequence of Parameter
        Parameters of its model.

    Raises
    ------
    DataError
        For coefficients of a fit with nagq=0.
    """
    refused = [p.name for p in chosen if p.kind == "coefficient"] if fit.likelihood.joint else []
    if refused:
        raise DataError(
            f"with nagq=0 coefficients have no profile ({', '.join(refused)}): they are part of the mode, not at a "
            "minimum of the criterion. Fit with nagq=1, or choose params='theta_' or method='wald'"
        )
    here = Estimates(fit)
    without: dict[tuple[int, int], float] = {}
    for parameter in chosen:
        if parameter.kind == "cor":
            for column in {parameter.row, parameter.column} - {c for t, c in without if t == parameter.term}:
                sd = _covariance_profile(fit, here, replace(parameter, kind="sd", row=column, column=column))
                without[parameter.term, column] = sd.at(0.0, sd.at_estimate().others).deviance
            ceiling = min(without[parameter.term, c] for c in (parameter.row, parameter.column))
            yield _covariance_profile(fit, here, parameter, ceiling)
        elif parameter.kind == "sd":
            yield _covariance_profile(fit, here, parameter)
        else:
            yield _linear_profile(fit, here, parameter)


def _covariance_profile(
    fit: GlmmFit, here: Estimates, parameter: Parameter, ceiling: float = math.inf
) -> LaplaceProfile:
    kind = SdCoordinates if parameter.kind == "sd" else CorrelationCoordinates
    inner = kind(fit.likelihood, fit.solution, parameter)
    coordinates = CovarianceCoordinates(fit.likelihood, here.x, parameter.term, inner, here.spread)
    reach = inner.reach if parameter.kind == "cor" else 0.5 * (here.unit + float(inner.estimate[0]))
    return LaplaceProfile(parameter.name, fit.likelihood, here, coordinates, reach=reach, ceiling=ceiling)


def _linear_profile(fit: GlmmFit, here: Estimates, parameter: Parameter) -> LaplaceProfile:
    """For a coefficient, or for the dispersion by its logarithm."""
    d, p, _ = fit.likelihood.sizes
    row = np.zeros(len(here.x))
    if parameter.kind == "coefficient":
        row[d : d + p] = np.linalg.inv(fit.likelihood.basis.R)[parameter.row]
        reach, half = _WIDE * here.unit * float(np.linalg.norm(row)) * math.sqrt(fit.nobs), None
    else:
        row[-1] = 1.0
        reach, half = _WIDE_LOG, 0.5 if fit.distribution.scaled else 1.0

    def reported(position: float) -> float:
        if half is None:
            return position
        return math.exp(half * position) if half * position < _LARGEST_LOG else math.inf

    coordinates = LinearCoordinates(fit.likelihood, here.x, row, here.spread, reported)
    return LaplaceProfile(parameter.name, fit.likelihood, here, coordinates, reach=reach)


def _scores(fit: GlmmFit, criterion: Criterion, d1: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Z' times the derivatives of the log-density, by block (J, k) in the working columns: the s of the mode."""
    out = []
    transforms = criterion.basis.block_transforms(criterion.layout)
    for terms, T in zip(criterion.layout.terms_of, transforms, strict=True):
        codes, J = fit.model.terms[terms[0]].factor.codes, fit.model.terms[terms[0]].factor.n_levels
        columns = [column for term in terms for column in fit.model.terms[term].columns]
        sums = np.column_stack([np.bincount(codes, column * d1, minlength=J) for column in columns])
        out.append(np.ascontiguousarray(np.linalg.solve(T.T, sums.T).T))
    return out


def _free(size: int, redundant: NDArray[np.intp]) -> NDArray[np.intp]:
    """The coordinates other than the first that are not redundant."""
    free = np.ones(size, dtype=bool)
    free[0] = False
    free[redundant] = False
    return np.flatnonzero(free)


def _state(
    near: _State,
    psi: NDArray[np.float64],
    y: NDArray[np.float64],
    free: NDArray[np.intp],
    at: _At,
    curvature: NDArray[np.float64],
) -> _State:
    """The state at a minimum: what was learnt there, and from the change of the gradient since a state nearby."""
    psi, B = psi.copy(), near.curvature.copy()
    psi[free] = y
    B[np.ix_(free, free)] = curvature
    change = at.whole - near.at.whole
    if psi[0] != near.psi[0] and np.isfinite(change).all():
        B = learnt(B, psi - near.psi, change, units(B))
    return _State(psi=psi, at=at, curvature=B)


def _solved(B: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """B^-1 times a vector; curvature that is flat or negative counts by its size, no less than a little."""
    if not len(right):
        return right
    scale = units(B)
    values, vectors = np.linalg.eigh(B / np.outer(scale, scale))
    size = np.maximum(np.abs(values), _FLAT * max(float(np.abs(values).max()), 1e-300))
    return np.asarray(vectors @ ((vectors.T @ (right / scale)) / size) / scale, dtype=np.float64)
