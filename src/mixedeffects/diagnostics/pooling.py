"""No pooling, complete pooling and partial pooling of the levels of a grouping factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mixedeffects.diagnostics.grouping import GroupEffects, chosen_group, group_effects, labels_of
from mixedeffects.diagnostics.level_model import LevelModel, level_model
from mixedeffects.diagnostics.level_qr import level_qr
from mixedeffects.diagnostics.shrinkage import own_deviations, pooling_factors, reliability, shrinkage_matrices
from mixedeffects.inference.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

HEADS = ("no_pooling", "complete_pooling", "partial_pooling")


class Estimates(NamedTuple):
    """Coefficients of every level and their standard errors, each (J, m)."""

    value: NDArray[np.float64]
    std_error: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pooling:
    """Coefficients of every level of a factor, J levels by m coefficients, from three models.

    Attributes
    ----------
    effects : GroupEffects
        The fit, the factor and its k random-effects columns.
    terms : tuple of str (m,)
        The k columns that vary over the levels, then the common ones.
    n : ndarray of int (J,)
        Rows of each level.
    no_pooling, complete_pooling, partial_pooling : Estimates
        Separate coefficients in every level; none; those of the mixed model.
    own : ndarray (J, k)
        The level's own coefficients by least squares, given the mixed model's common ones and the other factors'
        effects.
    center : ndarray (J, k)
        What the mixed model pulls them to: the fixed part of the coefficients. partial = center + Lambda_j (own -
        center).
    matrices : ndarray (J, k, k)
        Lambda_j.
    factors : ndarray (k,)
        Gelman and Pardoe's pooling factors.
    reliability : ndarray (J,) or None
        Of the levels' random intercepts, 1 - var(b_j | y) / sigma_g^2; None where the factor has other effects.
    sigma : tuple of float (3,)
        Residual standard deviations of the three models.
    df_resid : tuple of int (2,)
        Residual degrees of freedom of no and of complete pooling.
    notes : tuple of str
        What a reader has to know.
    """

    effects: GroupEffects
    terms: tuple[str, ...]
    n: NDArray[np.int64]
    no_pooling: Estimates
    complete_pooling: Estimates
    partial_pooling: Estimates
    own: NDArray[np.float64]
    center: NDArray[np.float64]
    matrices: NDArray[np.float64]
    factors: NDArray[np.float64]
    reliability: NDArray[np.float64] | None
    sigma: tuple[float, float, float]
    df_resid: tuple[int, int]
    notes: tuple[str, ...]

    @property
    def weights(self) -> NDArray[np.float64]:
        """Diagonals of the Lambda_j, (J, k): the weight of a level's own coefficient in its estimate."""
        return np.asarray(np.diagonal(self.matrices, axis1=1, axis2=2))

    @property
    def mean_weight(self) -> NDArray[np.float64]:
        """tr(Lambda_j) / k, (J,): 0 is complete pooling, 1 none; it does not depend on how the columns are coded."""
        return np.asarray(self.weights.mean(axis=1))

    def table(self) -> Table:
        """Return a row per level and coefficient.

        Returns
        -------
        Table
            group, level, term, no_pooling, complete_pooling, partial_pooling, their standard errors (suffix ``_se``),
            shrinkage (the weight of the level's own estimate; NaN for common coefficients), reliability (of a random
            intercept by itself; NaN for common coefficients), n.
        """
        J, m = self.partial_pooling.value.shape
        shrinkage = np.full((J, m), np.nan)
        shrinkage[:, : len(self.effects.names)] = self.weights
        three = (self.no_pooling, self.complete_pooling, self.partial_pooling)
        columns: dict[str, Any] = {
            **labels_of(self.effects.factor, self.terms),
            **{head: part.value.ravel() for head, part in zip(HEADS, three, strict=True)},
            "shrinkage": shrinkage.ravel(),
            **({} if self.reliability is None else {"reliability": _of_intercepts(self.reliability, m)}),
            "n": np.repeat(self.n, m),
            **{f"{head}_se": part.std_error.ravel() for head, part in zip(HEADS, three, strict=True)},
        }
        kind = self.effects.fit.model.data_kind
        return Table(columns=columns, text=("group", "level", "term"), notes=self.notes, kind=kind)


def _of_intercepts(values: NDArray[np.float64], m: int) -> NDArray[np.float64]:
    """Values of the levels in rows of m coefficients, of which the first is the intercept."""
    out = np.full((len(values), m), np.nan)
    out[:, 0] = values
    return out.ravel()


def compare_pooling(fit: LmmFit, group: str | None = None) -> Pooling:
    """Compare the three ways to estimate the coefficients of the levels; see `mixedeffects.compare_pooling`.

    Parameters
    ----------
    fit : LmmFit
        Any fit.
    group : str, optional
        The grouping factor; the only one by default.

    Returns
    -------
    Pooling

    Raises
    ------
    DataError
        If the fit has several factors and none was named, or has no such factor.
    """
    effects = group_effects(fit, chosen_group(fit, group, "to compare"))
    model, factor = fit.model, effects.factor
    qr = level_qr(effects.columns, factor.codes, factor.n_levels, model.weights)
    common = np.array([name not in effects.names for name in model.kept_names], dtype=bool)
    y = model.y if model.offset is None else model.y - model.offset
    separate = level_model(y, model.X[:, common], qr)
    map_own, map_common = _maps(effects, common, separate)
    b0, half, sigma0, df0 = _complete(fit)
    complete = Estimates(
        _joined(map_own @ b0, map_common @ b0),
        _joined(_lengths(map_own @ half), _lengths(map_common @ half)) * sigma0,
    )
    beta = fit.solution.beta
    center = map_own @ beta
    errors = effects.functionals(map_own).variance.reshape(center.shape)
    shared = np.einsum("rp,pq,rq->r", map_common, fit.solution.vcov, map_common)
    names = [name for name, is_common in zip(model.kept_names, common, strict=True) if is_common]
    return Pooling(
        effects=effects,
        terms=(*effects.names, *(name for name, kept in zip(names, separate.kept, strict=True) if kept)),
        n=qr.n,
        no_pooling=Estimates(
            _joined(separate.own, separate.common), _joined(separate.own_error, separate.common_error)
        ),
        complete_pooling=complete,
        partial_pooling=Estimates(
            _joined(center + effects.modes, map_common @ beta),
            _joined(fit.solution.sigma * np.sqrt(errors), np.sqrt(shared)),
        ),
        own=center + own_deviations(effects, qr),
        center=center,
        matrices=shrinkage_matrices(effects, qr),
        factors=pooling_factors(effects),
        reliability=reliability(effects),
        sigma=(separate.sigma, sigma0, fit.solution.sigma),
        df_resid=(separate.df_resid, df0),
        notes=_notes(effects, names, separate),
    )


def _maps(
    effects: GroupEffects, common: NDArray[np.bool_], separate: LevelModel
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What takes beta to the fixed part of the levels' coefficients, (J, k, p), and to the common ones, (r, p)."""
    fixed = effects.fit.model.kept_names
    J, k = separate.own.shape
    same = np.array([[float(name == other) for other in fixed] for name in effects.names]).reshape(k, len(fixed))
    if separate.kept.all():
        own = np.broadcast_to(same, (J, *same.shape))
    else:
        own = np.tile(same, (J, 1, 1))
        own[:, :, common] = separate.own_share
    shared = np.zeros((len(separate.common), len(fixed)))
    shared[:, common] = separate.common_share
    return own, shared


def _complete(fit: LmmFit) -> tuple[NDArray[np.float64], NDArray[np.float64], float, int]:
    """Ordinary least squares of the fixed part: coefficients, a root of (X'WX)^-1, sigma and degrees of freedom."""
    model, basis = fit.model, fit.objective.basis
    rest = model.y - model.X @ basis.b0
    if model.offset is not None:
        rest -= model.offset
    rss = float(rest @ rest if model.weights is None else model.weights @ rest**2)
    df = model.nobs - len(basis.b0)
    return basis.b0, np.asarray(np.linalg.inv(basis.R), dtype=np.float64), float(np.sqrt(rss / df)), df


def _lengths(half: NDArray[np.float64]) -> NDArray[np.float64]:
    """Roots of the diagonal of half half'."""
    return np.asarray(np.sqrt((half**2).sum(axis=-1)))


def _joined(own: NDArray[np.float64], common: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients of the levels, (J, k), beside common ones, (r,)."""
    return np.hstack([own, np.broadcast_to(common, (len(own), len(common)))])


def _notes(effects: GroupEffects, common: list[str], separate: LevelModel) -> tuple[str, ...]:
    fit, factor = effects.fit, effects.factor
    notes = []
    folded = [name for name, kept in zip(common, separate.kept, strict=True) if not kept]
    if folded:
        notes.append(
            f"Within the levels of {factor.name}, {', '.join(folded)} cannot be told from the level's own columns, and "
            "is counted into their coefficients in all three models."
        )
    lacking = int(np.isnan(separate.own).any(axis=1).sum())
    if lacking:
        notes.append(
            f"{lacking} of {factor.n_levels} levels do not determine all their coefficients by themselves: without "
            "pooling those are NaN."
        )
    absent = [name for name in effects.names if name not in fit.model.kept_names]
    if absent:
        notes.append(
            f"{', '.join(absent)} {'has' if len(absent) == 1 else 'have'} no fixed effect of the same name: beside "
            "what other fixed effects add up to, the levels are pulled to 0."
        )
    others = [name for name in fit.model.factors if name != factor.name]
    if others:
        uncertain = "; reliability counts their uncertainty" if effects.names == ("Intercept",) else ""
        notes.append(f"Only partial pooling takes account of {', '.join(others)}.")
        notes.append(f"The weights (shrinkage) take the effects of {', '.join(others)} as known{uncertain}.")
    if separate.df_resid <= 0:
        notes.append("No pooling leaves no residual degrees of freedom: it has no standard errors.")
    zero = [name for name, s in zip(effects.names, np.diag(effects.relative), strict=True) if s == 0.0]
    if zero:
        notes.append(f"The variance of {', '.join(zero)} is estimated as 0: complete pooling, the weight is 0.")
    return tuple(notes)
