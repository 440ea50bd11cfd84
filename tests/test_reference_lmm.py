"""Every reference model: our fit against R's.

Gaps are measured in the unit in which a statistician would look at the number: coefficients in standard errors,
variances relative to themselves, conditional modes relative to the largest of their column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from support import reference
from support.fits import Fitted, largest, reference_fit

CASES = reference.case_ids("lmm")

# Cases in which our optimum is lower than R's: (ours, R's). R's values were polished, so there is none so far.
LOWER: dict[str, tuple[float, float]] = {}


def r_criterion(case: dict) -> float:
    return case["REMLcrit"] if case["REML"] else -2.0 * case["logLik"]


def without_dropped(values: dict) -> np.ndarray:
    values = reference.vector(values)
    return values[~np.isnan(values)]


# ---- gaps ------------------------------------------------------------------------------------------------------------


def gap_fixef(f: Fitted) -> float:
    se = without_dropped(f.case["se"])
    return largest((f.fit.fixef.dropna().to_numpy() - without_dropped(f.case["fixef"])) / se)


def gap_std_errors(f: Fitted) -> float:
    se = without_dropped(f.case["se"])
    return largest(f.fit.std_errors.dropna().to_numpy() / se - 1.0)


def gap_vcov(f: Fitted) -> float:
    se = without_dropped(f.case["se"])
    return largest((f.fit.vcov.to_numpy() - reference.matrix(f.case["vcov"])) / np.outer(se, se))


def gap_sigma(f: Fitted) -> float:
    return largest(f.fit.sigma / f.case["sigma"] - 1.0)


def gap_sd(f: Fitted) -> float:
    """Standard deviations relative to themselves; a zero one in units of sigma."""
    gaps = []
    for key, term in f.case["varcorr"].items():
        sd = reference.vector(term["sd"])
        ours = np.sqrt(np.diag(f.fit.varcorr.covariance[key].to_numpy()))
        gaps.append((ours - sd) / np.where(sd > 0.0, sd, f.case["sigma"]))
    return largest(np.concatenate(gaps))


def gap_covariance(f: Fitted) -> float:
    """Covariances in units of the product of the standard deviations."""
    gaps = []
    for key, term in f.case["varcorr"].items():
        cov = np.array(term["cov"], dtype=float)
        sd = np.where(np.diag(cov) > 0.0, np.sqrt(np.diag(cov)), f.case["sigma"])
        gaps.append(((f.fit.varcorr.covariance[key].to_numpy() - cov) / np.outer(sd, sd)).ravel())
    return largest(np.concatenate(gaps))


def gap_theta(f: Fitted) -> float:
    """Theta, term by term: R may order terms with equal numbers of levels differently."""
    theirs = dict(theta_by_term(list(f.case["varcorr"]), f.case["varcorr"], reference.vector(f.case["theta"])))
    ours = theta_by_term([term.key for term in f.fit.design.terms], f.case["varcorr"], f.fit.theta)
    return largest(
        np.concatenate([(values - theirs[key]) / np.abs(theirs[key]).max(initial=1e-2) for key, values in ours])
    )


def theta_by_term(keys: list[str], varcorr: dict, theta: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    assert sorted(keys) == sorted(varcorr)
    start = 0
    for key in keys:
        k = len(varcorr[key]["names"])
        yield key, theta[start : start + k * (k + 1) // 2]
        start += k * (k + 1) // 2
    assert start == len(theta)


def gap_modes(f: Fitted) -> float:
    """Conditional modes by the name of the level, relative to the largest of their column."""
    gaps = []
    for group, effects in f.case["ranef"].items():
        want = np.array(effects["values"], dtype=float)
        ours = f.fit.ranef[group].loc[effects["levels"]].to_numpy()
        gaps.append(((ours - want) / np.maximum(np.abs(want).max(axis=0), 1e-6 * f.case["sigma"])).ravel())
    return largest(np.concatenate(gaps))


def gap_sum_of_squares(f: Fitted) -> float:
    """Sums of squares over all levels, of which the case has only some."""
    gaps = []
    for group, effects in f.case["ranef"].items():
        want = reference.vector(effects["sumsq"])
        ours = (f.fit.ranef[group].to_numpy() ** 2).sum(axis=0)
        gaps.append((ours - want) / np.maximum(want, (1e-6 * f.case["sigma"]) ** 2))
    return largest(np.concatenate(gaps))


def gap_conditional_variances(f: Fitted) -> float:
    gaps = [0.0]
    for group, effects in f.case["ranef"].items():
        ours = f.fit.ranef.condvar[group]
        terms = [effects["condVar"]] if "condVar" in effects else list(effects.get("condVar_terms", {}).values())
        start = 0
        for matrices in terms:
            want = np.array(matrices, dtype=float)
            k = want.shape[1]
            block = ours[:, start : start + k, start : start + k]
            sd = np.sqrt(np.maximum(np.diagonal(want, axis1=1, axis2=2), (1e-6 * f.case["sigma"]) ** 2))
            gaps.append(largest((block - want) / (sd[:, :, None] * sd[:, None, :])))
            start += k
    return max(gaps)


def gap_fitted(f: Fitted) -> float:
    want = reference.vector(f.case["fitted_first20"])
    return largest((f.fit.fitted[: len(want)] - want) / f.case["sigma"])


def gap_residual_quantiles(f: Fitted) -> float:
    ours = np.quantile(f.fit.residuals("scaled"), [0.0, 0.25, 0.5, 0.75, 1.0])
    return largest(ours - reference.vector(f.case["resid_pearson_scaled_quantiles"]))


def gap_information(f: Fitted) -> float:
    theirs = np.array([f.case["logLik"], f.case["AIC"], f.case["BIC"]])
    return largest((np.array([f.fit.loglik, f.fit.aic, f.fit.bic]) - theirs) / np.abs(theirs))


GAPS: dict[str, tuple[Callable[[Fitted], float], float]] = {
    "fixef": (gap_fixef, 1e-5),
    "std_errors": (gap_std_errors, 1e-5),
    "vcov": (gap_vcov, 2e-5),
    "sigma": (gap_sigma, 1e-5),
    "sd": (gap_sd, 1e-5),
    "covariance": (gap_covariance, 2e-5),
    "theta": (gap_theta, 1e-5),
    "modes": (gap_modes, 1e-4),
    "sum of squares": (gap_sum_of_squares, 2e-4),
    "conditional variances": (gap_conditional_variances, 1e-4),
    "fitted": (gap_fitted, 1e-5),
    "residual quantiles": (gap_residual_quantiles, 1e-5),
    "information": (gap_information, 1e-8),
}


@pytest.mark.parametrize("case_id", CASES)
@pytest.mark.parametrize("quantity", GAPS)
def test_agrees_with_r(quantity: str, case_id: str) -> None:
    measure, bound = GAPS[quantity]
    gap = measure(reference_fit(case_id))
    assert gap <= bound, f"{quantity} of {case_id} is {gap:.2g} away, allowed {bound:g}"


# ---- criterion, verdict, counts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case_id", CASES)
def test_criterion_is_not_above_rs(case_id: str) -> None:
    case, fit, _ = reference_fit(case_id)
    theirs = r_criterion(case)
    if case_id in LOWER:
        assert LOWER[case_id] == pytest.approx((fit.criterion, theirs), rel=1e-10)
        assert fit.criterion < theirs
    else:
        assert fit.criterion == pytest.approx(theirs, rel=1e-8)
    assert fit.loglik == -0.5 * fit.criterion


@pytest.mark.parametrize("case_id", CASES)
def test_verdicts_are_rs(case_id: str) -> None:
    case, fit, caught = reference_fit(case_id)
    assert fit.is_singular is case["is_singular"]
    assert fit.optimum.converged
    assert fit.optimum.newton_decrement <= 1e-9
    assert [w.category.__name__ for w in caught].count("SingularFitWarning") == int(case["is_singular"])
    assert "ConvergenceWarning" not in [w.category.__name__ for w in caught]


@pytest.mark.parametrize("case_id", CASES)
def test_counts_are_rs(case_id: str) -> None:
    case, fit, caught = reference_fit(case_id)
    assert fit.nobs == case["nobs"]
    assert fit.ngroups == case["ngrps"]
    assert (fit.npar, fit.df_resid) == (case["npar"], case["df_residual"])
    dropped = len(case.get("dropped_columns") or ())
    assert len(fit.fixef) == len(case["fixef"]) + dropped, "R leaves dropped coefficients out; here they are NaN"
    assert fit.fixef.isna().sum() == fit.std_errors.isna().sum() == dropped
    categories = [w.category.__name__ for w in caught]
    assert categories.count("RankDeficiencyWarning") == int(dropped > 0)
    n_rows = len(reference.load_data(case["dataset"]))
    assert categories.count("DroppedRowsWarning") == int(n_rows > case["nobs"])


@pytest.mark.parametrize("case_id", CASES)
def test_levels_are_in_rs_order(case_id: str) -> None:
    case, fit, _ = reference_fit(case_id)
    for group, effects in case["ranef"].items():
        assert list(fit.ranef[group].index[: len(effects["levels"])]) == effects["levels"]
        assert fit.ranef[group].shape == (effects["nlevels"], len(effects["columns"]))


def test_evaluations_to_convergence_are_few() -> None:
    """Over all models: half need at most 6 evaluations of the criterion, nine in ten at most 10, none more than 15."""
    counts = [reference_fit(case_id).fit.optimum.n_evaluations for case_id in CASES]
    assert np.median(counts) <= 6
    assert np.quantile(counts, 0.9) <= 10
    assert max(counts) <= 15
