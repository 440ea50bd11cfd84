"""Responses drawn from a fitted model: new random effects, new errors, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.fit.effects import linear_predictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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


def response_model(fit: LmmFit) -> ResponseModel:
    """The model of a fit at its estimates, over the rows used, with all random effects drawn."""
    factors = fit.objective.layout.factors(fit.solution.theta)
    return ResponseModel(
        mean=linear_predictor(fit, random=False),
        terms=tuple(
            DrawnTerm(codes=term.factor.codes, columns=term.columns, n_levels=term.factor.n_levels, factor=L)
            for term, L in zip(fit.model.terms, factors, strict=True)
        ),
        sigma=fit.solution.sigma,
        weights=fit.model.weights,
    )
