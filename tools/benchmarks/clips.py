"""Clips made from photographs, in which it is known where every landmark is in every frame."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from efld_dlib.boxes import Box, FloatArray
from efld_dlib.drawing import to_rgb
from efld_dlib.errors import DataError
from efld_dlib.geometry import eye_distance
from efld_dlib.images import Image, read_image
from efld_dlib.records import ImageRecord

WIDTH, HEIGHT = 640, 480
FPS = 30.0

REST = 60
"""Frames at the beginning of a clip in which nothing moves."""

NOISE = 3.0
"""Standard deviation of the sensor's noise, in gray levels; each frame has its own."""

FACE_WIDTHS = (150.0, 250.0)
"""Larger side of the landmarks' tight box, in pixels, at the beginning of the first and of the
last clip; those between lie between."""


@dataclass(frozen=True)
class Motion:
    """How a face moves after the rest: all of it periodic, and beginning gently.

    Parameters
    ----------
    shift_x, shift_y : float
        Amplitudes in pixels.
    zoom : float
        Largest growth, as a factor.
    turn : float
        Amplitude of the roll in degrees.
    """

    shift_x: float = 110.0
    shift_y: float = 60.0
    zoom: float = 1.25
    turn: float = 20.0

    def at(self, frame: int) -> tuple[float, float, float, float]:
        """Shift in x and y, factor of the size, and roll in degrees, in a frame."""
        seconds = max(0, frame - REST + 1) / FPS
        start = min(1.0, seconds)

        def wave(hertz: float) -> float:
            return start * math.sin(2 * math.pi * hertz * seconds)

        zoom: float = self.zoom ** wave(0.25)
        return self.shift_x * wave(0.4), self.shift_y * wave(0.6), zoom, self.turn * wave(0.5)


@dataclass(frozen=True)
class Clip:
    """A clip and the truth.

    Parameters
    ----------
    name : str
        The photograph's.
    frames : list of array of uint8, shape (HEIGHT, WIDTH, 3)
        BGR, as a camera gives them.
    truth : array, shape (frames, 68, 2)
    """

    name: str
    frames: list[Image]
    truth: FloatArray


def make_clip(
    record: ImageRecord,
    frames: int,
    face_width: float,
    rng: np.random.Generator,
    motion: Motion | None = None,
) -> Clip:
    """The clip of a photograph's first face.

    Parameters
    ----------
    record : ImageRecord
    frames : int
    face_width : float
        Larger side of the landmarks' tight box at the beginning, in pixels of the clip.
    rng : numpy.random.Generator
        Of the noise.
    motion : Motion, optional

    Raises
    ------
    DataError
        The picture cannot be read.
    """
    motion = motion if motion is not None else Motion()
    photograph = to_rgb(read_image(record.path))[:, :, ::-1]
    points = record.faces[0].points
    box = Box.around(points)
    scale = face_width / max(box.width, box.height)
    if scale < 0.7:
        # Averaged first: a camera does not show every other pixel.
        size = [max(1, round(side * scale)) for side in photograph.shape[1::-1]]
        steps = np.array(size) / photograph.shape[1::-1]
        photograph = cast(Image, cv2.resize(photograph, size, interpolation=cv2.INTER_AREA))
        points = (points + 0.5) * steps - 0.5
        box, scale = Box.around(points), 1.0
    shown, truth = [], []
    for number in range(frames):
        matrix = _camera(np.array(box.center), scale, motion.at(number))
        frame = cv2.warpAffine(
            photograph,
            matrix,
            (WIDTH, HEIGHT),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        shown.append(_noisy(cast(Image, frame), rng))
        truth.append(points @ matrix[:, :2].T + matrix[:, 2])
    return Clip(record.path.stem, shown, np.array(truth))


def _camera(
    center: FloatArray, scale: float, moved: tuple[float, float, float, float]
) -> FloatArray:
    """The map from the photograph to a frame, shape (2, 3)."""
    x, y, zoom, turn = moved
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    linear = scale * zoom * np.array([[cosine, -sine], [sine, cosine]])
    middle = np.array([(WIDTH - 1) / 2 + x, (HEIGHT - 1) / 2 + y])
    return np.column_stack([linear, middle - linear @ center])


def _noisy(frame: Image, rng: np.random.Generator) -> Image:
    noise = np.float32(NOISE) * rng.standard_normal(frame.shape, np.float32)
    noisy: Image = np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8)
    return noisy


def usable_records(records: Iterable[ImageRecord], rng: np.random.Generator) -> list[ImageRecord]:
    """Pictures whose only annotated face has all landmarks, in an order of chance.

    Raises
    ------
    DataError
        There is none.
    """
    usable = [
        record
        for record in records
        if len(record.faces) == 1
        and record.faces[0].given.all()
        and eye_distance(record.faces[0].points) > 0
    ]
    if not usable:
        raise DataError("<benchmark>", "there is no face with all 68 landmarks to make a clip of")
    return [usable[index] for index in rng.permutation(len(usable))]
