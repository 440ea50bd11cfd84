"""Profile likelihood of every parameter of a linear or generalized mixed model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.fit import fit_lmm
from mixedeffects.fit.glmm import GlmmFit
from mixedeffects.frame import to_frame
from mixedeffects.inference.coefficient_profile import CoefficientProfile
from mixedeffects.inference.constrained import ProfileFunction, VarianceProfile
from mixedeffects.inference.coordinates import CorrelationCoordinates, SdCoordinates, SigmaCoordinates
from mixedeffects.inference.deviance import Deviance
from mixedeffects.inference.interval_estimates import Intervals, normal_quantile
from mixedeffects.inference.laplace_profile import laplace_functions
from mixedeffects.inference.parameters import Parameter, estimates, parameters, select
from mixedeffects.inference.signed_root import Knot, SignedRoot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

_STEPS = 8  # on each side of the estimate
_FURTHEST = NormalDist().inv_cdf(0.995)  # zeta, the root of the 0.99 quantile of chi-square with 1 degree of freedom


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProfileCurve:
    """The profile of one parameter.

    Attributes
    ----------
    name : str
        The parameter.
    estimate : float
        Its maximum likelihood estimate.
    value : ndarray (m,)
        Values at which it was fixed, increasing; none if the parameter is not defined at the estimates.
    zeta : ndarray (m,)
        Signed roots, sign(value - estimate) sqrt(D(value) - D_min).
    """

    name: str
    estimate: float
    value: NDArray[np.float64]
    zeta: NDArray[np.float64]
    _root: SignedRoot | None = field(repr=False)
    _knots: tuple[Knot, ...] = field(repr=False)

    def limits(self, quantile: float) -> tuple[float, float]:
        """Return where zeta is -quantile and quantile; an end of the parameter's range where zeta stays within."""
        return _limits(self._root, self._knots, quantile)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """Profiles of parameters; iterates over its curves.

    Attributes
    ----------
    curves : tuple of ProfileCurve
        One for each parameter.
    message : str
        What else there is to say, as that a fit by REML was refitted by maximum likelihood; empty if nothing.
    data_kind : str
        The library of the data.
    """

    curves: tuple[ProfileCurve, ...]
    message: str
    data_kind: str

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters."""
        return tuple(curve.name for curve in self.curves)

    def __len__(self) -> int:
        return len(self.curves)

    def __iter__(self) -> Iterator[ProfileCurve]:
        return iter(self.curves)

    def __getitem__(self, name: str) -> ProfileCurve:
        """Return the curve of a parameter."""
        for curve in self.curves:
            if curve.name == name:
                return curve
        raise DataError(f"there is no profile of {name!r}; there are those of {', '.join(self.names)}")

    def to_frame(self) -> Any:
        """Return a frame of the data's library with columns param, value and zeta, one row for each point."""
        columns = {
            "param": [curve.name for curve in self.curves for _ in curve.value],
            "value": np.concatenate([np.empty(0), *(curve.value for curve in self.curves)]),
            "zeta": np.concatenate([np.empty(0), *(curve.zeta for curve in self.curves)]),
        }
        return to_frame(columns, self.data_kind, text=("param",))

    def confint(self, level: float = 0.95, params: str | Sequence[str] | None = None) -> Intervals:
        """Profile likelihood intervals: the values where zeta is within the normal quantiles.

        Parameters
        ----------
        level : float
            Confidence level.
        params : str or sequence of str, optional
            Parameters; all by default.

        Returns
        -------
        Intervals
            The limits are exact to about 1e-8 of the interval's width: they are found on the profile, not on a spline.

        Raises
        ------
        DataError
            For a level outside (0, 1), or a parameter that was not profiled.
        ConvergenceError
            If a limit is not found.
        """
        quantile = normal_quantile(level)
        wanted = self.names if params is None else [params] if isinstance(params, str) else list(params)
        curves = [self[name] for name in wanted]
        limits = np.array([curve.limits(quantile) for curve in curves]).reshape(-1, 2)
        unlimited = _unlimited((curve.name, curve._root, tuple(row)) for curve, row in zip(curves, limits, strict=True))
        return Intervals(
            names=tuple(curve.name for curve in curves),
            estimate=np.array([curve.estimate for curve in curves]),
            lower=limits[:, 0],
            upper=limits[:, 1],
            level=float(level),
            method="profile",
            message="; ".join(filter(None, (self.message, unlimited))),
        )


def profile(fit: LmmFit, params: str | Sequence[str] | None = None) -> Profile:
    """Profile the deviance in each parameter.

    Parameters
    ----------
    fit : LmmFit
        A fit; one by REML is refitted by maximum likelihood, and `message` says so.
    params : str or sequence of str, optional
        Names of parameters, ``"theta_"`` for all but the coefficients, ``"beta_"`` for the coefficients; all by
        default.

    Returns
    -------
    Profile
        About 16 points for each parameter, with zeta from -2.58 to 2.58 unless the parameter's range ends before: a
        standard deviation at 0, a correlation at -1 and 1; fewer where the profile levels off, as that of a coefficient
        of separated data does. A correlation that involves a standard deviation estimated as 0 has no points.

    Raises
    ------
    DataError
        For an unknown parameter, a fit at a fixed theta, or coefficients of a generalized fit with nagq=0.
    ConvergenceError
        If a minimum is not found, or one that is lower than the fit.

    Notes
    -----
    D is minus twice the log-likelihood, or its approximation by Laplace or quadrature. With one parameter x fixed it
    is minimized over all others, and zeta(x) = sign(x - xhat) sqrt(D(x) - D(xhat)) [1]_, [2]_: a straight line if the
    likelihood is quadratic.

    References
    ----------
    .. [1] Bates & Watts (1988), Nonlinear regression analysis and its applications, section 6.1.
    .. [2] Bates, Maechler, Bolker & Walker (2015), Journal of Statistical Software 67(1), section 5.1.
    """
    chosen = select(parameters(fit), params)
    ml, message = maximum_likelihood(fit)
    curves = []
    for parameter, root, estimate in signed_roots(ml, chosen):
        knots = () if root is None else _knots(root)
        values = np.array([] if root is None else [root.function.reported(knot.position) for knot in knots])
        if root is not None:  # not what is left of the estimate after a change of scale
            values[[knot.position == root.function.estimate for knot in knots]] = estimate
        curves.append(
            ProfileCurve(
                name=parameter.name,
                estimate=estimate,
                value=values,
                zeta=np.array([knot.zeta for knot in knots], dtype=np.float64),
                _root=root,
                _knots=knots,
            )
        )
    return Profile(curves=tuple(curves), message=message, data_kind=fit.model.data_kind)


def profile_limits(
    fit: LmmFit, chosen: Sequence[Parameter], quantile: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Limits straight from the estimates, without the points between.

    Parameters
    ----------
    fit : LmmFit
        By maximum likelihood.
    chosen : sequence of Parameter
        Parameters of its model.
    quantile : float
        Of zeta.

    Returns
    -------
    estimate : ndarray (m,)
        Estimates.
    limits : ndarray (m, 2)
        Limits.
    message : str
        Which of them lie at infinity; empty if none.
    """
    rows, found = [], []
    for parameter, root, estimate in signed_roots(fit, chosen):
        knots = () if root is None else (root.at_estimate(),)
        rows.append((parameter.name, root, _limits(root, knots, quantile)))
        found.append(estimate)
    return np.array(found), np.array([limits for _, _, limits in rows]).reshape(-1, 2), _unlimited(rows)


def maximum_likelihood(fit: LmmFit) -> tuple[LmmFit, str]:
    """Return the fit by maximum likelihood to the same design, and what there is to say about it.

    Parameters
    ----------
    fit : LmmFit
        Any fit.

    Raises
    ------
    DataError
        If theta was not estimated.
    """
    if fit.control.fixed_theta is not None:
        raise DataError(
            "the fit has a fixed theta, so that there is no minimum to profile from; fit without "
            "control=Control(fixed_theta=...)"
        )
    messages = []
    if fit.reml:
        fit = fit_lmm(fit.model, reml=False, control=fit.control)
        messages.append("profiles are of the deviance: the model was refitted by maximum likelihood")
    if not fit.optimum.converged:
        messages.append(f"the fit by maximum likelihood did not converge: {fit.optimum.message}")
    return fit, "; ".join(messages)


def signed_roots(fit: LmmFit, chosen: Sequence[Parameter]) -> Iterator[tuple[Parameter, SignedRoot | None, float]]:
    """Yield each parameter with its signed root, None for a correlation that is not defined, and its estimate.

    Parameters
    ----------
    fit : LmmFit
        By maximum likelihood.
    chosen : sequence of Parameter
        Parameters of its model.
    """
    found = estimates(fit, chosen)
    defined = [parameter for parameter, estimate in zip(chosen, found, strict=True) if not math.isnan(estimate)]
    functions: Iterator[ProfileFunction]
    functions = laplace_functions(fit, defined) if isinstance(fit, GlmmFit) else _gaussian_functions(fit, defined)
    for parameter, estimate in zip(chosen, found, strict=True):
        root = None if math.isnan(estimate) else SignedRoot(next(functions), fit.criterion)
        yield parameter, root, float(estimate)


def _gaussian_functions(fit: LmmFit, chosen: Sequence[Parameter]) -> Iterator[ProfileFunction]:
    """The profile deviance of each parameter of a linear model."""
    criterion, solution = fit.objective, fit.solution
    deviance = Deviance(criterion)
    without: dict[tuple[int, int], float] = {}
    for parameter in chosen:
        if parameter.kind == "coefficient":
            yield CoefficientProfile(fit, parameter.row)
        elif parameter.kind == "sd":
            yield VarianceProfile(parameter.name, SdCoordinates(criterion, solution, parameter), deviance)
        elif parameter.kind == "cor":
            for column in (parameter.row, parameter.column):
                if (parameter.term, column) not in without:
                    without[parameter.term, column] = _without_sd(fit, parameter, column, deviance)
            ceiling = min(without[parameter.term, parameter.row], without[parameter.term, parameter.column])
            coordinates = CorrelationCoordinates(criterion, solution, parameter)
            yield VarianceProfile(parameter.name, coordinates, deviance, ceiling=ceiling)
        else:
            yield VarianceProfile(parameter.name, SigmaCoordinates(criterion, solution), deviance)


def _without_sd(fit: LmmFit, correlation: Parameter, column: int, deviance: Deviance) -> float:
    """The deviance with the standard deviation of one column of a correlation at 0: every correlation comes near it."""
    sd = replace(correlation, row=column, column=column)
    coordinates = SdCoordinates(fit.objective, fit.solution, sd)
    return VarianceProfile(correlation.name, coordinates, deviance).at(0.0, coordinates.estimate[1:]).deviance


def _knots(root: SignedRoot) -> tuple[Knot, ...]:
    """Points on both sides of the estimate and the estimate itself, by increasing position."""
    middle = root.at_estimate()
    below, above = (root.march(middle, target, _STEPS) for target in (-_FURTHEST, _FURTHEST))
    return (*reversed(below), middle, *above)


def _limits(root: SignedRoot | None, knots: Sequence[Knot], quantile: float) -> tuple[float, float]:
    if root is None:
        return math.nan, math.nan
    lower, upper = (root.function.reported(root.solve(target, knots)) for target in (-quantile, quantile))
    return lower, upper


def _unlimited(found: Iterable[tuple[str, SignedRoot | None, tuple[float, ...]]]) -> str:
    """Say which profiles level off below the cut-off, given their limits; empty if none."""
    names = [
        name
        for name, root, limits in found
        if root is not None
        for end, limit in zip(root.function.domain, limits, strict=True)
        if math.isinf(end) and limit == root.function.reported(end)
    ]
    if not names:
        return ""
    which = ", ".join(dict.fromkeys(names))
    return f"the profile of {which} levels off below the cut-off: the interval has no limit on that side"
