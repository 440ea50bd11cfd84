"""Check the layers: nothing imports upward, and each outside library stays in the packages that may know it.

    python tools/check_imports.py [SOURCE_ROOT]

To change a rule, change a table below; CONTRIBUTING.md says what each layer is for.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "mixedeffects"

# Lowest first. A module may import modules of lower layers and of its own package, not its neighbours in one layer.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("formula",),
    ("frame",),
    ("design",),
    ("crossproducts",),
    ("criterion",),
    ("optimize",),
    ("fit",),
    ("inference",),
    ("predict",),
    ("diagnostics",),
    ("tables",),
    ("plots",),
    ("results",),
    ("api",),
)
# Anyone may import these; they import only each other.
LEAVES = frozenset({"errors", "families", "control", "_typing"})
# These are users of the package: they see its public names, the leaves and themselves.
PUBLIC_ONLY = frozenset({"population", "sae", "datasets", "cli", "__main__"})
# Layers that one of them may import besides.
# Their pictures are drawn there: only plots knows matplotlib.
ALSO: dict[str, frozenset[str]] = {"sae": frozenset({"plots"}), "population": frozenset({"plots"})}
# The face of the package sees everything.
TOP = frozenset({"__init__"})

_FRAMES = frozenset({"frame", "datasets", "tables", "results"})
# Which parts of the package may import an outside library (imports for type checking only are free).
OUTSIDE: dict[str, frozenset[str]] = {
    "pandas": _FRAMES | {"design", "sae"},  # formulaic works on pandas frames; named vectors are pandas' in the results
    "polars": _FRAMES,
    "pyarrow": _FRAMES,
    "duckdb": _FRAMES,
    "dask": _FRAMES,
    "matplotlib": frozenset({"plots"}),
    f"{PACKAGE}._core": frozenset({"crossproducts", "criterion", "optimize", "fit"}),
}

RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}


def imports(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[tuple[int, str, bool]]:
    """Yield (line, absolute dotted name, only for type checking) of every import, also those inside functions."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, id(node) in typing_only
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                # `from mixedeffects import design` names a part only if that part is known to the tables.
                named = base == PACKAGE and alias.name in RANK.keys() | LEAVES | PUBLIC_ONLY | {"_core"}
                yield node.lineno, f"{base}.{alias.name}" if named else base, id(node) in typing_only


def complaint(part: str, target: str, *, typing_only: bool) -> str | None:
    """Say what is wrong when `part` imports `target`, or None."""
    for library, allowed in OUTSIDE.items():
        if target == library or target.startswith(library + "."):
            if part in allowed | TOP or typing_only:
                return None
            return f"{library} may be imported only in {', '.join(sorted(allowed))}"
    if target.split(".")[0] != PACKAGE or part in TOP:
        return None
    if target == PACKAGE:
        return None if part in PUBLIC_ONLY else "the package's public face is above every layer"
    other = target.split(".")[1]
    if other == part or other in LEAVES:
        return None
    if part in PUBLIC_ONLY:
        return (
            None
            if other in PUBLIC_ONLY | ALSO.get(part, frozenset())
            else "may use only the public names: `import mixedeffects as me`"
        )
    if part in LEAVES:
        return "a leaf imports only other leaves"
    if other not in RANK:
        return f"{other} is not a layer that others may import"
    return None if RANK[other] < RANK[part] else f"{other} is not below {part}"


def check(root: Path) -> list[str]:
    """Return one line for every import under `root` (the folder that holds the package) that breaks a rule."""
    problems = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        names = path.relative_to(root).with_suffix("").parts
        is_package = names[-1] == "__init__"
        module = ".".join(names[:-1] if is_package else names)
        part = names[1]
        if part not in RANK.keys() | LEAVES | PUBLIC_ONLY | TOP:
            problems.append(f"{path}: {part} stands in no table of tools/check_imports.py; give it a layer")
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, target, typing_only in imports(tree, module, is_package=is_package):
            wrong = complaint(part, target, typing_only=typing_only)
            if wrong:
                problems.append(f"{path}:{line}: imports {target}: {wrong}")
    return problems


def main(arguments: list[str]) -> int:
    """Print the problems; the exit code is 1 if there are any."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1] / "src"
    problems = check(root)
    print("\n".join(problems) if problems else "imports: every layer holds")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
