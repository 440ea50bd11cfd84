"""Check the built documentation: no broken link, nothing loaded from elsewhere, every public name in the reference.

    python tools/check_site.py docs/_build/html

A link within the site must lead to a file, and its fragment to an element. What a page loads (scripts, styles,
pictures, fonts) must be part of the site. The names are read from the package, so it must be installed.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

MODULES = tuple(f"mixedeffects{part}" for part in ("", ".families", ".population", ".sae", ".datasets"))
# What carries these is loaded with the page; what carries others (a) is visited.
LOADED = {"script": "src", "img": "src", "link": "href", "source": "src", "iframe": "src"}
# A link element of these kinds loads nothing.
RELATIONS = {"next", "prev", "index", "search", "canonical", "author"}


class Page(HTMLParser):
    """The targets of a page's links, what it loads, and the fragments that it offers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.fragments: set[str] = {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        values = {name: value or "" for name, value in attrs}
        self.fragments.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        name = LOADED.get(tag)
        if name is not None and values.get(name):
            if values.get("rel") in RELATIONS:
                self.links.append(values[name])
            else:
                self.loads.append(values[name])


def broken_links(root: Path) -> list[str]:
    """Return a line for each link or load that leads nowhere, or outside where it must not."""
    # Themes keep templates among their static files.
    paths = [path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts]
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in paths}
    return [line for path, page in pages.items() for line in _problems(path, page, pages, root)]


def _problems(path: Path, page: Page, pages: dict[Path, Page], root: Path) -> Iterator[str]:
    where = path.relative_to(root.resolve())
    for target in page.loads:
        if urlsplit(target).netloc:
            yield f"{where}: loads {target} from another server"
    for target in (*page.links, *page.loads):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        file = file / "index.html" if file.is_dir() else file
        if not file.exists():
            yield f"{where}: {target} does not exist"
        elif file in pages and unquote(parts.fragment) not in pages[file].fragments:
            yield f"{where}: {target} has no element of that name"


def inventory(path: Path) -> set[str]:
    """Return the names of Python objects in a Sphinx inventory, as the reference shows them."""
    data = path.read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(data).decode("utf-8").splitlines()
    return {match[1] for match in (re.match(r"(\S+)\s+py:", line) for line in lines) if match}


def public_names() -> Iterator[str]:
    """Yield every name in the `__all__` of the public modules, and every public member of their classes."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.ismodule(value):
                yield f"{module_name}.{name}"
            if inspect.isclass(value):
                yield from (f"{module_name}.{name}.{member}" for member in members(value))


def members(cls: type) -> list[str]:
    """Return the public methods and properties that a class has from this package, less the fields of a dataclass."""
    fields = {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    fields |= set(getattr(cls, "_fields", ()))
    ours = [base for base in cls.__mro__ if base.__module__.startswith("mixedeffects")]
    return sorted(
        {
            name
            for base in ours
            for name, value in vars(base).items()
            if not name.startswith("_")
            and name not in fields
            # What a class gives of a descriptor may be a method, as with pictures.
            and (isinstance(value, property) or callable(getattr(cls, name)))
        }
    )


def main(root: Path) -> int:
    """Print what is wrong with the site; return 1 if anything is."""
    problems = broken_links(root)
    missing = sorted(set(public_names()) - inventory(root / "objects.inv"))
    problems += [f"the reference lacks {name}" for name in missing]
    for line in problems:
        print(line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
