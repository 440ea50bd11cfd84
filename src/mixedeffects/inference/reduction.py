"""Smaller models from the design of a fit: without a random-effects column, without a term of the fixed part."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mixedeffects.design import replay
from mixedeffects.design.rank import estimable
from mixedeffects.errors import ConvergenceWarning, DataError
from mixedeffects.fit.kinds import fit_as, loglik_without_groups
from mixedeffects.frame import warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from mixedeffects.design import Design, Encoding, RandomBlock
    from mixedeffects.fit import LmmFit

_SPANNED = 1e-9  # of its length is what a column may lack to be called a combination of others


class RandomReduction(NamedTuple):
    """A random-effects part without one piece: what was left out, and the terms that stay."""

    label: str
    terms: tuple[RandomBlock, ...]


def fit_reduced(fit: LmmFit, design: Design, *, reml: bool) -> LmmFit:
    """Fit a model to a design with the options of `fit`, from the default start.

    Parameters
    ----------
    fit : LmmFit
        Gives the options.
    design : Design
        With one random-effects term or more.
    reml : bool
        Restricted maximum likelihood, or ordinary.

    Warns
    -----
    ConvergenceWarning
        If the optimizer's certificate does not hold.
    """
    found = fit_as(fit, design, reml=reml, control=replace(fit.control, start=None))
    if not found.optimum.converged and found.control.fixed_theta is None:
        warn(f"a model that was refitted for a test: {found.optimum.message}", ConvergenceWarning)
    return found


def refitted(fit: LmmFit, *, reml: bool) -> LmmFit:
    """Return `fit` if it is of that kind, else fit its design again."""
    return fit if fit.reml == reml else fit_reduced(fit, fit.model, reml=reml)


def loglik_of_terms(fit: LmmFit, terms: tuple[RandomBlock, ...]) -> float:
    """Log-likelihood of the fit's model with these random-effects terms only; there may be none.

    Without any it is the log-likelihood of the full model at theta = 0: of least squares, or of a
    generalized linear model.
    """
    if not terms:
        return loglik_without_groups(fit)
    return fit_reduced(fit, with_terms(fit.model, terms), reml=fit.reml).loglik


def with_terms(design: Design, terms: Sequence[RandomBlock]) -> Design:
    """Return the design with these random-effects terms, in this order; `formula` stays that of the full model."""
    seen: dict[str, int] = {}
    keyed = []
    for term in terms:
        count = seen.get(term.group, 0)
        seen[term.group] = count + 1
        keyed.append(replace(term, key=f"{term.group}.{count}" if count else term.group))
    return replace(design, terms=tuple(keyed))


def term_label(term: RandomBlock) -> str:
    """Write a block as a term, the implied intercept left out as in lme4: ``(Days | Subject)``, ``(1 | Subject)``."""
    source = term.source
    if not source.correlated:
        expr = "1" if term.names == ("Intercept",) else f"0 + {_column_label(term)}"
        source = replace(source, expr=expr, correlated=True)
    return str(replace(source, expr=source.expr.removeprefix("1 + ")))


def _column_label(term: RandomBlock) -> str:
    """The term label of a single column, or its name where the term has several columns."""
    for label, columns in term.encoding.assign:
        if term.positions[0] in range(columns.start, columns.stop):
            return label if columns.stop - columns.start == 1 else term.names[0]
    return term.names[0]


def written_order(design: Design) -> list[int]:
    """Positions of the blocks in the order in which the formula names them."""
    sources = list(design.formula.random)
    return sorted(
        range(len(design.terms)), key=lambda t: (sources.index(design.terms[t].source), design.terms[t].positions)
    )


def random_reductions(design: Design) -> list[RandomReduction]:
    """All ways to leave one piece of the random part out, as lmerTest's ranova has them.

    A term of several columns loses one of its variables at a time, marginality respected; where nothing would be left
    and its columns span the constant, as in ``(0 + f | g)`` for a factor f, a random intercept stays. Any other term
    is removed.
    """
    found = []
    for t in written_order(design):
        term = design.terms[t]
        for label, smaller in _term_reductions(term):
            terms = list(design.terms)
            terms[t : t + 1] = [] if smaller is None else [smaller]
            found.append(RandomReduction(label, tuple(terms)))
    return found


def _term_reductions(term: RandomBlock) -> Iterable[tuple[str, RandomBlock | None]]:
    label = term_label(term)
    if not term.source.correlated:
        yield (label if term.names == ("Intercept",) else f"{_column_label(term)} in {label}"), None
        return
    labels = droppable(term.encoding)
    if not labels:
        yield label, None
    for name in labels:
        columns = dict(term.encoding.assign)[name]
        kept = [j for j in range(len(term.columns)) if not columns.start <= j < columns.stop]
        yield f"{name} in {label}", _smaller(term, kept)


def _smaller(term: RandomBlock, kept: list[int]) -> RandomBlock | None:
    if kept:
        return replace(
            term,
            names=tuple(term.names[j] for j in kept),
            columns=tuple(term.columns[j] for j in kept),
            positions=tuple(term.positions[j] for j in kept),
        )
    constant = np.ones(len(term.columns[0]))
    if not spans(np.column_stack(term.columns), constant[:, None]):
        return None
    return replace(term, names=("Intercept",), columns=(constant,), positions=(0,))


def spans(X: NDArray[np.float64], columns: NDArray[np.float64]) -> bool:
    """Whether all `columns`, (n, q), are combinations of those of X, (n, p)."""
    lengths = np.linalg.norm(columns, axis=0)
    rest = columns
    if X.shape[1]:
        basis = np.linalg.qr(X / np.where((norms := np.linalg.norm(X, axis=0)) > 0, norms, 1.0))[0]
        for _ in range(2):  # twice is enough against cancellation
            rest = rest - basis @ (basis.T @ rest)
    return bool(np.all(np.linalg.norm(rest, axis=0) <= _SPANNED * lengths))


def droppable(encoding: Encoding) -> list[str]:
    """Labels of the terms that no other term contains, the constant excepted."""
    variables = _variables(encoding)
    return [label for label, own in variables.items() if own and not any(own < other for other in variables.values())]


def _variables(encoding: Encoding) -> dict[str, frozenset[str]]:
    """For each term the variables whose product it is; none for the constant."""
    labels = [label for label, _ in encoding.assign]
    if encoding.spec is None:
        return {label: frozenset(() if label == "1" else (label,)) for label in labels}
    found = {}
    for label, (term, _, _) in zip(labels, encoding.spec.structure, strict=True):
        found[label] = frozenset(str(factor) for factor in term.factors if str(factor) != "1")
    return found


def without_fixed(design: Design, label: str) -> Design:
    """Return the design without a term of the fixed part.

    Parameters
    ----------
    design : Design
        The full model.
    label : str
        One of `droppable(design.encoding)`.

    Returns
    -------
    Design
        For fitting; `formula` and the specification of its encoding stay those of the full model.

    Raises
    ------
    DataError
        If other terms would have to be coded anew without this one, as B in ``0 + A + B`` for two factors.
    """
    encoding = design.encoding
    _check_coding(encoding, label)
    removed = dict(encoding.assign)[label]
    stays = np.ones(len(design.names), dtype=bool)
    stays[removed] = False
    if design.kept.all():
        X, kept = design.X[:, stays], design.kept[stays]
    else:
        # A column that was aliased with the term may be estimable without it.
        every = replay(encoding, design.columns, design.nobs)[:, stays]
        kept = estimable(every)
        X = every[:, kept]
    names = tuple(name for name, stay in zip(design.names, stays, strict=True) if stay)
    return replace(design, X=np.asfortranarray(X), names=names, kept=kept)


def _check_coding(encoding: Encoding, label: str) -> None:
    """Refuse to drop a term to which another one owes that its coding leaves a level out."""
    if encoding.spec is None:
        return
    supplied: set[frozenset[str]] = set()
    needed: list[tuple[str, frozenset[str]]] = []
    for (own, _), (_, scoped_terms, _) in zip(encoding.assign, encoding.spec.structure, strict=True):
        for scoped in () if own == label else scoped_terms:
            supplied |= _spanned_margins(encoding, scoped)
            everything = frozenset(str(factor.factor) for factor in scoped.factors)
            needed += [(own, everything - {str(factor.factor)}) for factor in scoped.factors if factor.reduced]
    for own, margin in needed:
        if margin not in supplied:
            raise DataError(
                f"without {label!r} the term {own!r} would be coded anew, with all its levels; write the model with an "
                "intercept and all margins of its interactions, or compare two fits by their likelihood ratio"
            )


def _spanned_margins(encoding: Encoding, scoped: Any) -> set[frozenset[str]]:
    """The products of variables that a piece of a term spans: itself, and less any categories with all levels."""
    everything = frozenset(str(factor.factor) for factor in scoped.factors)
    kinds = {
        str(name): kind.value for name, (kind, _) in (encoding.spec.encoder_state if encoding.spec else {}).items()
    }
    full = [
        str(factor.factor)
        for factor in scoped.factors
        if not factor.reduced and kinds.get(str(factor.factor)) == "categorical"
    ]
    subsets = chain.from_iterable(combinations(full, size) for size in range(len(full) + 1))
    return {everything - set(subset) for subset in subsets}
