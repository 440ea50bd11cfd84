from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest


@dataclass(frozen=True)
class Library:
    """A way to hold the same table, with a check that it is what it says."""

    name: str
    kind: str
    build: Callable[[dict[str, list[Any]]], Any]
    check: Callable[[Any], bool]


def _pandas_numpy(columns: dict[str, list[Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {name: pd.Series(values, dtype=object if _is_text(values) else None) for name, values in columns.items()}
    )
    return frame


def _is_text(values: list[Any]) -> bool:
    return any(isinstance(value, str) for value in values)


def _all_numpy(frame: pd.DataFrame) -> bool:
    return all(isinstance(dtype, np.dtype) for dtype in frame.dtypes)


LIBRARIES = [
    Library("pandas numpy", "pandas", _pandas_numpy, _all_numpy),
    Library("pandas str", "pandas", pd.DataFrame, lambda f: any(isinstance(t, pd.StringDtype) for t in f.dtypes)),
    Library(
        "pandas nullable",
        "pandas",
        lambda columns: _pandas_numpy(columns).convert_dtypes(),
        lambda f: all(not isinstance(t, np.dtype) and t.na_value is pd.NA for t in f.dtypes),
    ),
    Library(
        "pandas arrow",
        "pandas",
        lambda columns: _pandas_numpy(columns).convert_dtypes(dtype_backend="pyarrow"),
        lambda f: all(isinstance(t, pd.ArrowDtype) for t in f.dtypes),
    ),
    Library("polars", "polars", pl.DataFrame, lambda f: isinstance(f, pl.DataFrame)),
    Library("pyarrow", "pyarrow", pa.table, lambda f: isinstance(f, pa.Table)),
    Library(
        "pyarrow chunked",
        "pyarrow",
        lambda columns: pa.concat_tables([pa.table(columns).slice(0, 3), pa.table(columns).slice(3)]),
        lambda f: f.column(0).num_chunks == 2,
    ),
    Library("dict of lists", "dict", dict, lambda f: all(isinstance(v, list) for v in f.values())),
    Library(
        "dict of arrays",
        "dict",
        lambda columns: {k: pd.Series(v).to_numpy() for k, v in columns.items()},
        lambda f: all(isinstance(v, np.ndarray) for v in f.values()),
    ),
]


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.name)
def library(request: pytest.FixtureRequest) -> Library:
    return request.param
