"""Of several detections of one face, the surest."""

from __future__ import annotations

from collections.abc import Iterable

from ..annotation import Box
from .detectors import Detection

MAX_OVERLAP = 0.3
"""Intersection over union above which two boxes are taken for one face."""

MAX_COVER = 0.6
"""Likewise, where one box covers this part of the smaller one: a half of a face that was taken for
a small face."""


def suppress(detections: Iterable[Detection]) -> list[Detection]:
    """The surest detection of each face, the surest first.

    Examples
    --------
    >>> boxes = [Box(0, 0, 80, 80), Box(10, 5, 80, 80), Box(200, 0, 80, 80)]
    >>> found = [Detection(box, score) for box, score in zip(boxes, [0.5, 1.5, 1.0])]
    >>> [each.score for each in suppress(found)]
    [1.5, 1.0]
    """
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda each: -each.score):
        if all(not same_face(detection.box, other.box) for other in kept):
            kept.append(detection)
    return kept


def same_face(box: Box, other: Box) -> bool:
    """Whether two boxes overlap so far that they are of one face."""
    overlap = box.overlap(other)
    smaller = min(box.width * box.height, other.width * other.height)
    union = (box.width * box.height + other.width * other.height) / (1 + overlap)
    return overlap > MAX_OVERLAP or overlap * union > MAX_COVER * smaller
