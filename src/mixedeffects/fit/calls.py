"""Calls with arguments that a function does not have: what to write instead."""

from __future__ import annotations

import difflib
import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from mixedeffects.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

P = ParamSpec("P")
T = TypeVar("T")

_GENERALIZED = "generalized models are fitted by me.glmer(formula, data, family=...)"
_ASYMPTOTIC = "tests of a generalized fit are asymptotic, with infinite degrees of freedom: leave ddf out"
_SAMPLING = (
    "sampling weights are not there; weights= are prior weights: the residual variance of a row of an lmer fit is "
    "sigma^2 / weight, of a binomial response they are the numbers of trials"
)
_VARIANCE_WEIGHTS = "write weights= (the residual variance of a row is sigma^2 / weight)"
_ROBUST = "cluster-robust tests of an lmer fit are those of fit.vcov_robust({})"
# What to write instead, by the argument, or by function and argument.
_INSTEAD = {
    "REML": "write reml=",
    "nAGQ": "write nagq=",
    "newdata": "write data=",
    "nsim": "write n=",
    "seed": "write rng=",
    "re_form": "write random=",
    "conf_level": "write level=",
    "conf_method": "write method=",
    "parm": "write params=",
    "ddf_method": "write ddf=",
    "subset": "select the rows of the data before",
    "na_action": "write missing='drop' or missing='raise'",
    "na.action": "write missing='drop' or missing='raise'",
    "vc_formula": "write each variance component as a term of the formula, as in + (1 | school) + (1 | school:class)",
    "cov_type": _ROBUST.format("cluster, kind='CR2'"),
    "pweights": _SAMPLING,
    "sampling_weights": _SAMPLING,
    "freq_weights": _SAMPLING,
    "fweights": _SAMPLING,
    "var_weights": _VARIANCE_WEIGHTS,
    "aweights": _VARIANCE_WEIGHTS,
    "lmer.family": _GENERALIZED,
    "lmer.link": _GENERALIZED,
    "lmer.nagq": _GENERALIZED,
    "lmer.method": "write reml=True or reml=False",
    "glmer.reml": "a generalized model is fitted by maximum likelihood: leave reml out",
    "emmeans.type": "write scale='response'",
    "emmeans.adjust": "the adjustment belongs to .contrasts(adjust=...)",
    "emmeans.method": "write .contrasts(...)",
    "predict.type": "write kind=",
    "predict.scale": "kind= is the scale of a glmer; a response such as log(y) goes back through np.exp",
    "residuals.type": "write kind=",
    "contrasts.type": "write emmeans(..., scale='response')",
    "coef_table.exponentiate": "write tidy('fixed', exponentiate=True)",
    "summary.exponentiate": "write tidy('fixed', exponentiate=True)",
    "confint.exponentiate": "write tidy('fixed', conf_int=True, exponentiate=True)",
    "summary.ddf": _ASYMPTOTIC,
    "tidy.ddf": _ASYMPTOTIC,
}
# The same where what was given belongs into the answer: with it if it is text, else with the second entry.
_WITH_VALUE = {
    "groups": ("write the grouping factor in the formula, as in + (1 | {})", "school"),
    "re_formula": ("write the random effects in the formula, as in + ({} | school)", "yr"),
    "exposure": ("write + offset(log({})) in the formula", "exposure"),
    "cluster": (_ROBUST, "school"),
    "clusters": (_ROBUST, "school"),
}


def clear_call(function: Callable[P, T], elsewhere: Callable[[str], str] | None = None) -> Callable[P, T]:
    """Make a function answer arguments that it does not have by an ArgumentError.

    Parameters
    ----------
    function : callable
        The function.
    elsewhere : callable, optional
        As in `call_problem`.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except TypeError:
            problem = call_problem(function, args, kwargs, elsewhere)
            if problem is None:
                raise
        raise ArgumentError(problem)

    return call


def call_problem(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    elsewhere: Callable[[str], str] | None = None,
) -> str | None:
    """Say what is wrong with the arguments of a call, and what to write instead; None if nothing is.

    Parameters
    ----------
    function : callable
        What was called; of a method, with the object as first argument.
    args : sequence
        Arguments without a name.
    kwargs : mapping
        Arguments by name.
    elsewhere : callable, optional
        Takes an unknown argument and says who has it, nothing if it does not know.
    """
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        own = [p for p in signature.parameters.values() if p.name != "self"]
        unnamed = [p.name for p in own if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        given = len(args) - (len(own) < len(signature.parameters))
        required = [p.name for p in own[given:] if p.default is p.empty and p.kind < p.VAR_POSITIONAL]
        lacking = [f"{name}=" for name in required if name not in kwargs]
        for name in kwargs:
            if name not in signature.parameters:
                hint = _with_value(name, kwargs[name]) or _hint(function.__name__, name, own, elsewhere)
                return f"{function.__name__}() has no argument {name!r}; {hint}"
        if given > len(unnamed):
            return f"{function.__name__}() takes {_count(unnamed)} without a name, not {given}; {_listed(own)}"
        if lacking:
            return f"{function.__name__}() needs {' and '.join(lacking)}"
        return f"{function.__name__}() was given an argument twice; {_listed(own)}"
    return None


def instead(function: str, argument: str) -> str:
    """What to write in place of an argument that a function does not have.

    Parameters
    ----------
    function, argument : str
        Their names.
    """
    return _INSTEAD.get(f"{function}.{argument}", _INSTEAD.get(argument, "leave it out"))


def _with_value(argument: str, value: Any) -> str:
    """The hint for an argument of which the value belongs into the answer; nothing for any other."""
    if argument not in _WITH_VALUE:
        return ""
    text, example = _WITH_VALUE[argument]
    shown = value.strip("~ ") if isinstance(value, str) else example
    return text.format(repr(shown) if text is _ROBUST else shown)


def _hint(
    function: str, argument: str, own: Sequence[inspect.Parameter], elsewhere: Callable[[str], str] | None
) -> str:
    if f"{function}.{argument}" in _INSTEAD or argument in _INSTEAD:
        return instead(function, argument)
    if elsewhere is not None and (owner := elsewhere(argument)):
        return f"only {owner} has it; {_listed(own)}"
    near = difflib.get_close_matches(argument.lower(), [p.name for p in own], n=1)
    return f"did you mean {near[0]}=?" if near else _listed(own)


def _listed(own: Sequence[inspect.Parameter]) -> str:
    names = [f"{p.name}=" for p in own if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return f"its arguments are {', '.join(names)}" if names else "it takes no arguments"


def _count(unnamed: Sequence[str]) -> str:
    if not unnamed:
        return "no argument"
    return f"{len(unnamed)} argument{'s' if len(unnamed) > 1 else ''} ({', '.join(unnamed)})"
