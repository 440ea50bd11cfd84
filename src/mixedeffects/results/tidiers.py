"""Tidy tables of a fit with broom.mixed's rows and columns: tidy, glance, augment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mixedeffects.diagnostics.influence import conditional_cooks
from mixedeffects.errors import DataError
from mixedeffects.fit import effects as fit_effects
from mixedeffects.fit.functionals import leverage
from mixedeffects.fit.kinds import scale_parameter
from mixedeffects.fit.residuals import residuals
from mixedeffects.frame import to_frame, with_columns
from mixedeffects.inference.anova import coef_table
from mixedeffects.inference.distributions import normal_ppf, t_upper_quantile
from mixedeffects.tables.frames import noted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.inference.response_scale import Ratio
    from mixedeffects.results.glmm import GlmmResult
    from mixedeffects.results.lmm import LmmResult

    Result: TypeAlias = LmmResult | GlmmResult

EFFECTS = ("fixed", "ran_pars", "ran_vals", "ran_coefs")
_COLUMNS = ("effect", "group", "level", "term", "estimate", "std_error", "df", "statistic", "p_value", "lower", "upper")

Row = dict[str, Any]


def tidy(
    fit: Result,
    effects: str | Sequence[str],
    *,
    conf_int: bool,
    level: float,
    method: str,
    ddf: str | None,
    ratio: Ratio | None = None,
) -> Any:
    """Build the table of `LmmResult.tidy`; with a ratio, powers of the fixed effects."""
    wanted = [effects] if isinstance(effects, str) else list(effects)
    for name in wanted:
        if name not in EFFECTS:
            raise DataError(f"effects={name!r} is not known; choose among {', '.join(map(repr, EFFECTS))}")
    if ratio is not None and "fixed" not in wanted:
        raise DataError(f"exponentiate=True is about fixed effects, which effects={effects!r} leaves out; add 'fixed'")
    if not 0.0 < level < 1.0:
        raise DataError(f"level={level!r} must lie between 0 and 1")
    limits = _limits(fit, level, method, ddf) if conf_int and {"fixed", "ran_pars"} & set(wanted) else {}
    rows: list[Row] = []
    if "fixed" in wanted:
        rows += [row if ratio is None else _power(row, ratio.base) for row in _fixed(fit, ddf, limits)]
    if "ran_pars" in wanted:
        rows += _variance_parameters(fit, limits)
    if "ran_vals" in wanted:
        rows += _modes(fit, level if conf_int else None)
    if "ran_coefs" in wanted:
        rows += [_of_level("ran_coefs", *entry) for entry in _by_level(fit.coef)]
    shown = ["effect", "group", "term", "estimate", "std_error", "statistic"]
    shown += ["level"] if {"ran_vals", "ran_coefs"} & set(wanted) else []
    shown += ["df", "p_value"] if ddf is not None else []
    shown += ["lower", "upper"] if conf_int else []
    columns = {name: [row.get(name) for row in rows] for name in _COLUMNS if name in shown}
    table = to_frame(columns, fit.model.data_kind, text=("effect", "group", "level", "term"))
    return table if ratio is None else noted(table, [f"fixed effects: {ratio.name}; tests are of the coefficients"])


def _power(row: Row, base: float) -> Row:
    """A row of a coefficient b as one of base^b, the standard error by the delta method."""
    raised = {name: base ** row[name] for name in ("estimate", "lower", "upper") if row.get(name) is not None}
    return {**row, **raised, "std_error": raised["estimate"] * math.log(base) * row["std_error"]}


def _limits(fit: Result, level: float, method: str, ddf: str | None) -> dict[str, tuple[float, float]]:
    if method == "wald" and ddf is not None:
        table = coef_table(fit, ddf).columns
        estimate, error, df = (np.asarray(table[name]) for name in ("estimate", "std_error", "df"))
        half = t_upper_quantile(0.5 - 0.5 * level, df) * error
        return {n: (e - h, e + h) for n, e, h in zip(table["term"], estimate, half, strict=True)}
    found = fit.confint(method=method, level=level)
    return {str(n): (float(a), float(b)) for n, a, b in zip(found.index, found["lower"], found["upper"], strict=True)}


def _fixed(fit: Result, ddf: str | None, limits: dict[str, tuple[float, float]]) -> list[Row]:
    names, estimates = fit.model.kept_names, fit.solution.beta
    errors = np.sqrt(np.diag(fit.solution.vcov))
    tests: dict[str, dict[str, float]] = {}
    if ddf is not None:
        table = coef_table(fit, ddf).columns
        errors = np.asarray(table["std_error"], dtype=np.float64)[fit.model.kept]
        for name, df, p_value in zip(table["term"], table["df"], table["p_value"], strict=True):
            tests[name] = {"df": float(df), "p_value": float(p_value)}
    rows = []
    for name, estimate, error in zip(names, estimates.tolist(), errors.tolist(), strict=True):
        row: Row = {"effect": "fixed", "term": name, "estimate": estimate, "std_error": error}
        row["statistic"] = estimate / error
        rows.append(row | tests.get(name, {}) | _interval(limits, name))
    return rows


def _variance_parameters(fit: Result, limits: dict[str, tuple[float, float]]) -> list[Row]:
    rows = []
    for group, term, value in fit.varcorr.parameters():
        kind, _, names = term.partition("__")
        name = "sigma" if group == "Residual" else f"sd_{names}|{group}"
        if kind == "cor":
            name = next(key for key in _correlation_names(fit, group) if key[1] == names)[0]
        row: Row = {"effect": "ran_pars", "group": group, "term": term, "estimate": value}
        rows.append(row | _interval(limits, name))
    dispersion = _own_dispersion(fit)
    if dispersion is not None:
        row = {"effect": "ran_pars", "term": "dispersion", "estimate": dispersion}
        rows.append(row | _interval(limits, "dispersion"))
    return rows


def _own_dispersion(fit: Result) -> float | None:
    """The dispersion, where it is a parameter and no residual standard deviation."""
    scale = scale_parameter(fit)
    return scale[1] if scale is not None and scale[0] == "dispersion" else None


def _correlation_names(fit: Result, group: str) -> list[tuple[str, str]]:
    """For each correlation of a term its name among the parameters, and in broom.mixed's spelling."""
    term = next(term for term in fit.model.terms if term.key == group)
    return [(f"cor_{b}.{a}|{group}", f"{a}.{b}") for i, a in enumerate(term.names) for b in term.names[i + 1 :]]


def _interval(limits: dict[str, tuple[float, float]], name: str) -> Row:
    lower, upper = limits.get(name, (None, None))
    return {"lower": _number(lower), "upper": _number(upper)}


def _number(value: float | None) -> float | None:
    """None where there is no number: one kind of missing in all columns."""
    return None if value is None or np.isnan(value) else value


def _modes(fit: Result, level: float | None) -> list[Row]:
    table = fit.ranef.columns()
    rows = []
    for group, label, term, estimate, error in zip(
        *(table[name] for name in ("group", "level", "term", "estimate", "std_error")), strict=True
    ):
        row = _of_level("ran_vals", group, label, term, float(estimate)) | {"std_error": float(error)}
        if level is not None:
            half = float(normal_ppf(0.5 + 0.5 * level)) * float(error)
            row |= {"lower": estimate - half, "upper": estimate + half}
        rows.append(row)
    return rows


def _by_level(values: Any) -> list[tuple[str, str, str, float]]:
    table = values.columns()
    keys = (table[name] for name in ("group", "level", "term", "estimate"))
    return [(str(g), str(level), str(t), float(e)) for g, level, t, e in zip(*keys, strict=True)]


def _of_level(effect: str, group: str, level: str, term: str, estimate: float) -> Row:
    return {"effect": effect, "group": group, "level": level, "term": term, "estimate": estimate}


def glance(fit: Result) -> Any:
    """Build the table of `LmmResult.glance`."""
    row = {
        "nobs": fit.nobs,
        "sigma": fit.sigma,
        "loglik": fit.loglik,
        "aic": fit.aic,
        "bic": fit.bic,
        "reml_criterion" if fit.reml else "deviance": fit.criterion,
        "df_resid": fit.df_resid,
    }
    dispersion = _own_dispersion(fit)
    if dispersion is not None:
        row["dispersion"] = dispersion
    return to_frame({name: [value] for name, value in row.items()}, fit.model.data_kind)


def augment(fit: LmmResult, data: Any = None) -> Any:
    """Build the table of `LmmResult.augment`."""
    hat, fitted = leverage(fit), fit_effects.linear_predictor(fit)
    weights = fit.model.row_weights
    added = {
        ".fitted": fitted,
        ".resid": residuals(fit),
        ".hat": hat,
        ".cooksd": conditional_cooks(fit, hat),
        ".fixed": fit_effects.linear_predictor(fit, random=False),
        ".mu": fitted,
        ".offset": _offset(fit),
        ".sqrtXwt": np.sqrt(weights),
        ".sqrtrwt": np.sqrt(weights),
        ".weights": weights,
        ".wtres": residuals(fit, "pearson"),
    }
    return _beside_data(fit, data, added)


def augment_glmm(fit: GlmmResult, data: Any = None) -> Any:
    """Build the table of `GlmmResult.augment`."""
    hat, eta = leverage(fit), fit_effects.linear_predictor(fit)
    link = fit.family.link.derivatives(eta)
    weights = fit.model.row_weights
    root = np.sqrt(weights / fit.family.variance(link.value, fit.log_dispersion))
    added = {
        ".fitted": eta,
        ".resid": residuals(fit, "deviance"),
        ".hat": hat,
        ".cooksd": conditional_cooks(fit, hat),
        ".fixed": fit_effects.linear_predictor(fit, random=False),
        ".mu": link.value,
        ".offset": _offset(fit),
        ".sqrtXwt": root * np.abs(link.d1),
        ".sqrtrwt": root,
        ".weights": weights,
        ".wtres": residuals(fit, "pearson"),
        ".eta": eta,
    }
    return _beside_data(fit, data, added)


def _offset(fit: Result) -> NDArray[np.float64]:
    return np.zeros(fit.nobs) if fit.model.offset is None else fit.model.offset


def _beside_data(fit: Result, data: Any, added: dict[str, NDArray[np.float64]]) -> Any:
    """The new columns beside those of the data, over the rows used."""
    if data is not None:
        return with_columns(data, fit.rows, added, n_rows=fit.model.n_rows_given)
    return to_frame({**fit.model.source_columns(), **added}, fit.model.data_kind)
