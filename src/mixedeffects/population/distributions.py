"""Response distributions beyond the families of models: other errors, and any distribution with any link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mixedeffects.errors import DataError
from mixedeffects.families import Link, link_of
from mixedeffects.population.expressions import Expression, expression_of
from mixedeffects.population.predictors import Predictor, predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OlsWithError:
    """A linear response with errors of any distribution.

    Attributes
    ----------
    error : Predictor
        What the errors are drawn from.
    """

    error: Predictor

    def __repr__(self) -> str:
        return f"ols_with_error({self.error.text})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CustomFamily:
    """A response with any distribution and link.

    Attributes
    ----------
    draw : Expression
        Draws a response for each row from `mu`, `rng` and variables.
    inverse : callable
        Takes linear predictors to means.
    link : str
        How the link is called.
    """

    draw: Expression
    inverse: Callable[[Any], NDArray[Any]]
    link: str

    def __repr__(self) -> str:
        return f"custom_family({self.draw.text}, link={self.link!r})"


def ols_with_error(dist: Any, **params: Any) -> OlsWithError:
    """Specify a linear response whose errors are not normal: y = eta + error_scale * e.

    Parameters
    ----------
    dist : str, distribution or callable
        What e is drawn from, as `predictor` takes it.
    **params
        Its parameters; one that is a callable may depend on variables.

    Returns
    -------
    OlsWithError
        For ``response(family=...)``; no model can be fitted with it.

    Examples
    --------
    >>> from mixedeffects.population import ols_with_error, response
    >>> heavy = response(lambda x: 2 * x, family=ols_with_error("standard_t", df=3), error_scale=1.5)
    """
    return OlsWithError(error=predictor(dist, **params))


def custom_family(draw: Callable[..., Any], link: str | Link | Callable[[Any], Any] = "identity") -> CustomFamily:
    """Specify a response distribution.

    Parameters
    ----------
    draw : callable
        Returns a response for each row. Its parameters name what it needs: `mu`, the means (n,), `rng`, the generator,
        and variables of the population.
    link : str, Link or callable
        A link of ``mixedeffects.families``, or the *inverse* link as a function of the linear predictor.

    Returns
    -------
    CustomFamily
        For ``response(family=...)``; no model can be fitted with it.

    Raises
    ------
    DataError
        If `draw` is no function of `mu`, or the link is not known.

    Examples
    --------
    Counts with additional zeros:

    >>> from mixedeffects.population import custom_family
    >>> zeros = custom_family(lambda mu, rng: rng.poisson(mu) * (rng.random(len(mu)) < 0.7), link="log")
    """
    if not callable(draw):
        raise DataError(f"custom_family: draw must be a function of mu and rng, not {draw!r}")
    read = expression_of(draw, "custom_family")
    if "mu" not in read.reads:
        raise DataError(f"custom_family: {read.text} does not take mu, the means of the responses")
    if callable(link) and not isinstance(link, Link | type):
        return CustomFamily(draw=read, inverse=link, link=getattr(link, "__name__", "inverse"))
    chosen = link_of(link)
    return CustomFamily(draw=read, inverse=chosen.inverse, link=chosen.name)
