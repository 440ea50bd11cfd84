"""Which columns of the random-effects terms a prediction keeps."""

from __future__ import annotations

import re

import pytest
from support.fits import quiet_fit

import mixedeffects as me
from mixedeffects.errors import DataError
from mixedeffects.predict.kept import kept_columns


def kept(fit, random):
    """Key and kept names of each term that keeps any."""
    masks = kept_columns(fit, random)
    names = {
        term.key: tuple(name for name, keep in zip(term.names, mask, strict=True) if keep)
        for term, mask in zip(fit.model.terms, masks, strict=True)
    }
    return {key: found for key, found in names.items() if found}


@pytest.fixture(scope="module")
def cross():
    return quiet_fit("rt ~ a*B + (1 + a + B | subj) + (1 + B | item)", "sim_cross")


def test_words(cross):
    assert kept(cross, "population") == {}
    assert kept(cross, "conditional") == {"subj": ("Intercept", "a", "B"), "item": ("Intercept", "B")}


@pytest.mark.parametrize("names", [["item"], ("item",), {"item"}])
def test_names_of_factors(cross, names):
    assert kept(cross, names) == {"item": ("Intercept", "B")}
    assert kept(cross, []) == {}


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ("(1 | subj)", {"subj": ("Intercept",)}),
        ("~ (1 | subj) + (0 + B | item)", {"subj": ("Intercept",), "item": ("B",)}),
        ("(1 + B | subj)", {"subj": ("Intercept", "B")}),
        ("(B + a || subj)", {"subj": ("Intercept", "a", "B")}),
        ("(0 + a | subj) + (1 | subj)", {"subj": ("Intercept", "a")}),
        ("0 + (1 | item)", {"item": ("Intercept",)}),
    ],
)
def test_terms(cross, terms, expected):
    assert kept(cross, terms) == expected


def test_several_terms_on_a_factor():
    fit = quiet_fit("score ~ Machine + (Machine || Worker)", "Machines")
    assert kept(fit, "(1 | Worker)") == {"Worker": ("Intercept",)}
    assert kept(fit, "(Machine | Worker)") == kept(fit, ["Worker"])
    assert len(kept(fit, ["Worker"])) == 3
    with pytest.raises(DataError, match=re.escape("column 'Machine[A]' of (0 + Machine | Worker)")):
        kept(fit, "(0 + Machine | Worker)")


def test_interactions_in_any_order():
    fit = quiet_fit("strength ~ 1 + (1 | batch/cask)", "Pastes")
    assert list(fit.ngroups) == ["cask:batch", "batch"]
    for random in (["cask:batch"], ["batch:cask"], "(1 | batch:cask)", "(1 | cask:batch)"):
        assert kept(fit, random) == {"cask:batch": ("Intercept",)}
    assert kept(fit, "(1 | batch/cask)") == kept(fit, "conditional")
    with pytest.raises(DataError, match="names the grouping factor 'cask', which the fit does not have"):
        kept(fit, ["cask"])


def test_transforms_are_matched_by_name():
    fit = quiet_fit("Reaction ~ Days + (poly(Days, 2) | Subject)", "sleepstudy")
    assert kept(fit, "(poly(Days, 2) | Subject)") == kept(fit, "conditional")
    assert kept(fit, "(1 | Subject)") == {"Subject": ("Intercept",)}
    with pytest.raises(DataError, match="column 'Days' of"):
        kept(fit, "(Days | Subject)")


def test_functions_of_the_caller():
    data = {"y": [1.0, 2.0, 4.0, 3.0, 5.0, 7.0, 6.5, 8.0], "x": [1.0, 2, 3, 4] * 2, "g": list("aaaabbbb")}
    fit = me.lmer("y ~ 1 + (half(x) || g)", data, functions={"half": lambda v: v / 2})
    assert kept(fit, "(0 + half(x) | g)") == {"g.1": ("half(x)",)}
