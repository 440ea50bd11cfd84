"""Offsets under a log link that are exposures and not their logarithms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mixedeffects.errors import DataError
from mixedeffects.formula.expressions import quoted_name

if TYPE_CHECKING:
    from mixedeffects.design import Design
    from mixedeffects.families import Family

_LARGEST = 40.0  # e^40 is 2e17: as an exposure only an amount counted in molecules or the like
_LOGARITHM = re.compile(r"\blog\w*\(")


def check_exposure(design: Design, family: Family[Any]) -> None:
    """Refuse an offset that reaches more than 40 on the scale of the logarithm, unless it is written as one.

    Parameters
    ----------
    design : Design
        Its offset.
    family : Family
        Its link; there is nothing to say of links other than the logarithm.

    Raises
    ------
    DataError
        Naming the column, if the offset is one.
    """
    if design.offset is None or family.link.name != "log":
        return
    largest = float(design.offset.max())
    if largest <= _LARGEST:
        return
    offsets = design.formula.offsets
    plain = [text for text in offsets if not _LOGARITHM.search(text)]
    plain += [quoted_name(design.offset_name)] if design.offset_name else []
    if offsets and not plain:
        return
    write = f"offset(log({plain[0]})) in the formula" if plain else "offset=np.log(exposure)"
    raise DataError(
        f"the offset reaches {largest:.4g} in row {design.rows[design.offset.argmax()]} on the scale of the logarithm, "
        f"an exposure of e^{largest:.4g}: write {write}; from what is a logarithm already, subtract a constant"
    )
