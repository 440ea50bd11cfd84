"""Draw 1,000 samples of the shrinkage population, fit them by lme4, and keep lme4's answers.

    python make.py            # needs Rscript with lme4; writes singular.json beside itself

The samples are rounded to 6 decimals, so that R reads the very numbers that the tests draw again; `digest` tells
whether the generator of random numbers still draws the same ones.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import mixedeffects as me

HERE = Path(__file__).resolve().parent
SEED, DRAWS, ROWS = 23, 1000, 100


def draws() -> tuple[list[dict[str, np.ndarray]], str]:
    """All samples, and a digest of their numbers."""
    population = me.datasets.shrinkage_population()
    samples, digest = [], hashlib.sha256()
    for rng in np.random.default_rng(SEED).spawn(DRAWS):
        sample = population.sample_x(ROWS, rng)
        one = {
            "group": np.asarray(sample.columns["group"]),
            "x": np.round(sample.columns["x"], 6),
            "y": np.round(sample.draw_y()["y"], 6),
        }
        samples.append(one)
        digest.update("".join(one["group"]).encode() + one["x"].tobytes() + one["y"].tobytes())
    return samples, digest.hexdigest()


def main() -> None:
    """Write the samples for R, run it, and keep what it says."""
    samples, digest = draws()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draws.csv"
        with path.open("w") as file:
            file.write("draw,group,x,y\n")
            for j, one in enumerate(samples):
                file.writelines(
                    f"{j},{g},{x:.6f},{y:.6f}\n" for g, x, y in zip(one["group"], one["x"], one["y"], strict=True)
                )
        done = subprocess.run(["Rscript", HERE / "singular.R", path], capture_output=True, text=True, check=True)
    answers = [line.split() for line in done.stdout.splitlines()]
    out = {
        "source": "lme4 by singular.R on the samples of make.py",
        "digest": digest,
        "singular": "".join(flag for flag, _ in answers),
        "criterion": [float(value) for _, value in answers],
    }
    (HERE / "singular.json").write_text(json.dumps(out) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
