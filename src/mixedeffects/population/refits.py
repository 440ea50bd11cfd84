"""One model fitted to sample after sample, by the shortest way that gives the same answer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mixedeffects as me
from mixedeffects.errors import DataError
from mixedeffects.population.matching import check_same_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from mixedeffects.population.samples import Sample


MOST_STARTS = 20  # draws to find one that can be fitted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refits:
    """Fits of one model to samples.

    Attributes
    ----------
    sample : Sample
        The predictors.
    fit_frame : callable
        Fits the model to a data frame.
    template : LmmResult, GlmmResult or None
        A fit of the model to the same predictors, whose design is used again.
    response : str or None
        The response that the model takes as it is drawn.
    """

    sample: Sample
    fit_frame: Callable[[Any], Any]
    template: Any = None
    response: str | None = None

    @classmethod
    def of(cls, sample: Sample, fit_frame: Callable[[Any], Any], fit: Any, formula: me.Formula) -> Refits:
        """Use the design of a fit again where only the response that it takes as it is drawn changes.

        A formula with log(y), or with another response among its variables, has another design for every draw; so
        have weights or an offset that are a response.
        """
        name = formula.response.strip("`")
        read = {*formula.variables(), fit.model.weights_name, fit.model.offset_name}
        drawn = set(sample.population.responses) & read
        reusable = drawn == {name} and fit.nobs == sample.n
        return cls(
            sample=sample, fit_frame=fit_frame, template=fit if reusable else None, response=name if reusable else None
        )

    def __call__(self, rng: np.random.Generator, *, fixed_x: bool) -> Any:
        """Draw a response, with new predictors or the same ones, and fit the model to it."""
        if not fixed_x:
            one = self.sample.population.sample_x(self.sample.n, rng, frame=self.sample.kind)
            return self.fit_frame(one.sample_y(rng))
        if self.template is None or self.response is None:
            return self.fit_frame(self.sample.sample_y(rng))
        return self.template.refit(self.sample.draw_y(rng)[self.response])


def is_fit(thing: Any) -> bool:
    """Whether it is what `lmer` or `glmer` returns."""
    return isinstance(thing, me.LmmResult | me.GlmmResult)


def refits_of(fit: Any, sample: Sample) -> Refits:
    """How to fit the model of a fit to new samples.

    Parameters
    ----------
    fit : LmmResult, GlmmResult or callable
        A fit to the sample, or a function of a data frame.
    sample : Sample
        The predictors.

    Raises
    ------
    DataError
        If the fit has other rows or predictors than the sample.
    """
    if not is_fit(fit):
        return Refits(sample=sample, fit_frame=fit)
    check_same_rows(fit, sample)
    return Refits.of(sample, lambda frame: same_model(fit, frame), fit, fit.model.formula)


def same_model(fit: Any, frame: Any) -> Any:
    """Fit the model of a fit to other data.

    Parameters
    ----------
    fit : LmmResult or GlmmResult
        The model with its options.
    frame : data frame
        The data.

    Raises
    ------
    DataError
        If weights or offsets were given as arrays, which belong to the old data.
    """
    model = fit.model
    if model.weights is not None and model.weights_name is None and "cbind" not in model.formula.response:
        raise DataError(
            "the fit has weights that are no column of its data; give a function of a frame that fits the model"
        )
    if model.offset is not None and model.offset_name is None and not model.formula.offsets:
        raise DataError(
            "the fit has an offset that is no column of its data; give a function of a frame that fits the model"
        )
    options: dict[str, Any] = {
        "weights": model.weights_name,
        "offset": model.offset_name,
        "contrasts": dict(model.contrasts),
        "control": fit.control,
        "functions": model.encoding.functions,
    }
    if isinstance(fit, me.GlmmResult):
        return me.glmer(model.formula, frame, fit.family, nagq=fit.nagq, **options)
    return me.lmer(model.formula, frame, reml=fit.reml, **options)


@dataclass(slots=True)
class Tally:
    """What happened to the fits: counted while they are made, told once.

    Attributes
    ----------
    total, failed, singular, unconverged : int
        Numbers of fits.
    first_failure : str
        The message of the first that failed.
    alike : int
        How many failed with this message.
    """

    total: int = 0
    failed: int = 0
    singular: int = 0
    unconverged: int = 0
    first_failure: str = ""
    alike: int = 0

    @property
    def hopeless(self) -> bool:
        """Whether all fits failed with one message, and there were enough to tell that it is not the draw."""
        return self.alike == self.total >= MOST_STARTS

    def add(self, made: Any) -> None:
        """Count a fit, or the error that came instead."""
        self.total += 1
        if isinstance(made, Exception):
            self.failed += 1
            self.first_failure = self.first_failure or str(made)
            self.alike += str(made) == self.first_failure
        elif is_fit(made):
            self.singular += made.is_singular
            self.unconverged += not made.optimum.converged

    def warn(self) -> None:
        """Warn once of each kind."""
        if self.failed:
            text = f"{self.failed} of {self.total} samples could not be fitted and have no rows: {self.first_failure}"
            warnings.warn(text, me.ConvergenceWarning, stacklevel=3)
        if self.unconverged:
            text = f"{self.unconverged} of {self.total} refits did not converge"
            warnings.warn(text, me.ConvergenceWarning, stacklevel=3)
        if self.singular:
            text = f"{self.singular} of {self.total} refits are singular (on the boundary)"
            warnings.warn(text, me.SingularFitWarning, stacklevel=3)


@contextmanager
def quiet() -> Iterator[None]:
    """No warning of single fits; what they would say is counted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.MixedEffectsWarning)
        yield


def checked_count(nsim: Any, name: str = "nsim", least: int = 1) -> int:
    """Return a number of simulations, or raise DataError."""
    if isinstance(nsim, bool) or not hasattr(nsim, "__index__") or nsim < least:
        raise DataError(f"{name}={nsim!r} must be a whole number of at least {least}")
    return int(nsim)


def attempt(make: Callable[[], Any]) -> Any:
    """What a call returns, or the error of ours that it raises."""
    try:
        return make()
    except me.FormulaError:  # no matter of the draw
        raise
    except me.MixedEffectsError as problem:
        return problem
