"""`print(fit)` follows the printed summaries of the chapter, line for line."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from support import reference
from support.fits import quiet_fit

import mixedeffects as me

# Example 23.10 as printed in the chapter. Two cells of the random effects differ from what we print: the chapter's fit
# stopped a little short of the optimum, with 612.10 and 24.741 where the optimum has 612.09 and 24.740 (to more
# digits 612.0899 and 24.74045). Coefficients carry the names of this package. Blanks at the ends of lines are left out.
CHAPTER = """\
Linear mixed model fit by REML ['lmerMod']
Formula: Reaction ~ Days + (Days | Subject)
   Data: sleepstudy

REML criterion at convergence: 1743.6

Scaled residuals:
    Min      1Q  Median      3Q     Max
-3.9536 -0.4634  0.0231  0.4634  5.1793

Random effects:
 Groups   Name        Variance Std.Dev. Corr
 Subject  (Intercept) 612.10   24.741
          Days         35.07    5.922   0.07
 Residual             654.94   25.592
Number of obs: 180, groups:  Subject, 18

Fixed effects:
            Estimate Std. Error t value
(Intercept)  251.405      6.825  36.838
Days          10.467      1.546   6.771

Correlation of Fixed Effects:
     (Intr)
Days -0.138"""

CHAPTER_MODES = """\
308   2.2585510   9.1989758
309 -40.3987381  -8.6196806
310 -38.9604090  -5.4488565
330  23.6906196  -4.8143503
331  22.2603126  -3.0699116
332   9.0395679  -0.2721770
333  16.8405086  -0.2236361
334  -7.2326151   1.0745816
335  -0.3336684 -10.7521652
337  34.8904868   8.6282652
349 -25.2102286   1.1734322
350 -13.0700342   6.6142178
351   4.5778642  -3.0152621
352  20.8636782   3.5360011
369   3.2754656   0.8722149
370 -25.6129993   4.8224850
371   0.8070461  -0.9881562
372  12.3145921   1.2840221"""


@pytest.fixture(scope="module")
def chapter() -> me.LmmResult:
    """The fit of Example 23.10; the data set brings its name for the line ``Data:``."""
    return me.lmer("Reaction ~ Days + (Days | Subject)", me.datasets.load("sleepstudy"))


def in_our_names(text: str) -> str:
    """The chapter's text with `Intercept` for `(Intercept)`, columns of names two characters narrower."""
    lines = []
    for line in text.splitlines():
        line = line.replace("(Intercept)", "Intercept  ").replace("(Intr)", "Intrcp")
        if line.startswith((" Groups", " Subject", "          Days", " Residual")):
            line = line[:19] + line[21:]
        elif line.startswith(("            Est", "Intercept  ")):
            line = line[:9] + line[11:]
        elif line.startswith("Days         "):
            line = "Days     " + line[11:]
        lines.append(line)
    return "\n".join(lines)


def test_example_23_10_line_for_line(chapter):
    theirs = in_our_names(CHAPTER).replace("612.10   24.741", "612.09   24.740")
    for ours, line in zip(str(chapter).splitlines(), theirs.splitlines(), strict=True):
        assert ours.rstrip() == line.rstrip()


def test_the_two_cells_that_differ_are_short_of_the_optimum(chapter):
    """At the chapter's standard deviation the criterion is higher, whatever the other parameters are."""
    covariance = chapter.varcorr.covariance["Subject"]
    assert round(covariance.loc["Intercept", "Intercept"], 2) == 612.09
    factor = np.array([[24.741 / chapter.sigma, 0.0], [chapter.theta[1], chapter.theta[2]]])
    theta = [factor[0, 0], factor[1, 0], factor[1, 1]]
    assert chapter.evaluate(theta).value > chapter.criterion


def test_conditional_modes_of_the_chapter(chapter):
    printed = [line.split() for line in CHAPTER_MODES.splitlines()]
    modes = chapter.ranef["Subject"]
    assert modes.index.tolist() == [line[0] for line in printed]
    np.testing.assert_allclose(modes, [[float(x) for x in line[1:]] for line in printed], rtol=0, atol=5e-4)
    assert modes.loc["308"].tolist() == pytest.approx([2.2585655, 9.1989719], abs=5e-7)


def test_conditional_modes_print_with_their_note(chapter):
    lines = str(chapter.ranef).splitlines()
    assert lines[0] == "$Subject"
    assert lines[1].split() == ["Intercept", "Days"]
    assert lines[2] == "308   2.2585655   9.1989719"
    assert lines[-2:] == ["", 'with conditional variances for "Subject" ']


def test_variances_print_as_lme4_prints_them(chapter):
    assert [line.rstrip() for line in str(chapter.varcorr).splitlines()] == [
        " Groups   Name      Std.Dev. Corr",
        " Subject  Intercept 24.7405",
        "          Days       5.9221  0.066",
        " Residual           25.5918",
    ]


def test_example_23_9_has_the_chapters_structure():
    """The chapter's counties were drawn at random; ours are another draw, with a county fewer."""
    frame = reference.load_data("sim_counties")
    frame.attrs["name"] = "respondents"
    fit = me.lmer("income ~ (1 | county)", frame)
    assert [line.rstrip() for line in str(fit).splitlines()] == [
        "Linear mixed model fit by REML ['lmerMod']",
        "Formula: income ~ (1 | county)",
        "   Data: respondents",
        "",
        "REML criterion at convergence: 4317.1",
        "",
        "Scaled residuals:",
        "    Min      1Q  Median      3Q     Max",
        "-3.3333 -0.6739  0.0258  0.6434  3.4196",
        "",
        "Random effects:",
        " Groups   Name      Variance Std.Dev.",
        " county   Intercept 2.520    1.588",
        " Residual           4.068    2.017",
        "Number of obs: 1000, groups:  county, 25",
        "",
        "Fixed effects:",
        "          Estimate Std. Error t value",
        "Intercept  50.3931     0.3267   154.3",
    ]


def test_maximum_likelihood_prints_information_criteria(chapter):
    lines = str(chapter.update(reml=False)).splitlines()
    assert lines[0].rstrip() == "Linear mixed model fit by maximum likelihood  ['lmerMod']"
    assert lines[4] == "     AIC      BIC   logLik deviance df.resid "
    assert lines[5] == "  1763.9   1783.1   -876.0   1751.9      174 "
    assert "REML" not in "\n".join(lines)


def test_a_frame_without_a_name_has_no_data_line(sleep, chapter):
    ours, named = str(sleep).splitlines(), str(chapter).splitlines()
    assert named[2] == "   Data: sleepstudy"
    assert ours == named[:2] + named[3:]


def test_weights_and_offset_have_their_lines(weighted):
    assert str(weighted).splitlines()[1:4] == [
        "Formula: rt ~ A + B + (B | subj)",
        "Weights: w",
        " Offset: off",
    ]
    assert str(weighted.update("rt ~ A + (1 | subj)")).splitlines()[2:4] == ["Weights: w", " Offset: off"]
    assert "Weights" not in str(weighted.update(weights=None))
    assert "Weights" not in str(weighted.update(weights=weighted.design.weights)), "an array has no name"


def test_print_and_summary_are_the_same(sleep, capsys):
    print(sleep)
    assert capsys.readouterr().out == str(sleep.summary()) + "\n"
    with pytest.raises(me.DataError, match="ddf='welch'"):
        sleep.summary(ddf="welch")


@pytest.mark.parametrize(("ddf", "name"), [("satterthwaite", "Satterthwaite"), ("kenward-roger", "Kenward-Roger")])
def test_the_summary_shows_p_values_when_asked(sleep, ddf, name):
    lines = str(sleep.summary(ddf=ddf)).splitlines()
    assert lines[0] == f"Linear mixed model fit by REML. t-tests use {name}'s method ['lmerModLmerTest']"
    at = next(i for i, line in enumerate(lines) if line.startswith("Intercept"))
    assert lines[at - 1].split() == ["Estimate", "Std.", "Error", "df", "t", "value", "Pr(>|t|)"]
    assert lines[at + 1].split() == ["Days", "10.467", "1.546", "17.000", "6.771", "3.26e-06"]


def test_the_representation_is_one_line(sleep):
    assert repr(sleep) == "<LmmResult 'Reaction ~ Days + (Days | Subject)', REML criterion 1743.6283, 180 rows>"


def test_a_singular_fit_says_so_in_one_line():
    text = str(quiet_fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2"))
    said = [line for line in text.splitlines() if "singular" in line]
    assert said == ["boundary (singular) fit: Batch: the variance of Intercept is 0"]


def test_dropped_columns_are_told_as_lme4_tells_them(deficient):
    lines = str(deficient).splitlines()
    assert lines[-1] == "fixed-effect model matrix is rank deficient so dropping 1 column / coefficient"
    assert not any(line.startswith("number") for line in lines)


def test_html_is_well_formed_and_has_the_numbers(chapter):
    text = chapter._repr_html_()
    assert text == chapter.summary()._repr_html_()
    assert "<script" not in text
    plain = html.unescape(re.sub("<[^>]+>", " ", re.sub("<style>.*?</style>", "", text)))
    for number in ("1743.6", "251.405", "6.825", "36.838", "24.740", "0.07", "-0.138", "5.1793"):
        assert number in plain.split()
    ElementTree.fromstring(f"<root>{text}</root>")


def test_names_are_escaped_in_html():
    frame = reference.load_data("sleepstudy").rename(columns={"Days": "a<b>"})
    fit = me.lmer("Reaction ~ `a<b>` + (1 | Subject)", frame)
    assert "a&lt;b&gt;" in fit._repr_html_()
    assert "a<b>" not in fit._repr_html_()


def test_nothing_is_printed_that_was_not_asked_for(capfd):
    fit = me.lmer("Reaction ~ Days + (Days | Subject)", reference.load_data("sleepstudy"))
    fit.ranef.condvar["Subject"]
    fit.evaluate().hessian  # noqa: B018
    fit.update(reml=False)
    fit.tidy()
    fit.design.V()
    fit.summary()
    fit._repr_html_()
    assert capfd.readouterr() == ("", "")


def test_a_million_levels_do_not_flood_the_screen():
    n = 1_000_000
    rng = np.random.default_rng(3)
    codes = np.arange(2 * n) % n
    frame = pd.DataFrame({"y": rng.normal(size=2 * n) + rng.normal(size=n)[codes], "g": codes})
    fit = me.lmer("y ~ 1 + (1 | g)", frame)
    assert fit.varcorr.covariance["g"].iloc[0, 0] == pytest.approx(1.0, abs=0.01)
    shown = [fit, fit.ranef, fit.coef, fit.varcorr, fit.design, fit.optimum, fit.model, *fit.design.terms]
    for thing in shown:
        assert len(str(thing)) < 3000
        assert len(repr(thing)) < 3000
    for thing in (fit, fit.ranef, fit.coef):
        assert len(thing._repr_html_()) < 8000
    assert "... 999,980 levels not shown, 1,000,000 in all" in str(fit.ranef)
