"""The terms of the fixed part: which variables they hold, which contain which, and which hypotheses can be tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.design import replay

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design

_ESTIMABLE = 1e-8  # of the largest entry of a row


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FixedTerm:
    """One term of the fixed part.

    Attributes
    ----------
    label : str
        As `Design.assign` has it.
    columns : ndarray of intp
        The estimated coefficients of the term, as positions in `Design.kept_names`; empty if all are aliased.
    categorical, numeric : tuple of str
        Its variables, which are expressions such as ``C(nitro)`` or ``poly(x, 2)``, in formulaic's spelling.
    """

    label: str
    columns: NDArray[np.intp]
    categorical: tuple[str, ...]
    numeric: tuple[str, ...]

    @property
    def variables(self) -> frozenset[str]:
        """All its variables."""
        return frozenset((*self.categorical, *self.numeric))

    def extends(self, other: FixedTerm) -> bool:
        """Whether this term holds all variables of the other, and more."""
        return self.variables > other.variables

    def contains(self, other: FixedTerm) -> bool:
        """Whether the other is marginal to this term: all its variables and further ones, which are categorical."""
        return self.extends(other) and self.variables - other.variables <= set(self.categorical)


def fixed_terms(design: Design) -> tuple[FixedTerm, ...]:
    """Return the terms of the fixed part in their order, the intercept (without variables) among them.

    Parameters
    ----------
    design : Design
        The design of a fit.
    """
    place = np.cumsum(design.kept) - 1
    return tuple(
        FixedTerm(
            label=label,
            columns=place[columns][design.kept[columns]],
            categorical=tuple(name for name, kind in variables if kind == "categorical"),
            numeric=tuple(name for name, kind in variables if kind != "categorical"),
        )
        for (label, columns), variables in zip(design.assign, _variables(design), strict=True)
    )


def _variables(design: Design) -> list[list[tuple[str, str]]]:
    """For each term its variables with their kinds."""
    spec = design.encoding.spec
    if spec is None:  # a constant and plain numeric columns
        return [[] if name == "Intercept" else [(name, "numerical")] for name in design.names]
    kinds = {name: kind.value for name, (kind, _) in spec.encoder_state.items()}
    return [
        [(factor.expr, kinds[factor.expr]) for factor in term.factors if factor.expr in kinds]
        for term, _, _ in spec.structure
    ]


def tested_terms(design: Design) -> tuple[FixedTerm, ...]:
    """Return the terms that a table of tests shows: all but the intercept."""
    return tuple(term for term in fixed_terms(design) if term.variables)


def has_intercept(design: Design) -> bool:
    """Whether the fixed part has a constant."""
    return any(not term.variables for term in fixed_terms(design))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimability:
    """What the data say about contrasts of all coefficients, aliased ones included.

    Attributes
    ----------
    kept : ndarray of bool (p_full,)
        The coefficients that were estimated.
    alias : ndarray (p, p_full - p)
        The aliased columns of X as combinations of the kept ones: X_aliased = X_kept alias.
    """

    kept: NDArray[np.bool_]
    alias: NDArray[np.float64]

    def reduce(self, L: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Write contrasts of all coefficients as contrasts of the estimated ones.

        Parameters
        ----------
        L : ndarray (q, p_full)
            One contrast a row.

        Returns
        -------
        reduced : ndarray (q, p)
            Over the estimated coefficients.
        estimable : ndarray of bool (q,)
            Whether the row is a combination of rows of X, so that its value does not depend on which columns
            were dropped.
        """
        reduced = L[:, self.kept]
        gap = np.abs(L[:, ~self.kept] - reduced @ self.alias).max(axis=1, initial=0.0)
        return reduced, gap <= _ESTIMABLE * np.abs(L).max(axis=1, initial=0.0)


def estimability(design: Design) -> Estimability:
    """Find how the aliased columns depend on the kept ones."""
    if design.kept.all():
        return Estimability(kept=design.kept, alias=np.empty((len(design.kept), 0)))
    X = replay(design.encoding, design.columns, design.nobs)
    scale = np.linalg.norm(design.X, axis=0)
    alias = np.linalg.lstsq(design.X / scale, X[:, ~design.kept], rcond=None)[0] / scale[:, None]
    # Zeros and ones come out with rounding errors, which large values in a contrast would multiply.
    rounded = np.round(alias)
    return Estimability(kept=design.kept, alias=np.where(np.abs(alias - rounded) < 1e-10, rounded, alias))
