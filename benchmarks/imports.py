"""The time of `import mixedeffects` against the time of importing what it depends on.

    python benchmarks/imports.py [--rounds 15]

Each import is timed from inside a fresh interpreter; the statements take turns, and the medians are compared.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

from machine import describe
from report import duration, markdown, write

STATEMENTS = {
    "mixedeffects": "import mixedeffects",
    "its dependencies": "import numpy, scipy.linalg, scipy.sparse, formulaic, narwhals",
    "numpy": "import numpy",
    "pandas": "import pandas",
}
CLOCK = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of importing the package.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has mixedeffects")
    options = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for turn in range(options.rounds + 1):
        for name, statement in STATEMENTS.items():
            call = [options.python, "-c", CLOCK.format(statement)]
            seconds = float(subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout)
            if turn:  # the first round fills the file system's and the interpreter's caches
                times[name].append(seconds)
    base = median(times["its dependencies"])
    rows = [
        {"name": name, "statement": STATEMENTS[name], "median_seconds": median(found), "ratio": median(found) / base}
        for name, found in times.items()
    ]
    body = [
        [row["name"], f"`{row['statement']}`", duration(row["median_seconds"]), f"{row['ratio']:.2f}"] for row in rows
    ]
    table = markdown(["what", "statement", "median", "ratio to the dependencies"], body)
    write("imports", {"machine": describe(), "versions": {}, "command": sys.argv, "rows": rows}, table)


if __name__ == "__main__":
    main()
