"""Hausman's test of the within-group estimates against those of the random-intercept model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from mixedeffects.design.rank import estimable
from mixedeffects.diagnostics.level_qr import level_qr
from mixedeffects.errors import DataError
from mixedeffects.inference.distributions import chi2_upper
from mixedeffects.inference.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.fit import LmmFit
    from mixedeffects.frame import Factor

Sigma = Literal["separate", "random", "within"]
_VARIES = 1e-10  # of its length is what a column must vary within the levels: rounding is far below, a date far above
_POSITIVE = 1e-8  # of the largest eigenvalue of the scaled difference


class Within(NamedTuple):
    """Regression within the levels of a factor: levels have intercepts of their own.

    Attributes
    ----------
    columns : ndarray of intp (q,)
        Positions in X of the columns with a within-group coefficient.
    coef : ndarray (q,)
        The coefficients.
    unscaled : ndarray (q, q)
        Their covariance in units of sigma^2.
    sigma : float
        Residual standard deviation.
    df_resid : int
        Rows less levels less columns.
    """

    columns: NDArray[np.intp]
    coef: NDArray[np.float64]
    unscaled: NDArray[np.float64]
    sigma: float
    df_resid: int


def varies_within(design: Design, factor: Factor) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which columns of X vary within the levels, (p,), and W^(1/2) times their deviations from the means, (n, p)."""
    qr = level_qr([np.ones(design.nobs)], factor.codes, factor.n_levels, design.weights)
    rest = np.empty_like(design.X)
    for j, column in enumerate(design.X.T):
        rest[:, j] = qr.split(column)[1]
    lengths = np.sqrt([np.sum(qr.weighted(column) ** 2) for column in design.X.T])
    return np.linalg.norm(rest, axis=0) > _VARIES * lengths, rest


def within_regression(design: Design, factor: Factor) -> Within:
    """Fixed-effects regression: (weighted) least squares with an intercept for every level.

    Raises
    ------
    DataError
        If no column varies within the levels, or no degrees of freedom are left.
    """
    varies, rest = varies_within(design, factor)
    if not varies.any():
        raise DataError(f"no column of the fixed part varies within the levels of {factor.name!r}: nothing to compare")
    found = np.flatnonzero(varies)
    columns = found[estimable(rest[:, found])]
    qr = level_qr([np.ones(design.nobs)], factor.codes, factor.n_levels, design.weights)
    y = qr.split(design.y if design.offset is None else design.y - design.offset)[1]
    Q, R = np.linalg.qr(rest[:, columns])
    projected = Q.T @ y
    df = design.nobs - factor.n_levels - len(columns)
    if df <= 0:
        raise DataError(
            f"{design.nobs} rows in {factor.n_levels} levels of {factor.name!r} leave no degrees of freedom for a "
            "regression within the levels"
        )
    inverse = np.linalg.inv(R)
    left = y - Q @ projected
    return Within(
        columns=columns,
        coef=np.asarray(inverse @ projected, dtype=np.float64),
        unscaled=np.asarray(inverse @ inverse.T, dtype=np.float64),
        sigma=float(np.sqrt(left @ left / df)),
        df_resid=df,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hausman:
    """Within-group estimates against those of the random-intercept model.

    Attributes
    ----------
    group : str
        The grouping factor.
    names : tuple of str (q,)
        The coefficients compared.
    fixed, random : ndarray (q,)
        Within-group estimates, and those of the mixed model.
    vcov_fixed, vcov_random : ndarray (q, q)
        Their covariances.
    n_testable : int
        Directions in which the two can differ: the rank of the level means of the columns compared, beside the columns
        of the model that are constant within levels. Where it is 0 they agree by design.
    statistic, df, p_value : float
        d'(V_fixed - V_random)^- d over those directions, against chi-square; NaN where there is none, or the difference
        of the covariances is positive in none.
    positive_definite : bool
        Whether that difference is positive definite.
    notes : tuple of str
        What a reader has to know.
    kind : str
        The library of the data.
    """

    group: str
    names: tuple[str, ...]
    fixed: NDArray[np.float64]
    random: NDArray[np.float64]
    vcov_fixed: NDArray[np.float64]
    vcov_random: NDArray[np.float64]
    statistic: float
    df: float
    p_value: float
    n_testable: int
    positive_definite: bool
    notes: tuple[str, ...]
    kind: str

    def table(self) -> Table:
        """Return a row per coefficient: term, fixed, random, difference and its std_error (NaN if not positive)."""
        variance = np.diag(self.vcov_fixed - self.vcov_random) if self.n_testable else np.full(len(self.names), np.nan)
        columns: dict[str, Any] = {
            "term": list(self.names),
            "fixed": self.fixed,
            "random": self.random,
            "difference": self.fixed - self.random,
            "std_error": np.sqrt(np.where(variance > 0.0, variance, np.nan)),
        }
        return Table(columns=columns, text=("term",), notes=self.notes, kind=self.kind)


def hausman_test(fit: LmmFit, sigma: str = "separate") -> Hausman:
    """Compare the within-group coefficients with those of a random-intercept fit; see `mixedeffects.hausman_test`.

    Parameters
    ----------
    fit : LmmFit
        With one random intercept, ``(1 | g)``, and nothing else random.
    sigma : {"separate", "random", "within"}
        Residual variance of the covariances: each model's own, that of the mixed model in both, or that of the
        within-group regression in both.

    Returns
    -------
    Hausman

    Raises
    ------
    DataError
        For other random effects, another `sigma`, or nothing that varies within the groups.
    """
    if sigma not in get_args(Sigma):
        raise DataError(f"sigma={sigma!r} is not known; choose one of {', '.join(map(repr, get_args(Sigma)))}")
    terms = fit.model.terms
    if len(terms) != 1 or terms[0].names != ("Intercept",):
        given = " + ".join(str(term.source) for term in terms)
        raise DataError(
            f"Hausman's test compares a random intercept, (1 | g), with an intercept for every level; the model has "
            f"{given}. within_between, of the same columns, tests the same hypothesis for any random part"
        )
    factor = terms[0].factor
    within = within_regression(fit.model, factor)
    own = fit.solution.sigma**2
    fixed_variance = own if sigma == "random" else within.sigma**2
    random_scale = within.sigma**2 / own if sigma == "within" else 1.0
    V_fixed = fixed_variance * within.unscaled
    V_own = fit.solution.vcov[np.ix_(within.columns, within.columns)]
    V_random = random_scale * V_own
    random = fit.solution.beta[within.columns]
    means = level_means(fit.model, factor, within.columns)
    directions = _directions(fixed_variance * within.unscaled, own * within.unscaled - V_own, means.rank)
    statistic, df, n_negative = _quadratic(within.coef - random, V_fixed - V_random, directions)
    q, names = len(within.columns), tuple(fit.model.kept_names[j] for j in within.columns)
    return Hausman(
        group=factor.name,
        names=names,
        fixed=within.coef,
        random=random,
        vcov_fixed=V_fixed,
        vcov_random=V_random,
        statistic=statistic if df else float("nan"),
        df=df,
        p_value=chi2_upper(statistic, df) if df else float("nan"),
        n_testable=means.rank,
        positive_definite=df == q,
        notes=_notes(fit, factor, names, means, int(df), n_negative),
        kind=fit.model.data_kind,
    )


class LevelMeans(NamedTuple):
    """What the means of some columns over the levels of a factor tell beside the other columns.

    Attributes
    ----------
    equal : ndarray of bool (q,)
        The (weighted) mean is the same in all levels.
    determined : ndarray of bool (q,)
        The columns of X that are constant within levels determine it; an equal mean if there is an intercept.
    rank : int
        Rank of the means beside those columns.
    """

    equal: NDArray[np.bool_]
    determined: NDArray[np.bool_]
    rank: int


def level_means(design: Design, factor: Factor, columns: NDArray[np.intp], *, weighted: bool = True) -> LevelMeans:
    """Compare the means of columns over the levels with the columns that are constant within levels.

    Parameters
    ----------
    design : Design
        The model.
    factor : Factor
        Its grouping factor.
    columns : ndarray of intp (q,)
        Positions in X of columns that vary within the levels.
    weighted : bool
        Take the prior weights into the means.
    """
    w = np.ones(design.nobs) if design.weights is None or not weighted else design.weights
    total = np.bincount(factor.codes, w, factor.n_levels)
    X = np.column_stack([design.X[:, columns], design.X[:, ~varies_within(design, factor)[0]]])
    means = np.column_stack([np.bincount(factor.codes, w * x, factor.n_levels) / total for x in X.T])
    root = np.sqrt(total)[:, None]
    lengths = np.sqrt(w @ design.X[:, columns] ** 2)
    own, others = means[:, : len(columns)], root * means[:, len(columns) :]
    unequal = np.linalg.norm(root * (own - total @ own / total.sum()), axis=0) / lengths
    others = others[:, estimable(others)]
    basis = np.linalg.qr(others)[0]
    rest = root * own
    for _ in range(2):  # twice is enough against cancellation
        rest = rest - basis @ (basis.T @ rest)
    rest = rest / lengths
    size = np.linalg.norm(rest, axis=0)
    rank = int((np.linalg.svd(rest, compute_uv=False) > _VARIES).sum())
    return LevelMeans(unequal <= _VARIES, size <= _VARIES, rank)


def _directions(V_fixed: NDArray[np.float64], difference: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """The directions in which the two estimates can differ, (q, rank); along each of them V_fixed is about 1.

    The difference of the two covariances of one residual variance is positive in these and 0 in all others. That of two
    residual variances is not 0 in the others, where there is nothing to compare.
    """
    scale = 1.0 / np.sqrt(np.diag(V_fixed))
    vectors = np.linalg.eigh(difference * np.outer(scale, scale))[1]
    return np.asarray(scale[:, None] * vectors[:, len(scale) - rank :], dtype=np.float64)


def _quadratic(
    d: NDArray[np.float64], V: NDArray[np.float64], directions: NDArray[np.float64]
) -> tuple[float, float, int]:
    """d'V^- d over those of the directions where V is positive, their number, that of negative ones."""
    values, vectors = np.linalg.eigh(directions.T @ V @ directions)
    positive = values > _POSITIVE
    along = (directions @ vectors[:, positive]).T @ d
    return float(np.sum(along**2 / values[positive])), float(positive.sum()), int((values < -_POSITIVE).sum())


def _notes(
    fit: LmmFit, factor: Factor, names: tuple[str, ...], means: LevelMeans, df: int, n_negative: int
) -> tuple[str, ...]:
    agree = [name for name, same in zip(names, means.determined, strict=True) if same]
    which = ", ".join(agree)
    why = f"The {'weighted ' if fit.model.weights is not None else ''}means of {which} are "
    why += f"equal in all levels of {factor.name}"
    if not means.equal[means.determined].all():
        why = f"{why} or determined by other columns of the model"
    if not means.rank:
        return (f"{why}: random and fixed effects agree by design, there is nothing to test.",)
    options = "" if fit.model.weights is None else ", means='weighted'"
    call = f"within_between(fit, covariates={list(names)!r}{options})"
    notes = [f"{factor.n_levels} groups. The same hypothesis for any random part: {call}."]
    if means.rank < len(names):
        why = why if agree else "The level means are linearly dependent"
        left = f"{means.rank} of {len(names)} directions"
        notes.append(f"{why}: that leaves {left} in which random and fixed effects can differ.")
    if df < means.rank:
        notes.append(_not_positive(means.rank, df, n_negative))
    return tuple(notes)


def _not_positive(rank: int, df: int, n_negative: int) -> str:
    what = f"{f'negative in {n_negative}' if n_negative else f'zero in {rank - df}'} of {rank} directions"
    rest = "is computed over the others, by a generalized inverse" if df else "does not exist"
    return (
        f"The difference of the covariances is not positive definite ({what}): the statistic {rest}, and its "
        "distribution is not known to be chi-square. sigma='random' uses one residual variance in both; the test of "
        "within_between does not need the difference."
    )
