"""From a detection to landmarks: where exactly the face is, then the predictor, once or more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any, Literal, get_args

import numpy as np

from ..annotation import Box, FloatArray
from ..backend import load_dlib
from ..errors import OptionError
from ..images import AVERAGE_BELOW, FACE_SIZE, Image, canonical_crop
from ..scheme import mirror_points
from .frame import Place, framed, is_usable, square_box
from .landmark_network import LandmarkNetwork

_PLACE = attrgetter("x", "y")

Quality = Literal["fast", "balanced", "best"]
"""``fast`` stops the predictor early; ``best`` averages what it says of several crops."""

FAST_CASCADES = 6
"""After which ``fast`` stops a predictor of the role `models.loading.REFINED`."""

LANDMARK_SIZE = 150
"""Width in pixels to which a face box is scaled for the landmarks. Crops of the training data are
wider; on held-out faces the error is the same, and a smaller crop takes half the time."""

SEEN = 0.2
"""Picture around the box that a predictor sees, as a fraction of its width. It looks no further
from the landmarks than that, and a wider crop takes longer."""

# As of `images.canonical_crop`: to average takes longer than the rest of the crop.
_AVERAGE_BELOW = 0.5

# Crops that `best` averages, beside the box itself: shifts in x and y over the width, growth.
_MOVES = ((0.02, 0.01, 0.03), (-0.02, 0.01, -0.03), (0.01, -0.02, -0.02), (-0.01, -0.02, 0.02))


@dataclass(frozen=True)
class LandmarkStage:
    """Predicts the landmarks of detected faces.

    Parameters
    ----------
    predictor : dlib.shape_predictor
        Of 68 points.
    quality : {"fast", "balanced", "best"}
        See `Quality`.
    face_size : int
        Width in pixels to which a face box is scaled before the predictor sees it; at least 1.
    network : LandmarkNetwork, optional
        Says where exactly a face is before the predictor sees it. Without one the predictor starts
        from the detector's box, as in a plain dlib program.

    Raises
    ------
    OptionError
        There is no such quality, or the face size is below 1.
    """

    predictor: Any
    quality: Quality = "balanced"
    face_size: int = LANDMARK_SIZE
    network: LandmarkNetwork | None = None

    def __post_init__(self) -> None:
        require_quality(self.quality)
        if self.face_size < 1:
            raise OptionError(f"the face size must be at least 1 pixel, not {self.face_size}")

    def __call__(self, gray: Image, place: Place) -> FloatArray:
        """Landmarks of the face that a detector found at `place`, shape (68, 2), in its pixels."""
        return self.predict(gray, self.locate(gray, place))

    def locate(self, gray: Image, place: Place) -> Place:
        """Where exactly the face is that a detector found at `place`."""
        if self.network is None:
            return place
        return self.network.locate(gray, place, mirrored=self.quality != "fast")

    def predict(self, gray: Image, place: Place) -> FloatArray:
        """Landmarks of a face at any roll, shape (68, 2), in pixels of the image.

        The predictor sees it upright and framed alike, wherever `place` comes from.
        """
        points = self._predict(gray, place)
        return self._average(gray, points, place.roll) if self.quality == "best" else points

    def _predict(self, gray: Image, place: Place) -> FloatArray:
        return predict_points(
            self.predictor, gray, place.box, self.face_size, place.roll, _AVERAGE_BELOW
        )

    def _average(self, gray: Image, points: FloatArray, roll: float) -> FloatArray:
        """The mean over crops about the box that `points` ask for, half of them mirrored."""
        box = framed(points, roll)
        if not is_usable(box):
            return points
        width = gray.shape[1]
        mirrored = np.ascontiguousarray(gray[:, ::-1])
        found = [self._predict(gray, Place(box, roll))]
        for number, (x, y, growth) in enumerate(_MOVES):
            center = box.center[0] + x * box.width, box.center[1] + y * box.width
            place = Place(square_box(*center, box.width * math.exp(growth)), roll)
            if number % 2:
                found.append(self._predict(gray, place))
                continue
            flipped = square_box(width - 1 - center[0], center[1], place.box.width)
            seen = self._predict(mirrored, Place(flipped, -roll))
            found.append(mirror_points(seen, width))
        mean: FloatArray = np.mean(found, axis=0)
        return mean


def require_quality(quality: str) -> None:
    """Refuse, with an `OptionError`, an unknown `Quality`."""
    if quality not in get_args(Quality):
        raise OptionError(f"the quality must be {', '.join(get_args(Quality))}, not '{quality}'")


def predict_points(
    predictor: Any,
    gray: Image,
    box: Box,
    face_size: int = FACE_SIZE,
    roll: float = 0.0,
    average_below: float = AVERAGE_BELOW,
) -> FloatArray:
    """Landmarks of the face in `box`.

    Parameters
    ----------
    predictor : dlib.shape_predictor
    gray : array of uint8, shape (height, width)
        The photograph.
    box : Box
        The face; it may reach over the photograph's edge.
    face_size : int
        Width in pixels to which the box is scaled for the predictor.
    roll : float
        By how many degrees the face is turned clockwise; the predictor sees it turned back.
    average_below : float
        As of `images.canonical_crop`.

    Returns
    -------
    array, shape (n, 2)
        Pixels of the photograph, finer than whole ones where the face is larger than `face_size`
        is not: dlib answers in whole pixels of the crop.
    """
    crop = canonical_crop(gray, box, face_size, SEEN, roll, average_below)
    left, top, width, height = (round(value) for value in crop.box)
    rectangle = load_dlib().rectangle(left, top, left + width - 1, top + height - 1)
    parts = predictor(crop.image, rectangle).parts()
    # Faster than an array of pairs.
    numbers = np.fromiter(chain.from_iterable(map(_PLACE, parts)), np.float64, 2 * len(parts))
    return crop.to_photograph(numbers.reshape(-1, 2))
