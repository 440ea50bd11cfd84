"""Names that Python cannot take are respelled for formulaic and restored afterwards."""

from __future__ import annotations

import keyword

import pytest

from mixedeffects.formula import column_of, python_names, restored


@pytest.mark.parametrize(
    ("text", "respelled"),
    [
        ("1 + x + log(z)", "1 + x + log(z)"),
        ("1 + `class` + `a b`", "1 + `class` + `a b`"),
        ("1 + `class` + log(`class`)", "1 + `class` + log(_class_)"),
        ("0 + {`in` + `a b`}:C(`None`)", "0 + {_in_ + `a b`}:C(_None_)"),
        ("1 + I(as.numeric(f) + as.integer(`yield`))", "1 + I(_as_numeric_(f) + _as_integer_(_yield_))"),
        ("1 + C(`as.numeric(f)`, Treatment('as.numeric('))", "1 + C(`as.numeric(f)`, Treatment('as.numeric('))"),
    ],
)
def test_only_what_stands_inside_expressions_is_respelled(text: str, respelled: str) -> None:
    python, spelled = python_names(text)
    assert python == respelled
    assert restored(python, spelled) == text
    assert all(name in python for name in spelled)


def test_every_keyword_has_an_identifier_of_its_own() -> None:
    identifiers = [python_names(f"1 + log(`{word}`)")[0][8:-1] for word in keyword.kwlist]
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in identifiers)
    assert [column_of(name) for name in identifiers] == keyword.kwlist
    assert column_of("_x_") == "_x_"


def test_names_that_only_look_alike_are_left_alone() -> None:
    assert restored("log(_class_):f[T.b]", {}) == "log(_class_):f[T.b]"
    assert restored("log(my_class_)", {"_class_": "`class`"}) == "log(my_class_)"
