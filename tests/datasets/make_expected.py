"""Write expected.json: what the packed data must be equal to, computed from the CSV files without the package.

    python tests/datasets/make_expected.py SOURCE

SOURCE holds NAME.csv and NAME.schema.json, as for tools/build_datasets.py.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import sys
from collections import Counter
from pathlib import Path

NAMES = """
    sleepstudy Dyestuff Dyestuff2 Penicillin Pastes cake Machines Oats Orthodont InstEval Chem97 ScotsSec egsingle cbpp
    VerbAgg grouseticks Contraception Arabidopsis milk cornsoybean cornsoybeanmeans healing
"""
TEXT_WITHOUT_SCHEMA = {"CountyName"}
COUNTED = 30  # factors with more levels are checked by the hash of their levels alone


def canonical(text: str, kind: str) -> str:
    return f"{float(text):.17g}" if kind == "numeric" and text else text


def describe_column(fields: list[str], about: dict) -> dict:
    if about["kind"] == "numeric":
        numbers = [float(field) for field in fields if field]
        whole = len(numbers) == len(fields) and all(number.is_integer() for number in numbers)
        return {"kind": "numeric", "dtype": "int64" if whole else "float64", "sum": math.fsum(numbers)}
    levels = [str(level) for level in about["levels"]]
    digest = hashlib.sha256("\n".join(levels).encode()).hexdigest()
    expected = {"kind": about["kind"], "n_levels": len(levels), "levels_sha256": digest}
    if len(levels) <= COUNTED:
        counts = Counter(fields)
        expected["counts"] = {level: counts[level] for level in levels}
    return expected


def expect(source: Path, name: str) -> dict:
    with (source / f"{name}.csv").open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    schema = source / f"{name}.schema.json"
    about = json.loads(schema.read_text(encoding="utf-8"))["columns"] if schema.exists() else {}
    for j, column in enumerate(header):
        if column in TEXT_WITHOUT_SCHEMA:
            about[column] = {"kind": "factor", "levels": list(dict.fromkeys(row[j] for row in rows))}
        about.setdefault(column, {"kind": "numeric"})
    digest = hashlib.sha256()
    for row in rows:
        cells = (canonical(text, about[column]["kind"]) for column, text in zip(header, row, strict=True))
        digest.update(("\x1f".join(cells) + "\n").encode())
    columns = {column: describe_column([row[j] for row in rows], about[column]) for j, column in enumerate(header)}
    return {"rows": len(rows), "sha256": digest.hexdigest(), "columns": columns}


def main(source: Path) -> None:
    target = Path(__file__).with_name("expected.json")
    content = {
        "script": "tests/datasets/make_expected.py",
        "datasets": {name: expect(source, name) for name in NAMES.split()},
    }
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
