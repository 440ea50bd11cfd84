"""Responses: a linear predictor, random effects, and a distribution around the mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.families import Family, family_of
from mixedeffects.population.distributions import CustomFamily, OlsWithError
from mixedeffects.population.effects import RandomEffects
from mixedeffects.population.expressions import Expression, expression_of, numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mixedeffects.families import Link


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Response:
    """A response variable of a population.

    Attributes
    ----------
    expression : Expression
        The linear predictor without random effects.
    family : Family, OlsWithError or CustomFamily
        The distribution, with its link.
    scale : Expression or None
        Standard deviation or scale of the errors of a linear response; the dispersion of other families that have one.
    size : Expression or None
        Numbers of trials of a binomial response.
    random : tuple of RandomEffects
        Random effects that are added to the linear predictor.
    """

    expression: Expression
    family: Family[Any] | OlsWithError | CustomFamily
    scale: Expression | None
    size: Expression | None
    random: tuple[RandomEffects, ...]

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Everything that reads variables, the random effects excepted."""
        found = [self.expression, *(one for one in (self.scale, self.size) if one is not None)]
        if isinstance(self.family, OlsWithError):
            found += self.family.error.expressions
        if isinstance(self.family, CustomFamily):
            draw = self.family.draw
            reads = tuple(name for name in draw.reads if name != "mu")
            found.append(Expression(call=draw.call, reads=reads, may_read=draw.may_read, text=draw.text))
        return tuple(found)

    def sample(self, eta: NDArray[np.float64], values: Mapping[str, Any], what: str) -> NDArray[Any]:
        """Draw a response for each row.

        Parameters
        ----------
        eta : ndarray (n,)
            Linear predictors with random effects.
        values : mapping of str to object
            Variables, and `n` and `rng`.
        what : str
            The response, for messages.

        Returns
        -------
        ndarray (n,)
            Whole numbers for counts; successes for a binomial response.
        """
        rng, n = values["rng"], len(eta)
        if isinstance(self.family, OlsWithError):
            error = self.family.error.sample(n, rng, values, f"{what}, its errors")
            return eta + self._scale(values, what) * numbers(error, n, f"{what}, {self.family!r}")
        if isinstance(self.family, CustomFamily):
            mu = numbers(self.family.inverse(eta), n, f"{what}, the inverse link of {self.family!r}")
            drawn = np.asarray(self.family.draw.value({**values, "mu": mu}, what))
            if drawn.shape != (n,):
                raise DataError(
                    f"{what}, {self.family!r}: draws values of shape {drawn.shape} for {n} rows; it must draw one for "
                    "each row"
                )
            if drawn.dtype.kind not in "biuf":
                raise DataError(f"{what}, {self.family!r}: draws {drawn.tolist()[0]!r}; numbers are needed")
            numbers(drawn, n, f"{what}, {self.family!r}")
            return drawn
        return self._of_family(self.family, eta, values, what)

    def _of_family(
        self, family: Family[Any], eta: NDArray[np.float64], values: Mapping[str, Any], what: str
    ) -> NDArray[Any]:
        impossible = np.flatnonzero(~family.valid(eta))
        if len(impossible):
            row = int(impossible[0])
            raise DataError(
                f"{what}, {self.expression.text}: the linear predictor {eta[row]:g} in row {row} gives no possible "
                f"mean under {family!r}, which needs means in {family.mean_domain}"
            )
        with np.errstate(over="ignore"):
            mu, rng = family.link.inverse(eta), values["rng"]
        if family.name == "gaussian":  # by its standard deviation, which may be 0
            return np.asarray(mu + self._scale(values, what) * rng.standard_normal(len(mu)))
        if family.name == "binomial":
            trials = self._trials(values, what)
            return np.rint(family.simulate(mu, trials, 0.0, rng) * trials).astype(np.int64)
        t = np.log(self._scale(values, what)) if family.has_dispersion else 0.0
        try:
            drawn = family.simulate(mu, 1.0, t, rng)
        except (ValueError, OverflowError):
            row = int(np.argmax(mu))
            raise DataError(
                f"{what}, {self.expression.text}: the mean {mu[row]:.3g} in row {row} is too large to draw from; the "
                f"expression gives the linear predictor, on the scale of the {family.link.name} link, here {eta[row]:g}"
            ) from None
        return drawn.astype(np.int64) if family.discrete else drawn

    def _scale(self, values: Mapping[str, Any], what: str) -> NDArray[np.float64]:
        linear = not isinstance(self.family, Family) or self.family.name == "gaussian"
        name = "error_scale" if linear else "dispersion"
        assert self.scale is not None
        scale = self.scale.column(values, f"{what}, {name}=")
        wrong = np.flatnonzero(scale < 0 if linear else scale <= 0)
        if len(wrong):
            must = "must not be negative" if linear else "must be positive"
            raise DataError(f"{what}: {name} is {scale[wrong[0]]:g} in row {wrong[0]}; it {must}")
        return scale

    def _trials(self, values: Mapping[str, Any], what: str) -> NDArray[np.float64]:
        if self.size is None:
            return np.ones(values["n"])
        trials = self.size.column(values, f"{what}, size=")
        wrong = np.flatnonzero((trials < 1) | (trials != np.rint(trials)))
        if len(wrong):
            raise DataError(f"{what}: size is {trials[wrong[0]]:g} in row {wrong[0]}; a number of trials is 1, 2, ...")
        return trials

    def __repr__(self) -> str:
        more = f", random={list(self.random)}" if self.random else ""
        linear = isinstance(self.family, OlsWithError) or getattr(self.family, "name", "") == "gaussian"
        given = {"error_scale" if linear else "dispersion": self.scale, "size": self.size}
        parameters = "".join(f", {name}={one.text}" for name, one in given.items() if one is not None)
        return f"response({self.expression.text}, family={self.family!r}{parameters}{more})"


def response(
    expression: Callable[..., Any] | str | float,
    *,
    family: Any = "gaussian",
    link: str | Link | None = None,
    error_scale: Any = None,
    dispersion: Any = None,
    size: Any = None,
    random: RandomEffects | Sequence[RandomEffects] | None = None,
) -> Response:
    """Specify a response variable.

    Parameters
    ----------
    expression : callable, str or number
        The linear predictor: a function whose parameters name the variables it reads, with one value for each row;
        arithmetic as text, ``"0.7 + 2.2 * x1"``; or a number.
    family : str, Family, or what `ols_with_error` or `custom_family` returns
        As `glmer` takes it.
    link : str or Link, optional
        Link of a named family; its default otherwise.
    error_scale : number or callable
        Scale of the errors of a linear response: the standard deviation of normal errors (required), or what errors of
        `ols_with_error` are multiplied by (1 by default).
    dispersion : number or callable, optional
        Dispersion of a family that has one, as ``mixedeffects.families`` defines it; 1 by default. For gamma and
        inverse Gaussian var(y) = dispersion * V(mu), for the negative binomial it is R's size.
    size : number or callable, optional
        Numbers of trials of a binomial response; 1 by default.
    random : RandomEffects or sequence of them, optional
        Random effects that are added to the linear predictor, from `random_effects`.

    Returns
    -------
    Response

    Raises
    ------
    DataError
        For a family or link that is not known, or a scale, dispersion or size of a family that has none.

    Examples
    --------
    >>> from mixedeffects.population import response
    >>> income = response(lambda age: 20 + age / 2, error_scale=lambda age: 1 + age / 50)
    >>> voted = response("-1 + age / 40", family="binomial", link="probit")
    """
    chosen = _family(family, link)
    _check_arguments(chosen, error_scale, dispersion, size)
    linear = isinstance(chosen, OlsWithError) or (isinstance(chosen, Family) and chosen.name == "gaussian")
    scale: Any = None
    if linear:
        scale = 1.0 if error_scale is None else error_scale
    elif isinstance(chosen, Family) and chosen.has_dispersion:
        scale = 1.0 if dispersion is None else dispersion
    terms = () if random is None else (random,) if isinstance(random, RandomEffects) else tuple(random)
    for term in terms:
        if not isinstance(term, RandomEffects):
            raise DataError(f"random={term!r} must be what random_effects returns, or a list of such")
    return Response(
        expression=expression_of(expression, "response"),
        family=chosen,
        scale=None if scale is None else expression_of(scale, "error_scale=" if linear else "dispersion="),
        size=None if size is None else expression_of(size, "size="),
        random=terms,
    )


def _family(family: Any, link: Any) -> Family[Any] | OlsWithError | CustomFamily:
    if not isinstance(family, OlsWithError | CustomFamily):
        return family_of(family, link)
    if link is not None:
        raise DataError(f"link={link!r} cannot be given beside {family!r}, which has its own")
    return family


def _check_arguments(family: Any, error_scale: Any, dispersion: Any, size: Any) -> None:
    """Refuse what a family does not have."""
    gaussian = isinstance(family, Family) and family.name == "gaussian"
    if gaussian and error_scale is None:
        raise DataError("a gaussian response needs error_scale=, the standard deviation of its errors")
    if error_scale is not None and not gaussian and not isinstance(family, OlsWithError):
        has = isinstance(family, Family) and family.has_dispersion
        hint = "its dispersion is given as dispersion=" if has else "its mean determines its variance"
        if isinstance(family, CustomFamily):
            hint = "its draw function decides the errors"
        raise DataError(f"error_scale={error_scale!r}: {family!r} has no error scale; {hint}")
    if dispersion is not None and (gaussian or not (isinstance(family, Family) and family.has_dispersion)):
        hint = "give error_scale=" if gaussian or isinstance(family, OlsWithError) else "leave it out"
        raise DataError(f"dispersion={dispersion!r}: {family!r} has none; {hint}")
    if size is not None and not (isinstance(family, Family) and family.name == "binomial"):
        raise DataError(f"size={size!r}: only a binomial response has numbers of trials, not {family!r}")
