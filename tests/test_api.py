"""The public face as a whole: names, defaults, docstrings, and the steps of a fit one by one."""

from __future__ import annotations

import inspect
import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me

NAMES = {
    "Control",
    "ArgumentError",
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "Design",
    "DroppedRowsWarning",
    "Formula",
    "FormulaError",
    "GlmmResult",
    "LmmResult",
    "MixedEffectsError",
    "MixedEffectsWarning",
    "RandomTerm",
    "RankDeficiencyWarning",
    "UnavailableError",
    "SingularFitWarning",
    "anova",
    "bootstrap_lrt",
    "compare_pooling",
    "datasets",
    "design",
    "exact_lrt",
    "exact_rlrt",
    "families",
    "glmer",
    "hausman_test",
    "lm_list",
    "lmer",
    "parse",
    "population",
    "power",
    "ridge_equivalent",
    "sae",
    "within_between",
}

ON_A_FIT = {
    "aic", "augment", "bic", "coef", "criterion", "design", "df_resid", "dispersion", "evaluate", "family", "fitted",
    "fixef", "formula", "glance", "is_singular", "loglik", "ngroups", "nobs", "npar", "optimum", "ranef", "reml",
    "residuals", "rows", "sigma", "std_errors", "summary", "theta", "tidy", "update", "varcorr", "vcov",
    "predict", "simulate", "refit", "influence", "leverage", "cooks_distance", "plot",
}  # fmt: skip


def test_names_of_the_package():
    assert set(me.__all__) == NAMES
    assert list(me.__all__) == sorted(me.__all__)
    for name in me.__all__:
        assert getattr(me, name) is not None
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", me.__version__)
    with pytest.raises(AttributeError, match="module 'mixedeffects' has no attribute 'glmr'"):
        me.glmr  # noqa: B018


def test_names_on_a_fit():
    fit = quiet_fit("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    missing = {name for name in ON_A_FIT if not hasattr(fit, name)}
    assert not missing


def test_defaults_of_lmer():
    parameters = inspect.signature(me.lmer).parameters
    assert list(parameters)[:2] == ["formula", "data"]
    defaults = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert defaults == {
        "reml": True,
        "weights": None,
        "offset": None,
        "contrasts": None,
        "missing": "drop",
        "start": None,
        "control": None,
        "functions": None,
    }
    assert inspect.signature(me.LmmResult.residuals).parameters["kind"].default == "response"
    assert inspect.signature(me.LmmResult.summary).parameters["ddf"].default is None


def documented() -> list[tuple[str, object]]:
    """Every public function, class, method and property, with its name."""
    found = []
    things = {name: getattr(me, name) for name in sorted(NAMES - {"datasets"})}
    things |= {f"sae.{name}": getattr(me.sae, name) for name in me.sae.__all__}
    for name, thing in things.items():
        found.append((name, thing))
        if inspect.isclass(thing):
            found += [
                (f"{name}.{member}", value)
                for member, value in inspect.getmembers(thing)
                if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
            ]
    return found


@pytest.mark.parametrize(("name", "thing"), documented(), ids=[name for name, _ in documented()])
def test_everything_public_has_a_docstring_with_its_arguments(name, thing):
    doc = inspect.getdoc(thing)
    assert doc
    assert len(doc.splitlines()[0]) <= 120
    if inspect.isfunction(thing):
        arguments = [
            f"*{a}" if p.kind is p.VAR_POSITIONAL else a  # numpydoc writes *args with its star
            for a, p in inspect.signature(thing).parameters.items()
            if a not in ("self", "changes", "options")
        ]
        if len(arguments) > 1 or "Parameters\n" in doc:  # one argument may be told in a sentence
            section = doc[doc.index("Parameters\n") :]
            for argument in arguments:
                assert re.search(rf"^(.*, )?{re.escape(argument)}(, .*)? :", section, re.MULTILINE), argument


def test_the_record_lists_its_attributes():
    doc = inspect.getdoc(me.LmmResult)
    for field in fields(me.LmmResult):
        assert re.search(rf"^{field.name} :", doc, re.MULTILINE)


def test_shapes_are_in_the_docstrings():
    for name in ("fixef", "std_errors", "theta", "rows", "fitted"):
        doc = inspect.getdoc(getattr(me.LmmResult, name))
        assert re.search(r"\(\w+,\)", doc), name


def test_the_steps_of_a_fit_are_public():
    frame = reference.load_data("sleepstudy")
    formula = me.parse("Reaction ~ Days + (Days | Subject)")
    assert formula.response == "Reaction"
    assert [str(term) for term in formula.random] == ["(1 + Days | Subject)"]
    arrays = me.design(formula, frame)
    assert arrays.X.shape == (180, 2)
    fit = me.lmer(formula, frame)
    assert fit.evaluate(fit.theta).value == pytest.approx(fit.criterion, rel=1e-13)


def test_the_example_of_the_docstring():
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))
    assert round(fit.criterion, 4) == 1743.6283
    polars = me.datasets.load("sleepstudy", as_="polars")
    assert me.lmer("Reaction ~ Days + (Days | Subject)", polars).criterion == pytest.approx(fit.criterion, rel=1e-14)


def test_no_state_is_kept_between_calls():
    one = me.lmer("Reaction ~ Days + (Days | Subject)", reference.load_data("sleepstudy"))
    me.lmer("Yield ~ 1 + (1 | Batch)", reference.load_data("Dyestuff"))
    two = me.lmer("Reaction ~ Days + (Days | Subject)", reference.load_data("sleepstudy"))
    assert one.criterion == two.criterion
    assert one.theta.tobytes() == two.theta.tobytes()


def test_fits_in_several_threads_at_once_are_those_of_one():
    formulas = [
        "Reaction ~ Days + (Days | Subject)",
        "Reaction ~ 1 + (1 | Subject)",
        "Reaction ~ Days + (Days || Subject)",
    ]
    frame = reference.load_data("sleepstudy")

    def criterion(formula: str) -> float:
        fit = me.lmer(formula, frame)
        fit.ranef.condvar["Subject"]
        return fit.evaluate().value

    alone = [criterion(formula) for formula in formulas]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(criterion, formulas * 20)) == alone * 20


def test_importing_does_not_import_what_it_does_not_need():
    code = (
        "import sys, pandas, formulaic, narwhals; before = set(sys.modules); import mixedeffects; "
        "print([m for m in ('matplotlib', 'polars', 'pyarrow', 'statsmodels') if m in set(sys.modules) - before])"
    )
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"
    assert out.stderr == ""


def test_errors_survive_pickling():
    """Workers of a pool send them back."""
    for error in (me.DataError("what"), me.FormulaError("where"), me.ConvergenceError("why")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
    with pytest.raises(me.FormulaError) as caught:
        me.parse("y ~ (1 | g")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_numpy_scalars_are_as_good_as_pythons():
    frame = reference.load_data("sleepstudy")
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", frame, reml=np.bool_(False), start=np.array([1.0, 0.0, 0.2]))
    assert fit.reml is False
    assert fit.criterion == pytest.approx(1751.9393444632, rel=1e-10)
