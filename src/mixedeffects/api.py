"""The functions that a user calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.design import design
from mixedeffects.errors import FormulaError
from mixedeffects.fit import fit_lmm
from mixedeffects.fit.arguments import checked_control, checked_nagq, checked_reml
from mixedeffects.fit.calls import clear_call
from mixedeffects.fit.report import report
from mixedeffects.formula import Formula
from mixedeffects.results import LmmResult, result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mixedeffects.control import Control
    from mixedeffects.families import Family
    from mixedeffects.results.glmm import GlmmResult


@clear_call
def lmer(
    formula: str | Formula,
    data: Any,
    *,
    reml: bool = True,
    weights: str | Any | None = None,
    offset: str | Any | None = None,
    contrasts: Mapping[str, Any] | None = None,
    missing: str = "drop",
    start: Any | None = None,
    control: Control | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> LmmResult:
    """Fit a linear mixed model.

    Parameters
    ----------
    formula : str or Formula
        Such as ``"Reaction ~ Days + (Days | Subject)"``: fixed effects in formulaic's grammar, random-effects terms
        as lme4 writes them.
    data : data frame or dict of columns
        pandas, polars, pyarrow or a dict; never changed.
    reml : bool
        Restricted maximum likelihood (default), or ordinary.
    weights : str or array-like (n,), optional
        Prior weights: the residual variance of a row is sigma^2 / weight. Rows of weight 0 are dropped.
    offset : str or array-like (n,), optional
        Known part of the mean.
    contrasts : mapping, optional
        Column -> ``"treatment"`` (default), ``"sum"``, ``"helmert"``, ``"poly"`` or a matrix. They concern the fixed
        part only, as in lme4.
    missing : {"drop", "raise"}
        What to do about rows with missing values.
    start : array-like (d,), optional
        Starting value of theta.
    control : Control, optional
        Options of the optimizer.
    functions : mapping of str to callable, optional
        Functions that the formula may call besides NumPy's.

    Returns
    -------
    LmmResult
        The fit; ``print`` it for the summary.

    Raises
    ------
    FormulaError
        If the formula cannot be read.
    DataError
        If the data do not fit the formula.
    ConvergenceError
        If the criterion cannot be computed at all.

    Warns
    -----
    SingularFitWarning
        If a covariance matrix is estimated to be singular.
    ConvergenceWarning
        If the optimizer's certificate does not hold.
    DroppedRowsWarning, RankDeficiencyWarning
        If rows or columns are left out.

    Notes
    -----
    y | gamma ~ N(X beta + Z gamma, sigma^2 W^-1), gamma ~ N(0, sigma^2 Lambda Lambda') [1]_. The profiled criterion is
    minimized over theta by trust-region Newton with exact derivatives.

    References
    ----------
    .. [1] Bates, Maechler, Bolker & Walker (2015), Fitting linear mixed-effects models using lme4, Journal of
       Statistical Software 67(1), doi:10.18637/jss.v067.i01.

    Examples
    --------
    >>> import mixedeffects as me
    >>> fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
    >>> round(fit.criterion, 4)
    1743.6283
    """
    _check_formula(formula)
    reml, control = checked_reml(reml), checked_control(control)
    if start is not None:
        control = control.with_start(start)
    arrays = design(
        formula, data, weights=weights, offset=offset, contrasts=contrasts, missing=missing, functions=functions
    )
    fit = result_of(fit_lmm(arrays, reml=reml, control=control))
    report(fit)
    return fit


@clear_call
def glmer(
    formula: str | Formula,
    data: Any,
    family: str | Family[Any] = "binomial",
    *,
    link: str | None = None,
    nagq: int = 1,
    weights: str | Any | None = None,
    offset: str | Any | None = None,
    contrasts: Mapping[str, Any] | None = None,
    missing: str = "drop",
    start: Any | None = None,
    control: Control | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> GlmmResult:
    """Fit a generalized linear mixed model by maximum likelihood.

    Parameters
    ----------
    formula : str or Formula
        As for `lmer`. A binomial response is 0 or 1, a boolean, two categories (the first is a failure), a proportion
        with the numbers of trials as `weights`, or ``cbind(successes, failures)``.
    data : data frame or dict of columns
        pandas, polars, pyarrow or a dict; never changed.
    family : str or Family
        binomial, poisson, gamma, inverse_gaussian, negative_binomial, negative_binomial1, beta, gaussian, or one of
        ``mixedeffects.families``, such as ``Binomial(link="probit")``.
    link : str, optional
        Link by name; the family's default otherwise.
    nagq : int
        1: Laplace approximation. More: adaptive Gauss-Hermite quadrature with so many nodes per column, for one
        grouping factor with at most 3 columns of random effects (at most 100, 51 and 25 nodes with 1, 2 and 3). 0: the
        fixed effects are taken as part of the mode, which is faster and less exact.
    weights : str or array-like (n,), optional
        Numbers of trials (binomial); divisors of the dispersion (gamma, inverse_gaussian, gaussian); elsewhere a row
        of weight w counts as w rows. Rows of weight 0 are dropped.
    offset : str or array-like (n,), optional
        Known part of the linear predictor, on the scale of the link: a column of logarithms for an exposure under a log
        link, not the exposure. ``offset(log(exposure))`` in the formula is the same, and is found again in new data. An
        array has one value for each row of the data, also for those that are dropped.
    contrasts : mapping, optional
        As for `lmer`.
    missing : {"drop", "raise"}
        What to do about rows with missing values.
    start : array-like (d,), optional
        Starting value of theta.
    control : Control, optional
        Options of the optimizer.
    functions : mapping of str to callable, optional
        Functions that the formula may call besides NumPy's.

    Returns
    -------
    GlmmResult
        The fit; ``print`` it for the summary.

    Raises
    ------
    FormulaError
        If the formula cannot be read.
    DataError
        If the data do not fit the formula or the family.
    ConvergenceError
        If there is no mode at the starting value.

    Warns
    -----
    SingularFitWarning, ConvergenceWarning, DroppedRowsWarning, RankDeficiencyWarning
        As `lmer` does.

    Notes
    -----
    y_i | b has the family's distribution with g(mu_i) = x_i'beta + z_i'b + offset_i, b ~ N(0, Lambda Lambda'). The
    Laplace approximation of the likelihood [1]_, with the observed information, is maximized over theta, beta and the
    dispersion together, with its exact gradient; standard errors are from the exact joint Hessian. The quadrature [2]_
    takes its place with ``nagq > 1``; all constants of the likelihood are kept.

    References
    ----------
    .. [1] Bates, Maechler, Bolker & Walker (2015), Journal of Statistical Software 67(1), doi:10.18637/jss.v067.i01;
       Brooks et al. (2017), The R Journal 9(2), 378-400, doi:10.32614/RJ-2017-066.
    .. [2] Pinheiro & Bates (1995), Journal of Computational and Graphical Statistics 4, 12-35,
       doi:10.1080/10618600.1995.10474663.

    Examples
    --------
    >>> import mixedeffects as me
    >>> data = me.datasets.load("cbpp")
    >>> fit = me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data)
    >>> round(fit.criterion, 4)
    184.0526
    """
    from mixedeffects.families import family_of
    from mixedeffects.fit.glmm import fit_glmm
    from mixedeffects.results.glmm import glmm_result_of

    _check_formula(formula)
    chosen, control = family_of(family, link), checked_control(control)
    nagq = checked_nagq(nagq)
    if start is not None:
        control = control.with_start(start)
    arrays = design(
        formula,
        data,
        weights=weights,
        offset=offset,
        contrasts=contrasts,
        missing=missing,
        functions=functions,
        allow_observation_level=True,
        successes=chosen.name == "binomial",
    )
    fit = glmm_result_of(fit_glmm(arrays, chosen, nagq=nagq, control=control))
    report(fit)
    return fit


def _check_formula(formula: Any) -> None:
    if not isinstance(formula, str | Formula):
        raise FormulaError(
            f"a formula is a text such as 'y ~ x + (1 | g)' or what `parse` returns, not {type(formula).__name__}"
        )
