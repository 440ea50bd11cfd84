"""Generalized models for tests: from the reference cases, and drawn at random with a given shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from mixedeffects.criterion.laplace import LaplaceCriterion, laplace_criterion
from mixedeffects.design import design
from mixedeffects.families import family_of
from support import reference

if TYPE_CHECKING:
    from mixedeffects.criterion.agq import AgqCriterion
    from mixedeffects.design import Design
    from mixedeffects.families import Family

NAMES = {"nbinom2": "negative_binomial", "Gamma": "gamma"}
# Linear predictors in the middle of what such a link allows; elsewhere there are no limits.
LEVELS = {"inverse": 2.0, "identity": 6.0, "sqrt": 2.0, "1/mu^2": 2.0}


class Model(NamedTuple):
    """Rows with their trials or weights, and response distribution."""

    design: Design
    family: Family

    def laplace(self) -> LaplaceCriterion:
        """Return the Laplace criterion."""
        return laplace_criterion(self.design, self.family)

    def terms(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return key and columns of each term, as the minimizer wants them."""
        return [(term.key, term.names) for term in self.design.terms]


def of_case(case: dict) -> Model:
    """Return the model of a reference case."""
    frame = reference.load_data(case["dataset"])
    response, right = reference.translate(case["formula"], list(frame.columns)).split("~", 1)
    offset = re.search(r"\+ offset\((\w+)\)", right)
    if offset:
        right = right.replace(offset[0], "")
    trials = np.ones(len(frame))
    counts = re.match(r"cbind\((\w+), (\w+) - (\w+)\)", response.strip())
    if counts:
        trials = frame[counts[2]].to_numpy(float)
        y = frame[counts[1]].to_numpy(float) / trials
    else:
        column = frame[response.strip()]
        y = (
            column.cat.codes.to_numpy(float)
            if isinstance(column.dtype, pd.CategoricalDtype)
            else column.to_numpy(float)
        )
    frame["response"] = y
    given = {"offset": offset[1] if offset else None, "weights": trials}
    rows = design(f"response ~ {right}", frame, **given, allow_observation_level=True)
    return Model(rows, family_of(NAMES.get(case["family"], case["family"]), case["link"]))


def drawn(
    family: Family,
    random: str,
    *,
    seed: int,
    levels: int = 8,
    rows: int = 80,
    slope: float = 0.0,
    log_dispersion: float = -1.0,
) -> Model:
    """Draw a model with two fixed slopes, an offset, weights or trials, and the given random part.

    The intercept varies over the levels of g with standard deviation 0.4, the slopes of a and x with the one given; h,
    another factor with half as many levels, has no effect. Under a link with limits nothing varies but the offset.
    """
    rng = np.random.default_rng(seed)
    g = rng.permutation(np.arange(rows) % levels)
    frame = pd.DataFrame({"a": rng.normal(size=rows), "x": rng.normal(size=rows), "off": 0.2 * rng.normal(size=rows)})
    frame["g"] = [f"level{j}" for j in g]
    eta = 0.3 + 0.2 * frame["a"] + frame["off"] + 0.4 * rng.normal(size=levels)[g]
    if slope:
        eta += (slope * rng.normal(size=(levels, 2))[g] * frame[["a", "x"]].to_numpy()).sum(axis=1)
    if _limit(family):
        eta = _limit(family) + 0.2 * frame["off"]
    weights = rng.integers(1, 6, rows).astype(float) if family.name == "binomial" else rng.uniform(0.5, 2.0, rows)
    y = family.simulate(family.link.inverse(eta.to_numpy()), weights, log_dispersion, rng)
    frame["y"] = np.clip(y, 1e-3, 1.0 - 1e-3) if family.name == "beta" else y
    frame["h"] = [f"row{j}" for j in rng.permutation(np.arange(rows) % max(levels // 2, 2))]
    return Model(design(f"y ~ a + x + {random}", frame, offset="off", weights=weights), family)


def _limit(family: Family) -> float:
    """A linear predictor far from the link's limits; 0 where it has none."""
    return -2.0 if (family.name, family.link.name) == ("binomial", "log") else LEVELS.get(family.link.name, 0.0)


def point(criterion: LaplaceCriterion, *, seed: int, sd: float = 0.4) -> np.ndarray:
    """Return parameters of a drawn model: factors near `sd` on the diagonal, sensible fixed effects and dispersion."""
    rng = np.random.default_rng(seed)
    d, _, dispersion = criterion.sizes
    level = _limit(criterion.family)
    if level:
        sd /= 4.0  # linear predictors stay away from 0, where the density is not smooth
    diagonal = np.array([row == column for _, row, column in criterion.layout.entries()])
    theta = np.where(diagonal, sd, 0.3 * sd) * rng.uniform(0.7, 1.3, d)
    beta = criterion.basis.R @ np.array([level or 0.3, 0.2, -0.1])
    return np.concatenate([theta, beta, [-0.8] * dispersion])


def differences(criterion: LaplaceCriterion | AgqCriterion, x: np.ndarray, step: float = 5e-4) -> np.ndarray:
    """Return the gradient by central differences of fourth order; searches for modes begin at that of x."""
    near = criterion(x)
    out = []
    for i in range(len(x)):
        e = np.zeros(len(x))
        e[i] = step * max(1.0, abs(x[i]))
        v = [criterion(x + m * e, near).value for m in (-2, -1, 1, 2)]
        out.append((v[0] - 8 * v[1] + 8 * v[2] - v[3]) / (12 * e[i]))
    return np.array(out)
