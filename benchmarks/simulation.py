"""1,000 simulated fits of a two-level design against lme4's `refit`, in one run.

    python benchmarks/simulation.py

20 groups of 10 rows, y ~ x + (1 | g), by maximum likelihood (the README says why). lme4: 1,000 calls of refit. Ours on
the same responses: `fit.refit_estimates` in one thread, and `fit.refit`, which gives whole fits; and with the responses
drawn in the time, estimates by `sampling_distribution` and t tests by `me.power`. The median of the estimated standard
deviations of the groups stands beside the times.
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
from machine import describe
from problems import CACHE
from report import duration, markdown, write

import mixedeffects as me
from mixedeffects.population import (
    balanced,
    population,
    predictor,
    random_effects,
    response,
    sampling_distribution,
)

HERE = Path(__file__).resolve().parent
MODEL = "y ~ x + (1 | g)"
DRAWS, REPETITIONS = 1000, 15
SD = "sd_Intercept|g"


def clock(call) -> tuple[float, object]:
    """Median time of several calls, and the last value."""
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        value = call()
        times.append(time.perf_counter() - start)
    return median(times), value


def main() -> None:
    """Run both and write the table."""
    warnings.simplefilter("ignore")
    design = population(
        g=predictor(balanced, each=10),
        x=predictor("normal"),
        y=response(lambda x: 0.3 * x, random=random_effects("g", sd=1), error_scale=1),
    )
    sample = design.sample_x(200, rng=1)
    responses = np.column_stack([sample.draw_y(rng)["y"] for rng in np.random.default_rng(2).spawn(DRAWS)])
    frame = sample.frame.assign(y=responses[:, 0])
    folder = CACHE / "simulation"
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "data.csv", index=False, float_format="%.17g")
    np.savetxt(folder / "responses.csv", responses, delimiter=",", fmt="%.17g")
    fit = me.lmer(MODEL, frame, reml=False)
    estimates = clock(lambda: fit.refit_estimates(responses)[SD].median())
    whole = clock(lambda: np.median([fit.refit(y).varcorr.covariance["g"].iloc[0, 0] ** 0.5 for y in responses.T]))
    drawn = clock(lambda: sampling_distribution(fit, sample, "estimates", nsim=DRAWS, rng=2)[SD][1:].median())
    tested = clock(lambda: me.power(design, MODEL, test="x", n=200, nsim=DRAWS, rng=1, reml=False))
    script = HERE / "libraries" / "simulation.R"
    done = subprocess.run(["Rscript", script, folder], capture_output=True, text=True, check=True)
    theirs, their_sd = map(float, done.stdout.split())
    rows = [["lme4, refit", duration(theirs), "1", f"{their_sd:.6f}"]]
    for name, (seconds, value), shown in (
        ("fit.refit_estimates", estimates, True),
        ("sampling_distribution, with the draws", drawn, True),
        ("fit.refit, whole fits", whole, True),
        ("me.power, with the draws and Satterthwaite t tests", tested, False),
    ):
        rows.append([name, duration(seconds), f"{theirs / seconds:.0f}", f"{value:.6f}" if shown else ""])
    table = markdown([f"{DRAWS:,} simulated fits", "time", "times as fast as lme4", "median sd of the groups"], rows)
    write("simulation", {"machine": describe(), "versions": {}, "command": sys.argv, "rows": rows}, table)


if __name__ == "__main__":
    main()
