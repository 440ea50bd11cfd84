"""Every family with each of its links, and data for it."""

from __future__ import annotations

import numpy as np

from mixedeffects import families as fam

CLASSES = sorted(set(fam.FAMILIES.values()), key=lambda cls: cls.name)
FAMILIES = [cls(link) for cls in CLASSES for link in cls.allowed_links]
WITH_DISPERSION = [family for family in FAMILIES if family.has_dispersion]


def name(family):
    return f"{family.name}-{family.link.name}"


# y, w: responses of every kind that the family allows, its boundaries among them.
DATA = {
    "beta": ([0.02, 0.3, 0.55, 0.97, 0.3], [1.0, 1.0, 2.5, 1.0, 0.5]),
    "binomial": ([0.0, 1.0, 0.0, 0.25, 1.0], [1.0, 1.0, 7.0, 8.0, 5.0]),
    "gamma": ([0.01, 0.4, 1.3, 25.0, 1.3], [1.0, 2.5, 1.0, 1.0, 0.5]),
    "gaussian": ([-3.0, 0.0, 0.7, 12.0, 0.7], [1.0, 2.5, 1.0, 1.0, 0.5]),
    "inverse_gaussian": ([0.05, 0.4, 1.3, 25.0, 1.3], [1.0, 2.5, 1.0, 1.0, 0.5]),
    "negative_binomial": ([0.0, 1.0, 2.0, 40.0, 3.0], [1.0, 1.0, 2.5, 1.0, 0.5]),
    "negative_binomial1": ([0.0, 1.0, 2.0, 40.0, 3.0], [1.0, 1.0, 2.5, 1.0, 0.5]),
    "poisson": ([0.0, 1.0, 2.0, 40.0, 3.0], [1.0, 1.0, 2.5, 1.0, 0.5]),
}
_ETAS = np.array([-40.0, -9.0, -4.0, -1.7, -0.6, -0.05, 0.02, 0.3, 1.0, 2.4, 6.0, 15.0, 40.0])
DISPERSIONS = [-3.0, 0.3, 2.0]


def etas(family):
    """Linear predictors from tail to tail that give a possible mean."""
    return _ETAS[family.valid(_ETAS)]


def grid(family):
    """y, eta, w, t: all responses at all linear predictors and dispersions, (n,) each."""
    y, w = (np.array(column) for column in DATA[family.name])
    rows, eta, t = np.meshgrid(np.arange(y.size), etas(family), DISPERSIONS if family.has_dispersion else [0.0])
    rows = rows.ravel()
    return y[rows], eta.ravel(), w[rows], t.ravel()
