"""Time and peak memory of mixedeffects as the rows grow: 10^5, 10^6, 10^7 rows of y ~ x + (x | g) in 10,000 groups.

    python benchmarks/scaling.py [--rows 100000,1000000,10000000] [--rounds 3]

Every run is a process of its own that loads the columns, notes its memory, fits once, and reports. The columns used are
y, x (float64) and g (int64): 24 bytes a row. The peak is that of the whole process, interpreter and imports included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from machine import describe
from problems import CACHE, simulate_slopes
from report import duration, markdown, write

GROUPS = 10_000
COLUMNS = ("y", "x", "g")


def peak() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def ensure(rows: int) -> Path:
    """Write the columns to the cache as .npy unless they are there."""
    folder = CACHE / f"scaling_{rows}"
    if not (folder / "g.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name, column in simulate_slopes(rows, GROUPS, seed=20264).items():
            np.save(folder / f"{name}.npy", column)
    return folder


def measure(folder: Path) -> dict[str, float]:
    """Load, fit once, and report; runs in a fresh process."""
    import pandas as pd

    import mixedeffects as me

    me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))  # loads what is loaded on first use
    imports = peak()
    frame = pd.DataFrame({name: np.load(folder / f"{name}.npy") for name in COLUMNS}, copy=False)
    loaded = peak()
    start = time.perf_counter()
    fit = me.lmer("y ~ x + (x | g)", frame)
    seconds = time.perf_counter() - start
    return {
        "rows": len(frame),
        "seconds": seconds,
        "columns_bytes": sum(frame[name].to_numpy().nbytes for name in COLUMNS),
        "imports_bytes": imports,
        "loaded_bytes": loaded,
        "peak_bytes": peak(),
        "n_evaluations": fit.optimum.n_evaluations,
        "criterion": fit.criterion,
    }


def table(rows: list[dict[str, float]]) -> str:
    """Return the Markdown table, one line per size."""
    body = [
        [
            f"{row['rows']:,.0f}",
            duration(row["seconds"]),
            f"{1e9 * row['seconds'] / row['rows']:.0f} ns",
            f"{row['columns_bytes'] / 1e6:,.1f} MB",
            f"{row['imports_bytes'] / 1e6:,.0f} MB",
            f"{row['peak_bytes'] / 1e6:,.0f} MB",
            f"{row['peak_bytes'] / row['columns_bytes']:.2f}",
            f"{(row['peak_bytes'] - row['imports_bytes']) / row['columns_bytes']:.2f}",
            f"{row['n_evaluations']:.0f}",
        ]
        for row in rows
    ]
    header = [
        "rows",
        "fit",
        "per row",
        "columns used",
        "after imports",
        "peak of process",
        "peak / columns",
        "less imports",
        "evaluations",
    ]
    return markdown(header, body)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory against rows.")
    parser.add_argument("--rows", default="100000,1000000,10000000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has mixedeffects")
    parser.add_argument("--measure", type=Path, help="(internal) measure the columns in this folder")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    rows = []
    for size in map(int, options.rows.split(",")):
        folder = ensure(size)
        call = [options.python, __file__, "--measure", str(folder)]
        runs = [
            json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout)
            for _ in range(options.rounds)
        ]
        rows.append({key: median(run[key] for run in runs) for key in runs[0]})
    write("scaling", {"machine": describe(), "versions": {}, "command": sys.argv, "rows": rows}, table(rows))


if __name__ == "__main__":
    main()
