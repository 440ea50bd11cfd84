"""Inference against R in one run: profile intervals, bootstrap refits, Kenward-Roger on a crossed model of 2,000 rows.

    python benchmarks/inference.py

R's times come from libraries/inference.R (lme4, pbkrtest); ours are medians of several calls, each on a fresh fit so
that nothing is remembered. The numbers that both compute are printed beside each other.
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
SLEEP = "Reaction ~ Days + (Days | Subject)"
HERDS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
CROSSED = "y ~ x + (1 | s) + (1 | i)"


def crossed() -> pd.DataFrame:
    """Make 2,000 rows of 100 subjects and 40 items, each subject with 20 of the items."""
    rng = np.random.default_rng(20265)
    s = np.repeat(np.arange(100), 20)
    i = np.concatenate([rng.permutation(40)[:20] for _ in range(100)])
    x = rng.normal(size=2000)
    y = 1 + 0.1 * x + 0.7 * rng.normal(size=100)[s] + 0.5 * rng.normal(size=40)[i] + rng.normal(size=2000)
    return pd.DataFrame({"y": y, "x": x, "s": s, "i": i})


def clock(prepare, call, repetitions: int) -> tuple[float, float]:
    """Median time of the call on what `prepare` makes anew, and its last value."""
    times = []
    for _ in range(repetitions):
        subject = prepare()
        start = time.perf_counter()
        value = call(subject)
        times.append(time.perf_counter() - start)
    return median(times), float(value)


def main() -> None:
    """Run both and write the table."""
    warnings.simplefilter("ignore")
    folder = CACHE / "inference"
    folder.mkdir(parents=True, exist_ok=True)
    data = crossed()
    data.to_csv(folder / "crossed_2000.csv", index=False, float_format="%.17g")
    me.datasets.load("sleepstudy").to_csv(folder / "sleepstudy.csv", index=False)
    herds = me.datasets.load("cbpp")
    herds.to_csv(folder / "cbpp.csv", index=False)
    done = subprocess.run(
        ["Rscript", HERE / "libraries" / "inference.R", folder], capture_output=True, text=True, check=True
    )
    theirs = {line.split()[0]: [float(v) for v in line.split()[1:3]] for line in done.stdout.splitlines()}
    theirs["bootstrap_200"][0] *= 50  # 10,000 refits
    sleep = me.datasets.load("sleepstudy")
    ours = {
        "profile": clock(
            lambda: me.lmer(SLEEP, sleep, reml=False), lambda fit: fit.confint().loc["sd_Intercept|Subject", "lower"], 9
        ),
        "profile_cbpp": clock(
            lambda: me.glmer(HERDS, herds), lambda fit: fit.confint().loc["sd_Intercept|herd", "lower"], 9
        ),
        "bootstrap_200": clock(
            lambda: me.lmer(SLEEP, sleep, reml=False),
            lambda fit: fit.bootstrap(10_000, rng=1, progress=False).replicates["Days"].std(),
            3,
        ),
        "kenward_roger": clock(
            lambda: me.lmer(CROSSED, data), lambda fit: fit.coef_table(ddf="kenward-roger")["df"].iloc[1], 9
        ),
    }
    names = {
        "profile": "profile intervals of all parameters, sleepstudy (value: lower limit of the first)",
        "profile_cbpp": "profile intervals of all parameters, cbpp by glmer (value: lower limit of the first)",
        "bootstrap_200": "10,000 bootstrap refits, sleepstudy (R: 200, times 50; value: sd of the slope)",
        "kenward_roger": "Kenward-Roger covariance and df, crossed, 2,000 rows (value: df of the slope)",
    }
    rows = [
        [
            names[task],
            duration(ours[task][0]),
            duration(theirs[task][0]),
            f"{theirs[task][0] / ours[task][0]:.0f}",
            f"{ours[task][1]:.6g}",
            f"{theirs[task][1]:.6g}",
        ]
        for task in ours
    ]
    table = markdown(["what", "ours", "R", "ratio", "our value", "R's value"], rows)
    write("inference", {"machine": describe(), "versions": {}, "command": sys.argv, "rows": rows}, table)


if __name__ == "__main__":
    main()
