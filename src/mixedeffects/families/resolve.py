"""A family from what a user gives as `family` and `link`."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from mixedeffects.errors import DataError
from mixedeffects.families.base import Family
from mixedeffects.families.beta import Beta
from mixedeffects.families.binomial import Binomial
from mixedeffects.families.gamma import Gamma
from mixedeffects.families.gaussian import Gaussian
from mixedeffects.families.inverse_gaussian import InverseGaussian
from mixedeffects.families.links import link_of
from mixedeffects.families.negative_binomial import NegativeBinomial
from mixedeffects.families.negative_binomial1 import NegativeBinomial1
from mixedeffects.families.poisson import Poisson

if TYPE_CHECKING:
    from mixedeffects.families.link import Link

_CLASSES: tuple[type[Family[Any]], ...] = (
    Binomial,
    Poisson,
    Gamma,
    InverseGaussian,
    NegativeBinomial,
    NegativeBinomial1,
    Beta,
    Gaussian,
)
# The family that a link is given for, where its name stands in place of a family's.
_OF_LINK = {"logit": "binomial", "probit": "binomial", "cloglog": "binomial", "cauchit": "binomial", "log": "poisson"}
_OTHERS = {
    "logistic": "binomial",
    "bernoulli": "binomial",
    "binary": "binomial",
    "nbinom": "negative_binomial",
    "nbinom2": "negative_binomial",
    "nb": "negative_binomial",
    "negbin": "negative_binomial",
    "negbinomial": "negative_binomial",
    "nbinom1": "negative_binomial1",
    "normal": "gaussian",
    "count": "poisson",
}
# A new family is one class above; further names for one stand here.
FAMILIES: dict[str, type[Family[Any]]] = {one.name: one for one in _CLASSES} | {"nb2": NegativeBinomial}


def family_of(family: Any, link: str | Link | None = None) -> Family[Any]:
    """Return the family that is named, or the family itself.

    Parameters
    ----------
    family : str, Family or class of families
        One of "binomial", "poisson", "gamma", "inverse_gaussian", "negative_binomial" (or "nb2"),
        "negative_binomial1", "beta", "gaussian"; or an object such as ``Binomial(link="probit")``.
    link : str or Link, optional
        Link of a named family; its default link if it is left out. A family object has a link already.

    Raises
    ------
    DataError
        For an unknown family, for a link that does not go with it, or for a family object with another link.
    """
    if isinstance(family, Family):
        if link is not None and link_of(link) != family.link:
            raise DataError(
                f"link={link!r} contradicts family={family!r}: give the link inside the family, or name the family "
                f"({family.name!r})"
            )
        return family
    kind = family
    if isinstance(family, str):
        if family not in FAMILIES:
            raise DataError(_unknown(family))
        kind = FAMILIES[family]
    if not (isinstance(kind, type) and issubclass(kind, Family)):
        raise DataError(f"family must be a name or an object such as me.families.Binomial(), not {family!r}")
    # Every concrete family has a default link.
    return kind() if link is None else kind(link)  # type: ignore[call-arg]


def _unknown(family: str) -> str:
    """What to say of a name that is none, with the one that is written nearly so."""

    def bare(name: str) -> str:
        return name.lower().replace("_", "").replace(".", "").replace(" ", "")

    if bare(family) in _OF_LINK:
        link, named = bare(family), _OF_LINK[bare(family)]
        written = f"family={named!r}" + ("" if family_of(named).link.name == link else f", link={link!r}")
        return f"family={family!r}: {link} is a link; write {written}"
    near = [name for name in FAMILIES if bare(name) == bare(family)]
    if not near and bare(family) in _OTHERS:
        near = [_OTHERS[bare(family)]]
    near = near or difflib.get_close_matches(family.lower(), FAMILIES, n=1, cutoff=0.85)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    names = ", ".join(map(repr, FAMILIES))
    return f"family={family!r} is not known{hint}; the families are {names}, or an object of me.families"
