from __future__ import annotations

import ast
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mixedeffects import datasets
from mixedeffects.datasets import loader
from mixedeffects.datasets.files import Column
from mixedeffects.errors import DataError, MixedEffectsError

KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.Table, "dict": dict}


def gappy(name):
    """Columns with a missing value in each."""
    return [
        Column(name="x", kind="numeric", values=np.array([1.0, np.nan, 3.0])),
        Column(name="g", kind="factor", values=np.array([1, -1, 0], dtype=np.int32), levels=("b", "a")),
    ]


@pytest.mark.parametrize("name", datasets.names())
@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_hold_the_same_values(name, kind):
    frame, other = datasets.load(name), datasets.load(name, as_=kind)
    assert isinstance(other, KINDS[kind])
    assert names(other) == list(frame)
    for column in frame:
        assert values(other[column]) == frame[column].tolist()


def names(frame):
    if isinstance(frame, dict):
        return list(frame)
    return list(frame.column_names if isinstance(frame, pa.Table) else frame.columns)


def values(column):
    if isinstance(column, pa.ChunkedArray):
        return column.to_pylist()
    return column.tolist() if isinstance(column, pd.Series | np.ndarray) else column.to_list()


def test_polars_keeps_the_levels_as_enum():
    frame = datasets.load("Oats", as_="polars")
    assert frame.schema["Block"] == pl.Enum(["VI", "V", "III", "IV", "II", "I"])
    assert frame.schema["nitro"] == pl.Float64
    assert frame.schema["yield"] == pl.Int64


def test_pyarrow_keeps_the_levels_as_dictionary():
    table = datasets.load("cake", as_="pyarrow")
    assert table.schema.field("temperature").type == pa.dictionary(pa.int32(), pa.string(), ordered=True)
    assert table.schema.field("recipe").type == pa.dictionary(pa.int32(), pa.string(), ordered=False)
    levels = table["temperature"].combine_chunks().dictionary.to_pylist()
    assert levels == ["175", "185", "195", "205", "215", "225"]


def test_dict_holds_arrays():
    columns = datasets.load("cbpp", as_="dict")
    assert columns["incidence"].dtype == np.int64
    assert columns["herd"].dtype.kind == "U"


def test_missing_values_stay_missing_in_every_kind(monkeypatch):
    monkeypatch.setattr(loader, "read", gappy)
    frame = datasets.load("cake")
    assert frame["x"].isna().tolist() == [False, True, False]
    assert frame["g"].isna().tolist() == [False, True, False]
    assert frame["g"].iloc[0] == "a"
    assert datasets.load("cake", as_="polars")["g"].to_list() == ["a", None, "b"]
    assert datasets.load("cake", as_="pyarrow")["g"].to_pylist() == ["a", None, "b"]
    assert datasets.load("cake", as_="dict")["g"].tolist() == ["a", None, "b"]


def test_each_load_is_a_fresh_frame():
    first = datasets.load("sleepstudy")
    first.loc[:, "Reaction"] = 0.0
    first["Subject"] = first["Subject"].cat.rename_categories(lambda level: f"s{level}")
    first.attrs["name"] = "mine"
    second = datasets.load("sleepstudy")
    assert second["Reaction"].iloc[0] == 249.56
    assert second["Subject"].iloc[0] == "308"
    assert second.attrs["name"] == "sleepstudy"


def test_dict_arrays_may_be_changed():
    columns = datasets.load("InstEval", as_="dict")
    for column in columns.values():
        column[0] = column[1]
    assert datasets.load("InstEval", as_="dict")["d"][0] == "1002"


@pytest.mark.parametrize(("wrong", "near"), [("sleepstud", "sleepstudy"), ("CAKE", "cake"), ("dyestuff", "Dyestuff")])
@pytest.mark.parametrize("function", [datasets.load, datasets.describe])
def test_unknown_name_suggests_near_ones(function, wrong, near):
    with pytest.raises(DataError, match=f"no data set named '{wrong}'.*Did you mean.*'{near}'"):
        function(wrong)


@pytest.mark.parametrize("wrong", ["xyzzy", "../loader", "", 3])
def test_unknown_name_lists_all(wrong):
    with pytest.raises(DataError, match=r"Choose one of sleepstudy, Dyestuff, .*healing"):
        datasets.load(wrong)


def test_unknown_kind_lists_the_kinds():
    with pytest.raises(DataError, match="as_='excel' is not a kind of frame; choose one of 'pandas', 'polars'"):
        datasets.load("cake", as_="excel")


@pytest.mark.parametrize("package", ["polars", "pyarrow"])
def test_missing_package_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(datasets.MissingPackageError, match=f"pip install {package}") as caught:
        datasets.load("cake", as_=package)
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, MixedEffectsError)


@pytest.mark.parametrize("name", datasets.names())
def test_description(name):
    text = datasets.describe(name)
    frame = datasets.load(name)
    assert text.startswith(f"{name}: ")
    assert f"{len(frame):,} rows, {frame.shape[1]} columns." in text
    for column in frame:
        assert f"\n  {column} : " in text
    assert "\nSource: " in text
    assert "\nDistributed in: " in text
    assert max(map(len, text.splitlines())) <= 88
    assert text in datasets.__doc__


def test_description_shows_the_order_of_levels():
    assert "175 < 185 < 195 < 205 < 215 < 225" in datasets.describe("cake")
    assert "factor: Golden Rain, Marvellous, Victory" in datasets.describe("Oats")
    assert "factor with 2,972 levels" in datasets.describe("InstEval")


def test_package_data_are_complete_and_small():
    files = [file for file in (resources.files(datasets) / "data").iterdir() if file.name.endswith(".npz")]
    assert sorted(file.name for file in files) == sorted(f"{name}.npz" for name in datasets.names())
    assert sum(len(file.read_bytes()) for file in files) < 1e6


def test_data_are_found_from_any_folder(tmp_path):
    code = "from mixedeffects import datasets; print(datasets.load('cake').shape)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == "(270, 5)\n"


def test_importing_reads_no_data():
    code = (
        "import sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == 'open' else None)\n"
        "import mixedeffects.datasets\n"
        "assert not [name for name in opened if name.endswith('.npz')]\n"
        "mixedeffects.datasets.load('cake')\n"
        "assert [name for name in opened if name.endswith('cake.npz')], 'the hook sees no file'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_needs_no_frame_library():
    sources = list(Path(datasets.__file__).parent.rglob("*.py"))
    assert len(sources) > 5
    for source in sources:
        for node in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                assert not {"pandas", "polars", "pyarrow", "numpy"} & {name.split(".")[0] for name in names}, source
