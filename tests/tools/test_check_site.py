"""tools/check_site.py finds what is broken in a small site, and passes one in order."""

from __future__ import annotations

import importlib.util
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "check_site.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("check_site", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path):
    """Give ``site(body)``: a site of an index with that body, and a second page with an element called `part`."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "page.html").write_text('<h1 id="part">Page</h1><a href="../index.html">up</a>')
    (tmp_path / "picture.png").write_bytes(b"")
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "template.html").write_text('<a href="{{ nowhere }}">a template is no page</a>')

    def made(body: str) -> Path:
        (tmp_path / "index.html").write_text(body)
        return tmp_path

    return made


@pytest.mark.parametrize(
    "body",
    [
        '<a href="folder/page.html#part">a</a><img src="picture.png?v=1"><a href="https://example.org/x">out</a>',
        '<a href="#">top</a><a href="#here">here</a><p id="here"></p><a href="mailto:a@example.org">mail</a>',
        '<link rel="canonical" href="https://example.org/index.html">',
    ],
)
def test_a_site_in_order_passes(tool, site, body):
    assert tool.broken_links(site(body)) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="gone.html">a</a>', "index.html: gone.html does not exist"),
        ('<a href="folder">a</a>', "index.html: folder does not exist"),
        ('<img src="gone.png">', "index.html: gone.png does not exist"),
        ('<a href="folder/page.html#other">a</a>', "index.html: folder/page.html#other has no element of that name"),
        ('<a href="#other">a</a>', "index.html: #other has no element of that name"),
        ('<script src="https://cdn.example.org/x.js"></script>', "loads https://cdn.example.org/x.js from another"),
        ('<link rel="stylesheet" href="//cdn.example.org/x.css">', "loads //cdn.example.org/x.css from another"),
    ],
)
def test_what_is_broken_is_named(tool, site, body, problem):
    found = tool.broken_links(site(body))
    assert len(found) == 1
    assert problem in found[0]


def test_the_inventory_of_sphinx_is_read(tool, tmp_path):
    head = b"# Sphinx inventory version 2\n# Project: p\n# Version: 1\n# The remainder is compressed using zlib.\n"
    body = b"p.f py:function 1 api.html#$ -\np.C.m py:method 1 api.html#$ -\nsome page std:doc -1 page.html Title\n"
    (tmp_path / "objects.inv").write_bytes(head + zlib.compress(body))
    assert tool.inventory(tmp_path / "objects.inv") == {"p.f", "p.C.m"}


def test_public_names_are_functions_classes_and_their_members(tool):
    names = set(tool.public_names())
    assert {"mixedeffects.lmer", "mixedeffects.LmmResult.confint", "mixedeffects.LmmResult.fixef"} <= names
    assert {"mixedeffects.families.Binomial", "mixedeffects.sae.unit_level", "mixedeffects.datasets.load"} <= names
    assert "mixedeffects.sae" not in names
    assert not any("._" in name for name in names)


def test_members_are_methods_and_properties_of_our_classes_but_not_fields(tool):
    @dataclass
    class Ours:
        field: float

        @property
        def answer(self):
            return self.field

        def method(self):
            return self.field

        def _hidden(self):
            return self.field

    Ours.__module__ = "mixedeffects.somewhere"

    class Theirs(Ours):
        def other(self):
            return 0

    Theirs.__module__ = "elsewhere"
    assert tool.members(Theirs) == ["answer", "method"]


def test_pictures_are_members_of_their_class(tool):
    from mixedeffects.results.pictures import Pictures

    assert {"caterpillar", "qq", "trajectories"} <= set(tool.members(Pictures))


def test_every_public_name_is_listed_in_the_reference(tool):
    pages = (SCRIPT.parents[1] / "docs" / "reference").glob("*.md")
    listed = {line.strip().lstrip("~") for page in pages for line in page.read_text(encoding="utf-8").splitlines()}
    tops = {name.removeprefix("mixedeffects.") for name in tool.public_names()}
    # Members stand on the page of their class.
    missing = {name for name in tops if name not in listed and name.rpartition(".")[0] not in listed}
    assert missing == set()
