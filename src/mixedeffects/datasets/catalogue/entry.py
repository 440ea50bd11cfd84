"""How a data set is described: the types of the catalogue, and their rendering as text."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

WIDTH = 88


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One column of a data set, as its codebook states it.

    Attributes
    ----------
    name : str
        Column name.
    kind : str
        "numeric", "factor" or "ordered".
    meaning : str
        What the column holds.
    unit : str
        Unit of measurement; empty where there is none, or the sources give none.
    levels : tuple of str or int
        The levels of a factor in order, or their number when they are only identifiers; 0 for numbers.
    """

    name: str
    kind: str
    meaning: str
    unit: str = ""
    levels: tuple[str, ...] | int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One data set of the catalogue.

    Attributes
    ----------
    name, title : str
        The name that `load` takes, and a headline.
    rows : int
        Number of rows.
    design : str
        How the data came about.
    source : str
        The publication the data come from.
    distributed : str
        Where the data are distributed: as a rule, an R package.
    variables : tuple of Variable
        The codebook, in the order of the columns.
    """

    name: str
    title: str
    rows: int
    design: str
    source: str
    distributed: str
    variables: tuple[Variable, ...]


def number(name: str, meaning: str, unit: str = "") -> Variable:
    """Describe a numeric column."""
    return Variable(name=name, kind="numeric", meaning=meaning, unit=unit)


def factor(name: str, meaning: str, levels: int | str | tuple[str, ...]) -> Variable:
    """Describe an unordered factor; `levels` is their number, a text of names separated by spaces, or a tuple."""
    return Variable(name=name, kind="factor", meaning=meaning, levels=_levels(levels))


def ordered(name: str, meaning: str, levels: int | str | tuple[str, ...]) -> Variable:
    """Describe an ordered factor; `levels` as for `factor`."""
    return Variable(name=name, kind="ordered", meaning=meaning, levels=_levels(levels))


def _levels(levels: int | str | tuple[str, ...]) -> int | tuple[str, ...]:
    return tuple(levels.split()) if isinstance(levels, str) else levels


def _type(variable: Variable) -> str:
    if variable.kind == "numeric":
        return f"number, {variable.unit}" if variable.unit else "number"
    kind = "ordered factor" if variable.kind == "ordered" else "factor"
    if isinstance(variable.levels, int):
        return f"{kind} with {variable.levels:,} levels"
    joint = " < " if variable.kind == "ordered" else ", "
    return f"{kind}: {joint.join(variable.levels)}"


def _fill(text: str, indent: str = "") -> str:
    # Names such as total.fruits and DOIs must survive: break at spaces only.
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def render(entry: Entry) -> str:
    """Return the description of a data set: design, codebook, source.

    Parameters
    ----------
    entry : Entry
        A data set of the catalogue.

    Returns
    -------
    str
        Several lines of plain text.
    """
    heading = f"{entry.name}: {entry.title}"
    lines = [heading, "-" * len(heading), f"{entry.rows:,} rows, {len(entry.variables)} columns.", ""]
    lines += [_fill(entry.design), "", "Columns"]
    for variable in entry.variables:
        lines += [_fill(f"{variable.name} : {_type(variable)}", "  "), _fill(variable.meaning, "      ")]
    lines += ["", _fill(f"Source: {entry.source}"), _fill(f"Distributed in: {entry.distributed}")]
    return "\n".join(lines)
