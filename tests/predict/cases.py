"""Designs whose prediction errors are compared with dense matrices, each with new rows of known and unknown levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from support import reference
from support.fits import quiet_fit

import mixedeffects as me

if TYPE_CHECKING:
    import pandas as pd


def unbalanced(dataset: str, drop: int) -> pd.DataFrame:
    """A data set without every `drop`-th row."""
    frame = reference.load_data(dataset)
    return frame[np.arange(len(frame)) % drop != 1]


def some_rows(frame: pd.DataFrame, names: tuple[str, ...], *, unknown: str | None = None) -> dict[str, list]:
    """Rows in a new order with their group labels exchanged, so that combinations occur that the fit has not seen."""
    part = frame.iloc[[3, 17, 9, 3, 25, 11]]
    rows = {name: part[name].tolist() for name in names}
    for name in names:
        if not isinstance(rows[name][0], float):
            rows[name][1], rows[name][4] = rows[name][4], rows[name][1]
    if unknown is not None:
        rows[unknown][2] = rows[unknown][5] = "unknown"
    return rows


def designs() -> dict[str, tuple[me.LmmResult, dict[str, list]]]:
    """Name to a fit and new rows."""
    cross = reference.load_data("sim_cross")
    sleep = reference.load_data("sleepstudy")
    machines = reference.load_data("Machines").assign(number=lambda d: d["Machine"].cat.codes + 1.0)
    pastes = reference.load_data("Pastes")
    return {
        "slope": (
            quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
            some_rows(sleep, ("Days", "Subject"), unknown="Subject"),
        ),
        "independent": (
            quiet_fit("Reaction ~ Days + (Days || Subject)", "sleepstudy", reml=False),
            some_rows(sleep, ("Days", "Subject")),
        ),
        "independent factor": (
            quiet_fit("score ~ Machine + (Machine || Worker)", "Machines"),
            some_rows(machines, ("Machine", "Worker")),
        ),
        "singular": (
            quiet_fit("rt ~ a*B + (1 + a + B | subj) + (1 + B | item)", "sim_cross"),
            some_rows(cross, ("a", "B", "subj", "item"), unknown="item"),
        ),
        "weights and offset": (
            quiet_fit("rt ~ A + B + (B | subj)", "sim_cross", weights="w", offset="off"),
            some_rows(cross, ("A", "B", "subj", "w", "off"), unknown="subj"),
        ),
        "crossed, weighted": (
            quiet_fit("rt ~ A * B + (1 | subj) + (1 | item)", "sim_cross", weights="w"),
            some_rows(cross, ("A", "B", "subj", "item", "w")),
        ),
        "nested": (
            quiet_fit("strength ~ 1 + (1 | batch/cask)", "Pastes"),
            some_rows(pastes, ("batch", "cask"), unknown="batch"),
        ),
        "zero variance": (
            quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2"),
            some_rows(reference.load_data("Dyestuff2"), ("Batch",), unknown="Batch"),
        ),
        "rank deficient": (
            quiet_deficient(machines),
            some_rows(machines, ("Machine", "number", "Worker")) | {"number": [1.0] * 6, "Machine": ["A"] * 6},
        ),
        "no fixed effects": (
            quiet_fit("Reaction ~ 0 + (Days | Subject)", "sleepstudy"),
            some_rows(sleep, ("Days", "Subject")),
        ),
    }


def quiet_deficient(machines: pd.DataFrame) -> me.LmmResult:
    """A fit with an aliased column."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.lmer("score ~ Machine + number + (1 | Worker)", machines.iloc[:-4])
