"""The data of the reference values: milk expenditures (areas), and corn in counties of Iowa (segments)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from support import reference

if TYPE_CHECKING:
    import pandas as pd


@pytest.fixture
def milk() -> pd.DataFrame:
    """43 areas with direct estimates and their sampling variances."""
    return reference.load_data("milk").assign(variance=lambda d: d["SD"] ** 2)


@pytest.fixture
def corn() -> pd.DataFrame:
    """36 segments in 12 counties; the one that the authors leave out is left out."""
    return reference.load_data("cornsoybean").drop(index=32).reset_index(drop=True)


@pytest.fixture
def counties() -> pd.DataFrame:
    """Population means of the covariates and numbers of segments."""
    names = {"CountyIndex": "County", "MeanCornPixPerSeg": "CornPix", "MeanSoyBeansPixPerSeg": "SoyBeansPix"}
    frame = reference.load_data("cornsoybeanmeans").rename(columns=names)
    return frame[["County", "CornPix", "SoyBeansPix", "PopnSegments"]]


@pytest.fixture(scope="session")
def values() -> dict:
    """The values of R's package sae."""
    return reference.load_case("sae_package", "sae")


@pytest.fixture
def unbalanced() -> dict[str, np.ndarray]:
    """Seven areas of 1 to 6 units, a covariate."""
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(7), [1, 2, 2, 3, 4, 5, 6])
    x = rng.normal(size=len(g))
    return {"g": g, "x": x, "y": 2.0 + x + rng.normal(size=7)[g] + 0.8 * rng.normal(size=len(g))}
