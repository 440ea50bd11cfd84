"""No formula runs arbitrary Python: attacks are refused, and formulaic reads what was checked."""

from __future__ import annotations

import builtins
import os
import string
from typing import Any

import formulaic
import numpy as np
import pandas as pd
import pytest
from formulaic.parser.types import Factor
from hypothesis import given
from hypothesis import strategies as st

from mixedeffects.errors import DataError, FormulaError
from mixedeffects.formula import evaluate, formulaic_context, parse, python_names, restored
from mixedeffects.formula.expressions import read

ATTACKS = [
    "__import__('os').system('x')",
    "I(__import__('os').system('x'))",
    "{open('/etc/passwd')}",
    "{__import__('os')}",
    "np.load('x')",
    "np.fromfile('x')",
    "np.frompyfunc(x, 1, 1)",
    "np.vectorize(x)",
    "np.lib.npyio.load('x')",
    "np.log.__class__(x)",
    "numpy.ctypeslib.load_library('x', 'y')",
    "(().__class__).__bases__",
    "I(().__class__.__bases__[0].__subclasses__())",
    "C(x, contr=__import__('os').system('x'))",
    "C(x, contrasts=open('x'))",
    "C(x, levels=[open('x')])",
    "C(x, contrasts={'a': open('x')})",
    "I(x.__class__)",
    "I(x.T)()",
    "I(x.apply(print))",
    "x.apply(print)",
    "x.eval('1')",
    "I(x)[0]",
    "I(x[0])",
    "`a`.__class__",
    "I(`a`.__class__)",
    "`x`.eval('1')",
    "`__import__`('os')",
    "I(`__import__`('os'))",
    "`__class__`",
    "__builtins__",
    "I(__builtins__)",
    "exec('1')",
    "eval('1')",
    "compile('1', '', 'eval')",
    "getattr(x, 'y')",
    "globals()",
    "open('x')",
    "print(x)",
    "I(exec)('1')",
    "Q('x')",
    "I(lambda: 1)",
    "I((lambda: 1)())",
    "I([q for q in x])",
    "I({q for q in x})",
    "I({q: q for q in x})",
    "I((q for q in x))",
    "I(f'{open(1)}')",
    'I(f"{open(1)}")',
    "I(b'x')",
    "I('x'.join(x))",
    "I(x := 3)",
    "I((x := open('x')))",
    "I(*x)",
    "I(**x)",
    "bs(x, **{'df': 3})",
    "bs(x, _state=x)",
    "scale(x, _context=x)",
    "hashed(x, levels=3, hash_func=open)",
    "I(x if open('x') else x)",
    "I(x and open('x'))",
    "I(await x)",
    "I(yield x)",
    "I(x @ x)",
    "I(x << 999999)",
    "I(9**9**9**9)",
    "I(x * 9**9**9)",
    "I(('a',) * 999999999)",
    "I([0] * 999999999)",
    "I(x; import os)",
    "I(x)\\\n; import os",
    "I(x # )",
    "log(x, out=x)",
    "log(x, x)",
    "minimum(x, x, x)",
    "clip(x, 0, 1, x)",
    "C(x, Treatment('\")+open(1)+(\"'))",
    'bs(x, extrapolation="it\'s")',
    'C(x, Treatment("b\\"]+open(\'x\')+[\\""))',
    "C(x, Treatment(')+open(1)+C(x'))",
    "C(x, Treatment('`'))",
    "C(x, Treatment('}'))",
    "I(`a'b` + open('x') + `c'd`)",
    "I(`a\\` + open('x') + `b`)",
    "`a\\` + {open('x')} + `b`",
    "[x ~ open('x')]",
    "I(ｏｐｅｎ('x'))",
    "I(x.ｅｖａｌ('x'))",
    "contr.treatment.__init__(x)",
    "C(x, contr.custom(open('x')))",
    "C(x, contr.mro())",
    "exp10(x)",
    "os.system('x')",
    "np.os.system('x')",
    "np.pi.__class__",
    "I(np)",
    "I(contr.sum)",
    "I(log)(x)",
    "I(class.__class__)",
    "I(lambda x: x)",
    "I(import os)",
    "I(from os import system)",
    "as.numeric(open('x'))",
    "as.numeric(x.__class__)",
    "factor(open('x'))",
    "as.factor(__import__('os').system('x'))",
    "as.numeric('x')",
    "as.system('x')",
    "_as_numeric_(open('x'))",
    "offset(open('x'))",
    "offset(x.__class__)",
    "offset(__import__('os').system('x'))",
]
FIXED_PLACES = ["y ~ {}", "y ~ x + {} + (1 | g)", "{} ~ x", "y ~ offset({})"]
PLACES = [*FIXED_PLACES, "y ~ ({} | g)", "y ~ (x || {})", "y ~ (1 | g/{})"]


@pytest.fixture
def sentinel(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    ran: list[str] = []

    def trap(name: str) -> Any:
        return lambda *args, **kwargs: ran.append(name)

    with monkeypatch.context() as patched:
        for name in ("system", "popen", "execv"):
            patched.setattr(os, name, trap(name))
        for name in ("load", "fromfile", "frompyfunc", "vectorize"):
            patched.setattr(np, name, trap(name))
        for name in ("print", "globals", "exec_trap"):
            patched.setattr(builtins, name, trap(name), raising=False)
        yield ran  # type: ignore[misc]


ODD_NAMES = ["I(`'` + `x` + `'`)", "I(`x) + open('x') + (x`)"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_refused_and_run_nothing(attack: str, place: str, sentinel: list[str]) -> None:
    text = place.replace("{}", attack)
    with pytest.raises(FormulaError):
        parse(text)
    assert sentinel == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_evaluate_checks_for_itself(attack: str, sentinel: list[str]) -> None:
    with pytest.raises(FormulaError):
        evaluate(attack, {"x": np.arange(3.0), "y": np.arange(3.0)})
    assert sentinel == []


@pytest.mark.parametrize("text", ODD_NAMES)
def test_odd_names_are_columns_but_never_reach_formulaic_inside_an_expression(text: str) -> None:
    with pytest.raises(FormulaError, match="rename it"):
        parse(f"y ~ {text}")
    with pytest.raises(DataError, match="no column"):
        evaluate(text, {"x": np.arange(3.0)})
    assert set(parse(f"{text} ~ y").variables()) <= {"'", "x", "x) + open('x') + (x", "y"}


def test_attack_in_the_name_of_a_function() -> None:
    with pytest.raises(FormulaError):
        parse("y ~ x", functions={"x)+open(1)+(y": abs})


def test_context_holds_listed_functions_only() -> None:
    context = formulaic_context({"twice": lambda x: 2 * x})
    for name in ("np", "numpy"):
        assert not hasattr(context[name], "load")
        assert not hasattr(context[name], "lib")
    assert "load" not in context
    assert context["np"].log is np.log
    assert context["pi"] == np.pi
    assert context["twice"](2) == 4
    assert formulaic_context({"log": abs})["log"] is abs


def factors(expr: str) -> set[Factor]:
    return {factor for term in formulaic.Formula(expr) for factor in term.factors}


NAME = st.text(st.sampled_from(string.ascii_lowercase[:3] + " .'\"(){}[]|~%\\_0é:`"), min_size=1, max_size=4)
COLUMN = st.one_of(
    st.sampled_from(["x", "x.1", "`x y`", "class", "`in`", "`as.numeric(x)`"]), NAME.map(lambda n: f"`{n}`")
)
TEXT = st.text(st.sampled_from("ab ()[]{}'\"|`\\"), max_size=5)
CALL = st.one_of(
    COLUMN.map(lambda n: f"log({n})"),
    COLUMN.map(lambda n: f"as.numeric({n})"),
    COLUMN.map(lambda n: f"factor({n})"),
    st.tuples(COLUMN, COLUMN).map(lambda p: f"I({p[0]} + {p[1]})"),
    st.tuples(COLUMN, TEXT).map(lambda p: f"C({p[0]}, Treatment('{p[1]}'))"),
    st.tuples(COLUMN, TEXT, TEXT).map(lambda p: f"C({p[0]}, levels=['{p[1]}', \"{p[2]}\"])"),
    st.tuples(COLUMN, COLUMN).map(lambda p: f"{{{p[0]} * {p[1]}}}"),
)
TERM = st.one_of(COLUMN, CALL)


@given(st.lists(TERM, min_size=1, max_size=4), st.sampled_from([" + ", "*", ":", "+0+", "-"]))
def test_formulaic_reads_what_was_checked(parts: list[str], sign: str) -> None:
    try:
        formula = parse(f"y ~ {sign.join(parts)}")
    except FormulaError:
        return
    variables = set(formula.variables())
    text, spelled = python_names(formula.fixed)
    for factor in factors(text):
        if factor.eval_method is Factor.EvalMethod.LOOKUP:
            assert factor.expr in variables
        elif factor.eval_method is Factor.EvalMethod.PYTHON:
            expr = restored(factor.expr, spelled)
            code = read(expr, 0, len(expr), where="terms")
            assert set(code.columns) <= variables


def test_formulas_do_not_touch_the_global_random_state_or_the_data() -> None:
    data = pd.DataFrame({"x": [1.0, 2.0, 3.0], "a b": [1.0, 2.0, 4.0], "f": pd.Categorical(["u", "v", "u"])})
    before = data.copy()
    np.random.seed(1)  # noqa: NPY002 - the state that must stay untouched
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    fixed = parse("y ~ scale(`a b`) + log(x) + f").fixed
    formulaic.model_matrix(fixed, data, context=formulaic_context())
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    pd.testing.assert_frame_equal(data, before)
