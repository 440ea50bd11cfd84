"""Fixtures for the whole suite; the functions behind them are importable from ``support.reference``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import reference
from support.fits import quiet_fit

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    import mixedeffects as me


@pytest.fixture
def load_case() -> Callable[..., dict]:
    """Give ``load_case(id, topic="lmm")``: one reference case."""
    return reference.load_case


@pytest.fixture
def case_ids() -> Callable[..., list[str]]:
    """Give ``case_ids(topic)``: the ids of the reference cases."""
    return reference.case_ids


@pytest.fixture
def load_data() -> Callable[[str], pd.DataFrame]:
    """Give ``load_data(name)``: a fresh frame of reference data."""
    return reference.load_data


@pytest.fixture(scope="session")
def sleep() -> me.LmmResult:
    """The sleep study: 18 subjects, correlated intercepts and slopes, by REML."""
    return quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")


@pytest.fixture(scope="session")
def crossed() -> me.LmmResult:
    """Two crossed factors with correlated effects each; singular."""
    return quiet_fit("rt ~ a*B + (1 + a + B | subj) + (1 + B | item)", "sim_cross")
