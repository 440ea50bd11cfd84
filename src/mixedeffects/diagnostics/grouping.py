"""The effects of one grouping factor of a fit, all its terms together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.fit.effects import block_modes, block_names
from mixedeffects.fit.functionals import Functionals, row_functionals
from mixedeffects.formula import nested_hint, same_group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit
    from mixedeffects.frame import Factor


def chosen_group(fit: LmmFit, group: str | None, purpose: str) -> str:
    """Return the name of a grouping factor of the fit: the one asked for, or the only one.

    Raises
    ------
    DataError
        If the fit has no such factor, or several and none was named.
    """
    names = list(fit.model.factors)
    if group is None:
        if len(names) > 1:
            raise DataError(f"the model has the grouping factors {', '.join(names)}; name the one {purpose}, group=...")
        return names[0]
    found = same_group(group, names)
    if found is None:
        known = ", ".join(names) + nested_hint(group, names)
        raise DataError(f"group={group!r} is no grouping factor of the model; it has {known}")
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupEffects:
    """The random effects of a factor as one vector per level; columns of the same name in several terms are one.

    Attributes
    ----------
    fit : LmmFit
        The fit.
    block : int
        The block of the factor in the layout.
    names : tuple of str (k,)
        The columns.
    columns : tuple of ndarray, k times (n,)
        Their values.
    merge : ndarray (k, k')
        What takes the effects of the terms, side by side, to those of the columns: ones and zeros.
    relative : ndarray (k, k)
        Covariance S of the effects of a level, in units of sigma^2.
    modes : ndarray (J, k)
        Conditional modes.
    """

    fit: LmmFit
    block: int
    names: tuple[str, ...]
    columns: tuple[NDArray[np.float64], ...]
    merge: NDArray[np.float64]
    relative: NDArray[np.float64]
    modes: NDArray[np.float64]

    @property
    def factor(self) -> Factor:
        """The grouping factor."""
        return self.fit.model.terms[self.fit.objective.layout.terms_of[self.block][0]].factor

    def functionals(self, X: NDArray[np.float64]) -> Functionals:
        """Errors of x'beta + e_c'b_j for each level j and column c, level by level.

        Parameters
        ----------
        X : ndarray (J, k, p)
            The rows x.
        """
        fit, J, k = self.fit, self.factor.n_levels, len(self.names)
        layout = fit.objective.layout
        own = np.repeat(np.arange(J, dtype=np.int32), k)
        none = np.full(J * k, -1, dtype=np.int32)
        terms = []
        for t, block in enumerate(layout.block_of):
            if block == self.block:
                at = range(*layout.columns_of(t).indices(self.merge.shape[1]))
                terms.append((own, [np.tile(self.merge[:, c], J) for c in at]))
            else:
                terms.append((none, [np.zeros(J * k)] * layout.widths[t]))
        return row_functionals(fit, np.ascontiguousarray(X.reshape(J * k, X.shape[2])), terms)

    def conditional_variances(self) -> NDArray[np.float64]:
        """Covariance of the effects of each level given y and beta, (J, k, k), in units of sigma^2."""
        found = self.fit.objective.conditional_variances(self.fit.solution.theta)[self.block]
        return np.asarray(self.merge @ found @ self.merge.T)


def group_effects(fit: LmmFit, group: str, *, merged: bool = True) -> GroupEffects:
    """Collect the effects of a grouping factor.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    group : str
        One of its factors.
    merged : bool
        Make one of the columns that several terms have; without it all columns of all terms stand side by side.
    """
    layout = fit.objective.layout
    block = list(fit.model.factors).index(group)
    members = layout.terms_of[block]
    every = block_names(fit, block)
    given = [column for t in members for column in fit.model.terms[t].columns]
    first = [every.index(name) if merged else c for c, name in enumerate(every)]
    places = list(dict.fromkeys(first))
    merge = np.array([[float(place == other) for other in first] for place in places])
    factors = layout.factors(fit.solution.theta)
    side_by_side = np.zeros((len(every), len(every)))
    for t in members:
        side_by_side[layout.columns_of(t), layout.columns_of(t)] = factors[t] @ factors[t].T
    return GroupEffects(
        fit=fit,
        block=block,
        names=tuple(every[place] for place in places),
        columns=tuple(given[place] for place in places),
        merge=merge,
        relative=merge @ side_by_side @ merge.T,
        modes=block_modes(fit, block) @ merge.T,
    )


def labels_of(factor: Factor, names: Sequence[str]) -> dict[str, NDArray[np.object_]]:
    """Columns group, level and term of a table with a row per level and name."""
    J, m = factor.n_levels, len(names)
    return {
        "group": np.full(J * m, factor.name, dtype=object),
        "level": np.repeat(factor.labels, m),
        "term": np.tile(np.array(names, dtype=object), J),
    }
