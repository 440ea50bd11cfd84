"""The size limits, on small trees made for the purpose."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sizes():
    spec = importlib.util.spec_from_file_location("check_sizes", REPOSITORY / "tools" / "check_sizes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return root


def function(lines: int, docstring: int = 0) -> str:
    doc = ['    """One.', *["    More."] * (docstring - 2), '    """'] if docstring else []
    return "\n".join(["def f():", *doc, *["    x = 1"] * (lines - 1)]) + "\n"


@pytest.mark.parametrize(("lines", "errors"), [(500, 0), (501, 1)])
@pytest.mark.parametrize("name", ["src/a.py", "cpp/core/a.hpp", "benchmarks/libraries/a.R"])
def test_file_limit(sizes, tmp_path, name, lines, errors):
    assert len(sizes.check(write(tmp_path, name, "\n" * lines), {})[0]) == errors


@pytest.mark.parametrize(("lines", "errors"), [(800, 0), (801, 1)])
def test_exempt_file(sizes, tmp_path, lines, errors):
    root = write(tmp_path, "src/a.py", "\n" * lines)
    assert len(sizes.check(root, {"src/a.py": "one table"})[0]) == errors


def test_exemption_without_a_file(sizes, tmp_path):
    assert sizes.check(tmp_path, {"src/gone.py": "was long"})[0] == ["src/gone.py: exempt, but not there"]


@pytest.mark.parametrize(("lines", "errors", "warnings"), [(50, 0, 0), (51, 0, 1), (60, 0, 1), (61, 1, 0)])
@pytest.mark.parametrize("docstring", [0, 40])
def test_function_limit(sizes, tmp_path, lines, errors, warnings, docstring):
    found = sizes.check(write(tmp_path, "src/a.py", function(lines, docstring)), {})
    assert [len(part) for part in found] == [errors, warnings]


def test_hidden_folders_are_not_ours(sizes, tmp_path):
    assert sizes.check(write(tmp_path, "benchmarks/.cache/a.py", "\n" * 900), {}) == ([], [])
