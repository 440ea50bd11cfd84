"""Predictors: what each variable of a population is drawn from."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.population.expressions import GIVEN, Expression, expression_of, parameters
from mixedeffects.population.factors import factor_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Draw = Callable[[int, np.random.Generator, Mapping[str, Any]], Any]

# Methods of a Generator that draw no sample of a given size.
_NO_DISTRIBUTION = frozenset({"bit_generator", "bytes", "permutation", "permuted", "shuffle", "spawn"})
_DISTRIBUTIONS = tuple(name for name in dir(np.random.Generator) if name[0] != "_" and name not in _NO_DISTRIBUTION)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictor:
    """The distribution of a predictor, given the variables before it.

    Attributes
    ----------
    draw : callable
        Takes the number of rows, a generator, and values of `params` and of the variables.
    params : mapping of str to Expression
        Parameters of the distribution; each may depend on other variables.
    function : Expression or None
        The callable that draws, where the distribution is one.
    names : tuple of str or None
        Columns of a distribution with several.
    text : str
        How messages call it.
    """

    draw: Draw
    params: Mapping[str, Expression]
    function: Expression | None
    names: tuple[str, ...] | None
    text: str

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Everything that reads variables."""
        return (*self.params.values(), *([self.function] if self.function else []))

    def sample(self, n: int, rng: np.random.Generator, values: Mapping[str, Any], what: str) -> NDArray[Any]:
        """Draw a column (n,) or several (n, k).

        Parameters
        ----------
        n : int
            Number of rows.
        rng : Generator
            Source of the draws.
        values : mapping of str to ndarray
            The variables drawn before.
        what : str
            The variable, for messages.

        Raises
        ------
        DataError
            For parameters that the distribution does not take, or another number of rows.
        """
        given = {**values, "n": n, "size": n, "rng": rng}
        params = {name: one.value(given, f"{what}, {name}=") for name, one in self.params.items()}
        if self.function is not None:
            drawn = self.function.value(given | params, what)
        else:
            try:
                drawn = self.draw(n, rng, params)
            except (TypeError, ValueError) as problem:
                raise DataError(f"{what}, {self.text}: {problem}") from None
        return self._checked(drawn, n, what)

    def _checked(self, drawn: Any, n: int, what: str) -> NDArray[Any]:
        factor = factor_of(drawn)
        value = np.asarray(drawn) if factor is None else factor
        if value.ndim not in (1, 2) or len(value) != n:
            raise DataError(
                f"{what}, {self.text}: gives values of shape {value.shape} for {n} rows; it must give one for each row"
            )
        if value.ndim == 2 and value.shape[1] == 1 and self.names is None:
            return value[:, 0]
        width = 1 if value.ndim == 1 else value.shape[1]
        if self.names is not None and len(self.names) != width:
            raise DataError(f"{what}, {self.text}: {len(self.names)} names for {width} columns")
        return value

    def columns(self, variable: str, value: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The columns of the data that a drawn value makes: ``x``, or ``x1``, ``x2``, ... without names."""
        if value.ndim == 1:
            return {self.names[0] if self.names else variable: value}
        names = self.names or tuple(f"{variable}{j + 1}" for j in range(value.shape[1]))
        return dict(zip(names, value.T, strict=True))

    def __repr__(self) -> str:
        parameters = "".join(f", {name}={one.text}" for name, one in self.params.items())
        names = f", names={list(self.names)}" if self.names else ""
        return f"predictor({self.text}{parameters}{names})"


def predictor(dist: Any, *, names: Sequence[str] | None = None, **params: Any) -> Predictor:
    """Specify the distribution of a predictor.

    Parameters
    ----------
    dist : str, distribution or callable
        A method of `numpy.random.Generator` by name (``"normal"``) or itself (``np.random.Generator.normal``); a
        distribution of `scipy.stats`, frozen or not; or a callable, which is given the number of rows as `n` or `size`,
        the generator as `rng`, and other variables of the population by the names of its parameters.
    names : sequence of str, optional
        Names of the columns of a multivariate distribution; by default the variable's with 1, 2, ... behind it.
    **params
        Parameters of the distribution. One that is a callable is called with the variables that its parameters name.

    Returns
    -------
    Predictor

    Raises
    ------
    DataError
        For something that cannot be drawn from with a generator of ours, or parameters that it does not take.

    Examples
    --------
    >>> from scipy import stats
    >>> from mixedeffects.population import predictor
    >>> age = predictor("normal", loc=40, scale=10)
    >>> income = predictor(stats.lognorm(s=0.5))
    >>> weight = predictor("normal", loc=lambda age: 60 + age / 4, scale=8)
    >>> square = predictor(lambda age: age**2)
    """
    columns = None if names is None else _names(names)
    name = _generator_method(dist)
    if name is not None:
        draw: Draw = lambda n, rng, given: getattr(rng, name)(size=n, **given)  # noqa: E731
        return _predictor(draw, params, columns, name)
    if hasattr(dist, "rvs"):
        return _predictor(_scipy_draw(dist), params, columns, _scipy_name(dist))
    if hasattr(dist, "sample") and not callable(dist):
        return _predictor(lambda n, rng, given: dist.sample(shape=n, rng=rng), params, columns, _scipy_name(dist))
    if not callable(dist):
        raise DataError(
            f"predictor: {dist!r} is no distribution; give the name of a method of numpy's Generator such as 'normal', "
            "a distribution of scipy.stats, or a function of n and rng"
        )
    function = expression_of(dist, "predictor", fixed=params)
    required, optional = parameters(dist, "predictor")
    for given in params:
        if given not in required + optional or given in GIVEN:
            allowed = ", ".join(one for one in required + optional if one not in GIVEN) or "none"
            raise DataError(f"predictor: {function.text} takes no parameter {given!r}; those that it takes: {allowed}")
    # The parameters are given by name, beside the variables that the callable reads.
    read = Expression(
        call=function.call,
        reads=function.reads,
        may_read=(*function.may_read, *params),
        text=function.text,
    )
    built = _predictor(lambda n, rng, given: None, params, columns, function.text)
    return Predictor(draw=built.draw, params=built.params, function=read, names=columns, text=built.text)


def _predictor(draw: Draw, params: Mapping[str, Any], names: tuple[str, ...] | None, text: str) -> Predictor:
    return Predictor(
        draw=draw,
        params={
            # Text is a value here (a method, a level), not arithmetic.
            name: _constant(value) if isinstance(value, str) else expression_of(value, f"{name}=")
            for name, value in params.items()
        },
        function=None,
        names=names,
        text=text,
    )


def _constant(text: str) -> Expression:
    return Expression(call=lambda: text, reads=(), text=repr(text))


def _names(names: Sequence[str]) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) else tuple(names)
    if not found or not all(isinstance(name, str) for name in found) or len(set(found)) < len(found):
        raise DataError(f"names={names!r} must be different names of columns")
    return found


def _generator_method(dist: Any) -> str | None:
    """The name of the Generator's method that is meant, or None."""
    owner = getattr(dist, "__self__", None)
    if isinstance(owner, np.random.RandomState | np.random.Generator):
        name = getattr(dist, "__name__", "normal")
        raise DataError(
            f"predictor: {name!r} is bound to a generator of its own, so that rng= could not decide the draws; give "
            f"its name, {name!r}, or np.random.Generator.{name}"
        )
    if not isinstance(dist, str):
        name = getattr(dist, "__name__", "")
        return name if name and getattr(np.random.Generator, name, None) is dist else None
    if dist not in _DISTRIBUTIONS:
        near = difflib.get_close_matches(dist.removeprefix("r"), _DISTRIBUTIONS, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise DataError(
            f"predictor: numpy's Generator draws from no distribution {dist!r}{hint} Those it has: "
            f"{', '.join(_DISTRIBUTIONS)}"
        )
    return dist


def _scipy_draw(dist: Any) -> Draw:
    from scipy import stats

    univariate = isinstance(dist, stats.rv_continuous | stats.rv_discrete) or hasattr(dist, "support")

    def draw(n: int, rng: np.random.Generator, given: Mapping[str, Any]) -> Any:
        drawn = np.asarray(dist.rvs(size=n, random_state=rng, **given))
        return drawn if univariate or n > 1 else drawn.reshape(1, -1)  # a single row comes without its dimension

    return draw


def _scipy_name(dist: Any) -> str:
    inner = getattr(dist, "dist", dist)
    return str(getattr(inner, "name", None) or type(dist).__name__.removesuffix("_gen").removesuffix("_frozen"))
