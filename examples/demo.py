"""The main job on real data: reaction times of 18 people over ten days, eight of them without enough sleep.

Fits a line for every person around a common one, prints the result, and draws both into demo/sleepstudy.png.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import mixedeffects as me

# Okabe and Ito's palette: told apart by every kind of colour vision.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8A8A"
PICTURE = Path("demo") / "sleepstudy.png"
DEPRIVED_AFTER = 2  # days 0 to 2 are adaptation and baseline


def draw_everyone(ax, data):
    """One line per subject, as measured; a vertical line where sleep deprivation begins."""
    for _, person in data.groupby("Subject", observed=True):
        ax.plot(person["Days"], person["Reaction"], color=GREY, linewidth=0.9, alpha=0.8)
    ax.axvline(DEPRIVED_AFTER, color=ORANGE, linewidth=1.4)
    ax.text(DEPRIVED_AFTER + 0.12, data["Reaction"].max(), "sleep deprivation begins", color=ORANGE, va="top")
    ax.set(xlabel="Day", ylabel="Average reaction time (ms)", xticks=range(0, 10, 3))
    ax.set_title("As measured: one line per subject", loc="left")


def draw_person(ax, person, name, own, common):
    """The measurements of one subject, the line fitted to this subject, and the common line."""
    days = np.array([0.0, 9.0])
    ax.plot(days, common["Intercept"] + common["Days"] * days, color=ORANGE, linewidth=1, linestyle=(0, (4, 2)))
    ax.plot(days, own["Intercept"] + own["Days"] * days, color=BLUE, linewidth=1.6)
    ax.plot(person["Days"], person["Reaction"], "o", color="black", markersize=2.4)
    ax.set_title(name, fontsize=8, pad=2)
    ax.tick_params(labelsize=7, length=2)


def draw(fit, data, path):
    """Draw the measurements on the left and the fitted lines, one panel per subject, on the right."""
    figure = plt.figure(figsize=(12, 5.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.7], wspace=0.04)
    draw_everyone(left.subplots(), data)
    panels = right.subplots(3, 6, sharex=True, sharey=True)
    lines = fit.coef["Subject"].sort_values("Days")
    for ax, (subject, own) in zip(panels.flat, lines.iterrows(), strict=True):
        draw_person(ax, data[data["Subject"].astype(str) == subject], subject, own, fit.fixef)
    for ax in panels[-1]:
        ax.set_xticks(range(0, 10, 3))
    blue, orange = panels[0, 0].lines[1], panels[0, 0].lines[0]
    right.legend([blue, orange], ["fitted to the subject", "common line"], loc="outside lower center", ncols=2)
    right.suptitle("Fitted: Reaction ~ Days + (Days | Subject), subjects by slope", x=0.04, ha="left", fontsize="large")
    for ax in figure.findobj(plt.Axes):
        ax.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)


def main():
    """Fit, print, draw."""
    data = me.datasets.load("sleepstudy")
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", data)
    print(fit.summary())
    print(fit.ranef)
    draw(fit, data, PICTURE)
    print(f"The measurements and the fitted lines: {PICTURE.resolve()}")


if __name__ == "__main__":
    main()
