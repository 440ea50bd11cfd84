"""Methods of a fit that are called with arguments, or under names, that only the other kind of fit or others have."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from mixedeffects.errors import UnavailableError
from mixedeffects.fit.calls import clear_call

if TYPE_CHECKING:
    from collections.abc import Callable

C = TypeVar("C", bound=type)

_KINDS = {"LmmResult": "a fit by lmer", "GlmmResult": "a fit by glmer"}
# What other programs call it, and what it is called here.
_HERE = {
    "params": "fit.fixef, and fit.theta for the covariance parameters",
    "fe_params": "fit.fixef",
    "coefficients": "fit.fixef, and fit.coef by group",
    "bse": "fit.std_errors, and fit.coef_table() for the table",
    "bse_fe": "fit.std_errors",
    "pvalues": "fit.coef_table()['p_value']",
    "tvalues": "fit.coef_table()['statistic']",
    "llf": "fit.loglik",
    "logLik": "fit.loglik",
    "deviance": "fit.criterion, and -2 * fit.loglik",
    "resid": "fit.residuals()",
    "random_effects": "fit.ranef",
    "random_effects_cov": "fit.ranef",
    "cov_re": "fit.varcorr",
    "vcomp": "fit.varcorr",
    "VarCorr": "fit.varcorr",
    "scale": "fit.sigma ** 2",
    "conf_int": "fit.confint()",
    "t_test": "fit.test(...)",
    "f_test": "fit.test(...)",
    "wald_test": "fit.test(...)",
    "fittedvalues": "fit.fitted",
    "cov_params": "fit.vcov",
    "summary2": "fit.summary()",
    "rsquared": "fit.r2()",
    "rsquared_adj": "fit.r2()",
    "get_prediction": "fit.predict(..., interval=...)",
    "get_robustcov_results": "fit.vcov_robust(cluster)",
    "df_residual": "fit.df_resid",
    "converged": "fit.optimum",
    "isSingular": "fit.is_singular",
    "coefs": "fit.coef_table()",
    "fixed_effects": "fit.fixef",
    "posthoc": "fit.emmeans(...).contrasts()",
}


def clear_calls(cls: C) -> C:
    """Make the public methods of a class answer arguments that they do not have by an ArgumentError.

    Of a fit, what only the other kind of fit has is told too.
    """
    for name in dir(cls):
        found = inspect.getattr_static(cls, name)
        if not name.startswith("_") and inspect.isfunction(found):
            setattr(cls, name, clear_call(found, _elsewhere(cls.__name__, name)))
    if cls.__name__ in _KINDS:
        setattr(cls, "__getattr__", _absent)  # noqa: B010  # declared in the class it would hide misspelt attributes
    return cls


def _elsewhere(owner: str, method: str) -> Callable[[str], str]:
    """Tells whether the other kind of fit has an argument of a method, by its name."""

    def owner_of(argument: str) -> str:
        other = _counterpart(owner)
        found = getattr(other, method, None)
        known = other is not None and found is not None and argument in inspect.signature(found).parameters
        return _KINDS[other.__name__] if other is not None and known else ""

    return owner_of


def _counterpart(owner: str) -> type | None:
    """The other kind of fit."""
    if owner not in _KINDS:
        return None
    from mixedeffects.results.glmm import GlmmResult
    from mixedeffects.results.lmm import LmmResult

    return GlmmResult if owner == "LmmResult" else LmmResult


def _absent(self: Any, name: str) -> Any:
    """Answer an attribute that a fit does not have."""
    own = type(self).__name__
    other = None if name.startswith("_") else _counterpart(own)
    if other is not None and hasattr(other, name):
        raise UnavailableError(f"{name} is for {_KINDS[other.__name__]}; this is {_KINDS[own]}, which does not have it")
    if name in _HERE and other is not None:
        raise UnavailableError(f"a fit has no attribute {name!r}; here: {_HERE[name]}")
    # Once more, so that the error is Python's own, or that of a property.
    return object.__getattribute__(self, name)
