"""Power of a test by simulation from a population, for one or several numbers of rows."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from numbers import Real
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

import mixedeffects as me
from mixedeffects.errors import ConvergenceError, DataError
from mixedeffects.families import Family
from mixedeffects.population.factors import factor_of
from mixedeffects.population.generators import generator_of
from mixedeffects.population.model import Population
from mixedeffects.population.p_values import levels_of_fixed, p_value_of
from mixedeffects.population.refits import MOST_STARTS, Refits, attempt, checked_count, quiet
from mixedeffects.population.tables import framed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mixedeffects.population.samples import Sample

    PValue = Callable[[Any], float]

_MANY = 0.2  # share of singular fits from which on the print says what to do


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PowerCurve:
    """Power for one or several numbers of rows, as `power` returns it.

    Attributes
    ----------
    test : str
        What was tested.
    alpha : float
        Level of the test.
    level : float
        Level of the Monte Carlo limits.
    nsim : int
        Data sets for each number of rows.
    n : ndarray of int (m,)
        Numbers of rows.
    family : str or None
        The response distribution of the model that was fitted; None for a linear one.
    rejected, failed, singular, unconverged : ndarray of int (m,)
        Data sets with p <= alpha; that could not be fitted or tested; with a singular fit; with a fit that did not
        converge.
    p_values : ndarray (m, nsim)
        NaN where there is none.
    given_effects : tuple of str
        Groups whose random effects are the same ones in all data sets: the power is that for these effects.
    levels : dict of str to ndarray of int (m,)
        Numbers of levels of each grouping factor in the first data set of each n.
    """

    test: str
    alpha: float
    level: float
    nsim: int
    n: NDArray[np.int64]
    family: str | None
    rejected: NDArray[np.int64]
    failed: NDArray[np.int64]
    singular: NDArray[np.int64]
    unconverged: NDArray[np.int64]
    p_values: NDArray[np.float64]
    given_effects: tuple[str, ...] = ()
    levels: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def power(self) -> NDArray[np.float64]:
        """Shares of data sets with p <= alpha, (m,); one that could not be fitted is none of them."""
        return self.rejected / self.nsim

    @property
    def limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper Monte Carlo limits of the power, (m,) each, after Wilson."""
        return wilson(self.rejected, self.nsim, self.level)

    def to_frame(self) -> Any:
        """A pandas frame with a row for each n: counts, power and limits.

        Columns n, n_g for each grouping factor g (its levels), power, lower, upper, rejected, nsim, failed, singular,
        unconverged.
        """
        lower, upper = self.limits
        columns: dict[str, Any] = {"n": self.n, **{f"n_{name}": count for name, count in self.levels.items()}}
        columns |= {"power": self.power, "lower": lower, "upper": upper, "rejected": self.rejected}
        columns |= {"nsim": np.full(len(self.n), self.nsim), "failed": self.failed, "singular": self.singular}
        columns["unconverged"] = self.unconverged
        return framed(columns, "pandas")

    def plot(self, ax: Any = None) -> Any:
        """Draw power against the number of rows, with its limits.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw.

        Returns
        -------
        Axes
            `data` is `to_frame()`.
        """
        from mixedeffects.plots.power import plot_power

        return plot_power(self, ax)

    def __repr__(self) -> str:
        heads = ("n", *self.levels, "power", f"{self.level:.0%} limits", "failed", "singular")
        lower, upper = self.limits
        limits = [f"{low:.3f}, {high:.3f}" for low, high in zip(lower, upper, strict=True)]
        counts = [map(str, count) for count in (self.n, *self.levels.values())]
        shares = [f"{p:.3f}" for p in self.power]
        rows = list(zip(*counts, shares, limits, map(str, self.failed), map(str, self.singular), strict=True))
        width = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, width, strict=True)) for row in (heads, *rows)]
        lines += _without_new_levels(self)
        if self.family is not None:
            lines.append(f"fitted by glmer, {self.family}")
        if np.any(self.singular > _MANY * self.nsim):
            most, share = int(self.n[np.argmax(self.singular)]), self.singular.max() / self.nsim
            advice = "groups too few or too small for the random part; more of them, or a simpler part"
            lines.append(f"many singular fits, {share:.0%} with n = {most}: {advice}")
        if np.any(self.unconverged):
            lines.append(f"fits that did not converge: {', '.join(map(str, self.unconverged))}")
        if self.given_effects:
            lines.append(f"given one draw of the effects of {', '.join(self.given_effects)} (redraw=)")
        return "\n".join(
            [f"power of {self.test} at level {self.alpha:g}, {self.nsim} simulated data sets each", *lines]
        )


def _without_new_levels(curve: PowerCurve) -> list[str]:
    """Say which grouping factors stay as they are when rows are added, and what to do if none grows."""
    if len(set(curve.n.tolist())) < 2 or not curve.levels:
        return []
    same = {name: int(count[0]) for name, count in curve.levels.items() if len(set(count.tolist())) == 1}
    told = [f"{name} has {count} level{'s' if count > 1 else ''} at every n" for name, count in same.items()]
    if len(same) == len(curve.levels):
        told[-1] += "; leave out levels= of a grouping factor to add groups"
    return told


def wilson(successes: NDArray[np.int64], n: int, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Limits of a proportion by Wilson's score interval.

    Parameters
    ----------
    successes : ndarray of int (m,)
        Numbers of successes.
    n : int
        Number of trials of each.
    level : float
        Confidence level.
    """
    z2 = NormalDist().inv_cdf(0.5 + 0.5 * level) ** 2
    p = successes / n
    middle = (p + 0.5 * z2 / n) / (1.0 + z2 / n)
    half = np.sqrt(z2 * (p * (1.0 - p) / n + 0.25 * z2 / n**2)) / (1.0 + z2 / n)
    # At 0 and n successes one limit is 0 or 1, of which rounding takes a little.
    lower = np.where(successes == 0, 0.0, middle - half)
    return lower, np.where(successes == n, 1.0, middle + half)


def power(
    population: Population,
    formula: str,
    *,
    test: str | PValue,
    n: int | Sequence[int],
    term: str | None = None,
    nsim: int = 1000,
    alpha: float = 0.05,
    ddf: str = "satterthwaite",
    family: Any = None,
    fixed_x: bool = True,
    level: float = 0.95,
    rng: Any = None,
    workers: int = 1,
    **options: Any,
) -> PowerCurve:
    """Estimate the power of a test by simulating data and fitting a model to them.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    formula : str
        The model, as `lmer` takes it.
    test : str or callable
        The name of a coefficient or of a term of the fixed part, a hypothesis as ``fit.test`` takes it
        (``"a - b = 0"``), ``"lrt"`` for the likelihood ratio test of `term`, or a function of a fit that returns a
        p-value.
    n : int or sequence of int
        Number of rows, not of groups: 30 sites of 8 years are 240 rows. Several for a curve. Groups whose labels are
        given by ``levels=`` stay the same however many rows there are; the print tells their numbers.
    term : str, optional
        For ``"lrt"``: a term of the fixed part, as ``fit.drop1`` names it, or of the random part, ``"(x | g)"``.
    nsim : int
        Data sets for each n. One takes some milliseconds for hundreds of rows, by `glmer` or with many random effects
        longer: try 100 first.
    alpha : float
        Level of the test.
    ddf : str
        Method for degrees of freedom of a linear model, as ``fit.test`` takes it.
    family : str or Family, optional
        Fit by `glmer` with this family; by default that of the population's response, where it is not a Gaussian one
        with the identity link, unless ``reml=`` asks for `lmer`.
    fixed_x : bool
        Draw predictors once for each n, or with every data set.
    level : float
        Level of the Monte Carlo limits.
    rng : None, int, Generator or SeedSequence
        Source of the draws.
    workers : int
        Threads; the results do not depend on them.
    **options
        Further arguments of `lmer` or `glmer`, such as ``reml=False`` or ``link=``.

    Returns
    -------
    PowerCurve
        ``to_frame()``, ``plot()``; print it for the table.

    Raises
    ------
    DataError
        For arguments that are not possible, or a test that the fit does not know.
    ConvergenceError
        If no data set could be fitted.

    Notes
    -----
    Each data set has its own stream of random numbers. With `fixed_x` only the products with the response are computed
    anew for each, from one design. Data sets to which the model cannot be fitted count as not rejecting, and are
    counted as failed. So are those in which a factor of the fixed part lacks its first level, or a level whose
    coefficient is tested: names of coefficients would mean something else. Fits on the boundary, and those that did not
    converge, are tested like others, and counted. The limits are Wilson's [1]_, for the simulation error only.

    Random effects with ``redraw="never"`` are the same in all data sets, and with `fixed_x` those with
    ``redraw="sample_x"`` in all of one n: the power is then that for one draw of these effects, not the mean over such
    draws. The print says so. The default, ``redraw="sample_y"``, draws them with every data set.

    References
    ----------
    .. [1] Wilson (1927), Journal of the American Statistical Association 22(158), 209-212, doi:10.2307/2276774.

    Examples
    --------
    >>> import mixedeffects as me
    >>> from mixedeffects.population import balanced, population, predictor, random_effects, response
    >>> subjects = random_effects("subject", sd=[25, 6], names=["Intercept", "day"])
    >>> study = population(
    ...     subject=predictor(balanced, each=5),
    ...     day=predictor(balanced, levels=range(5)),
    ...     time=response(lambda day: 250 + 4 * day, random=subjects, error_scale=25),
    ... )
    >>> curve = me.power(study, "time ~ day + (day | subject)", test="day", n=[50, 100], nsim=100, rng=1)
    >>> curve.n.tolist()
    [50, 100]
    """
    sizes, nsim, workers = _checked(population, test, n, term, nsim, alpha, level, workers)
    if family is None and "reml" not in options:
        family = _family_of(population, formula, options.get("functions"))
    fit_frame = _fitter(formula, family, options, ml=term is not None)
    streams = generator_of(rng).spawn(len(sizes))
    found, groups = [], []
    for size, stream in zip(sizes, streams, strict=True):
        with quiet():
            sample = population.sample_x(size, stream)
            first = _first_fit(sample, fit_frame, stream, fixed_x)
            refits = Refits.of(sample, fit_frame, first, me.parse(formula, functions=options.get("functions")))
            one = partial(_one, refits, p_value_of(test, term, ddf, first), fixed_x)
            found.append(_all(one, stream.spawn(nsim), workers))
            groups.append(first.ngroups)
    p_values = np.array([[p for p, _, _ in row] for row in found])
    name = getattr(test, "__name__", "<lambda>")
    text = repr(test) if isinstance(test, str) else "a function of the fit" if name == "<lambda>" else name
    return PowerCurve(
        test=text if term is None else f"the likelihood ratio test of {term!r}",
        alpha=float(alpha),
        level=float(level),
        nsim=nsim,
        n=np.array(sizes),
        family=None if family is None else str(family),
        rejected=np.array([np.count_nonzero(row <= alpha) for row in p_values]),
        failed=np.array([np.count_nonzero(np.isnan(row)) for row in p_values]),
        singular=np.array([sum(singular for _, singular, _ in row) for row in found]),
        unconverged=np.array([sum(short for _, _, short in row) for row in found]),
        p_values=p_values,
        given_effects=_given_effects(population, fixed_x),
        levels={name: np.array([one[name] for one in groups]) for name in groups[0]},
    )


def _given_effects(population: Population, fixed_x: bool) -> tuple[str, ...]:
    """Groups with effects that are not drawn with every data set."""
    kept = ("never", "sample_x") if fixed_x else ("never",)
    terms = (term for one in population.responses.values() for term in one.random)
    return tuple(dict.fromkeys(term.group for term in terms if term.redraw in kept))


def _checked(
    population: Any, test: Any, n: Any, term: Any, nsim: Any, alpha: Any, level: Any, workers: Any
) -> tuple[list[int], int, int]:
    """Numbers of rows, of data sets and of threads."""
    if not isinstance(population, Population):
        raise DataError(f"population={population!r} must be what population(...) returns")
    sizes = [checked_count(one, "n") for one in (n if np.iterable(n) else [n])]
    if not sizes:
        raise DataError("n is empty; give one number of rows or more")
    for name, value in (("alpha", alpha), ("level", level)):
        if not isinstance(value, Real) or not 0.0 < float(value) < 1.0:
            raise DataError(f"{name}={value!r} must lie between 0 and 1")
    if (isinstance(test, str) and test == "lrt") != (term is not None):
        raise DataError("test='lrt' and term= go together: the term that is left out")
    return sizes, checked_count(nsim), checked_count(workers, "workers")


def _all(
    one: Callable[[np.random.Generator], tuple[float, bool, bool]], streams: Sequence[np.random.Generator], workers: int
) -> list[tuple[float, bool, bool]]:
    """Every data set in its own stream; the order of the work does not matter."""
    if workers == 1:
        return [one(stream) for stream in streams]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, streams))


def _family_of(population: Population, formula: str, functions: Any) -> Family[Any] | None:
    """The family of the response that a formula models, None for a linear model."""
    variables = set(me.parse(formula, functions=functions).variables())
    left = set(re.findall(r"\w+", formula.split("~")[0]))
    for name, one in population.responses.items():
        family = one.family
        if name not in variables & left or not isinstance(family, Family):
            continue
        if family.name != "gaussian" or not family.canonical:
            return family
    return None


def _fitter(formula: str, family: Any, options: dict[str, Any], *, ml: bool) -> Callable[[Any], Any]:
    if family is not None:
        return lambda frame: me.glmer(formula, frame, family, **options)
    if ml and options.get("reml"):
        raise DataError("reml=True: a likelihood ratio test compares fits by maximum likelihood; leave reml out")
    chosen = {"reml": not ml, **options}
    return lambda frame: me.lmer(formula, frame, **chosen)


def _first_fit(sample: Sample, fit_frame: Callable[[Any], Any], rng: np.random.Generator, fixed_x: bool) -> Any:
    """Fit the first data set that can be fitted; with new predictors for each, one with most levels of factors."""
    problems: list[Exception] = []
    best, least = None, np.inf
    for j, generator in enumerate(rng.spawn(MOST_STARTS)):
        one = sample if fixed_x or j == 0 else sample.population.sample_x(sample.n, generator, frame=sample.kind)
        first = attempt(lambda: fit_frame(one.sample_y(generator)))  # noqa: B023  # called at once
        if isinstance(first, Exception):
            problems.append(first)
            continue
        lacking = 0 if fixed_x else _lacking(one, first)
        if lacking < least:
            best, least = first, lacking
        if not lacking:
            break
    if best is not None:
        return best
    if len(set(map(str, problems))) == 1:  # not the draw, but formula or population
        raise problems[0]
    raise ConvergenceError(f"none of {MOST_STARTS} data sets could be fitted: {problems[0]}")


def _lacking(sample: Sample, fit: Any) -> int:
    """How many levels that factors of the fixed part may have are not in the data."""
    factors = {name: factor_of(sample.values.get(name)) for name in levels_of_fixed(fit)}
    found = levels_of_fixed(fit)
    return sum(len(one.levels) - len(found[name]) for name, one in factors.items() if one is not None)


def _one(refits: Refits, p_value: PValue, fixed_x: bool, rng: np.random.Generator) -> tuple[float, bool, bool]:
    """The p-value of one data set, and whether its fit is singular and not converged; NaN without a fit or a test."""
    made = attempt(lambda: refits(rng, fixed_x=fixed_x))
    if isinstance(made, Exception):
        return np.nan, False, False
    state = bool(made.is_singular), not made.optimum.converged
    try:
        return (float(p_value(made)), *state)
    except me.MixedEffectsError:
        return (np.nan, *state)
