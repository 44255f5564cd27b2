"""Training the sub-detectors: dlib's HOG windows, one for each view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...annotation import FloatArray
from ...backend import load_dlib
from ...detection.frame import BoxMap
from ...detection.views import MAX_ROLL, View
from ...detection.windows import WINDOW
from ...errors import DataError
from ...files import atomic_path
from ...images import Image, canonical_crop
from .faces import DetectorFace, mirrored, turned_to, upright_box

LEAST_YAW = 10.0
"""Yaw in degrees up to which a face does not bear being turned to a profile, which begins at 55."""


@dataclass(frozen=True)
class WindowOptions:
    """What a sub-detector is trained with.

    Parameters
    ----------
    window : int
        Side of the window in pixels: the smallest face that it finds. A window of 6 cells of HOG on
        a picture reduced in proportion costs a third of dlib's own 10, and the verifier makes up
        for what it sees less sharply.
    faces : int
        Faces of a view.
    context : float
        Picture around the face, as a fraction of its box; what else is in it is no face.
    C, epsilon, nuclear_norm : float
        dlib's options. A nuclear norm makes filters of low rank, which are faster, but at a size of
        6 cells it costs more recall than it saves time.
    seconds : float
        Longest time of dlib's trainer.
    seed : int
    """

    window: int = WINDOW
    faces: int = 2500
    context: float = 0.75
    C: float = 20.0
    epsilon: float = 0.01
    nuclear_norm: float = 0.0
    seconds: float = 600.0
    seed: int = 1


def window_samples(
    faces: Sequence[DetectorFace], view: View, frame: BoxMap, options: WindowOptions
) -> tuple[list[Image], list[FloatArray]]:
    """Pictures of one face each, and left, top, right, bottom of its box.

    Faces that have the view's pose come first, as they are; others are turned to it.

    Parameters
    ----------
    faces : sequence of DetectorFace
        Those held out are left alone.
    view : View
    frame : BoxMap
        The framing of the boxes.
    options : WindowOptions

    Raises
    ------
    DataError
        All faces look too far from the view to be turned to it.
    """
    rng = np.random.default_rng([options.seed, round(view.least) + 180])
    usable = [face for face in faces if not face.held_out]
    order = [usable[index] for index in rng.permutation(len(usable))]
    middle = (view.least + view.most) / 2
    own = [face for face in order if view.least <= face.pose.yaw < view.most]
    twins = [mirrored(face) for face in order if view.least <= -face.pose.yaw < view.most]
    chosen = (own + twins)[: options.faces]
    near = sorted(order, key=lambda face: abs(abs(face.pose.yaw) - abs(middle)))
    turnable = [face for face in near if abs(face.pose.yaw) > LEAST_YAW or abs(middle) < 45.0]
    if not chosen and not turnable:
        raise DataError("<faces>", f"none looks far enough aside to train the view {view.name} on")
    while turnable and len(chosen) < options.faces:
        for face in turnable[: options.faces - len(chosen)]:
            chosen.append(turned_to(face, rng.uniform(view.least, view.most)))
    images, boxes = [], []
    for face in chosen:
        image, box = _cut(face, frame, options, rng)
        images.append(image)
        boxes.append(box)
    return images, boxes


def _cut(
    face: DetectorFace, frame: BoxMap, options: WindowOptions, rng: np.random.Generator
) -> tuple[Image, FloatArray]:
    roll = float(np.clip(face.pose.roll, -MAX_ROLL, MAX_ROLL))
    wanted = float(np.clip(roll + rng.uniform(-0.7, 0.7) * MAX_ROLL, -MAX_ROLL, MAX_ROLL))
    box = upright_box(face.points, frame, face.pose.roll)
    # A little larger than the window: a smaller one dlib could not match.
    size = round(options.window * rng.uniform(1.08, 1.25))
    crop = canonical_crop(face.image, box, size, options.context, face.pose.roll - wanted)
    left, top, width, height = crop.box
    return crop.image, np.array([left, top, left + width - 1, top + height - 1])


def train_windows(
    faces: Sequence[DetectorFace],
    view: View,
    frame: BoxMap,
    output: Path,
    options: WindowOptions,
) -> Path:
    """Train one sub-detector and write it to `output`, as dlib does; else as `window_samples`."""
    dlib = load_dlib()
    images, boxes = window_samples(faces, view, frame, options)
    rectangles = [[dlib.rectangle(*(round(value) for value in box))] for box in boxes]
    training = dlib.simple_object_detector_training_options()
    training.detection_window_size = options.window**2
    training.C, training.epsilon = options.C, options.epsilon
    training.nuclear_norm_regularization_strength = options.nuclear_norm
    training.max_runtime_seconds = options.seconds
    training.num_threads, training.upsample_limit = 1, 0
    training.be_verbose = False
    detector = dlib.train_simple_object_detector(images, rectangles, training)
    with atomic_path(output) as temporary:
        detector.save(str(temporary))
    return output
