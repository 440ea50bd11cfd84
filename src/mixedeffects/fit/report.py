"""What a fit has to say for itself, once: that it is singular, did not converge, or lacks a finite estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixedeffects.errors import ConvergenceWarning, SingularFitWarning
from mixedeffects.frame import warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixedeffects.fit.record import LmmFit


def report_all(fits: Sequence[LmmFit]) -> None:
    """Warn once about several new fits of one design, with their numbers.

    Parameters
    ----------
    fits : sequence of LmmFit
        New fits; a single one is reported as by `report`.
    """
    if len(fits) == 1:
        report(fits[0])
        return
    endless = sum(bool(fit.optimum.no_estimate) for fit in fits)
    others = [fit for fit in fits if fit.control.fixed_theta is None and not fit.optimum.no_estimate]
    unconverged = sum(not fit.optimum.converged for fit in others)
    singular = sum(fit.is_singular for fit in fits if fit.control.fixed_theta is None)
    if unconverged:
        warn(f"{unconverged} of {len(fits)} refits did not converge", ConvergenceWarning)
    if endless:
        warn(f"{endless} of {len(fits)} refits have parameters without a finite estimate", ConvergenceWarning)
    if singular:
        warn(f"{singular} of {len(fits)} refits are singular (on the boundary)", SingularFitWarning)


def report(fit: LmmFit) -> None:
    """Warn once about a singular fit, and about a certificate that does not hold.

    A fit at a fixed theta says only what has no finite estimate: no minimum in theta was looked for.

    Parameters
    ----------
    fit : LmmFit
        A new fit.
    """
    optimum = fit.optimum
    for text in messages(fit):
        warn(text, ConvergenceWarning)
    if fit.control.fixed_theta is not None:
        return
    if optimum.boundary:
        where = "; ".join(f"{b.term}: {b.direction}" for b in optimum.boundary)
        warn(f"boundary (singular) fit: {where}", SingularFitWarning)


def messages(fit: LmmFit) -> tuple[str, ...]:
    """What keeps the estimates of a fit from being trusted, in words; nothing for a minimum.

    Parameters
    ----------
    fit : LmmFit
        Any fit. At a fixed theta only what has no finite estimate counts.
    """
    optimum = fit.optimum
    fails = not optimum.converged and fit.control.fixed_theta is None
    return (optimum.message,) if fails or optimum.no_estimate else ()
