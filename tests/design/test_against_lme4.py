"""X and Z equal lme4's, column by column; names are formulaic's."""

from __future__ import annotations

import numpy as np
import pytest

from mixedeffects.design import design
from mixedeffects.errors import RankDeficiencyWarning

CASES = {
    "slope": ("y ~ x + (x | g)", None, "Intercept; x"),
    "factor_times_number": ("y ~ f * x + (1 | g)", None, "Intercept; f[T.b]; f[T.c]; x; f[T.b]:x; f[T.c]:x"),
    "no_intercept_factor": ("y ~ 0 + f + (0 + x | g)", None, "f[a]; f[b]; f[c]"),
    "polynomial_nested": ("y ~ poly(x, 2) + (1 | g/s)", None, "Intercept; poly(x, 2)[1]; poly(x, 2)[2]"),
    "ordered": ("y ~ o + (1 | g)", None, "Intercept; o[.L]; o[.Q]; o[.C]"),
    "ordered_crossed": (
        "y ~ o * x + (o | g)",
        None,
        "Intercept; o[.L]; o[.Q]; o[.C]; x; o[.L]:x; o[.Q]:x; o[.C]:x",
    ),
    "helmert": (
        "y ~ o + f + (f | g)",
        {"o": "helmert", "f": "helmert"},
        "Intercept; o[H.some]; o[H.more]; o[H.most]; f[H.b]; f[H.c]",
    ),
    "poly_of_unordered": ("y ~ f + (1 | g)", {"f": "poly"}, "Intercept; f[.L]; f[.Q]"),
    "matrix": ("y ~ f * x + (1 | g)", {"f": "custom"}, "Intercept; f[1]; f[2]; x; f[1]:x; f[2]:x"),
    "random_factor": ("y ~ 1 + (f | g)", None, "Intercept"),
    "random_indicators": ("y ~ 1 + (0 + f | g)", None, "Intercept"),
    "double_bar": ("y ~ x + (x || g)", None, "Intercept; x"),
    "transformed": ("y ~ log(z) + I(x**2) + (log(z) | g)", None, "Intercept; log(z); I(x ** 2)"),
    "interaction_group": ("y ~ x + (1 | g:s) + (1 | h)", None, "Intercept; x"),
    "logical": ("y ~ t * x + (1 | g)", None, "Intercept; t[T.True]; x; t[T.True]:x"),
    "spline": (
        "y ~ bs(x, df=5) + (1 | g)",
        None,
        "Intercept; bs(x, df=5)[1]; bs(x, df=5)[2]; bs(x, df=5)[3]; bs(x, df=5)[4]; bs(x, df=5)[5]",
    ),
    "as_factor": ("y ~ C(z % 3) + (1 | g)", None, "Intercept; C(z % 3)[T.1.0]; C(z % 3)[T.2.0]"),
}
SHORT_OF_RANK = {
    "factors_crossed": ("y ~ f * h + (1 | g)", None, "f[T.c]:h[T.lo]"),
    "sum": ("y ~ f * h + (1 | g)", {"f": "sum", "h": "sum"}, "f[S.b]:h[S.hi]"),
    "rank_deficient": ("y ~ x + I(2 * x + 1) + f + (1 | g)", None, "I(2 * x + 1)"),
}


def resolved(contrasts, reference):
    return contrasts and {k: reference["custom"] if v == "custom" else v for k, v in contrasts.items()}


def assert_same_groups(made, expected):
    np.testing.assert_allclose(made.Z.toarray(), expected["Z"], rtol=0, atol=1e-12)
    assert made.Z_labels().level.tolist() == expected["Z_levels"]
    assert [block.group for block in made.terms] == expected["groups"]
    for block in made.terms:
        assert block.factor.labels.tolist() == expected["levels"][block.group]


@pytest.mark.parametrize("case", CASES)
def test_matrices(case, small, reference):
    formula, contrasts, names = CASES[case]
    made = design(formula, small, contrasts=resolved(contrasts, reference))
    expected = reference["cases"][case]
    assert list(made.names) == names.split("; ")
    assert made.X.flags.f_contiguous
    np.testing.assert_allclose(made.X, expected["X"], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(made.y, small["y"])
    assert_same_groups(made, expected)


@pytest.mark.parametrize("case", SHORT_OF_RANK)
def test_matrices_without_full_rank(case, small, reference):
    formula, contrasts, dropped = SHORT_OF_RANK[case]
    with pytest.warns(RankDeficiencyWarning) as caught:
        made = design(formula, small, contrasts=contrasts)
    assert str(caught[0].message).endswith(f"it: {dropped}")
    assert caught[0].filename == __file__
    assert set(made.names) - set(made.kept_names) == {dropped}
    assert made.kept.sum() == made.X.shape[1] == len(made.names) - 1
    np.testing.assert_allclose(made.X, reference["cases"][case]["X"], rtol=1e-12, atol=1e-12)


def test_terms_are_sorted_by_levels_and_ties_stay_as_written(small, reference):
    made = design("y ~ x + (1 | s) + (1 | g) + (0 + x | g)", small)
    assert [(block.key, block.names) for block in made.terms] == [
        ("g", ("Intercept",)),
        ("g.1", ("x",)),
        ("s", ("Intercept",)),
    ]
    assert made.terms[0].factor is made.terms[1].factor
    # lme4 turns ties around when it has to sort
    expected = np.array(reference["cases"]["two_terms"]["Z"])
    order = [*range(6, 12), *range(6), *range(12, 15)]
    np.testing.assert_allclose(made.Z.toarray(), expected[:, order], atol=1e-14)


@pytest.mark.parametrize("name", ["treatment", "sum", "helmert", "poly"])
def test_contrast_values(name, reference):
    n = 15
    data = {"y": np.arange(n) % 7, "f": list("abcde") * 3, "g": [1, 2, 3] * 5}
    data["g"] = np.arange(n) // 5
    made = design("y ~ f + (1 | g)", data, contrasts={"f": name})
    tolerance = 1e-15 if name == "poly" else 0.0
    np.testing.assert_allclose(made.X[:5, 1:], reference["contrasts"][name], rtol=0, atol=tolerance)
