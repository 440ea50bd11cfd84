"""What is accepted works in formulaic, with the context that goes with it."""

from __future__ import annotations

from typing import Any

import formulaic
import numpy as np
import pandas as pd
import pytest

from mixedeffects.formula import formulaic_context, parse

N = 30


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "x": rng.uniform(1, 2, N),
            "z": rng.normal(size=N),
            "x.1": rng.uniform(1, 2, N),
            "a b": rng.uniform(1, 2, N),
            "f": pd.Categorical(list("abc") * 10),
            "h": list("ppqqr") * 6,
            "class": rng.normal(size=N),
            "1st": rng.normal(size=N),
            "größe": rng.normal(size=N),
        }
    )
    frame["odd }{'\"([:~"] = rng.normal(size=N)
    return frame


def matrix(data: pd.DataFrame, right: str, functions: Any = None) -> pd.DataFrame:
    formula = parse(f"y ~ {right}", functions=functions)
    used = data[[name for name in formula.variables() if name != "y"]]
    result = formulaic.model_matrix(formula.fixed, used, context=formulaic_context(functions))
    head = result.model_spec.get_model_matrix(used.iloc[:9], context=formulaic_context(functions))
    np.testing.assert_allclose(head.to_numpy(), result.to_numpy()[:9], rtol=1e-12)
    return result


@pytest.mark.parametrize(
    ("right", "columns"),
    [
        ("x", "Intercept|x"),
        ("0 + x", "x"),
        ("x - 1 + f", "x|f[a]|f[b]|f[c]"),
        ("x.1*f", "Intercept|x.1|f[T.b]|f[T.c]|x.1:f[T.b]|x.1:f[T.c]"),
        ("`a b` + class", "Intercept|a b|class"),
        ("`odd }{'\"([:~` + z", "Intercept|odd }{'\"([:~|z"),
        ("log(x.1) + np.exp(`a b`)", "Intercept|log(`x.1`)|np.exp(`a b`)"),
        ("{x+1} + I(x**2)", "Intercept|x + 1|I(x ** 2)"),
        ("(x + z + f)^2 - x:z - z:f", "Intercept|x|z|f[T.b]|f[T.c]|x:f[T.b]|x:f[T.c]"),
        ("f/z", "Intercept|f[T.b]|f[T.c]|f[a]:z|f[b]:z|f[c]:z"),
        ("z %in% f", "Intercept|f[T.b]|f[T.c]|f[a]:z|f[b]:z|f[c]:z"),
        ("C(f, Sum)", "Intercept|C(f, contr.sum)[S.a]|C(f, contr.sum)[S.b]"),
        ("C(f, contr.helmert)", "Intercept|C(f, contr.helmert)[H.b]|C(f, contr.helmert)[H.c]"),
        ("C(f, Treatment('b'))", "Intercept|C(f, Treatment('b'))[T.a]|C(f, Treatment('b'))[T.c]"),
        ("C(f, contr.treatment(base='c'))", None),
        ("C(f, contr.poly()) + C(h, Diff)", None),
        ("C(f, levels=['c', 'b', 'a'])", None),
        ("C(f, contrasts={'u': [1, 0, -1]})", "Intercept|C(f, contrasts={'u': [1, 0, -1]})[u]"),
        ("poly(`a b`, 2)", "Intercept|poly(`a b`, 2)[1]|poly(`a b`, 2)[2]"),
        ("poly(x, 2, raw=True)", None),
        ("bs(x, df=4) + scale(x.1) + center(z) + standardize(x)", None),
        ("bs(x, knots=[1.3, 1.6], degree=2)", None),
        ("cr(x, df=3) + cc(z, df=3) + cs(x.1, df=3)", None),
        ("I((x > 1.5) | (z < 0)) + I(f == 'a')", None),
        ("where(z > 0, x, 0) + clip(x, 1, 2) + round(x, 1)", None),
        ("sin(2 * pi * x) + I(np.pi * z)", "Intercept|sin(2 * pi * x)|I(np.pi * z)"),
        ("größe + I(größe + 1) + I(`1st` * 2)", "Intercept|größe|I(größe + 1)|I(`1st` * 2)"),
        ("scale(log(x))", "Intercept|scale(log(x))"),
    ],
)
def test_accepted_formulas_work(data: pd.DataFrame, right: str, columns: str | None) -> None:
    result = matrix(data, right)
    assert len(result) == N
    if columns is not None:
        assert "|".join(result.columns) == columns


def test_left_of_the_bar_has_the_same_grammar(data: pd.DataFrame) -> None:
    term = parse("z ~ 1 + (0 + x.1:f || h)").random[0]
    assert term.expr == "0 + `x.1`:f"
    result = formulaic.model_matrix(term.expr, data, context=formulaic_context())
    assert list(result.columns) == ["x.1:f[a]", "x.1:f[b]", "x.1:f[c]"]


def test_intercept_alone_and_nothing_at_all(data: pd.DataFrame) -> None:
    assert list(formulaic.model_matrix(parse("z ~ (1 | h)").fixed, data).columns) == ["Intercept"]
    assert formulaic.model_matrix(parse("z ~ 0 + (1 | h)").fixed, data).shape == (N, 0)


@pytest.mark.parametrize("name", ["abs", "arctan2", "logaddexp", "trunc", "log1p", "fmod", "hypot", "degrees"])
def test_numpy_functions_by_both_names(data: pd.DataFrame, name: str) -> None:
    arguments = "x, z" if name in ("arctan2", "logaddexp", "fmod", "hypot") else "x"
    result = matrix(data, f"{name}({arguments}) + np.{name}({arguments})")
    np.testing.assert_array_equal(result.iloc[:, 1], result.iloc[:, 2])


def test_functions_of_the_caller(data: pd.DataFrame) -> None:
    result = matrix(data, "double(x) + log(z)", {"double": lambda x: 2 * x, "log": lambda x: x + 5})
    np.testing.assert_array_equal(result["double(x)"], 2 * data["x"])
    np.testing.assert_array_equal(result["log(z)"], data["z"] + 5)
