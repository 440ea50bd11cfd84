"""Values per level: printed as lme4 prints them, cut when long, computed when asked for."""

from __future__ import annotations

import numpy as np
import pytest

from mixedeffects.tables import GroupCoefficients, GroupValues, RandomEffects
from tables import cases


def effects(case: str) -> RandomEffects:
    return RandomEffects(groups=cases.group_values(cases.values(case), "ranef", condvar=True))


def many(n: int, k: int = 1) -> RandomEffects:
    rng = np.random.default_rng(1)
    values = GroupValues(
        group="g",
        terms=tuple(f"a_long_term_name_{j}" for j in range(k)),
        levels=[f"level{i}" for i in range(n)],
        values=rng.normal(size=(n, k)),
        condvar=np.ones((n, k, k)),
    )
    return RandomEffects(groups=(values,))


@pytest.mark.parametrize("case", cases.names("ranef"))
def test_ranef_text_is_lme4s(case):
    assert str(effects(case)) + "\n" == cases.printed(case, "ranef")


@pytest.mark.parametrize("case", cases.names("coef"))
def test_coef_text_is_rs(case):
    coef = GroupCoefficients(groups=cases.group_values(cases.values(case), "coef", condvar=False))
    assert str(coef) + "\n" == cases.printed(case, "coef")


def test_it_is_a_mapping_of_frames():
    ranef = effects("penicillin")
    assert list(ranef) == ["plate", "sample"]
    assert len(ranef) == 2
    assert ranef["sample"].index.tolist() == list("ABCDEF")
    assert ranef["sample"].loc["A", "Intercept"] == pytest.approx(2.187058, abs=1e-6)
    with pytest.raises(KeyError, match="'plate', 'sample'"):
        ranef["batch"]


def test_changing_a_frame_changes_nothing_here():
    ranef = effects("sleep")
    frame = ranef["Subject"]
    frame.loc["308", "Days"] = 0.0
    assert ranef["Subject"].loc["308", "Days"] == pytest.approx(9.19898, abs=1e-4)


def test_conditional_variances_are_read_only_arrays():
    condvar = effects("sleep").condvar
    assert list(condvar) == ["Subject"]
    assert condvar["Subject"].shape == (18, 2, 2)
    with pytest.raises(ValueError, match="read-only"):
        condvar["Subject"][0, 0, 0] = 2.0


def test_tidy_frame():
    covariance = np.array([[[4.0, 1.0], [1.0, 9.0]], [[16.0, 1.0], [1.0, 25.0]]])
    values = GroupValues(
        group="g",
        terms=("Intercept", "x"),
        levels=["a", "b"],
        values=np.array([[1.0, 2.0], [3.0, 4.0]]),
        condvar=covariance,
    )
    frame = RandomEffects(groups=(values,)).to_frame()
    assert list(frame.columns) == ["group", "level", "term", "estimate", "std_error"]
    rows = {(r.level, r.term): (r.estimate, r.std_error) for r in frame.itertuples()}
    assert rows == {("a", "Intercept"): (1, 2), ("b", "Intercept"): (3, 4), ("a", "x"): (2, 3), ("b", "x"): (4, 5)}


def test_tidy_frame_of_coefficients_has_no_standard_errors():
    coef = GroupCoefficients(groups=cases.group_values(cases.values("penicillin"), "coef", condvar=False))
    assert list(coef.to_frame().columns) == ["group", "level", "term", "estimate"]
    assert len(coef.to_frame()) == 30


def test_nothing_is_computed_before_it_is_asked_for_and_then_once():
    calls = []

    def counted(name, value):
        def compute():
            calls.append(name)
            return value

        return compute

    values = GroupValues(
        group="g",
        terms=("Intercept",),
        levels=counted("levels", ["a", "b"]),
        values=counted("values", np.ones((2, 1))),
        condvar=counted("condvar", np.ones((2, 1, 1))),
    )
    ranef = RandomEffects(groups=(values,))
    assert (list(ranef), calls) == (["g"], [])
    str(ranef)
    str(ranef)
    assert sorted(calls) == ["levels", "values"]
    ranef.to_frame()
    assert sorted(calls) == ["condvar", "levels", "values"]


def test_sixty_levels_are_printed_and_sixty_one_are_cut():
    assert len(str(many(60)).split("\n")) == 2 + 60 + 2
    lines = str(many(61)).split("\n")
    assert len(lines) == 2 + 21 + 2
    assert lines[12] == "... 41 levels not shown, 61 in all"
    assert [line.split()[0] for line in lines[2:12] + lines[13:23]] == [
        f"level{i}" for i in [*range(10), *range(51, 61)]
    ]


def test_every_block_of_a_wide_table_is_cut():
    lines = str(many(1000, 6)).split("\n")
    assert sum("980 levels not shown, 1,000 in all" in line for line in lines) == 2
    assert len(lines) == 1 + 2 * 22 + 2
    assert max(map(len, lines)) < 80


def test_a_million_levels_print_from_a_sequence_that_is_not_listed():
    class Labels:
        def __len__(self):
            return 1_000_000

        def __getitem__(self, i):
            return f"id{i}"

    values = GroupValues(group="g", terms=("Intercept",), levels=lambda: Labels(), values=np.zeros((1_000_000, 1)))
    text = str(RandomEffects(groups=(values,)))
    assert "id999999" in text
    assert "with conditional variances" not in text
    with pytest.raises(KeyError, match="no conditional variances"):
        RandomEffects(groups=(values,)).condvar["g"]


def test_html_is_cut_too_and_escaped():
    html = many(1000)._repr_html_()
    assert html.count("<tr>") == 1 + 21
    assert "980 levels not shown" in html
    values = GroupValues(group="<g>", terms=("x & y",), levels=["<script>"], values=np.zeros((1, 1)))
    html = RandomEffects(groups=(values,))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "x &amp; y" in html
