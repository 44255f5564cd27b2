"""Which detection belongs to which annotated face."""

from __future__ import annotations

from collections.abc import Sequence

from ..boxes import Box
from ..records import FaceAnnotation
from .detectors import Detection
from .frame import is_half, true_box

MIN_OVERLAP = 0.35
"""Least intersection over union of a detection and a face's box to count as found."""


def match_detections(
    faces: Sequence[FaceAnnotation], detections: Sequence[Detection]
) -> list[Box | None]:
    """The detection that belongs to each face, each detection given away at most once.

    Pairs are made in order of their overlap with the tight box of the landmarks; for a face of
    which the head hides one half, with `frame.true_box`, since half a face has half a tight box.
    """
    pairs = sorted(
        (
            (_box_of(face).overlap(detection.box), index, number)
            for index, face in enumerate(faces)
            if face.given.any()
            for number, detection in enumerate(detections)
        ),
        reverse=True,
    )
    matched: list[Box | None] = [None] * len(faces)
    taken: set[int] = set()
    for overlap, index, number in pairs:
        if overlap >= MIN_OVERLAP and matched[index] is None and number not in taken:
            matched[index] = detections[number].box
            taken.add(number)
    return matched


def _box_of(face: FaceAnnotation) -> Box:
    profile = true_box(face, 0.0) if face.scheme == "68" and is_half(face) else None
    return profile or Box.around(face.points)
