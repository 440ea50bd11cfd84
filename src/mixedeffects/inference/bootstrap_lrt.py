"""Likelihood ratio test of any two nested models against responses simulated from the smaller one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedeffects.errors import ConvergenceError, DataError
from mixedeffects.fit.kinds import response_criterion, response_drawer
from mixedeffects.inference.distributions import p_text
from mixedeffects.inference.monte_carlo import checked_draws, exceedance, settled
from mixedeffects.inference.nesting import check_same_data, fixed_nested, same_fixed_part
from mixedeffects.inference.reduction import refitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import SeedSequence
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit

    Criterion = Callable[[NDArray[np.float64]], tuple[float, bool]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BootstrapTest:
    """A likelihood ratio test against its parametric bootstrap distribution.

    Attributes
    ----------
    statistic : float
        Twice the difference in (restricted) log-likelihood, not negative.
    p_value : float
        (1 + draws above the statistic) / (1 + number of draws).
    null_sample : ndarray (n - n_failed,)
        Statistics of responses simulated under the smaller model.
    n_failed : int
        Simulated responses for which a refit did not converge; they are left out.
    df : int
        Difference in number of parameters.
    notes : tuple of str
        What was done, one sentence each.
    """

    statistic: float
    p_value: float
    null_sample: NDArray[np.float64]
    n_failed: int
    df: int
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        failed = f", {self.n_failed} failed" if self.n_failed else ""
        test = f"likelihood ratio test: {self.statistic:.4g} on {self.df} df, {p_text(self.p_value)}"
        return "\n".join([f"{test} ({len(self.null_sample)} bootstrap responses{failed})", *self.notes])


def bootstrap_lrt(
    fit0: LmmFit,
    fit1: LmmFit,
    n: int = 1000,
    rng: int | np.random.Generator | SeedSequence | None = None,
) -> BootstrapTest:
    """Compare two nested models by a parametric bootstrap of their likelihood ratio.

    Parameters
    ----------
    fit0, fit1 : LmmFit or GlmmFit
        The smaller and the larger model, fitted to the same response, rows and weights. A model without random effects
        is one fitted with ``Control(fixed_theta=[0, ...])``.
    n : int
        Number of simulated responses.
    rng : None, int, Generator or SeedSequence
        Source of the draws.

    Returns
    -------
    BootstrapTest

    Raises
    ------
    DataError
        If the data differ, fit1 has no more parameters than fit0, or the fixed part of fit0 is not nested in that of
        fit1.
    ConvergenceError
        If no refit converged.

    Notes
    -----
    Responses are drawn from fit0, X beta + Z b + e with new b and e, or those of a generalized model given new b, and
    both models are refitted to each [1]_. Fits by REML with different fixed parts are refitted by maximum likelihood
    first, and a note says so. The p-value counts draws strictly above the statistic.

    References
    ----------
    .. [1] Davison & Hinkley (1997), Bootstrap Methods and their Application, chapter 4.

    Examples
    --------
    >>> import mixedeffects as me
    >>> data = me.datasets.load("sleepstudy")
    >>> fit0 = me.lmer("Reaction ~ 1 + (1 | Subject)", data, reml=False)
    >>> fit1 = me.lmer("Reaction ~ Days + (1 | Subject)", data, reml=False)
    >>> found = me.bootstrap_lrt(fit0, fit1, n=99, rng=1)
    >>> round(found.statistic, 2), found.p_value
    (116.46, 0.01)
    """
    n = checked_draws(n)
    null, full, notes = _comparable(fit0, fit1)
    statistic = settled(2.0 * (full.loglik - null.loglik))
    generator = np.random.default_rng(rng)
    draw = response_drawer(null, generator)
    small, large = response_criterion(null), response_criterion(full)
    sample, n_failed = [], 0
    for _ in range(n):
        y = draw()
        value0, value1 = (None, None) if y is None else (small(y), large(y))
        if value0 is None or value1 is None:
            n_failed += 1
        else:
            sample.append(settled(value0 - value1))
    if not sample:
        raise ConvergenceError(f"none of {n} refits to simulated responses converged; there is no distribution to use")
    if n_failed:
        notes.append(f"{n_failed} of {n} simulated responses were left out because a refit did not converge")
    draws = np.array(sample)
    draws.flags.writeable = False
    return BootstrapTest(
        statistic=statistic,
        p_value=exceedance(statistic, draws),
        null_sample=draws,
        n_failed=n_failed,
        df=full.npar - null.npar,
        notes=tuple(notes),
    )


def _comparable(fit0: LmmFit, fit1: LmmFit) -> tuple[LmmFit, LmmFit, list[str]]:
    check_same_data((fit0, fit1), ("fit0", "fit1"))
    if fit1.npar <= fit0.npar:
        raise DataError(
            f"fit1 must be the larger model: it has {fit1.npar} parameters, fit0 has {fit0.npar}. Exchange them"
        )
    if not fixed_nested(fit0.model, fit1.model):
        raise DataError(
            f"the fixed part of fit0 ({', '.join(fit0.model.kept_names)}) is not nested in that of fit1 "
            f"({', '.join(fit1.model.kept_names)})"
        )
    if not fit0.reml and not fit1.reml:
        return fit0, fit1, []
    if fit0.reml and fit1.reml and same_fixed_part(fit0.model, fit1.model):
        return fit0, fit1, []
    note = "REML fits were refitted by maximum likelihood for this comparison"
    return refitted(fit0, reml=False), refitted(fit1, reml=False), [note]
