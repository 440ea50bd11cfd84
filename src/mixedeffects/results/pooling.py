"""Public functions about shrinkage, and about the choice between fixed and random effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.design import design
from mixedeffects.diagnostics import hausman as _hausman
from mixedeffects.diagnostics import lm_list as _lm_list
from mixedeffects.diagnostics import pooling as _pooling
from mixedeffects.diagnostics import ridge as _ridge
from mixedeffects.diagnostics import within_between as _within_between
from mixedeffects.errors import DataError, FormulaError
from mixedeffects.fit import LmmFit, fit_lmm
from mixedeffects.fit.arguments import checked_control, checked_reml
from mixedeffects.fit.kinds import require_linear
from mixedeffects.fit.report import report
from mixedeffects.formula import Formula
from mixedeffects.results.lmm import result_of
from mixedeffects.results.pooling_views import HausmanResult, LmListResult, PoolingResult, WithinBetweenResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mixedeffects.diagnostics.ridge import RidgeEquivalent

_DATA_OPTIONS = ("weights", "offset", "contrasts", "missing", "functions")
_WHAT = "this comparison of groups, which rests on least squares,"
_OPTIONS = ("reml", "start", "control", *_DATA_OPTIONS)


def lm_list(
    formula: str | Formula,
    data: Any,
    *,
    weights: str | Any | None = None,
    offset: str | Any | None = None,
    contrasts: Mapping[str, Any] | None = None,
    missing: str = "drop",
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> LmListResult:
    """Fit a separate linear regression to every group: no pooling.

    Parameters
    ----------
    formula : str or Formula
        ``"Reaction ~ Days | Subject"`` as lme4's ``lmList`` has it, or ``"Reaction ~ (Days | Subject)"``; groups may be
        combinations, ``(Days | a:b)``. A fixed part beside the term is not used.
    data : data frame or dict of columns
        pandas, polars, pyarrow or a dict; never changed.
    weights : str or array-like (n,), optional
        Prior weights: the residual variance of a row is sigma^2 / weight. Rows of weight 0 are dropped.
    offset : str or array-like (n,), optional
        Known part of the mean.
    contrasts : mapping, optional
        Column -> contrasts, as `lmer` takes them; here they concern the columns of the term.
    missing : {"drop", "raise"}
        What to do about rows with missing values.
    functions : mapping of str to callable, optional
        Functions that the formula may call besides NumPy's.

    Returns
    -------
    LmListResult
        coef, std_errors (groups by coefficients), sigma, nobs, df_resid (by group), pooled_sd, ``to_frame(pool=True)``.

    Raises
    ------
    FormulaError
        If the formula cannot be read, or has not exactly one term with a bar.
    DataError
        If the data do not fit the formula.

    Warns
    -----
    RankDeficiencyWarning
        Once, with their number, if groups do not determine all their coefficients: by R's rule the later of aliased
        columns is left out and is NaN, and the others are those of the model without it.
    DroppedRowsWarning
        If rows have missing values or a weight of zero.

    Notes
    -----
    Columns are encoded once over all rows (knots, levels, polynomials), then y - offset is regressed on them by
    weighted least squares in every group. The pooled standard deviation is the root of sum_j rss_j over sum_j df_j, rss
    weighted; lme4's [1]_ leaves the weights out of rss and counts aliased coefficients too. One group is enough.

    References
    ----------
    .. [1] Bates, Maechler, Bolker & Walker (2015), Journal of Statistical Software 67(1), doi:10.18637/jss.v067.i01.

    Examples
    --------
    >>> import mixedeffects as me
    >>> found = lm_list("Reaction ~ Days | Subject", me.datasets.load("sleepstudy"))
    >>> found.coef.loc["308"].round(3).to_dict()
    {'Intercept': 244.193, 'Days': 21.765}
    >>> round(found.pooled_sd, 4)
    25.5918
    """
    found = _lm_list.lm_list(
        formula, data, weights=weights, offset=offset, contrasts=contrasts, missing=missing, functions=functions
    )
    return LmListResult(found=found)


def compare_pooling(
    formula_or_fit: str | Formula | LmmFit, data: Any = None, *, group: str | None = None, **options: Any
) -> PoolingResult:
    """Estimate the coefficients of every group without pooling, with complete and with partial pooling.

    Parameters
    ----------
    formula_or_fit : str, Formula or LmmResult
        A mixed model, or the formula of one.
    data : data frame or dict of columns, optional
        For a formula.
    group : str, optional
        The grouping factor where there are several.
    **options
        For a formula, what `lmer` takes: reml, weights, offset, contrasts, missing, start, control, functions.

    Returns
    -------
    PoolingResult
        ``to_frame()``, ``wide``, ``shrinkage`` (weights of the groups' own estimates), ``shrinkage_matrices``,
        ``pooling_factors``, ``own``, ``center``, ``fit``.

    Raises
    ------
    DataError
        If the model has several grouping factors and none is named, or options come with a fit.
    FormulaError
        If the formula cannot be read.

    Warns
    -----
    SingularFitWarning, ConvergenceWarning, DroppedRowsWarning, RankDeficiencyWarning
        For a formula, as `lmer` does.

    Notes
    -----
    No pooling: least squares in which the columns Z of the factor's random terms have coefficients of their own in
    every level, and the other fixed columns are common. Complete pooling: least squares of the fixed part. Partial
    pooling: the mixed model's fixed plus random effects. All three use weights, offset and the same rows; standard
    errors are given each model's own residual variance, those of partial pooling are the root of the variance of the
    prediction error, given the variance estimates.

    A fixed column that Z determines within every level (a property of the level, say) is counted into the level's own
    coefficients in all three, so that they compare; a note names it. Without such columns partial pooling is
    ``fit.coef``.

    Conditional modes are b_j = Lambda_j d_j, Lambda_j = Sigma (Sigma + sigma^2 (Z_j'W Z_j)^-1)^-1, d_j the
    least-squares coefficients of y - offset - X beta (and less the effects of other factors) on Z_j. This holds exactly
    for any model with the estimated beta: partial = center + Lambda_j (own - center) [1]_. `own` is the no-pooling
    estimate itself where all fixed columns are among those of Z; elsewhere no pooling estimates the common coefficients
    anew. For (1 | g) and no weights Lambda_j = sigma_g^2 / (sigma_g^2 + sigma^2 / n_j). The pooling factors are those
    of Gelman and Pardoe [2]_.

    Lambda_j takes the effects of other grouping factors as known. For a factor with a random intercept only, the column
    `reliability` is 1 - var(b_j | y) / sigma_g^2, which does not, and equals Lambda_j where there are no others.

    A variance of 0 gives Lambda_j = 0, complete pooling of that column. A level that does not determine a coefficient
    by itself has NaN without pooling (an intercept at 0 from a single row elsewhere too); with pooling it has a value.

    References
    ----------
    .. [1] Laird & Ware (1982), Random-effects models for longitudinal data, Biometrics 38, 963-974,
       doi:10.2307/2529876.
    .. [2] Gelman & Pardoe (2006), Technometrics 48(2), 241-251, doi:10.1198/004017005000000517.

    Examples
    --------
    >>> import mixedeffects as me
    >>> found = compare_pooling("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
    >>> found.wide.loc["308", "Days"].round(3).to_dict()
    {'no_pooling': 21.765, 'complete_pooling': 10.467, 'partial_pooling': 19.666}
    >>> found.shrinkage.loc["308"].round(3).to_dict()
    {'Intercept': 0.751, 'Days': 0.838, 'mean': 0.795}
    """
    fit = _fit_of(formula_or_fit, data, options)
    return PoolingResult(found=_pooling.compare_pooling(fit, group))


def within_between(
    fit_or_formula: str | Formula | LmmFit,
    data: Any = None,
    covariates: str | Sequence[str] | None = None,
    group: str | None = None,
    *,
    means: str = "unweighted",
    ddf: str = "satterthwaite",
    **options: Any,
) -> WithinBetweenResult:
    """Separate the effects of covariates within groups from those between groups.

    Parameters
    ----------
    fit_or_formula : str, Formula or LmmResult
        A mixed model, or the formula of one.
    data : data frame or dict of columns, optional
        For a formula.
    covariates : str or sequence of str, optional
        Columns or terms of the fixed part; by default all numeric columns that vary within the groups. Those of
        categorical terms are split if they are named.
    group : str, optional
        The grouping factor where there are several.
    means : {"unweighted", "weighted"}
        Group means over the rows, the usual choice, or weighted with the prior weights.
    ddf : {"satterthwaite", "kenward-roger", "residual", "normal"}
        Method for degrees of freedom.
    **options
        For a formula, what `lmer` takes.

    Returns
    -------
    WithinBetweenResult
        ``to_frame()``, ``test`` (Wald, all contextual effects zero), ``f_test``, and the fits ``given``, ``mundlak``,
        ``within_between``.

    Raises
    ------
    DataError
        For unknown names, a covariate that does not vary within the groups, or none that does.

    Notes
    -----
    With m the group mean of a column x of the fixed part, Mundlak's model [1]_ has x and m, the within-between model
    [2]_ x - m and m; both are the same model. within is the coefficient of x - m; between that of m beside it;
    contextual their difference, the coefficient of m in Mundlak's model, with its own standard error. The random part
    stays. In a random-intercept model with no weights, or with ``means="weighted"``, and all columns that vary within
    groups split, the within effects are those of the regression with an intercept for every group, whatever the
    variances are. That their contextual effects are zero is the hypothesis of Hausman's test.

    Columns of the design are split, not variables: of ``I(x**2)`` the mean of squares is taken, and a product ``x:z``
    is a column like any other. The effect between groups is NaN where the means are determined by other columns: equal
    in all groups, as in balanced designs, or in the model already.

    References
    ----------
    .. [1] Mundlak (1978), On the pooling of time series and cross section data, Econometrica 46(1), 69-85,
       doi:10.2307/1913646.
    .. [2] Bell & Jones (2015), Explaining fixed effects: random effects modeling of time-series cross-sectional and
       panel data, Political Science Research and Methods 3(1), 133-153, doi:10.1017/psrm.2014.7.

    Examples
    --------
    >>> import mixedeffects as me
    >>> data = {"g": [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4], "x": [1, 2, 3, 2, 3, 5, 4, 5, 7, 3, 5, 6],
    ...         "y": [2.1, 2.9, 4.2, 4.0, 5.2, 6.6, 8.9, 9.8, 12.3, 6.0, 8.1, 9.2]}
    >>> found = within_between("y ~ x + (1 | g)", data, ddf="normal")
    >>> found.to_frame()[["effect", "estimate"]].round(3)
           effect  estimate
    0       given     1.032
    1      within     1.023
    2     between     2.092
    3  contextual     1.069
    """
    fit = _fit_of(fit_or_formula, data, options)
    return WithinBetweenResult(found=_within_between.within_between(fit, covariates, group, means=means, ddf=ddf))


def hausman_test(fit: LmmFit, *, sigma: str = "separate") -> HausmanResult:
    """Test whether the within-group coefficients differ from those of a random-intercept model.

    Parameters
    ----------
    fit : LmmResult
        With one random intercept ``(1 | g)`` and no other random effect.
    sigma : {"separate", "random", "within"}
        Residual variance in the two covariances: of each model, that of the mixed model in both, or that of the
        within-group regression in both.

    Returns
    -------
    HausmanResult
        ``statistic``, ``df``, ``p_value``, ``positive_definite``, ``notes``, ``to_frame()``.

    Raises
    ------
    DataError
        For other random effects, or if nothing varies within the groups.

    Notes
    -----
    d'(V_fixed - V_random)^-1 d against chi-square [1]_, d the difference between the (weighted) regression with an
    intercept for every level and the mixed model in the coefficients of columns that vary within levels. V_random is
    efficient only given the right variances, so that the difference of the covariances need not be positive definite in
    a sample; the statistic then sums over the directions in which it is, and a note says so. With sigma="random" it
    cannot be negative. `within_between` tests the same hypothesis for any random part if it splits the same columns (of
    categorical terms too, which must be named; ``means="weighted"`` with prior weights), and needs no such difference
    [2]_. A note has the call.

    Where the level means of all these columns are equal, as in balanced designs, or determined by columns that are
    constant within levels, the two estimates agree by design: the statistic is NaN on 0 df, there is nothing to test.
    Where that holds in some directions, the statistic is over the others.

    References
    ----------
    .. [1] Hausman (1978), Specification tests in econometrics, Econometrica 46(6), 1251-1271, doi:10.2307/1913827.
    .. [2] Mundlak (1978), Econometrica 46(1), 69-85, doi:10.2307/1913646.

    Examples
    --------
    >>> import mixedeffects as me
    >>> data = {"g": [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4], "x": [1, 2, 3, 2, 3, 5, 4, 5, 7, 3, 5, 6],
    ...         "y": [2.1, 2.9, 4.2, 4.0, 5.2, 6.6, 8.9, 9.8, 12.3, 6.0, 8.1, 9.2]}
    >>> found = hausman_test(me.lmer("y ~ x + (1 | g)", data), sigma="random")
    >>> found.df
    1.0
    """
    return HausmanResult(found=_hausman.hausman_test(_checked(fit), sigma))


def ridge_equivalent(fit: LmmFit) -> RidgeEquivalent:
    """Show that a mixed model is a ridge regression whose penalties are ratios of variances.

    Parameters
    ----------
    fit : LmmResult
        Any fit.

    Returns
    -------
    RidgeEquivalent
        ``penalties`` (matrix, directions, values, effective degrees of freedom for each term), ``max_difference``
        between the fit and an independent least-squares solution, ``edf``, ``notes``, ``to_frame()``.

    Notes
    -----
    beta and the conditional modes minimize ``|W^(1/2) (y - offset - X beta - Z b)|^2 + sum_t sum_j b_tj'P_t b_tj`` with
    P_t = sigma^2 Sigma_t^-1, lambda = sigma^2 / sigma_g^2 for a single column. A variance of 0 is an infinite penalty.

    Examples
    --------
    >>> import mixedeffects as me
    >>> fit = me.lmer("Yield ~ 1 + (1 | Batch)", me.datasets.load("Dyestuff"))
    >>> found = ridge_equivalent(fit)
    >>> round(float(found.penalties[0].matrix[0, 0]), 4), found.max_difference < 1e-8
    (1.3896, True)
    """
    return _ridge.ridge_equivalent(_checked(fit))


def _checked(fit: Any) -> LmmFit:
    if not isinstance(fit, LmmFit):
        raise DataError(f"a fit is what lmer returns, not {type(fit).__name__}")
    require_linear(fit, _WHAT)
    return fit


def _fit_of(formula_or_fit: Any, data: Any, options: Mapping[str, Any]) -> LmmFit:
    """Return the fit, or fit the formula as `lmer` does."""
    if not isinstance(formula_or_fit, str | Formula):
        if not isinstance(formula_or_fit, LmmFit):
            raise FormulaError(
                f"give a fit or a formula such as 'y ~ x + (x | g)', not {type(formula_or_fit).__name__}"
            )
        given = "data" if data is not None else next(iter(options), None)
        if given is not None:
            raise DataError(f"{given!r} goes with a formula; a fit has its own")
        require_linear(formula_or_fit, _WHAT)
        return formula_or_fit
    if data is None:
        raise DataError("a formula needs data")
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise DataError(f"{unknown[0]!r} is no option of lmer; it takes {', '.join(_OPTIONS)}")
    reml, control = checked_reml(options.get("reml", True)), checked_control(options.get("control"))
    if options.get("start") is not None:
        control = control.with_start(options["start"])
    arrays = design(formula_or_fit, data, **{name: options[name] for name in _DATA_OPTIONS if name in options})
    fit = result_of(fit_lmm(arrays, reml=reml, control=control))
    report(fit)
    return fit
