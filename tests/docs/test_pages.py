"""The examples of the pages in docs/ run in order and print what the page shows."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from pathlib import Path

import pytest

import mixedeffects as me

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "prediction": 10,
    "diagnostics": 2,
    "pooling": 10,
    "populations": 10,
    "small-areas": 5,
    "generalized-models": 8,
    "for_statsmodels_users": 2,
    "for_pymer4_users": 2,
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


# page -> kind of frame that its users have, and how many calls of ours its tables hold
GUIDES = {"for_statsmodels_users": ("pandas", 46), "for_pymer4_users": ("polars", 36)}


@pytest.mark.parametrize("page", GUIDES)
def test_every_call_that_a_guide_recommends_works(page):
    kind, expected = GUIDES[page]
    names: dict = {"me": me}
    for name, data_set in {"data": "sleepstudy", "pastes": "Pastes", "penicillin": "Penicillin"}.items():
        names[name] = me.datasets.load(data_set, as_=kind)
    names |= {name: me.datasets.load(name, as_=kind) for name in ("cbpp", "cake")}
    names["fit"] = me.lmer("Reaction ~ Days + (Days | Subject)", names["data"])
    names["fit0"] = me.lmer("Reaction ~ Days + (1 | Subject)", names["data"])
    names["cake_fit"] = me.lmer("angle ~ recipe + temp + (1 | replicate:recipe)", names["cake"])
    rows = [line for line in (DOCS / f"{page}.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    ours = [re.split(r"(?<!\\)\|", row)[-2] for row in rows]
    calls = [call.replace("\\|", "|") for cell in ours for call in re.findall(r"`((?:fit|me|cake_fit)\b[^`]*)`", cell)]
    assert len(calls) == expected
    for call in calls:
        assert eval(call, names) is not None, call
