"""The gradient of every generalized criterion is that of its differences: all pairs of family and link.

The points are away from the minimum, so that the gradient is not small; with weights, an offset and the dispersion.
Tolerances are relative to the largest entry of the gradient, of which differences of fourth order miss about 1e-9.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from families.cases import FAMILIES, name
from support.generalized import differences, drawn, point

from mixedeffects.criterion.agq import agq_criterion
from mixedeffects.criterion.laplace import laplace_criterion
from mixedeffects.families import Binomial, Gamma, Poisson

CROSSED, NESTED, VECTOR = "(1 | g) + (1 | h)", "(1 | g/h)", "(1 + a | g)"
TIGHT = 1e-13  # what one more inner step may gain: differences see nothing of the error of the modes
SEVERAL = "(1 + a | g) + (1 + x | h)"
STRUCTURES = {"crossed": CROSSED, "nested": NESTED, "vector": VECTOR}
# Random part and nodes.
RULES = {
    "1": ("(1 | g)", 4),
    "2": (VECTOR, 3),
    "1+1": ("(1 | g) + (0 + a | g)", 3),
    "3": ("(1 + a + x | g)", 2),
}
each_family = pytest.mark.parametrize("family", FAMILIES, ids=name)
each_information = pytest.mark.parametrize("expected", [False, True], ids=["observed", "expected"])


def laplace(family, random, expected=False):
    model = drawn(family, random, seed=41, levels=4, rows=24)
    assert model.design.offset is not None
    assert len(np.unique(model.design.row_weights)) > 3
    criterion = laplace_criterion(model.design, model.family, expected=expected)
    return replace(criterion, inner=TIGHT)


def compare(criterion, x):
    gradient = criterion(x).gradient
    scale = np.abs(gradient).max()
    assert scale > 0.1
    np.testing.assert_allclose(gradient, differences(criterion, x), rtol=0, atol=1e-8 * scale)


def test_all_pairs_of_family_and_link_are_there():
    assert len(FAMILIES) == sum(len(cls.allowed_links) for cls in {type(f) for f in FAMILIES}) >= 27


@each_information
@pytest.mark.parametrize("structure", STRUCTURES)
@each_family
def test_laplace(family, structure, expected):
    criterion = laplace(family, STRUCTURES[structure], expected)
    compare(criterion, point(criterion, seed=42))


@each_information
@pytest.mark.parametrize("family", [Binomial("logit"), Poisson("log"), Gamma("log"), Binomial("probit")], ids=name)
def test_laplace_with_crossed_vectors(family, expected):
    criterion = laplace(family, SEVERAL, expected)
    compare(criterion, point(criterion, seed=42))


@each_information
@each_family
def test_the_fast_approximation(family, expected):
    """The fixed effects belong to the mode; its search starts at those of the point."""
    criterion = laplace(family, SEVERAL, expected)
    x = point(criterion, seed=43)
    d, p, _ = criterion.sizes
    fast, near = criterion.with_joint(True, inner=TIGHT), criterion(x)
    compare(lambda at, start=None: fast(at, near if start is None else start), np.delete(x, np.arange(d, d + p)))


@pytest.mark.parametrize("rule", RULES)
@each_family
def test_quadrature(family, rule):
    random, nodes = RULES[rule]
    criterion = agq_criterion(laplace(family, random), nodes)
    compare(criterion, point(criterion.laplace, seed=44))
