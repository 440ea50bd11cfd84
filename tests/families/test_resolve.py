"""Families by name, their links, and families as values."""

from __future__ import annotations

import dataclasses
import pickle
import re

import pytest

from families.cases import FAMILIES, name
from mixedeffects import families as fam
from mixedeffects.errors import DataError
from mixedeffects.families.base import Family

NAMES = {
    "binomial": fam.Binomial(),
    "poisson": fam.Poisson(),
    "gamma": fam.Gamma(),
    "inverse_gaussian": fam.InverseGaussian(),
    "negative_binomial": fam.NegativeBinomial(),
    "nb2": fam.NegativeBinomial(),
    "negative_binomial1": fam.NegativeBinomial1(),
    "beta": fam.Beta(),
    "gaussian": fam.Gaussian(),
}
LINKS = {
    "binomial": ["logit", "probit", "cloglog", "cauchit", "log"],
    "poisson": ["log", "sqrt", "identity"],
    "gamma": ["inverse", "log", "identity"],
    "inverse_gaussian": ["1/mu^2", "log", "inverse", "identity"],
    "negative_binomial": ["log", "sqrt", "identity"],
    "negative_binomial1": ["log", "sqrt", "identity"],
    "beta": ["logit", "probit", "cloglog"],
    "gaussian": ["identity", "log", "inverse"],
}


def concrete(cls):
    for child in cls.__subclasses__():
        yield child
        yield from concrete(child)


def test_names():
    assert set(fam.FAMILIES) == set(NAMES)
    for given, family in NAMES.items():
        assert fam.family_of(given) == family


def test_every_family_is_registered():
    assert set(concrete(Family)) == set(fam.FAMILIES.values())


@pytest.mark.parametrize("given", LINKS)
def test_links_of_each_family_the_default_first(given):
    family = fam.family_of(given)
    assert [link.name for link in family.allowed_links] == LINKS[given]
    assert family.link.name == LINKS[given][0]
    for link in LINKS[given]:
        assert fam.family_of(given, link).link.name == link


def test_objects_classes_and_link_objects():
    probit = fam.Binomial(link="probit")
    assert fam.family_of(probit) is probit
    assert fam.family_of(probit, "probit") is probit
    assert fam.family_of(fam.Binomial, "probit") == probit == fam.Binomial(fam.Probit())
    assert fam.family_of(fam.Poisson) == fam.Poisson()


def test_a_pair_that_cannot_work():
    with pytest.raises(
        DataError, match=r"link 'logit' does not go with Poisson; its links are 'log', 'sqrt', 'identity'"
    ):
        fam.Poisson("logit")
    with pytest.raises(DataError, match=r"link 'identity' does not go with Binomial"):
        fam.family_of("binomial", "identity")


def test_unknown_names():
    with pytest.raises(
        DataError,
        match=r"family='binomal' is not known \(did you mean 'binomial'\?\); the families are 'binomial', 'poisson'",
    ):
        fam.family_of("binomal")
    with pytest.raises(DataError, match=r"link='logitt' is not known; the links are 'identity', 'log', 'logit'"):
        fam.Binomial("logitt")
    for wrong in (3, None, int, ["binomial"]):
        with pytest.raises(DataError, match="family must be a name or an object"):
            fam.family_of(wrong)
    with pytest.raises(DataError, match="link=3 is not known"):
        fam.Binomial(3)


def test_a_link_that_contradicts_the_family():
    with pytest.raises(DataError, match=r"link='log' contradicts family=Binomial\(link='logit'\)"):
        fam.family_of(fam.Binomial(), "log")


@pytest.mark.parametrize("family", FAMILIES, ids=name)
def test_families_are_values(family):
    twin = type(family)(family.link.name)
    assert twin == family
    assert hash(twin) == hash(family)
    assert pickle.loads(pickle.dumps(family)) == family
    assert repr(family) == f"{type(family).__name__}(link={family.link.name!r})"
    with pytest.raises(dataclasses.FrozenInstanceError):
        family.link = None
    assert sum(other == family for other in FAMILIES) == 1


@pytest.mark.parametrize(
    ("written", "meant"), [("Gamma", "gamma"), ("Poisson", "poisson"), ("inverse.gaussian", "inverse_gaussian")]
)
def test_a_name_that_is_written_otherwise_gets_a_hint(written, meant):
    with pytest.raises(DataError, match=rf"family='{written}' is not known \(did you mean '{meant}'\?\); the families"):
        fam.family_of(written)


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ("logit", "family='logit': logit is a link; write family='binomial'"),
        ("Probit", "family='Probit': probit is a link; write family='binomial', link='probit'"),
        ("log", "family='log': log is a link; write family='poisson'"),
        ("logistic", "did you mean 'binomial'?"),
        ("nbinom2", "did you mean 'negative_binomial'?"),
        ("negbinomial", "did you mean 'negative_binomial'?"),
    ],
)
def test_links_and_names_of_other_programs_get_the_family_that_is_meant(family, said):
    with pytest.raises(DataError, match=re.escape(said)):
        fam.family_of(family)
