"""The documentation site; `make docs` builds it into docs/_build/html, a warning is an error.

A page with executable cells (docs/chapter/*.md) is MyST Markdown with this front matter; its cells are run
at every build, and an error in one of them fails the build:

    ---
    file_format: mystnb
    kernelspec:
      name: python3
    ---

    ```{code-cell}
    import mixedeffects as me
    ```

Tags of a cell go below its first line: `:tags: [hide-input]`, `[remove-input]`, `[remove-output]`, or
`[raises-exception]` where the error is the point. A picture is the last expression of its cell (Axes, Figure);
matplotlib draws inline. Other pages are plain Markdown as GitHub shows it: ```` ```math ```` blocks and `$...$` are mathematics.
"""

from importlib import metadata

project = "mixedeffects"
author = "The mixedeffects developers"
project_copyright = author
try:
    release = metadata.version("mixedeffects")
except metadata.PackageNotFoundError:  # the sources on the path, not installed
    import mixedeffects

    release = mixedeffects.__version__

extensions = ["myst_nb", "sphinx_design", "sphinx_copybutton"]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
nitpicky = True

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4
# A dollar that belongs to money or to R code is not mathematics.
myst_dmath_allow_digits = False

nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True

html_theme = "pydata_sphinx_theme"
html_title = "mixedeffects"
html_show_sourcelink = False
