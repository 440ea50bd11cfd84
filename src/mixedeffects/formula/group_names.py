"""Names of grouping factors as users write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixedeffects.formula.names import bare

if TYPE_CHECKING:
    from collections.abc import Iterable


def same_group(name: str, groups: Iterable[str]) -> str | None:
    """Return the grouping factor that a name means, None if none.

    Parameters
    ----------
    name : str
        With or without backticks; the columns of an interaction in any order: ``"school:class"`` for
        ``"class:school"``.
    groups : iterable of str
        The names of the factors.
    """
    name, known = bare(name), list(groups)
    if name in known or not isinstance(name, str):
        return name if name in known else None
    parts = sorted(name.split(":"))
    return next((group for group in known if sorted(group.split(":")) == parts), None)


def nested_hint(name: str, groups: Iterable[str]) -> str:
    """Say of a column which factors it is a part of: ``"; class within school is 'class:school'"``, or nothing.

    Parameters
    ----------
    name : str
        A name that is no grouping factor.
    groups : iterable of str
        The names of the factors.
    """
    found = []
    for group in groups:
        others = group.split(":")
        if name in others and len(others) > 1:
            others.remove(name)
            found.append(f"; {name} within {':'.join(others)} is {group!r}")
    return "".join(found)
