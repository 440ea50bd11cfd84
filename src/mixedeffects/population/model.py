"""Populations: named predictors and responses, drawn in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.population.expressions import CONSTANTS, GIVEN, check_known
from mixedeffects.population.generators import generator_of
from mixedeffects.population.predictors import Predictor
from mixedeffects.population.responses import Response
from mixedeffects.population.samples import Sample, frame_kind

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Population:
    """A hypothetical infinite population of cases, as `population` makes it.

    Attributes
    ----------
    variables : mapping of str to Predictor or Response
        The variables, an earlier one never depending on a later one.
    """

    variables: Mapping[str, Predictor | Response]

    @property
    def predictors(self) -> dict[str, Predictor]:
        """The predictors by name, in the order in which they are drawn."""
        return {name: one for name, one in self.variables.items() if isinstance(one, Predictor)}

    @property
    def responses(self) -> dict[str, Response]:
        """The responses by name, in the order in which they are drawn."""
        return {name: one for name, one in self.variables.items() if isinstance(one, Response)}

    def sample_x(self, n: int, rng: Any = None, frame: str = "pandas") -> Sample:
        """Draw the predictors of n cases.

        Parameters
        ----------
        n : int
            Number of rows.
        rng : None, int, Generator or SeedSequence
            Source of the draws, also of later ones of the sample.
        frame : {"pandas", "polars", "pyarrow", "dict"}
            The library of the data frames.

        Returns
        -------
        Sample
            Its `sample_y` draws responses and gives the data frame.

        Raises
        ------
        DataError
            For a predictor that gives another number of rows, or an n or a frame that is not possible.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise DataError(f"n={n!r} must be a positive whole number of rows")
        kind, generator = frame_kind(frame), generator_of(rng)
        values: dict[str, Any] = {}
        columns: dict[str, Any] = {}
        for name, one in self.predictors.items():
            value = one.sample(int(n), generator, values, f"predictor {name!r}")
            value.flags.writeable = False  # functions of variables read them, and never change a sample
            values[name] = value
            for column, drawn in one.columns(name, value).items():
                if column in columns or (column != name and column in self.variables):
                    raise DataError(f"predictor {name!r}: the column {column!r} exists already; give others by names=")
                if column in CONSTANTS or column in GIVEN or column == "mu":
                    raise DataError(f"predictor {name!r}: a column cannot be named {column!r}; give others by names=")
                columns[column] = values[column] = drawn
        return self.sample_of(int(n), kind, values, columns, generator)

    def sample_of(
        self,
        n: int,
        kind: str,
        values: Mapping[str, Any],
        columns: Mapping[str, Any],
        generator: np.random.Generator,
    ) -> Sample:
        """Make a sample of given predictors, with the effects that all of its responses share.

        Parameters
        ----------
        n : int
            Number of rows.
        kind : {"pandas", "polars", "pyarrow", "dict"}
            The library of its data frames.
        values, columns : mapping of str to ndarray
            As the sample has them.
        generator : Generator
            Source of the effects, and of what the sample draws later.
        """
        effects = {
            name: tuple(
                None if term.redraw == "sample_y" else term.draw(generator, term.levels(values).levels)
                for term in response.random
            )
            for name, response in self.responses.items()
        }
        later = np.random.default_rng(generator.integers(2**32, size=8, dtype=np.uint32))
        return Sample(
            population=self, n=n, kind=kind, values=values, columns=columns, kept_effects=effects, generator=later
        )

    def __repr__(self) -> str:
        lines = [f"  {name} = {one!r}" for name, one in self.variables.items()]
        return "\n".join(["population of", *lines])


def population(**variables: Predictor | Response) -> Population:
    """Specify a population by the distributions of its variables.

    Parameters
    ----------
    **variables : Predictor or Response
        Each as `predictor` or `response` makes it. A variable may depend on others, in any order without a circle; a
        predictor only on predictors.

    Returns
    -------
    Population

    Raises
    ------
    DataError
        For a variable that reads one that does not exist, or variables that depend on each other.

    Examples
    --------
    >>> import string
    >>> import numpy as np
    >>> from mixedeffects.population import by_level, population, predictor, response, rfactor
    >>> counties = list(string.ascii_uppercase)
    >>> means = dict(zip(counties, np.random.default_rng(1).normal(scale=2, size=26)))
    >>> people = population(
    ...     county=predictor(rfactor, levels=counties),
    ...     income=response(lambda county: 50 + by_level(county, means), error_scale=2),
    ... )
    >>> people.sample_x(1000, rng=1).sample_y().shape
    (1000, 2)
    """
    if not variables:
        raise DataError("a population has one variable or more: population(x=predictor('normal'), ...)")
    for name, one in variables.items():
        if not isinstance(one, Predictor | Response):
            raise DataError(f"{name}={one!r} is no variable; write predictor(...) or response(...)")
        for column in (name, *((one.names or ()) if isinstance(one, Predictor) else ())):
            if column in GIVEN or column == "mu":
                raise DataError(
                    f"a variable cannot be named {column!r}, which functions of variables are given otherwise"
                )
            if column in CONSTANTS:
                raise DataError(f"a variable cannot be named {column!r}, which is a constant in expressions")
    owners = _owners(variables)
    reads = {name: _reads(name, one, owners, variables) for name, one in variables.items()}
    ordered = {name: variables[name] for name in _in_order(reads)}
    return Population(variables=MappingProxyType(ordered))


def _owners(variables: Mapping[str, Predictor | Response]) -> dict[str, str]:
    """For every name that an expression may read, the variable that makes it."""
    owners = {name: name for name in variables}
    for name, one in variables.items():
        for column in (one.names or ()) if isinstance(one, Predictor) else ():
            if column in owners and column != name:
                raise DataError(f"predictor {name!r}: the column {column!r} exists already; give others by names=")
            owners[column] = name
    return owners


def _reads(
    name: str, one: Predictor | Response, owners: Mapping[str, str], variables: Mapping[str, Predictor | Response]
) -> tuple[str, ...]:
    """The variables that a variable depends on."""
    what = f"{'predictor' if isinstance(one, Predictor) else 'response'} {name!r}"
    found: dict[str, None] = {}
    for expression in one.expressions:
        check_known(expression, what, owners)
        found.update(dict.fromkeys(owners[read] for read in expression.variables))
    for term in one.random if isinstance(one, Response) else ():
        for read in term.variables:
            if read not in owners:
                raise DataError(
                    f"{what}, {term!r}: there is no variable {read!r} in the population, which has {', '.join(owners)}"
                )
            if not isinstance(variables[owners[read]], Predictor) and read in term.factors:
                raise DataError(f"{what}, {term!r}: the group {read!r} is a response; groups are predictors")
            found[owners[read]] = None
    for read in found:
        if isinstance(one, Predictor) and isinstance(variables[read], Response):
            raise DataError(f"{what} reads the response {read!r}; predictors are drawn before responses")
    return tuple(found)


def _in_order(reads: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Names in an order in which each comes after what it reads; as given where that is possible."""
    done: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            raise DataError(f"the variables {circle} read each other in a circle; one of them must not read the next")
        if name not in done:
            for read in reads[name]:
                visit(read, (*path, name))
            done[name] = None

    for name in reads:
        visit(name, ())
    return iter(done)
