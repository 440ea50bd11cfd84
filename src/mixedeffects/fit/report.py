"""What a fit has to say for itself, once: that it is singular, or that it did not converge."""

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
    unconverged = sum(not fit.optimum.converged for fit in fits if fit.control.fixed_theta is None)
    singular = sum(fit.is_singular for fit in fits if fit.control.fixed_theta is None)
    if unconverged:
        warn(f"{unconverged} of {len(fits)} refits did not converge", ConvergenceWarning)
    if singular:
        warn(f"{singular} of {len(fits)} refits are singular (on the boundary)", SingularFitWarning)


def report(fit: LmmFit) -> None:
    """Warn once about a singular fit, and about a certificate that does not hold.

    A fit at a fixed theta says nothing: no minimum was looked for.

    Parameters
    ----------
    fit : LmmFit
        A new fit.
    """
    optimum = fit.optimum
    if fit.control.fixed_theta is not None:
        return
    if not optimum.converged:
        warn(optimum.message, ConvergenceWarning)
    if optimum.boundary:
        where = "; ".join(f"{b.term}: {b.direction}" for b in optimum.boundary)
        warn(f"boundary (singular) fit: {where}", SingularFitWarning)
