"""Short unique forms of names, by the rule of R's ``abbreviate``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_VOWELS = frozenset("aeiou")


def _is_first(text: str, i: int) -> bool:
    return i == 0 or text[i - 1].isspace()


def _is_last(text: str, i: int) -> bool:
    return not _is_first(text, i) and (i + 1 == len(text) or text[i + 1].isspace())


def _drop(text: str, length: int, droppable: Callable[[str, int], bool]) -> str:
    """Drop droppable characters from the right until the letters other than spaces fit in `length`."""
    for i in range(len(text) - 1, 0, -1):
        if len(text) - text.count(" ") <= length:
            break
        if droppable(text, i):
            text = text[:i] + text[i + 1 :]
    return text


def _shorten(name: str, length: int) -> str:
    """Abbreviate one name to at most `length` characters where each word may keep its first letter."""
    text = name.strip()
    if len(text) <= length:
        return text
    text = " ".join(text.split())

    def lower(text: str, i: int) -> bool:
        return text[i].islower()

    rules: tuple[Callable[[str, int], bool], ...] = (
        lambda t, i: t[i] in _VOWELS and _is_last(t, i),
        lambda t, i: t[i] in _VOWELS and not _is_first(t, i),
        lambda t, i: lower(t, i) and _is_last(t, i),
        lambda t, i: lower(t, i) and not _is_first(t, i),
        lambda t, i: not _is_first(t, i) and not t[i].isspace(),
    )
    for rule in rules:
        text = _drop(text, length, rule)
    return text.replace(" ", "")


def abbreviate(names: Sequence[str], length: int) -> list[str]:
    """Abbreviate names to `length` characters, or as many more as keep different names different.

    Lower-case vowels go first, then lower-case letters, then anything, each from the right; the first letter of a
    word stays.

    Parameters
    ----------
    names : sequence of str
        Names, repeated ones allowed.
    length : int
        Wanted number of characters.

    Returns
    -------
    list of str
        One abbreviation per name.

    Examples
    --------
    >>> abbreviate(["Intercept", "Days"], 6)
    ['Intrcp', 'Days']
    """
    distinct = list(dict.fromkeys(names))
    short = {name: _shorten(name, length) for name in distinct}
    longest = max((len(name) for name in distinct), default=0)
    while length < longest:
        taken: dict[str, list[str]] = {}
        for name in distinct:
            taken.setdefault(short[name], []).append(name)
        clashing = [name for members in taken.values() if len(members) > 1 for name in members]
        if not clashing:
            break
        length += 1
        for name in clashing:
            short[name] = _shorten(name, length)
    return [short[name] for name in names]
