"""The layer rules: one tiny package per rule, and the real one."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("check_imports", REPOSITORY / "tools" / "check_imports.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check


def package(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / "mixedeffects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("design/fixed.py", "from mixedeffects.frame.factors import Factor\nfrom mixedeffects.errors import DataError"),
        ("design/fixed.py", "from ..formula import parse"),
        ("design/__init__.py", "from .fixed import X\nfrom mixedeffects.design import random"),
        ("frame/read.py", "import pandas as pd\nimport polars as pl"),
        ("design/fixed.py", "import pandas as pd\nimport formulaic"),
        ("fit/lmm.py", "from mixedeffects import _core"),
        ("fit/lmm.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas as pd"),
        ("plots/qq.py", "def draw():\n    import matplotlib.pyplot as plt"),
        ("api.py", "from mixedeffects.results import LmmResult"),
        ("sae/unit.py", "import mixedeffects as me\nfrom mixedeffects import lmer, datasets"),
        ("sae/map.py", "from mixedeffects.plots.picture import picture"),
        ("__init__.py", "from mixedeffects.api import lmer\nfrom mixedeffects import _core"),
    ],
)
def test_allowed(check, tmp_path, name, text):
    assert check(package(tmp_path, {name: text})) == []


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("formula/grammar.py", "from mixedeffects.frame import read", "frame is not below formula"),
        ("formula/grammar.py", "import mixedeffects.fit.lmm", "fit is not below formula"),
        ("design/fixed.py", "def late():\n    from ..fit import lmm", "fit is not below design"),
        ("design/fixed.py", "from .. import fit", "fit is not below design"),
        ("inference/wald.py", "from mixedeffects.predict import rows", "predict is not below inference"),
        ("fit/lmm.py", "import pandas as pd", "pandas may be imported only in"),
        ("fit/lmm.py", "from pyarrow import Table", "pyarrow may be imported only in"),
        ("tables/text.py", "import matplotlib.pyplot as plt", "matplotlib may be imported only in plots"),
        ("design/fixed.py", "from mixedeffects._core import solve", "mixedeffects._core may be imported only in"),
        ("design/fixed.py", "from mixedeffects import _core", "mixedeffects._core may be imported only in"),
        ("errors.py", "from mixedeffects.formula import parse", "a leaf imports only other leaves"),
        ("sae/unit.py", "from mixedeffects.fit import lmm", "only the public names"),
        ("datasets/map.py", "from mixedeffects.plots.picture import picture", "only the public names"),
        ("fit/lmm.py", "import mixedeffects", "public face is above"),
        ("fit/lmm.py", "from mixedeffects import sae", "sae is not a layer"),
        ("helpers/misc.py", "import numpy", "stands in no table"),
    ],
)
def test_refused(check, tmp_path, name, text, says):
    (problem,) = check(package(tmp_path, {name: text}))
    assert says in problem
