"""Reads the cases that generate.R has written: what goes into a table, and what R prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mixedeffects.tables import (
    Coefficients,
    GroupValues,
    InformationCriteria,
    RandomTermCovariance,
    Summary,
    VarCorr,
    lmm_title,
)

HERE = Path(__file__).parent
EXPECTED = HERE / "expected"


def names(what: str) -> list[str]:
    """Names of the cases for which R printed a summary, a varcorr, ranef or coef."""
    return sorted(path.name.split(".")[0] for path in EXPECTED.glob(f"*.{what}.txt"))


def values(case: str) -> dict[str, Any]:
    return json.loads((EXPECTED / f"{case}.json").read_text())


def printed(case: str, what: str) -> str:
    return (EXPECTED / f"{case}.{what}.txt").read_text()


def as_list(x: Any) -> list[Any]:
    return x if isinstance(x, list) else [x]


def varcorr(v: dict[str, Any]) -> VarCorr:
    terms = tuple(
        RandomTermCovariance(
            key=t["key"], group=t["group"], names=tuple(t["names"]), covariance=np.array(t["covariance"], dtype=float)
        )
        for t in v["terms"]
    )
    return VarCorr(terms=terms, sigma=v["sigma"])


def optional(v: Any) -> np.ndarray | None:
    return None if v is None else np.array(v, dtype=float)


def coefficients(v: dict[str, Any]) -> Coefficients:
    return Coefficients(
        names=tuple(v["names"]) + ("aliased",) * v["dropped"],
        correlation=np.array(v["correlation"], dtype=float),
        df=None if v["df"] is None else np.array(v["df"] + [np.nan] * v["dropped"]),
        p_value=optional(v["p_value"]),
        **{
            name: np.array(v[name] + [np.nan] * v["dropped"], dtype=float)
            for name in ("estimate", "std_error", "statistic")
        },
    )


def summary(v: dict[str, Any], **changes: Any) -> Summary:
    aic = v["aic"]
    criterion = (
        v["criterion"]
        if aic is None
        else InformationCriteria(
            aic=aic["AIC"], bic=aic["BIC"], loglik=aic["logLik"], deviance=aic["deviance"], df_resid=aic["df.resid"]
        )
    )
    parts: dict[str, Any] = {
        "title": lmm_title(reml=v["reml"], ddf=None if v["df"] is None else "Satterthwaite"),
        "formula": v["formula"],
        "criterion": criterion,
        "residual_quantiles": tuple(v["quantiles"]),
        "varcorr": varcorr(v),
        "nobs": v["nobs"],
        "groups": tuple(zip(as_list(v["groups"]), as_list(v["counts"]), strict=True)),
        "coefficients": coefficients(v),
        "data_name": v["data"],
        "weights": v["weights"],
        "offset": v["offset"],
        "control": v["control"],
        "subset": v["subset"],
        "stars": v["stars"],
    }
    return Summary(**{**parts, **changes})


def group_values(v: dict[str, Any], what: str, condvar: bool) -> tuple[GroupValues, ...]:
    return tuple(
        GroupValues(
            group=group,
            terms=tuple(t["terms"]),
            levels=t["levels"],
            values=np.array(t["values"], dtype=float),
            condvar=np.ones((len(t["levels"]), len(t["terms"]), len(t["terms"]))) if condvar else None,
        )
        for group, t in v[what].items()
    )
