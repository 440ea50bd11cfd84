"""The examples in docstrings run and print what they show."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import mixedeffects as me

SOURCES = Path(me.__file__).parent


def with_examples() -> list[str]:
    """Return the modules whose source has a doctest prompt."""
    paths = [path for path in SOURCES.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8")]
    return sorted(".".join(path.relative_to(SOURCES.parent).with_suffix("").parts) for path in paths)


@pytest.mark.parametrize("name", with_examples())
def test_examples_print_what_they_show(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("name", [name for name in me.__all__ if not inspect.ismodule(getattr(me, name))])
def test_functions_have_examples_and_all_public_names_a_docstring(name):
    value = getattr(me, name)
    text = inspect.getdoc(value) or ""
    assert len(text.splitlines()[0]) > 10
    if inspect.isfunction(value):
        assert "\nExamples\n" in text
        assert ">>> " in text
