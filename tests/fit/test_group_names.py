"""Names of nested factors either way round, and of methods as others spell them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support import reference

import mixedeffects as me


@pytest.fixture(scope="module")
def nested():
    data = reference.load_data("Pastes")
    data = data.assign(x=np.arange(len(data)) % 7)
    return me.lmer("strength ~ x + (1 | batch/cask)", data)


USES = {
    "ranef": lambda fit, name: fit.ranef[name].to_numpy(),
    "coef": lambda fit, name: fit.coef[name].to_numpy(),
    "predict": lambda fit, name: fit.predict(random=[name]),
    "caterpillar": lambda fit, name: fit.plot.caterpillar(group=name).data["estimate"].to_numpy(),
    "within_between": lambda fit, name: (
        me.within_between(fit, covariates="x", group=name).to_frame()["estimate"].to_numpy()
    ),
    "compare_pooling": lambda fit, name: me.compare_pooling(fit, group=name).own.to_numpy(),
    "influence": lambda fit, name: fit.influence(name).cooks_distance.to_numpy(),
}


@pytest.mark.parametrize("use", USES)
def test_nested_factors_are_found_either_way_round(nested, use):
    np.testing.assert_array_equal(USES[use](nested, "batch:cask"), USES[use](nested, "cask:batch"))


@pytest.mark.parametrize("use", [name for name in USES if name != "influence"])
def test_the_inner_column_alone_is_told_what_it_is(nested, use):
    with pytest.raises((me.DataError, KeyError), match=r"cask within batch is 'cask:batch'"):
        USES[use](nested, "cask")
    with pytest.raises((me.DataError, KeyError), match=r"nothing") as caught:
        USES[use](nested, "nothing")
    assert "within" not in str(caught.value)


@pytest.mark.parametrize(
    ("ddf", "meant"),
    [
        ("KR", "kenward-roger"),
        ("kenward_roger", "kenward-roger"),
        ("Kenward-Roger", "kenward-roger"),
        ("satterth", "satterthwaite"),
        ("satterthwait", "satterthwaite"),
        ("asymptotic", "normal"),
        ("residuals", "residual"),
    ],
)
def test_methods_of_degrees_of_freedom_are_recognised(nested, ddf, meant):
    said = f"ddf={ddf!r} is no method for degrees of freedom (did you mean {meant!r}?); choose one of"
    with pytest.raises(me.DataError, match=re.escape(said)):
        nested.coef_table(ddf=ddf)


def test_nothing_is_guessed_from_afar(nested):
    with pytest.raises(me.DataError, match=r"no method for degrees of freedom; choose one of"):
        nested.coef_table(ddf="x")
