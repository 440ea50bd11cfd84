"""Fit a generalized linear mixed model: the frozen record, and the steps that make it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.criterion import Solution
from mixedeffects.criterion.agq import AgqCriterion, agq_criterion
from mixedeffects.criterion.gaussian import effects_of
from mixedeffects.criterion.laplace import LaplaceCriterion, laplace_criterion
from mixedeffects.errors import ConvergenceError, DataError, MixedEffectsError
from mixedeffects.fit.dispersion_limit import at_dispersion_limit
from mixedeffects.fit.draws import DrawnTerm, FamilyModel, drawn_from
from mixedeffects.fit.effects import predictor_of
from mixedeffects.fit.exposure import check_exposure
from mixedeffects.fit.functionals import leverage
from mixedeffects.fit.glmm_values import glmm_residuals, simulate
from mixedeffects.fit.glmm_working import working_criterion, working_model
from mixedeffects.fit.joint_covariance import covariance_of_maps
from mixedeffects.fit.kinds import (
    draw_and_fit,
    drawn_at_theta,
    fit_as,
    linear_equivalent,
    loglik_without_groups,
    require_linear,
    response_criterion,
    response_drawer,
    scale_parameter,
    standard_residuals,
)
from mixedeffects.fit.record import Later, LmmFit
from mixedeffects.fit.residuals import residuals
from mixedeffects.fit.separation import verdict, verdict_without_estimates
from mixedeffects.optimize import Optimum
from mixedeffects.optimize.canonical import transformed
from mixedeffects.optimize.laplace import has_parameter, laplace_at_theta, minimize_laplace
from mixedeffects.optimize.record import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from mixedeffects.control import Control
    from mixedeffects.design import Design
    from mixedeffects.families import Family
    from mixedeffects.fit.glmm_values import Kind
    from mixedeffects.optimize.laplace import LaplaceMinimum

_ATTEMPTS = 3  # times as many draws as are wanted, where some have no mode


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class GlmmFit(LmmFit):
    """A fitted generalized linear mixed model.

    `model` has the response on the scale of the family (proportions of successes), `solution` the estimates with
    sigma = 1, as the covariance of the random effects is not relative to a residual one; `objective` is the criterion
    of the linear mixed model that stands for this one at the conditional modes, with the weights W and the response
    eta + d1 / W.

    Attributes
    ----------
    distribution : Family
        Response distribution and link.
    nagq : int
        0: fixed effects as part of the mode; 1: Laplace approximation; more: nodes of the quadrature per column.
    likelihood : LaplaceCriterion or AgqCriterion
        The criterion that was minimized.
    log_dispersion : float
        t = log(phi); 0 in a family without a dispersion.
    joint_vcov : ndarray (m, m)
        Twice the inverse Hessian in theta, beta, t of the working columns; zero for a theta that was given or in
        a column of zeros, NaN for parameters that the data do not determine.
    """

    distribution: Family[Any]
    nagq: int
    likelihood: LaplaceCriterion | AgqCriterion
    log_dispersion: float
    joint_vcov: NDArray[np.float64]

    @property
    def reml(self) -> bool:
        """False: there is no restricted likelihood here."""
        return False

    @property
    def dispersion(self) -> float:
        """The dispersion phi; 1 in a family without one."""
        return float(np.exp(self.log_dispersion))

    @property
    def sigma(self) -> float:
        """Root of the dispersion where it is a scale of the variance, else 1."""
        return float(np.exp(0.5 * self.log_dispersion)) if self.distribution.scaled else 1.0

    @property
    def npar(self) -> int:
        """Number of estimated parameters: fixed effects, theta, and the dispersion if there is one."""
        n_theta = 0 if self.control.fixed_theta is not None else len(self.solution.theta)
        return len(self.solution.beta) + n_theta + int(self.distribution.has_dispersion)

    def __reduce__(self) -> tuple[Any, ...]:
        kept = ("model", "solution", "control", "distribution", "nagq", "log_dispersion", "joint_vcov")
        optimum = {f.name: getattr(self.optimum, f.name) for f in fields(self.optimum) if f.name != "smallest"}
        parts = {name: getattr(self, name) for name in kept}
        return restored, (type(self), parts, optimum, self.optimum.min_eigenvalue)


def fit_glmm(design: Design, family: Family[Any], *, nagq: int, control: Control) -> GlmmFit:
    """Fit a design by maximum likelihood.

    Parameters
    ----------
    design : Design
        Response, offset and columns; its weights are the family's.
    family : Family
        Response distribution and link.
    nagq : int
        0 for the fast approximation, 1 for Laplace's, more for quadrature.
    control : Control
        Options.

    Raises
    ------
    DataError
        For a response that the family does not have, a model for which there is no quadrature, or a `start` or
        `fixed_theta` that does not fit the model.
    ConvergenceError
        If there is no mode at the starting value; where the response is separated, saying by what.
    """
    check_exposure(design, family)
    family.check_response(design.y, design.row_weights, design.formula.response)
    criterion = _criterion(design, family, nagq, control)
    terms = [(term.key, term.names) for term in design.terms]
    held = control.fixed_theta is not None
    if control.start is not None:
        criterion.layout.checked(control.start)
    try:
        minimum = (laplace_at_theta if held else minimize_laplace)(criterion, terms, control)
    except ConvergenceError as error:
        separated = verdict_without_estimates(design, family)
        if separated is None:
            raise
        raise ConvergenceError(separated) from error
    t = criterion.split(minimum.x)[2]
    objective = _objective(design, family, minimum.point.raw["eta"], t, control)
    solution, joint = _solution(criterion, minimum, objective, held=held)
    return GlmmFit(
        model=design,
        profiled=objective,
        solution=solution,
        optimum=_judged(criterion, minimum, nagq, control),
        control=control,
        distribution=family,
        nagq=nagq,
        likelihood=criterion,
        log_dispersion=t,
        joint_vcov=joint,
    )


@fit_as.register(GlmmFit)
def _fit_as(fit: GlmmFit, design: Design, *, reml: bool, control: Control) -> GlmmFit:
    return fit_glmm(design, fit.distribution, nagq=fit.nagq, control=control)


@draw_and_fit.register(GlmmFit)
def _draw_and_fit(fit: GlmmFit, n: int, rng: np.random.Generator, workers: int) -> Iterator[GlmmFit | None]:
    responses = [_drawn(fit, rng) for _ in range(n)]
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda y: None if y is None else refitted_or_none(fit, y), responses)


def refitted_or_none(fit: GlmmFit, y: NDArray[np.float64]) -> GlmmFit | None:
    """Fit the model to another response, from the estimate or else from the first start.

    Parameters
    ----------
    fit : GlmmFit
        The model; where theta was given it is held.
    y : ndarray (n,)
        The response.

    Returns
    -------
    GlmmFit or None
        None if neither ends, or for a response that the family does not have.
    """
    held = fit.control.fixed_theta is not None
    warm = fit.control if held else fit.control.with_start(fit.solution.theta.tolist())
    design = replace(fit.model, y=y)
    for start in (warm, fit.control):
        try:
            found = fit_glmm(design, fit.distribution, nagq=fit.nagq, control=replace(start, threads=1))
        except (ConvergenceError, DataError, np.linalg.LinAlgError):
            continue
        if found.optimum.converged or held:
            return found
    return None


def _drawn(fit: GlmmFit, rng: np.random.Generator) -> NDArray[np.float64] | None:
    try:
        return simulate(fit, rng)
    except DataError:  # a mean that the family does not have
        return None


@drawn_from.register(GlmmFit)
def _drawn_from(
    fit: GlmmFit, mean: NDArray[np.float64], terms: tuple[DrawnTerm, ...], weights: NDArray[np.float64] | None
) -> FamilyModel:
    return FamilyModel(
        mean=mean, terms=terms, family=fit.distribution, weights=weights, log_dispersion=fit.log_dispersion
    )


@response_drawer.register(GlmmFit)
def _response_drawer(fit: GlmmFit, rng: np.random.Generator) -> Callable[[], NDArray[np.float64] | None]:
    return lambda: _drawn(fit, rng)


@response_criterion.register(GlmmFit)
def _response_criterion(fit: GlmmFit) -> Callable[[NDArray[np.float64]], float | None]:
    def minimum(y: NDArray[np.float64]) -> float | None:
        found = refitted_or_none(fit, y)
        return None if found is None else found.criterion

    return minimum


@require_linear.register(GlmmFit)
def _require_linear(fit: GlmmFit, what: str) -> None:
    raise DataError(f"{what} is for linear mixed models; this is one of {fit.distribution!r}")


@residuals.register(GlmmFit)
def _residuals(fit: GlmmFit, kind: Kind = "response", *, marginal: bool = False, rng: Any = None) -> Any:
    return glmm_residuals(fit, kind, marginal=marginal, rng=rng)


@leverage.register(GlmmFit)
def _leverage(fit: GlmmFit) -> Any:
    return leverage(working_model(fit))


@standard_residuals.register(GlmmFit)
def _standard_residuals(fit: GlmmFit, rng: Any) -> NDArray[np.float64]:
    return glmm_residuals(fit, "quantile", rng=rng)


@linear_equivalent.register(GlmmFit)
def _linear_equivalent(fit: GlmmFit) -> LmmFit:
    return replace(working_model(fit), solution=fit.solution)


@drawn_at_theta.register(GlmmFit)
def _drawn_at_theta(fit: GlmmFit, n: int, rng: Any) -> Iterator[GlmmFit]:
    generator, found = np.random.default_rng(rng), 0
    for _ in range(_ATTEMPTS * n):
        y = simulate(fit, generator)
        solution = _solution_at_theta(fit, y)
        if solution is not None:
            found += 1
            yield replace(fit, model=replace(fit.model, y=y), solution=solution)
        if found == n:
            return
    raise MixedEffectsError(f"only {found} of {_ATTEMPTS * n} responses drawn from the fit have a mode at its theta")


def _solution_at_theta(fit: GlmmFit, y: NDArray[np.float64]) -> Solution | None:
    """Fixed effects and modes of a response, both at the mode of the penalized likelihood; None where there is none."""
    criterion = laplace_criterion(replace(fit.model, y=y), fit.distribution).with_joint(True)
    basis, layout = criterion.basis, criterion.layout
    factors = layout.factors(fit.solution.theta)
    theta = layout.theta([transformed(T, L) for T, L in zip(basis.T, factors, strict=True)])
    raw = criterion.evaluate(theta, basis.R @ fit.solution.beta, fit.log_dispersion, []).raw
    if not raw["ok"]:
        return None
    b, u = effects_of(layout, basis, fit.solution.theta, raw)
    return replace(fit.solution, beta=np.linalg.solve(basis.R, raw["beta"]) if len(basis.R) else raw["beta"], b=b, u=u)


@scale_parameter.register(GlmmFit)
def _scale_parameter(fit: GlmmFit) -> tuple[str, float] | None:
    if not fit.distribution.has_dispersion:
        return None
    return ("sigma", fit.sigma) if fit.distribution.scaled else ("dispersion", fit.dispersion)


@loglik_without_groups.register(GlmmFit)
def _loglik_without_groups(fit: GlmmFit) -> float:
    # At theta = 0 the mode of the fast approximation is the maximum likelihood estimate of beta, and nothing is left of
    # the integral.
    glm = laplace_criterion(fit.model, fit.distribution).with_joint(True)
    theta, beta = np.zeros(glm.sizes[0]), glm.basis.R @ fit.solution.beta

    def deviance(t: float) -> float:
        return glm.evaluate(theta, beta, t, []).value

    if not fit.distribution.has_dispersion:
        return -0.5 * deviance(0.0)
    from scipy.optimize import minimize_scalar

    return -0.5 * float(minimize_scalar(deviance, bracket=(fit.log_dispersion, fit.log_dispersion + 0.5)).fun)


def _criterion(design: Design, family: Family[Any], nagq: int, control: Control) -> LaplaceCriterion | AgqCriterion:
    expected = control.information == "expected"
    laplace = laplace_criterion(design, family, expected=expected, n_threads=control.n_threads)
    return agq_criterion(laplace, nagq) if nagq > 1 else laplace.with_joint(nagq == 0)


def _objective(design: Design, family: Family[Any], eta: NDArray[np.float64], t: float, control: Control) -> Later:
    # A print, a test or a prediction without errors does without it.
    return Later(lambda: working_criterion(design, family, eta, t, control))


def _working_factors(criterion: LaplaceCriterion | AgqCriterion, minimum: LaplaceMinimum) -> list[NDArray[np.float64]]:
    return criterion.layout.factors(minimum.x[: criterion.sizes[0]])


def _judged(
    criterion: LaplaceCriterion | AgqCriterion, minimum: LaplaceMinimum, nagq: int, control: Control
) -> Optimum:
    """The certificate, with what has no finite estimate."""
    design, family = criterion.design, criterion.family
    widest = max((float(np.sqrt((L**2).sum(axis=1)).max()) for L in _working_factors(criterion, minimum)), default=0.0)
    separated = verdict(design, family, minimum.point.raw["eta"], widest)
    if separated is not None:
        return replace(minimum.optimum, converged=False, message=separated, no_estimate=separated)
    return at_dispersion_limit(criterion, minimum, lambda other: _criterion(design, other, nagq, control))


def _solution(
    criterion: LaplaceCriterion | AgqCriterion, minimum: LaplaceMinimum, objective: Later, *, held: bool
) -> tuple[Solution, NDArray[np.float64]]:
    basis, raw = criterion.basis, minimum.point.raw
    d, p, _ = criterion.sizes
    free = has_parameter(criterion, minimum.x)
    if held:
        free[:d] = False  # a theta that was given has no error
    joint = covariance_of_maps(minimum.hessian, free, np.eye(len(free)))
    back = np.linalg.inv(basis.R) if len(basis.R) else basis.R
    if criterion.joint:
        linear = objective().evaluate(minimum.theta)
        vcov = linear.vcov / linear.sigma**2
    else:
        to_data = np.zeros((p, len(free)))
        to_data[:, d : d + p] = back
        vcov = covariance_of_maps(minimum.hessian, free, to_data)
    b, u = effects_of(criterion.layout, basis, minimum.theta, raw)
    arrays = {"beta": back @ raw["beta"], "vcov": vcov}
    for array in (*arrays.values(), *b, *u, joint):
        array.flags.writeable = False
    solution = Solution(theta=minimum.theta, value=minimum.point.value, rss=float("nan"), sigma=1.0, b=b, u=u, **arrays)
    return solution, joint


def restored(kind: type[GlmmFit], parts: dict[str, Any], optimum: dict[str, Any], smallest: float) -> GlmmFit:
    """Make a fit of what `GlmmFit.__reduce__` kept; no search."""
    model, family = parts["model"], parts["distribution"]
    eta = predictor_of(model, parts["solution"])
    return kind(
        **parts,
        likelihood=_criterion(model, family, parts["nagq"], parts["control"]),
        optimum=Optimum(**optimum, smallest=Known(smallest)),
        profiled=_objective(model, family, eta, parts["log_dispersion"], parts["control"]),
    )
