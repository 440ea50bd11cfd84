# Every target makes its own environment; a second run starts at once.
#   make demo | test | lint | docs | docs-test | bench | wheel | clean
# PYTHON is the interpreter to build on (3.11 or later); a C++20 compiler is the only other need.

PYTHON ?= python3
PYTEST_ARGS ?=
BENCH_ARGS ?=

DEV := .venv
DEMO := .venv-demo
WHEEL := .venv-wheel
BENCH := .venv-bench
DOCS := .venv-docs
SITE := docs/_build/html
RIVALS := glmm mixedlm mixedlm-rs lme-python statsmodels gpboost

CORE := CMakeLists.txt $(shell find cpp -type f -name '*.?pp')
SOURCES := $(CORE) pyproject.toml $(shell find src -type f -not -name '*.pyc')

# One thread per library call: the tests run in two processes.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
CHECKED := src tests tools benchmarks examples docs/conf.py

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.NOTPARALLEL:
.PHONY: demo test lint format docs docs-test bench wheel clean

demo: $(DEMO)/.ready
	$(DEMO)/bin/python examples/demo.py

test: $(DEV)/.ready
	$(ONE_THREAD) $(DEV)/bin/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

lint: $(DEV)/.ready
	$(DEV)/bin/ruff check $(CHECKED)
	$(DEV)/bin/ruff format --check $(CHECKED)
	$(DEV)/bin/mypy
	$(DEV)/bin/python tools/check_imports.py
	$(DEV)/bin/python tools/check_sizes.py

format: $(DEV)/.ready
	$(DEV)/bin/ruff check --fix $(CHECKED)
	$(DEV)/bin/ruff format $(CHECKED)

bench: $(BENCH)/mixedeffects/.ready $(RIVALS:%=$(BENCH)/%/.ready)
	$(BENCH)/mixedeffects/bin/python benchmarks/run.py $(BENCH_ARGS)
	$(BENCH)/mixedeffects/bin/python benchmarks/scaling.py
	$(BENCH)/mixedeffects/bin/python benchmarks/imports.py

# From nothing every time: what a page no longer has must not linger. Once installed, it needs no network.
docs: $(DOCS)/.ready
	rm -rf docs/_build docs/reference/api
	$(ONE_THREAD) $(DOCS)/bin/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs $(SITE)
	$(DOCS)/bin/python tools/check_site.py $(SITE)

# The built site in headless Chromium (Debian's package chromium); skipped, with the reason, where there is none.
docs-test: docs
	$(DOCS)/bin/python -m pytest tests/docs/test_site.py $(PYTEST_ARGS)

# The wheel is installed where no compiler can be called, and used there.
wheel:
	rm -rf dist $(WHEEL)
	$(PYTHON) -m venv $(WHEEL)
	$(WHEEL)/bin/python -m pip install --quiet --upgrade pip
	$(WHEEL)/bin/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	CC=false CXX=false $(WHEEL)/bin/python -m pip install --quiet --only-binary :all: dist/*.whl
	cd $(WHEEL) && bin/python ../tools/check_wheel.py ../dist

clean:
	rm -rf build dist demo .venv $(DEMO) $(WHEEL) $(BENCH) $(DOCS) docs/_build docs/reference/api .pytest_cache .mypy_cache .ruff_cache .hypothesis benchmarks/.cache
	find src tests tools benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# Build tools live in the development environment, so a changed C++ file is a quick rebuild.
$(DEV)/.packages: pyproject.toml
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python -m pip install --quiet --upgrade pip
	$(DEV)/bin/python -m pip install --quiet --group build --group test --group lint
	touch $@

$(DEV)/.ready: $(DEV)/.packages $(CORE)
	$(DEV)/bin/python -m pip install --quiet --no-build-isolation --config-settings=build-dir=build/dev --editable .
	touch $@

$(DEMO)/.ready: $(SOURCES)
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install --quiet --upgrade pip
	$(DEMO)/bin/python -m pip install --quiet ".[plots]"
	touch $@

$(DOCS)/.packages: pyproject.toml
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --upgrade pip
	$(DOCS)/bin/python -m pip install --quiet --group docs
	touch $@

$(DOCS)/.ready: $(DOCS)/.packages $(SOURCES)
	$(DOCS)/bin/python -m pip install --quiet .
	touch $@

$(BENCH)/mixedeffects/.ready: $(SOURCES)
	$(PYTHON) -m venv $(BENCH)/mixedeffects
	$(BENCH)/mixedeffects/bin/python -m pip install --quiet --upgrade pip
	$(BENCH)/mixedeffects/bin/python -m pip install --quiet . pyarrow
	touch $@

# A rival that cannot be installed stands in the table as failed, with the reason.
$(BENCH)/%/.ready:
	$(PYTHON) -m venv $(BENCH)/$*
	$(BENCH)/$*/bin/python -m pip install --quiet --upgrade pip
	-$(BENCH)/$*/bin/python -m pip install --quiet $* pandas pyarrow
	touch $@
