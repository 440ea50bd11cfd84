"""Estimated marginal means: predictions on a reference grid, averaged over the other predictors with equal weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedeffects.errors import DataError
from mixedeffects.formula import bare, outer_call
from mixedeffects.inference.contrast_weights import PAIRWISE, contrast_weights, value_label
from mixedeffects.inference.dispatch import Ddf, checked_ddf, t_test
from mixedeffects.inference.fixed_terms import estimability
from mixedeffects.inference.multiplicity import Adjust, adjusted_p, checked_adjust, critical_values
from mixedeffects.inference.reference_grid import ReferenceGrid, reference_grid
from mixedeffects.inference.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixedeffects.fit import LmmFit
    from mixedeffects.inference.response_scale import ResponseScale


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarginalMeans(Table):
    """Estimated marginal means.

    Attributes
    ----------
    columns : dict of str to list or ndarray
        The predictors of `specs`, then of `by`, estimate, std_error, df, lower, upper; NaN for means that are not
        estimable.
    text, notes, kind
        As in `Table`.
    fit : LmmFit
        The fit.
    specs, by : tuple of str
        The predictors whose means these are, and those within whose combinations they are compared.
    L : ndarray (r, p_full)
        The means as contrasts of all coefficients, aliased ones included; the first of `specs` runs fastest, then `by`.
    eta : ndarray (r,)
        The means on the scale of the model, NaN where they are not estimable.
    offset : float
        Mean of the model's offset, which the means contain.
    ddf : str
        Method for the degrees of freedom.
    level : float
        Confidence level.
    scale : ResponseScale or None
        To which the means were taken, and differences that are ratios there; None for means as they are.
    """

    fit: LmmFit
    specs: tuple[str, ...]
    by: tuple[str, ...]
    L: NDArray[np.float64]
    eta: NDArray[np.float64]
    offset: float
    ddf: str
    level: float
    scale: ResponseScale | None = None

    def contrasts(
        self,
        method: str | Mapping[str, Any] = "pairwise",
        adjust: str | None = None,
        *,
        level: float | None = None,
        differences: bool = False,
    ) -> Table:
        """Compare the means, within each combination of the `by` predictors.

        Parameters
        ----------
        method : {"pairwise", "revpairwise", "trt.vs.ctrl"} or mapping of str to weights
            All differences of two means, the first level minus the second or the other way round, or those of every
            level and the first; or contrasts by name, each a sequence with a weight for each mean, or a mapping of
            levels (tuples of levels for several predictors) to weights, the others being zero:
            ``{"drug": {"low": 0.5, "high": 0.5, "placebo": -1}}``.
        adjust : {"tukey", "bonferroni", "holm", "sidak", "none"}, optional
            For comparing several contrasts, within each combination of `by`; ``"tukey"`` by default for
            pairwise differences, ``"none"`` for other contrasts, also those with a control.
        level : float, optional
            Joint confidence level, that of the means by default.
        differences : bool
            Of means on the scale of the response: compare the means themselves, in the units of the response, in place
            of ratios or of contrasts on the scale of the model. Tests and limits are then of these differences.

        Returns
        -------
        Table
            Columns contrast, the `by` predictors, estimate, std_error, df, lower, upper, statistic, p_value. p-values
            and intervals are adjusted; intervals with ``"holm"`` are Bonferroni's. Of means on the scale of the
            response: ratios of means (log link), of odds (logit) or of medians (a response that is a logarithm),
            tested on the scale of the model; other contrasts stay on the scale of the model.

        Raises
        ------
        DataError
            For another method or adjustment, weights that do not fit the means, Tukey's adjustment of contrasts that
            are no pairwise differences, or `differences` of means on the scale of the model.

        Notes
        -----
        With `differences` a contrast is sum w_i h(eta_i), h being the inverse link or the inverse of the
        transformation. To first order its error is that of the linear combination sum w_i h'(eta_i) L_i of the
        coefficients, whose standard error and degrees of freedom it has. R's ``pairs(regrid(...))`` has the same
        estimates and standard errors, but the smallest degrees of freedom of the means that are compared.
        """
        pairwise = isinstance(method, str) and method in PAIRWISE
        chosen = checked_adjust(adjust or ("tukey" if pairwise else "none"))
        joint = self.level if level is None else _checked_level(level)
        n_means, combinations = self._sizes()
        ratio = None if self.scale is None or differences else self.scale.ratio
        levels = {name: list(self.columns[name][:n_means]) for name in self.specs}
        labels, weights = contrast_weights(method, levels, "-" if ratio is None else "/")
        if chosen == "tukey" and not pairwise:
            raise DataError(
                "adjust='tukey' is for all pairwise differences; choose 'bonferroni', 'holm', 'sidak' or 'none' for "
                "contrasts of your own"
            )
        tests = [
            self._tests(weights, slice(i * n_means, (i + 1) * n_means), differences=differences)
            for i in range(combinations)
        ]
        columns: dict[str, Any] = {"contrast": labels * combinations}
        for name in self.by:
            columns[name] = [value for value in self.columns[name][::n_means] for _ in labels]
        columns |= _joined([_with_intervals(test, joint, chosen, n_means) for test in tests])
        notes = [*self.notes[:-1]]
        if self.scale is not None and differences:
            of = "means" if self.scale.of is None else f"medians of {self.scale.of}"
            notes.append(f"contrasts are of {of}; standard errors and limits by the delta method")
        elif self.scale is not None and ratio is not None and _balanced(weights):
            columns = _powers(columns, ratio.base)
            notes.append(f"{ratio.name}; tests are on the scale of {self.scale.model_scale}")
        elif self.scale is not None:
            notes.append(f"contrasts are on the scale of {self.scale.model_scale}")
        return Table(
            columns=columns,
            text=("contrast", *(name for name in self.by if name in self.text)),
            notes=(*notes, *_family_notes(chosen, joint, n_means, len(labels))),
            kind=self.kind,
        )

    def _sizes(self) -> tuple[int, int]:
        """Number of means in a comparison, and of comparisons."""
        n_means = math.prod(len(dict.fromkeys(self.columns[name])) for name in self.specs)
        return n_means, len(self.L) // n_means

    def _linearised(
        self, weights: NDArray[np.float64], chosen: slice
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Contrasts on the scale of the response, (m,), and their gradients in all coefficients, (m, p_full)."""
        if self.scale is None:
            raise DataError(
                "differences=True is for means on the scale of the response: emmeans(..., scale='response'); contrasts "
                "of these means are differences already"
            )
        eta, used = self.eta[chosen], weights != 0.0
        with np.errstate(invalid="ignore"):
            mean, slope = self.scale.inverse.through({"estimate": eta})["estimate"], self.scale.inverse.slope(eta)
        value = np.sum(np.where(used, weights * mean, 0.0), axis=1)
        gradient = np.where(used, weights * slope, 0.0)
        return value, np.where(np.isnan(gradient), 0.0, gradient) @ self.L[chosen]

    def _tests(self, weights: NDArray[np.float64], chosen: slice, *, differences: bool) -> dict[str, Any]:
        """Estimates of contrasts within one combination of `by`."""
        if not differences:
            return _estimates(self.fit, weights @ self.L[chosen], self.offset * weights.sum(axis=1), self.ddf)
        value, gradient = self._linearised(weights, chosen)
        found = _estimates(self.fit, gradient, np.zeros(len(value)), self.ddf)
        unknown = np.where(np.isnan(value), np.nan, 0.0)
        return {name: column + unknown for name, column in {**found, "estimate": value}.items()}


def emmeans(
    fit: LmmFit,
    specs: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    ddf: str = "satterthwaite",
    *,
    level: float = 0.95,
    scale: ResponseScale | None = None,
) -> MarginalMeans:
    """Estimate marginal means.

    Parameters
    ----------
    fit : LmmFit
        The fit.
    specs : str or sequence of str
        The predictors whose means are wanted: columns of the data that the fixed part uses.
    by : str or sequence of str, optional
        Predictors within whose combinations the means are compared.
    at : mapping of str to value or sequence of values, optional
        Values of predictors, in place of all levels of a factor and of the mean of a covariate.
    ddf : {"satterthwaite", "kenward-roger", "residual", "normal"}
        Method for the degrees of freedom.
    level : float
        Confidence level.
    scale : ResponseScale, optional
        Give the means and their limits on this scale, standard errors by the delta method.

    Returns
    -------
    MarginalMeans
        Predictions from the fixed effects on the grid of all combinations, averaged with equal weights over
        the predictors that are not named; the first of `specs` runs fastest. An offset is taken at its mean.

    Raises
    ------
    DataError
        For a name that is no predictor, or a value that it cannot have.
    MixedEffectsError
        If the method for the degrees of freedom is undefined for this fit.

    References
    ----------
    .. [1] Searle, Speed & Milliken (1980), Population marginal means in the linear model, The American
       Statistician 34(4), 216-221, doi:10.2307/2684063.
    """
    method, level = checked_ddf(ddf), _checked_level(level)
    wanted = (specs,) if isinstance(specs, str) else tuple(specs)
    within = () if by is None else (by,) if isinstance(by, str) else tuple(by)
    wanted, within = tuple(map(bare, wanted)), tuple(map(bare, within))
    grid = reference_grid(fit.model, at)
    _check_names(wanted, within, list(grid.values))
    L = grid.averaged((*wanted, *within))
    offset = 0.0 if fit.model.offset is None else float(np.mean(fit.model.offset))
    columns = _combinations({name: grid.values[name] for name in (*wanted, *within)})
    tests = _with_intervals(_estimates(fit, L, np.full(len(L), offset), method), level, "none", len(L))
    for name in ("estimate", "std_error", "df", "lower", "upper"):
        columns[name] = tests[name]
    notes = (*_offset_notes(fit, offset), *_notes(grid, (*wanted, *within), method, level))
    if scale is not None:
        columns |= scale.inverse.through({name: columns[name] for name in ("estimate", "std_error", "lower", "upper")})
        notes = (*notes[:-1], scale.means, notes[-1])
    return MarginalMeans(
        columns=columns,
        text=tuple(name for name in (*wanted, *within) if grid.values[name].dtype.kind not in "biuf"),
        notes=notes,
        kind=fit.model.data_kind,
        fit=fit,
        specs=wanted,
        by=within,
        L=L,
        eta=tests["estimate"],
        offset=offset,
        ddf=method,
        level=level,
        scale=scale,
    )


def _balanced(weights: NDArray[np.float64]) -> bool:
    """Whether the weights of every contrast add up to 0, up to rounding: thirds do not exactly."""
    return bool(np.all(np.abs(weights.sum(axis=1)) <= 1e-12 * np.abs(weights).sum(axis=1)))


def _powers(columns: dict[str, Any], base: float) -> dict[str, Any]:
    """Contrasts of logarithms as ratios; the standard errors by the delta method."""
    found = {name: base ** columns[name] for name in ("estimate", "lower", "upper")}
    return {**columns, **found, "std_error": math.log(base) * found["estimate"] * columns["std_error"]}


def _notes(grid: ReferenceGrid, names: tuple[str, ...], ddf: Ddf, level: float) -> tuple[str, ...]:
    """What was averaged or held fixed, the method, and last the confidence level."""
    averaged = [name for name, values in grid.values.items() if name not in names and len(values) > 1]
    held = [f"{name} = {value_label(values[0])}" for name, values in grid.values.items() if len(values) == 1]
    return (
        *((f"averaged over the levels of {', '.join(averaged)}",) if averaged else ()),
        *((f"at {', '.join(held)}",) if held else ()),
        f"degrees of freedom: {ddf}",
        f"confidence level {level:g}",
    )


def _offset_notes(fit: LmmFit, mean: float) -> tuple[str, ...]:
    """At which offset the means are, and at which exposure if it is the logarithm of one."""
    if fit.model.offset is None:
        return ()
    known = ""
    for text in fit.model.formula.offsets:
        function, exposure = outer_call(text, frozenset(fit.model.encoding.functions)) or ("", "")
        values = fit.model.columns.get(bare(exposure))
        # Only what is the whole offset: there may be others, one of them an argument.
        if function == "log" and isinstance(values, np.ndarray) and np.allclose(np.log(values), fit.model.offset):
            known = f", which is {exposure} = {np.exp(mean):.4g}"
    return (f"offset at its mean, {mean:.4g}{known}",)


def _family_notes(adjust: Adjust, level: float, n_means: int, n_contrasts: int) -> tuple[str, ...]:
    if adjust == "none" or n_contrasts == 1:
        return (f"confidence level {level:g}", "p-values not adjusted")
    family = f"{n_means} means" if adjust == "tukey" else f"{n_contrasts} contrasts"
    intervals = "bonferroni" if adjust == "holm" else adjust
    return (
        f"joint confidence level {level:g}, {intervals} method for {family}",
        f"p-values adjusted by the {adjust} method for {family}",
    )


def _check_names(specs: tuple[str, ...], by: tuple[str, ...], predictors: list[str]) -> None:
    if not specs:
        raise DataError("specs is empty; name the predictors whose means are wanted")
    seen: set[str] = set()
    for name in (*specs, *by):
        if name not in predictors:
            known = ", ".join(map(repr, predictors)) or "none"
            raise DataError(f"{name!r} is no predictor of the fixed part; those are {known}")
        if name in seen:
            raise DataError(f"{name!r} is named twice in specs and by; name each predictor once")
        seen.add(name)


def _checked_level(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise DataError(f"level={level!r} must lie between 0 and 1")
    return float(level)


def _combinations(values: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Columns of all combinations, the first running fastest."""
    rows = [row[::-1] for row in itertools.product(*(column.tolist() for column in reversed(list(values.values()))))]
    return {name: [row[i] for row in rows] for i, name in enumerate(values)}


def _estimates(
    fit: LmmFit, L: NDArray[np.float64], offset: NDArray[np.float64], ddf: str
) -> dict[str, NDArray[np.float64]]:
    """Estimate, standard error and degrees of freedom of each row; NaN where it is not estimable."""
    reduced, estimable = estimability(fit.model).reduce(L)
    estimate, std_error, df = (np.full(len(L), np.nan) for _ in range(3))
    for i in np.flatnonzero(estimable):
        if not reduced[i].any():
            estimate[i], std_error[i] = offset[i], 0.0  # known for certain: no coefficient is in it
            continue
        test = t_test(fit, reduced[i], ddf=ddf)
        estimate[i], std_error[i], df[i] = test.estimate + offset[i], test.std_error, test.df
    return {"estimate": estimate, "std_error": std_error, "df": df}


def _with_intervals(
    test: dict[str, NDArray[np.float64]], level: float, adjust: Adjust, n_means: int
) -> dict[str, NDArray[np.float64]]:
    """Add intervals, statistics and p-values of one family."""
    estimate, std_error, df = test["estimate"], test["std_error"], test["df"]
    half = np.where(std_error == 0.0, 0.0, critical_values(df, level, adjust, n_means) * std_error)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(std_error == 0.0, np.nan, estimate / std_error)
    return {
        **test,
        "lower": estimate - half,
        "upper": estimate + half,
        "statistic": statistic,
        "p_value": adjusted_p(statistic, df, adjust, n_means),
    }


def _joined(tests: list[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.concatenate([test[name] for test in tests]) for name in tests[0]}
