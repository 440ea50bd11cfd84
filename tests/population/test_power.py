"""Power by simulation: against a noncentral F, against the same steps by hand, and what is counted."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

import mixedeffects as me
from mixedeffects.population import balanced, by_level, population, predictor, random_effects, response, rfactor
from mixedeffects.population.power import PowerCurve, wilson

ARMS, CLUSTERS, ROWS = 3, 8, 5
EFFECTS = np.array([0.0, 0.6, 1.6])


def arms(effects=EFFECTS):
    """Clusters of five rows, eight in each of three arms; the arm acts on whole clusters."""
    return population(
        cluster=predictor(balanced, each=ROWS),
        arm=predictor(balanced, levels=["a", "b", "c"], each=ROWS * CLUSTERS),
        y=response(lambda arm: by_level(arm, effects), random=random_effects("cluster", sd=1), error_scale=1),
    )


def known_power(effects=EFFECTS):
    """Means of clusters have variance 1 + 1/5; the ratio of mean squares is a noncentral F on 2 and 21 df."""
    df = ARMS - 1, ARMS * (CLUSTERS - 1)
    shift = CLUSTERS * np.sum((effects - effects.mean()) ** 2) / (1.0 + 1.0 / ROWS)
    return float(stats.ncf.sf(stats.f.isf(0.05, *df), *df, shift))


FORMULA = "y ~ arm + (1 | cluster)"


def test_power_of_a_balanced_one_way_design():
    expected, nsim = known_power(), 600
    assert 0.6 < expected < 0.9
    found = me.power(arms(), FORMULA, test="arm", n=120, nsim=nsim, rng=1)
    assert abs(found.power[0] - expected) < 4.0 * np.sqrt(expected * (1 - expected) / nsim)
    assert found.failed[0] == 0
    assert found.singular[0] < 3


def test_size_of_the_test():
    found = me.power(arms(np.zeros(3)), FORMULA, test="arm", n=120, nsim=600, rng=2)
    assert abs(found.power[0] - 0.05) < 4.0 * np.sqrt(0.05 * 0.95 / 600)


def test_a_term_inside_an_interaction_is_tested_as_in_the_table_of_type_3():
    pop = population(
        g=predictor(balanced, each=6),
        a=predictor(balanced, levels=["p", "q"]),
        b=predictor(balanced, levels=["r", "s", "t"]),
        y=response(lambda a: by_level(a, {"p": 0, "q": 0.4}), random=random_effects("g", sd=1), error_scale=1),
    )
    formula = "y ~ a * b + (1 | g)"
    found = me.power(pop, formula, test="a", n=60, nsim=5, rng=4)
    table = me.power(pop, formula, test=lambda fit: fit.anova()["p_value"].iloc[0], n=60, nsim=5, rng=4)
    np.testing.assert_allclose(found.p_values, table.p_values, rtol=1e-9)
    other = me.power(pop, formula, test="a:b", n=60, nsim=5, rng=4)
    table = me.power(pop, formula, test=lambda fit: fit.anova()["p_value"].iloc[2], n=60, nsim=5, rng=4)
    np.testing.assert_allclose(other.p_values, table.p_values, rtol=1e-9)


def test_two_arms_have_a_t_test():
    """A coefficient, a hypothesis and a function of the fit are the same test; its power is a noncentral t's."""
    pop = population(
        cluster=predictor(balanced, each=4),
        x=predictor(balanced, levels=[0.0, 1.0], each=4),
        y=response("1.2 * x", random=random_effects("cluster", sd=1), error_scale=1),
    )
    options = {"n": [64], "nsim": 300, "rng": 3}
    formula = "y ~ x + (1 | cluster)"
    one = me.power(pop, formula, test="x", **options)
    df, shift = 14, 1.2 / np.sqrt(2 * (1 + 1 / 4) / 8)
    limit = stats.t.isf(0.025, df)
    expected = stats.nct.sf(limit, df, shift) + stats.nct.cdf(-limit, df, shift)
    # Where the variance of clusters is estimated as 0 the test has more degrees of freedom.
    assert abs(one.power[0] - expected) < 4.0 * np.sqrt(expected * (1 - expected) / 300) + one.singular[0] / 300
    for test in ("x = 0", "2*x = 0", lambda fit: fit.coef_table()["p_value"].iloc[1]):
        other = me.power(pop, formula, test=test, **options)
        np.testing.assert_allclose(other.p_values, one.p_values, rtol=1e-9)


def test_direct_simulation_gives_the_same():
    pop, nsim = arms(), 3
    found = me.power(pop, FORMULA, test="arm", n=[60, 120], nsim=nsim, rng=5)
    streams = np.random.default_rng(5).spawn(2)
    for j, (n, stream) in enumerate(zip([60, 120], streams, strict=True)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sample = pop.sample_x(n, stream)
            stream.spawn(20)
            fits = [me.lmer(FORMULA, sample.sample_y(one)) for one in stream.spawn(nsim)]
        by_hand = [fit.anova()["p_value"].iloc[0] for fit in fits]
        np.testing.assert_allclose(found.p_values[j], by_hand, rtol=1e-5)


def test_predictors_drawn_with_every_data_set():
    pop = population(
        g=predictor(balanced, each=5),
        x=predictor("normal"),
        y=response("0.4 * x", random=random_effects("g", sd=1), error_scale=1),
    )
    fixed = me.power(pop, "y ~ x + (1 | g)", test="x", n=40, nsim=40, rng=1)
    redrawn = me.power(pop, "y ~ x + (1 | g)", test="x", n=40, nsim=40, rng=1, fixed_x=False)
    assert not np.allclose(fixed.p_values, redrawn.p_values)
    stream = np.random.default_rng(1).spawn(1)[0]
    pop.sample_x(40, stream)
    stream.spawn(20)
    one = stream.spawn(40)[0]
    by_hand = me.lmer("y ~ x + (1 | g)", pop.sample_x(40, one).sample_y(one))
    assert redrawn.p_values[0, 0] == pytest.approx(by_hand.coef_table()["p_value"].iloc[1], rel=1e-6)


@pytest.mark.parametrize("test", ["f[T.b]", "f[T.c]", "f[T.c] = 0", "f[T.c] - f[T.b] = 0", "f", "lrt"])
def test_data_sets_that_lack_a_level_are_counted_and_no_other_coefficient_is_tested(test):
    """Without its first level, of 8 % of the rows, a factor's coefficients are differences from another one."""
    pop = population(
        g=predictor(balanced, each=6),
        f=predictor(rfactor, levels=["a", "b", "c"], prob=[0.08, 0.46, 0.46]),
        y=response(lambda f: by_level(f, {"a": 0, "b": 0, "c": 5}), random=random_effects("g", sd=1), error_scale=1),
    )
    term = {"term": "f"} if test == "lrt" else {}
    found = me.power(pop, "y ~ f + (1 | g)", test=test, n=30, nsim=30, rng=3, fixed_x=False, **term)
    stream = np.random.default_rng(3).spawn(1)[0]
    pop.sample_x(30, stream)
    stream.spawn(20)
    lacks = np.array(["a" not in set(pop.sample_x(30, one).frame["f"]) for one in stream.spawn(30)])
    assert 0 < lacks.sum() < 15
    np.testing.assert_array_equal(np.isnan(found.p_values[0]), lacks)
    assert found.failed[0] == lacks.sum()


def test_a_first_data_set_without_a_level():
    """Another one is taken that has all levels, or most where none has all."""
    pop = population(
        g=predictor(balanced, each=5),
        f=predictor(rfactor, levels=["a", "b", "c"], prob=[0.08, 0.46, 0.46]),
        y=response(0.0, random=random_effects("g", sd=1), error_scale=1),
    )
    starts = [seed for seed in range(40) if "a" not in _first_levels(pop, seed)]
    found = me.power(pop, "y ~ f + (1 | g)", test="f[T.b]", n=20, nsim=10, rng=starts[0], fixed_x=False)
    assert found.failed[0] < 10
    rest = {**dict(pop.variables), "f": predictor(rfactor, levels=list("abcd"), prob=[0.4, 0.3, 0.3, 0.0])}
    found = me.power(population(**rest), "y ~ f + (1 | g)", test="f[T.b]", n=20, nsim=4, rng=1, fixed_x=False)
    assert found.failed[0] == 0


def _first_levels(pop, seed):
    return set(pop.sample_x(20, np.random.default_rng(seed).spawn(1)[0]).frame["f"])


def test_threads_do_not_matter():
    one = me.power(arms(), FORMULA, test="arm", n=120, nsim=20, rng=5)
    two = me.power(arms(), FORMULA, test="arm", n=120, nsim=20, rng=5, workers=3)
    np.testing.assert_array_equal(one.p_values, two.p_values)


def test_likelihood_ratio_tests():
    found = me.power(arms(), FORMULA, test="lrt", term="arm", n=120, nsim=5, rng=5)
    stream = np.random.default_rng(5).spawn(1)[0]
    sample = arms().sample_x(120, stream)
    stream.spawn(20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = sample.sample_y(stream.spawn(5)[0])
        full = me.lmer(FORMULA, data, reml=False)
        null = me.lmer("y ~ 1 + (1 | cluster)", data, reml=False)
    statistic = 2 * (full.loglik - null.loglik)
    assert found.p_values[0, 0] == pytest.approx(stats.chi2.sf(statistic, 2), rel=1e-5)
    random = me.power(arms(), FORMULA, test="lrt", term="(1 | cluster)", n=120, nsim=5, rng=5)
    assert (random.p_values < 0.05).all()
    other = me.power(arms(), FORMULA, test="lrt", term="(1|cluster)", n=120, nsim=5, rng=5)
    np.testing.assert_array_equal(random.p_values, other.p_values)


def test_generalized_models():
    pop = population(
        g=predictor(balanced, each=8),
        x=predictor(balanced, levels=[-1.0, 1.0]),
        y=response("0.2 + 0.5 * x", family="binomial", random=random_effects("g", sd=0.5)),
    )
    found = me.power(pop, "y ~ x + (1 | g)", test="x", n=[80, 160], nsim=15, family="binomial", rng=1)
    lrt = me.power(pop, "y ~ x + (1 | g)", test="lrt", term="x", n=[80], nsim=5, family="binomial", rng=1, nagq=1)
    assert found.power[0] <= found.power[1] + 0.3
    assert 0 <= lrt.power[0] <= 1
    counts = population(**{**dict(pop.variables), "y": response("x", family="binomial", size=5)})
    slow = me.power(counts, "cbind(y, 5 - y) ~ x + (1 | g)", test="x", n=80, nsim=3, family="binomial", rng=1)
    assert (slow.p_values < 0.05).all()


def test_failures_and_singular_fits_are_counted():
    """Rare events: some data sets have none, and no model."""
    pop = population(
        g=predictor(balanced, each=5), x=predictor(balanced, levels=[0, 1]), y=response(-3.0, family="binomial")
    )
    found = me.power(pop, "y ~ x + (1 | g)", test="x", n=30, nsim=40, family="binomial", rng=3)
    table = found.to_frame()
    assert table["failed"][0] > 0
    assert table["singular"][0] > 0
    assert np.isnan(found.p_values).sum() == table["failed"][0]
    assert found.power[0] == np.sum(found.p_values <= 0.05) / 40


def test_fits_that_do_not_converge_are_counted():
    pop = population(
        g=predictor(balanced, each=6),
        x=predictor("normal"),
        y=response("x", random=random_effects("g", sd=[1, 1], names=["Intercept", "x"]), error_scale=1),
    )
    hasty = {"n": 60, "nsim": 10, "rng": 5, "control": me.Control(max_evaluations=3)}
    found = me.power(pop, "y ~ x + (x | g)", test="x", fixed_x=False, **hasty)
    assert found.unconverged[0] > 0
    assert found.to_frame()["unconverged"][0] == found.unconverged[0]
    assert repr(found).endswith(f"fits that did not converge: {found.unconverged[0]}")


def test_the_table_and_its_print():
    found = me.power(arms(), FORMULA, test="arm", n=[60, 120], nsim=20, rng=5)
    table = found.to_frame()
    assert list(table.columns) == [
        "n",
        "n_cluster",
        "power",
        "lower",
        "upper",
        "rejected",
        "nsim",
        "failed",
        "singular",
        "unconverged",
    ]
    assert table["n"].tolist() == [60, 120]
    assert table["n_cluster"].tolist() == [12, 24]
    assert (table["lower"] <= table["power"]).all()
    assert (table["power"] <= table["upper"]).all()
    lines = repr(found).splitlines()
    assert lines[0] == "power of 'arm' at level 0.05, 20 simulated data sets each"
    assert lines[1].split() == ["n", "cluster", "power", "95%", "limits", "failed", "singular"]
    assert len({len(line) for line in lines[1:]}) == 1


def test_groups_that_stay_as_they_are_when_rows_are_added_are_told():
    def study(participant):
        return population(
            participant=participant,
            item=predictor(balanced, levels=[f"i{j}" for j in range(6)]),
            y=response(1.0, random=[random_effects("participant", sd=1), random_effects("item", sd=1)], error_scale=1),
        )

    options = {"test": "Intercept", "n": [60, 120], "nsim": 2, "rng": 1}
    fixed = study(predictor(balanced, levels=range(1, 11), each=6))
    found = me.power(fixed, "y ~ 1 + (1 | participant) + (1 | item)", **options)
    assert {name: count.tolist() for name, count in found.levels.items()} == {"participant": [10, 10], "item": [6, 6]}
    assert "participant has 10 levels at every n\n" in repr(found)
    assert "item has 6 levels at every n; leave out levels= of a grouping factor to add groups" in repr(found)
    grown = me.power(study(predictor(balanced, each=6)), "y ~ 1 + (1 | participant) + (1 | item)", **options)
    assert grown.levels["participant"].tolist() == [10, 20]
    assert "item has 6 levels at every n" in repr(grown)
    assert "leave out" not in repr(grown)
    assert "at every n" not in repr(me.power(fixed, "y ~ 1 + (1 | item)", **{**options, "n": 60}))


def test_effects_that_all_data_sets_share_are_told():
    def pop(redraw):
        effects = random_effects("g", sd=2, redraw=redraw, **({"rng": 1} if redraw == "never" else {}))
        return population(
            g=predictor(balanced, each=5),
            y=response(1.0, random=effects, error_scale=1),
        )

    def mean(fit):
        return fit.model.y[:5].mean() / 100  # of the first group, in place of a p-value

    for redraw, fixed_x, shared in [
        ("sample_y", True, False),
        ("sample_x", True, True),
        ("sample_x", False, False),
        ("never", True, True),
        ("never", False, True),
    ]:
        options = {"n": 40, "nsim": 30, "rng": 1, "fixed_x": fixed_x}
        found = me.power(pop(redraw), "y ~ 1 + (1 | g)", test=mean, **options)
        spread = 100 * found.p_values[0].std()  # sqrt(1 / 5), and sqrt(4 + 1 / 5) with new effects
        assert (spread < 1) == shared
        assert found.given_effects == (("g",) if shared else ())
        assert ("given one draw of the effects of g" in repr(found)) == shared


def test_wilson_limits():
    """The score interval: where the test of p at its limits just does not reject."""
    for k in (0, 3, 17, 20):
        lower, upper = wilson(np.array([k]), 20, 0.95)
        z = stats.norm.ppf(0.975)
        for p in (lower[0], upper[0]):
            if 0.0 < p < 1.0:
                assert abs(k / 20 - p) / np.sqrt(p * (1 - p) / 20) == pytest.approx(z, rel=1e-10)
    assert wilson(np.array([0]), 20, 0.95)[0][0] == 0.0
    assert wilson(np.array([20]), 20, 0.95)[1][0] == 1.0


def test_the_picture():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    found = me.power(arms(), FORMULA, test="arm", n=[120, 60], nsim=10, rng=5)
    ax = found.plot()
    np.testing.assert_array_equal(ax.lines[2].get_xdata(), [60, 120])
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), found.power[::-1])
    assert ax.data.equals(found.to_frame())
    _, given = plt.subplots()
    assert found.plot(ax=given) is given
    plt.close("all")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 3}, "population=3 must be what population"),
        ({"n": []}, "n is empty"),
        ({"n": 0}, "n=0 must be a whole number"),
        ({"nsim": 0}, "nsim=0 must be"),
        ({"workers": 0}, "workers=0 must be"),
        ({"alpha": 1.0}, "alpha=1.0 must lie between 0 and 1"),
        ({"alpha": ".05"}, "alpha='.05' must lie between 0 and 1"),
        ({"rng": "a"}, "rng='a' must be None, a whole number"),
        ({"level": 0}, "level=0 must lie between 0 and 1"),
        ({"test": "lrt"}, "test='lrt' and term= go together"),
        ({"term": "arm"}, "test='lrt' and term= go together"),
        ({"test": 3}, "test=3 must be a text or a function"),
        ({"test": "treatment"}, r"test='treatment' is no coefficient \(Intercept, arm\[T.b\]"),
        (
            {"test": "lrt", "term": "cluster"},
            r"cannot be left out by itself; those that can are 'arm', '\(1 \| cluster\)'",
        ),
        ({"test": "lrt", "term": "arm", "reml": True}, "reml=True: a likelihood ratio test"),
        ({"formula": "y ~ dose + (1 | cluster)"}, "there is no column 'dose'"),
        ({"formula": "y ~ arm + (1 | cluster"}, "cluster"),
        ({"ddf": "exact"}, "ddf='exact' is no method"),
        ({"family": "poison"}, "family='poison' is not known"),
    ],
)
def test_errors(options, message):
    given = {"population": arms(), "formula": FORMULA, "test": "arm", "n": 120, "nsim": 2, "rng": 1, **options}
    with pytest.raises(me.MixedEffectsError, match=message):
        me.power(**given)


def test_counts_are_fitted_as_counts():
    """Without a family the model is that of the population's response; `reml=` asks for a linear one."""
    sites = random_effects("site", sd=0.5)
    counts = population(
        site=predictor(balanced, each=8),
        year=predictor(balanced, levels=range(8)),
        count=response(lambda year: 1.5 - 0.1 * year, family="negative_binomial", dispersion=0.5, random=sites),
    )
    options = {"test": "year", "n": 120, "nsim": 20, "rng": 3}
    told = me.power(counts, "count ~ year + (1 | site)", family="negative_binomial", **options)
    found = me.power(counts, "count ~ year + (1 | site)", **options)
    np.testing.assert_array_equal(found.p_values, told.p_values)
    assert "fitted by glmer, NegativeBinomial" in repr(found)
    linear = me.power(counts, "count ~ year + (1 | site)", reml=True, **options)
    assert linear.family is None
    assert (linear.p_values != found.p_values).any()


def test_many_singular_fits_come_with_advice():
    def printed(singular):
        counts = np.array(singular)
        none = np.zeros_like(counts)
        rest = {"rejected": none, "failed": none, "unconverged": none, "p_values": np.ones((len(counts), 100))}
        n = np.array([50, 100])
        return repr(PowerCurve(test="'x'", alpha=0.05, level=0.95, nsim=100, n=n, family=None, singular=counts, **rest))

    assert "many singular fits, 51% with n = 50: groups too few or too small" in printed([51, 12])
    assert "many singular" not in printed([20, 12])
