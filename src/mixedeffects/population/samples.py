"""Samples: the predictors of some cases, and responses drawn for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.datasets import frames
from mixedeffects.datasets.files import Column
from mixedeffects.errors import DataError
from mixedeffects.population.factors import Factor, factor_of
from mixedeffects.population.generators import generator_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.population.model import Population


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """The predictors of n cases of a population, as `Population.sample_x` draws them.

    Attributes
    ----------
    population : Population
        What was sampled.
    n : int
        Number of rows.
    kind : {"pandas", "polars", "pyarrow", "dict"}
        The library of its frames.
    values : mapping of str to ndarray
        What expressions read: the predictors, (n,) or (n, k), and their columns.
    columns : mapping of str to ndarray (n,)
        The columns of the frame.
    kept_effects : mapping of str to tuple of ndarray (J, k) or None
        For each response and each of its random effects: those that stay the same with every response.
    generator : Generator
        Source of responses for which no other is given.
    """

    population: Population
    n: int
    kind: str
    values: Mapping[str, Any]
    columns: Mapping[str, NDArray[Any]]
    kept_effects: Mapping[str, tuple[NDArray[np.float64] | None, ...]]
    generator: np.random.Generator

    @property
    def frame(self) -> Any:
        """The predictors as a data frame."""
        return frame_of(self.columns, self.kind)

    def sample_y(self, rng: Any = None) -> Any:
        """Draw the responses of these cases, the predictors held fixed.

        Parameters
        ----------
        rng : None, int, Generator or SeedSequence
            Source of the draws. By default they continue those of the sample: the first call, the second and so on are
            determined by the `rng` of `sample_x`.

        Returns
        -------
        data frame
            Predictors and responses, an ordinary frame of the chosen library.

        Raises
        ------
        DataError
            For a response with an impossible value, naming its expression and the row.
        """
        return frame_of({**self.columns, **self.draw_y(rng)}, self.kind)

    def draw_y(self, rng: Any = None) -> dict[str, NDArray[Any]]:
        """Draw the responses as arrays (n,) by name, without a data frame; otherwise as `sample_y`.

        Parameters
        ----------
        rng : None, int, Generator or SeedSequence
            As for `sample_y`.
        """
        generator = self.generator if rng is None else generator_of(rng)
        values = {**self.values, "n": self.n, "size": self.n, "rng": generator}
        drawn: dict[str, NDArray[Any]] = {}
        for name, one in self.population.responses.items():
            what = f"response {name!r}"
            eta = one.expression.column(values, what)
            if one.random:
                eta = eta.copy()
                for term, kept in zip(one.random, self.kept_effects[name], strict=True):
                    levels = term.levels(values)
                    effects = term.draw(generator, levels.levels) if kept is None else kept
                    term.add_to(eta, effects, levels.codes, values)
            drawn[name] = values[name] = one.sample(eta, values, what)
        return drawn

    def effects(self, response: str | None = None) -> dict[str, Any]:
        """The random effects that all responses of this sample share, by group.

        Parameters
        ----------
        response : str, optional
            The response that has them; the only one by default.

        Returns
        -------
        dict of str to data frame
            For each group: level, and a column for each effect; further ones of a group are called ``group.1``, ...

        Raises
        ------
        DataError
            For a response that does not exist, or effects that are drawn anew with every response.
        """
        terms = self.population.responses
        names = [response] if response is not None else list(terms)
        if len(names) != 1 or names[0] not in terms:
            raise DataError(f"response={response!r}: give one of {', '.join(map(repr, terms))}")
        out: dict[str, Any] = {}
        for term, b in zip(terms[names[0]].random, self.kept_effects[names[0]], strict=True):
            if b is None:
                raise DataError(
                    f"{term!r}: effects that are drawn with every response belong to no sample; use redraw='sample_x'"
                )
            levels = term.levels(self.values).levels
            own = {"level": np.array(levels), **dict(zip(term.names, b.T, strict=True))}
            earlier = sum(key.split(".")[0] == term.group for key in out)
            out[f"{term.group}.{earlier}" if earlier else term.group] = frame_of(own, self.kind)
        return out

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        later = ", ".join(self.population.responses) or "no response"
        return f"<sample of {self.n} rows: {', '.join(self.columns)}; sample_y() draws {later}>"


def frame_kind(kind: Any) -> str:
    """Return the library of frames that is named, or raise DataError."""
    if kind not in frames.KINDS:
        raise DataError(f"frame={kind!r} is not a kind of frame; choose one of {', '.join(map(repr, frames.KINDS))}")
    return str(kind)


def frame_of(columns: Mapping[str, Any], kind: str) -> Any:
    """Make a data frame, factors as categories in the order of their levels.

    Parameters
    ----------
    columns : mapping of str to ndarray (n,) or Factor
        Equally long columns.
    kind : {"pandas", "polars", "pyarrow", "dict"}
        The library.
    """
    return frames.build([_column(name, values) for name, values in columns.items()], kind)


def _column(name: str, values: Any) -> Column:
    factor: Factor | None = factor_of(values)
    if factor is not None:
        return Column(name=name, kind="factor", values=factor.codes.astype(np.int32), levels=factor.levels)
    return Column(name=name, kind="numeric", values=np.array(values))
