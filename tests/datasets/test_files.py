"""What tools/build_datasets.py packs, `files.unpack` gives back."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from mixedeffects.datasets.files import unpack

TOOL = Path(__file__).resolve().parents[2] / "tools" / "build_datasets.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("build_datasets", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(folder, text, schema=None):
    (folder / "d.csv").write_text(text, encoding="utf-8")
    if schema is not None:
        (folder / "d.schema.json").write_text(json.dumps({"columns": schema}), encoding="utf-8")


@pytest.mark.parametrize(
    ("fields", "decimals"),
    [
        (["1", "2", "-300"], 0),
        (["9007199254740991", "0"], 0),
        (["249.56", "258.7047", "0"], 4),
        (["-0.1", "0.2", "0.3"], 1),
        (["0.33931571143033", "-6.28568428856967"], 14),
        (["3.141592653589793", "1e300"], -1),
        (["1", "", "2"], -1),
    ],
)
def test_numbers_come_back_bit_for_bit(tool, fields, decimals, tmp_path):
    write(tmp_path, "x,other\n" + "".join(f"{field},0\n" for field in fields), {"x": {"kind": "numeric"}})
    packed = tool.pack("d", tmp_path)
    assert packed["decimals"][0] == decimals
    column = unpack(packed)[0]
    assert column.values.dtype == (np.int64 if decimals == 0 else np.float64)
    np.testing.assert_array_equal(column.values, [float(field or "nan") for field in fields])


@pytest.mark.parametrize("top", [127, 128, 32767, 32768, 2**31 - 1, 2**31])
def test_integers_at_the_ends_of_their_types(tool, top):
    stored, decimals = tool.pack_numbers([str(top), str(-top - 1)])
    assert decimals == 0
    assert stored.tolist() == [top, -top - 1]


def test_factors_keep_levels_codes_and_order(tool, tmp_path):
    schema = {"f": {"kind": "factor", "levels": ["z", "é", "a b"]}, "o": {"kind": "ordered", "levels": [2, 1]}}
    write(tmp_path, 'f,o\n"a b",1\nz,2\n,\né,1\n', schema)
    f, o = unpack(tool.pack("d", tmp_path))
    assert (f.kind, f.levels, f.values.tolist()) == ("factor", ("z", "é", "a b"), [2, 0, -1, 1])
    assert (o.kind, o.levels, o.values.tolist()) == ("ordered", ("2", "1"), [1, 0, -1, 1])


def test_without_schema_text_becomes_a_factor_in_order_of_appearance(tool, tmp_path):
    write(tmp_path, "n,t\n1,b\n2.5,a\n3,b\n")
    n, t = unpack(tool.pack("d", tmp_path))
    assert (n.name, n.kind, n.values.tolist()) == ("n", "numeric", [1.0, 2.5, 3.0])
    assert (t.kind, t.levels, t.values.tolist()) == ("factor", ("b", "a"), [0, 1, 0])


def test_a_field_that_is_no_level_is_an_error(tool, tmp_path):
    write(tmp_path, "f\nx\n", {"f": {"kind": "factor", "levels": ["y"]}})
    with pytest.raises(KeyError, match="x"):
        tool.pack("d", tmp_path)
