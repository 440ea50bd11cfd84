"""The distribution of a new response whose linear predictor is not known exactly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit, ndtri

from mixedeffects.families import Binomial
from mixedeffects.families.link import POSITIVE, UNIT, quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mixedeffects.families import Family
    from mixedeffects.predict.normal_nodes import NormalPredictor

    Vector = NDArray[np.float64]

_LARGEST = 2.0**52  # counts beyond are no whole numbers any more
_TOLERANCE = 1e-11  # of a continuous quantile, on the scale of the search
_STEPS = 200
_HALVE = 4  # every so many steps of false position a bisection: next to 0 and 1 a beta response is rounded to them
_STEEP = 37.0  # normal quantile of the smallest probability that is told from 0
_ROWS = 4096  # at a time
_FEW = 64  # draws to begin a search with


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture(ABC):
    """Mixtures of a family's distributions over linear predictors.

    Attributes
    ----------
    family : Family
        Response distribution and link.
    weights : ndarray (n,)
        Numbers of trials, or divisors of the dispersion.
    log_dispersion : float
        t = log(phi).
    """

    family: Family[Any]
    weights: Vector
    log_dispersion: float

    @abstractmethod
    def nodes(self, centre: Vector, width: Vector, rows: NDArray[np.intp]) -> tuple[Vector, Vector]:
        """Linear predictors and their probabilities, (m, nodes) each, for some rows.

        Parameters
        ----------
        centre, width : ndarray (m,)
            Around which predictor, and how far, the function that is averaged is steep.
        rows : ndarray of int (m,)
            The rows.
        """

    @abstractmethod
    def few_nodes(self, rows: NDArray[np.intp]) -> tuple[Vector, Vector]:
        """The same for a first approximation: few of them, whatever is averaged."""

    @property
    def discrete(self) -> bool:
        """Whether responses are counts, or proportions of counts."""
        return self.family.discrete

    @property
    def trials(self) -> Vector:
        """What takes a response to a count, (n,)."""
        return np.rint(self.weights) if isinstance(self.family, Binomial) else np.ones(len(self.weights))

    @quiet
    def cumulative(self, y: Vector, rows: NDArray[np.intp], *, rough: bool = False) -> Vector:
        """P(Y <= y) of some rows, (m,).

        Parameters
        ----------
        y : ndarray (m,)
            One value for each.
        rows : ndarray of int (m,)
            The rows.
        rough : bool
            By few nodes, to begin a search.
        """
        out = np.empty(len(rows))
        for start in range(0, len(rows), _ROWS):
            part = slice(start, start + _ROWS)
            own, values = rows[part], y[part]
            eta, probability = self.few_nodes(own) if rough else self.nodes(*self._steep(values, own), own)
            mu = self.family.link.inverse(eta)
            given = self.family.cdf(values[:, None], mu, self.weights[own, None], self.log_dispersion).upper
            out[part] = (np.nan_to_num(given) * probability).sum(axis=1)
        return np.minimum(out, 1.0)  # rounding

    @quiet
    def mean_square(self, centre: Vector) -> Vector:
        """E (Y - centre)^2, (n,); NaN under a link with a pole, where it does not exist."""
        n = len(self.weights)
        if self.family.link.pole:
            return np.full(n, np.nan)
        eta, probability = self.nodes(np.zeros(n), np.ones(n), np.arange(n))
        mu = self.family.link.inverse(eta)
        variance = self.family.variance(mu, self.log_dispersion)
        if self.family.scaled:
            variance = variance * np.exp(self.log_dispersion)
        if self.family.scaled or isinstance(self.family, Binomial):
            variance = variance / self.weights[:, None]
        total: Vector = ((variance + (mu - centre[:, None]) ** 2) * probability).sum(axis=1)
        return total

    def quantile(self, p: float, guess: Vector) -> Vector:
        """The smallest response with P(Y <= y) >= p, (n,).

        Parameters
        ----------
        p : float
            Between 0 and 1.
        guess : ndarray (n,)
            Means near it.

        Notes
        -----
        Counts by bisection over whole numbers, so that they are exact; other responses by false position on the scale
        of normal quantiles, to a relative 1e-11.
        """
        return self._count(p, guess) if self.discrete else self._continuous(p, guess)

    def _steep(self, y: Vector, rows: NDArray[np.intp]) -> tuple[Vector, Vector]:
        """The linear predictor around which P(Y <= y) falls from 1 to 0, and its width there."""
        family, w = self.family, self.weights[rows]
        at = y
        if self.discrete:
            k = np.maximum(np.rint(y * self.trials[rows]), 0.0)
            at = (k + 0.5) / (self.trials[rows] + 1.0) if isinstance(family, Binomial) else k + 0.5
        elif not family.link.range.contains(-1.0):
            at = np.maximum(y, np.finfo(float).tiny)
            if family.mean_domain.contains(-1.0):  # a normal response with positive means
                at = np.maximum(y, np.exp(0.5 * self.log_dispersion))
        eta = family.link.link(at)
        scaled = w if family.scaled or isinstance(family, Binomial) else np.ones_like(w)
        return eta, 1.0 / np.sqrt(family.derivatives(at, eta, scaled, self.log_dispersion).expected)

    def _count(self, p: float, guess: Vector) -> Vector:
        trials = self.trials
        most = trials if isinstance(self.family, Binomial) else np.full(len(trials), _LARGEST)

        def enough(rough: bool) -> Callable[[Vector, NDArray[np.intp]], NDArray[np.bool_]]:
            return lambda k, rows: self.cumulative(k / trials[rows], rows, rough=rough) >= p

        count = np.clip(np.floor(np.nan_to_num(guess) * trials), 0.0, most)
        for rough in (True, False):
            count = _first_count(enough(rough), count, most)
        return np.asarray(count / trials, dtype=np.float64)

    def _continuous(self, p: float, guess: Vector) -> Vector:
        there, back = _scale(self.family)
        target = ndtri(p)

        def excess(rough: bool) -> Callable[[Vector, NDArray[np.intp]], Vector]:
            def function(x: Vector, rows: NDArray[np.intp]) -> Vector:
                scores: Vector = np.clip(ndtri(self.cumulative(back(x), rows, rough=rough)), -_STEEP, _STEEP) - target
                return scores

            return function

        x = there(guess)
        x = np.where(np.isfinite(x), x, 0.0)
        for rough, step, tolerance in ((True, 0.25, 1e-3), (False, 0.01, _TOLERANCE)):
            x = _increasing_root(excess(rough), x, step, tolerance)
        found: Vector = back(x)
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalMixture(Mixture):
    """Over normal linear predictors.

    Attributes
    ----------
    predictor : NormalPredictor
        Their distributions, (n,).
    """

    predictor: NormalPredictor

    def nodes(self, centre: Vector, width: Vector, rows: NDArray[np.intp]) -> tuple[Vector, Vector]:
        """As `NormalPredictor.nodes`."""
        return self.predictor.rows(rows).nodes(centre, width)

    def few_nodes(self, rows: NDArray[np.intp]) -> tuple[Vector, Vector]:
        """As `NormalPredictor.few_nodes`."""
        return self.predictor.rows(rows).few_nodes()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleMixture(Mixture):
    """Over draws of the linear predictors.

    Attributes
    ----------
    draws : ndarray (n, m)
        Equally probable.
    """

    draws: Vector

    def nodes(self, centre: Vector, width: Vector, rows: NDArray[np.intp]) -> tuple[Vector, Vector]:
        """The draws, whatever is averaged."""
        eta = self.draws[rows]
        return eta, np.full_like(eta, 1.0 / eta.shape[1])

    def few_nodes(self, rows: NDArray[np.intp]) -> tuple[Vector, Vector]:
        """The first of the draws."""
        eta = self.draws[rows, :_FEW]
        return eta, np.full_like(eta, 1.0 / eta.shape[1])


def _scale(family: Family[Any]) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """What takes responses to the whole line, and back."""
    if family.mean_domain == POSITIVE:
        return np.log, np.exp
    return (logit, expit) if family.mean_domain == UNIT else (np.asarray, np.asarray)


def _first_count(
    enough: Callable[[Vector, NDArray[np.intp]], NDArray[np.bool_]], count: Vector, most: Vector
) -> Vector:
    """The first whole number that is enough, (n,): by steps that double from one near it, then by halves."""
    every = np.arange(len(count))
    reached = enough(count, every) | (count >= most)
    low, high = np.where(reached, -1.0, count), np.where(reached, count, most)
    step, rows = np.ones(len(count)), every
    while len(rows):
        up = ~reached[rows]
        new = np.clip(np.where(up, low[rows] + step[rows], high[rows] - step[rows]), -1.0, most[rows])
        found = (new >= 0.0) & (enough(np.maximum(new, 0.0), rows) | (new >= most[rows]))
        high[rows], low[rows] = np.where(found, new, high[rows]), np.where(found, low[rows], new)
        step[rows] *= 2.0
        rows = rows[(found != up) & (high[rows] - low[rows] > 1.0)]
    while len(rows := np.flatnonzero(high - low > 1.0)):
        middle = np.floor(0.5 * (low[rows] + high[rows]))
        found = enough(middle, rows)
        high[rows], low[rows] = np.where(found, middle, high[rows]), np.where(found, low[rows], middle)
    return high


def _increasing_root(
    function: Callable[[Vector, NDArray[np.intp]], Vector], x: Vector, first_step: float, tolerance: float
) -> Vector:
    """Where increasing functions are 0, (n,): bracketed from x, then false position with halved ends (Illinois)."""
    rows = np.arange(len(x))
    step = first_step * np.maximum(1.0, np.abs(x))
    low, high = x.copy(), x.copy()
    f_low = function(x, rows)
    f_high = f_low.copy()
    for _ in range(_STEPS):
        up, down = np.flatnonzero(f_high < 0.0), np.flatnonzero(f_low > 0.0)
        if not len(up) + len(down):
            break
        low[up], f_low[up] = high[up], f_high[up]
        high[down], f_high[down] = low[down], f_low[down]
        high[up] += step[up]
        low[down] -= step[down]
        moved = np.r_[up, down]
        value = function(np.r_[high[up], low[down]], rows[moved])
        f_high[up], f_low[down] = value[: len(up)], value[len(up) :]
        step *= 2.0
    side = np.zeros(len(x))
    root = np.where(f_low == 0.0, low, high)
    active = np.flatnonzero((f_low != 0.0) & (f_high != 0.0))
    for count in range(1, _STEPS):
        if not len(active):
            break
        a, b, fa, fb = low[active], high[active], f_low[active], f_high[active]
        new = np.clip(b - fb * (b - a) / (fb - fa), a, b) if count % _HALVE else 0.5 * (a + b)
        value = function(new, rows[active])
        left = value < 0.0
        halve_b, halve_a = left & (side[active] < 0.0), ~left & (side[active] > 0.0)
        f_high[active] = np.where(left, np.where(halve_b, 0.5 * fb, fb), value)
        f_low[active] = np.where(left, value, np.where(halve_a, 0.5 * fa, fa))
        low[active], high[active] = np.where(left, new, a), np.where(left, b, new)
        side[active] = np.where(left, -1.0, 1.0)
        moved = np.abs(new - root[active])
        root[active] = new
        close = tolerance * np.maximum(1.0, np.abs(new))
        wide = high[active] - low[active] > close
        active = active[(moved > close) & wide & (value != 0.0)]
    return root
