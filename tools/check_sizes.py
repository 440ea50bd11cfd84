"""Check that files and functions stay small enough to read in one sitting.

    python tools/check_sizes.py [ROOT]

Files: 500 lines; one that is listed in EXEMPT with its reason may have 800; none may have more.
Functions: from 51 lines a word of warning, from 61 an error. A docstring does not count towards a function.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES, FILE_LINES_EXEMPT = 500, 800
FUNCTION_LINES_SOFT, FUNCTION_LINES = 50, 60
FOLDERS = ("src", "cpp", "tests", "tools", "benchmarks", "examples")
# path -> why it may exceed 500 lines
EXEMPT: dict[str, str] = {}


def functions(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Yield (name, first line, lines without the docstring) of every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node, clean=False) is not None:
                docstring = node.body[0]
                lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
            yield node.name, node.lineno, lines


def sources(root: Path) -> list[Path]:
    """Return the files to look at: ours, not what tools left beside them."""
    found = (path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file())
    kept = (path for path in found if path.suffix in {".py", ".cpp", ".hpp", ".R"})
    return sorted(path for path in kept if not any(part.startswith(".") for part in path.relative_to(root).parts))


def check(root: Path, exempt: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return (errors, warnings), one line each."""
    errors, warnings = [], []
    for path in sources(root):
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        lines = len(text.splitlines())
        limit = FILE_LINES_EXEMPT if name in exempt else FILE_LINES
        if lines > limit:
            errors.append(f"{name}: {lines} lines, {limit} allowed; split it by duty")
        if path.suffix != ".py":
            continue
        for function, line, length in functions(ast.parse(text)):
            if length > FUNCTION_LINES_SOFT:
                where = errors if length > FUNCTION_LINES else warnings
                where.append(f"{name}:{line}: {function} has {length} lines, {FUNCTION_LINES_SOFT} are enough")
    errors += [f"{name}: exempt, but not there" for name in exempt if not (root / name).is_file()]
    return errors, warnings


def main(arguments: list[str]) -> int:
    """Print what is too large; the exit code is 1 if there are errors."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1]
    errors, warnings = check(root, EXEMPT if not arguments else {})
    for line in warnings:
        print(f"warning: {line}")
    print("\n".join(errors) if errors else "sizes: every file and function is within its limit")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
