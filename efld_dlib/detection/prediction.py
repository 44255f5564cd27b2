"""From a detection to landmarks: where exactly the face is, then the predictor, once or more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..boxes import Box, FloatArray, RotatedBox, annotated
from ..crops import canonical_crop
from ..errors import OptionError
from ..images import Image
from ..landmarks import FACE_68, Scheme, mirror_points
from ..models.forest import CropPredictor
from ..records import convert_points
from .framing import MIN_POINTS, default_box_map, framed, is_usable
from .network import Look

Quality = Literal["fast", "balanced", "best"]
"""``fast`` stops the predictor early and sees one crop; ``balanced`` sees its mirror image too, and
``best`` so many more. Of landmarks whose mirror image is not known no mirror image is looked at."""

FAST_CASCADES = 6
"""After which ``fast`` stops a predictor of the role `models.loading.REFINED`."""

LANDMARK_SIZE = 150
"""Width in pixels to which a face box is scaled for the landmarks. Crops of the training data are
wider; on held-out faces the error is the same, and a smaller crop takes half the time."""

SEEN = 0.2
"""Picture around the box that a predictor sees, as a fraction of its width. It looks no further
from the landmarks than that, and a wider crop takes longer."""

# As of `crops.canonical_crop`: to average takes longer than the rest of the crop.
_AVERAGE_BELOW = 0.5

# Crops that `best` averages: shifts of the box in x and y over its width, growth.
_MOVES = (
    (0.0, 0.0, 0.0),
    (0.02, 0.01, 0.03),
    (-0.02, 0.01, -0.03),
    (0.01, -0.02, -0.02),
    (-0.01, -0.02, 0.02),
)


@dataclass(frozen=True)
class LandmarkStage:
    """Predicts the landmarks of faces whose place is known.

    Parameters
    ----------
    predictor : CropPredictor
    quality : {"fast", "balanced", "best"}
        See `Quality`.
    face_size : int
        Width in pixels to which a face box is scaled before the predictor sees it; at least 1.
    scheme : Scheme
        What the predictor's landmarks are.

    Raises
    ------
    OptionError
        There is no such quality, or the face size is below 1.
    """

    predictor: CropPredictor
    quality: Quality = "balanced"
    face_size: int = LANDMARK_SIZE
    scheme: Scheme = FACE_68

    def __post_init__(self) -> None:
        require_quality(self.quality)
        if self.face_size < 1:
            raise OptionError(f"the face size must be at least 1 pixel, not {self.face_size}")

    def predict(self, gray: Image, place: RotatedBox, look: Look | None = None) -> FloatArray:
        """Landmarks of a face at any roll, shape (n, 2), in pixels of the image.

        Parameters
        ----------
        gray : array of uint8, shape (height, width)
        place : RotatedBox
            The predictor sees the face upright and framed alike, wherever this comes from.
        look : Look, optional
            What the landmark network says of the face; its rough landmarks help the predictor, if
            they make sense.
        """
        known = self.scheme == FACE_68 and look is not None and look.start is not None
        rough = look.points if known and look is not None else None
        points = self._mean(gray, [place], rough)
        if self.quality != "best":
            return points
        box = self._framed(points, place)
        if not is_usable(box):
            return points
        x, y = box.center
        moved = []
        for across, down, growth in _MOVES:
            width, height = (side * math.exp(growth) for side in (box.width, box.height))
            left = x + across * box.width - (width - 1) / 2
            top = y + down * box.width - (height - 1) / 2
            moved.append(RotatedBox(Box(left, top, width, height), place.roll))
        return self._mean(gray, moved, rough)

    def _framed(self, points: FloatArray, place: RotatedBox) -> Box:
        """The box that the landmarks ask for; that of `place` if they are too few to say."""
        on_face = convert_points(points, self.scheme, FACE_68)
        if on_face is None or annotated(on_face).sum() < MIN_POINTS:
            return place.box
        return framed(default_box_map().complete(on_face), place.roll)

    def _mean(
        self, gray: Image, places: Sequence[RotatedBox], rough: FloatArray | None
    ) -> FloatArray:
        """What is predicted at some places and, unless it is to be fast, in mirror images."""
        crops = [
            canonical_crop(
                gray, place.box, self.face_size, SEEN, place.roll, _AVERAGE_BELOW, self.scheme.face
            )
            for place in places
        ]
        images = np.stack([crop.image for crop in crops])
        hint = None if rough is None else np.stack([crop.from_photograph(rough) for crop in crops])
        # The box is in the middle of its crop, so that a mirror image has it there too.
        if self.quality == "fast" or self.scheme.mirror is None:
            said = self.predictor.predict(images, crops[0].box, hint)
        else:
            side = images.shape[2]
            both = np.concatenate([images, images[:, :, ::-1]])
            if hint is not None:
                hint = np.concatenate([hint, mirror_points(hint, side, self.scheme)])
            said, flipped = np.split(self.predictor.predict(both, crops[0].box, hint), 2)
            said = (said + mirror_points(flipped, side, self.scheme)) / 2
        mean: FloatArray = np.mean(
            [crop.to_photograph(points) for crop, points in zip(crops, said, strict=True)], axis=0
        )
        return mean


def require_quality(quality: str) -> None:
    """Refuse, with an `OptionError`, an unknown `Quality`."""
    if quality not in get_args(Quality):
        raise OptionError(f"the quality must be {', '.join(get_args(Quality))}, not '{quality}'")
