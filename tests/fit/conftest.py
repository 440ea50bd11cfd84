"""Fits that the tests of this folder share; each is made once in a session."""

from __future__ import annotations

import warnings

import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me


@pytest.fixture(scope="session")
def weighted() -> me.LmmResult:
    """A fit with prior weights and an offset."""
    return quiet_fit("rt ~ A + B + (B | subj)", "sim_cross", weights="w", offset="off")


@pytest.fixture(scope="session")
def independent() -> me.LmmResult:
    """A factor with independent effects: three terms on one grouping factor."""
    return quiet_fit("score ~ Machine + (Machine || Worker)", "Machines")


@pytest.fixture(scope="session")
def gaps() -> me.LmmResult:
    """A fit to data with missing values: 1725 of 1905 rows."""
    return quiet_fit("course ~ gender + (1 | school)", "Gcsemv")


@pytest.fixture(scope="session")
def deficient() -> me.LmmResult:
    """A fit without its last column, which says in numbers what the first ones say in letters."""
    frame = reference.load_data("Machines")
    frame["number"] = frame["Machine"].cat.codes + 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.lmer("score ~ Machine + number + (1 | Worker)", frame)
