"""A shape predictor and a face: crop, landmarks, and the box that they ask for."""

from __future__ import annotations

import math
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from ..annotation import Box, FloatArray
from ..backend import load_dlib
from ..images import AVERAGE_BELOW, FACE_SIZE, Image, canonical_crop
from .frame import default_box_map, square_box

_PLACE = attrgetter("x", "y")

SEEN = 0.2
"""Picture around the box that a predictor sees, as a fraction of its width. It looks no further
from the landmarks than that, and a wider crop takes longer."""


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


def framed(points: FloatArray, roll: float) -> Box:
    """The box of a face turned upright, in the framing of dlib's frontal detector.

    Parameters
    ----------
    points : array, shape (68, 2)
        Landmarks in pixels of the photograph.
    roll : float
        By how many degrees the face is turned clockwise.

    Returns
    -------
    Box
        In the photograph, about the point about which `canonical_crop` turns it.
    """
    cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    upright = points @ np.array([[cosine, -sine], [sine, cosine]])
    box = default_box_map().predict(upright)
    x, y = box.center
    return square_box(cosine * x - sine * y, sine * x + cosine * y, box.width)


def is_usable(box: Box) -> bool:
    """Whether a box that landmarks ask for is one: finite, and wider than a pixel."""
    return bool(np.isfinite(box).all()) and box.width > 1
