"""Tidy tables for checking a fit: partial and binned residuals, one row a predictor, quantile residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

import mixedeffects as me
from mixedeffects.errors import DataError
from mixedeffects.population.generators import generator_of
from mixedeffects.population.refits import checked_count, is_fit
from mixedeffects.population.samples import frame_of
from mixedeffects.population.tables import column_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FITTED = ".fitted"


def partial_residuals(fit: Any, predictors: str | Sequence[str] | None = None) -> Any:
    """Compute partial residuals and the effects of numeric predictors.

    Parameters
    ----------
    fit : LmmResult or GlmmResult
        The fit.
    predictors : str or sequence of str, optional
        Numeric variables of the fixed part; by default all that are in no interaction.

    Returns
    -------
    data frame
        One row per predictor and row used: .obs (position in the data), .predictor_name, .predictor_value,
        .predictor_effect, .partial_resid.

    Raises
    ------
    DataError
        For a variable that is not numeric, not in the fixed part, or in an interaction.

    Notes
    -----
    With X_f the columns of X that are computed from the predictor f, the effect is b0 + X_f b_f (b0 the intercept, if
    there is one) and the partial residual b0 + X_f b_f + e [1]_, so that the effect runs through the residuals; e are
    the residuals given the random effects, working residuals in a generalized model, where both are on the scale of the
    link. regressinator's partial residuals are these less b0; its effect is this one. In an interaction the effect
    depends on other variables, and there is no such curve.

    References
    ----------
    .. [1] Cook (1993), Exploring partial residual plots, Technometrics 35(4), 351-362,
       doi:10.1080/00401706.1993.10485350; Cook & Croos-Dabrera (1998), Journal of the American Statistical
       Association 93(442), 730-739, doi:10.2307/2670123.
    """
    _check_fit(fit, "partial_residuals")
    own = _own_columns(fit)
    if predictors is None:
        chosen = [name for name in _numeric(fit) if own.get(name)]
        if not chosen:
            raise DataError("the fit has no numeric predictor outside interactions; there are no partial residuals")
    else:
        chosen = _chosen(fit, predictors)
        for name in chosen:
            if not own.get(name):
                why = "is in an interaction, where its effect depends on other variables" if name in own else ""
                raise DataError(f"partial_residuals: {name!r} {why or 'is not in the fixed part of the formula'}")
    b = np.nan_to_num(fit.fixef.to_numpy())[fit.model.kept]
    names = fit.model.kept_names
    b0 = float(b[names.index("Intercept")]) if "Intercept" in names else 0.0
    e = fit.residuals("working")
    effects = {name: b0 + fit.model.X[:, own[name]] @ b[own[name]] for name in chosen}
    values = [_numeric(fit)[name] for name in chosen]
    columns = {
        ".obs": np.tile(fit.rows, len(chosen)),
        ".predictor_name": np.repeat(np.array(chosen), fit.nobs),
        ".predictor_value": np.concatenate(values),
        ".predictor_effect": np.concatenate([effects[name] for name in chosen]),
        ".partial_resid": np.concatenate([effects[name] + e for name in chosen]),
    }
    return frame_of(columns, _kind(fit))


def binned_residuals(
    fit: Any,
    predictors: str | Sequence[str] | None = None,
    *,
    breaks: int | None = None,
    kind: str = "response",
    bins: str = "quantile",
) -> Any:
    """Average residuals in bins of predictors or fitted values.

    Parameters
    ----------
    fit : LmmResult or GlmmResult
        The fit.
    predictors : str or sequence of str, optional
        Numeric variables of the fixed part (all of them by default), or ``".fitted"``.
    breaks : int, optional
        Number of bins; by default the root of the number of rows, but 10 for fewer than 100, and half the number of
        rows for up to 10.
    kind : str
        Kind of residuals, as ``fit.residuals`` takes it.
    bins : {"quantile", "interval"}
        Bins with equally many rows, as far as ties allow, or of equal width.

    Returns
    -------
    data frame
        One row per predictor and bin with rows: .bin (from 1), predictor_name, n, predictor_min, predictor_max,
        predictor_mean, predictor_sd, resid_mean, resid_sd (missing for one row).

    Raises
    ------
    DataError
        For a variable that is not numeric, or another number or kind of bins.

    Notes
    -----
    If the model is right, about 95 % of the means are within 2 resid_sd / sqrt(n) of 0 [1]_. Residuals are those given
    the random effects, which shrinkage makes smaller than errors.

    References
    ----------
    .. [1] Gelman & Hill (2007), Data Analysis Using Regression and Multilevel/Hierarchical Models, section 5.6.
    """
    _check_fit(fit, "binned_residuals")
    count = _default_breaks(fit.nobs) if breaks is None else checked_count(breaks, "breaks")
    if bins not in ("quantile", "interval"):
        raise DataError(f"bins={bins!r} is not known; choose 'quantile' or 'interval'")
    residuals = fit.residuals(kind)
    rows: dict[str, list[Any]] = {}
    for name in _chosen(fit, predictors, fitted=True):
        values = fit.fitted if name == FITTED else _numeric(fit)[name]
        for number, inside in enumerate(_bins(values, count, bins), start=1):
            row = {".bin": number, "predictor_name": name, "n": len(inside)}
            row |= {"predictor_min": values[inside].min(), "predictor_max": values[inside].max()}
            row |= {"predictor_mean": values[inside].mean(), "predictor_sd": _sd(values[inside])}
            row |= {"resid_mean": residuals[inside].mean(), "resid_sd": _sd(residuals[inside])}
            for head, value in row.items():
                rows.setdefault(head, []).append(value)
    return frame_of({head: np.array(values) for head, values in rows.items()}, _kind(fit))


def augment_longer(fit: Any, data: Any = None) -> Any:
    """Return the data with fitted values and residuals, one row per numeric predictor and row.

    Parameters
    ----------
    fit : LmmResult or GlmmResult
        The fit.
    data : data frame, optional
        The data that were fitted, for columns that the formula does not use.

    Returns
    -------
    data frame
        What ``fit.augment(data)`` gives, the numeric predictors replaced by .predictor_name and .predictor_value; .obs
        is the position of the row in the data.

    Raises
    ------
    DataError
        If no predictor is numeric.
    """
    _check_fit(fit, "augment_longer")
    numeric = _numeric(fit)
    if not numeric:
        raise DataError("augment_longer: the fixed part has no numeric predictor")
    wide = augmented(fit, data)
    others = {name: values for name, values in _columns(wide).items() if name not in numeric}
    columns = {".obs": np.tile(fit.rows, len(numeric))}
    columns |= {".predictor_name": np.repeat(np.array(list(numeric)), fit.nobs)}
    columns |= {".predictor_value": np.concatenate(list(numeric.values()))}
    rows = np.tile(np.arange(fit.nobs), len(numeric))
    return frame_of({**columns, **{name: values[rows] for name, values in others.items()}}, _kind(fit))


def augment_quantile(fit: Any, data: Any = None, *, rng: Any = None) -> Any:
    """Return the data with fitted values, residuals and randomized quantile residuals.

    Parameters
    ----------
    fit : LmmResult or GlmmResult
        The fit.
    data : data frame, optional
        The data that were fitted, for columns that the formula does not use.
    rng : None, int, Generator or SeedSequence
        Source of the draws for discrete responses.

    Returns
    -------
    data frame
        What ``fit.augment(data)`` gives, and .quantile.resid.

    Notes
    -----
    The normal quantile of a uniform draw between P(Y < y) and P(Y <= y) given the random effects [1]_; for a continuous
    response nothing is drawn. Given the true random effects they would be standard normal if the model is true. Given
    predicted ones they vary less, the smaller the groups: their standard deviation is about 0.8 for groups of 2 rows
    and a variance between groups as large as that within. What they look like under the model is what `lineup` shows.

    References
    ----------
    .. [1] Dunn & Smyth (1996), Journal of Computational and Graphical Statistics 5(3), 236-244, doi:10.2307/1390802.
    """
    _check_fit(fit, "augment_quantile")
    drawn = {} if isinstance(fit, me.LmmResult) else {"rng": None if rng is None else generator_of(rng)}
    columns = _columns(augmented(fit, data))
    return frame_of({**columns, ".quantile.resid": fit.residuals("quantile", **drawn)}, _kind(fit))


def augmented(fit: Any, data: Any = None) -> Any:
    """The data with fitted values and residuals: what the fit offers as `augment`, or just these two."""
    if hasattr(fit, "augment"):
        return fit.augment(data)
    own = fit.model.source_columns() if data is None else {k: v[fit.rows] for k, v in _columns(data).items()}
    return frame_of({**own, FITTED: fit.fitted, ".resid": fit.residuals()}, _kind(fit))


def _check_fit(fit: Any, what: str) -> None:
    if not is_fit(fit):
        raise DataError(f"{what}: give a fit of lmer or glmer, not {type(fit).__name__}")


def _kind(fit: Any) -> str:
    return "pandas" if fit.model.data_kind == "dict" else str(fit.model.data_kind)


def _columns(frame: Any) -> dict[str, Any]:
    """The columns of a frame or dict as arrays, those of categories as factors."""
    if isinstance(frame, dict):
        return {name: np.asarray(values) for name, values in frame.items()}
    table = nw.from_native(frame, eager_only=True)
    return {name: column_values(table[name]) for name in table.columns}


def fixed_variables(fit: Any) -> dict[str, tuple[str, ...]]:
    """The variables of each term of the fixed part."""
    found: dict[str, tuple[str, ...]] = {}
    for label, _ in fit.model.assign:
        if label in fit.model.columns:
            found[label] = (label,)
        else:
            found[label] = me.parse(f"response_ ~ 0 + {label}").variables()[1:]
    return found


def _numeric(fit: Any) -> dict[str, NDArray[np.float64]]:
    """The numeric variables of the fixed part over the rows used."""
    names = dict.fromkeys(name for variables in fixed_variables(fit).values() for name in variables)
    columns: Mapping[str, Any] = fit.model.columns
    return {
        name: np.asarray(columns[name], dtype=np.float64)
        for name in names
        if isinstance(columns[name], np.ndarray) and columns[name].dtype.kind in "iuf"
    }


def _own_columns(fit: Any) -> dict[str, list[int]]:
    """The columns of X that are computed from a variable alone; none for one that is in an interaction."""
    place = {name: j for j, name in enumerate(fit.model.kept_names)}
    own: dict[str, list[int]] = {}
    shared: set[str] = set()
    for (_, columns), variables in zip(fit.model.assign, fixed_variables(fit).values(), strict=True):
        if len(variables) > 1:
            shared.update(variables)
        for name in variables:
            own.setdefault(name, []).extend(place[one] for one in fit.model.names[columns] if one in place)
    return {name: [] if name in shared else columns for name, columns in own.items()}


def _chosen(fit: Any, predictors: str | Sequence[str] | None, *, fitted: bool = False) -> list[str]:
    numeric = _numeric(fit)
    if predictors is None:
        if not numeric:
            hint = f"; predictors={FITTED!r} bins the fitted values" if fitted else ""
            raise DataError(f"the fixed part has no numeric predictor{hint}")
        return list(numeric)
    names = [predictors] if isinstance(predictors, str) else list(predictors)
    for name in names:
        if name not in numeric and not (fitted and name == FITTED):
            known = ", ".join(map(repr, [*numeric, *([FITTED] if fitted else [])]))
            raise DataError(f"{name!r} is no numeric predictor of the fixed part; those are {known or 'none'}")
    return names


def _default_breaks(n: int) -> int:
    if n >= 100:
        return int(np.sqrt(n))
    return 10 if n > 10 else max(n // 2, 1)


def _bins(values: NDArray[np.float64], count: int, kind: str) -> list[NDArray[np.intp]]:
    """Rows of each bin that has any, in the order of the values; equal values share a bin."""
    if kind == "interval":
        edges = np.linspace(values.min(), values.max(), count + 1)[1:-1]
    else:
        edges = np.unique(np.quantile(values, np.arange(1, count) / count))
    place = np.searchsorted(edges, values, side="left")
    return [np.flatnonzero(place == j) for j in range(len(edges) + 1) if np.any(place == j)]


def _sd(values: NDArray[np.float64]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
