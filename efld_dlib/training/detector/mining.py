"""What the sub-detectors themselves take for faces in the training pictures, right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...annotation import Box, FloatArray
from ...detection.detectors import FrontalDetector
from ...detection.frame import BoxMap
from ...detection.gradients import FEATURES, gradient_features
from ...detection.looks import ALL_TURNS
from ...detection.places import candidates_at
from ...detection.verifier import (
    OUTPUTS,
    ROLL_UNIT,
    YAW_UNIT,
    Candidate,
    Verifier,
    moved,
    picture_of,
    wrapped,
)
from ...detection.windows import load_windows
from ...errors import DataError
from ...images import Image, read_image, to_gray
from ...parallel import parallel_map, progress
from ...pose import estimate_pose
from .faces import turning, upright_box
from .samples import Examples, no_face

MAX_COVER = 0.1
"""A place that covers more of a face than this, over both, is not used as one without a face."""

MIN_FACE_OVERLAP = 0.45
MAX_ROLL_OFF = 35.0
"""What a candidate on a face may be off to be an example of it."""


@dataclass(frozen=True)
class MiningOptions:
    """Where and how far it is searched.

    Parameters
    ----------
    turns : int
        Rolls that are tried beside 0, drawn anew for each picture.
    smallest : float
        Smallest face in pixels, as long as the picture is no larger than `pixels`.
    pixels : int
    threshold : float
        Of the sub-detectors.
    limit : int
        Most places of each turn, and most examples without a face of each picture.
    least : float
        Score of the earlier verifier from which a place is worth learning.
    surest : float
        Score from which a place is taken for a face that nobody annotated.
    seed : int
    """

    turns: int = 4
    smallest: float = 44.0
    pixels: int = 1_000_000
    threshold: float = -1.0
    limit: int = 40
    least: float = -3.0
    surest: float = 5.5
    seed: int = 1


@dataclass(frozen=True)
class MinedPicture:
    """A picture to search, and the landmarks of its faces."""

    path: Path
    points: tuple[FloatArray, ...]


def mine(
    pictures: Sequence[MinedPicture],
    frame: BoxMap,
    folder: Path,
    verifier: Verifier,
    options: MiningOptions,
    jobs: int,
    show_progress: bool = False,
) -> Examples:
    """Examples from pictures, with the sub-detectors in `folder` and an earlier verifier.

    Parameters
    ----------
    pictures : sequence of MinedPicture
        One that cannot be read gives none, nor one with a face whose pose is not known.
    frame : BoxMap
        The framing of the faces' boxes.
    folder : Path
        The detector's.
    verifier : Verifier
        Whose mistakes are looked for.
    options : MiningOptions
    jobs : int
        Number of processes; it does not change the result.
    show_progress : bool
    """
    look = partial(_mined, frame=frame, folder=folder, verifier=verifier, options=options)
    numbered = list(enumerate(pictures))
    shown = progress(
        parallel_map(look, numbered, jobs, chunk=20), len(pictures), "mining", show_progress
    )
    return Examples.joined(list(shown))


def _mined(
    numbered: tuple[int, MinedPicture],
    frame: BoxMap,
    folder: Path,
    verifier: Verifier,
    options: MiningOptions,
) -> Examples:
    number, picture = numbered
    rng = np.random.default_rng([options.seed, number])
    try:
        gray = to_gray(read_image(picture.path))
    except DataError:
        # Told of when its faces were looked for.
        return _nothing()
    windows = load_windows(folder)
    smallest = options.smallest * max(1.0, (gray.size / options.pixels) ** 0.5)
    turns = (0.0, *rng.choice(ALL_TURNS, options.turns, replace=False).tolist())
    places = [
        each
        for turn in turns
        for each in candidates_at(windows, gray, turn, smallest, options.threshold, options.limit)
    ]
    poses = [estimate_pose(points) for points in picture.points]
    faces = [
        upright_box(points, frame, pose.roll)
        for points, pose in zip(picture.points, poses, strict=True)
        if np.isfinite(pose).all()
    ]
    if len(faces) < len(picture.points) or not places:
        return _nothing()
    known = faces + [each.box for each in FrontalDetector(0, -0.3)(gray)]
    outputs = verifier.look(gray, places)
    second = [moved(place, output) for place, output in zip(places, outputs, strict=True)]
    wrong = [
        candidate
        for candidate, output in [
            *zip(places, outputs, strict=True),
            *zip(second, verifier.look(gray, second), strict=True),
        ]
        if options.least < output[0] < options.surest
        and all(candidate.box.overlap(box) < MAX_COVER for box in known)
        and not _inside_any(candidate.box, known)
    ]
    if len(wrong) > options.limit:
        wrong = [wrong[i] for i in rng.choice(len(wrong), options.limit, replace=False)]
    parts = [no_face(gray, wrong)] if wrong else [_nothing()]
    for box, pose in zip(faces, poses, strict=True):
        parts.append(_on_face(gray, places, box, pose.roll, pose.yaw))
    return Examples.joined(parts)


def _inside_any(box: Box, others: Sequence[Box]) -> bool:
    """Whether the box's middle lies in one of the others, or theirs in it."""
    return any(_holds(box, other) or _holds(other, box) for other in others)


def _holds(box: Box, other: Box) -> bool:
    x, y = other.center
    return box.left <= x <= box.right and box.top <= y <= box.bottom


def _on_face(
    gray: Image, places: Sequence[Candidate], box: Box, roll: float, yaw: float
) -> Examples:
    candidates, targets = [], []
    for place in places:
        turn = wrapped(roll - place.roll)
        if place.box.overlap(box) < MIN_FACE_OVERLAP or abs(turn) > MAX_ROLL_OFF:
            continue
        shift = turning(-place.roll) @ np.subtract(box.center, place.box.center) / place.box.width
        growth = float(np.log(box.width / place.box.width))
        candidates.append(place)
        targets.append((1.0, *shift, growth, turn / ROLL_UNIT, yaw / YAW_UNIT))
    if not candidates:
        return _nothing()
    features = gradient_features(picture_of(gray, candidates))
    return Examples(features, np.array(targets, np.float32))


def _nothing() -> Examples:
    return Examples(np.empty((0, FEATURES), np.float32), np.empty((0, OUTPUTS), np.float32))
