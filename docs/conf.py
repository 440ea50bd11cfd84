"""The documentation site; `make docs` builds it into docs/_build/html, and a warning is an error.

A page with executable cells (docs/chapter/*.md, and guides such as docs/singular-fits.md) is MyST Markdown with this
front matter. Its cells run at every build, and an error in one of them fails the build:

    ---
    file_format: mystnb
    kernelspec:
      name: python3
    ---

    ```{code-cell}
    import mixedeffects as me
    ```

Tags of a cell stand below its first line: `:tags: [hide-input]`, `[remove-input]`, `[remove-output]`, `[wrap-output]`
for long sentences, or `[raises-exception]` where the error is the point. A picture is the last expression of its cell
(Axes, Figure); matplotlib draws inline. Other pages are plain Markdown as GitHub shows it: fenced blocks of `math` and
dollars are mathematics.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from check_site import members

project = "mixedeffects"
author = "The mixedeffects developers"
project_copyright = author
try:
    release = metadata.version("mixedeffects")
except metadata.PackageNotFoundError:  # the sources on the path, not installed
    import mixedeffects

    release = mixedeffects.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_templates", "**/.ipynb_checkpoints"]
templates_path = ["_templates"]
nitpicky = True

myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4
# A dollar that belongs to money or to R code is not mathematics.
myst_dmath_allow_digits = False
# The site asks nothing of other servers: MathJax in one file, from a package that carries it.
_MATHJAX = Path(next(iter(importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations)))
mathjax_path = "tex-svg-full.js"

nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True


def _members(path):
    module, _, name = path.rpartition(".")
    return members(getattr(importlib.import_module(module), name))


autosummary_generate = True
suppress_warnings = ["config.cache"]  # a function is no part of what a rebuild depends on
autosummary_context = {"public_members": _members}
# Types stand in the docstrings, in words.
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False
default_role = "literal"
toc_object_entries_show_parents = "hide"

copybutton_exclude = ".linenos, .gp, .go"

html_theme = "pydata_sphinx_theme"
html_title = "mixedeffects"
html_show_sourcelink = False
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "auto"}
html_static_path = ["_static", str(_MATHJAX / "static" / "mathjax" / mathjax_path)]
html_css_files = ["site.css"]
html_theme_options = {
    "logo": {"text": "mixedeffects", "image_light": "_static/icon.svg", "image_dark": "_static/icon.svg"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "show_toc_level": 2,
    "navigation_depth": 3,
    "collapse_navigation": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "gallery": [], "install": []}

# Files outside docs/ that have a page here; GitHub needs the path of the file, the site that of the page.
PAGES = {
    "README.md": "index.md",
    "benchmarks/README.md": "project/benchmarks.md",
    "benchmarks/results/compare.md": "project/results.md#fits-compared-with-other-libraries",
    "benchmarks/results/scaling.md": "project/results.md#time-and-memory-by-size",
    "benchmarks/results/inference.md": "project/results.md#profile-bootstrap-and-kenward-roger",
    "benchmarks/results/simulation.md": "project/results.md#simulation",
    "benchmarks/results/diagnostics.md": "project/results.md#diagnostics",
    "benchmarks/results/imports.md": "project/results.md#import",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
}


def _link_pages(_app, _path, content):
    """Lead links to files outside docs/ to their pages: `](../CHANGELOG.md)` to `](/project/changelog.md)`."""
    for path, page in PAGES.items():
        content[0] = re.sub(rf"\]\((?:\.\./)*{re.escape(path)}(?=[)#])", f"](/{page}", content[0])


def _link_included(app, _path, parent, content):
    _link_pages(app, parent, content)


def setup(app):
    """Connect what is above to Sphinx."""
    app.connect("source-read", _link_pages)
    app.connect("include-read", _link_included)
