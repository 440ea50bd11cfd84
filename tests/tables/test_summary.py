"""The printed summary, line for line as lme4's and lmerTest's (generate.R -> expected/)."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from mixedeffects.tables import Coefficients, lmm_title
from tables import cases

SINGULAR = re.compile(r"optimizer \(\w+\) convergence code: 0 \(OK\)\nboundary \(singular\) fit: .*\n\n")


def expected(case: str) -> str:
    """What R prints, without its words on a singular fit, and with lmerTest's title on one line."""
    text = SINGULAR.sub("", cases.printed(case, "summary"))
    return text.replace(" [\nlmerModLmerTest]", " ['lmerModLmerTest']")


@pytest.mark.parametrize("case", cases.names("summary"))
def test_text_is_rs(case):
    values = cases.values(case)
    text = cases.summary(values).text + "\n"
    if values["note"]:
        first, *_ = values["note"].strip().split("\n")
        assert text.endswith(f"\n\n{first}\nUse fit.vcov if you need it.\n")
        text = text[: text.index(f"\n{first}")]
    assert text == expected(case)


@pytest.mark.parametrize("case", cases.names("correlation"))
def test_correlations_of_any_number_of_coefficients_are_rs(case):
    from mixedeffects.tables.text import matrix_lines

    names, heads, columns = cases.coefficients(cases.values(case)).correlation_cells()
    lines = matrix_lines(columns, heads=heads, row_names=names, right=False)
    assert "\n".join(lines) + "\n" == cases.printed(case, "correlation")


def test_without_a_name_of_the_data_there_is_no_line_for_it():
    values = cases.values("sleep")
    unnamed = cases.summary(values, data_name=None).text
    assert unnamed == cases.summary(values).text.replace("   Data: sleepstudy\n", "")


def test_a_singular_fit_says_so_in_one_last_line():
    text = cases.summary(cases.values("dyestuff2"), boundary=("Batch: variance of Intercept is 0",)).text
    assert text.endswith("\nboundary (singular) fit: Batch: variance of Intercept is 0")
    assert text.count("singular") == 1


def test_messages_stand_before_the_boundary():
    text = cases.summary(cases.values("dyestuff2"), messages=("a note",), boundary=("b",)).text
    assert text.endswith("\na note\nboundary (singular) fit: b")


def test_more_than_one_dropped_coefficient():
    values = cases.values("rank_deficient") | {"dropped": 2}
    assert "dropping 2 columns / coefficients" in cases.summary(values).text


def test_dropped_coefficients_may_stand_anywhere():
    values = cases.values("sleep")
    nan = np.nan
    estimate, std_error, statistic = (
        np.array([values[name][0], nan, values[name][1]]) for name in ("estimate", "std_error", "statistic")
    )
    coefficients = Coefficients(
        names=("Intercept", "aliased", "Days"),
        estimate=estimate,
        std_error=std_error,
        statistic=statistic,
        correlation=np.array(values["correlation"]),
    )
    text = cases.summary(values, coefficients=coefficients).text
    assert text.startswith(cases.summary(values).text + "\nfit warnings:\n")


def test_titles():
    assert lmm_title(reml=True) == "Linear mixed model fit by REML ['lmerMod']"
    assert lmm_title(reml=False) == "Linear mixed model fit by maximum likelihood  ['lmerMod']"


def test_stars_need_to_be_asked_for():
    text = cases.summary(cases.values("sleep_stars"), stars=False).text
    assert "***" not in text
    assert text.split("\n") == cases.summary(cases.values("sleep_tests")).text.split("\n")


class Outline(HTMLParser):
    """Collects tags in order and checks that they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("case", cases.names("summary"))
def test_html_is_well_formed_and_self_contained(case):
    html = cases.summary(cases.values(case))._repr_html_()
    outline = Outline()
    outline.feed(html)
    assert outline.open == []
    assert not {"script", "link", "img", "iframe"} & set(outline.seen)
    assert "http" not in html
    assert "url(" not in html


def test_every_rule_of_the_style_stays_in_its_own_block():
    html = cases.summary(cases.values("sleep"))._repr_html_()
    style = re.search(r"<style>(.*?)</style>", html).group(1)
    selectors = [s for rule in re.findall(r"([^{}]+)\{", style) for s in rule.split(",")]
    assert len(selectors) > 5
    assert all(s.startswith(".mixedeffects") for s in selectors)
    # Colours are inherited: nothing that only a light page shows.
    assert re.findall(r"#[0-9a-fA-F]{3,6}|white;|black|rgb", style) == []


def test_html_has_the_printed_numbers():
    html = cases.summary(cases.values("sleep"))._repr_html_()
    for cell in ("251.405", "6.825", "36.838", "612.10", "24.741", "0.07", "-0.138", "-3.9536"):
        assert f">{cell}<" in html
    assert "REML criterion at convergence: 1743.6" in html


def test_html_escapes_what_it_is_given():
    html = cases.summary(cases.values("sleep"), formula="y ~ x<script>", data_name="<b>&")._repr_html_()
    assert "<script>" not in html
    assert "x&lt;script&gt;" in html
    assert "&lt;b&gt;&amp;" in html


def test_importing_tables_imports_neither_pandas_nor_matplotlib():
    code = (
        "import sys, importlib.util as u, types, pathlib\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "root = types.ModuleType('mixedeffects'); root.__path__ = [str(path)]; sys.modules['mixedeffects'] = root\n"
        "import mixedeffects.tables\n"
        "assert not {'pandas', 'matplotlib'} & set(sys.modules)\n"
    )
    package = cases.HERE.parents[1] / "src" / "mixedeffects"
    subprocess.run([sys.executable, "-c", code, str(package)], check=True)
