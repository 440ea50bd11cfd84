"""Draw the pictures of docs/small-areas.md: a survey of 30,000 people in 3,200 simulated counties.

    python examples/small_areas.py [FOLDER]

FOLDER is docs/small-areas by default. The same pictures come out every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import mixedeffects as me

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "small-areas"
COUNTIES, COLUMNS = 3200, 80


def survey(rng):
    """Simulate counties (share of degrees, true mean income) and respondents; incomes in thousands of dollars."""
    row, column = np.divmod(np.arange(COUNTIES), COLUMNS)
    degree = 0.33 + 0.15 * np.sin(column / 12) * np.cos(row / 9) + rng.uniform(-0.08, 0.08, COUNTIES)
    truth = 38 + 40 * degree + rng.normal(scale=4, size=COUNTIES)
    people = np.exp(rng.normal(10, 1.2, COUNTIES))
    n = rng.poisson(30_000 * people / people.sum())
    county = np.repeat(np.arange(COUNTIES), n)
    has_degree = (rng.random(len(county)) < degree[county]).astype(int)
    income = truth[county] + 40 * (has_degree - degree[county]) + rng.normal(scale=15, size=len(county))
    respondents = {"county": county, "degree": has_degree, "income": income}
    return respondents, {"county": np.arange(COUNTIES), "degree": degree}, truth


def outlines(rng):
    """Make GeoJSON of counties with four corners each, every corner shared by its neighbours."""
    rows = COUNTIES // COLUMNS
    corners = np.stack(np.meshgrid(np.arange(COLUMNS + 1.0), np.arange(rows + 1.0)), axis=-1)
    corners += rng.uniform(-0.3, 0.3, corners.shape)
    features = []
    for i in range(COUNTIES):
        r, c = divmod(i, COLUMNS)
        ring = [corners[r + a, c + b].tolist() for a, b in ((0, 0), (0, 1), (1, 1), (1, 0), (0, 0))]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"fips": i}, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def maps(areas, geojson):
    """Direct estimates above EBLUPs, in the same colours."""
    _, axes = plt.subplots(2, 1, figsize=(6.0, 6.2), layout="constrained")
    for ax, value in zip(axes, ("direct", "eblup"), strict=True):
        areas.plot.map(geojson, key="fips", value=value, limits=(35, 70), aspect=1, ax=ax)
    return axes[0]


def against_truth(areas, truth):
    """Estimates against the truth."""
    table = areas.to_frame()
    _, axes = plt.subplots(1, 2, figsize=(6.0, 3.0), layout="constrained", sharex=True, sharey=True)
    for ax, name in zip(axes, ("direct", "eblup"), strict=True):
        ax.plot(truth, table[name], "o", markersize=1.2, alpha=0.4, markeredgewidth=0, color="#0072B2")
        ax.axline((50, 50), slope=1, color="#6E6E6E", linewidth=0.8)
        ax.set(xlabel="true mean income", title={"direct": "direct estimate", "eblup": "EBLUP"}[name], ylim=(0, 110))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("estimate")
    return axes[0]


def main(folder: Path) -> None:
    """Write every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(23)
    respondents, counties, truth = survey(rng)
    areas = me.sae.unit_level(
        "income ~ degree", respondents, area="county", population_means=counties, unsampled="synthetic"
    )
    state = np.arange(COUNTIES).reshape(-1, COLUMNS)[16:21, 40:48].ravel()
    some = me.sae.unit_level(
        "income ~ degree",
        respondents,
        area="county",
        population_means={name: values[state] for name, values in counties.items()},
        unsampled="synthetic",
        without_means="drop",
    )
    pictures = {
        "against_truth": against_truth(areas, truth),
        "map": maps(areas, outlines(rng)),
        "caterpillar": some.plot.caterpillar(),
    }
    for name, ax in pictures.items():
        ax.figure.savefig(folder / f"{name}.png", dpi=100 if name == "map" else 120)
        plt.close(ax.figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
