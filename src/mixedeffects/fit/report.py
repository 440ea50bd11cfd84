"""What a fit has to say for itself, once: that it is singular, or that it did not converge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixedeffects.errors import ConvergenceWarning, SingularFitWarning
from mixedeffects.frame import warn

if TYPE_CHECKING:
    from mixedeffects.fit.record import LmmFit


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
