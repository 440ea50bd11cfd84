"""The links by name."""

from __future__ import annotations

from typing import Any

from mixedeffects.errors import DataError
from mixedeffects.families.link import Link
from mixedeffects.families.positive_links import Identity, Inverse, InverseSquared, Log, Sqrt
from mixedeffects.families.unit_links import Cauchit, Cloglog, Logit, Probit

__all__ = [
    "LINKS",
    "Cauchit",
    "Cloglog",
    "Identity",
    "Inverse",
    "InverseSquared",
    "Link",
    "Log",
    "Logit",
    "Probit",
    "Sqrt",
    "link_of",
]

# A new link is one class and one entry here.
LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Identity(),
        Log(),
        Logit(),
        Probit(),
        Cloglog(),
        Cauchit(),
        Inverse(),
        Sqrt(),
        InverseSquared(),
    )
}


def link_of(link: Any) -> Link:
    """Return the link that is named, or the link itself.

    Parameters
    ----------
    link : str or Link
        One of "identity", "log", "logit", "probit", "cloglog", "cauchit", "inverse", "sqrt", "1/mu^2", or an object.

    Raises
    ------
    DataError
        For an unknown name, or anything else.
    """
    if isinstance(link, Link):
        return link
    if isinstance(link, str) and link in LINKS:
        return LINKS[link]
    raise DataError(f"link={link!r} is not known; the links are {', '.join(map(repr, LINKS))}")
