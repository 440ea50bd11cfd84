"""Distributions of estimates: over samples of a population, and over responses simulated from a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

import mixedeffects as me
from mixedeffects.errors import ConvergenceError, DataError
from mixedeffects.population.generators import generator_of
from mixedeffects.population.matching import check_columns, different_data
from mixedeffects.population.model import Population
from mixedeffects.population.refits import Tally, attempt, checked_count, is_fit, quiet, refits_of
from mixedeffects.population.samples import Sample
from mixedeffects.population.tables import column_values, kind_of, numbered, stacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray


def sampling_distribution(
    fit: Any,
    data: Any,
    fn: Callable[[Any], Any] | str | None = None,
    *,
    nsim: int = 1000,
    rng: Any = None,
    fixed_x: bool = True,
    population: Population | None = None,
) -> Any:
    """Draw samples from a population and fit a model to each.

    Parameters
    ----------
    fit : LmmResult, GlmmResult or callable
        A fit to the sample, whose model is fitted to the others; or a function of a data frame that fits any model.
    data : Sample or data frame
        What `Population.sample_x` returns; or a data frame with its columns, and `population`.
    fn : callable or "estimates", optional
        Takes a fit and returns a data frame, a mapping of names to values, or a number. By default ``fit.tidy()``; what
        a callable `fit` returns is taken as it is if it has no such method. ``"estimates"`` gives a linear model's
        parameters as columns, under the names of ``fit.confint()``: with `fixed_x` many times as fast.
    nsim : int
        Number of samples.
    rng : None, int, Generator or SeedSequence
        Source of the draws.
    fixed_x : bool
        Keep the predictors and draw responses only, or draw both.
    population : Population, optional
        What `data` is a sample of, where it is a data frame.

    Returns
    -------
    data frame
        What `fn` returns for every sample, with its number in `.sample`: 0 for the fit given, then 1 to `nsim`.

    Raises
    ------
    DataError
        For data that are no sample, or have other rows or predictors than the fit, or another order of rows; for a
        model that reads a column which the population does not have. What each of the first 20 samples raises alike is
        raised as it is.
    ConvergenceError
        If no sample could be fitted.

    Warns
    -----
    ConvergenceWarning, SingularFitWarning
        Once, with the number of samples that could not be fitted (they have no rows) and of singular fits.

    Notes
    -----
    Random effects with ``redraw="sample_y"`` are new in every sample, as a mixed model says; see `random_effects`.

    Examples
    --------
    >>> import mixedeffects as me
    >>> from mixedeffects.population import sampling_distribution
    >>> sample = me.datasets.shrinkage_population().sample_x(100, rng=1)
    >>> slope = lambda frame: {"slope": frame["y"].corr(frame["x"])}
    >>> sampling_distribution(slope, sample, nsim=50, rng=2).shape
    (50, 2)
    """
    nsim, sample = checked_count(nsim), _as_sample(data, population)
    if not is_fit(fit) and not callable(fit):
        raise DataError(f"fit must be a fit of lmer or glmer, or a function of a data frame, not {type(fit).__name__}")
    one = refits_of(fit, sample)
    if is_fit(fit) and not (fixed_x and one.template is not None):
        check_columns(fit, sample)
    streams = generator_of(rng).spawn(nsim)
    if fn == "estimates" and fixed_x and isinstance(fit, me.LmmResult) and one.template is not None:
        name = str(one.response)
        return _estimates(fit, [np.asarray(sample.draw_y(stream)[name], dtype=np.float64) for stream in streams])
    measure = _measure(fn)
    results = [(0, measure(fit))] if is_fit(fit) else []
    tally = Tally()
    with quiet():
        for number, generator in enumerate(streams, start=1):
            made = attempt(lambda: one(generator, fixed_x=fixed_x))  # noqa: B023  # called at once
            tally.add(made)
            if not isinstance(made, Exception):
                results.append((number, measure(made)))
            elif tally.hopeless:  # not the draw, but the function or the model
                raise made
    return _finished(results, tally, fit.model.data_kind if is_fit(fit) else sample.kind)


def parametric_boot_distribution(
    fit: Any,
    alternative: Any = None,
    fn: Callable[[Any], Any] | str | None = None,
    *,
    nsim: int = 1000,
    rng: Any = None,
) -> Any:
    """Simulate responses from a fitted model and fit a model to each.

    Parameters
    ----------
    fit : LmmResult or GlmmResult
        What responses are simulated from, with new random effects.
    alternative : LmmResult or GlmmResult, optional
        The model that is fitted to them, such as a larger one whose estimates are wanted when `fit` is true; `fit` by
        default.
    fn : callable, optional
        As for `sampling_distribution`.
    nsim : int
        Number of simulations.
    rng : None, int, Generator or SeedSequence
        Source of the draws.

    Returns
    -------
    data frame
        What `fn` returns for every simulation, with its number in `.sample`, 1 to `nsim`.

    Raises
    ------
    DataError
        If there is no fit, or the two have different rows, responses or predictors.
    ConvergenceError
        If no simulated response could be fitted.

    Warns
    -----
    ConvergenceWarning, SingularFitWarning
        As `sampling_distribution`.

    See Also
    --------
    mixedeffects.LmmResult.bootstrap : intervals from such replicates, computed in the compiled core.
    """
    nsim = checked_count(nsim)
    other = fit if alternative is None else alternative
    for name, one in (("fit", fit), ("alternative", other)):
        if not is_fit(one):
            raise DataError(f"{name} must be a fit of lmer or glmer, not {type(one).__name__}")
    differs = different_data(fit, other)
    if differs is not None:
        raise DataError(
            f"alternative and fit have different {differs} ({other.nobs} and {fit.nobs} rows); both must be fitted to "
            "the same ones, in the same order"
        )
    streams = generator_of(rng).spawn(nsim)
    if fn == "estimates" and isinstance(fit, me.LmmResult) and isinstance(other, me.LmmResult):
        return _estimates(other, [fit.simulate(1, rng=stream)[:, 0] for stream in streams], with_fit=False)
    measure, results, tally = _measure(fn), [], Tally()
    with quiet():
        for number, made in enumerate(simulated_fits(fit, other, streams), start=1):
            tally.add(made)
            if not isinstance(made, Exception):
                results.append((number, measure(made)))
    return _finished(results, tally, fit.model.data_kind)


def simulated_fits(fit: Any, other: Any, streams: Iterable[np.random.Generator]) -> Iterator[Any]:
    """Yield the fit of a model to each response simulated from `fit`, or the error that came instead."""
    for generator in streams:
        y = fit.simulate(1, rng=generator)[:, 0]
        yield attempt(lambda: other.refit(y))  # noqa: B023  # called at once


def _measure(fn: Callable[[Any], Any] | str | None) -> Callable[[Any], Any]:
    """What is taken from a fit."""
    if fn is None:
        return lambda fit: fit.tidy() if hasattr(fit, "tidy") else fit
    if fn == "estimates":
        return _parameters
    if not callable(fn):
        raise DataError(f'fn={fn!r} must be a function of a fit, or "estimates"')
    return fn


def _parameters(fit: Any) -> dict[str, float]:
    """The parameters of a linear fit under the names of its intervals."""
    if not isinstance(fit, me.LmmResult):
        raise DataError(f'fn="estimates" is for fits of lmer, not {type(fit).__name__}; give a function of the fit')
    table = nw.from_native(fit.refit_estimates(fit.model.y[:, None]), eager_only=True)
    return {name: float(table[name][0]) for name in table.columns}


def _estimates(fit: Any, responses: Sequence[NDArray[np.float64]], *, with_fit: bool = True) -> Any:
    """Parameters from the core, a row each."""
    first = [fit.model.y] if with_fit else []
    table = fit.refit_estimates(np.column_stack([*first, *responses]))
    missing = int(np.isnan(np.asarray(table["sigma"], dtype=np.float64)).sum())
    Tally(total=len(responses), unconverged=missing).warn()
    return numbered(table, 0 if with_fit else 1)


def _finished(results: list[tuple[int, Any]], tally: Tally, kind: str) -> Any:
    if tally.failed == tally.total:
        raise ConvergenceError(f"none of {tally.total} samples could be fitted: {tally.first_failure}")
    tally.warn()
    return stacked(results, kind)


def _as_sample(data: Any, population: Population | None) -> Sample:
    """The sample, or one with the predictors of a data frame."""
    if isinstance(data, Sample):
        return data
    if population is None:
        raise DataError(
            "data must be a sample, what sample_x returns; a data frame does not know its population, so give "
            "population= too"
        )
    if not isinstance(population, Population):
        raise DataError(f"population={population!r} must be what population(...) returns")
    try:
        frame = nw.from_native(data, eager_only=True)
    except TypeError:
        raise DataError(f"data must be a sample or a data frame, not {type(data).__name__}") from None
    empty = population.sample_x(len(frame), rng=0, frame=kind_of(data))
    columns: dict[str, Any] = {}
    for name in empty.columns:
        if name not in frame.columns:
            raise DataError(f"the data have no column {name!r}, which the population has")
        columns[name] = column_values(frame[name])
    values = dict(columns)
    for name, one in population.predictors.items():
        parts = list(one.columns(name, empty.values[name]))
        if parts != [name]:
            values[name] = np.column_stack([columns[part] for part in parts])
    if any(term.redraw == "sample_x" for one in population.responses.values() for term in one.random):
        raise DataError("a data frame does not hold the random effects of its sample; give what sample_x returned")
    return population.sample_of(len(frame), empty.kind, values, columns, np.random.default_rng(0))
