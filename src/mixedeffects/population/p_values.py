"""Tests of power analyses: from a name, a hypothesis or a term to a function of a fit that returns a p-value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import mixedeffects as me
from mixedeffects.errors import DataError
from mixedeffects.population.diagnostics import fixed_variables

if TYPE_CHECKING:
    from collections.abc import Callable

    PValue = Callable[[Any], float]


def p_value_of(test: Any, term: str | None, ddf: str, fit: Any) -> PValue:
    """Make the function that takes a fit to the p-value, tried on a first fit.

    Parameters
    ----------
    test : str or callable
        What `power` is given.
    term : str or None
        The term of a likelihood ratio test.
    ddf : str
        Method for degrees of freedom.
    fit : LmmResult or GlmmResult
        A fit of the model.

    Raises
    ------
    DataError
        For a test that the fit does not know.
    """
    if not isinstance(test, str):
        if not callable(test):
            raise DataError(f"test={test!r} must be a text or a function of a fit")
        given: PValue = test
        return given
    p_value = _by_name(test, ddf, fit) if term is None else _lrt(term, fit)
    try:
        p_value(fit)
    except me.DataError:
        raise
    except me.FormulaError as problem:
        terms = [label for label, _ in fit.model.assign if label != "1"]
        raise DataError(
            f"test={test!r} is no coefficient ({', '.join(fit.fixef.index)}), no term ({', '.join(terms)}) and no "
            f"hypothesis: {problem}"
        ) from None
    except me.MixedEffectsError:
        pass  # undefined for this fit, such as one on the boundary; others are counted
    return p_value


def levels_of_fixed(fit: Any) -> dict[str, tuple[str, ...]]:
    """The levels of each factor of the fixed part that occur in the data of a fit."""
    names = dict.fromkeys(name for variables in fixed_variables(fit).values() for name in variables)
    columns = {name: fit.model.columns.get(name) for name in names}
    return {name: tuple(map(str, one.labels)) for name, one in columns.items() if hasattr(one, "labels")}


def _by_name(test: str, ddf: str, fit: Any) -> PValue:
    method = {"ddf": ddf} if isinstance(fit, me.LmmResult) else {}
    coefficient, terms = test in fit.fixef.index, dict(fit.model.assign)
    if not coefficient and test not in terms:
        return _with_meaning(lambda one: one.test(test, **method).p_value, fit)
    names = [test] if coefficient else list(fit.model.names[terms[test]])
    if not coefficient and _contained(test, fit):
        # Its hypothesis of type 3 is about other coefficients too.
        return _with_meaning(lambda one: _row(one.anova(**method), test, "p_value"), fit, test)
    return _with_meaning(lambda one: one.test(_hypothesis(names, one), **method).p_value, fit, test)


def _hypothesis(names: list[str], fit: Any) -> Any:
    """Coefficients of these names are 0; they stand elsewhere where a data set lacks a level."""
    found = list(fit.fixef.index)
    for name in names:
        if name not in found:
            raise DataError(f"the data set has no coefficient {name!r}")
    return np.array([[float(name == column) for column in found] for name in names])


def _with_meaning(p_value: PValue, fit: Any, term: str | None = None) -> PValue:
    """A p-value only where coefficients mean what they mean in the first fit, and a term has all of its own."""
    levels, coded = levels_of_fixed(fit), _differently_coded(fit)
    own = _columns_of(term, fit)

    def checked(one: Any) -> float:
        for name, found in levels_of_fixed(one).items():
            same = found == levels[name] if name in coded else found[:1] == levels[name][:1]
            if not same:
                raise DataError(f"the levels of {name!r} are {found}, so that its coefficients mean something else")
        if _columns_of(term, one) != own:
            raise DataError(f"{term!r} has not all of its coefficients")
        return p_value(one)

    return checked


def _columns_of(term: str | None, fit: Any) -> tuple[str, ...]:
    return next((tuple(fit.model.names[columns]) for label, columns in fit.model.assign if label == term), ())


def _differently_coded(fit: Any) -> set[str]:
    """Factors whose coefficients are no differences from the first level, or might not be."""
    inside = {name for label, names in fixed_variables(fit).items() if "(" in label for name in names}
    return inside | set(fit.model.contrasts)


def _contained(term: str, fit: Any) -> bool:
    """Whether all variables of a term are in another one."""
    variables = {label: set(names) for label, names in fixed_variables(fit).items()}
    return any(variables[term] <= other for label, other in variables.items() if label != term)


def _lrt(term: str, fit: Any) -> PValue:
    linear = isinstance(fit, me.LmmResult)
    fixed = fit.drop1(test="lrt") if linear else fit.drop1()
    if term in list(fixed["term"]):
        return _with_meaning(
            lambda one: _row(one.drop1(test="lrt") if linear else one.drop1(), term, "p_value"), fit, term
        )
    random = fit.ranova()
    spelled = {name.replace(" ", ""): name for name in random["term"]}.get(term.replace(" ", ""))
    if spelled is not None:
        return lambda one: _row(one.ranova(), spelled, "p_mixture")
    known = [name for name in [*fixed["term"], *random["term"]] if name != "<none>"]
    raise DataError(f"term={term!r} cannot be left out by itself; those that can are {', '.join(map(repr, known))}")


def _row(table: Any, term: str, column: str) -> float:
    terms: Any = list(table["term"])
    return float(np.asarray(table[column])[terms.index(term)])
