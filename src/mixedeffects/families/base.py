"""What every response distribution offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.families.checks import check_finite, check_weights
from mixedeffects.families.link import Interval, Link, quiet
from mixedeffects.families.links import link_of
from mixedeffects.families.special import Vector, as_vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.families.results import Cumulative, Derivatives

LinkT = TypeVar("LinkT", bound=Link)


@dataclass(frozen=True, init=False, repr=False)
class Family(ABC, Generic[LinkT]):
    """A response distribution with its link: E(y) = mu, g(mu) = eta.

    Families are values: immutable, equal when class and link are equal. A new one is a subclass in its own file that
    implements the methods that begin with an underscore and those that are abstract, and one entry in `resolve`.

    Parameters
    ----------
    link : str or Link
        One of the family's links, by name or as an object.

    Raises
    ------
    DataError
        For a link that does not go with the family.

    Attributes
    ----------
    name : str
        As `family_of` knows it.
    link : Link
        The link.
    allowed_links : tuple of Link
        The links that go with the family, the default first.
    canonical_link : Link or None
        The link under which observed and expected information agree.
    mean_domain : Interval
        The means that are possible.
    has_dispersion : bool
        Whether there is a parameter phi = exp(t). Where there is none, t is ignored.
    scaled : bool
        Whether phi is a scale: var(y) = phi V(mu) / w. lme4's sigma is then sqrt(phi), and 1 otherwise.
    discrete : bool
        Whether responses are counts.

    Notes
    -----
    `y`, `eta`, `mu` and `w` are arrays (n,), `t` a number or an array (n,). Under a `scaled` family the weight w
    divides the dispersion; for `Binomial` it is the number of trials, and y the proportion of successes. In the other
    families w multiplies the log-likelihood, as if the row stood there w times.
    """

    name: ClassVar[str]
    allowed_links: ClassVar[tuple[Link, ...]]
    canonical_link: ClassVar[Link | None] = None
    mean_domain: ClassVar[Interval]
    has_dispersion: ClassVar[bool] = False
    scaled: ClassVar[bool] = False
    discrete: ClassVar[bool] = False

    link: LinkT

    def __init__(self, link: str | Link) -> None:
        chosen = link_of(link)
        if chosen not in self.allowed_links:
            allowed = ", ".join(repr(one.name) for one in self.allowed_links)
            raise DataError(f"link {chosen.name!r} does not go with {type(self).__name__}; its links are {allowed}")
        object.__setattr__(self, "link", chosen)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(link={self.link.name!r})"

    @property
    def canonical(self) -> bool:
        """Whether the link is canonical: then `expected` is minus d2 whatever y."""
        return self.canonical_link is not None and self.link == self.canonical_link

    def valid(self, eta: Any) -> NDArray[np.bool_]:
        """Which linear predictors give a possible mean.

        Parameters
        ----------
        eta : array_like (n,)
            Linear predictors.
        """
        valid = self.link.valid(eta)
        if self.mean_domain.includes(self.link.range):
            return valid
        return valid & self.mean_domain.contains(self.link.inverse(eta))

    @quiet
    def loglik(self, y: Any, eta: Any, w: Any, t: Any) -> Vector:
        """Return each row's log-density with all its constants, -inf where eta gives no possible mean.

        Parameters
        ----------
        y, eta, w : array_like (n,)
            Responses that `check_response` accepts, linear predictors, weights.
        t : float or array_like (n,)
            Logarithm of the dispersion.
        """
        y, eta, w, t = (as_vector(v) for v in (y, eta, w, t))
        return np.where(self.valid(eta), self._loglik(y, eta, w, t), -np.inf)

    @quiet
    def derivatives(self, y: Any, eta: Any, w: Any, t: Any) -> Derivatives:
        """Return derivatives of `loglik` in eta and t, NaN where eta gives no possible mean.

        Parameters
        ----------
        y, eta, w : array_like (n,)
            Responses that `check_response` accepts, linear predictors, weights.
        t : float or array_like (n,)
            Logarithm of the dispersion.
        """
        y, eta, w, t = (as_vector(v) for v in (y, eta, w, t))
        valid = self.valid(eta)
        derivatives = self._derivatives(y, eta, w, t)
        return derivatives if valid.all() else derivatives.where(valid)

    @quiet
    def variance(self, mu: Any, t: Any = None) -> Vector:
        """Return the variance function V(mu), as R has it.

        Parameters
        ----------
        mu : array_like (n,)
            Means.
        t : float or array_like (n,), optional
            Logarithm of the dispersion; needed by a family with a dispersion that is not a scale.

        Notes
        -----
        var(y) = phi V(mu) / w for a `scaled` family and V(mu) / w for the binomial. In the other families, where a
        weight repeats a row, V(mu) is the variance of one response.
        """
        return self._variance(as_vector(mu), self._needed(t, "variance"))

    @quiet
    def deviance(self, y: Any, mu: Any, w: Any, t: Any = None) -> Vector:
        """Return unit deviances times the weight: twice the log-likelihood lost against the best mean of each row.

        Parameters
        ----------
        y, mu, w : array_like (n,)
            Responses, means, weights.
        t : float or array_like (n,), optional
            Logarithm of the dispersion; needed by a family with a dispersion that is not a scale.

        Notes
        -----
        In units of phi for a `scaled` family, as R's `dev.resids`.
        """
        y, mu, w = (as_vector(v) for v in (y, mu, w))
        return self._deviance(y, mu, w, self._needed(t, "deviance"))

    @quiet
    def cdf(self, y: Any, mu: Any, w: Any, t: Any) -> Cumulative:
        """Return P(Y < y) and P(Y <= y).

        Parameters
        ----------
        y, mu, w : array_like (n,)
            Responses, means, weights (without effect where a weight repeats a row).
        t : float or array_like (n,)
            Logarithm of the dispersion.
        """
        return self._cdf(*np.broadcast_arrays(*(as_vector(v) for v in (y, mu, w, t))))

    def simulate(self, mu: Any, w: Any, t: Any, rng: np.random.Generator) -> Vector:
        """Return one draw of the response per row.

        Parameters
        ----------
        mu, w : array_like (n,)
            Means, weights (without effect where a weight repeats a row).
        t : float or array_like (n,)
            Logarithm of the dispersion.
        rng : numpy.random.Generator
            Source of the draws.
        """
        mu, w, t = np.broadcast_arrays(as_vector(mu), as_vector(w), as_vector(t))
        return as_vector(self._simulate(mu, w, t, rng))

    def check_response(self, y: Any, w: Any, name: str) -> None:
        """Raise if a response or a weight is impossible under this family.

        Parameters
        ----------
        y, w : array_like (n,)
            Responses and weights.
        name : str
            What the message calls the response.

        Raises
        ------
        DataError
            Naming the first offending value and its row, counted from 0.
        """
        y, w = as_vector(y), as_vector(w)
        check_finite(y, name)
        check_weights(w)
        self._check(y, w, name)

    def start(self, y: Any, w: Any) -> Vector:
        """Return means near the responses that are possible under family and link, to start from.

        Parameters
        ----------
        y, w : array_like (n,)
            Responses and weights.
        """
        return self._start(as_vector(y), as_vector(w))

    @quiet
    def dispersion_start(self, y: Any, mu: Any, w: Any) -> float:
        """Return a moment estimate of t = log(phi) to start from, 0 for a family without a dispersion.

        Parameters
        ----------
        y, mu, w : array_like (n,)
            Responses, means of a simple model (such as the mean of all responses; not those of `start`), weights.
        """
        return self._dispersion_start(*np.broadcast_arrays(as_vector(y), as_vector(mu), as_vector(w)))

    def _needed(self, t: Any, what: str) -> Vector:
        if t is None and self.has_dispersion and not self.scaled:
            raise DataError(f"the {what} of {type(self).__name__} depends on its dispersion: give t = log(phi)")
        return as_vector(0.0 if t is None else t)

    def _dispersion_start(self, y: Vector, mu: Vector, w: Vector) -> float:
        return 0.0

    @abstractmethod
    def _loglik(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Vector: ...

    @abstractmethod
    def _derivatives(self, y: Vector, eta: Vector, w: Vector, t: Vector) -> Derivatives: ...

    @abstractmethod
    def _variance(self, mu: Vector, t: Vector) -> Vector: ...

    @abstractmethod
    def _deviance(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Vector: ...

    @abstractmethod
    def _cdf(self, y: Vector, mu: Vector, w: Vector, t: Vector) -> Cumulative: ...

    @abstractmethod
    def _simulate(self, mu: Vector, w: Vector, t: Vector, rng: np.random.Generator) -> NDArray[Any]: ...

    @abstractmethod
    def _check(self, y: Vector, w: Vector, name: str) -> None: ...

    @abstractmethod
    def _start(self, y: Vector, w: Vector) -> Vector: ...
