"""Effects within and between groups: Mundlak's model, the within-between model, and the test that they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixedeffects.design.encoding import plain_encoding
from mixedeffects.design.rank import estimable
from mixedeffects.diagnostics.grouping import chosen_group
from mixedeffects.diagnostics.hausman import level_means, varies_within
from mixedeffects.errors import DataError
from mixedeffects.formula.expressions import quoted_name
from mixedeffects.inference.dispatch import checked_ddf, f_test, t_test
from mixedeffects.inference.fixed_terms import fixed_terms
from mixedeffects.inference.reduction import fit_reduced
from mixedeffects.inference.table import Table, table_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.design import Design
    from mixedeffects.fit import LmmFit
    from mixedeffects.frame import Factor
    from mixedeffects.inference.dispatch import FTest

_EFFECTS = ("given", "within", "between", "contextual")


class Wald(NamedTuple):
    """A test that several coefficients are zero: chi-square statistic, its degrees of freedom, p-value."""

    statistic: float
    df: float
    p_value: float


class Effect(NamedTuple):
    """One estimate with its t test; NaN where it cannot be estimated."""

    estimate: float
    std_error: float
    df: float
    statistic: float
    p_value: float


_NONE = Effect(*[float("nan")] * 5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WithinBetween:
    """The given model, Mundlak's and the within-between model.

    Attributes
    ----------
    group : str
        The grouping factor.
    covariates : tuple of str (q,)
        Columns of the fixed part that were split.
    effects : dict of str to tuple of Effect (q,)
        given, within, between, contextual (between less within).
    test : Wald
        All contextual effects that can be estimated are zero: chi-square; NaN if there are none.
    f_test : FTest or None
        The same with degrees of freedom for the denominator.
    ddf : str
        The method for them.
    given, mundlak, within_between : LmmFit
        The fits.
    notes : tuple of str
        What a reader has to know.
    """

    group: str
    covariates: tuple[str, ...]
    effects: dict[str, tuple[Effect, ...]]
    test: Wald
    f_test: FTest | None
    ddf: str
    given: LmmFit
    mundlak: LmmFit
    within_between: LmmFit
    notes: tuple[str, ...]

    def table(self) -> Table:
        """Return a row per covariate and effect: covariate, effect, estimate, std_error, df, statistic, p_value."""
        rows = [
            (name, effect, *self.effects[effect][j]) for j, name in enumerate(self.covariates) for effect in _EFFECTS
        ]
        heads = ("covariate", "effect", *Effect._fields)
        return table_of(heads, rows, text=heads[:2], notes=self.notes, kind=self.given.model.data_kind)


def within_between(
    fit: LmmFit,
    covariates: str | Sequence[str] | None = None,
    group: str | None = None,
    *,
    means: str = "unweighted",
    ddf: str = "satterthwaite",
) -> WithinBetween:
    """Split covariates into group means and deviations from them; see `mixedeffects.within_between`.

    Parameters
    ----------
    fit : LmmFit
        The given model.
    covariates : str or sequence of str, optional
        Columns or terms of the fixed part; by default all numeric columns that vary within the groups.
    group : str, optional
        The grouping factor; the only one by default.
    means : {"unweighted", "weighted"}
        Group means over the rows, or weighted with the prior weights.
    ddf : str
        Method for degrees of freedom, as `t_test` takes it.

    Returns
    -------
    WithinBetween

    Raises
    ------
    DataError
        For unknown names, a covariate that does not vary within the groups, none that does, or too few groups.
    """
    if means not in ("unweighted", "weighted"):
        raise DataError(f"means={means!r} is not known; it is 'unweighted' or 'weighted'")
    checked_ddf(ddf)
    design = fit.model
    factor = design.factors[chosen_group(fit, group, "whose means are wanted")]
    chosen, notes = _chosen(design, factor, covariates)
    names = [design.kept_names[j] for j in chosen]
    averages = _group_means(design, factor, chosen, weighted=means == "weighted")
    mean_names = [f"mean({name})" for name in names]
    _check_groups(design, factor, averages)
    mundlak = _fitted(fit, design.X, list(design.kept_names), averages, mean_names)
    inside, inside_names = np.array(design.X, order="F"), list(design.kept_names)
    for j, average in zip(chosen, averages.T, strict=True):
        inside[:, j] -= average
        inside_names[j] = f"within({design.kept_names[j]})"
    hybrid = _fitted(fit, inside, inside_names, averages, mean_names)
    effects, contextual = _effects(fit, mundlak, hybrid, names, ddf)
    test, joint = _tests(mundlak, contextual, ddf)
    return WithinBetween(
        group=factor.name,
        covariates=tuple(names),
        effects=effects,
        test=test,
        f_test=joint,
        ddf=ddf,
        given=fit,
        mundlak=mundlak,
        within_between=hybrid,
        notes=(*notes, *_notes(fit, factor, chosen, mundlak, means)),
    )


def _chosen(design: Design, factor: Factor, covariates: str | Sequence[str] | None) -> tuple[list[int], list[str]]:
    """Positions in X of the columns to split, and what is to be said about the others."""
    varies, _ = varies_within(design, factor)
    terms = fixed_terms(design)
    if covariates is None:
        numeric = {int(j) for term in terms if term.variables and not term.categorical for j in term.columns}
        chosen = [j for j in range(len(varies)) if varies[j] and j in numeric]
        others = [design.kept_names[j] for j in range(len(varies)) if varies[j] and j not in numeric]
        if not chosen:
            also = f" ({', '.join(others)} can be named in covariates=)" if others else ""
            raise DataError(f"no numeric column of the fixed part varies within the levels of {factor.name!r}{also}")
        note = f"Not split, for being categorical: {', '.join(others)}. Name them in covariates= to split them too."
        return chosen, [note] if others else []
    wanted = [covariates] if isinstance(covariates, str) else list(covariates)
    by_label = {term.label: [int(j) for j in term.columns] for term in terms}
    found: list[int] = []
    for name in wanted:
        columns = [design.kept_names.index(name)] if name in design.kept_names else by_label.get(name, [])
        if not columns:
            known = ", ".join(name for name in design.kept_names if name != "Intercept")
            raise DataError(f"{name!r} is no estimated column or term of the fixed part; there are {known}")
        constant = [design.kept_names[j] for j in columns if not varies[j]]
        if constant:
            raise DataError(
                f"{constant[0]!r} does not vary within the levels of {factor.name!r}: it has no effect within groups"
            )
        found += [j for j in columns if j not in found]
    if not found:
        raise DataError("covariates is empty; leave it out for all numeric columns that vary within the groups")
    return sorted(found), []


def _group_means(design: Design, factor: Factor, chosen: list[int], *, weighted: bool) -> NDArray[np.float64]:
    """Means of columns of X over each row's group, (n, q)."""
    weights = design.weights if weighted else None
    total = np.bincount(factor.codes, weights=weights, minlength=factor.n_levels)
    out = np.empty((design.nobs, len(chosen)), order="F")
    for c, j in enumerate(chosen):
        column = design.X[:, j]
        shift = column.mean()  # so that a far origin costs no digits
        values = column - shift if weights is None else weights * (column - shift)
        mean = np.bincount(factor.codes, weights=values, minlength=factor.n_levels) / total
        out[:, c] = shift + mean[factor.codes]
    return out


def _check_groups(design: Design, factor: Factor, averages: NDArray[np.float64]) -> None:
    """Refuse a model whose columns that are constant within the groups are as many as the groups."""
    varies, _ = varies_within(design, factor)
    between = np.column_stack([design.X[:, ~varies], averages])
    rank = int(_independent(between).sum())
    if rank >= factor.n_levels:
        raise DataError(
            f"{factor.n_levels} groups of {factor.name!r} for {rank} columns that vary between them only, group means "
            "included: they are fitted exactly. There must be more groups, or fewer covariates"
        )


def _independent(X: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Columns of X that those before them do not determine.

    Beside an intercept they are centred first: the deviations from the mean of a group are small next to a far origin
    (seconds since 1970), and would pass for rounding errors.
    """
    origin = X.mean(axis=0)
    constant = np.ptp(X, axis=0) == 0
    if not (constant & (origin != 0)).any():
        return estimable(X)
    origin[constant] = 0.0
    return estimable(np.asfortranarray(X - origin))


def _fitted(
    fit: LmmFit, X: NDArray[np.float64], names: list[str], added: NDArray[np.float64], added_names: list[str]
) -> LmmFit:
    """Fit the model with these columns of the fixed part, each of them data from now on."""
    design = fit.model
    every = np.asfortranarray(np.column_stack([X, added]))
    kept = _independent(every)
    all_names = (*names, *added_names)
    new = {name: every[:, j].copy() for j, name in enumerate(all_names) if name != "Intercept"}
    taken = [name for name in all_names if name not in design.kept_names and name in design.columns]
    taken += [name for name in added_names if name in names]
    if taken:
        raise DataError(f"a column of the data is called {taken[0]!r}, the name of one to be added; rename it")
    columns = [quoted_name(name) for name in all_names if name != "Intercept"]
    fixed = " + ".join(["1" if "Intercept" in names else "0", *columns])
    formula = design.formula
    shown = " + ".join([fixed, *(f"offset({text})" for text in formula.offsets), *map(str, formula.random)])
    return fit_reduced(
        fit,
        replace(
            design,
            formula=replace(formula, fixed=fixed, text=f"{formula.response} ~ {shown}"),
            X=every if kept.all() else np.asfortranarray(every[:, kept]),
            names=all_names,
            kept=kept,
            encoding=plain_encoding(fixed, all_names),
            columns={**design.columns, **new},
        ),
        reml=fit.reml,
    )


def _effects(
    fit: LmmFit, mundlak: LmmFit, hybrid: LmmFit, names: list[str], ddf: str
) -> tuple[dict[str, tuple[Effect, ...]], list[int]]:
    """The four effects of each covariate, and the coefficients of Mundlak's model that are contextual effects."""
    given, within, between, contextual, tested = [], [], [], [], []
    for name in names:
        given.append(_effect(fit, name, ddf))
        within.append(_effect(hybrid, f"within({name})", ddf))
        between.append(_effect(hybrid, f"mean({name})", ddf))
        contextual.append(_effect(mundlak, f"mean({name})", ddf))
        if f"mean({name})" in mundlak.model.kept_names:
            tested.append(mundlak.model.kept_names.index(f"mean({name})"))
    found = (tuple(given), tuple(within), tuple(between), tuple(contextual))
    return dict(zip(_EFFECTS, found, strict=True)), tested


def _effect(fit: LmmFit, name: str, ddf: str) -> Effect:
    if name not in fit.model.kept_names:
        return _NONE
    L = np.zeros(len(fit.solution.beta))
    L[fit.model.kept_names.index(name)] = 1.0
    test = t_test(fit, L, ddf=ddf)
    return Effect(test.estimate, test.std_error, test.df, test.statistic, test.p_value)


def _tests(mundlak: LmmFit, tested: list[int], ddf: str) -> tuple[Wald, FTest | None]:
    if not tested:
        return Wald(float("nan"), 0.0, float("nan")), None
    L = np.eye(len(mundlak.solution.beta))[tested]
    chi2 = f_test(mundlak, L, ddf="normal")
    return Wald(chi2.statistic * chi2.df_num, chi2.df_num, chi2.p_value), f_test(mundlak, L, ddf=ddf)


def _notes(fit: LmmFit, factor: Factor, chosen: list[int], mundlak: LmmFit, means: str) -> list[str]:
    notes = [f"Groups: {factor.name}, {factor.n_levels} levels; contextual = between - within."]
    names = fit.model.kept_names
    lost = [j for j in chosen if f"mean({names[j]})" not in mundlak.model.kept_names]
    same: set[int] = set()
    if lost:
        found = level_means(fit.model, factor, np.array(lost, dtype=np.intp), weighted=means == "weighted")
        same = {j for j, equal in zip(lost, found.equal, strict=True) if equal}
    equal = ", ".join(names[j] for j in lost if j in same)
    others = ", ".join(names[j] for j in lost if j not in same)
    if equal:
        what = "the given model has the effects within groups, there is nothing to test"
        if len(same) < len(chosen):
            what = "there is no effect between groups to estimate or test"
        notes.append(f"The means of {equal} are equal in all levels of {factor.name}: {what}.")
    if others:
        notes.append(
            f"The means of {others} over the levels of {factor.name} are determined by other columns of the model: no "
            "further effect between groups can be told."
        )
    if fit.model.weights is not None:
        notes.append(f"Group means are {means}.")
    if mundlak.is_singular:
        notes.append("Mundlak's model is singular.")
    return notes
