"""Functions of variables: by the names of their parameters, or as text."""

from __future__ import annotations

import numpy as np
import pytest

import mixedeffects as me
from mixedeffects.population import balanced, population, predictor
from mixedeffects.population.expressions import expression_of

VALUES = {"x": np.array([1.0, 2.0, 3.0]), "g": np.array(["a", "b", "a"]), "n": 3, "size": 3, "rng": None}


def value(thing):
    return expression_of(thing, "it").column(VALUES, "it")


def test_parameters_name_the_variables():
    scale = 2.0
    one = expression_of(lambda x, *, g, by=scale: by * x * (g == "a"), "it")
    assert one.reads == ("x", "g")
    np.testing.assert_array_equal(one.column(VALUES, "it"), [2.0, 0.0, 6.0])


def test_a_parameter_with_a_default_keeps_it():
    """Only n, size and rng are given although they have one."""
    one = expression_of(lambda x, g=5.0, n=None: x + g + n, "it")
    assert one.variables == ("x",)
    np.testing.assert_array_equal(one.column(VALUES, "it"), [9.0, 10.0, 11.0])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.7 + 2.2 * x", 0.7 + 2.2 * VALUES["x"]),
        ("-x ** 2 / 4 + x % 2", -(VALUES["x"] ** 2) / 4 + VALUES["x"] % 2),
        ("exp(log(x)) + pi", VALUES["x"] + np.pi),
        ("where(g == 'a', x, 10)", [1.0, 10.0, 3.0]),
        ("where((x > 1) & (x <= 2), 1, 0)", [0.0, 1.0, 0.0]),
        ("maximum(x, 2) - abs(-1)", [1.0, 1.0, 2.0]),
        ("2 ** -1", [0.5, 0.5, 0.5]),
        ("3", [3.0, 3.0, 3.0]),
    ],
)
def test_text_is_arithmetic(text, wanted):
    np.testing.assert_allclose(value(text), wanted, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x +", r"'x \+' cannot be read"),
        ("x.sum()", "calls x.sum; it may call exp"),
        ("x.T", r"more than arithmetic \(Attribute\)"),
        ("__import__('os')", "calls __import__"),
        ("[v for v in x]", "more than arithmetic"),
        ("lambda: 1", r"more than arithmetic \(Lambda\)"),
        ("exp(x, x)", "exp takes 1 arguments"),
        ("maximum(x, out=x)", "without keywords"),
        ("1 < x < 2", r"write \(a < b\) & \(b < c\)"),
        ("1j * x", "1j is no number"),
    ],
)
def test_text_is_nothing_else(text, message):
    with pytest.raises(me.DataError, match=message):
        expression_of(text, "response")


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (lambda x: x[:2], r"it, lambda x: ...: gives values of shape \(2,\) for 3 rows"),
        (lambda x: np.log(x - 1), "gives -inf in row 0; every row needs a finite number"),
        (lambda g: g, "numbers are needed, not ndarray"),
    ],
)
def test_a_value_for_each_row(thing, message):
    with np.errstate(divide="ignore"), pytest.raises(me.DataError, match=message):
        value(thing)


def test_an_error_inside_says_where():
    with pytest.raises(
        me.DataError, match=r"it, lambda x: \.\.\.: KeyError: 'missing'; its arguments are x: "
    ) as caught:
        value(lambda x: {}["missing"])
    assert isinstance(caught.value.__cause__, KeyError)


def test_arithmetic_on_labels_says_that_they_are_text():
    pop = population(
        participant=predictor(balanced, each=2),
        list=predictor(lambda participant: (participant + 1) % 2),
    )
    with pytest.raises(me.DataError) as caught:
        pop.sample_x(4, rng=1)
    told = str(caught.value)
    assert "list" in told
    assert "lambda participant: ..." in told
    assert "its arguments are participant: text such as '1'; participant.astype(int) makes numbers" in told
    whole = population(
        participant=predictor(balanced, each=2),
        list=predictor(lambda participant: (participant.astype(int) + 1) % 2),
    )
    assert whole.sample_x(4, rng=1).columns["list"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("thing", [lambda *x: x, lambda **x: x, lambda x, /: x])
def test_parameters_need_names(thing):
    with pytest.raises(me.DataError, match="has no name to give it a variable by; write a lambda"):
        expression_of(thing, "response")


def test_a_function_without_a_signature():
    with pytest.raises(me.DataError, match=r"(does not tell the names|has no name).*write a lambda"):
        expression_of(np.exp, "response")
