"""The examples of the pages in docs/ run in order and print what the page shows."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "prediction": 6,
    "diagnostics": 2,
    "pooling": 9,
    "populations": 8,
    "small-areas": 5,
    "generalized-models": 5,
}


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_what_is_printed(page):
    path = DOCS / f"{page}.md"
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == PAGES[page]
    names: dict = {}
    for code, shown in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(code, str(path), "exec"), names)
        lines = [line.rstrip() for line in printed.getvalue().splitlines()]
        assert lines == [line.rstrip() for line in shown.splitlines()]
