"""`unit_level`: means of small areas from data on units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import mixedeffects as me
from mixedeffects.errors import DataError, FormulaError
from mixedeffects.population.refits import checked_count

from . import nested_error as model
from .choices import one_of
from .direct import estimates as direct_estimates
from .direct import quoted
from .frames import listed, read
from .known import check_shares, means, sizes, sizes_of
from .results import UnitLevelResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

_SAMPLE_ONLY = "give their means in population_means, or leave them out with without_means='drop'"


def unit_level(
    formula: str | me.Formula,
    data: Any,
    *,
    area: str,
    population_means: Any = None,
    population_sizes: Any = None,
    method: str = "reml",
    mse: str = "analytic",
    n_bootstrap: int = 400,
    rng: Any = None,
    unsampled: str = "error",
    without_means: str = "error",
    contrasts: Mapping[str, Any] | None = None,
    missing: str = "drop",
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> UnitLevelResult:
    """Estimate the means of small areas from data on units (Battese, Harter & Fuller 1988).

    Parameters
    ----------
    formula : str or Formula
        The fixed part, ``"y ~ x1 + x2"``; the random effect of the area is added. ``(1 | area)`` may be written too.
    data : data frame or dict of columns
        One row for each unit of the sample: pandas, polars, pyarrow or a dict; never changed.
    area : str
        The column of the areas, in `data` and in the frames of the population.
    population_means : data frame, optional
        One row for each area: the column `area`, and for each coefficient but the constant a column of its name with
        the mean of that column of X over the area's population. ``x1`` needs the mean of x1, ``I(x1 ** 2)`` that of
        the squares, ``service[T.1]`` the share of the units with service 1. It may be left out if there is no
        covariate. Areas are matched as text: 1, 1.0 and "1" are the same.
    population_sizes : str, mapping or data frame, optional
        Numbers of units N of the populations: a column of `population_means`, area -> N, or a frame with the column
        `area` and one other. The part n / N of an area that was observed is then known without error. Without sizes
        the estimate is of x'beta + v, the mean of an infinite population.
    method : {"reml", "ml"}
        How the variances are estimated.
    mse : {"analytic", "bootstrap"}
        How the mean squared errors are estimated.
    n_bootstrap : int
        Number of bootstrap replicates.
    rng : None, int, Generator or SeedSequence
        Source of the bootstrap's draws.
    unsampled : {"error", "synthetic", "drop"}
        What to do about areas of `population_means` that have no unit in the sample: x'beta is their synthetic
        estimate.
    without_means : {"error", "drop"}
        What to do about areas of the sample that `population_means` does not have. Left out of the table, they still
        take part in the fit.
    contrasts, missing, functions : optional
        As `lmer` takes them.

    Returns
    -------
    UnitLevelResult
        Frozen; its arrays and ``to_frame()`` have the areas in the order of their names: of numbers for numeric
        areas, of text for text ("c1", "c10", "c2"), of the categories for categorical ones, not that of the rows of
        `population_means`. Match them by the column ``area``.

    Raises
    ------
    FormulaError
        If the formula has an offset or another random-effects term than ``(1 | area)``.
    DataError
        If a column is missing or not numeric, an area occurs twice, has no means, a size is wrong, or a mean is one
        that an indicator cannot have: outside [0, 1], or shares of one factor that sum above 1.

    Warns
    -----
    SingularFitWarning, ConvergenceWarning, DroppedRowsWarning, RankDeficiencyWarning
        As `lmer` does.

    Notes
    -----
    y_ij = x_ij'beta + v_i + e_ij, v_i ~ N(0, s_v), e_ij ~ N(0, s_e) [1]_. The EBLUP is
    f y_i + (1 - f) (x_rest'beta + gamma_i (y_i - x_i'beta)), gamma_i = s_v / (s_v + s_e / n_i), f = n_i / N_i, x_rest
    the means over the units not in the sample; f = 0 without sizes. The analytic mean squared error is
    (1 - f)^2 (g1 + g2 + 2 g3) + (1 - f) s_e / N of Prasad & Rao [2]_, by ML less the bias of g1 [3]_. The bootstrap
    [4]_ draws samples from the fit, fits the model to each and compares its EBLUP with the mean of the drawn
    population; that mean is replaced by its expectation given the drawn sample, and its variance added, which has the
    same expectation and less Monte Carlo error. It is about g1 + g2 + g3: unlike the analytic formula, it does not
    allow for g1 being too small, on average, at estimated variances. There are no survey weights: the model holds for
    the sample if the design does not depend on y given the covariates.

    References
    ----------
    .. [1] Battese, Harter & Fuller (1988), Journal of the American Statistical Association 83, 28-36,
       doi:10.1080/01621459.1988.10478561.
    .. [2] Prasad & Rao (1990), Journal of the American Statistical Association 85, 163-171,
       doi:10.1080/01621459.1990.10475320.
    .. [3] Datta & Lahiri (2000), Statistica Sinica 10, 613-627; Rao & Molina (2015), Small Area Estimation,
       section 7.2.
    .. [4] Gonzalez-Manteiga, Lombardia, Molina, Morales & Santamaria (2008), Journal of Statistical Computation and
       Simulation 78, 443-462, doi:10.1080/00949650601141811.
    """
    one_of("method", method, ("reml", "ml"))
    one_of("mse", mse, ("analytic", "bootstrap"))
    one_of("unsampled", unsampled, ("error", "synthetic", "drop"))
    one_of("without_means", without_means, ("error", "drop"))
    n_bootstrap = checked_count(n_bootstrap, "n_bootstrap", least=2)
    text = _with_area(formula, area, functions)
    population = None if population_means is None else read(population_means, "population_means")
    known = sizes(population_sizes, area, population)
    fit = me.lmer(text, data, reml=method == "reml", contrasts=contrasts, missing=missing, functions=functions)
    places, X_bar = means(population, area, fit.design.names)
    check_shares(places, X_bar, fit.design.arrays)
    sample_areas = fit.design.levels[area]
    if population is None:
        places = [*sample_areas, *[name for name in known or () if name not in set(sample_areas)]]
        X_bar = np.ones((len(places), len(fit.design.names)))
    kept, notes = _chosen(places, sample_areas, unsampled, without_means)
    areas, X_bar = [places[i] for i in kept], X_bar[kept]
    return _result(fit, area, areas, X_bar, known, mse, n_bootstrap, rng, notes)


def _with_area(formula: Any, area: str, functions: Any) -> str:
    """Return the formula with the random effect of the area."""
    if not isinstance(formula, str | me.Formula):
        raise FormulaError(f"a formula is a text such as 'y ~ x', not {type(formula).__name__}")
    parsed = me.parse(formula, functions=functions) if isinstance(formula, str) else formula
    if parsed.offsets:
        raise FormulaError("an offset has no coefficient, and its population means are not known; subtract it from y")
    own = f"(1 | {quoted(area)})"
    given = [str(term) for term in parsed.random]
    if not given:
        return f"{parsed.text} + {own}"
    if len(given) > 1 or parsed.random[0].group != (area,) or parsed.random[0].expr != "1":
        raise FormulaError(
            f"the unit-level model has one random effect, {own}; the formula has {', '.join(given)}. Leave it out, or "
            "fit the model with lmer and predict from it"
        )
    return parsed.text


def _chosen(
    places: Sequence[str], sample_areas: Sequence[str], unsampled: str, without_means: str
) -> tuple[list[int], list[str]]:
    """Which areas of the population are estimated, by area, and what was left out."""
    notes = []
    have, sampled = set(places), set(sample_areas)
    unknown = [name for name in sample_areas if name not in have]
    if unknown:
        if without_means == "error":
            raise DataError(f"population_means lacks {listed(unknown)} of the data; {_SAMPLE_ONLY}")
        notes.append(f"Without population means and not estimated: {listed(unknown)}")
    empty = [name for name in places if name not in sampled]
    if empty and unsampled == "error":
        raise DataError(
            f"no unit of {listed(empty)} is in the sample; unsampled='synthetic' estimates from the covariates alone, "
            "unsampled='drop' leaves such areas out"
        )
    if empty and unsampled == "drop":
        notes.append(f"Without sample and left out: {listed(empty)}")
    order = _by_area(places, sample_areas)
    kept = [i for i in order if unsampled == "synthetic" or places[i] in sampled]
    if not kept:
        raise DataError("no area of population_means is in the data; its areas must be named as in the data")
    return kept, notes


def _by_area(places: Sequence[str], levels: Sequence[str]) -> list[int]:
    """Positions of the areas in the order of the fit's levels, into which those that it does not know are sorted.

    Levels that are neither in the order of numbers nor in that of text have an order of their own: other areas follow.
    """
    for key in (_number, str):
        try:
            if list(levels) == sorted(levels, key=key):
                return sorted(range(len(places)), key=lambda i: key(places[i]))
        except ValueError:  # not numbers
            continue
    rank = {name: i for i, name in enumerate(levels)}
    return sorted(range(len(places)), key=lambda i: rank.get(places[i], len(rank)))


def _number(text: str) -> tuple[float, str]:
    return float(text), text


def _result(
    fit: me.LmmResult,
    area: str,
    areas: list[str],
    X_bar: NDArray[np.float64],
    known: Mapping[str, float] | None,
    mse: str,
    n_bootstrap: int,
    rng: Any,
    notes: list[str],
) -> UnitLevelResult:
    arrays = fit.design
    codes, levels = arrays.terms[0].factor.codes, arrays.levels[area]
    sample = model.summarize(arrays.y, arrays.X, codes, len(levels))
    at = _parameters(fit)
    rank = {name: i for i, name in enumerate(levels)}
    position = np.array([rank.get(name, -1) for name in areas])
    n = _of(position, sample.n)
    N = sizes_of(areas, n, known)
    targets = _targets(sample, position, X_bar, N)
    direct = direct_estimates(arrays.y, codes, len(levels), None, None)
    vcov = fit.vcov.to_numpy()
    if mse == "analytic":
        parts = model.analytic_mse(targets, sample, at, vcov, reml=fit.reml)
        total = parts["g1"] + parts["g2"] + 2.0 * parts["g3"] + parts["g4"] + parts["correction"]
    else:
        parts, message = _bootstrap(fit, targets, sample.n, position, at, n_bootstrap, rng)
        total = parts["g1"] + parts["spread"]
        notes = [*notes, *message]
    if at.s_v == 0.0:
        notes = [*notes, "The variance between areas is estimated as 0: every estimate is the synthetic one"]
    rest = 1.0 - targets.fraction
    direct_variance = np.where(rest == 0.0, 0.0, rest * _of(position, direct.variance, np.nan))
    return UnitLevelResult(
        fit=fit,
        areas=tuple(areas),
        ranks=np.arange(len(areas)),
        n=n.astype(np.int64),
        population_sizes=None if known is None else N,
        direct=_of(position, sample.y, np.nan),
        direct_variance=direct_variance,
        eblup=model.eblup(targets, at),
        mse=total,
        gamma=model.shrinkage(n, at.s_v, at.s_e),
        synthetic=X_bar @ at.beta,
        mse_method=mse,
        parts=parts,
        notes=tuple(notes),
        kind=arrays.arrays.data_kind,
        n_areas_fitted=len(levels),
    )


def _parameters(fit: me.LmmResult) -> model.Estimates:
    beta = fit.fixef.to_numpy()
    s_v = float((fit.theta[0] * fit.sigma) ** 2)
    return model.Estimates(beta=beta[~np.isnan(beta)], s_v=s_v, s_e=fit.sigma**2)


def _of(position: NDArray[np.intp], values: NDArray[np.float64], otherwise: float = 0.0) -> NDArray[np.float64]:
    """Values of the areas estimated, from those of the areas of the sample."""
    shape = (-1,) + (1,) * (values.ndim - 1)
    return np.where((position >= 0).reshape(shape), values[position], otherwise)


def _targets(
    sample: model.Sample, position: NDArray[np.intp], X_bar: NDArray[np.float64], N: NDArray[np.float64]
) -> model.Targets:
    n, X = _of(position, sample.n), _of(position, sample.X)
    fraction = n / N
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = (X_bar - fraction[:, None] * X) / (1.0 - fraction)[:, None]
    whole = fraction == 1.0  # no unit is left, and the factor 1 - f is 0
    return model.Targets(
        n=n,
        y=_of(position, sample.y),
        X=X,
        X_rest=np.where(whole[:, None], 0.0, rest),
        fraction=fraction,
        rest_variance=(1.0 - fraction) / N,
    )


def _bootstrap(
    fit: me.LmmResult,
    targets: model.Targets,
    n: NDArray[np.float64],
    position: NDArray[np.intp],
    at: model.Estimates,
    n_bootstrap: int,
    rng: Any,
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Mean squared errors under the fit: that of the best predictor, and the EBLUP's distance from it."""
    codes = fit.design.terms[0].factor.codes

    def distance(again: me.LmmResult) -> NDArray[np.float64]:
        y = _of(position, model.area_means(again.design.y, codes, n))
        return model.eblup(targets, _parameters(again), y) - model.eblup(targets, at, y)

    drawn = fit.bootstrap(n_bootstrap, statistic=distance, rng=rng)
    squares = drawn.values**2
    parts = {
        "g1": model.known_parameter_mse(targets, at),
        "spread": squares.mean(axis=0),
        "mc_error": squares.std(axis=0, ddof=1) / np.sqrt(len(squares)),
    }
    return parts, [drawn.message] if drawn.message else []
