"""`area_level`: means of small areas from direct estimates with known sampling variances."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import mixedeffects as me
from mixedeffects.errors import DataError, DroppedRowsWarning, FormulaError
from mixedeffects.population.refits import checked_count

from . import fay_herriot as model
from .choices import one_of
from .direct import quoted
from .frames import check_unique, column, kind_of, listed, numbers, read
from .results import AreaLevelResult
from .variance import AreaModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import narwhals.stable.v2 as nw
    from numpy.typing import NDArray


def area_level(
    formula: str | me.Formula,
    data: Any,
    *,
    variance: str | Any,
    area: str | None = None,
    n: str | None = None,
    method: str = "reml",
    mse: str = "analytic",
    n_bootstrap: int = 400,
    rng: Any = None,
    unsampled: str = "error",
    contrasts: Mapping[str, Any] | None = None,
    missing: str = "drop",
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> AreaLevelResult:
    """Estimate the means of small areas from direct estimates (Fay & Herriot 1979).

    Parameters
    ----------
    formula : str or Formula
        ``"y ~ x1 + x2"``: y the direct estimates, on the right covariates of the areas.
    data : data frame or dict of columns
        One row for each area: pandas, polars, pyarrow or a dict; never changed.
    variance : str or array-like (rows,)
        The sampling variances of the direct estimates (not standard errors), a column or an array.
    area : str, optional
        The column of the areas; without it they are named by their rows, from 0.
    n : str, optional
        A column of sample sizes, for the table only.
    method : {"reml", "ml", "fh"}
        How the variance between areas is estimated: by restricted or ordinary maximum likelihood, or from Fay and
        Herriot's moment equation.
    mse : {"analytic", "bootstrap"}
        How the mean squared errors are estimated.
    n_bootstrap : int
        Number of bootstrap replicates.
    rng : None, int, Generator or SeedSequence
        Source of the bootstrap's draws.
    unsampled : {"error", "synthetic", "drop"}
        What to do about areas whose y is missing: x'beta is their synthetic estimate.
    contrasts, missing, functions : optional
        As `lmer` takes them; rows with missing covariates are left out.

    Returns
    -------
    AreaLevelResult
        Frozen; its arrays and ``to_frame()`` have the areas in the order of the rows of `data`, ``to_frame("area")``
        in that of their names. Rows that are left out are missing there: `rows` has the positions of the others.

    Raises
    ------
    FormulaError
        If the formula has a random-effects term or an offset.
    DataError
        If a column is missing or not numeric, an area occurs twice or has no y, or a sampling variance is missing,
        zero or negative.

    Warns
    -----
    DroppedRowsWarning, RankDeficiencyWarning
        If rows or columns are left out.

    Notes
    -----
    y_i = x_i'beta + v_i + e_i, v_i ~ N(0, A), e_i ~ N(0, D_i) with D_i known [1]_. The EBLUP is
    gamma_i y_i + (1 - gamma_i) x_i'beta, gamma_i = A / (A + D_i). A is the global maximum over A >= 0, 0 exactly where
    it lies on the boundary. The mean squared error is g1 + g2 + 2 g3 by REML [2]_, and with a term for the bias of the
    estimated A by ML [3]_ and by the moment equation [4]_; the bootstrap is as in `unit_level`, about
    g1 + g2 + g3 less the bias of g1.

    References
    ----------
    .. [1] Fay & Herriot (1979), Journal of the American Statistical Association 74, 269-277,
       doi:10.1080/01621459.1979.10482505.
    .. [2] Prasad & Rao (1990), Journal of the American Statistical Association 85, 163-171,
       doi:10.1080/01621459.1990.10475320.
    .. [3] Datta & Lahiri (2000), Statistica Sinica 10, 613-627.
    .. [4] Datta, Rao & Smith (2005), Biometrika 92, 183-196, doi:10.1093/biomet/92.1.183.
    """
    one_of("method", method, ("reml", "ml", "fh"))
    one_of("mse", mse, ("analytic", "bootstrap"))
    one_of("unsampled", unsampled, ("error", "synthetic", "drop"))
    n_bootstrap = checked_count(n_bootstrap, "n_bootstrap", least=2)
    parsed = me.parse(formula, functions=functions) if isinstance(formula, str) else formula
    _check_formula(parsed)
    table = read(data, "data")
    for name in (*parsed.variables(), *(() if area is None else (area,))):
        column(table, name, "data")
    options = {"contrasts": contrasts, "missing": missing, "functions": functions}
    areas = _areas(parsed, table, area, unsampled, options)
    D = _variances(areas, variance, table)
    sizes = None if n is None else _whole(numbers(column(table, n, "data"), n, "data")[areas.rows])
    return _result(parsed, areas, D, sizes, method, mse, n_bootstrap, rng, kind_of(table))


def _whole(values: NDArray[np.float64]) -> NDArray[Any]:
    """Sizes as integers where they are."""
    return values.astype(np.int64) if (values == np.round(values)).all() else values


class _Areas(NamedTuple):
    """The areas to estimate, by row: their labels, rows, covariates, and direct estimates (NaN where missing).

    `ranks` are their places in the order of the levels.
    """

    labels: list[str]
    rows: NDArray[np.int64]
    ranks: NDArray[np.int32]
    X: NDArray[np.float64]
    names: tuple[str, ...]
    y: NDArray[np.float64]
    notes: tuple[str, ...]


def _check_formula(formula: Any) -> None:
    if not isinstance(formula, me.Formula):
        raise FormulaError(f"a formula is a text such as 'y ~ x', not {type(formula).__name__}")
    if formula.random:
        raise FormulaError(
            f"the area-level model has one effect for each row, which is not written; take {formula.random[0]} out"
        )
    if formula.offsets:
        raise FormulaError("an offset is not supported in the area-level model; subtract it from y")


def _areas(
    formula: me.Formula, table: nw.DataFrame[Any], area: str | None, unsampled: str, options: dict[str, Any]
) -> _Areas:
    """Compute the covariates of all areas and the direct estimates of those that have one."""
    n = len(table)
    columns = {name: table.get_column(name).to_native() for name in table.columns}
    row = _unused(columns)
    columns[row] = np.arange(n)
    present = _unused(columns)
    columns[present] = np.arange(n)
    group = quoted(row if area is None else area)
    every = me.design(f"`{present}` ~ {formula.fixed} + (1 | {group})", columns, allow_constant=True, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DroppedRowsWarning)  # a missing y is no dropped row here
        known = me.design(
            f"{formula.response} ~ 1 + (1 | {group})",
            columns,
            allow_constant=True,
            functions=options["functions"],
        )
    factor = every.terms[0].factor
    names = [str(label) for label in factor.labels]
    labels = [names[code] for code in factor.codes]
    check_unique(labels, "data")
    y = np.full(n, np.nan)
    y[known.rows] = known.y
    y = y[every.rows]
    empty = [label for label, value in zip(labels, y, strict=True) if np.isnan(value)]
    notes: tuple[str, ...] = ()
    keep = np.arange(len(y))
    if empty and unsampled == "error":
        raise DataError(
            f"there is no direct estimate ({formula.response} is missing) for {listed(empty)}; unsampled='synthetic' "
            "estimates from the covariates alone, unsampled='drop' leaves such areas out"
        )
    if empty and unsampled == "drop":
        notes = (f"Without direct estimate and left out: {listed(empty)}",)
        keep = keep[~np.isnan(y)]
    chosen = [labels[i] for i in keep]
    return _Areas(chosen, every.rows[keep], factor.codes[keep], every.X[keep], every.kept_names, y[keep], notes)


def _unused(columns: Mapping[str, Any]) -> str:
    """A name that no column has, so that no formula whose columns were found can mean it."""
    name = "row"
    while name in columns:
        name += "_"
    return name


def _variances(areas: _Areas, variance: Any, table: nw.DataFrame[Any]) -> NDArray[np.float64]:
    """Sampling variances of the areas, (t,); infinite without a direct estimate."""
    if isinstance(variance, str):
        D, what = numbers(column(table, variance, "data"), variance, "data"), f"the sampling variance {variance!r}"
    elif np.isscalar(variance) or variance is None:
        raise DataError(f"variance={variance!r}: give the name of a column, or one sampling variance for each row")
    else:
        given = read({"variance": _one_column(variance)}, "variance")
        D, what = numbers(column(given, "variance", "variance"), "variance", "the argument"), "the sampling variance"
        if len(D) != len(table):
            raise DataError(f"variance has {len(D)} values for {len(table)} rows; give one for each row")
    D = np.where(np.isnan(areas.y), np.inf, D[areas.rows])
    for wrong, why in (
        (np.isnan(D), "missing"),
        (np.isinf(D) & ~np.isnan(areas.y), "infinite"),
        (D == 0.0, "zero"),
        (D < 0.0, "negative"),
    ):
        if wrong.any():
            which = listed(areas.labels[i] for i in np.flatnonzero(wrong))
            raise DataError(
                f"{what} is {why} for {which}; it must be a positive number. Drop the row, or smooth the variances "
                "over the areas, as is done where samples are too small to give one"
            )
    return D


def _one_column(variance: Any) -> Any:
    """The sampling variances as one column: an (m, 1) array is one, and objects such as Decimal are numbers."""
    try:
        array = np.asarray(variance)
    except ValueError:
        raise DataError("variance is no column of numbers; give one sampling variance for each row") from None
    if array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 1) or array.ndim == 0:
        raise DataError(f"variance has the shape {array.shape}; give one sampling variance for each row")
    if array.ndim == 2:
        variance = array = array[:, 0]
    if array.dtype == object and not any(isinstance(value, str) for value in array.tolist()):
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError):
            return variance
    return variance


def _result(
    formula: me.Formula,
    areas: _Areas,
    D: NDArray[np.float64],
    sizes: NDArray[np.float64] | None,
    method: str,
    mse: str,
    n_bootstrap: int,
    rng: Any,
    kind: str,
) -> AreaLevelResult:
    sampled = np.flatnonzero(~np.isnan(areas.y))
    X, (m, p) = areas.X[sampled], (len(sampled), areas.X.shape[1])
    norms = np.linalg.norm(X, axis=0)
    if m <= p or np.linalg.matrix_rank(X / np.where(norms > 0.0, norms, 1.0)) < p:
        raise DataError(
            f"the {m} areas with direct estimates cannot determine {p} coefficients ({', '.join(areas.names)}) and a "
            "variance; use fewer covariates"
        )
    found = model.fit(AreaModel(X=X, D=D[sampled], method=method), areas.y[sampled])
    rows, y = found.in_basis(areas.X), np.where(np.isnan(areas.y), 0.0, areas.y)
    if mse == "analytic":
        parts = model.analytic_mse(found, rows, D)
        total = parts["g1"] + parts["g2"] + 2.0 * parts["g3"] + parts["correction"]
    else:
        parts = model.bootstrap_mse(found, rows, D, sampled, n_bootstrap, rng)
        total = parts["g1"] + parts["spread"]
    notes = areas.notes
    if found.is_singular:
        notes = (*notes, "The variance between areas is estimated as 0: every estimate is the synthetic one")
    return AreaLevelResult(
        formula=formula.text,
        method=method,
        names=areas.names,
        found=found,
        areas=tuple(areas.labels),
        ranks=areas.ranks,
        rows=areas.rows,
        n=sizes,
        population_sizes=None,
        direct=areas.y,
        direct_variance=np.where(np.isnan(areas.y), np.nan, D),
        eblup=model.eblup(rows, D, y, found.A, found.coefficients),
        mse=total,
        gamma=model.shrinkage(found.A, D),
        synthetic=rows @ found.coefficients,
        mse_method=mse,
        parts=parts,
        notes=notes,
        kind=kind,
    )
