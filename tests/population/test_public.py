"""The public names: docstrings that tell every argument, examples that run, no library loaded before it is needed."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import warnings

import pytest

import mixedeffects as me
from mixedeffects import population

FUNCTIONS = sorted(name for name in population.__all__ if inspect.isfunction(getattr(population, name)))
MODULES = [f"mixedeffects.population.{one.name}" for one in pkgutil.iter_modules(population.__path__)]


def test_names():
    assert FUNCTIONS == [
        "augment_longer",
        "augment_quantile",
        "balanced",
        "binned_residuals",
        "by_level",
        "custom_family",
        "decrypt",
        "dirichlet",
        "lineup",
        "ols_with_error",
        "parametric_boot_distribution",
        "partial_residuals",
        "population",
        "predictor",
        "random_effects",
        "response",
        "rfactor",
        "sampling_distribution",
    ]
    assert population.__all__ == sorted(population.__all__)
    assert me.population is population


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_tell_every_argument(name):
    function = getattr(population, name)
    doc = inspect.getdoc(function)
    for argument, parameter in inspect.signature(function).parameters.items():
        shown = f"**{argument}" if parameter.kind is parameter.VAR_KEYWORD else argument
        assert re.search(rf"^(.*, )?{re.escape(shown)}(, .*)?( :|$)", doc, re.MULTILINE), argument
    assert "Returns\n-------" in doc


@pytest.mark.parametrize("module", [*MODULES, "mixedeffects.datasets.populations"])
def test_examples(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", me.SingularFitWarning)
        found = doctest.testmod(importlib.import_module(module))
    assert found.failed == 0


def test_nothing_is_loaded_before_it_is_needed():
    code = (
        "import sys, mixedeffects as me; before = set(sys.modules); "
        "print('mixedeffects.population' in before); me.population; me.datasets; "
        "print([m for m in ('matplotlib', 'polars') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[:2] == ["False", "[]"]
