"""Run the cells of a page of the documentation."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt

import mixedeffects as me

CELL = re.compile(r"^```\{code-cell\}[^\n]*\n((?::[^\n]*\n)*)(.*?)^```$", re.DOTALL | re.MULTILINE)


def run_cells(page: Path, ignored: type[Warning] = me.SingularFitWarning) -> SimpleNamespace:
    """Run the cells in order; give the page's names, and its figures as `all_figures`."""
    names: dict = {}
    figures = []
    with warnings.catch_warnings():
        for _, code in CELL.findall(page.read_text(encoding="utf-8")):
            warnings.simplefilter("ignore", ignored)
            exec(compile(code, page.name, "exec"), names)
            figures += [plt.figure(n) for n in plt.get_fignums()]
            plt.close("all")
    return SimpleNamespace(**names, all_figures=figures)
