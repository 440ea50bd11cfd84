"""The random part of rows: which effects are predicted, and the variance of those that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.fit.effects import covariances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit
    from mixedeffects.predict.kept import Kept
    from mixedeffects.predict.rows import Rows

    TermRow = tuple[NDArray[np.int32], tuple[NDArray[np.float64], ...]]


def used_groups(fit: LmmFit, kept: Kept) -> frozenset[str]:
    """The grouping factors of which at least one column is kept."""
    return frozenset(term.group for term, mask in zip(fit.model.terms, kept, strict=True) if mask.any())


def kept_terms(fit: LmmFit, rows: Rows, kept: Kept) -> list[TermRow]:
    """For each term the codes (n,) and the k columns of the rows, with zeros for a column that is left out.

    The codes are those of the fit, and -1 where a factor is left out or a level is unknown.
    """
    used = used_groups(fit, kept)
    absent, nothing = np.full(rows.n, -1, dtype=np.int32), np.broadcast_to(0.0, (rows.n,))
    out: list[TermRow] = []
    for term, columns, mask in zip(fit.model.terms, rows.columns, kept, strict=True):
        codes = rows.groups[term.group].codes if term.group in used else absent
        shown = columns if mask.any() else (nothing,) * len(mask)
        out.append((codes, tuple(column if keep else nothing for column, keep in zip(shown, mask, strict=True))))
    return out


def linear_predictor(fit: LmmFit, rows: Rows, kept: Kept) -> NDArray[np.float64]:
    """X beta + Z b + offset with the conditional modes of the kept effects, (n,); unknown levels add 0."""
    eta: NDArray[np.float64] = rows.X @ fit.solution.beta
    if rows.offset is not None:
        eta += rows.offset
    for (codes, columns), mask, b in zip(kept_terms(fit, rows, kept), kept, fit.solution.b, strict=True):
        for column, keep, effects in zip(columns, mask, b.T, strict=True):
            if keep:
                eta += column * np.append(effects, 0.0)[codes]
    return eta


def drawn_variance(fit: LmmFit, rows: Rows, kept: Kept, *, left_out: bool) -> NDArray[np.float64]:
    """Variance of the random effects that are not predicted, z' Sigma z, (n,), in squared units of y.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    rows : Rows
        The rows.
    kept : tuple of ndarray of bool
        The columns that are kept.
    left_out : bool
        Count the columns that are left out too, as for a new observation.

    Notes
    -----
    The effects of an unknown level are new ones: its columns enter together, with their covariances.
    """
    used = used_groups(fit, kept)
    total = np.zeros(rows.n)
    for term, columns, mask, Sigma in zip(fit.model.terms, rows.columns, kept, covariances(fit), strict=True):
        unknown = rows.groups[term.group].codes < 0 if term.group in used else np.zeros(rows.n, dtype=bool)
        if not columns or not (left_out or unknown.any()):
            continue
        Z = np.array(columns)
        if left_out:
            Z[np.ix_(mask, ~unknown)] = 0.0
        else:
            Z[~mask] = 0.0
            Z[:, ~unknown] = 0.0
        total += np.einsum("an,ab,bn->n", Z, Sigma, Z, optimize=True)
    return total
