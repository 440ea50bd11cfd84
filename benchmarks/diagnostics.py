"""Prediction intervals, deletion of every group and leverages against lme4 in one run.

    python benchmarks/diagnostics.py

lme4's own times come from libraries/diagnostics.R: the fit itself for prediction intervals (it has none), 20 refits
for the deletion of all of 10,000 groups, and `hatvalues`. The numbers that both compute are printed beside each other.
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from machine import describe
from problems import CACHE
from report import duration, markdown, write

import mixedeffects as me

HERE = Path(__file__).resolve().parent
SLOPES, INTERCEPTS = "y ~ x + (x | g)", "y ~ x + (1 | g)"


def groups(n: int, n_groups: int, seed: int) -> pd.DataFrame:
    """Make rows with a slope of their own for every group; sizes of the groups differ."""
    rng = np.random.default_rng(seed)
    g = rng.integers(0, n_groups, n)
    x = rng.normal(size=n)
    b = rng.normal(size=(n_groups, 2)) @ np.array([[1.0, 0.3], [0.0, 0.5]])
    y = 1.0 + 0.5 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "g": g})


DATA = {
    "predict": groups(50_000, 5_000, 1),
    "intercepts": groups(100_000, 10_000, 2),
    "slopes": groups(100_000, 10_000, 2),
    "leverage": groups(10_000, 500, 3),
}


def clock(call, repetitions: int) -> tuple[float, float]:
    """Median time of a call, and its last value."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        value = call()
        times.append(time.perf_counter() - start)
    return median(times), float(value)


def first_deleted(formula: str, data: pd.DataFrame) -> float:
    """Slope without the first group, of the deletion of every group by refits."""
    return me.lmer(formula, data).influence("g").fixef["x"].iloc[0]


def main() -> None:
    """Run both and write the table."""
    warnings.simplefilter("ignore")
    folder = CACHE / "diagnostics"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in DATA.items():
        data.to_csv(folder / f"{name}.csv", index=False, float_format="%.17g")
    script = HERE / "libraries" / "diagnostics.R"
    done = subprocess.run(["Rscript", script, folder], capture_output=True, text=True, check=True)
    theirs = {line.split()[0]: [float(v) for v in line.split()[1:3]] for line in done.stdout.splitlines()}
    fit, small = me.lmer(SLOPES, DATA["predict"]), me.lmer(SLOPES, DATA["leverage"])
    ours = {
        "predict": clock(lambda: fit.predict(DATA["predict"], interval="prediction")["estimate"][:100].mean(), 5),
        "intercepts": clock(lambda: first_deleted(INTERCEPTS, DATA["intercepts"]), 1),
        "slopes": clock(lambda: first_deleted(SLOPES, DATA["slopes"]), 1),
        "leverage": clock(lambda: small.leverage().sum(), 9),
    }
    names = {
        "predict": "prediction with intervals, 50,000 rows, 5,000 groups (lme4: the fit; value: mean of the first 100)",
        "intercepts": "deletion of 10,000 groups, intercepts (lme4: 20 refits; value: slope without the first group)",
        "slopes": "deletion of 10,000 groups, intercepts and slopes (the same)",
        "leverage": "leverages of 10,000 rows in 500 groups (value: their sum)",
    }
    rows = [
        [
            names[task],
            duration(ours[task][0]),
            duration(theirs[task][0]),
            f"{theirs[task][0] / ours[task][0]:.1f}",
            f"{ours[task][1]:.9g}",
            f"{theirs[task][1]:.9g}",
        ]
        for task in ours
    ]
    table = markdown(["what", "ours", "lme4", "ratio", "our value", "lme4's value"], rows)
    write("diagnostics", {"machine": describe(), "versions": {}, "command": sys.argv, "rows": rows}, table)


if __name__ == "__main__":
    main()
