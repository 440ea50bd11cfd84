"""Exact tests that a variance is zero: the finite-sample null distribution by spectral simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

from mixedeffects.errors import DataError
from mixedeffects.fit.kinds import require_linear
from mixedeffects.formula import bare
from mixedeffects.inference.distributions import p_text
from mixedeffects.inference.monte_carlo import checked_draws, exceedance, settled
from mixedeffects.inference.reduction import loglik_of_terms, refitted, spans, term_label
from mixedeffects.inference.spectral import null_sample, spectrum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import SeedSequence
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExactTest:
    """A likelihood ratio test of one variance against its simulated null distribution.

    Attributes
    ----------
    statistic : float
        Twice the difference in (restricted) log-likelihood, not negative.
    p_value : float
        (1 + draws above the statistic) / (1 + number of draws).
    null_sample : ndarray (n,)
        Draws from the null distribution; 0 where the variance would be estimated as 0.
    term : str
        The random-effects term whose variance is tested.
    method : str
        "exact RLRT" or "exact LRT".
    notes : tuple of str
        What was done or assumed, one sentence each.
    """

    statistic: float
    p_value: float
    null_sample: NDArray[np.float64]
    term: str
    method: str
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        test = f"{self.method} of {self.term}: {self.statistic:.4g}, {p_text(self.p_value)}"
        return "\n".join([f"{test} ({len(self.null_sample)} draws from the null distribution)", *self.notes])


def exact_rlrt(
    fit: LmmFit,
    term: str | None = None,
    *,
    n: int = 10_000,
    rng: int | np.random.Generator | SeedSequence | None = None,
) -> ExactTest:
    """Test that the variance of one random-effects term is zero by the restricted likelihood ratio.

    Parameters
    ----------
    fit : LmmFit
        The model with the term; a fit by maximum likelihood is refitted by REML, and a note says so.
    term : str, optional
        Which term: its key in the table of variances (``"Subject"``, ``"Subject.1"``) or the term as text
        (``"(0 + Days | Subject)"``). Not needed where there is only one.
    n : int
        Number of draws from the null distribution.
    rng : None, int, Generator or SeedSequence
        Source of the draws.

    Returns
    -------
    ExactTest

    Raises
    ------
    DataError
        If the term is not named, not known, or has several columns (see `bootstrap_lrt`), or if theta was not
        estimated.

    Notes
    -----
    With one term of one column the distribution is exact in finite samples [1]_. With further independent terms it is
    that of the model without them, a good approximation [2]_; the statistic compares the models with and without the
    tested term. The p-value counts draws strictly above the statistic, so that a variance estimated as zero gets the
    probability of a positive statistic: any test at a smaller level is exact.

    References
    ----------
    .. [1] Crainiceanu & Ruppert (2004), Journal of the Royal Statistical Society B 66(1), 165-185,
       doi:10.1111/j.1467-9868.2004.00438.x.
    .. [2] Greven, Crainiceanu, Kuechenhoff & Peters (2008), Journal of Computational and Graphical Statistics 17(4),
       870-891, doi:10.1198/106186008X386599.

    Examples
    --------
    >>> import mixedeffects as me
    >>> fit = me.lmer("Yield ~ 1 + (1 | Batch)", me.datasets.load("Dyestuff"))
    >>> found = me.exact_rlrt(fit, n=2000, rng=1)
    >>> round(found.statistic, 3), found.p_value < 0.01
    (6.369, True)
    """
    n = checked_draws(n)
    t = _tested_term(fit, term)
    require_linear(fit, "the exact test of a variance (bootstrap_lrt tests those of generalized models)")
    full, notes = refitted(fit, reml=True), []
    if full is not fit:
        notes.append("the model was refitted by REML")
    others = tuple(block for s, block in enumerate(full.model.terms) if s != t)
    if others:
        notes.append(
            "the null distribution is that of the model without "
            + ", ".join(term_label(block) for block in others)
            + " (Greven et al. 2008)"
        )
    statistic = settled(2.0 * (full.loglik - loglik_of_terms(full, others)))
    diagonal, half = _projections(full, t)
    eigenvalues = spectrum(diagonal, half)
    degrees = full.objective.degrees
    sample = null_sample(
        eigenvalues,
        eigenvalues,
        degrees=degrees,
        multiplier=degrees,
        n_restrictions=0,
        n=n,
        rng=np.random.default_rng(rng),
    )
    return _result(statistic, sample, term_label(fit.model.terms[t]), "exact RLRT", notes)


def exact_lrt(
    fit: LmmFit,
    fit0: LmmFit | None = None,
    *,
    drop: Sequence[str] = (),
    n: int = 10_000,
    rng: int | np.random.Generator | SeedSequence | None = None,
) -> ExactTest:
    """Test that a variance, and possibly some fixed effects, are zero by the likelihood ratio.

    Parameters
    ----------
    fit : LmmFit
        A model with one random-effects term of one column; a REML fit is refitted by maximum likelihood, and a note
        says so.
    fit0 : LmmFit, optional
        A fit to the same data whose fixed part is that of the hypothesis; its random part is ignored.
    drop : sequence of str, optional
        Instead of `fit0`: fixed-effects coefficients of `fit` that are zero under the hypothesis.
    n : int
        Number of draws from the null distribution.
    rng : None, int, Generator or SeedSequence
        Source of the draws.

    Returns
    -------
    ExactTest

    Raises
    ------
    DataError
        If the model has several random-effects terms, or one of several columns (see `bootstrap_lrt`), if `fit0`
        holds other data or is not nested, if a name in `drop` is not known, or if theta was not estimated.

    Notes
    -----
    Theorem 1 of [1]_. Without restrictions of the fixed effects `exact_rlrt` has more power. The p-value counts draws
    strictly above the statistic.

    References
    ----------
    .. [1] Crainiceanu & Ruppert (2004), Journal of the Royal Statistical Society B 66(1), 165-185,
       doi:10.1111/j.1467-9868.2004.00438.x.

    Examples
    --------
    >>> import mixedeffects as me
    >>> fit = me.lmer("Yield ~ 1 + (1 | Batch)", me.datasets.load("Dyestuff"), reml=False)
    >>> found = me.exact_lrt(fit, n=2000, rng=1)
    >>> round(found.statistic, 3), found.p_value < 0.01
    (5.403, True)
    """
    n = checked_draws(n)
    if len(fit.model.terms) > 1:
        raise DataError(
            f"exact_lrt needs a model with a single random-effects term; this one has {len(fit.model.terms)}. Use "
            "exact_rlrt with the term to test, or bootstrap_lrt"
        )
    require_linear(fit, "the exact test of a variance (bootstrap_lrt tests those of generalized models)")
    t = _tested_term(fit, None)
    full, notes = refitted(fit, reml=False), []
    if full is not fit:
        notes.append("the model was refitted by maximum likelihood")
    p = full.objective.products.p
    p0, gain = _restriction(full, fit0, drop)
    rss_full = full.objective.evaluate(np.zeros(full.objective.layout.n_theta)).rss
    nobs = full.nobs
    null = 2.0 * loglik_of_terms(full, ()) - nobs * np.log1p(gain / rss_full)
    diagonal, half = _projections(full, t)
    sample = null_sample(
        spectrum(diagonal, half),
        spectrum(diagonal),
        degrees=nobs - p,
        multiplier=nobs,
        n_restrictions=p - p0,
        n=n,
        rng=np.random.default_rng(rng),
    )
    return _result(settled(2.0 * full.loglik - null), sample, term_label(fit.model.terms[t]), "exact LRT", notes)


def _result(statistic: float, sample: NDArray[np.float64], term: str, method: str, notes: Sequence[str]) -> ExactTest:
    sample.flags.writeable = False
    return ExactTest(
        statistic=statistic,
        p_value=exceedance(statistic, sample),
        null_sample=sample,
        term=term,
        method=method,
        notes=tuple(notes),
    )


def _tested_term(fit: LmmFit, name: str | None) -> int:
    """Position of the term to test; refused if the exact distribution does not hold for it."""
    if fit.control.fixed_theta is not None:
        raise DataError("the fit was made at a fixed theta; a test of a variance needs one that estimates theta")
    blocks = fit.model.terms
    labels = [term_label(block) for block in blocks]
    allowed = ", ".join(f"{block.key!r} for {label}" for block, label in zip(blocks, labels, strict=True))
    if name is None:
        if len(blocks) > 1:
            raise DataError(f"the model has {len(blocks)} random-effects terms; say which one to test: {allowed}")
        t = 0
    else:
        squeezed = _squeezed(name)
        found = [
            s
            for s, (block, label) in enumerate(zip(blocks, labels, strict=True))
            if squeezed in (_squeezed(block.key), _squeezed(label))
        ]
        if not found:
            raise DataError(f"the model has no random-effects term {name!r}; its terms are {allowed}")
        t = found[0]
    if blocks[t].n_columns > 1:
        raise DataError(
            f"{labels[t]} has {blocks[t].n_columns} correlated columns; the exact distribution is known for a single "
            "variance only. Use bootstrap_lrt(fit0, fit1) with fit0 the smaller model"
        )
    return t


def _squeezed(text: str) -> str:
    return bare("".join(text.split())).replace("(1+", "(")


def _projections(fit: LmmFit, t: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Diagonal of Z'WZ, (J,), and Z'WX (X'WX)^-1/2, (J, p), of a term of one column."""
    layout, core = fit.objective.layout, fit.objective.products.core
    column = layout.offset_of[t]
    ZZ, ZX, _ = core.block(layout.block_of[t])
    cross = np.asarray(ZX)[:, column, :]
    if cross.shape[1]:
        cross = solve_triangular(np.linalg.cholesky(np.asarray(core.XX)), cross.T, lower=True).T
    return np.asarray(ZZ)[:, column, column].copy(), cross


def _restriction(fit: LmmFit, fit0: LmmFit | None, drop: Sequence[str]) -> tuple[int, float]:
    """Columns of X under the hypothesis, and the sum of squares that ordinary least squares then lacks."""
    design = fit.model
    if fit0 is not None and drop:
        raise DataError("give either fit0 or drop, not both: each of them says which fixed effects are zero")
    if isinstance(drop, str):
        drop = (drop,)
    names = design.kept_names
    unknown = [name for name in drop if name not in names]
    if unknown:
        raise DataError(f"the fit has no coefficient {unknown[0]!r} to drop; it has {', '.join(names)}")
    kept = [name not in drop for name in names]
    X0 = design.X[:, kept] if fit0 is None else _null_columns(fit, fit0)
    if X0.shape[1] == design.X.shape[1]:
        return X0.shape[1], 0.0
    root = np.sqrt(design.row_weights)
    fitted = root * (design.X @ fit.objective.basis.b0)
    basis = np.linalg.qr(root[:, None] * X0)[0]
    rest = fitted - basis @ (basis.T @ fitted)
    return X0.shape[1], float(rest @ rest)


def _null_columns(fit: LmmFit, fit0: LmmFit) -> NDArray[np.float64]:
    design, null = fit.model, fit0.model
    same = null.nobs == design.nobs and np.array_equal(null.y, design.y)
    if not same or not _same(null.weights, design.weights) or not _same(null.offset, design.offset):
        raise DataError("fit0 must be a fit to the same response, rows, weights and offset as fit")
    if not spans(design.X, null.X):
        raise DataError(
            f"the fixed part of fit0 ({', '.join(null.kept_names)}) is not nested in that of fit "
            f"({', '.join(design.kept_names)})"
        )
    return null.X


def _same(a: NDArray[np.float64] | None, b: NDArray[np.float64] | None) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))
