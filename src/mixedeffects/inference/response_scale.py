"""The scale of the response: transformations in `lmer` formulas, and what exponentials of coefficients are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.formula import bare, outer_call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mixedeffects.design import Design
    from mixedeffects.families import Family, Link
    from mixedeffects.families.special import Vector


@dataclass(frozen=True, slots=True)
class Inverse:
    """The way back from a transformed response, an increasing function.

    Attributes
    ----------
    value, slope : callable
        The function and its derivative, of an array.
    """

    value: Callable[[Vector], Vector]
    slope: Callable[[Vector], Vector]

    def through(self, columns: Mapping[str, Any]) -> dict[str, Vector]:
        """Take estimates back, and limits; standard errors by the delta method.

        Parameters
        ----------
        columns : mapping of str to array_like (n,)
            estimate, and any of std_error, lower and upper.
        """
        given = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
        found = {name: self.value(values) for name, values in given.items() if name != "std_error"}
        if "std_error" in given:
            found["std_error"] = self.slope(given["estimate"]) * given["std_error"]
        return found


def _power_of(base: float) -> Inverse:
    return Inverse(lambda x: np.power(base, x), lambda x: math.log(base) * np.power(base, x))


def _square(x: Vector) -> Vector:
    """Estimates and limits of a root below 0 belong to a response of 0."""
    return np.maximum(x, 0.0) ** 2


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
    inverse : Link or Inverse
        Leads there by its `through`.
    ratio : Ratio or None
        What powers of differences are there; None where differences stay on the scale of the model.
    model_scale : str
        Where they stay: ``"the link, logit"``, ``"log(y)"``.
    means : str
        What means of linear predictors become.
    of : str or None
        What has them as medians; None for means of the response.
    """

    inverse: Link | Inverse
    ratio: Ratio | None
    model_scale: str
    means: str
    of: str | None = None


_OF_MEDIANS = "ratios of medians"
_FUNCTIONS: dict[str, tuple[Inverse, Ratio | None]] = {
    "log": (_power_of(math.e), Ratio(base=math.e, name=_OF_MEDIANS)),
    "log2": (_power_of(2.0), Ratio(base=2.0, name=_OF_MEDIANS)),
    "log10": (_power_of(10.0), Ratio(base=10.0, name=_OF_MEDIANS)),
    "log1p": (Inverse(np.expm1, np.exp), None),
    "sqrt": (Inverse(_square, lambda x: 2.0 * np.maximum(x, 0.0)), None),
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
    return ResponseScale(inverse=link, ratio=ratio, model_scale=f"the link, {link.name}", means=means)


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
    inverse, ratio = _FUNCTIONS[found[0]]
    written = f"{found[0]}({found[1]})"
    means = f"medians of {found[1]}: means of {written} taken back, averages taken before"
    return ResponseScale(inverse=inverse, ratio=ratio, model_scale=written, means=means, of=bare(found[1]))


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
