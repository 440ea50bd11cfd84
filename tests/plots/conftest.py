"""Fits that the tests of this folder draw, and figures that are closed after each test."""

from __future__ import annotations

import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me
from mixedeffects.results.pictures import Pictures

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def batches() -> me.LmmResult:
    """Six batches, a random intercept."""
    return quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff")


@pytest.fixture(scope="session")
def no_variance() -> me.LmmResult:
    """Six batches whose variance is estimated as 0; all fitted values are equal."""
    return quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2")


@pytest.fixture(scope="session")
def plates() -> me.LmmResult:
    """Two crossed factors; no covariate."""
    return quiet_fit("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin")


@pytest.fixture(scope="session")
def oats() -> me.LmmResult:
    """Varieties within blocks, a random intercept each; a covariate and a factor in the fixed part."""
    return quiet_fit("yield ~ nitro + Variety + (1 | Block/Variety)", "Oats")


@pytest.fixture(scope="session")
def weighted() -> me.LmmResult:
    """Prior weights and an offset; a factor and a covariate in the fixed part."""
    return quiet_fit("rt ~ a + B + (a | subj)", "sim_cross", weights="w", offset="off")


@pytest.fixture(scope="session")
def pupils() -> me.LmmResult:
    """2,410 schools and 131 authorities."""
    return quiet_fit("score ~ gcsecnt + (gcsecnt | school) + (1 | lea)", "Chem97")


@pytest.fixture(scope="session")
def deficient() -> me.LmmResult:
    """A column of X is dropped; three columns per worker."""
    frame = reference.load_data("Machines")
    frame["number"] = frame["Machine"].cat.codes + 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.lmer("score ~ Machine + number + (Machine | Worker)", frame)


@pytest.fixture(scope="session")
def gaps() -> me.LmmResult:
    """180 rows less ten that miss a response, and one level with a single row."""
    frame = reference.load_data("sleepstudy")
    frame.loc[[0, 3, 30], "Reaction"] = np.nan
    frame = pd.concat([frame[frame["Subject"] != "372"], frame[frame["Subject"] == "372"].iloc[4:5]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.lmer("Reaction ~ Days + (Days | Subject)", frame.reset_index(drop=True))


@pytest.fixture(scope="session")
def draw():
    """Give ``draw(fit)``: the accessor `fit.plot`."""
    return Pictures
