"""The functions that a user calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedeffects.design import design
from mixedeffects.errors import FormulaError
from mixedeffects.fit import fit_lmm
from mixedeffects.fit.arguments import checked_control, checked_reml
from mixedeffects.fit.report import report
from mixedeffects.formula import Formula
from mixedeffects.results import LmmResult, result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mixedeffects.control import Control


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


def _check_formula(formula: Any) -> None:
    if not isinstance(formula, str | Formula):
        raise FormulaError(
            f"a formula is a text such as 'y ~ x + (1 | g)' or what `parse` returns, not {type(formula).__name__}"
        )
