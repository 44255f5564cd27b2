"""From a detection to landmarks: where exactly the face is, then the predictor, once or oftener."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..annotation import FloatArray
from ..errors import OptionError
from ..images import Image
from ..scheme import mirror_points
from .detectors import Detection
from .frame import square_box
from .prediction import framed, is_usable, predict_points
from .start import load_start, settled
from .verifier import Candidate

Quality = Literal["fast", "balanced", "best"]
"""``fast`` stops the predictor early; ``best`` averages what it says of several crops."""

FAST_CASCADES = 6
"""After which ``fast`` stops a predictor of the role `models.loading.REFINED`."""

LANDMARK_SIZE = 150
"""Width in pixels to which a face box is scaled for the landmarks. Crops of the training data are
wider; on held-out faces the error is the same, and a smaller crop takes half the time."""

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

    Raises
    ------
    OptionError
        There is no such quality, or the face size is below 1.
    """

    predictor: Any
    quality: Quality = "balanced"
    face_size: int = LANDMARK_SIZE

    def __post_init__(self) -> None:
        require_quality(self.quality)
        if self.face_size < 1:
            raise OptionError(f"the face size must be at least 1 pixel, not {self.face_size}")

    def __call__(self, gray: Image, detection: Detection) -> FloatArray:
        """Landmarks of a face at any roll, shape (68, 2), in pixels of the photograph.

        `start.settled` looks where exactly the face is and how it is turned; the predictor sees it
        upright and framed alike, whichever detector found it.
        """
        place = Candidate(detection.box, detection.roll)
        # Our own detector, which tells the yaw, has looked already.
        if not math.isfinite(detection.yaw):
            place = settled(load_start(), gray, place, 1 if self.quality == "fast" else 2)
        points = self._predict(gray, place)
        return self._average(gray, points, place.roll) if self.quality == "best" else points

    def _predict(self, gray: Image, place: Candidate) -> FloatArray:
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
        found = [self._predict(gray, Candidate(box, roll))]
        for number, (x, y, growth) in enumerate(_MOVES):
            center = box.center[0] + x * box.width, box.center[1] + y * box.width
            place = Candidate(square_box(*center, box.width * math.exp(growth)), roll)
            if number % 2:
                found.append(self._predict(gray, place))
                continue
            flipped = square_box(width - 1 - center[0], center[1], place.box.width)
            seen = self._predict(mirrored, Candidate(flipped, -roll))
            found.append(mirror_points(seen, width))
        mean: FloatArray = np.mean(found, axis=0)
        return mean


def require_quality(quality: str) -> None:
    """Refuse, with an `OptionError`, what is no `Quality`."""
    if quality not in get_args(Quality):
        raise OptionError(f"the quality must be {', '.join(get_args(Quality))}, not '{quality}'")
