"""How the variance on the scale of the link divides in a generalized fit: intraclass correlations and R squared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mixedeffects.errors import DataError, MixedEffectsError
from mixedeffects.families import Binomial
from mixedeffects.inference.reduction import fit_reduced, term_label
from mixedeffects.inference.variance import VarianceComponents, partition_table, variance_model

if TYPE_CHECKING:
    from mixedeffects.families import Family
    from mixedeffects.fit.glmm import GlmmFit
    from mixedeffects.inference.table import Table

Method = Literal["theoretical", "lognormal", "delta", "trigamma"]
Mean = Literal["null", "median", "response"]
_THRESHOLD = {"logit": np.pi**2 / 3.0, "probit": 1.0, "cloglog": np.pi**2 / 6.0}  # variances of the latent error
_GAMMA_LIKE = ("poisson", "negative_binomial", "negative_binomial1", "gamma")
_NODES = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatentVariance:
    """Variance components on the scale of the link.

    Attributes
    ----------
    components : VarianceComponents
        Fixed; random without the terms of one level per row; as residual the distribution's variance and theirs.
    distribution : float
        The variance that the response distribution stands for.
    overdispersion : dict of str to float
        Variances of the terms of one level per row.
    method : str
        How `distribution` was computed.
    mean : float or None
        The mean at which it was; None where it depends on none.
    """

    components: VarianceComponents
    distribution: float
    overdispersion: dict[str, float]
    method: str
    mean: float | None


def latent_variance(fit: GlmmFit, method: Method | None = None, mean: Mean = "null") -> LatentVariance:
    """Variance components of a generalized fit on the scale of the link.

    Parameters
    ----------
    fit : GlmmFit
        Any generalized fit.
    method : {"theoretical", "lognormal", "delta", "trigamma"}, optional
        As `distribution_variance` takes it.
    mean : {"null", "median", "response"}
        As `typical_mean` takes it.

    Raises
    ------
    DataError
        For another method or mean, or one that the family and link do not have.
    MixedEffectsError
        If no variance belongs to the link, as under cauchit.

    Notes
    -----
    fixed is the sample variance of X beta, random the mean over the rows of z'Sigma z [1]_ [2]_. A random intercept
    with one level per row is overdispersion: it counts as residual, not as groups.

    References
    ----------
    .. [1] Nakagawa, Johnson & Schielzeth (2017), Journal of the Royal Society Interface 14, 20170213,
       doi:10.1098/rsif.2017.0213.
    .. [2] Johnson (2014), Methods in Ecology and Evolution 5(9), 944-946, doi:10.1111/2041-210X.12225.
    """
    chosen = _checked_method(fit.distribution, method)
    if mean not in get_args(Mean):
        raise DataError(f"mean={mean!r} is not known; choose one of {', '.join(map(repr, get_args(Mean)))}")
    at = None if chosen == "theoretical" else typical_mean(fit, mean)
    distribution = distribution_variance(fit.distribution, chosen, 0.0 if at is None else at, fit.log_dispersion)
    parts = variance_model(fit).components(fit.solution.theta, 1.0, fit.solution.beta)
    single = [term.factor.n_levels == fit.nobs for term in fit.model.terms]
    extra = {
        term_label(term): value
        for term, value, alone in zip(fit.model.terms, parts.random, single, strict=True)
        if alone
    }
    groups = {term.group for term, alone in zip(fit.model.terms, single, strict=True) if not alone}
    components = replace(
        parts,
        random=tuple(value for value, alone in zip(parts.random, single, strict=True) if not alone),
        residual=distribution + sum(extra.values()),
        intercepts={group: value for group, value in parts.intercepts.items() if group in groups},
    )
    return LatentVariance(
        components=components, distribution=distribution, overdispersion=extra, method=chosen, mean=at
    )


def _checked_method(family: Family[Any], method: Method | None) -> Method:
    """The method asked for, or the one that suits the family and link."""
    link = family.link.name
    theoretical = isinstance(family, Binomial) and link in _THRESHOLD
    known = {
        "theoretical": theoretical,
        "lognormal": link == "log",
        "delta": True,
        "trigamma": link == "log" and family.name in _GAMMA_LIKE,
    }
    allowed = [name for name, there in known.items() if there]
    if method is None:
        if link == "cauchit":
            raise MixedEffectsError(
                "the latent error of a cauchit link is Cauchy and has no variance: there is no ICC and no R squared; "
                "give method='delta' for a first-order approximation, or fit another link"
            )
        return "theoretical" if theoretical else "lognormal" if link == "log" else "delta"
    if method not in allowed:
        raise DataError(f"method={method!r} does not go with {family!r}; choose one of {', '.join(map(repr, allowed))}")
    return method


def distribution_variance(family: Family[Any], method: Method, mean: float, log_dispersion: float = 0.0) -> float:
    """Variance that a response distribution stands for on the scale of the link.

    Parameters
    ----------
    family : Family
        Response distribution and link.
    method : {"theoretical", "lognormal", "delta", "trigamma"}
        theoretical: that of the latent error of a binary response, pi^2/3 (logit), 1 (probit), pi^2/6 (cloglog);
        lognormal (log link): ln(1 + c), c = V(mu) / mu^2; trigamma (log link): psi'(1/c); delta: V(mu) g'(mu)^2.
    mean : float
        mu; without effect for ``"theoretical"``.
    log_dispersion : float
        Logarithm of the dispersion.

    Notes
    -----
    V(mu) is the variance of one response of weight 1, for a binomial response of one trial [1]_.

    References
    ----------
    .. [1] Nakagawa, Johnson & Schielzeth (2017), Journal of the Royal Society Interface 14, 20170213, tables 1 and 2,
       doi:10.1098/rsif.2017.0213.
    """
    if method == "theoretical":
        return float(_THRESHOLD[family.link.name])
    mu, t = np.array([mean]), np.array([log_dispersion])
    V = float(family.variance(mu, t)[0]) * (float(np.exp(log_dispersion)) if family.scaled else 1.0)
    if method == "delta":
        return V / float(family.link.derivatives(family.link.link(mu)).d1[0]) ** 2
    c = V / mean**2
    if method == "lognormal":
        return float(np.log1p(c))
    from scipy.special import polygamma

    return float(polygamma(1, 1.0 / c))


def typical_mean(fit: GlmmFit, mean: Mean = "null") -> float:
    """Mean of the response at which the distribution's variance is taken.

    Parameters
    ----------
    fit : GlmmFit
        The fit.
    mean : {"null", "median", "response"}
        null: E g^-1(beta_0 + tau Z + offset), Z standard normal, with the intercept beta_0 and the variance tau^2 of
        the random effects of the model without predictors, which is fitted for it; with a log link
        exp(beta_0 + tau^2 / 2) [1]_. Under the links inverse and 1/mu^2 that expectation does not exist, and it is
        taken at random effects of 0. median: always at random effects of 0. response: the mean of the response, for
        counts of successes of all trials.

    References
    ----------
    .. [1] Nakagawa, Johnson & Schielzeth (2017), equation (5.8), doi:10.1098/rsif.2017.0213.
    """
    if mean == "response":
        weights = fit.model.row_weights if isinstance(fit.distribution, Binomial) else None
        return float(np.average(fit.model.y, weights=weights))
    null = _null_model(fit)
    parts = variance_model(null).components(null.solution.theta, 1.0, null.solution.beta)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    offsets, counts = np.unique(np.zeros(1) if fit.model.offset is None else fit.model.offset, return_counts=True)
    level = null.solution.beta[0] + offsets
    spread = level[:, None] + np.sqrt(parts.total_random) * nodes
    link = fit.distribution.link
    if mean == "null" and bool(np.all(link.valid(spread.ravel()))):
        means = link.inverse(spread.ravel()).reshape(spread.shape) @ (weights / weights.sum())
    else:
        means = link.inverse(level)
    return float(np.average(means, weights=counts))


def _null_model(fit: GlmmFit) -> Any:
    """The model with the constant as its only fixed column, and the same random effects."""
    design = fit.model
    constant = np.ones((design.nobs, 1), order="F")
    if design.X.shape[1] == 1 and np.array_equal(design.X, constant):
        return fit
    null = replace(design, X=constant, names=("Intercept",), kept=np.ones(1, dtype=bool))
    return fit_reduced(fit, null, reml=False)


def variance_partition(fit: GlmmFit, method: Method | None = None, mean: Mean = "null") -> Table:
    """Divide the variance on the scale of the link among fixed effects, random-effects terms and distribution.

    Parameters
    ----------
    fit : GlmmFit
        Any generalized fit.
    method, mean
        As `latent_variance` takes them.

    Returns
    -------
    Table
        Columns component (``"fixed"``, each random-effects term, ``"distribution"``), variance, and share, which adds
        up to 1.
    """
    found = latent_variance(fit, method, mean)
    labels = [term_label(term) for term in fit.model.terms]
    grouped = iter(found.components.random)
    named = [("fixed", found.components.fixed)]
    named += [(name, found.overdispersion[name] if name in found.overdispersion else next(grouped)) for name in labels]
    named.append(("distribution", found.distribution))
    at = "" if found.mean is None else f" at a mean of {found.mean:.4g}"
    note = f"variance of the distribution on the scale of the link: {found.method}{at}"
    return partition_table(named, fit.model.data_kind, [note])
