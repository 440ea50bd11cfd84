"""Where the labels of a few points go, so that none covers another or a needle."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_GAP = 3.0  # points between a mark and its label
_LEAN = 1.0  # points by which a label that leans to one side reaches over to the other
_MOST = 100  # lines up, where a label stays if it is wider than the axes
_APART = 1.0  # points between two labels, or a label and a needle


class Label(NamedTuple):
    """Where a label stands: its left and right end, and its foot, in points from the mark; and how many lines up."""

    left: float
    right: float
    foot: float
    lines: int


def place_labels(
    x: Sequence[float],
    y: Sequence[float],
    widths: Sequence[float],
    height: float,
    width: float,
) -> list[Label]:
    """Find a place above each of a few needles for its label.

    Parameters
    ----------
    x, y : sequence of float (m,)
        The heads of the needles in points from the lower left corner of the axes, the tallest first.
    widths : sequence of float (m,)
        Of the labels, in points.
    height : float
        Of a line, in points.
    width : float
        Of the axes, in points.

    Returns
    -------
    list of Label (m,)
        Each centred, else leaning to the right or the left, as few lines up as will do. Labels end at the sides of the
        axes; above them there is no limit.
    """
    taken: list[_Box] = []
    heads = np.column_stack([x, y])
    placed = []
    for i, (at, top) in enumerate(heads):
        others = np.delete(heads, i, axis=0)
        for label in _candidates(widths[i], height):
            box = _Box(at + label.left, at + label.right, top + label.foot, top + label.foot + height)
            if box.left >= 0.0 and box.right <= width and box.is_free(taken, others):
                break
        taken.append(box)
        placed.append(label)
    return placed


def _candidates(width: float, height: float) -> Iterator[Label]:
    for lines in range(_MOST):
        for left in (-width / 2.0, -_LEAN, _LEAN - width):
            yield Label(left, left + width, _GAP + lines * height, lines)


class _Box(NamedTuple):
    """The sides of a label in points of the axes."""

    left: float
    right: float
    foot: float
    head: float

    def is_free(self, taken: Sequence[_Box], heads: NDArray[np.float64]) -> bool:
        """Whether it meets neither other labels nor the needles below the heads, (m, 2)."""
        for other in taken:
            beside = self.left >= other.right + _APART or self.right <= other.left - _APART
            if not beside and self.foot < other.head and self.head > other.foot:
                return False
        under = (heads[:, 0] > self.left - _APART) & (heads[:, 0] < self.right + _APART)
        return not (under & (heads[:, 1] > self.foot - 2.0 * _APART)).any()
