"""What the verifier is trained on: faces a little off their place, and places without a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...annotation import Box, FaceAnnotation, Pose
from ...detection.frame import BoxMap, square_box
from ...detection.gradients import FeatureArray, gradient_features
from ...detection.verifier import OUTPUTS, ROLL_UNIT, YAW_UNIT, Candidate, picture_of
from ...errors import DataError, OptionError
from ...images import Image
from ...parallel import parallel_map, progress
from ...prepare.augment import degrade, occlude, tone
from ...prepare.scatter import TYPICAL_SCATTER, BoxModel
from ...prepare.turn import turn_face
from .faces import MAX_YAW, DetectorFace, mirrored, turned_to, turning, upright_box

MAX_FACE_OVERLAP = 0.2
"""A box that overlaps a face's by more than this is neither face nor no face."""


@dataclass(frozen=True)
class Examples:
    """Inputs of the network and what it should answer.

    Parameters
    ----------
    features : array of float32, shape (n, FEATURES)
    targets : array of float32, shape (n, OUTPUTS)
        The first column is 1 for a face and 0 for none; the others are NaN for none.
    """

    features: FeatureArray
    targets: FeatureArray

    @staticmethod
    def joined(parts: Sequence[Examples]) -> Examples:
        """All examples of several."""
        return Examples(
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.targets for part in parts]),
        )


@dataclass(frozen=True)
class SampleOptions:
    """How many examples are made of a face, and how far they are changed.

    Parameters
    ----------
    versions : int
        Times that a face is turned, lit, covered and degraded anew.
    places, others : int
        Examples of each version: near the face's place, and beside it.
    seed : int
    """

    versions: int = 5
    places: int = 3
    others: int = 3
    seed: int = 1


def face_examples(
    faces: Sequence[DetectorFace],
    frame: BoxMap,
    options: SampleOptions,
    jobs: int,
    show_progress: bool = False,
) -> Examples:
    """Examples from faces and their surroundings."""
    make = partial(_examples_of, frame=frame, options=options)
    numbered = list(enumerate(faces))
    shown = progress(
        parallel_map(make, numbered, jobs, chunk=50), len(faces), "examples", show_progress
    )
    return Examples.joined(list(shown))


def _examples_of(
    numbered: tuple[int, DetectorFace], frame: BoxMap, options: SampleOptions
) -> Examples:
    number, face = numbered
    rng = np.random.default_rng([options.seed, number])
    parts = []
    for version in range(options.versions):
        changed = face if version == 0 else _turned(face, rng)
        box = upright_box(changed.points, frame, changed.pose.roll)
        image = _recorded(changed, box, BoxModel(frame, TYPICAL_SCATTER), rng)
        parts.append(_near(image, box, changed.pose, options.places, rng))
        parts.append(_beside(image, box, changed.pose.roll, options.others, rng))
    return Examples.joined(parts)


def _turned(face: DetectorFace, rng: np.random.Generator) -> DetectorFace:
    if rng.random() < 0.5:
        face = mirrored(face)
    if rng.random() < 0.6:
        side = 1.0 if face.pose.yaw > 0 else -1.0
        face = turned_to(face, side * rng.uniform(abs(face.pose.yaw), MAX_YAW))
    if rng.random() < 0.3:
        pitch = float(rng.uniform(-25, 25))
        try:
            image, points = turn_face(face.image, face.points, 0.0, pitch, max_yaw=MAX_YAW)
        except (DataError, OptionError):
            return face
        pose = face.pose._replace(pitch=face.pose.pitch + pitch)
        return replace(face, image=image, points=points, pose=pose)
    return face


def _recorded(face: DetectorFace, box: Box, boxes: BoxModel, rng: np.random.Generator) -> Image:
    """The picture with something in the way, in another light, or of another quality."""
    image, annotation = face.image, FaceAnnotation(face.points, box)
    for step, probability in ((occlude, 0.35), (tone, 0.4), (degrade, 0.4)):
        if rng.random() < probability:
            image, annotation = step(image, annotation, rng, boxes=boxes)
    if rng.random() < 0.15:
        image = _cut_off(image, box, rng)
    return image


def _cut_off(image: Image, box: Box, rng: np.random.Generator) -> Image:
    """Black where a photograph would end, through the face or close by."""
    image = image.copy()
    end = round(box.left + rng.uniform(-0.2, 0.35) * box.width)
    turns = int(rng.integers(4))
    view = np.rot90(image, turns)
    view[:, : max(end, 0)] = 0
    return image


def _near(image: Image, box: Box, pose: Pose, count: int, rng: np.random.Generator) -> Examples:
    candidates, targets = [], np.ones((count, OUTPUTS), np.float32)
    for row in targets:
        wide = rng.random() < 0.5
        spread = 0.16 if wide else 0.06
        shift = np.clip(rng.normal(0, spread, 2), -0.3, 0.3)
        growth = float(np.clip(rng.normal(0, 1.2 * spread), -0.35, 0.35))
        turn = float(rng.uniform(-30, 30) if wide else rng.normal(0, 7))
        roll = pose.roll - turn
        width = box.width * float(np.exp(-growth))
        # The shift is the way back to the face, in the candidate's own axes.
        x, y = np.array(box.center) - turning(roll) @ (shift * width)
        candidates.append(Candidate(square_box(float(x), float(y), width), roll))
        row[1:] = (*shift, growth, turn / ROLL_UNIT, pose.yaw / YAW_UNIT)
    return Examples(gradient_features(picture_of(image, candidates)), targets)


def _beside(image: Image, box: Box, roll: float, count: int, rng: np.random.Generator) -> Examples:
    side = image.shape[0]
    candidates: list[Candidate] = []
    while len(candidates) < count:
        if rng.random() < 0.25:
            # On the face, but not upright: what turned pictures show must not count twice.
            turned = Candidate(box, roll + float(rng.uniform(65, 295)))
            candidates.append(turned)
            continue
        width = box.width * float(np.exp(rng.uniform(-1.2, 0.7)))
        x, y = rng.uniform(0.1 * side, 0.9 * side, 2)
        other = square_box(float(x), float(y), width)
        if other.overlap(box) < MAX_FACE_OVERLAP:
            candidates.append(Candidate(other, float(rng.uniform(-30, 30))))
    return no_face(image, candidates)


def no_face(image: Image, candidates: Sequence[Candidate]) -> Examples:
    """Examples of places without a face."""
    targets = np.full((len(candidates), OUTPUTS), np.nan, np.float32)
    targets[:, 0] = 0
    return Examples(gradient_features(picture_of(image, candidates)), targets)
