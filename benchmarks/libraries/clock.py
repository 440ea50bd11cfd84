"""What every library's program shares: read the problem, warm up, run the clock, report one line of JSON.

A program defines `fit(problem, frame)` and `criterion(result)`; where the library can refit, also
`refitter(problem, frame)`, which returns a function of another response. It hands them to `main`. The frame is in
memory before the clock starts; the clock runs from the formula to the fitted object.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import numpy as np

Problem = dict[str, Any]


def read(problem: Problem) -> pd.DataFrame:
    """Read the cached CSV with every digit and the column types of the problem."""
    types = {name: "category" for name in problem["factors"]} | {name: "str" for name in problem["texts"]}
    return pd.read_csv(problem["csv"], dtype=types, float_precision="round_trip")


def timed(call: Callable[[], Any], *, at_least: int, seconds: float, at_most: int) -> tuple[list[float], Any]:
    """Repeat the call until its time is used up, and return the wall-clock times and the last result."""
    times: list[float] = []
    while len(times) < at_least or (sum(times) < seconds and len(times) < at_most):
        result = None  # the last fit is freed before the next is timed
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return times, result


def main(
    distribution: str,
    fit: Callable[[Problem, Any], Any],
    criterion: Callable[[Any], float],
    *,
    refitter: Callable[[Problem, Any], Callable[[np.ndarray], Any]] | None = None,
    prepare: Callable[[pd.DataFrame], Any] = lambda frame: frame,
    crossed: bool = True,
    generalized: bool = False,
    slopes: bool = True,
) -> None:
    """Run one problem: argv[1] is the job as JSON (problem, warm-up problem, seconds, at_most)."""
    warnings.simplefilter("ignore")
    job = json.loads(sys.argv[1])
    problem = job["problem"]
    report: dict[str, Any] = {"version": version(distribution), "python": platform.python_version()}
    unable = (
        (problem["group"] is None and not crossed),
        (problem["refit"] and refitter is None),
        (problem["family"] != "gaussian" and not generalized),
        (problem["slopes"] and not slopes),
    )
    if any(unable):
        print(json.dumps(report | {"unsupported": True}))
        return
    if slopes or not job["warm_up"]["slopes"]:
        fit(job["warm_up"], prepare(read(job["warm_up"])))
    pandas = read(problem)
    frame = prepare(pandas)
    limits = {"at_least": 1, "seconds": job["seconds"], "at_most": job["at_most"]}
    if problem["refit"]:
        refit, other = refitter(problem, frame), pandas[problem["refit"]].to_numpy()
        times, result = timed(lambda: refit(other), **limits)
    else:
        times, result = timed(lambda: fit(problem, frame), **limits)
    threads = os.environ.get("OMP_NUM_THREADS", "default")
    print(json.dumps(report | {"seconds": times, "criterion": float(criterion(result)), "threads": threads}))
