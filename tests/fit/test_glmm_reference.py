"""`glmer` against lme4 where the link is canonical, and against glmmTMB elsewhere (observed information)."""

from __future__ import annotations

import numpy as np
import pytest
from support import reference
from support.glmm import glmm_fit

CANONICAL = [
    case_id
    for case_id in reference.case_ids("glmm")
    if (case := reference.load_case(case_id, "glmm"))["nAGQ"] == 1
    and (case["family"], case["link"]) in (("binomial", "logit"), ("poisson", "log"))
]
PREDICTED = [  # lme4 leaves an offset out of predictions at new rows
    case_id
    for case_id in CANONICAL
    if "cond_link" in (case := reference.load_case(case_id, "glmm")).get("predict", {}) and not case.get("offset")
]
FAST = ["cbpp_nAGQ0", "verbagg_nAGQ0"]
QUADRATURE = [case_id for case_id in reference.case_ids("glmm") if reference.load_case(case_id, "glmm")["nAGQ"] > 1]
TMB = reference.case_ids("glmmTMB")
# lme4's optimum is above ours: -2 log L there (R) and here.
LOWER = {"grouseticks": (1780.542706981, 1780.542660175), "cbpp_obs": (174.638327147, 174.638311083)}


@pytest.mark.parametrize("case_id", CANONICAL + FAST)
def test_the_deviance_is_that_of_lme4_or_lower(case_id):
    case, fit, _ = glmm_fit(case_id)
    reference_value = -2.0 * case["logLik"]
    assert fit.criterion <= reference_value + 1e-8 * abs(reference_value)
    if case_id in LOWER:
        assert (reference_value, fit.criterion) == pytest.approx(LOWER[case_id], abs=1e-7)
    else:
        assert fit.criterion == pytest.approx(reference_value, rel=1e-8, abs=2e-6)
    assert fit.optimum.converged
    assert (fit.npar, fit.nobs) == (case["npar"], case["nobs"])
    assert fit.aic == pytest.approx(case["AIC"], rel=1e-6)
    assert fit.bic == pytest.approx(case["BIC"], rel=1e-6)


def test_quadrature_of_the_herd_study_differs_from_lme4_by_a_constant():
    nodes = (2, 5, 10, 25)
    pairs = [(fit.criterion, -2.0 * case["logLik"]) for case, fit, _ in (glmm_fit(f"cbpp_nAGQ{n}") for n in nodes)]
    constant = pairs[0][0] - pairs[0][1]  # lme4 leaves it out, and says 100.01 where this is 183.97
    assert [ours - theirs for ours, theirs in pairs] == pytest.approx([constant] * len(nodes), abs=1e-7)
    assert constant == pytest.approx(83.956707538, abs=1e-7)


def same_order(case, fit) -> np.ndarray:
    """Our coefficients in R's order, by the design columns' estimates: R orders interactions as written."""
    theirs, ours = reference.vector(case["fixef"]), fit.fixef.to_numpy()
    errors = reference.vector(case["se"])
    order = [int(np.argmin(np.abs(ours - value) / error)) for value, error in zip(theirs, errors, strict=True)]
    assert sorted(order) == list(range(len(ours)))
    return np.array(order)


@pytest.mark.parametrize("case_id", CANONICAL + FAST + QUADRATURE)
def test_estimates_and_standard_errors(case_id):
    case, fit, _ = glmm_fit(case_id)
    order = same_order(case, fit)
    errors = reference.vector(case["se"])
    assert (np.abs(fit.fixef.to_numpy()[order] - reference.vector(case["fixef"])) < 1e-3 * errors).all()
    for group, stored in case["varcorr"].items():
        ours = np.sqrt(np.diag(fit.varcorr.covariance[group]))
        np.testing.assert_allclose(ours, stored["sd"], rtol=1e-3, atol=1e-4)
    exact = case.get("vcov_hess")
    if exact and fit.nagq >= 1:
        np.testing.assert_allclose(
            fit.std_errors.to_numpy()[order], np.sqrt(np.diag(reference.matrix(exact))), rtol=1e-3
        )


@pytest.mark.parametrize("case_id", CANONICAL)
def test_modes_means_and_residuals(case_id):
    case, fit, _ = glmm_fit(case_id)
    np.testing.assert_allclose(fit.fitted[:20], case["fitted_first20"], rtol=2e-4)
    link = fit.predict(kind="link")
    np.testing.assert_allclose(link[:20], case["fitted_link_first20"], rtol=0, atol=2e-4 * max(1, np.abs(link).max()))
    for group, stored in case["ranef"].items():
        frame = fit.ranef[group]
        levels = stored["levels"][: len(stored["values"])]
        ours = frame.loc[[str(level) for level in levels]].to_numpy()
        theirs = np.array(stored["values"], dtype=float)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3 * max(np.abs(theirs).max(), 1e-3))
    for kind, stored in (case.get("residuals") or {}).items():
        values = reference.vector(stored["first20"])
        ours = fit.residuals(kind)[: len(values)]
        np.testing.assert_allclose(ours, values, rtol=0, atol=1e-3 * np.abs(values).max())


@pytest.mark.parametrize("case_id", PREDICTED)
def test_predictions_at_new_rows(case_id):
    case, fit, _ = glmm_fit(case_id)
    stored = case["predict"]
    new = {name: [str(v) if isinstance(v, str) else v for v in values] for name, values in stored["newdata"].items()}
    for kind in ("link", "response"):
        ours = fit.predict(new, kind=kind, new_levels="population")
        np.testing.assert_allclose(ours, stored[f"cond_{kind}"], rtol=1e-3, atol=1e-3)
        ours = fit.predict(new, kind=kind, random="population")
        np.testing.assert_allclose(ours, stored[f"pop_{kind}"], rtol=1e-3, atol=1e-3)


EVERY = [(case_id, topic) for topic in ("glmm", "glmmTMB") for case_id in reference.case_ids(topic)]


@pytest.mark.parametrize(("case_id", "topic"), EVERY, ids=[case_id for case_id, _ in EVERY])
def test_no_case_gives_a_false_warning(case_id, topic):
    case, fit, caught = glmm_fit(case_id, topic)
    assert fit.optimum.converged
    wanted = {"SingularFitWarning"} if case.get("is_singular") else set()
    assert {type(w.message).__name__ for w in caught} == wanted


@pytest.mark.parametrize("case_id", TMB)
def test_other_links_and_families_are_those_of_glmmtmb(case_id):
    case, fit, _ = glmm_fit(case_id, "glmmTMB")
    assert fit.criterion == pytest.approx(-2.0 * case["logLik"], rel=1e-9)
    errors = np.sqrt(np.diag(reference.matrix(case["vcov"]["cond"])))
    assert (np.abs(fit.fixef.to_numpy() - reference.vector(case["fixef"]["cond"])) < 1e-4 * errors).all()
    np.testing.assert_allclose(fit.std_errors.to_numpy(), errors, rtol=1e-4)
    for group, stored in case["varcorr"]["cond"].items():
        np.testing.assert_allclose(np.sqrt(np.diag(fit.varcorr.covariance[group])), stored["sd"], rtol=2e-5)
    if fit.family.has_dispersion:
        ours = fit.sigma if fit.family.scaled else fit.dispersion
        assert ours == pytest.approx(case["sigma"], rel=1e-5)
    np.testing.assert_allclose(fit.fitted[:20], case["fitted_first20"], rtol=1e-4)


def test_published_figures_of_the_herd_study():
    _, fit, _ = glmm_fit("cbpp_nAGQ1")
    assert fit.fixef["Intercept"] == pytest.approx(-1.39853, abs=1e-5)
    assert fit.std_errors["Intercept"] == pytest.approx(0.23247, abs=1e-5)
    _, fast, _ = glmm_fit("cbpp_nAGQ0")
    assert fast.fixef["Intercept"] == pytest.approx(-1.3605, abs=1e-4)
