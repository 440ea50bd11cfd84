from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixedeffects.errors import FormulaError, MixedEffectsError
from mixedeffects.formula import Formula, RandomTerm, parse
from mixedeffects.formula.grammar import _parse


def terms(text: str) -> list[str]:
    return [str(term) for term in parse(text).random]


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        ("(x | g)", ["(1 + x | g)"]),
        ("(1 + x | g)", ["(1 + x | g)"]),
        ("(0 + x | g)", ["(0 + x | g)"]),
        ("(-1 + x | g)", ["(0 + x | g)"]),
        ("(x - 1 | g)", ["(0 + x | g)"]),
        ("(x + 0 | g)", ["(0 + x | g)"]),
        ("(x || g)", ["(1 + x || g)"]),
        ("(0 + x || g)", ["(0 + x || g)"]),
        ("(1 | a/b)", ["(1 | b:a)", "(1 | a)"]),
        ("(x | a/b/c)", ["(1 + x | c:b:a)", "(1 + x | b:a)", "(1 + x | a)"]),
        ("(x || a/b)", ["(1 + x || b:a)", "(1 + x || a)"]),
        ("(1 | a:b)", ["(1 | a:b)"]),
        ("(1 | a:b:c)", ["(1 | a:b:c)"]),
        ("(1 | a/b:c)", ["(1 | b:c:a)", "(1 | a)"]),
        ("(1 | (a/b))", ["(1 | b:a)", "(1 | a)"]),
        ("(1 | g) + (0 + x | g)", ["(1 | g)", "(0 + x | g)"]),
        ("(1 | g) + z + (1 | h)", ["(1 | g)", "(1 | h)"]),
        ("((1 | g))", ["(1 | g)"]),
        ("(z + (1 | g))", ["(1 | g)"]),
        ("(x*z + I(x**2) | g)", ["(1 + x * z + I(x ** 2) | g)"]),
        ("(poly(x, 2) | g)", ["(1 + poly(x, 2) | g)"]),
        ("(x.1 | `g h`)", ["(1 + `x.1` | `g h`)"]),
        ("(1 | g.1/`h|i`)", ["(1 | `h|i`:`g.1`)", "(1 | `g.1`)"]),
    ],
)
def test_random_terms(right: str, expected: list[str]) -> None:
    assert terms(f"y ~ {right}") == expected


def test_random_term_fields() -> None:
    nested, outer = parse("y ~ (x || a.1/b)").random
    assert nested == RandomTerm(expr="1 + x", group=("b", "a.1"), correlated=False)
    assert nested.group_name == "b:a.1"
    assert outer.group == ("a.1",)


@pytest.mark.parametrize(
    ("right", "fixed"),
    [
        ("Days", "1 + Days"),
        ("1 + Days", "1 + Days"),
        ("0 + Days", "0 + Days"),
        ("Days + 0", "0 + Days"),
        ("-1 + Days", "0 + Days"),
        ("Days - 1", "0 + Days"),
        ("Days - 0", "1 + Days"),
        ("Days + 0 + 1", "1 + Days"),
        ("Days + -1", "0 + Days"),
        ("Days - -1", "1 + Days"),
        ("(1 | g)", "1"),
        ("0 + (1 | g)", "0"),
        ("1", "1"),
        ("a*b - a:b", "1 + a * b - a:b"),
        ("(a+b)^2", "1 + (a + b)^2"),
        ("(a + b) ** 2", "1 + (a + b)**2"),
        ("a/b", "1 + a/b"),
        ("a %in% b", "1 + a %in% b"),
        ("`a b`:c", "1 + `a b`:c"),
        ("a.b*c.d", "1 + `a.b` * `c.d`"),
        (".hidden", "1 + `.hidden`"),
        ("np.log(x.y)", "1 + np.log(`x.y`)"),
        ("{x+1}", "1 + {x + 1}"),
        ("(a | g) + b + offset(t)", "1 + b"),
        ("\n a\n\t+ b \n", "1 + a + b"),
        ("log (x)", "1 + log(x)"),
        ("C(f, Sum)", "1 + C(f, contr.sum)"),
    ],
)
def test_fixed_part(right: str, fixed: str) -> None:
    assert parse(f"y ~ {right}").fixed == fixed


@pytest.mark.parametrize(
    ("left", "response"),
    [
        ("y", "y"),
        ("log(y)", "log(y)"),
        ("y/10", "y / 10"),
        ("I(y)", "I(y)"),
        ("cbind(a,b)", "cbind(a, b)"),
        ("cbind(a, n - a)", "cbind(a, n - a)"),
        ("Informed.liking", "`Informed.liking`"),
        ("`my y`", "`my y`"),
        ("np.sqrt(y.1)", "np.sqrt(`y.1`)"),
        ("y > 3", "y > 3"),
        ("(a + b) / 2", "(a + b) / 2"),
    ],
)
def test_response(left: str, response: str) -> None:
    assert parse(f"{left} ~ x + (1 | g)").response == response


KEYWORDS = ["yield", "class", "lambda", "from", "import", "async", "await", "None", "True", "in", "if", "not", "or"]


@pytest.mark.parametrize("name", KEYWORDS)
def test_keywords_in_backticks_are_columns_everywhere(name: str) -> None:
    quoted = f"`{name}`"
    text = f"log({quoted}) ~ {quoted}*x + I({quoted}/10) + offset(log({quoted})) + ({quoted} | {quoted}/g)"
    formula = parse(text)
    assert formula.response == f"log({quoted})"
    assert formula.fixed == f"1 + {quoted} * x + I({quoted} / 10)"
    assert formula.offsets == (f"log({quoted})",)
    assert formula.random[1] == RandomTerm(expr=f"1 + {quoted}", group=(name,))
    assert formula.variables() == (name, "x", "g")
    assert parse(str(formula)) == formula
    assert parse(f"{quoted} ~ x").response == quoted


@pytest.mark.parametrize("name", [name for name in KEYWORDS if name not in ("None", "True", "in", "if", "not", "or")])
def test_keywords_that_mean_nothing_in_expressions_need_no_backticks(name: str) -> None:
    text = "log({0}) ~ {0}*x + I({0}/10) + I({0} > 2) + I(2*{0}) + offset(log({0})) + ({0} | {0}/g)"
    bare, quoted = parse(text.format(name)), parse(text.format(f"`{name}`"))
    assert str(bare).startswith(f"log({name}) ~ {name} * x + I({name} / 10)")
    assert (bare.response, bare.fixed, bare.offsets) == (quoted.response, quoted.fixed, quoted.offsets)
    assert bare.random == quoted.random
    assert parse(str(bare)) == bare
    assert parse(f"{name} ~ x").response == f"`{name}`"


@pytest.mark.parametrize("call", ["factor", "as.factor"])
def test_factor_is_formulaics_c(call: str) -> None:
    formula = parse(f"y ~ {call}( a.b )*x + ({call}(f) | g)")
    assert formula.fixed == "1 + C(`a.b`) * x"
    assert formula.random == (RandomTerm(expr="1 + C(f)", group=("g",)),)
    assert str(formula) == f"y ~ {call}(a.b) * x + ({call}(f) | g)"
    assert parse(str(formula)) == formula
    assert formula.variables() == ("y", "a.b", "x", "f", "g")


@pytest.mark.parametrize("call", ["factor", "as.factor", "C"])
def test_factor_of_a_grouping_column_is_the_column(call: str) -> None:
    formula = parse(f"y ~ (1 | a/{call}( `class` )) + (x || {call}(g.1):h)")
    assert [term.group for term in formula.random] == [("class", "a"), ("a",), ("g.1", "h")]
    assert str(formula) == f"y ~ (1 | a/{call}(`class`)) + (x || {call}(g.1):h)"
    assert parse(str(formula)) == formula
    if call != "as.factor":
        with pytest.raises(FormulaError, match="not an expression"):
            parse(f"y ~ (1 | {call}(g))", functions={call: abs})


def test_functions_of_the_caller_go_before_factor() -> None:
    assert parse("y ~ factor(x, 2)", functions={"factor": pow}).fixed == "1 + factor(x, 2)"
    with pytest.raises(FormulaError, match="one of the functions passed in"):
        parse("y ~ factor(x)", functions={"C": abs})


def test_as_numeric_stays_as_written() -> None:
    formula = parse(
        "as.numeric(y) ~ I(as.numeric(f)**2) + as.integer(z > 1) + offset(as.numeric(t)) + (as.numeric(f)|g)"
    )
    assert formula.response == "as.numeric(y)"
    assert formula.fixed == "1 + I(as.numeric(f) ** 2) + as.integer(z > 1)"
    assert formula.random[0].expr == "1 + as.numeric(f)"
    assert formula.variables() == ("y", "f", "z", "g", "t")
    assert parse(str(formula)) == formula


def test_offsets() -> None:
    formula = parse("y ~ offset(log(t)) + x + offset(u.1) + (1 | g)")
    assert formula.offsets == ("log(t)", "`u.1`")
    assert formula.fixed == "1 + x"


def test_dotted_names_need_no_backticks() -> None:
    formula = parse("Informed.liking ~ Product*Information + (1|Consumer)")
    assert formula.variables() == ("Informed.liking", "Product", "Information", "Consumer")
    assert str(formula) == "Informed.liking ~ Product * Information + (1 | Consumer)"


def test_variables_leave_out_functions_and_constants() -> None:
    formula = parse(
        "log(y) ~ C(f, Sum) + sq(x) + sin(2 * pi * t) + I(np.pi * z) + (s.1 | a/`b c`) + offset(log(u))",
        functions={"sq": lambda x: x**2},
    )
    assert formula.variables() == ("y", "f", "x", "t", "z", "s.1", "a", "b c", "u")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("Reaction~Days+(Days|Subject)", "Reaction ~ Days + (Days | Subject)"),
        ("y ~ x+(1+x||a / b)", "y ~ x + (1 + x || a/b)"),
        ("y~-1+x+(-1+x|a : b)", "y ~ -1 + x + (-1 + x | a:b)"),
        ("y~x-1", "y ~ x - 1"),
        ("log( y )~a.b*C( f,contr.sum )", "log(y) ~ a.b * C(f, contr.sum)"),
        ("y ~ offset( log(t) ) + (a+b) ^ 2", "y ~ offset(log(t)) + (a + b)^2"),
        ("y ~ C(f, Sum) + `x y`", "y ~ C(f, Sum) + `x y`"),
    ],
)
def test_prints_in_the_layout_of_lme4(text: str, printed: str) -> None:
    assert str(parse(text)) == printed
    assert parse(printed) == parse(text)


def test_formula_is_immutable_and_a_value() -> None:
    formula = parse("y ~ x + (1 | g)")
    assert formula == parse("y~x+(1|g)")
    assert hash(formula) == hash(parse("y~x+(1|g)"))
    with pytest.raises(AttributeError):
        formula.fixed = "1"  # type: ignore[misc]


REFUSED = [
    ("y ~ x*(1|g)", 5, "'*'"),
    ("y ~ x:(1|g)", 5, "':'"),
    ("y ~ (1|g)^2", 9, "'^'"),
    ("y ~ (1|g)*x", 9, "'*'"),
    ("y ~ (1|g)/x", 9, "'/'"),
    ("y ~ -(1|g)", 5, "subtracted"),
    ("y ~ x - (1|g)", 8, "subtracted"),
    ("y ~ x + 1|g", 9, "write the random-effects term as (1 | g)"),
    ("y ~ x || g", 6, "outside parentheses"),
    ("(1|g) ~ x", 2, "on the left"),
    ("y + (1|g) ~ x", 6, "on the left"),
    ("y ~ ((x|g)|h)", 10, "second bar"),
    ("y ~ (x|(g|h))", 9, "second bar"),
    ("y ~ (x|g|h)", 8, "second bar"),
    ("y ~ ( | g)", 6, "before the bar"),
    ("y ~ (1 | )", 9, "grouping factor is missing"),
    ("y ~ (1 | g+h)", 10, "two terms"),
    ("y ~ (1 | g*h)", 10, "write g/h"),
    ("y ~ (1 | g/)", 11, "missing after '/'"),
    ("y ~ (1 | :g)", 9, "missing before ':'"),
    ("y ~ (1 | g h)", 11, "operator is missing"),
    ("y ~ (1 | a:a)", 11, "twice"),
    ("y ~ (1 | log(g))", 9, "not an expression"),
    ("y ~ (1 | {g})", 9, "not an expression"),
    ("y ~ (1 | 1)", 9, "not a number"),
    ("y ~ (1 | 'g')", 9, "backticks"),
    ("y ~ (1 | ``)", 9, "empty name"),
    ("y ~ (0 | g)", 5, "no random effect"),
    ("y ~ (offset(x) | g)", 5, "offset"),
    ("y + x", 5, "needs '~'"),
    ("y", 1, "needs '~'"),
    ("", 0, "needs '~'"),
    ("y ~ x ~ z", 6, "one '~'"),
    ("(y ~ x)", 3, "inside parentheses"),
    ("y ~ (x", 4, "never closed"),
    ("y ~ x)", 5, "closes nothing"),
    ("y ~ log(x", 7, "never closed"),
    ("y ~ log(x]", 9, "does not close"),
    ("y ~ `x", 4, "never closed"),
    ("y ~ 'x", 4, "never closed"),
    ("y ~ {x", 4, "never closed"),
    ("~ x", 0, "response is missing"),
    ("y ~", 3, "terms are missing"),
    ("y ~ ()", 4, "nothing stands"),
    ("y ~ x +", 7, "missing after '+'"),
    ("y ~ x *", 7, "missing after '*'"),
    ("y ~ * x", 4, "no term before"),
    ("y ~ x z", 6, "operator is missing"),
    ("y ~ x (1|g)", 5, "'+' missing"),
    ("y ~ (1|g)(1|h)", 9, "operator is missing"),
    ("y ~ lgo(x)", 4, "did you mean log"),
    ("y ~ fctor(x)", 4, "did you mean factor"),
    ("y ~ factor(x, levels=[1, 2])", 4, "takes one column"),
    ("y ~ as.factor(x > 1)", 4, "takes one column"),
    ("y ~ factor(2)", 4, "takes one column"),
    ("factor(y) ~ x", 0, "not available in a response"),
    ("y ~ as.numeric(x, 2)", 4, "takes one argument"),
    ("y ~ as.character(x)", 4, "write factor(x)"),
    ("y ~ relevel(x)", 4, "contr.treatment"),
    ("y ~ (1 | factor(g > 1))", 9, "not an expression"),
    ("y ~ (1 | as.numeric(g))", 9, "not an expression"),
    ("y ~ (1 | factor(np.log))", 16, "numpy"),
    ("y ~ ns(x, 3)", 4, "cr(x"),
    ("scale(y) ~ x", 0, "not available in a response"),
    ("y ~ offset(poly(x, 2))", 11, "not available in a response"),
    ("y ~ I(x^2)", 8, "write '**'"),
    ("y^2 ~ x", 2, "write '**'"),
    ("y ~ .", 4, "write the columns out"),
    ("y ~ x + . - z", 8, "write the columns out"),
    ("y ~ [x]", 4, "square brackets"),
    ("y ~ [a ~ b]", 4, "square brackets"),
    ("y ~ 2", 4, "not a term"),
    ("y ~ 2*x", 4, "write I(2 * x)"),
    ("y ~ (0 + x)*z", 5, "number"),
    ("y ~ 'x'", 4, "backticks"),
    ("y ~ x^z", 5, "whole number"),
    ("y ~ (a+b+c+d+e+f)^9", 17, "terms"),
    ("y ~ x == 1", 6, "I(...)"),
    ("y ~ x*offset(t)", 6, "stands alone"),
    ("y ~ x - offset(t)", 8, "added"),
    ("y ~ cbind(a, b)", 4, "on the left"),
    ("cbind(a) ~ x", 0, "two columns"),
    ("log(cbind(a, b)) ~ x", 4, "only on the left"),
    ("y ~ cs(x | g)", 4, "not supported yet"),
    ("y ~ diag(x | g)", 4, "not supported yet"),
    ("y ~ x + ar1(0 + t | g)", 8, "not supported yet"),
    ("y ~ (x - z)*(-w)", 14, "cannot be subtracted"),
    ("y ~ C(f, Treatment)", 9, "Treatment()"),
    ("y ~ log(log) + log", 4, "both a column and a function"),
    ("y ~ log(x) + `log(x)`", 13, "spelled like"),
    ("y ~ scale(a.b + a.b)", 4, "twice"),
    ("y ~ I(a.b + `a b`)", 4, "too like"),
    ("y ~ log(in)", 8, "a column called 'in' stands in backticks"),
    ("y ~ log(`if`) + I(if + 1)", 18, "a column called 'if' stands in backticks"),
    ("not ~ x", 0, "a column called 'not' stands in backticks"),
    ("y ~ I(lambda: 1)", 6, "lambda is not allowed"),
    ("y ~ I(x if z else w)", 6, "where(condition, a, b)"),
    ("y ~ yield(x)", 4, "is not a function"),
    ("y ~ log(class) + _class_", 4, "too like 'class'"),
    ("y ~ as.numeric(x) + _as_numeric_", 4, "too like 'as.numeric'"),
    ("y ~ as.numeric(a.b + a.b)", 4, "twice"),
    ("y ~ log(class) + log(`-class-`)", 17, "too like"),
    ("y ~ `a\\b`", 4, "backslash"),
    ("y ~ np.x", 4, "numpy"),
    ("y ~ 3x", 4, "number"),
]


@pytest.mark.parametrize(("text", "position", "fragment"), REFUSED)
def test_refused_with_the_position_marked(text: str, position: int, fragment: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    message, shown, caret = str(caught.value).split("\n")
    assert fragment in message
    assert shown == f"  {text}"
    assert caret == " " * (position + 2) + "^"


def test_caret_in_long_and_multiline_formulas() -> None:
    text = "y ~ " + " +\n".join(f"x{i}" for i in range(100)) + " + lgo(x)"
    with pytest.raises(FormulaError) as caught:
        parse(text)
    _, shown, caret = str(caught.value).split("\n")
    assert len(shown) < 200
    assert shown[caret.index("^") :].startswith("lgo(x)")


@pytest.mark.parametrize("value", [None, 3, b"y ~ x", ["y ~ x"], Formula(text="y ~ 1", response="y", fixed="1")])
def test_only_text_is_a_formula(value: object) -> None:
    with pytest.raises(FormulaError, match="a formula is a str"):
        parse(value)  # type: ignore[arg-type]


def test_error_is_ours_and_a_value_error() -> None:
    with pytest.raises(MixedEffectsError):
        parse("y")
    with pytest.raises(ValueError, match="~"):
        parse("y")


@pytest.mark.parametrize(
    ("functions", "fragment"),
    [
        ({"a b": abs}, "identifier"),
        ({"lambda": abs}, "identifier"),
        ({3: abs}, "identifier"),
        ({"f": 3}, "not a function"),
        ({"np": abs}, "meaning of its own"),
        ({"offset": abs}, "meaning of its own"),
        ({"__import__": abs}, "underscore"),
    ],
)
def test_functions_are_checked(functions: dict[str, object], fragment: str) -> None:
    with pytest.raises(FormulaError, match=fragment):
        parse("y ~ x", functions=functions)  # type: ignore[arg-type]


def test_functions_of_the_caller() -> None:
    with pytest.raises(FormulaError, match="functions="):
        parse("y ~ mystery(x) + (1 | g)")
    formula = parse("mystery(y) ~ mystery(x, k=3) + (1 | g)", functions={"mystery": lambda x, k=1: x})
    assert formula.fixed == "1 + mystery(x, k=3)"
    assert formula.response == "mystery(y)"


def test_formula_without_random_term_parses() -> None:
    assert parse("y ~ x").random == ()


def test_parse_is_fast() -> None:
    def once() -> float:
        start = time.perf_counter()
        for _ in range(50):
            _parse.__wrapped__("Reaction ~ Days + (Days | Subject)", frozenset())
        return (time.perf_counter() - start) / 50

    assert min(once() for _ in range(20)) < 150e-6


CHARACTERS = "xyg01+-*/:^|~()[]{}`'\".,= \n\\%é&<>!_#\x00\ud800"
ALPHABET = st.sampled_from([*CHARACTERS, "log(", "np.", "C(", "I(", "__", "offset("])


@given(st.lists(ALPHABET, max_size=25).map("".join))
def test_random_text_raises_nothing_else(text: str) -> None:
    for attempt in (text, f"y ~ {text}", f"y ~ I({text})", f"y ~ x + ({text} | g)", f"y ~ (1 | {text})"):
        try:
            formula = parse(attempt)
        except FormulaError:
            continue
        assert parse(str(formula)) == formula


@given(st.text(max_size=30))
def test_any_text_raises_nothing_else(text: str) -> None:
    for attempt in (text, f"y ~ `{text}` + (1 | `{text}`)", f"y ~ log(`{text}`)", f"y ~ C(x, Treatment('{text}'))"):
        try:
            formula = parse(attempt)
        except FormulaError:
            continue
        assert parse(str(formula)) == formula


NAMES = st.sampled_from(["x", "z", "x.1", "`a b`", "w_2", "class", "`in`"])
FACTORS = st.one_of(NAMES, NAMES.map(lambda n: f"log({n})"), NAMES.map(lambda n: f"I({n}**2+1)"))
OPERATORS = st.sampled_from(["*", ":"])
PRODUCTS = st.builds(lambda factors, sign: sign.join(factors), st.lists(FACTORS, min_size=1, max_size=3), OPERATORS)
SUMS = st.lists(st.one_of(PRODUCTS, st.sampled_from(["0", "1"])), min_size=1, max_size=3).map("+".join)
GROUPS = st.sampled_from(["g", "g/h", "g:h", "g/h/k", "`g 1`", "g.2/h"])
RANDOM = st.tuples(NAMES, st.sampled_from(["|", "||"]), GROUPS).map(lambda t: f"({t[0]}{t[1]}{t[2]})")


@given(st.tuples(SUMS, st.lists(RANDOM, max_size=3)).map(lambda t: "log(y)~" + "+".join([t[0], *t[1]])))
def test_printing_and_parsing_agree(text: str) -> None:
    formula = parse(text)
    again = parse(str(formula))
    assert again == formula
    assert str(again) == str(formula)
    assert set(formula.variables()) <= {"y", "x", "z", "x.1", "a b", "w_2", "class", "in", "g", "h", "k", "g 1", "g.2"}


@pytest.mark.parametrize("depth", [10, 60, 5000])
def test_deep_nesting_ends_in_an_answer_or_an_error(depth: int) -> None:
    for text in ("(" * depth + "x" + ")" * depth, "log(" * depth + "x" + ")" * depth, "I(" + "-" * depth + "x)"):
        try:
            assert parse(f"y ~ {text}").variables() == ("y", "x")
        except FormulaError:
            assert depth > 50
