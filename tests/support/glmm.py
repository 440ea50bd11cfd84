"""Generalized models of the reference cases, each fitted once in a session."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd

import mixedeffects as me
from support import reference

FAMILIES = {
    "negative.binomial": "negative_binomial",
    "nbinom2": "negative_binomial",
    "nbinom1": "negative_binomial1",
    "inverse.gaussian": "inverse_gaussian",
    "Gamma": "gamma",
}


def case_frame(case: dict) -> pd.DataFrame:
    """The data of a case with the columns that its note derives."""
    frame = reference.load_data(case["dataset"])
    if case["id"] == "cbpp_obs":
        frame["obs"] = np.arange(1, len(frame) + 1)
    if case["id"] == "cbpp_weights":
        frame["prop"] = frame["incidence"] / frame["size"]
    if case["id"].startswith("mmmec"):
        frame["lexp"] = np.log(frame["expected"])
    if case["id"].startswith("arabidopsis"):
        for column in ("nutrient", "rack", "gen"):
            levels = [str(level) for level in sorted(frame[column].unique())]
            frame[column] = pd.Categorical(frame[column].astype(str), categories=levels)
    return frame


@cache
def glmm_fit(
    case_id: str, topic: str = "glmm", information: str = "observed"
) -> tuple[dict, me.GlmmResult, list[warnings.WarningMessage]]:
    """Fit a case, with the warnings that it gave."""
    case = reference.load_case(case_id, topic)
    frame = case_frame(case)
    formula = reference.translate(case["formula"], list(frame.columns))
    options = {name: case[name] for name in ("weights", "offset") if case.get(name)}
    options["control"] = me.Control(information=information)
    family = FAMILIES.get(case["family"], case["family"])
    contrasts = reference.contrasts(case, formula) or None
    nagq = case.get("nAGQ", 1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = me.glmer(formula, frame, family, link=case["link"], nagq=nagq, contrasts=contrasts, **options)
    return case, fit, caught


HERDS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
TICKS = "TICKS ~ C(YEAR) + (1 | LOCATION) + (1 | BROOD)"
SEIZURES = "y ~ trt + lbase + (1 | subject)"
# name: formula, data set, family, link
MEASURED = {
    "herds": (HERDS, "cbpp", "binomial", "logit"),
    "herds_obs": (f"{HERDS} + (1 | obs)", "cbpp", "binomial", "logit"),
    "herds_probit": (HERDS, "cbpp", "binomial", "probit"),
    "herds_cloglog": (HERDS, "cbpp", "binomial", "cloglog"),
    "epil": (SEIZURES, "epil", "poisson", "log"),
    "epil_slope": ("y ~ trt + lbase + V4 + (V4 | subject)", "epil", "poisson", "log"),
    "ticks": (TICKS, "grouseticks", "poisson", "log"),
    "ticks_nb2": (TICKS, "grouseticks", "negative_binomial", "log"),
}


@cache
def measured(name: str) -> me.GlmmResult:
    """Fit one of the models of ``tests/reference/glmm_measures``."""
    formula, dataset, family, link = MEASURED[name]
    frame = reference.load_data(dataset)
    if dataset == "cbpp":
        frame["obs"] = np.arange(len(frame))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return me.glmer(formula, frame, family, link=link)
