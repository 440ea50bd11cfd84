"""Columns whose names need backticks: what is said where they lack, and where a name is taken with or without them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedeffects as me


@pytest.fixture(scope="module")
def priming():
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(10), 6)
    return pd.DataFrame(
        {
            "RT (ms)": rng.normal(500, 50, 60) + 30.0 * rng.normal(size=10)[subject],
            "Prime Condition": np.tile(["a", "b"], 30),
            "Test Site": subject,
            "acc%": rng.normal(size=60),
            "x-1": rng.normal(size=60),
            "2nd": rng.normal(size=60),
            "RT": rng.normal(size=60),
        }
    )


@pytest.fixture(scope="module")
def fit(priming):
    return me.lmer("`RT (ms)` ~ `Prime Condition` + `acc%` + (1 | `Test Site`)", priming)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("RT (ms) ~ Prime Condition + (1|Test Site)", "`RT (ms)` ~ `Prime Condition` + (1|`Test Site`)"),
        ("RT(ms) ~ 1 + (1|`Test Site`)", "`RT (ms)` ~ 1 + (1|`Test Site`)"),
        ("log(RT (ms)) ~ acc% * 2nd + (1|`Test Site`)", "log(`RT (ms)`) ~ `acc%` * `2nd` + (1|`Test Site`)"),
        ("RT ~ x-1 + (1|`Test Site`)", "RT ~ `x-1` + (1 | `Test Site`)"),
        ("RT ~ 1 + (Prime  Condition|`Test Site`)", "RT ~ 1 + (`Prime Condition`|`Test Site`)"),
    ],
)
@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas, lambda frame: frame.to_dict("list")])
def test_a_formula_without_the_backticks_is_shown_with_them(priming, written, right, convert):
    with pytest.raises(ValueError, match="must stand in backticks") as caught:
        me.lmer(written, convert(priming))
    assert isinstance(caught.value, me.MixedEffectsError)
    assert str(caught.value).endswith(f"write\n  {right}")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("foo(RT) ~ 1 + (1|`Test Site`)", "'foo' is not a function"),
        ("RT ~ y-1 + (1|`Test Site`)", "there is no column 'y'"),
        ("`RT (ms)` ~ (1|`Test Site`", "never closed"),
    ],
)
def test_other_mistakes_keep_their_message(priming, formula, message):
    with pytest.raises(ValueError, match=message):
        me.lmer(formula, priming)


@pytest.mark.parametrize("quote", ["", "`"])
def test_names_are_taken_with_and_without_backticks(fit, quote):
    prime, site = f"{quote}Prime Condition{quote}", f"{quote}Test Site{quote}"
    means = fit.emmeans(prime, at={f"{quote}acc%{quote}": 0.0})
    assert means.to_frame().columns[0] == "Prime Condition"
    assert fit.emmeans(f"{quote}acc%{quote}", by=prime).by == ("Prime Condition",)
    assert list(fit.ranef[site].columns) == ["Intercept"]
    np.testing.assert_array_equal(fit.predict(random=[site]), fit.predict(random=["Test Site"]))
    assert len(fit.influence(by=site).cooks_distance) == 10
    assert list(fit.confint("wald", params=[f"{prime}[T.b]"]).index) == ["Prime Condition[T.b]"]
    assert fit.vcov_robust(cluster=site).vcov.shape == (3, 3)
    assert me.compare_pooling(fit, group=site).group == "Test Site"
    assert me.exact_rlrt(fit, site, n=10, rng=1).p_value > 0.0


@pytest.mark.parametrize("quote", ["", "`"])
def test_arguments_of_a_fit_are_taken_with_and_without_backticks(priming, quote):
    weighted = priming.assign(**{"N trials": np.arange(60) % 3 + 1.0})
    found = me.lmer(
        "`RT (ms)` ~ `Prime Condition` + (1 | `Test Site`)",
        weighted,
        weights=f"{quote}N trials{quote}",
        contrasts={f"{quote}Prime Condition{quote}": "sum"},
    )
    assert found.model.weights_name == "N trials"
    assert list(found.fixef.index) == ["Intercept", "Prime Condition[S.a]"]
