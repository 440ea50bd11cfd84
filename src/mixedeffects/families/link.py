"""What every link function offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mixedeffects.families.special import Vector

# Far in a tail a mean underflows to 0 and its inverse overflows. The limits are what is wanted there, not a warning.
quiet = np.errstate(all="ignore")


@dataclass(frozen=True, slots=True)
class Interval:
    """An open interval of means.

    Attributes
    ----------
    lower, upper : float
        Its ends, which do not belong to it; they may be infinite.
    """

    lower: float
    upper: float

    def contains(self, values: Any) -> NDArray[np.bool_]:
        """Which values lie inside; NaN does not."""
        values = np.asarray(values, dtype=np.float64)
        return np.asarray((values > self.lower) & (values < self.upper))

    def includes(self, other: Interval) -> bool:
        """Whether every value of the other interval lies inside."""
        return self.lower <= other.lower and other.upper <= self.upper

    def __str__(self) -> str:
        return f"({self.lower:g}, {self.upper:g})"


REAL = Interval(-np.inf, np.inf)
POSITIVE = Interval(0.0, np.inf)
UNIT = Interval(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Jet:
    """A function of the linear predictor with its first three derivatives.

    Attributes
    ----------
    value, d1, d2, d3 : ndarray (n,)
        The function and its derivatives at each row's linear predictor.
    """

    value: Vector
    d1: Vector
    d2: Vector
    d3: Vector


@dataclass(frozen=True)
class Link(ABC):
    """A link function eta = g(mu): monotone, and known with three derivatives of its inverse.

    Links hold nothing; two of the same class are equal.

    Attributes
    ----------
    name : str
        What R calls it.
    range : Interval
        The means that the inverse can produce.
    pole : bool
        Whether means grow without bound at a finite linear predictor, 0: under normal random effects the response then
        has no mean and no variance.
    """

    name: ClassVar[str]
    range: ClassVar[Interval]
    pole: ClassVar[bool] = False

    @abstractmethod
    def link(self, mu: Any) -> Vector:
        """Return the linear predictor of a mean; NaN or infinite where the mean is out of `range`.

        Parameters
        ----------
        mu : array_like (n,)
            Means.
        """

    @abstractmethod
    def derivatives(self, eta: Any) -> Jet:
        """Return the mean and its first three derivatives in the linear predictor.

        Parameters
        ----------
        eta : array_like (n,)
            Linear predictors.
        """

    def inverse(self, eta: Any) -> Vector:
        """Return the mean of a linear predictor.

        Parameters
        ----------
        eta : array_like (n,)
            Linear predictors.
        """
        return self.derivatives(eta).value

    def slope(self, eta: Any) -> Vector:
        """Return the derivative of the mean in the linear predictor.

        Parameters
        ----------
        eta : array_like (n,)
            Linear predictors.
        """
        return self.derivatives(eta).d1

    def through(self, columns: Mapping[str, Any]) -> dict[str, Vector]:
        """Take estimates of linear predictors to the means.

        Parameters
        ----------
        columns : mapping of str to array_like (n,)
            estimate, and any of std_error, lower and upper.

        Returns
        -------
        dict of str to ndarray (n,)
            The same names: means and their limits, which change places where the link falls; standard errors times
            the absolute value of mu'(eta).
        """
        jet = self.derivatives(columns["estimate"])
        found = {"estimate": jet.value}
        if "std_error" in columns:
            found["std_error"] = np.abs(jet.d1) * columns["std_error"]
        if "lower" in columns:
            ends = self.inverse(columns["lower"]), self.inverse(columns["upper"])
            found["lower"], found["upper"] = np.minimum(*ends), np.maximum(*ends)
        return found

    def valid(self, eta: Any) -> NDArray[np.bool_]:
        """Which linear predictors belong to a mean: finite ones, and only positive ones for some links."""
        return np.isfinite(np.asarray(eta, dtype=np.float64))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PositiveLink(Link):
    """A link that serves families with positive means: it also knows logarithms and powers of the mean.

    Densities of such families are sums of these. Through the mean alone, 1 / mu + (mu - y) / mu^2 and the like would
    lose their digits for very small and very large means.
    """

    @abstractmethod
    def log_mean(self, eta: Any) -> Jet:
        """Return log mu with its derivatives.

        Parameters
        ----------
        eta : array_like (n,)
            Linear predictors of positive means.
        """

    @abstractmethod
    def power(self, eta: Any, p: float) -> Jet:
        """Return mu^p with its derivatives.

        Parameters
        ----------
        eta : array_like (n,)
            Linear predictors of positive means.
        p : float
            Not 0.
        """


class UnitLink(Link):
    """A link that serves families with means between 0 and 1: it also knows log mu and log(1 - mu).

    Both keep all their digits in both tails, where 1 - mu taken from a rounded mu would be 0.
    """

    @abstractmethod
    def log_mean(self, eta: Any) -> Jet:
        """Return log mu with its derivatives.

        Parameters
        ----------
        eta : array_like (n,)
            Linear predictors.
        """

    @abstractmethod
    def log_complement(self, eta: Any) -> Jet:
        """Return log(1 - mu) with its derivatives.

        Parameters
        ----------
        eta : array_like (n,)
            Linear predictors.
        """
