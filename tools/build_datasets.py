"""Pack the example data for src/mixedeffects/datasets/data from a folder of CSV files.

    python tools/build_datasets.py SOURCE [TARGET]

SOURCE holds NAME.csv (an empty field is a missing value) and NAME.schema.json with
``{"columns": {column: {"kind": "numeric" | "factor" | "ordered", "levels": [...]}}}``. Without a schema, columns that
are not numbers become factors with the levels in order of appearance. The layout of the packed files is described in
mixedeffects/datasets/files.py. The same input gives the same bytes.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np

from mixedeffects import datasets

TARGET = Path(__file__).resolve().parent.parent / "src" / "mixedeffects" / "datasets" / "data"
LARGEST = 2**53  # beyond this, neighbouring integers share a float64


def is_number(text: str) -> bool:
    """Tell whether a field is a number or missing."""
    try:
        float(text or "nan")
    except ValueError:
        return False
    return True


def guess(fields: list[str]) -> dict:
    """Return the schema of a column that has none."""
    if all(is_number(field) for field in fields):
        return {"kind": "numeric"}
    return {"kind": "factor", "levels": list(dict.fromkeys(field for field in fields if field))}


def smallest(values: np.ndarray) -> np.ndarray:
    """Return integers in the smallest signed type that holds them."""
    low, high = int(values.min()), int(values.max())
    fits = (t for t in (np.int8, np.int16, np.int32, np.int64) if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    return values.astype(next(fits))


def pack_numbers(fields: list[str]) -> tuple[np.ndarray, int]:
    """Return (stored, decimals): integers when some power of ten makes them so exactly, else floats and -1."""
    values = np.array([float(field or "nan") for field in fields])
    if np.isnan(values).any():
        return values, -1
    for decimals in range(16):
        scaled = np.rint(values * 10.0**decimals)
        if np.abs(scaled).max() >= LARGEST:
            break
        if np.array_equal(scaled / 10.0**decimals, values):
            return smallest(scaled), decimals
    return values, -1


def pack_factor(fields: list[str], levels: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return (codes, levels); a field that is not a level is an error."""
    code = {level: j for j, level in enumerate(levels)} | {"": -1}
    encoded = np.array([level.encode() for level in levels])
    return smallest(np.array([code[field] for field in fields])), encoded


def pack(name: str, source: Path) -> dict[str, np.ndarray]:
    """Return the arrays of one data set."""
    with (source / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    schema_file = source / f"{name}.schema.json"
    schema = json.loads(schema_file.read_text(encoding="utf-8"))["columns"] if schema_file.exists() else {}
    arrays: dict[str, np.ndarray] = {}
    kinds, decimals = [], []
    for j, column in enumerate(header):
        fields = [row[j] for row in rows]
        about = schema.get(column) or guess(fields)
        kinds.append(about["kind"])
        decimals.append(0)
        if about["kind"] == "numeric":
            arrays[f"values.{j}"], decimals[-1] = pack_numbers(fields)
        else:
            levels = [str(level) for level in about["levels"]]
            arrays[f"values.{j}"], arrays[f"levels.{j}"] = pack_factor(fields, levels)
    heads = {"names": np.array([h.encode() for h in header]), "kinds": np.array([k.encode() for k in kinds])}
    return {**heads, "decimals": np.array(decimals, dtype=np.int8), **arrays}


def main(arguments: list[str]) -> int:
    """Write one packed file for every data set that the catalogue names."""
    source, target = Path(arguments[0]), Path(arguments[1]) if arguments[1:] else TARGET
    target.mkdir(parents=True, exist_ok=True)
    total = 0
    for name in datasets.names():
        file = target / f"{name}.npz"
        np.savez_compressed(file, **pack(name, source))
        total += file.stat().st_size
        print(f"{name:20s} {file.stat().st_size:9,d} bytes")
    print(f"{'total':20s} {total:9,d} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
