"""Densities and derivatives against 150-digit arithmetic (tests/reference/families/extended.py)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.reference import ROOT

from mixedeffects.families import FAMILIES, family_of

CASES = json.loads((ROOT / "families" / "extended.json").read_text(encoding="utf-8"))
NAMES = ("loglik", "d1", "d2", "d3", "dt", "dt_d1", "dt_d2")


def values(family, y, eta, w, t):
    """All quantities that the reference holds, (number, n)."""
    derivatives = family.derivatives(y, eta, w, t)
    rest = [getattr(derivatives, name) for name in NAMES[1:]]
    return np.array([family.loglik(y, eta, w, t), *(value for value in rest if value is not None)])


def conditioning(family, y, eta, w, t):
    """How much each quantity moves when y, eta and t move by one part, from a move of 1e-7."""
    move = 1e-7
    base = values(family, y, eta, w, t)
    moved = [
        values(family, y * (1 - move), eta, w, t),
        values(family, y, eta * (1 + move), w, t),
        values(family, y, eta, w, t * (1 + move)),
    ]
    return sum(np.abs(other - base) for other in moved) / move


def leading(family, y, eta, w):
    """Size of the leading terms where they cancel: log gamma(y + size) and y log mu, or log mu and log(1 - mu)."""
    if family.scaled or not family.has_dispersion:
        return 0.0
    slope = np.abs(family.link.log_mean(eta).d1)
    if not family.discrete:
        slope += np.abs(family.link.log_complement(eta).d1)
    return w * (1.0 + y) * np.array([slope**order for order in (0, 1, 2, 3, 0, 1, 2)])


def test_every_family_and_link_has_its_reference():
    pairs = {f"{cls.name} {link.name}" for cls in FAMILIES.values() for link in cls.allowed_links}
    assert pairs == set(CASES)


@pytest.mark.parametrize("key", CASES)
def test_values_are_those_of_data_within_a_few_units_in_the_last_place(key):
    case = CASES[key]
    family = family_of(*key.split(" "))
    y, eta, w = (np.array(case[column]) for column in ("y", "eta", "w"))
    t = np.array(case["t"] or np.zeros(y.size))
    expected = np.array(case["values"]).T
    got = values(family, y, eta, w, t)
    assert got.shape == expected.shape
    # 1e-60: below it the reference holds the rounding of exact zeros
    scale = conditioning(family, y, eta, w, t) + leading(family, y, eta, w)
    allowed = 1e-12 * np.abs(expected) + 2e-15 * scale + 1e-60
    wrong = ~(np.abs(got - expected) <= allowed)
    rows = [
        f"{NAMES[i]} at eta={eta[j]} y={y[j]} w={w[j]} t={t[j]}: {got[i, j]}, not {expected[i, j]}"
        for i, j in np.argwhere(wrong)
    ]
    assert not rows, "\n".join(rows)
