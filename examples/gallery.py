"""Draw every picture of docs/gallery.md: real data, and simulated ones for two kinds of groups and for power.

    python examples/gallery.py [FOLDER]

FOLDER is docs/gallery by default. The same pictures come out every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import mixedeffects as me
from mixedeffects.population import balanced, population, predictor, random_effects, response

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "gallery"


def sleep_study():
    """Yield the pictures of the sleep study by name: 18 subjects, an intercept and a slope each."""
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
    yield "residuals", fit.plot.residuals()
    yield "scale_location", fit.plot.scale_location()
    yield "qq", fit.plot.qq()
    yield "ranef_qq", fit.plot.ranef_qq()
    yield "caterpillar", fit.plot.caterpillar()
    yield "shrinkage", fit.plot.shrinkage()
    yield "trajectories", fit.plot.trajectories()
    yield "spaghetti", fit.plot.spaghetti(line_at=2)  # sleep deprivation begins after day 2
    yield "ranef_pairs", fit.plot.ranef_pairs()
    yield "profile", fit.plot.profile()
    yield "influence", fit.plot.influence(by="Subject")
    yield "lineup", fit.plot.lineup(rng=8)


def one_column():
    """Yield pictures of a single random intercept: six batches of dyestuff."""
    fit = me.lmer("Yield ~ 1 + (1 | Batch)", me.datasets.load("Dyestuff"))
    yield "groups", fit.plot.groups()
    yield "shrinkage_strip", fit.plot.shrinkage()


def several_factors():
    """Yield trajectories of varieties within blocks, and of plates crossed with samples."""
    oats = me.lmer("yield ~ nitro + Variety + (1 | Block/Variety)", me.datasets.load("Oats"))
    yield "trajectories_nested", oats.plot.trajectories()
    plates = me.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", me.datasets.load("Penicillin"))
    yield "trajectories_crossed", plates.plot.trajectories(x="sample", n=12)


def many_levels():
    """Yield pictures of large data: 31,022 pupils in 2,410 schools, and 2,972 students who rated 1,128 lecturers."""
    pupils = me.lmer("score ~ gcsecnt + (gcsecnt | school) + (1 | lea)", me.datasets.load("Chem97"))
    yield "residuals_many", pupils.plot.residuals()
    yield "trajectories_many", pupils.plot.trajectories()
    ratings = me.lmer("y ~ service + (1 | s) + (1 | d) + (1 | dept:service)", me.datasets.load("InstEval"))
    yield "caterpillar_many", ratings.plot.caterpillar()


def generalized():
    """Yield pictures of counts: infected cattle in 15 herds, and ticks on the chicks of 118 broods of grouse."""
    cattle = me.datasets.load("cbpp")
    herds = me.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", cattle)
    yield "trajectories_herds", herds.plot.trajectories("period")
    yield "influence_herds", herds.plot.influence(by="herd")
    ticks = me.glmer("TICKS ~ C(YEAR) + (1 | LOCATION) + (1 | BROOD)", me.datasets.load("grouseticks"), "poisson")
    yield "qq_ticks", ticks.plot.qq()


def incomes(county_sd, error_sd, rng, n_counties=20, n_respondents=25):
    """Simulate incomes, in thousands of dollars, of respondents in counties named by letters."""
    county = np.repeat(np.arange(n_counties), n_respondents)
    means = 50.0 + rng.normal(scale=county_sd, size=n_counties)
    income = means[county] + rng.normal(scale=error_sd, size=len(county))
    return {"county": np.array([chr(ord("A") + c) for c in county]), "income": income}


def two_kinds_of_groups():
    """Variation between counties on the left, within them on the right."""
    rng = np.random.default_rng(231)
    _, axes = plt.subplots(1, 2, figsize=(7.0, 2.7), layout="constrained", sharey=True)
    for ax, (county_sd, error_sd) in zip(axes, [(8.0, 1.0), (1.0, 8.0)], strict=True):
        fit = me.lmer("income ~ 1 + (1 | county)", incomes(county_sd, error_sd, rng))
        fit.plot.groups(ax=ax)
        ax.set_title("")
        ax.set_title(f"estimated ICC {fit.icc().adjusted:.2f}", loc="right", fontsize=9, color="black")
        ax.set_title(rf"$\sigma_\gamma = {county_sd:g},\ \sigma = {error_sd:g}$", loc="left", fontsize=9)
    axes[0].set_ylabel("income (thousands of dollars)")
    axes[1].set_ylabel("")
    return axes


def simulated():
    """Yield pictures of simulated data."""
    yield "icc", two_kinds_of_groups()
    yield "power", design_curve()


def design_curve():
    """Power of a slope against the number of rows: more subjects, ten days each."""
    study = population(
        subject=predictor(balanced, each=10),
        day=predictor(balanced, levels=range(10)),
        time=response(
            lambda day: 250 + 10 * day,
            random=random_effects("subject", sd=[25, 6], corr=0.1, names=["Intercept", "day"]),
            error_scale=25,
        ),
    )
    rows = [60, 120, 240, 480]
    return me.power(study, "time ~ day + (day | subject)", test="day = 6", n=rows, nsim=500, rng=1).plot()


def save(drawn, path):
    """Write the figure of some Axes and close it."""
    figure = np.atleast_1d(np.asarray(drawn, dtype=object)).flat[0].figure
    figure.savefig(path, dpi=150, metadata={"Software": None})
    plt.close(figure)


def main(arguments):
    """Draw everything."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for pictures in (sleep_study(), one_column(), several_factors(), many_levels(), generalized(), simulated()):
        for name, drawn in pictures:
            save(drawn, folder / f"{name}.png")
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main(sys.argv[1:])
