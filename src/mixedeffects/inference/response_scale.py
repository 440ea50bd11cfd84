"""The scale of the response: transformations in `lmer` formulas, and what exponentials of coefficients are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.families import Link
from mixedeffects.families.link import REAL, Interval, Jet
from mixedeffects.families.links import Log, Sqrt
from mixedeffects.formula import outer_call

if TYPE_CHECKING:
    from mixedeffects.design import Design
    from mixedeffects.families import Family
    from mixedeffects.families.special import Vector


@dataclass(frozen=True)
class LogBase(Link):
    """eta = log_b(mu), a logarithm to another base than e.

    Parameters
    ----------
    base : float
        b, larger than 1.
    """

    base: float
    name: ClassVar[str] = "log to a base"
    range: ClassVar[Interval] = Log.range

    def link(self, mu: Any) -> Vector:
        """Return log(mu) / log(b)."""
        return Log().link(mu) / math.log(self.base)

    def derivatives(self, eta: Any) -> Jet:
        """Return b^eta with its derivatives."""
        rate = math.log(self.base)
        jet = Log().power(eta, rate)
        return Jet(jet.value, jet.d1, jet.d2, jet.d3)


class Log1p(Link):
    """eta = log(1 + mu)."""

    name: ClassVar[str] = "log1p"
    range: ClassVar[Interval] = Interval(-1.0, math.inf)

    def link(self, mu: Any) -> Vector:
        """Return log(1 + mu)."""
        return np.asarray(np.log1p(np.asarray(mu, dtype=np.float64)))

    def derivatives(self, eta: Any) -> Jet:
        """Return exp(eta) - 1 with its derivatives."""
        x = np.asarray(eta, dtype=np.float64)
        slope = np.exp(x)
        return Jet(np.expm1(x), slope, slope, slope)


class SquareRoot(Sqrt):
    """eta = sqrt(mu), where an estimate or a limit below 0 belongs to a mean of 0."""

    name: ClassVar[str] = "sqrt"
    range: ClassVar[Interval] = REAL

    def derivatives(self, eta: Any) -> Jet:
        """Return max(eta, 0)^2 with its derivatives."""
        return super().derivatives(np.maximum(np.asarray(eta, dtype=np.float64), 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """What a power of a coefficient is.

    Attributes
    ----------
    base : float
        The number that is raised to the coefficient.
    name : str
        Such as ``"odds ratios"``.
    """

    base: float
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseScale:
    """The way from linear predictors to what the reader wants to see.

    Attributes
    ----------
    link : Link
        Whose inverse leads there.
    ratio : Ratio or None
        What powers of differences are there; None where differences stay on the scale of the model.
    model_scale : str
        Where they stay: ``"the link, logit"``, ``"log(y)"``.
    means : str
        What means of linear predictors become.
    """

    link: Link
    ratio: Ratio | None
    model_scale: str
    means: str


_OF_MEDIANS = "ratios of medians"
_FUNCTIONS: dict[str, tuple[Link, Ratio | None]] = {
    "log": (Log(), Ratio(base=math.e, name=_OF_MEDIANS)),
    "log2": (LogBase(2.0), Ratio(base=2.0, name=_OF_MEDIANS)),
    "log10": (LogBase(10.0), Ratio(base=10.0, name=_OF_MEDIANS)),
    "log1p": (Log1p(), None),
    "sqrt": (SquareRoot(), None),
}
_LINKS = {
    "logit": Ratio(base=math.e, name="odds ratios"),
    "log": Ratio(base=math.e, name="ratios of means"),
    "cloglog": Ratio(base=math.e, name="ratios of hazards"),
}


def scale_of_family(family: Family[Any]) -> ResponseScale:
    """The scale of the response of a generalized model.

    Parameters
    ----------
    family : Family
        With its link.
    """
    link = family.link
    # Differences of complementary log-logs are left as they are, as in R's emmeans.
    ratio = None if link.name == "cloglog" else _LINKS.get(link.name)
    means = f"means through the inverse of the link {link.name}, averages taken before"
    return ResponseScale(link=link, ratio=ratio, model_scale=f"the link, {link.name}", means=means)


def scale_of_response(design: Design) -> ResponseScale:
    """The scale on which the response of a linear mixed model was measured, before its transformation.

    Parameters
    ----------
    design : Design
        The design of the fit.

    Raises
    ------
    DataError
        If the response is no log, log2, log10, log1p or sqrt of something.

    Notes
    -----
    A normal distribution on the scale of the model has its median at its mean, and a monotone function takes medians
    to medians: what comes back is the median of the response, not its mean.
    """
    found = transformed_response(design)
    if found is None:
        raise DataError(
            f"scale='response' needs a response that is transformed by {', '.join(_FUNCTIONS)} as a whole, such as "
            f"log(y); this one is {design.formula.response}, whose means are on its own scale: leave scale out"
        )
    return found


def transformed_response(design: Design) -> ResponseScale | None:
    """Find the function that stands around the whole response, if its inverse is known here.

    Parameters
    ----------
    design : Design
        The design of a linear mixed model.

    Returns
    -------
    ResponseScale or None
        For log, log2, log10, log1p and sqrt, with or without ``np.``, that are numpy's and not the caller's.
    """
    functions = frozenset(design.encoding.functions)
    found = outer_call(design.formula.response, functions)
    if found is None or found[0] not in _FUNCTIONS or found[0] in functions:
        return None
    link, ratio = _FUNCTIONS[found[0]]
    written = f"{found[0]}({found[1]})"
    means = f"medians of {found[1]}: means of {written} taken back, averages taken before"
    return ResponseScale(link=link, ratio=ratio, model_scale=written, means=means)


def ratio_of_response(design: Design) -> Ratio:
    """Say what powers of the coefficients of a linear mixed model are.

    Parameters
    ----------
    design : Design
        The design of the fit.

    Raises
    ------
    DataError
        If the response is no logarithm.
    """
    found = transformed_response(design)
    if found is None or found.ratio is None:
        raise DataError(
            f"exponentiate=True needs a response that is a logarithm, log(y), log2(y) or log10(y); the response here "
            f"is {design.formula.response}, whose coefficients are differences: leave exponentiate out"
        )
    return found.ratio


def ratio_of_link(family: Family[Any]) -> Ratio:
    """Say what exponentials of the coefficients of a generalized model are.

    Parameters
    ----------
    family : Family
        With its link.

    Raises
    ------
    DataError
        For a link whose differences are no logarithms of ratios.
    """
    if family.link.name not in _LINKS:
        raise DataError(
            f"exponentiate=True makes no sense with the link {family.link.name}: exponentials of its coefficients are "
            f"no ratios; that is so with {', '.join(_LINKS)}. emmeans(scale='response') gives means for every link"
        )
    return _LINKS[family.link.name]
