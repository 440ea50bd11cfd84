"""Offsets that are exposures: under a log link without their logarithm, and in marginal means."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import mixedeffects as me


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(3)
    n = 120
    days = rng.integers(60, 191, n)
    days[17] = 190
    group = np.repeat(np.arange(12), 10)
    mean = days * np.exp(-3.0 + 0.3 * rng.normal(size=12)[group])
    frame = pd.DataFrame({"y": rng.poisson(mean), "x": rng.choice(list("ab"), n), "term days": days, "g": group})
    return frame.assign(moles=6e23 * days, log_days=np.log(days))


@pytest.mark.parametrize(
    ("formula", "offset", "write"),
    [
        ("y ~ x + offset(`term days`) + (1 | g)", None, "write offset(log(`term days`)) in the formula"),
        ("y ~ x + (1 | g)", "term days", "write offset(log(`term days`)) in the formula"),
        ("y ~ x + (1 | g)", np.full(120, 190.0), "write offset=np.log(exposure)"),
    ],
)
@pytest.mark.parametrize("family", ["poisson", "negative_binomial", me.families.Binomial(link="log")])
def test_an_exposure_without_its_logarithm_is_told(counts, formula, offset, write, family):
    data = counts if not isinstance(family, me.families.Binomial) else counts.assign(y=(counts["y"] > 5).astype(int))
    row = 0 if isinstance(offset, np.ndarray) else int(counts["term days"].argmax())
    said = f"the offset reaches 190 in row {row} on the scale of the logarithm, an exposure of e^190: {write}"
    with pytest.raises(me.DataError, match=re.escape(said)):
        me.glmer(formula, data, family, offset=offset)


def test_logarithms_and_other_links_are_taken(counts):
    written = me.glmer("y ~ x + offset(log(`term days`)) + (1 | g)", counts, "poisson")
    large = me.glmer("y ~ x + offset(log(moles)) + (1 | g)", counts, "poisson")  # log(6e23) is 54.75
    np.testing.assert_allclose(large.fixef["x[T.b]"], written.fixef["x[T.b]"], rtol=1e-6)
    linear = me.lmer(
        "y ~ x + offset(100 * `term days`) + (1 | g)", counts.assign(y=100.0 * counts["term days"] + counts["y"])
    )
    assert linear.design.offset.max() == 19000.0


def test_marginal_means_say_at_which_offset_they_are(counts):
    fit = me.glmer("y ~ x + offset(log(`term days`)) + (1 | g)", counts, "poisson")
    mean = np.log(counts["term days"]).mean()
    text = str(fit.emmeans("x", scale="response"))
    assert f"offset at its mean, {mean:.4g}, which is `term days` = {np.exp(mean):.4g}" in text
    means = fit.emmeans("x", scale="response").to_frame()["estimate"].to_numpy()
    beta = fit.fixef.to_numpy()
    np.testing.assert_allclose(means, np.exp(mean) * np.exp([beta[0], beta.sum()]), rtol=1e-12)
    for formula, offset in (("y ~ x + (1 | g)", "log_days"), ("y ~ x + offset(log_days) + (1 | g)", None)):
        fit = me.glmer(formula, counts, "poisson", offset=offset)
        assert f"offset at its mean, {mean:.4g}\n" in str(fit.emmeans("x")) + "\n"
    both = me.glmer("y ~ x + offset(log(`term days`)) + (1 | g)", counts, "poisson", offset=np.ones(120))
    assert "term days" not in str(both.emmeans("x"))
    assert f"offset at its mean, {mean + 1:.4g}" in str(both.emmeans("x"))
    assert "offset" not in str(me.glmer("y ~ x + (1 | g)", counts, "poisson").emmeans("x"))
