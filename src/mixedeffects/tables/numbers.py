"""Numbers as R writes them: a common format for a vector, p-values, rounding.

A vector is written with the least number of digits that shows every element to the wanted number of significant
digits, all elements with the same number of decimals; fixed notation unless scientific notation is narrower.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# The least p-value that is written as a number rather than as "< 2e-16".
SMALLEST_P_VALUE = 2.0**-52
# A double holds no more decimal digits than this.
_MAX_DIGITS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decimal:
    """One finite number rounded to some significant digits: its sign, decimal exponent and digits needed."""

    negative: bool
    exponent: int
    significant: int


def _decimal(value: float, digits: int) -> _Decimal:
    if value == 0.0:
        return _Decimal(negative=False, exponent=0, significant=1)
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    return _Decimal(
        negative=value < 0.0,
        exponent=int(exponent),
        significant=max(1, len(mantissa.replace(".", "").rstrip("0"))),
    )


def _decimals(numbers: Sequence[_Decimal], nsmall: int) -> int | None:
    """Return the decimals of the common fixed notation, or None where scientific notation is narrower."""
    decimals = max(max(0, x.significant - x.exponent - 1) for x in numbers)
    left = max(x.negative + max(1, x.exponent + 1) for x in numbers)
    fixed_width = left + decimals + (decimals > 0)
    mantissa = max(x.significant for x in numbers) - 1
    exponent_width = 5 if any(abs(x.exponent) >= 100 for x in numbers) else 4
    scientific_width = any(x.negative for x in numbers) + 1 + mantissa + (mantissa > 0) + exponent_width
    return max(decimals, nsmall) if fixed_width <= scientific_width else None


def _special(value: float, na: str) -> str:
    if math.isnan(value):
        return na
    return "Inf" if value > 0 else "-Inf"


def r_format(values: Iterable[float], digits: int = 7, *, nsmall: int = 0, na: str = "NaN") -> list[str]:
    """Write numbers as R's ``format(x, digits=)`` does: one format and one width for all.

    Parameters
    ----------
    values : iterable of float
        The numbers, any number of them.
    digits : int
        Significant digits that the element needing most of them is shown with, 1 to 15.
    nsmall : int
        Least number of decimals in fixed notation.
    na : str
        What stands for NaN.

    Returns
    -------
    list of str
        Strings of equal width, right-justified.

    Examples
    --------
    >>> r_format([612.1, 35.07, 654.941], digits=4)
    ['612.10', ' 35.07', '654.94']
    """
    numbers = [float(x) for x in values]
    digits = min(max(digits, 1), _MAX_DIGITS)
    finite = [_decimal(x, digits) for x in numbers if math.isfinite(x)]
    decimals = _decimals(finite, nsmall) if finite else 0
    mantissa = max((x.significant for x in finite), default=1) - 1

    def text(x: float) -> str:
        if not math.isfinite(x):
            return _special(x, na)
        # Adding 0.0 turns -0.0 into 0.0, which R writes without a sign.
        return f"{x + 0.0:.{mantissa}e}" if decimals is None else f"{x + 0.0:.{decimals}f}"

    texts = [text(x) for x in numbers]
    width = max((len(t) for t in texts), default=0)
    return [t.rjust(width) for t in texts]


def r_round(value: float, decimals: int) -> float:
    """Round as R does: to the nearer of the two neighbouring decimal numbers, as doubles; to the even one in a tie."""
    if not math.isfinite(value) or value == 0.0:
        return value
    if decimals + math.floor(math.log10(abs(value))) > 14:
        return value
    if decimals < 0:
        return round(value, decimals)
    scale = 10.0**decimals
    lower, upper = math.floor(value * scale), math.ceil(value * scale)
    below, above = value - lower / scale, upper / scale - value
    if below == above:
        return (lower if lower % 2 == 0 else upper) / scale
    return (lower if below < above else upper) / scale


def zap_small(values: Sequence[float], digits: int) -> list[float]:
    """Round numbers that are tiny beside the largest one to 0, as R's ``zapsmall(x, digits)`` does."""
    largest = max((abs(x) for x in values if math.isfinite(x)), default=0.0)
    decimals = max(0, math.floor(digits - math.log10(largest) + 0.5)) if largest > 0 else digits
    return [r_round(x, decimals) for x in values]


def format_p_values(values: Sequence[float], digits: int) -> list[str]:
    """Write p-values as R's ``format.pval`` does: large ones fixed, small ones scientific, the smallest as ``< 2e-16``.

    Parameters
    ----------
    values : sequence of float
        Probabilities; NaN becomes ``NA``.
    digits : int
        Significant digits.

    Returns
    -------
    list of str
        Not padded to a common width.
    """
    texts = ["NA"] * len(values)
    usual = [i for i, p in enumerate(values) if p >= SMALLEST_P_VALUE]
    # One digit needs no column of four zeros, hence the other bound.
    least_fixed = 1e-4 if digits > 1 else 1e-3
    for members in (
        [i for i in usual if values[i] >= least_fixed],
        [i for i in usual if values[i] < least_fixed],
    ):
        for i, text in zip(members, r_format((values[i] for i in members), digits), strict=True):
            texts[i] = text
    tiny = [i for i, p in enumerate(values) if p < SMALLEST_P_VALUE]
    if tiny:
        digits = max(1, digits - 2)
        widest = max((len(texts[i]) for i in usual), default=0)
        if usual and digits > 1 and digits + 6 > widest:
            digits = max(1, widest - 7)
        space = "" if digits == 1 and widest <= 6 else " "
        bound = r_format([SMALLEST_P_VALUE], digits)[0]
        for i in tiny:
            texts[i] = f"<{space}{bound}"
    return texts


def significance_stars(p_value: float) -> str:
    """Return R's mark of a p-value: ``***``, ``**``, ``*``, ``.`` or nothing."""
    for bound, mark in ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, ".")):
        if p_value <= bound:
            return mark
    return ""
