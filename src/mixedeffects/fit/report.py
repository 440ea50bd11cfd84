"""What a fit has to say for itself, once: that it is singular, did not converge, or lacks a finite estimate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mixedeffects.design.random import varies_within
from mixedeffects.errors import ConvergenceWarning, SingularFitWarning
from mixedeffects.frame import warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixedeffects.design import RandomBlock
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
    """Warn once about a singular fit, or about a certificate that does not hold.

    A fit at a fixed theta says only what has no finite estimate: no minimum in theta was looked for.

    Parameters
    ----------
    fit : LmmFit
        A new fit.
    """
    optimum = fit.optimum
    for text in messages(fit):
        warn(text, ConvergenceWarning)
    # Where something has no finite estimate the variances are arbitrary, and advice about them would be wrong.
    if fit.control.fixed_theta is not None or optimum.no_estimate:
        return
    if optimum.boundary:
        where = "; ".join(f"{b.term}: {b.direction}" for b in optimum.boundary)
        warn(f"boundary (singular) fit: {where}. {_advice(fit)}", SingularFitWarning)


def _advice(fit: LmmFit) -> str:
    """What may be done about a singular fit: the random part that would be simpler."""
    singular = {b.term for b in fit.optimum.boundary}
    terms = [term for term in fit.model.terms if term.key in singular]
    # Without an intercept such columns give groups of levels variances of their own.
    with_intercept = {term.group for term in fit.model.terms if "Intercept" in term.names}
    constant = _constant_within([term for term in terms if term.group in with_intercept])
    if constant:
        return constant
    split = dict.fromkeys(str(replace(term.source, correlated=False)) for term in terms if term.n_columns > 1)
    dropped = dict.fromkeys(
        # Of a term written with || one column is meant.
        str(term.source) if term.source.correlated else f"{term.names[0]} of {term.source}"
        for term in terms
        if term.n_columns == 1
    )
    simpler = [*((f"with {' and '.join(split)}",) if split else ())]
    simpler += [*((f"without {' and '.join(dropped)}",) if dropped else ())]
    return f"It may be reported as it is; a simpler model is one {' and '.join(simpler)}"


def _constant_within(terms: Sequence[RandomBlock]) -> str:
    """Which slopes have a predictor that takes one value in each level, in words; nothing if none has."""
    found = {
        (name, term.group): None
        for term in terms
        for name, column in zip(term.names, term.columns, strict=True)
        if column.min() < column.max() and not varies_within(term.factor.codes, column)
    }
    told = [
        f"{name} does not vary within {group}: every {group} has one value of it, from which no slope can be told; "
        f"leave {name} out of the random part of {group}"
        for name, group in found
    ]
    return "; ".join(told)


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
