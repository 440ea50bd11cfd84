from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def reference() -> dict[str, Any]:
    """What lme4 makes of small formulas; written by reference.R."""
    return json.loads((Path(__file__).parent / "reference.json").read_text())


@pytest.fixture
def small(reference: dict[str, Any]) -> pd.DataFrame:
    """The data of reference.R, 36 rows."""
    data = pd.DataFrame(reference["data"])
    data["o"] = pd.Categorical(data["o"], ["none", "some", "more", "most"], ordered=True)
    return data
