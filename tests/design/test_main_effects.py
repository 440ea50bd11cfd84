"""Columns of main effects, which formulaic does not compute, are those that it would."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixedeffects.design import design, encoding
from mixedeffects.design.encoding import replay
from mixedeffects.frame import Factor, encode
from mixedeffects.frame.source import read_array


@pytest.fixture
def columns():
    rng = np.random.default_rng(5)
    texts = pd.Categorical(rng.choice(list("abc"), 60), categories=list("cab"))
    ordered = pd.Categorical(rng.choice(["low", "mid", "high"], 60), categories=["low", "mid", "high"], ordered=True)
    return {
        "x": rng.normal(size=60),
        "k": rng.integers(1, 5, 60),
        "a b": rng.normal(size=60),
        "yes": rng.random(60) < 0.5,
        "f": encode(read_array("f", texts)),
        "o": encode(read_array("o", ordered)),
        "for": encode(read_array("for", np.where(rng.random(60) < 0.5, "u", "v"))),
    }


def both(monkeypatch, expr, columns, **options):
    direct = encoding.encode_columns(expr, columns, 60, **options)
    with monkeypatch.context() as patch:
        patch.setattr(encoding, "main_effects", lambda *_: None)
        return direct, encoding.encode_columns(expr, columns, 60, **options)


@pytest.mark.parametrize(
    "expr",
    [
        "1 + f",
        "1 + x + f + o",
        "1 + I(x ** 2) + f",
        "1 + np.log(k) + f + `a b`",
        "1 + I(x > 0) + f",
        "1 + for + x",
        "1 + where(x > 0, x, 0) + f",
        "1 + round(x, 1) + log1p(k)",
        "1 + yes + f",
        "1 + f:x + f",
        "1 + as.numeric(f)",
        "0 + f + x",
        "0 + x + f",
        "1 + scale(x) + f",
        "1 + C(k) + f",
        "1 + I(`a b` * 2) + f",
    ],
)
def test_columns_names_and_structure_are_formulaics(monkeypatch, columns, expr):
    (X, made), (same, reference) = both(monkeypatch, expr, columns)
    np.testing.assert_array_equal(X, same)
    assert X.flags.f_contiguous
    assert (made.names, made.assign) == (reference.names, reference.assign)
    assert str(made.spec.structure) == str(reference.spec.structure)
    assert {name: kind for name, (kind, _) in made.spec.encoder_state.items()} == {
        name: kind for name, (kind, _) in reference.spec.encoder_state.items()
    }
    later = {
        name: column.take(np.arange(60) < 20) if isinstance(column, Factor) else column[:20]
        for name, column in columns.items()
    }
    np.testing.assert_array_equal(replay(made, later, 20), same[:20])


@pytest.mark.parametrize("contrast", ["sum", "helmert", "poly"])
def test_contrasts_by_column(monkeypatch, columns, contrast):
    from mixedeffects.design.coding import resolve

    (X, made), (same, reference) = both(monkeypatch, "1 + f + o", columns, contrasts=resolve({"f": contrast}))
    np.testing.assert_array_equal(X, same)
    assert (made.names, made.assign) == (reference.names, reference.assign)


def test_the_callers_functions_come_first(columns):
    data = {name: column for name, column in columns.items() if isinstance(column, np.ndarray)}
    data |= {"y": np.arange(60.0), "g": np.arange(60) % 6, "h": np.array(list("uv") * 30)}
    made = design("y ~ log(k) + h + (1 | g)", data, functions={"log": lambda k: -1.0 * k})
    np.testing.assert_array_equal(made.X[:, 1], -1.0 * data["k"])


def test_most_formulas_of_main_effects_go_without_formulaic(monkeypatch, columns):
    def refuse(*_):
        raise AssertionError("formulaic was called")

    monkeypatch.setattr(encoding, "_materialized", refuse)
    encoding.encode_columns("1 + x + I(x ** 2) + np.log(k) + f + o", columns, 60)
