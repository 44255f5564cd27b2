"""Which faces of two lists are the same ones."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.optimize import linear_sum_assignment

from ..annotation import Box
from .suppression import same_face

MIN_OVERLAP = 0.2
"""Least intersection over union of a lost face's last box and of that in which it is found."""


def associate(known: Sequence[Box], found: Sequence[Box]) -> dict[int, int]:
    """The pairs of boxes whose intersections over unions have the largest sum.

    Returns
    -------
    dict
        Number of a found box -> number of the known one; pairs below `MIN_OVERLAP` are left out.

    Examples
    --------
    >>> known = [Box(0, 0, 50, 50), Box(200, 0, 50, 50)]
    >>> associate(known, [Box(205, 0, 50, 50), Box(400, 0, 50, 50)])
    {0: 1}
    """
    if not (known and found):
        return {}
    overlaps = [[old.overlap(new) for new in found] for old in known]
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return {
        int(new): int(old)
        for old, new in zip(rows, columns, strict=True)
        if overlaps[old][new] >= MIN_OVERLAP
    }


def doubles(boxes: Sequence[Box], sureness: Sequence[float]) -> set[int]:
    """Numbers of the boxes that are of the same face as a surer one; of equals the first stays.

    Examples
    --------
    >>> doubles([Box(0, 0, 50, 50), Box(5, 0, 50, 50), Box(90, 0, 50, 50)], [1.5, 2.5, 0.5])
    {0}
    """
    kept: list[int] = []
    order = sorted(range(len(boxes)), key=lambda number: -sureness[number])
    for number in order:
        if not any(same_face(boxes[number], boxes[other]) for other in kept):
            kept.append(number)
    return set(order) - set(kept)
