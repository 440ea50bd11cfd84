"""Responses drawn from a fitted model: new random effects, new errors, or both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.fit.effects import linear_predictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.families import Family
    from mixedeffects.fit.record import LmmFit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnTerm:
    """A random-effects term whose effects are drawn.

    Attributes
    ----------
    codes : ndarray of int (n,)
        The level of each row; -1 for a row without an effect.
    columns : sequence of ndarray, k times (n,)
        The columns of the term.
    n_levels : int
        Number of levels J.
    factor : ndarray (k, k)
        The relative covariance factor Lambda: the effects are N(0, sigma^2 Lambda Lambda').
    """

    codes: NDArray[np.int32]
    columns: Sequence[NDArray[np.float64]]
    n_levels: int
    factor: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """Drawn responses and the effects behind them.

    Attributes
    ----------
    y : ndarray (m, n)
        One response in a row.
    effects : tuple of ndarray (m, J, k)
        The random effects of each term.
    """

    y: NDArray[np.float64]
    effects: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResponseModel:
    """What responses are drawn from: a mean, random effects and independent errors.

    Attributes
    ----------
    mean : ndarray (n,)
        What is not random, in units of y.
    terms : tuple of DrawnTerm
        The random effects that are drawn.
    sigma : float
        Residual standard deviation for weight 1.
    weights : ndarray (n,) or None
        Prior weights.
    """

    mean: NDArray[np.float64]
    terms: tuple[DrawnTerm, ...]
    sigma: float
    weights: NDArray[np.float64] | None

    @property
    def size(self) -> int:
        """Random numbers for one response: the effects and the errors."""
        return len(self.mean) + sum(term.n_levels * len(term.factor) for term in self.terms)

    def draw(self, generator: np.random.Generator, m: int) -> Draws:
        """Draw m responses: y = mean + Z b + e, b = sigma Lambda u, var(e) = sigma^2 W^-1.

        Parameters
        ----------
        generator : Generator
            Each response takes `size` consecutive normal numbers, the terms in order and then the errors, so that m
            responses at once are the same as m single ones.
        m : int
            Number of responses.

        Returns
        -------
        Draws
        """
        normal = generator.standard_normal((m, self.size))
        y = np.broadcast_to(self.mean, (m, len(self.mean))).copy()
        effects = []
        at = 0
        for term in self.terms:
            k = len(term.factor)
            u = normal[:, at : at + term.n_levels * k].reshape(-1, k)
            at += term.n_levels * k
            b = (self.sigma * u @ term.factor.T).reshape(m, term.n_levels, k)
            effects.append(b)
            add_effects(y, term.codes, term.columns, b)
        errors = self.sigma * normal[:, at:]
        y += errors if self.weights is None else errors / np.sqrt(self.weights)
        return Draws(y=y, effects=tuple(effects))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FamilyModel:
    """What responses of a generalized model are drawn from: a linear predictor, random effects and a family.

    Attributes
    ----------
    mean : ndarray (n,)
        What is not random of the linear predictor.
    terms : tuple of DrawnTerm
        The random effects that are drawn, N(0, Lambda Lambda').
    family : Family
        Response distribution and link.
    weights : ndarray (n,) or None
        Numbers of trials, or prior weights; None for 1.
    log_dispersion : float
        t = log(phi).
    """

    mean: NDArray[np.float64]
    terms: tuple[DrawnTerm, ...]
    family: Family[Any]
    weights: NDArray[np.float64] | None
    log_dispersion: float

    @property
    def size(self) -> int:
        """Random numbers for one response, as of `ResponseModel`."""
        return len(self.mean) + sum(term.n_levels * len(term.factor) for term in self.terms)

    def draw(self, generator: np.random.Generator, m: int) -> Draws:
        """Draw m responses, one after the other: the effects of the terms in order, and then y given them.

        A response is NaN in all rows where drawn effects lead out of the means that the family has.

        Parameters
        ----------
        generator : Generator
            Source of the draws.
        m : int
            Number of responses.
        """
        n, weights = len(self.mean), 1.0 if self.weights is None else self.weights
        y = np.full((m, n), np.nan)
        effects = [np.empty((m, term.n_levels, len(term.factor))) for term in self.terms]
        for j in range(m):
            eta = self.mean.copy()
            for term, b in zip(self.terms, effects, strict=True):
                b[j] = generator.standard_normal((term.n_levels, len(term.factor))) @ term.factor.T
                add_effects(eta[None, :], term.codes, term.columns, b[j : j + 1])
            if self.family.valid(eta).all():
                y[j] = self.family.simulate(self.family.link.inverse(eta), weights, self.log_dispersion, generator)
        return Draws(y=y, effects=tuple(effects))

    def refuse_impossible(self, draws: Draws) -> None:
        """Raise DataError if drawn effects led out of the means that the family has.

        Parameters
        ----------
        draws : Draws
            What `draw` returned.
        """
        impossible = np.flatnonzero(np.isnan(draws.y).any(axis=1))
        if not len(impossible):
            return
        eta = self.mean[None, :].copy()
        for term, b in zip(self.terms, draws.effects, strict=True):
            add_effects(eta, term.codes, term.columns, b[impossible[:1]])
        row = int(np.argmin(self.family.valid(eta[0])))
        raise DataError(
            f"new random effects lead to the linear predictor {eta[0, row]:.4g} in row {row}, which the "
            f"link {self.family.link.name!r} does not take to a mean of {self.family.name}; fit with a "
            "link that allows all values, such as log"
        )


def add_effects(
    y: NDArray[np.float64],
    codes: NDArray[np.int32],
    columns: Sequence[NDArray[np.float64]],
    effects: NDArray[np.float64],
) -> None:
    """Add Z b to each row of y, (m, n), for effects (m, J, k); rows with the code -1 are left as they are."""
    absent = codes < 0
    some = bool(absent.any())
    for column, b in zip(columns, np.moveaxis(effects, -1, 0), strict=True):
        part = column * b[:, codes] if b.shape[1] else np.zeros_like(y)
        if some:
            part[:, absent] = 0.0
        y += part


@singledispatch
def drawn_from(
    fit: LmmFit, mean: NDArray[np.float64], terms: tuple[DrawnTerm, ...], weights: NDArray[np.float64] | None
) -> ResponseModel | FamilyModel:
    """What responses of a kind of model are drawn from, at the estimates of its variances.

    Parameters
    ----------
    fit : LmmFit
        Gives residual variance or family; that of a generalized fit is registered in its own file.
    mean : ndarray (n,)
        What is not random of the response, or of the linear predictor.
    terms : tuple of DrawnTerm
        The random effects that are drawn.
    weights : ndarray (n,) or None
        Prior weights or numbers of trials.
    """
    return ResponseModel(mean=mean, terms=terms, sigma=fit.solution.sigma, weights=weights)


def response_model(fit: LmmFit) -> ResponseModel | FamilyModel:
    """The model of a fit at its estimates, over the rows used, with all random effects drawn."""
    factors = fit.objective.layout.factors(fit.solution.theta)
    terms = tuple(
        DrawnTerm(codes=term.factor.codes, columns=term.columns, n_levels=term.factor.n_levels, factor=L)
        for term, L in zip(fit.model.terms, factors, strict=True)
    )
    return drawn_from(fit, linear_predictor(fit, random=False), terms, fit.model.weights)
